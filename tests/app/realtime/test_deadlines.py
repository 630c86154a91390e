"""One timer for many deadlines."""

import asyncio

import pytest

from app.realtime.deadlines import Deadlines
from tests.app.realtime.served import PATIENCE_S, until

TICK_S = 0.01


class Member:
    """Notes when its deadline passed."""

    def __init__(self, deadlines: Deadlines) -> None:
        self.deadline_tick = 0
        self.deadlines = deadlines
        self.passed: asyncio.Future[float] = asyncio.get_running_loop().create_future()

    def deadline_passed(self) -> None:
        self.passed.set_result(asyncio.get_running_loop().time())

    async def at(self) -> float:
        return await asyncio.wait_for(self.passed, PATIENCE_S)


@pytest.mark.parametrize("delay_s", [0.0, 0.001, 0.01, 0.035])
async def test_a_deadline_is_kept_to_a_tick(delay_s: float) -> None:
    """It passes when its time has come and, on an idle loop, not much later than one tick."""
    deadlines = Deadlines(TICK_S)
    member = Member(deadlines)
    began = asyncio.get_running_loop().time()
    deadlines.set(member, delay_s)
    late_s = await member.at() - began - delay_s
    # Loops round their timers to a millisecond.
    assert late_s > -0.0015
    assert late_s < TICK_S + 0.2
    assert member.deadline_tick == 0


async def test_deadlines_pass_in_order_and_a_cleared_one_never() -> None:
    """The later deadline proves that the cleared one before it was forgotten."""
    deadlines = Deadlines(TICK_S)
    cleared, first, second = (Member(deadlines) for _ in range(3))
    deadlines.set(second, 0.06)
    deadlines.set(cleared, 0.03)
    deadlines.set(first, 0.01)
    deadlines.clear(cleared)
    assert await first.at() < await second.at()
    assert not cleared.passed.done()


async def test_setting_again_moves_the_deadline() -> None:
    """A member has one deadline at a time."""
    deadlines = Deadlines(TICK_S)
    moved, other = Member(deadlines), Member(deadlines)
    deadlines.set(moved, 0.01)
    deadlines.set(moved, 0.08)
    deadlines.set(other, 0.04)
    assert await other.at() < await moved.at()


class Repeating(Member):
    """Sets the next deadline, of no time at all, whenever one passes."""

    left = 30

    def deadline_passed(self) -> None:
        self.left -= 1
        if self.left:
            self.deadlines.set(self, 0.0)
        else:
            super().deadline_passed()


async def test_a_deadline_that_is_due_at_once_is_never_lost() -> None:
    """Loops call timers a little early; a deadline set just then must not fall between ticks."""
    deadlines = Deadlines(0.001)
    member = Repeating(deadlines)
    deadlines.set(member, 0.0)
    await member.at()


class Clearing(Member):
    """Clears another when its deadline passes."""

    other: Member

    def deadline_passed(self) -> None:
        if not self.other.passed.done():
            self.deadlines.clear(self.other)
        super().deadline_passed()


async def test_members_of_one_tick_may_clear_each_other() -> None:
    """Of two that clear each other exactly one has its deadline."""
    deadlines = Deadlines(TICK_S)
    one, two, last = Clearing(deadlines), Clearing(deadlines), Member(deadlines)
    one.other, two.other = two, one
    deadlines.set(one, 0.02)
    deadlines.set(two, 0.02)
    deadlines.set(last, 0.05)
    await last.at()
    assert [one.passed.done(), two.passed.done()].count(True) == 1


class Broken(Member):
    def deadline_passed(self) -> None:
        raise RuntimeError("a mistake")


async def test_one_that_fails_does_not_stop_the_others(caplog: pytest.LogCaptureFixture) -> None:
    """An error is logged, and the timer goes on for everybody."""
    deadlines = Deadlines(TICK_S)
    broken, same, later = Broken(deadlines), Member(deadlines), Member(deadlines)
    for member, delay_s in ((broken, 0.01), (same, 0.01), (later, 0.04)):
        deadlines.set(member, delay_s)
    await same.at()
    await later.at()
    assert "a mistake" in caplog.text
    caplog.clear()


async def test_a_busy_loop_misses_no_deadline() -> None:
    """Ticks that went by while the loop was held up are made up for."""
    deadlines = Deadlines(0.001)
    members = [Member(deadlines) for _ in range(50)]
    for number, member in enumerate(members):
        deadlines.set(member, number / 1000)
    loop = asyncio.get_running_loop()
    until = loop.time() + 0.1
    while loop.time() < until:
        pass
    for member in members:
        await member.at()


async def test_the_timer_rests_when_nothing_is_due() -> None:
    """After the last deadline no timer is left."""
    deadlines = Deadlines(TICK_S)
    member = Member(deadlines)
    deadlines.set(member, 0.0)
    await member.at()
    await until(lambda: deadlines._timer is None)
    assert deadlines._slots == {}
