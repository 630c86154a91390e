"""How many pushes were dropped, for operators: by day and reason, of all processes."""

from collections.abc import AsyncIterator, Mapping
from datetime import datetime
from typing import TypedDict

from models.collections import retention_of
from models.database import Database, typed
from models.retention import expire, prepare_expiry
from models.times import Clock


class StoredDrop(TypedDict):
    """A document of `push_drops`."""

    _id: str
    """`<day>:<reason>`; reasons are those of the sender."""

    count: int
    at: datetime
    """Of the last one."""


class PushDrops:
    """Counts dropped pushes."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._drops = typed(database["push_drops"], StoredDrop)
        self._clock = clock

    async def prepare(self) -> None:
        """Make the index."""
        await prepare_expiry(self._drops, retention_of("push_drops"))

    async def add(self, counts: Mapping[str, int]) -> None:
        """Add what was dropped, by reason, to today's counts."""
        at = self._clock()
        for reason, count in counts.items():
            await self._drops.update_one(
                {"_id": f"{at.date().isoformat()}:{reason}"},
                {"$inc": {"count": count}, "$set": {"at": at}},
                upsert=True,
            )

    async def days(self) -> AsyncIterator[tuple[str, str, int]]:
        """Yield day, reason and count, oldest first."""
        for drop in await self._drops.find({}).sort([("_id", 1)]).to_list(None):
            day, _, reason = drop["_id"].partition(":")
            yield day, reason, drop["count"]

    async def sweep(self) -> None:
        """Forget old counts."""
        await expire(self._drops, retention_of("push_drops"), self._clock())
