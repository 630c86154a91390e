"""What is let through, and what is refused by field."""

import pytest
from marshmallow import ValidationError

from models.chat import schema

WHERE = {"conversation_id": "general"}
MESSAGE = {**WHERE, "content": "hello"}
WHICH = {"message_id": "general:0000000001"}


def errors(name, payload):
    with pytest.raises(ValidationError) as caught:
        getattr(schema, name)().load(payload)
    return set(caught.value.messages_dict)


def test_defaults():
    """A message is a text, and of nothing else, unless it says so."""
    assert schema.SendMessage().load(MESSAGE) == {
        "conversation_id": "general",
        "content": "hello",
        "message_type": "text",
        "reply_to": None,
        "attachments": [],
        "client_id": None,
    }


def test_a_channel_is_a_conversation():
    """`channel_id` means `conversation_id`; both at once are one too many."""
    assert schema.ConversationId().load({"channel_id": "x"}) == {"conversation_id": "x"}
    assert errors("ConversationId", {**WHERE, "channel_id": "general"}) == {"channel_id"}
    assert schema.ReadMessage().load(WHICH) == {**WHICH, "conversation_id": None}


@pytest.mark.parametrize("content", ["x", "Phở 🍜", "two\nlines\t", "<b>", "x" * 10_000, "\u202ex"])
def test_content_that_is_text(content):
    """Any text passes unchanged."""
    assert schema.SendMessage().load(MESSAGE | {"content": content})["content"] == content


@pytest.mark.parametrize(
    "content",
    ["", " \n\t", "x" * 10_001, "x" * 65_536, "a\0b", "\ud800", None, 5, ["x"], {"$ne": ""}, True],
)
def test_content_that_is_none(content):
    """Blank, endless, broken and foreign content is refused, new and edited (blank aside)."""
    assert errors("SendMessage", MESSAGE | {"content": content}) == {"content"}
    if not isinstance(content, str) or content.strip():
        assert errors("EditMessage", WHICH | {"content": content}) == {"content"}


@pytest.mark.parametrize(
    ("name", "payload", "fields"),
    [
        ("SendMessage", {"content": "x"}, {"conversation_id"}),
        ("SendMessage", MESSAGE | {"conversation_id": 5}, {"conversation_id"}),
        ("SendMessage", MESSAGE | {"conversation_id": ""}, {"conversation_id"}),
        ("SendMessage", MESSAGE | {"conversation_id": "a\0"}, {"conversation_id"}),
        ("SendMessage", MESSAGE | {"message_type": "html"}, {"message_type"}),
        ("SendMessage", MESSAGE | {"message_type": None}, {"message_type"}),
        ("SendMessage", MESSAGE | {"reply_to": 1}, {"reply_to"}),
        ("SendMessage", MESSAGE | {"client_id": ""}, {"client_id"}),
        ("SendMessage", MESSAGE | {"client_id": "a\nb"}, {"client_id"}),
        ("SendMessage", MESSAGE | {"client_id": "x" * 129}, {"client_id"}),
        ("SendMessage", MESSAGE | {"attachments": ["x"]}, {"attachments"}),
        (
            "SendMessage",
            MESSAGE | {"message_type": "image", "attachments": ["x"] * 2},
            {"attachments"},
        ),
        ("SendMessage", MESSAGE | {"message_type": "image", "attachments": "x"}, {"attachments"}),
        (
            "SendMessage",
            MESSAGE | {"message_type": "image", "attachments": [str(n) for n in range(11)]},
            {"attachments"},
        ),
        ("SendMessage", MESSAGE | {"author_id": "2"}, {"author_id"}),
        ("SendMessage", MESSAGE | {"seq": 1}, {"seq"}),
        ("EditMessage", {"content": "x"}, {"message_id"}),
        ("EditMessage", WHICH, {"content"}),
        ("EditMessage", {"message_id": ["x"], "content": "x"}, {"message_id"}),
        ("ReactToMessage", WHICH | {"emoji": "word"}, {"emoji"}),
        ("ReactToMessage", WHICH | {"emoji": ""}, {"emoji"}),
        ("ReactToMessage", WHICH, {"emoji"}),
        ("ChangeStatus", {"status": "offline"}, {"status"}),
        ("ChangeStatus", {"status": "dancing"}, {"status"}),
        ("ChangeStatus", {"status": None}, {"status"}),
        ("ChangeStatus", {}, {"status"}),
        ("HistoryQuery", WHERE | {"limit": 0}, {"limit"}),
        ("HistoryQuery", WHERE | {"limit": 101}, {"limit"}),
        ("HistoryQuery", WHERE | {"limit": 1.5}, {"limit"}),
        ("HistoryQuery", WHERE | {"limit": True}, {"limit"}),
        ("HistoryQuery", WHERE | {"before": -1}, {"before"}),
        ("HistoryQuery", WHERE | {"after": "x"}, {"after"}),
        ("HistoryQuery", WHERE | {"after": 10**30}, {"after"}),
        ("ChangesQuery", WHERE, {"after"}),
        ("SearchQuery", WHERE | {"text": ""}, {"text"}),
        ("SearchQuery", WHERE | {"text": "x" * 201}, {"text"}),
        ("CreateChannel", {"name": "a b"}, {"name"}),
        ("CreateChannel", {"name": "c-" + "0" * 32}, {"name"}),
        ("CreateChannel", {"name": "x", "private": "yes"}, {"private"}),
        ("CreateChannel", {"name": "x", "title": "a\nb"}, {"title"}),
        ("CreateConversation", {"participants": []}, {"participants"}),
        ("CreateConversation", {"participants": "2"}, {"participants"}),
        ("CreateConversation", {"participants": [2]}, {"participants"}),
        ("CreateConversation", {"participants": ["2"] * 200}, {"participants"}),
        ("CreateConversation", {"participants": ["2"], "title": ""}, {"title"}),
    ],
)
def test_refused_by_field(name, payload, fields):
    """Each wrong value is named by its field."""
    assert errors(name, payload) == fields


def test_a_picture_needs_no_words():
    """A picture has attachments, with or without words; a text has words."""
    picture = {**WHERE, "message_type": "image"}
    assert schema.SendMessage().load(picture | {"attachments": ["x"]})["content"] == ""
    assert errors("SendMessage", picture) == {"attachments"}
    linked = picture | {"content": "https://example.com/a.png"}
    assert errors("SendMessage", linked) == {"attachments"}
    assert errors("SendMessage", WHERE) == {"content"}
