"""How entries stand in the database, in their lists, and as JSON."""

from collections.abc import Sequence
from datetime import date, datetime
from typing import TypedDict

from models.database import Document
from models.diary.views import EntryView
from models.pages import Position
from models.text import found_by
from models.times import to_text

NEWEST_FIRST = [("date", -1), ("created_at", -1), ("_id", -1)]
"""By the day that entries are about, and those of one day by when they were written."""


class StoredEntry(TypedDict):
    """A document of `diary_entries`; what is deleted keeps its place, see `tombstone`."""

    _id: str
    account_id: str
    """None in one that is deleted, which no query for an account finds."""

    text: str
    folded: str
    """The text as it is searched."""

    mood: int | None
    tags: list[str]
    date: str
    """The day it is about, by its owner's calendar."""

    created_at: datetime
    updated_at: datetime
    version: int
    deleted_by: str | None
    forget_at: datetime | None


def new_entry(
    entry_id: str,
    account_id: str,
    *,
    text: str,
    mood: int | None,
    tags: list[str],
    day: date,
    created_at: datetime,
) -> StoredEntry:
    """Build an entry."""
    return {
        "_id": entry_id,
        "account_id": account_id,
        "text": text,
        "folded": found_by(text),
        "mood": mood,
        "tags": tags,
        "date": day.isoformat(),
        "created_at": created_at,
        "updated_at": created_at,
        "version": 1,
        "deleted_by": None,
        "forget_at": None,
    }


def tombstone(account_id: str, forget_at: datetime) -> Document:
    """Return what a deleted entry is set to: nothing of what it was, and no one's.

    It keeps its place, so that a late repeat of what made it does not bring it back.
    """
    return {
        "account_id": None,
        "text": "",
        "folded": "",
        "mood": None,
        "tags": [],
        "date": "",
        "deleted_by": account_id,
        "forget_at": forget_at,
    }


def following(position: Position) -> list[Document]:
    """Return the `$or` arms that match what comes after a position in the list."""
    day, _, entry_id = position.id.partition(":")
    at = position.moment
    return [
        {"date": {"$lt": day}},
        {"date": day, "created_at": {"$lt": at}},
        {"date": day, "created_at": at, "_id": {"$lt": entry_id}},
    ]


def position_of(entry: StoredEntry) -> Position:
    """Return where an entry is in the list."""
    return Position(entry["created_at"], f"{entry['date']}:{entry['_id']}")


def cut(found: Sequence[StoredEntry], limit: int) -> tuple[Sequence[StoredEntry], str | None]:
    """Cut up to `limit` + 1 entries found into those to show and the cursor of the next page."""
    shown = found[:limit]
    if len(found) <= limit:
        return shown, None
    return shown, position_of(shown[-1]).to_text()


def entry_view(entry: StoredEntry) -> EntryView:
    """Return an entry as its owner sees it."""
    return {
        "id": entry["_id"],
        "text": entry["text"],
        "mood": entry["mood"],
        "tags": list(entry["tags"]),
        "date": entry["date"],
        "created_at": to_text(entry["created_at"]),
        "updated_at": to_text(entry["updated_at"]),
        "version": entry["version"],
    }
