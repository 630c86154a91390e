"""The books that somebody follows at this process: they expire on time, and have a heartbeat."""

import asyncio
import logging
from collections import Counter
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Protocol

from models.times import Clock

logger = logging.getLogger(__name__)

Which = tuple[str, str]
"""Product and size."""

LOOK_S = 1.0
"""How often it is asked when the next offer expires: one placed since may be the first to."""

PAUSE_S = 0.02
"""The shortest wait, so that clocks that disagree by a millisecond make no busy loop."""


class Books(Protocol):
    """What is done to the books."""

    async def beat(self, product_id: str, size: str) -> None:
        """Tell where a book stands, without what has expired."""

    async def expire(self, product_id: str, size: str) -> None:
        """Take out of a book what has expired."""

    def next_expiry(self, product_id: str, size: str) -> datetime | None:
        """When the next offer of a book expires."""


class Followed:
    """Counts followers, and looks after their books while there are any."""

    def __init__(self, books: Books, clock: Clock, *, interval_s: float) -> None:
        self._books = books
        self._clock = clock
        self._interval_s = interval_s
        self._followers: Counter[Which] = Counter()
        self._task: asyncio.Task[None] | None = None

    def __len__(self) -> int:
        """Count the books that are followed."""
        return len(self._followers)

    def add(self, which: Which) -> None:
        """Count a follower more."""
        self._followers[which] += 1
        if self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._run())

    def remove(self, which: Which) -> None:
        """Count a follower less."""
        self._followers[which] -= 1
        if not self._followers[which]:
            del self._followers[which]
        if not self._followers and self._task is not None:
            self._task.cancel()
            self._task = None

    async def _run(self) -> None:
        loop = asyncio.get_running_loop()
        beat_at = loop.time() + self._interval_s
        done = True
        while True:
            pause_s = min(beat_at - loop.time(), self._next_expiry_s() if done else LOOK_S)
            await asyncio.sleep(max(PAUSE_S, pause_s))
            if loop.time() >= beat_at:
                beat_at = loop.time() + self._interval_s
                done = await self._each(list(self._followers), self._books.beat)
            else:
                due = [which for which in self._followers if self._is_due(which)]
                done = await self._each(due, self._books.expire)

    def _next_expiry_s(self) -> float:
        """Give the seconds until an offer expires or it is time to ask again."""
        times = filter(None, (self._books.next_expiry(*which) for which in self._followers))
        first = min(times, default=None)
        return LOOK_S if first is None else min(LOOK_S, (first - self._clock()).total_seconds())

    def _is_due(self, which: Which) -> bool:
        time = self._books.next_expiry(*which)
        return time is not None and time <= self._clock()

    async def _each(self, books: list[Which], do: Callable[[str, str], Awaitable[None]]) -> bool:
        """Do something to each of the books; False when not all of it could be done."""
        done = True
        for which in books:
            try:
                await do(*which)
            except Exception:
                logger.exception("book %s was not looked after; it will be tried again", which)
                done = False
        return done
