"""Limits on how often something may happen, kept in this process's memory.

Those that hold for all processes together tell what was used (`tell`), and are told what others
have used (`charge`).
"""

import time
from collections import OrderedDict, deque
from collections.abc import Callable, Hashable, Mapping
from typing import Protocol

from models.errors import TooManyRequests

MAX_REFUSALS = 50
"""Messages refused in a row after which a connection is ended: far more than a clumsy client sends,
and soon reached by a flood."""


Tell = Callable[[Hashable, int], None]


def _share_nothing(key: Hashable, amount: int) -> None:
    """Keep to this process what was used."""


class SharedLimit(Protocol):
    """A limit that can hold for all processes together."""

    tell: Tell
    """Called with a key and how much of its limit was used; less than 0 gives it back."""

    def charge(self, key: Hashable, amount: int) -> None:
        """Count what was used in another process, without refusing it."""


class SharedCounts(Protocol):
    """How many there are of something here, by key, where the number elsewhere matters, too."""

    elsewhere: Callable[[str], int]
    """Returns how many there are in other processes."""

    changed: Callable[[str], None]
    """Called when the number of a key has changed here."""

    def here(self) -> Mapping[str, int]:
        """Return all numbers of this process."""

    def here_of(self, key: str, /) -> int:
        """Return the number of one key, 0 if it has none."""


class ConnectionGuard:
    """Counts the messages of one connection that were refused in a row."""

    __slots__ = ("_refusals",)

    def __init__(self) -> None:
        self._refusals = 0

    @property
    def refusals(self) -> int:
        """How many messages have been refused since the last one that was not."""
        return self._refusals

    def record_success(self) -> None:
        """Begin to count anew."""
        self._refusals = 0

    def record_violation(self) -> bool:
        """Count a refused message; True when the connection has to end."""
        self._refusals += 1
        return self._refusals >= MAX_REFUSALS


class RateLimit:
    """At most `count` times in any `per_s` seconds, for each key.

    Remembers `max_keys` keys and forgets the one unused for longest when there are more, so
    that a flood of invented keys cannot fill the memory.
    """

    def __init__(
        self,
        count: int,
        per_s: float,
        clock: Callable[[], float] = time.monotonic,
        *,
        max_keys: int = 20_000,
    ) -> None:
        self._count = count
        self._per_s = per_s
        self._clock = clock
        self._max_keys = max_keys
        self._times: OrderedDict[Hashable, deque[float]] = OrderedDict()
        self.tell: Tell = _share_nothing

    def __len__(self) -> int:
        """Return the number of keys remembered."""
        return len(self._times)

    def charge(self, key: Hashable, amount: int) -> None:
        """Count what happened in another process; less than 0 takes back the latest."""
        times = self._times_of(key)
        for _ in range(min(-amount, len(times))):
            times.pop()
        # What is beyond the limit would only be forgotten first.
        for _ in range(min(amount, self._count)):
            times.append(self._clock())
        while len(times) > self._count:
            times.popleft()

    def check(self, key: Hashable) -> None:
        """Count one more for `key`; a refused one does not count.

        Raises:
            TooManyRequests: `retry_after_s` says exactly when the next one will pass.
        """
        now = self._clock()
        times = self._times_of(key)
        while times and times[0] <= now - self._per_s:
            times.popleft()
        if len(times) >= self._count:
            raise _refusal(times[0] + self._per_s - now)
        times.append(now)
        self.tell(key, 1)

    def _times_of(self, key: Hashable) -> deque[float]:
        times = self._times.get(key)
        if times is None:
            times = self._times[key] = deque()
            if len(self._times) > self._max_keys:
                self._times.popitem(last=False)
        self._times.move_to_end(key)
        return times

    def refund(self, key: Hashable) -> None:
        """Take back the latest count of `key`: what happened was not of the limited kind."""
        times = self._times.get(key)
        if times:
            times.pop()
            self.tell(key, -1)
            if not times:
                del self._times[key]


class TokenBuckets:
    """A bucket of `burst` tokens for each key, refilled with `per_s` tokens a second.

    Tokens may be taken before they are there, by who waits for them (`max_wait_s`). A full bucket
    is forgotten. Remembers `max_keys` buckets; of more, it forgets the one unused for longest.
    """

    def __init__(
        self,
        per_s: float,
        burst: int,
        clock: Callable[[], float] = time.monotonic,
        *,
        max_keys: int = 20_000,
    ) -> None:
        self._token_s = 1 / per_s
        self._burst = burst
        self._clock = clock
        self._max_keys = max_keys
        # One number for each bucket: when it will be full again.
        self._full_at: OrderedDict[Hashable, float] = OrderedDict()
        self.tell: Tell = _share_nothing

    def __len__(self) -> int:
        """Return the number of buckets remembered."""
        return len(self._full_at)

    def take(self, key: Hashable, tokens: int = 1, *, max_wait_s: float = 0.0) -> float:
        """Take tokens from the bucket of `key`; more than it holds are all that it holds.

        Returns:
            After how many seconds they are there: 0.0, or `max_wait_s` at most.

        Raises:
            TooManyRequests: they are not there in `max_wait_s`, and none were taken;
                `retry_after_s` says when they will be.
        """
        now = self._clock()
        taken = min(tokens, self._burst)
        taken_s = taken * self._token_s
        full_at = max(self._full_at.get(key, now), now) + taken_s
        wait_s = full_at - now - self._burst * self._token_s
        if wait_s < _ROUNDING_S:
            wait_s = 0.0
        if wait_s > max_wait_s + _ROUNDING_S:
            raise _refusal(wait_s)
        self._keep(key, full_at, now)
        self.tell(key, taken)
        return wait_s

    def charge(self, key: Hashable, amount: int) -> None:
        """Take what was taken in another process, though it may not be there: it is missing then.

        What is missing is a burst at most for each time.
        """
        now = self._clock()
        taken_s = min(amount, self._burst) * self._token_s
        self._keep(key, max(self._full_at.get(key, now), now) + taken_s, now)

    def _keep(self, key: Hashable, full_at: float, now: float) -> None:
        self._full_at[key] = full_at
        self._full_at.move_to_end(key)
        self._forget(now)

    def _forget(self, now: float) -> None:
        # Two for each one that may have been added: what is full at the front is soon gone.
        for _ in range(2):
            oldest = next(iter(self._full_at))
            if self._full_at[oldest] > now and len(self._full_at) <= self._max_keys:
                return
            del self._full_at[oldest]
            if not self._full_at:
                return


_ROUNDING_S = 1e-6
"""Sums of floats are off by less: a token that is there must not wait for it."""


def _refusal(retry_after_s: float) -> TooManyRequests:
    return TooManyRequests("Too many requests; slow down.", retry_after_s=retry_after_s)
