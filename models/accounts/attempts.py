"""How often passwords may be guessed, in this process's memory; failures in others are told.

Failures count per address, and per account and address. Failures of an account as a whole, from
all addresses together, slow only addresses from which its owner never signed in: no one can lock
an owner out by guessing. An attempt under way is no failure yet, but those allowed at a time and
those that failed are never more than the limit together: further ones wait for its outcome.
"""

import asyncio
import time
from collections import OrderedDict, deque
from collections.abc import AsyncIterator, Callable, Hashable
from contextlib import asynccontextmanager, suppress

from models.error_codes import ErrorCode
from models.errors import DomainError, TooManyRequests, Unavailable

PERIOD_S = 60.0
KEYS_MAX = 20_000
"""Keys remembered, a few hundred bytes each; the one unused for longest is forgotten first."""

WAITING_MAX = 256
"""Attempts waiting for the outcome of others, all together."""

KEY_WAITING_MAX = 64
"""Of them for one key: a class that signs in at once from one address."""

FAILURES: tuple[ErrorCode, ...] = ("invalid_credentials", "password_wrong")
"""Codes of errors that mean a wrong guess; others (a busy server) say nothing about it."""


class _Count:
    """Failures of one key, attempts under way, and those that wait for them."""

    __slots__ = ("failed", "under_way", "waiting")

    def __init__(self) -> None:
        self.failed: deque[float] = deque()
        self.under_way = 0
        self.waiting: deque[asyncio.Future[None]] = deque()

    @property
    def unused(self) -> bool:
        return not (self.failed or self.under_way or self.waiting)


class LoginAttempts:
    """At most `count` failures in any minute for each address, pair and account."""

    def __init__(self, count: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._count = count
        self._clock = clock
        self._counts: OrderedDict[Hashable, _Count] = OrderedDict()
        self._waiting = 0
        self.tell: Callable[[Hashable, int], None] = lambda key, amount: None
        """Called with a key and how many failures it has had."""

    def __len__(self) -> int:
        """Return the number of keys remembered."""
        return len(self._counts)

    def charge(self, key: Hashable, amount: int) -> None:
        """Count failures in another process."""
        if amount > 0:
            now = self._clock()
            failed = self._touch(key).failed
            failed.extend([now] * min(amount, self._count))
            # Those beyond the limit would only be forgotten first.
            while len(failed) > self._count:
                failed.popleft()

    @asynccontextmanager
    async def attempt(self, account: str, network: str, *, known: bool) -> AsyncIterator[None]:
        """Check one password; an error of `FAILURES` inside counts as a failure.

        `known` says whether the account's owner has signed in from `network` before. A refused
        attempt counts nowhere.

        Raises:
            TooManyRequests: `retry_after_s` says when the next attempt may pass.
            Unavailable: code `busy`: too many attempts are waiting.
        """
        keys: list[Hashable] = [("network", network), ("pair", account, network)]
        if not known:
            keys.append(("account", account))
        await self._admit(keys)
        failed = False
        try:
            yield
        except DomainError as error:
            failed = error.code in FAILURES
            raise
        finally:
            self._end(keys, failed=failed)

    async def _admit(self, keys: list[Hashable]) -> None:
        while True:
            now = self._clock()
            for key in keys:
                self._check(key, now)
            full = next((key for key in keys if self._is_full(key)), None)
            if full is None:
                break
            await self._wait(self._counts[full])
        for key in keys:
            self._touch(key).under_way += 1

    def _check(self, key: Hashable, now: float) -> None:
        count = self._counts.get(key)
        if count is None:
            return
        while count.failed and count.failed[0] <= now - PERIOD_S:
            count.failed.popleft()
        if len(count.failed) >= self._count:
            raise TooManyRequests(
                "Too many wrong passwords; wait a little.",
                retry_after_s=count.failed[0] + PERIOD_S - now,
            )

    def _is_full(self, key: Hashable) -> bool:
        count = self._counts.get(key)
        return count is not None and len(count.failed) + count.under_way >= self._count

    async def _wait(self, count: _Count) -> None:
        if len(count.waiting) >= KEY_WAITING_MAX:
            raise TooManyRequests("Too many logins at once; try again.", retry_after_s=1)
        if self._waiting >= WAITING_MAX:
            raise Unavailable("Too many logins at once; try again.", code="busy", retry_after_s=1)
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        count.waiting.append(turn)
        self._waiting += 1
        try:
            await turn
        finally:
            self._waiting -= 1
            with suppress(ValueError):
                count.waiting.remove(turn)

    def _end(self, keys: list[Hashable], *, failed: bool) -> None:
        now = self._clock()
        for key in keys:
            count = self._counts[key]
            count.under_way -= 1
            if failed:
                count.failed.append(now)
                self.tell(key, 1)
            # All look again: which of them may go on depends on their other keys, too.
            while count.waiting:
                turn = count.waiting.popleft()
                if not turn.done():
                    turn.set_result(None)
            if count.unused:
                del self._counts[key]

    def _touch(self, key: Hashable) -> _Count:
        count = self._counts.get(key)
        if count is None:
            count = self._counts[key] = _Count()
            if len(self._counts) > KEYS_MAX:
                self._forget_one(key)
        self._counts.move_to_end(key)
        return count

    def _forget_one(self, newest: Hashable) -> None:
        for key, count in self._counts.items():
            if key != newest and not count.under_way and not count.waiting:
                del self._counts[key]
                return
