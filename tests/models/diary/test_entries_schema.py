"""What of an entry is let through, and in which form."""

from datetime import date

import pytest
from marshmallow import ValidationError

from models.diary.entries.schema import (
    ChangeEntry,
    CreateEntry,
    ListEntries,
    SearchEntries,
    UpdateEntry,
)

ENTRY_ID = "00000000-0000-4000-8000-000000000000"


def test_defaults():
    """Only the text has to be said."""
    assert CreateEntry().load({"text": "x"}) == {
        "text": "x",
        "mood": None,
        "tags": [],
        "date": None,
        "client_id": None,
    }
    assert ChangeEntry().load({}) == {}
    assert UpdateEntry().load({"entry_id": ENTRY_ID, "mood": None}) == {
        "entry_id": ENTRY_ID,
        "mood": None,
        "if_version": None,
    }


def test_everything_said():
    """Values at the bounds pass; tags get one form and come once."""
    loaded = CreateEntry().load(
        {
            "text": "😀" * 20_000,
            "mood": 5,
            "tags": [" Work ", "work", "NĂM  MỚI", "na\u0306m mo\u031b\u0301i", "x" * 32],
            "date": "2026-02-28",
            "client_id": "a-B_9" + "x" * 59,
        }
    )
    assert loaded["tags"] == ["work", "năm mới", "x" * 32]
    assert (loaded["mood"], loaded["date"]) == (5, date(2026, 2, 28))
    assert (
        len(CreateEntry().load({"text": "x", "tags": [f"t{n}" for n in range(20)]})["tags"]) == 20
    )


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("text", ""),
        ("text", " \n\t"),
        ("text", "x" * 20_001),
        ("text", "a\0b"),
        ("text", "\ud800"),
        ("text", None),
        ("text", 7),
        ("mood", 0),
        ("mood", 6),
        ("mood", 2.5),
        ("mood", True),
        ("mood", "good"),
        ("tags", "work"),
        ("tags", [""]),
        ("tags", ["  "]),
        ("tags", ["x" * 33]),
        ("tags", ["a\nb"]),
        ("tags", [None]),
        ("tags", [f"t{n}" for n in range(21)]),
        ("tags", None),
        ("date", "2026-02-29"),
        ("date", "20260228"),
        ("date", "2026-W09-6"),
        ("date", 5),
        ("client_id", ""),
        ("client_id", "a b"),
        ("client_id", "x" * 129),
        ("account_id", "2"),
    ],
)
def test_refused(field, value):
    """What is out of bounds is refused under its field's name, in new entries and in changes."""
    with pytest.raises(ValidationError) as refusal:
        CreateEntry().load({"text": "x"} | {field: value})
    assert list(refusal.value.messages_dict) == [field]
    with pytest.raises(ValidationError):
        ChangeEntry().load({field: value})


def test_listing():
    """A listing's bounds are dates in order, its tag is in the form of tags."""
    loaded = ListEntries().load({"from": "2026-03-01", "to": "2026-03-01", "tag": " Work"})
    assert (loaded["from_"], loaded["to"]) == (date(2026, 3, 1), date(2026, 3, 1))
    assert (loaded["tag"], loaded["mood"], loaded["limit"]) == ("work", None, 20)
    assert ListEntries().load({"mood": "4", "limit": "7"})["mood"] == 4
    for wrong in ({"from": "2026-03-02", "to": "2026-03-01"}, {"mood": "9"}, {"tag": ""}):
        with pytest.raises(ValidationError):
            ListEntries().load(wrong)


@pytest.mark.parametrize("text", ["", "   ", "x" * 101, "a\0", "a\nb", None])
def test_search_refused(text):
    """What cannot be found in a text is not looked for."""
    with pytest.raises(ValidationError):
        SearchEntries().load({"text": text})
