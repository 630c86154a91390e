"""What each process tells the others about the use of limits, so that they hold for all together.

Every limit is kept in the memory of each process, and is asked without waiting for anybody. What
was used is told to the others some moments later, and they count it as used with them. So a client
gains nothing in the long run by spreading over processes: what it took beyond the limit in those
moments is missing afterwards. While Redis is away each process keeps the limits by itself.

How many connections an account has in each process is told when it changes, all of it anew now and
then, and forgotten for a process of which nothing is heard any more.

A message is a JSON array of `FORMAT`, the sender, what it is and its content, on a channel of Redis
that keeps nothing.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Hashable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import msgspec

from app.realtime.events import redis_work
from models.limits import SharedCounts, SharedLimit

FORMAT = 1

TELL_S = 0.5
"""Between two messages about use: what can be used twice in that time is missing later."""

RETELL_S = 10.0
"""Between two messages with all counts: a process that has begun asks for them at once."""

SILENT_S = 30.0
"""After which the counts of a process are forgotten: three times `RETELL_S`."""

ANSWER_S = 2.0

MAX_TOLD = 10_000
"""Keys of one message about use; that of more keys stays with this process."""

COUNTS_AT_ONCE = 5_000
"""Of one message: some 100 KB."""

MAX_COUNTED = 200_000
"""Counts of others that are remembered, all together: some 30 MB."""

_USE, _COUNTS, _ALL, _ASK = "use", "counts", "all", "ask"

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(tuple[int, str, str, dict[str, list[tuple[Any, int]]]]).decode


@dataclass(slots=True)
class _Other:
    """Another process."""

    heard_at: float
    counts: dict[str, dict[str, int]] = field(default_factory=dict)


class Sharing:
    """Tells the use of limits of this process, and counts that of the others."""

    def __init__(
        self,
        connect: Callable[[], Any],
        name: str,
        process: str,
        *,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """Make one that shares nothing yet; `running` connects it.

        Args:
            connect: makes a client of Redis.
            name: of the application.
            process: this one's name, new at each start.
            monotonic: seconds.
        """
        self._connect = connect
        self._channel = f"{name}:use"
        self._process = process
        self._monotonic = monotonic
        self._limits: dict[str, SharedLimit] = {}
        self._counts: dict[str, SharedCounts] = {}
        self._used: dict[tuple[str, Hashable], int] = {}
        self._changed: dict[tuple[str, str], None] = {}
        self._others: dict[str, _Other] = {}
        self._remembered = 0
        self._is_asked = False
        self._is_new = False
        """Whether it has not heard what the others have told before."""

    def share_use(self, name: str, limit: SharedLimit) -> None:
        """Let a limit hold for all processes. Its keys are texts, or tuples of texts."""
        self._limits[name] = limit

        def tell(key: Hashable, amount: int) -> None:
            place = name, key
            if place in self._used or len(self._used) < MAX_TOLD:
                self._used[place] = self._used.get(place, 0) + amount

        limit.tell = tell

    def share_counts(self, name: str, counts: SharedCounts) -> None:
        """Let counts of this process be known to the others, and theirs here."""
        self._counts[name] = counts
        counts.elsewhere = lambda key: sum(
            other.counts.get(name, {}).get(key, 0) for other in self._living()
        )

        def changed(key: str) -> None:
            # All counts are told soon, anyway.
            if len(self._changed) < MAX_TOLD:
                self._changed[name, key] = None

        counts.changed = changed

    def _living(self) -> list[_Other]:
        now = self._monotonic()
        for process in [p for p, other in self._others.items() if now - other.heard_at > SILENT_S]:
            self._forget(process)
        return list(self._others.values())

    def _forget(self, process: str) -> None:
        other = self._others.pop(process, None)
        if other is not None:
            self._remembered -= sum(map(len, other.counts.values()))

    async def carrying(self, app: object) -> AsyncIterator[None]:
        """Tell and hear while an application runs."""
        async with self.running():
            yield

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Tell and hear for as long as the context lasts."""
        tasks = [
            asyncio.create_task(redis_work.keep(self._connect, work))
            for work in (self._tell, self._listen)
        ]
        try:
            yield
        finally:
            await redis_work.end(tasks)

    # Telling.

    async def _tell(self, redis: Any) -> None:
        retell_at = self._monotonic()
        # What was used while Redis was away is no news any more.
        self._used.clear()
        while True:
            if self._is_new:
                self._is_new = False
                await self._say(redis, _ASK, {})
            if self._used:
                used, self._used = self._used, {}
                await self._say(redis, _USE, _by_name(used))
            if self._is_asked or self._monotonic() >= retell_at:
                self._is_asked, retell_at = False, self._monotonic() + RETELL_S
                self._changed.clear()
                await self._tell_all(redis)
            elif self._changed:
                changed, self._changed = self._changed, {}
                numbers = {each: self._counts[each[0]].here_of(each[1]) for each in changed}
                await self._say(redis, _COUNTS, _by_name(numbers))
            await asyncio.sleep(TELL_S)

    async def _tell_all(self, redis: Any) -> None:
        everything = [
            (name, key, number)
            for name, counts in self._counts.items()
            for key, number in counts.here().items()
        ]
        kind = _ALL
        for first in range(0, len(everything) or 1, COUNTS_AT_ONCE):
            part = everything[first : first + COUNTS_AT_ONCE]
            await self._say(redis, kind, _by_name({(name, key): n for name, key, n in part}))
            kind = _COUNTS

    async def _say(self, redis: Any, kind: str, content: object) -> None:
        async with asyncio.timeout(ANSWER_S):
            message = _encode((FORMAT, self._process, kind, content))
            await redis.publish(self._channel, message)

    # Hearing.

    async def _listen(self, redis: Any) -> None:
        async with redis.pubsub(ignore_subscribe_messages=True) as listening:
            await listening.subscribe(self._channel)
            self._is_new = True
            async for message in redis_work.published(listening):
                self._hear(message)

    def _hear(self, message: bytes) -> None:
        try:
            form, process, kind, content = _decode(message)
        except msgspec.DecodeError:
            # Of a later version: its processes keep the limits by themselves.
            return
        if form != FORMAT or process == self._process:
            return
        if kind == _USE:
            self._charge(content)
        elif kind == _ASK:
            self._is_asked = True
        elif kind in (_COUNTS, _ALL):
            if kind == _ALL:
                self._forget(process)
            self._note(process, content)

    def _charge(self, content: dict[str, list[tuple[Any, int]]]) -> None:
        for name, used in content.items():
            limit = self._limits.get(name)
            if limit is not None:
                for key, amount in used:
                    limit.charge(tuple(key) if isinstance(key, list) else key, amount)

    def _note(self, process: str, content: dict[str, list[tuple[Any, int]]]) -> None:
        other = self._others.setdefault(process, _Other(0.0))
        other.heard_at = self._monotonic()
        for name, numbers in content.items():
            counts = other.counts.setdefault(name, {})
            for key, number in numbers:
                self._remembered -= counts.pop(key, None) is not None
                if number > 0 and self._remembered < MAX_COUNTED:
                    counts[key] = number
                    self._remembered += 1


def _by_name(numbers: Mapping[tuple[str, Any], int]) -> dict[str, list[tuple[Any, int]]]:
    found: dict[str, list[tuple[Any, int]]] = {}
    for (name, key), number in numbers.items():
        found.setdefault(name, []).append((key, number))
    return found
