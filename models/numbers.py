"""Decimal ids that count up. `counters`: `_id` the name, `value` the last number given."""

import asyncio
from collections import deque

from pymongo.errors import DuplicateKeyError

from models.database import Collection


async def next_number(counters: Collection, name: str, count: int = 1) -> int:
    """Take the next numbers of a counter, 1 first; returns the last one.

    Those that are not used leave gaps.
    """
    while True:
        try:
            counter = await counters.find_one_and_update(
                {"_id": name}, {"$inc": {"value": count}}, upsert=True, return_document=True
            )
        except DuplicateKeyError:
            # Two first numbers at once: the other one made the counter.
            continue
        assert counter is not None
        number: int = counter["value"]
        return number


class Numbers:
    """The numbers of a counter, for which a process goes to the database once for many."""

    def __init__(self, counters: Collection, name: str, *, at_once: int) -> None:
        self._counters = counters
        self._name = name
        self._at_once = at_once
        self._taken: deque[int] = deque()
        self._lock = asyncio.Lock()

    async def next(self) -> int:
        """Return a number that no one else gets; of one process each is higher than the last."""
        async with self._lock:
            if not self._taken:
                last = await next_number(self._counters, self._name, self._at_once)
                self._taken.extend(range(last - self._at_once + 1, last + 1))
            return self._taken.popleft()
