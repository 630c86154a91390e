"""One timer for the deadlines of all connections.

A timer of its own for each of thousands of idle connections costs memory and wake-ups. Here they
share one: time is cut into ticks, and each tick has a set of those whose deadline falls in it.
"""

import asyncio
import logging
from typing import Protocol

logger = logging.getLogger(__name__)


class Member(Protocol):
    """Something with at most one deadline at a time."""

    deadline_tick: int
    """Where the wheel keeps it; 0 while it has no deadline. Only the wheel writes it."""

    def deadline_passed(self) -> None:
        """Act on the deadline; may set the next one."""


class Deadlines:
    """Deadlines that are kept to within one tick; early by the loop's clock resolution at most."""

    def __init__(self, tick_s: float) -> None:
        self._tick_s = tick_s
        self._slots: dict[int, set[Member]] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._done = 0

    def set(self, member: Member, delay_s: float) -> None:
        """Set or move the deadline of `member` to `delay_s` seconds from now."""
        self.clear(member)
        loop = asyncio.get_running_loop()
        now = loop.time()
        if self._timer is None:
            self._done = int(now / self._tick_s)
            self._wake_at(loop)
        # A loop's timer may be a millisecond early: the tick that now is may be done already.
        tick = max(int((now + delay_s) / self._tick_s), self._done) + 1
        member.deadline_tick = tick
        self._slots.setdefault(tick, set()).add(member)

    def clear(self, member: Member) -> None:
        """Forget the deadline of `member`, if it has one."""
        slot = self._slots.get(member.deadline_tick)
        if slot is not None:
            slot.discard(member)
        member.deadline_tick = 0

    def _wake_at(self, loop: asyncio.AbstractEventLoop) -> None:
        self._timer = loop.call_at((self._done + 1) * self._tick_s, self._turn, loop)

    def _turn(self, loop: asyncio.AbstractEventLoop) -> None:
        now = max(int(loop.time() / self._tick_s), self._done + 1)
        # A loop that was busy may have missed ticks; their members are due as well.
        first, self._done = self._done + 1, now
        for tick in range(first, now + 1):
            for member in self._slots.pop(tick, ()):
                # An earlier member of this tick may have cleared or moved this one.
                if member.deadline_tick == tick:
                    member.deadline_tick = 0
                    try:
                        member.deadline_passed()
                    except Exception:
                        # The timer is everyone's.
                        logger.exception("a deadline could not be acted on")
        self._timer = None
        if self._slots:
            self._wake_at(loop)
