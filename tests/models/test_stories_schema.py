"""What callers may send about stories."""

import pytest
from marshmallow import ValidationError

from models.stories.schema import MAX_AUDIENCE, MAX_TEXT, CreateStory, React
from models.text import one_emoji

GOOD = {"text": "hi", "visibility": "PRIVATE", "audience_user_ids": ["2"]}


@pytest.mark.parametrize(
    ("sent", "field"),
    [
        ({"text": ""}, "text"),
        ({"text": " \n\t"}, "text"),
        ({"text": "x" * (MAX_TEXT + 1)}, "text"),
        ({"text": None}, "text"),
        ({"text": 7}, "text"),
        ({"text": ["hi"]}, "text"),
        ({"text": "half \ud83d"}, "text"),
        ({"visibility": "public"}, "visibility"),
        ({"visibility": "FRIENDS"}, "visibility"),
        ({"visibility": None}, "visibility"),
        ({"visibility": {"$ne": "PUBLIC"}}, "visibility"),
        ({"visibility": "PUBLIC"}, "audience_user_ids"),
        ({"audience_user_ids": []}, "audience_user_ids"),
        ({"audience_user_ids": "2"}, "audience_user_ids"),
        ({"audience_user_ids": None}, "audience_user_ids"),
        ({"audience_user_ids": ["*"]}, "audience_user_ids"),
        ({"audience_user_ids": [""]}, "audience_user_ids"),
        ({"audience_user_ids": ["2 "]}, "audience_user_ids"),
        ({"audience_user_ids": ["2\n"]}, "audience_user_ids"),
        ({"audience_user_ids": ["x" * 65]}, "audience_user_ids"),
        ({"audience_user_ids": [True]}, "audience_user_ids"),
        ({"audience_user_ids": [1.5]}, "audience_user_ids"),
        ({"audience_user_ids": [-1]}, "audience_user_ids"),
        ({"audience_user_ids": [2**63]}, "audience_user_ids"),
        ({"audience_user_ids": [None]}, "audience_user_ids"),
        ({"audience_user_ids": [{"$gt": ""}]}, "audience_user_ids"),
        ({"audience_user_ids": list(range(MAX_AUDIENCE + 1))}, "audience_user_ids"),
        ({"author_id": "2"}, "author_id"),
        ({"readers": ["*"]}, "readers"),
    ],
    ids=lambda value: repr(value)[:50] if isinstance(value, dict) else value,
)
def test_bad_stories_are_refused_by_field(sent, field):
    """Each wrong value is refused under the name of its field, and only there."""
    with pytest.raises(ValidationError) as refused:
        CreateStory().load(GOOD | sent)
    assert list(refused.value.messages_dict) == [field]


@pytest.mark.parametrize("field", ["text", "visibility"])
def test_what_has_no_default_must_be_sent(field):
    """Nothing is published because a client forgot to say what or for whom."""
    with pytest.raises(ValidationError) as refused:
        CreateStory().load({name: value for name, value in GOOD.items() if name != field})
    assert list(refused.value.messages_dict) == [field]


def test_an_audience_is_text_without_repeats():
    """Ids sent as numbers become text, and each id is kept once, in the order sent."""
    loaded = CreateStory().load(GOOD | {"audience_user_ids": [7, "3", "7", 3, "user_1-x"]})
    assert loaded["audience_user_ids"] == ["7", "3", "user_1-x"]


def test_the_longest_story_passes():
    """The bounds themselves are allowed, and text is kept as it was typed."""
    text = " \té👩‍👩‍👧‍👦<b>" + "x" * (MAX_TEXT - 14) + "\n"
    sent = GOOD | {"text": text, "audience_user_ids": list(range(MAX_AUDIENCE))}
    loaded = CreateStory().load(sent)
    assert loaded["text"] == text
    assert len(loaded["audience_user_ids"]) == MAX_AUDIENCE


@pytest.mark.parametrize(
    "emoji",
    [
        "❤️",
        "❤",
        "👍🏽",
        "👩‍👩‍👧‍👦",
        "🧑🏻‍❤️‍💋‍🧑🏿",
        "🇻🇳",
        "🏴󠁧󠁢󠁳󠁣󠁴󠁿",
        "1️⃣",
        "#️⃣",
        "‼️",
        "〰️",
        "\u2139\ufe0f",
        "Ⓜ️",
        "㊗️",
        "↔️",
        "©️",
    ],
)
def test_emoji_pass(emoji):
    """Emoji of all shapes pass: selectors, skin tones, families, flags, keycaps, old symbols."""
    assert React().load({"emoji": emoji}) == {"emoji": one_emoji(emoji)}


WORDS = ["a", "ok", ":)", "<b>", "đẹp", "1"]
UNSEEN = ["", " ", "\u200d", "\ufe0f", "\u202e🔥", "🔥\u0000", "🔥 🔥", "🔥\n", "\ud83d", "\ue000"]
NO_TEXT = [None, 5, ["🔥"], {"$ne": ""}]


@pytest.mark.parametrize("emoji", [*WORDS, *UNSEEN, *NO_TEXT, "🔥" * 17], ids=ascii)
def test_what_is_no_emoji_is_refused(emoji):
    """Words, blanks, invisible and control characters, and what is too long are no reactions."""
    with pytest.raises(ValidationError) as refused:
        React().load({"emoji": emoji})
    assert list(refused.value.messages_dict) == ["emoji"]
