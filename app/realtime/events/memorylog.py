"""The log of events of a process that is alone: delivers at once, and keeps the last while."""

import sys
import time
from collections import deque
from collections.abc import Callable, Collection
from secrets import token_hex
from typing import NamedTuple

from app.realtime.events.delivery import Delivery, Gap, Listeners, Page, parts
from models.signals import NoSignals


class _Kept(NamedTuple):
    at: float
    size: int
    delivery: Delivery


class MemoryLog(NoSignals):
    """The log of one process that has no other: delivers at once, and keeps the last while.

    What is kept is bounded by age and by bytes; what is older is dropped with the next event.
    """

    def __init__(
        self,
        *,
        keep_s: float = 0.0,
        keep_bytes: int = 0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Keep events for `keep_s` seconds, but no more than `keep_bytes`; by default none."""
        self._keep_s = keep_s
        self._keep_bytes = keep_bytes if keep_s > 0 else 0
        self._clock = clock
        self._epoch = token_hex(6)
        self._number = 0
        # One text for all who connect between two events.
        self._position = self._offset(0)
        self._first = 1
        """The number of the oldest that is kept, or of the next one."""

        self._kept: dict[int, _Kept] = {}
        self._of_room: dict[str | None, deque[int]] = {}
        """The numbers of what is kept for each room, in order."""

        self._kept_bytes = 0
        self._dropped_at = float("-inf")
        self._listeners: Listeners | None = None

    @property
    def position(self) -> str:
        """The offset of what was delivered here last."""
        return self._position

    @property
    def kept_bytes(self) -> int:
        """About how much memory is used for what is kept."""
        return self._kept_bytes

    def begin(self, listeners: Listeners) -> None:
        """Deliver to these from now on."""
        self._listeners = listeners

    def after_published(self, done: Callable[[], None]) -> None:
        """Call `done` now: what is published is delivered in the same turn."""
        done()

    async def publish(self, delivery: Delivery) -> None:
        """Number and deliver it, in this turn of the loop."""
        if delivery.volatile:
            self._deliver(delivery, None)
            return
        if not self._keep_bytes:
            self._advance()
            self._first = self._number + 1
            self._dropped_at = self._clock()
            self._deliver(delivery, self.position)
            return
        kept = delivery.frozen()
        if kept is None:
            # Bytes cannot be sent again, so they are not numbered either.
            self._deliver(delivery, None)
            return
        self._advance()
        self._keep(kept)
        self._deliver(delivery, self.position)

    async def read(
        self,
        after: str,
        rooms: Collection[str],
        limit: int,
        *,
        namespace: str | None = None,
        received_s: float | None = None,
    ) -> Page:
        """Return events after an offset; see `EventLog.read`. Nothing is awaited.

        Raises:
            Gap: not everything after `after` is there.
        """
        epoch, number = parts(after)
        if epoch != self._epoch or not 0 <= number <= self._number:
            raise Gap
        first = self._first
        if number < first - 1:
            received_at = None if received_s is None else self._clock() - received_s
            if received_at is None or self._dropped_at > received_at:
                raise Gap
        numbers: set[int] = set()
        for room in (None, *rooms):
            for found in reversed(self._of_room.get(room, ())):
                if found <= number:
                    break
                numbers.add(found)
        events: list[tuple[str, Delivery]] = []
        for found in sorted(numbers):
            delivery = self._kept[found].delivery
            if namespace in (None, delivery.namespace) and delivery.is_for(rooms):
                events.append((self._offset(found), delivery))
                if len(events) == limit:
                    return Page(events, events[-1][0])
        return Page(events, self.position)

    def _deliver(self, delivery: Delivery, offset: str | None) -> None:
        if self._listeners is not None:
            self._listeners.deliver(delivery, offset)

    def _advance(self) -> None:
        self._number += 1
        self._position = self._offset(self._number)

    def _offset(self, number: int) -> str:
        return f"{self._epoch}-{number}"

    def _keep(self, delivery: Delivery) -> None:
        now = self._clock()
        size = _size(delivery)
        self._kept[self._number] = _Kept(now, size, delivery)
        self._kept_bytes += size
        for room in delivery.rooms if delivery.rooms is not None else (None,):
            numbers = self._of_room.get(room)
            if numbers is None:
                numbers = self._of_room[room] = deque()
            numbers.append(self._number)
        while self._first in self._kept:
            oldest = self._kept[self._first]
            if self._kept_bytes <= self._keep_bytes and oldest.at >= now - self._keep_s:
                break
            self._drop(oldest)

    def _drop(self, oldest: _Kept) -> None:
        for room in oldest.delivery.rooms if oldest.delivery.rooms is not None else (None,):
            numbers = self._of_room[room]
            numbers.popleft()
            if not numbers:
                del self._of_room[room]
        del self._kept[self._first]
        self._kept_bytes -= oldest.size
        self._dropped_at = oldest.at
        self._first += 1


_EVENT_BYTES = 500
"""Of a kept event: its objects, and the names that it shares with nothing."""

_ROOM_BYTES = 150
"""Of each of its rooms: the name, and its place there."""


def _size(delivery: Delivery) -> int:
    private = sum(map(sys.getsizeof, delivery.private.values())) if delivery.private else 0
    rooms = _ROOM_BYTES * len(delivery.rooms or ())
    return _EVENT_BYTES + rooms + private + sys.getsizeof(delivery.encoded)
