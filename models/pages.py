"""Pages of lists that are newest first: a position after the last item shown, and its text form.

A position names an item, not an offset, so items that come and go in front of it neither
repeat nor hide others.
"""

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Generic, TypedDict, TypeVar

from marshmallow import ValidationError, validate

from models.database import Document
from models.fields import Input, Text, WholeNumber

Item = TypeVar("Item")
Found = TypeVar("Found", bound=Mapping[str, Any])

MAX_PAGE = 100
DEFAULT_PAGE = 20

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)
MAX_CURSOR = 400
"""Characters: the longest ids are those of a payment provider, 255."""


@dataclass(frozen=True, slots=True)
class Position:
    """Where an item stands in a list sorted by time, then id, both descending."""

    moment: datetime
    """UTC, whole milliseconds: what the database keeps."""

    id: str

    def to_text(self) -> str:
        """Write it as an opaque cursor of letters, digits, `-` and `_`."""
        plain = f"{(self.moment - _EPOCH) // _MILLISECOND}:{self.id}"
        return base64.urlsafe_b64encode(plain.encode()).decode().rstrip("=")

    @classmethod
    def from_text(cls, text: str) -> "Position":
        """Read what `to_text` wrote.

        Raises:
            ValueError: it is something else.
        """
        if len(text) > MAX_CURSOR:
            raise ValueError("a cursor is never this long")
        padded = text.encode("ascii") + b"=" * (-len(text) % 4)
        try:
            plain = base64.b64decode(padded, altchars=b"-_", validate=True).decode()
        except binascii.Error as error:
            raise ValueError("not base64") from error
        milliseconds, colon, item_id = plain.partition(":")
        if not (colon and item_id and milliseconds.isascii() and milliseconds.isdigit()):
            raise ValueError("not a position")
        try:
            return cls(_EPOCH + int(milliseconds) * _MILLISECOND, item_id)
        except OverflowError as error:
            raise ValueError("a time beyond the calendar") from error

    def following(self, time_field: str) -> list[Document]:
        """Return the `$or` arms that match what comes after this position."""
        return [
            {time_field: {"$lt": self.moment}},
            {time_field: self.moment, "_id": {"$lt": self.id}},
        ]


class Page(TypedDict, Generic[Item]):
    """A page of a list."""

    items: list[Item]
    next: str | None
    """What to send as `after` for the next page; null on the last one."""


def newest_first(time_field: str) -> list[tuple[str, int]]:
    """Return the sort order that positions are about."""
    return [(time_field, -1), ("_id", -1)]


def cut(found: list[Found], limit: int, time_field: str) -> tuple[list[Found], str | None]:
    """Cut up to `limit` + 1 documents found into those to show and the cursor of the next page."""
    shown = found[:limit]
    if len(found) <= limit:
        return shown, None
    last: Mapping[str, Any] = shown[-1]
    return shown, Position(last[time_field], last["_id"]).to_text()


class PositionField(Text):
    """A cursor of an earlier page."""

    def __init__(self, **options: Any) -> None:
        super().__init__(MAX_CURSOR, **options)

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> Any:
        text = super()._deserialize(value, attr, data, **kwargs)
        try:
            return Position.from_text(text)
        except ValueError as error:
            raise ValidationError("Not a cursor of this list.") from error


class PageQuery(Input):
    """Which page: `after` (a `next` of the page before) and `limit` (1 to 100, 20 if absent)."""

    after = PositionField(load_default=None, allow_none=True)
    limit = WholeNumber(load_default=DEFAULT_PAGE, validate=validate.Range(1, MAX_PAGE))
