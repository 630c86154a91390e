"""Limits on how often something may happen, kept in this process's memory."""

import time
from collections import OrderedDict, deque
from collections.abc import Callable, Hashable

from models.errors import TooManyRequests


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

    def __len__(self) -> int:
        """Give the number of keys remembered."""
        return len(self._times)

    def check(self, key: Hashable) -> None:
        """Count one more for `key`; a refused one does not count.

        Raises:
            TooManyRequests: `retry_after_s` says exactly when the next one will pass.
        """
        now = self._clock()
        times = self._times.get(key)
        if times is None:
            times = self._times[key] = deque()
            if len(self._times) > self._max_keys:
                self._times.popitem(last=False)
        self._times.move_to_end(key)
        while times and times[0] <= now - self._per_s:
            times.popleft()
        if len(times) >= self._count:
            raise _refusal(times[0] + self._per_s - now)
        times.append(now)

    def refund(self, key: Hashable) -> None:
        """Take back the latest count of `key`: what happened was not of the limited kind."""
        times = self._times.get(key)
        if times:
            times.pop()
            if not times:
                del self._times[key]


class Throttle:
    """At most `count` times in each period of `per_s` seconds, for one connection.

    Keeps two numbers: a period begins with the first use after the last period's end.
    """

    __slots__ = ("_began", "_used")

    def __init__(self) -> None:
        self._began = float("-inf")
        self._used = 0

    def check(self, count: int, per_s: float, now: float | None = None) -> None:
        """Count one more at `now` (monotonic seconds; default: the present).

        Raises:
            TooManyRequests: `retry_after_s` is what is left of the period.
        """
        if now is None:
            now = time.monotonic()
        if now - self._began >= per_s:
            self._began = now
            self._used = 0
        if self._used >= count:
            raise _refusal(self._began + per_s - now)
        self._used += 1


def _refusal(retry_after_s: float) -> TooManyRequests:
    return TooManyRequests("Too many requests; slow down.", retry_after_s=retry_after_s)
