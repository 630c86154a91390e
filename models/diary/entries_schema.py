"""What a caller may send about entries, and within which bounds."""

import unicodedata
from typing import Any

from marshmallow import Schema, ValidationError, fields, validate, validates_schema

from models.diary.fields import DateField, client_id_field
from models.fields import is_text, not_blank, one_line
from models.pages import PageQuery

MAX_TEXT = 20_000
"""Characters: a long day; in any script it fits into a frame of 1 MB and is told whole."""

MAX_TAGS = 20
MAX_TAG = 32
MAX_SEARCHED = 100

WORST, BEST = 1, 5
"""Moods."""


def as_tag(text: str) -> str:
    """Give the one form that all spellings of a tag have: composed, lower case, single blanks."""
    return " ".join(unicodedata.normalize("NFC", text).lower().split())


class _Text(fields.String):
    def __init__(self, **options: Any) -> None:
        super().__init__(validate=[validate.Length(1, MAX_TEXT), is_text, not_blank], **options)


class _Tag(fields.String):
    """A tag, in whatever spelling."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> str:
        text = super()._deserialize(value, attr, data, **kwargs)
        is_text(text)
        one_line(text)
        tag = as_tag(text)
        if not 1 <= len(tag) <= MAX_TAG:
            raise ValidationError(f"Must be 1 to {MAX_TAG} characters.")
        return tag


class _Tags(fields.List[str]):
    """Tags, each once, in the order in which they were first written."""

    def __init__(self, **options: Any) -> None:
        super().__init__(_Tag(), validate=validate.Length(max=MAX_TAGS), **options)

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> list[Any]:
        return list(dict.fromkeys(super()._deserialize(value, attr, data, **kwargs)))


class _Mood(fields.Integer):
    """A whole number, as JSON or as the text that query strings have; neither 3.5 nor true."""

    def __init__(self, **options: Any) -> None:
        super().__init__(allow_none=True, validate=validate.Range(WORST, BEST), **options)

    def _validated(self, value: Any) -> int:
        if isinstance(value, (float, bool)):
            raise self.make_error("invalid", input=value)
        return super()._validated(value)


class CreateEntry(Schema):
    """A new entry: `text`; optional `mood` (1 to 5), `tags`, `date`.

    `date` is today where the account lives if left out, and never a day to come. With the same
    `client_id` again it is the same entry.
    """

    text = _Text(required=True)
    mood = _Mood(load_default=None)
    tags = _Tags(load_default=list)
    date = DateField(load_default=None, allow_none=True)
    client_id = client_id_field()


class ChangeEntry(Schema):
    """What may be changed of an entry; what is left out stays as it is."""

    text = _Text()
    mood = _Mood()
    tags = _Tags()
    date = DateField()


class EntryId(Schema):
    """Which entry: `entry_id`."""

    entry_id = fields.String(required=True)


class UpdateEntry(EntryId, ChangeEntry):
    """A change with the entry it is to."""


class ListEntries(PageQuery):
    """Which entries: `from` and `to` (dates, both included), `tag`, `mood`; and which page."""

    from_ = DateField(data_key="from", load_default=None, allow_none=True)
    to = DateField(load_default=None, allow_none=True)
    tag = _Tag(load_default=None, allow_none=True)
    mood = _Mood(load_default=None)

    @validates_schema
    def _in_order(self, data: dict[str, Any], **_: Any) -> None:
        if data["from_"] and data["to"] and data["from_"] > data["to"]:
            raise ValidationError("Must not be before `from`.", "to")


class SearchEntries(PageQuery):
    """What to look for: `text`, 1 to 100 characters, as they are; and which page."""

    text = fields.String(required=True, validate=[validate.Length(1, MAX_SEARCHED), one_line])
