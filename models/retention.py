"""How long documents are kept, and how those are deleted whose time is over.

`models.collections` says it for each collection. A sweep deletes some hundred documents at a time,
so that no write of others waits for a long one.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum
from typing import Any

from models.database import Document, TypedCollection

BATCH = 200
"""Documents deleted by one operation: some milliseconds, in which other writes may wait."""

BATCHES_MAX = 300
"""In one sweep, which comes every minute: 60,000 documents, as many as 1,000 messages a second
leave."""


class Rule(Enum):
    """When a document may be deleted."""

    FOR_EVER = "permanently"
    OWNED = "as long as what it belongs to"
    LASTING = "as long as the state that it records"
    TIMED = "until a time"


@dataclass(frozen=True, slots=True)
class Retention:
    """How long the documents of one collection are kept."""

    rule: Rule
    reason: str
    """Why so long and no longer; of `OWNED` and `LASTING` documents, until when."""

    field: str = ""
    """The field with the time that counts; documents that lack it stay. Of `TIMED` ones alone."""

    duration: timedelta = timedelta(0)
    """After that time."""

    def ended_by(self, now: datetime) -> datetime:
        """Return the time up to which documents have had theirs."""
        return now - self.duration

    def __str__(self) -> str:
        match self.rule:
            case Rule.FOR_EVER:
                return f"permanently: {self.reason}"
            case Rule.OWNED:
                return f"as long as {self.reason}"
            case Rule.LASTING:
                return f"until {self.reason}"
            case Rule.TIMED if self.duration:
                return f"{_text(self.duration)} after `{self.field}`: {self.reason}"
            case _:
                return f"until `{self.field}`: {self.reason}"


def for_ever(reason: str) -> Retention:
    """Keep all."""
    return Retention(Rule.FOR_EVER, reason)


def as_long_as(reason: str) -> Retention:
    """Keep what belongs to something else as long as that; its own domain deletes both."""
    return Retention(Rule.OWNED, reason)


def lasting_until(reason: str) -> Retention:
    """Keep a state until it ends; what ends it deletes the document."""
    return Retention(Rule.LASTING, reason)


def until(field: str, reason: str) -> Retention:
    """Keep until the time in a field."""
    return Retention(Rule.TIMED, reason, field)


def after(field: str, duration: timedelta, reason: str) -> Retention:
    """Keep for a time after that in a field."""
    return Retention(Rule.TIMED, reason, field, duration)


async def prepare_expiry(collection: TypedCollection[Any], retention: Retention) -> None:
    """Make the index by which `expire` finds what to delete."""
    await collection.create_index([(retention.field, 1)])


async def expire(
    collection: TypedCollection[Any],
    retention: Retention,
    now: datetime,
    *,
    only: Document | None = None,
) -> int:
    """Delete what has had its time, the oldest first; return how many documents that were.

    With `only`, those alone that also meet this filter. What is left after `BATCHES_MAX` batches is
    for the next sweep. Several processes may do it at once.
    """
    query: Document = {retention.field: {"$lte": retention.ended_by(now)}, **(only or {})}
    deleted = 0
    for _ in range(BATCHES_MAX):
        found = collection.find(query, only=[retention.field]).sort([(retention.field, 1)])
        ids = [document["_id"] for document in await found.limit(BATCH).to_list(BATCH)]
        if ids:
            # The condition again: another process may have prolonged it meanwhile.
            result = await collection.delete_many({"_id": {"$in": ids}, **query})
            deleted += result.deleted_count
        if len(ids) < BATCH:
            break
    return deleted


def _text(duration: timedelta) -> str:
    hours = duration // timedelta(hours=1)
    number, unit = (hours // 24, "day") if hours % 24 == 0 else (hours, "hour")
    return f"{number} {unit}" if number == 1 else f"{number} {unit}s"
