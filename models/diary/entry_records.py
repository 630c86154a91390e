"""How entries stand in the database, in their lists, and as JSON."""

import unicodedata
from datetime import date, datetime

from models.database import Document
from models.events import Json
from models.pages import Position
from models.times import to_text

NEWEST_FIRST = [("date", -1), ("created_at", -1), ("_id", -1)]
"""By the day that entries are about, and those of one day by when they were written."""


def new_entry(
    entry_id: str,
    account_id: str,
    *,
    text: str,
    mood: int | None,
    tags: list[str],
    day: date,
    created_at: datetime,
) -> Document:
    """Build an entry.

    `date`: the day it is about, by its owner's calendar. `folded`: the text as it is searched.
    `deleted_by`, `forget_at`: see `tombstone`.
    """
    return {
        "_id": entry_id,
        "account_id": account_id,
        "text": text,
        "folded": fold(text),
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
    """Give what a deleted entry is set to: nothing of what it was, and nobody's.

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


def fold(text: str) -> str:
    """Fold a text so that it is equal however case and accents are spelled (NFKC_Casefold)."""
    folded = unicodedata.normalize("NFKC", text).casefold()
    return unicodedata.normalize("NFKC", folded)


def following(position: Position) -> list[Document]:
    """Give the `$or` arms that match what comes after a position in the list."""
    day, _, entry_id = position.id.partition(":")
    at = position.moment
    return [
        {"date": {"$lt": day}},
        {"date": day, "created_at": {"$lt": at}},
        {"date": day, "created_at": at, "_id": {"$lt": entry_id}},
    ]


def cut(found: list[Document], limit: int) -> tuple[list[Document], str | None]:
    """Cut up to `limit` + 1 entries found into those to show and the cursor of the next page."""
    shown = found[:limit]
    if len(found) <= limit:
        return shown, None
    last = shown[-1]
    return shown, Position(last["created_at"], f"{last['date']}:{last['_id']}").to_text()


def entry_json(entry: Document) -> dict[str, Json]:
    """Show an entry to its owner."""
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
