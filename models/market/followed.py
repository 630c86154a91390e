"""The books that clients follow at this process: they expire on time, and have a heartbeat.

Each book is looked after in tasks of its own, so one in which thousands of offers expire at once
holds up no other. A task that has begun is not cancelled: what it has written it also publishes.
"""

import asyncio
import logging
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import datetime
from typing import Protocol

from models.finishing import keep
from models.times import Clock

logger = logging.getLogger(__name__)

Which = tuple[str, str]
"""Product and size."""

Look = Callable[[str, str], Awaitable[None]]
"""What is done to a book."""

LOOK_S = 1.0
"""How often it is asked when the next offer expires: one placed since may be the first to."""

BOOKS_AT_ONCE = 16
"""Books looked after at the same time: enough to wait for the database together, and few enough to
leave it to others."""

PAUSE_S = 0.02
"""The shortest wait, so that clocks that disagree by a millisecond make no busy loop."""


class Books(Protocol):
    """What is done to the books."""

    async def beat(self, product_id: str, size: str) -> None:
        """Publish where a book stands, without what has expired."""

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
        self._busy: set[tuple[Look, Which]] = set()
        self._idle = asyncio.Event()
        self._slots = asyncio.Semaphore(BOOKS_AT_ONCE)

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
        while True:
            pause_s = min(beat_at - loop.time(), self._next_expiry_s())
            with suppress(TimeoutError):
                async with asyncio.timeout(max(PAUSE_S, pause_s)):
                    await self._idle.wait()
            self._idle.clear()
            if loop.time() >= beat_at:
                beat_at = loop.time() + self._interval_s
                for which in self._followers:
                    self._begin(self._books.beat, which)
            for which in filter(self._is_due, self._followers):
                self._begin(self._books.expire, which)

    def _next_expiry_s(self) -> float:
        """Return the seconds until an offer expires or it is time to ask again."""
        waiting = (which for which in self._followers if not self._is_expiring(which))
        times = filter(None, (self._books.next_expiry(*which) for which in waiting))
        first = min(times, default=None)
        return LOOK_S if first is None else min(LOOK_S, (first - self._clock()).total_seconds())

    def _is_due(self, which: Which) -> bool:
        time = self._books.next_expiry(*which)
        return time is not None and time <= self._clock()

    def _is_expiring(self, which: Which) -> bool:
        return (self._books.expire, which) in self._busy

    def _begin(self, look: Look, which: Which) -> None:
        """Look after a book, unless it is being looked after in this way already."""
        if (look, which) not in self._busy:
            self._busy.add((look, which))
            keep(self._look(look, which))

    async def _look(self, look: Look, which: Which) -> None:
        try:
            async with self._slots:
                await look(*which)
        except Exception:
            logger.exception("book %s was not looked after; it will be tried again", which)
            await asyncio.sleep(LOOK_S)
        finally:
            self._busy.remove((look, which))
            self._idle.set()
