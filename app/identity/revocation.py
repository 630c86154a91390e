"""End live connections whose credential has ended: disabled accounts, ended sessions.

Credentials are checked when a connection opens; another process, or an operator's command, may end
them later. Each process reads the log of revocations now and then and closes what they cover.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Sequence
from time import monotonic
from typing import Protocol, runtime_checkable

from models.accounts.revocations import Revocation, Revocations
from models.errors import Unavailable

logger = logging.getLogger(__name__)

OPENING_S = 60.0
"""A connection may be opening while its credential ends, so each revocation is applied for so long
again. Closing is harmless to those who came back: their identity has the new version."""


@runtime_checkable
class ConnectionHolder(Protocol):
    """Anything that holds connections of accounts, or what else ends with their credentials."""

    def close_revoked(self, revocations: Sequence[Revocation]) -> None:
        """Close the connections whose identity one of `revocations` covers; it may be repeated."""


class RevocationWatch:
    """Looks every `interval_s` seconds, on behalf of all holders of this process."""

    def __init__(
        self,
        revocations: Revocations,
        holders: Sequence[ConnectionHolder],
        *,
        interval_s: float,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        self._revocations = revocations
        self._holders = holders
        self._interval_s = interval_s
        self._clock = clock
        self._known: int | None = None
        self._recent: deque[tuple[float, Revocation]] = deque()

    async def begin(self) -> None:
        """Start from the log's present end: called before the first connection opens."""
        self._known = await self._revocations.newest()

    async def run(self) -> None:
        """Look until cancelled; what an outage hides is found after it."""
        while True:
            await asyncio.sleep(self._interval_s)
            try:
                await self.look()
            except Unavailable as error:
                logger.warning("revocations: %s", error.message)
            except Exception:
                logger.exception("looking for revocations failed; it is tried again")

    async def look(self) -> None:
        """Close what has ended since the last look, and what was opening meanwhile."""
        now = self._clock()
        if self._known is None:
            await self.begin()
        assert self._known is not None
        for revocation in await self._revocations.after(self._known):
            self._known = revocation.number
            self._recent.append((now, revocation))
        while self._recent and self._recent[0][0] < now - OPENING_S:
            self._recent.popleft()
        if self._recent:
            revocations = [revocation for _, revocation in self._recent]
            for holder in self._holders:
                holder.close_revoked(revocations)
