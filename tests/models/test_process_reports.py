"""What processes on one database know of each other."""

import pytest

from models.processes import BEAT_S, SILENCE_S, Processes


class Process:
    """A process whose beats the test makes, and what it tells the others."""

    def __init__(self, database, name, clock):
        self.processes = Processes(database, name, monotonic=clock)
        self.told = {}
        self.made = 0
        self.processes.share_report(self._tell)

    async def _tell(self):
        self.made += 1
        return dict(self.told)

    async def step(self):
        await self.processes.beat()
        await self.processes.look_around()
        await self.processes.report()

    @property
    def others(self):
        return list(self.processes.others)


@pytest.fixture
def clock():
    class Clock:
        seconds = 0.0

        def __call__(self):
            return self.seconds

    return Clock()


@pytest.fixture
def start(database, clock):
    return lambda name: Process(database, name, clock)


async def steps(*processes):
    """All know of each other, all tell, all know what was told."""
    for _ in range(3):
        for process in processes:
            await process.step()


async def test_a_process_alone_tells_nothing(start):
    """Its beat stays one small write."""
    one = start("one")
    await steps(one)
    assert (one.made, one.others) == (0, [])


async def test_all_know_what_each_tells(start):
    one, two, three = start("one"), start("two"), start("three")
    one.told, two.told = {"n": 1}, {"n": 2}
    await steps(one, two, three)
    assert len(one.others) == 2
    assert {"n": 2} in one.others
    assert sorted(each["n"] for each in three.others) == [1, 2]
    two.told = {"n": 5}
    await steps(two, one)
    assert {"n": 5} in one.others
    assert {"n": 2} not in one.others


async def test_who_stops_counts_no_more(start):
    one, two = start("one"), start("two")
    two.told = {"n": 2}
    await steps(one, two)
    assert one.others == [{"n": 2}]
    await two.processes.stop()
    await one.step()
    assert one.others == []


async def test_who_was_killed_counts_for_some_seconds(start, clock):
    """Until its counter has not moved for `SILENCE_S`."""
    one, two = start("one"), start("two")
    two.told = {"n": 2}
    await steps(one, two)
    while clock.seconds < SILENCE_S - BEAT_S:
        clock.seconds += BEAT_S
        await one.step()
        assert one.others == [{"n": 2}]
    clock.seconds += 2 * BEAT_S
    await one.step()
    assert one.others == []


async def test_who_was_taken_for_dead_tells_again(start, clock):
    """A process that the store kept waiting too long is there again with what it has told."""
    one, two = start("one"), start("two")
    two.told = {"n": 2}
    await steps(one, two)
    clock.seconds += SILENCE_S
    await one.step()
    await steps(one, two)
    assert one.others == [{"n": 2}]


async def test_a_report_that_fails_stops_nothing(start, caplog):
    one, two = start("one"), start("two")
    await steps(one, two)

    async def fail():
        raise RuntimeError("a fault")

    two.processes.share_report(fail)
    await steps(one, two)
    assert one.others == [{}]
    assert "a fault" in caplog.text
