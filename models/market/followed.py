"""The books that somebody follows at this process: each is told where it stands at intervals."""

import asyncio
import logging
from collections import Counter
from collections.abc import Awaitable, Callable

logger = logging.getLogger(__name__)

Which = tuple[str, str]
"""Product and size."""


class Followed:
    """Counts followers, and runs a heartbeat while there are any."""

    def __init__(self, beat: Callable[[str, str], Awaitable[None]], *, interval_s: float) -> None:
        self._beat = beat
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
        while True:
            await asyncio.sleep(self._interval_s)
            for which in list(self._followers):
                try:
                    await self._beat(*which)
                except Exception:
                    logger.exception("no heartbeat of book %s", which)
