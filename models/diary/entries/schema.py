"""What a caller may send about entries, and within which bounds."""

from typing import Any

from marshmallow import ValidationError, validate, validates_schema

from models.diary.fields import DateField
from models.fields import (
    BoundedList,
    Input,
    Text,
    WholeNumber,
    client_id_field,
    id_field,
    one_line,
)
from models.pages import PageQuery
from models.text import label
from models.versions import IfVersion

MAX_TEXT = 20_000
"""Characters: a long day; in any script it fits into a frame of 1 MB and is sent whole."""

MAX_TAGS = 20
MAX_TAG = 32
MAX_TYPED_TAG = 4 * MAX_TAG
"""Characters of a tag as it is sent: marks may be typed apart, and spaces repeated."""

MAX_SEARCHED = 100

WORST, BEST = 1, 5
"""Moods."""


def _text(**options: Any) -> Text:
    return Text(MAX_TEXT, min_length=1, **options)


class _Tag(Text):
    """A tag, in whatever spelling."""

    def __init__(self, **options: Any) -> None:
        super().__init__(MAX_TYPED_TAG, **options)

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> str:
        text = super()._deserialize(value, attr, data, **kwargs)
        one_line(text)
        tag = label(text)
        if not 1 <= len(tag) <= MAX_TAG:
            raise ValidationError(f"Must be 1 to {MAX_TAG} characters.")
        return tag


class _Tags(BoundedList):
    """Tags, each once, in the order in which they were first written."""

    def __init__(self, **options: Any) -> None:
        super().__init__(_Tag(), max_length=MAX_TAGS, **options)

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> list[Any]:
        return list(dict.fromkeys(super()._deserialize(value, attr, data, **kwargs)))


def _mood(**options: Any) -> WholeNumber:
    return WholeNumber(allow_none=True, validate=validate.Range(WORST, BEST), **options)


class CreateEntry(Input):
    """A new entry: `text`; optional `mood` (1 to 5), `tags`, `date`.

    `date` is today where the account lives if left out, and never a day that is to come wherever
    one may be. With the same `client_id` again it is the same entry.
    """

    text = _text(required=True)
    mood = _mood(load_default=None)
    tags = _Tags(load_default=list)
    date = DateField(load_default=None, allow_none=True)
    client_id = client_id_field()


class ChangeEntry(Input):
    """What may be changed of an entry; what is left out stays as it is."""

    text = _text()
    mood = _mood()
    tags = _Tags()
    date = DateField()


class EntryId(Input):
    """Which entry: `entry_id`."""

    entry_id = id_field(required=True)


class UpdateEntry(EntryId, ChangeEntry, IfVersion):
    """A change with the entry it is to."""


class DeleteEntry(EntryId, IfVersion):
    """Which entry is to go: `entry_id`."""


class ListEntries(PageQuery):
    """Which entries: `from` and `to` (dates, both included), `tag`, `mood`; and which page."""

    from_ = DateField(data_key="from", load_default=None, allow_none=True)
    to = DateField(load_default=None, allow_none=True)
    tag = _Tag(load_default=None, allow_none=True)
    mood = _mood(load_default=None)

    @validates_schema
    def _in_order(self, data: dict[str, Any], **_: Any) -> None:
        if data["from_"] and data["to"] and data["from_"] > data["to"]:
            raise ValidationError("Must not be before `from`.", "to")


class SearchEntries(ListEntries):
    """What to look for: `text`, 1 to 100 characters, as they are; among which, and which page."""

    text = Text(MAX_SEARCHED, min_length=1, required=True, validate=one_line)
