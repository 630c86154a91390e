"""End live connections whose account was disabled or whose session was logged out.

Credentials are checked when a connection opens; another process, or an operator's command, may end
them later. Each process looks at the database now and then and turns out whom it finds.
"""

import asyncio
import logging
from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from datetime import datetime, timedelta
from typing import Protocol

from models.accounts import Accounts
from models.errors import Unavailable
from models.times import Clock, now

logger = logging.getLogger(__name__)

OVERLAP = timedelta(seconds=60)
"""Each look goes back over the last one by this much: clocks of processes differ, and a connection
may be opening while its account is disabled. Whoever is gone already is found in vain, no more."""


class Door(Protocol):
    """Anything that holds connections of accounts."""

    def turn_out(self, accounts: AbstractSet[str], sessions: AbstractSet[str]) -> None:
        """End the connections of disabled `accounts` and of ended `sessions`, both by id."""


class RevocationWatch:
    """Looks every `interval_s` seconds, on behalf of all doors of this process."""

    def __init__(
        self,
        accounts: Accounts,
        doors: Sequence[Door],
        *,
        interval_s: float,
        clock: Clock = now,
    ) -> None:
        self._accounts = accounts
        self._doors = doors
        self._interval_s = interval_s
        self._clock = clock

    async def run(self) -> None:
        """Look until cancelled; what an outage hides is found after it."""
        since = self._clock() - OVERLAP
        while True:
            await asyncio.sleep(self._interval_s)
            began = self._clock()
            try:
                await self.look(since)
            except Unavailable as error:
                logger.warning("revocations: %s", error.message)
            except Exception:
                logger.exception("looking for revocations failed; it is tried again")
            else:
                since = began - OVERLAP

    async def look(self, since: datetime) -> None:
        """Turn out all whose account or session ended after `since`."""
        accounts = await self._accounts.disabled_since(since)
        sessions = await self._accounts.sessions.revoked_since(since)
        if accounts or sessions:
            for door in self._doors:
                door.turn_out(accounts, sessions)
