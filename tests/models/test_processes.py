"""Processes on one database that do not hear each other say so."""

import pytest

from models.processes import BEAT_S, OVERLAP_S, SILENCE_S, Processes


class World:
    """Processes on one database, and the seconds that pass for them."""

    def __init__(self, database):
        self._database = database
        self.seconds = 0.0
        self._living = []

    async def start(self, name, bus=None):
        process = Processes(self._database, name, bus=lambda: bus, monotonic=lambda: self.seconds)
        await process.start()
        process._beating.cancel()  # it beats when the test says so
        self._living.append(process)
        return process

    def kill(self, process):
        self._living.remove(process)

    async def stop(self, process):
        self._living.remove(process)
        await process.stop()

    async def pass_s(self, seconds):
        until = self.seconds + seconds
        while self.seconds < until:
            self.seconds += BEAT_S
            for process in self._living:
                await process.beat()
                await process.look_around()


@pytest.fixture
def world(database):
    return World(database)


async def test_two_without_a_bus_name_each_other(world):
    """Within ten seconds, and no longer than both are there."""
    one = await world.start("web.1")
    await world.pass_s(30)
    assert one.problem is None
    two = await world.start("web.2")
    await world.pass_s(8)
    assert "web.2" in one.problem
    assert "web.1" in two.problem
    assert "REDIS_URL" in one.problem
    await world.stop(two)
    await world.pass_s(BEAT_S)
    assert one.problem is None


async def test_one_that_was_killed_is_not_named(world):
    """Its row is there, and does not move; nothing waits for it."""
    dead = await world.start("web.1")
    await world.pass_s(4)
    world.kill(dead)
    one = await world.start("web.2")
    for _ in range(10):
        await world.pass_s(BEAT_S)
        assert one.problem is None
    # Nor one that was seen alive, for long.
    two = await world.start("web.3")
    await world.pass_s(8)
    assert "web.3" in one.problem
    world.kill(two)
    await world.pass_s(SILENCE_S + BEAT_S)
    assert one.problem is None


async def test_all_that_share_a_bus_are_fine(world):
    one, two = await world.start("web.1", "redis a"), await world.start("web.2", "redis a")
    await world.pass_s(OVERLAP_S * 2)
    assert (one.problem, two.problem) == (None, None)
    assert not two.is_too_many.is_set()


@pytest.mark.parametrize("other", [None, "redis b"])
async def test_one_with_another_bus_is_named(world, other):
    """REDIS_URL on one of them only, or two different servers."""
    one, two = await world.start("web.1", "redis a"), await world.start("web.2", other)
    await world.pass_s(10)
    assert "web.2" in one.problem
    assert "web.1" in two.problem


async def test_the_later_one_is_too_many_if_both_stay(world):
    """An ordinary deploy is over by then."""
    one = await world.start("web.1")
    two = await world.start("web.2")
    await world.pass_s(OVERLAP_S)
    assert not two.is_too_many.is_set()
    await world.pass_s(10)
    assert two.is_too_many.is_set()
    assert not one.is_too_many.is_set()
    # One that ends in time is not counted on with the next.
    await world.stop(two)
    for name in ("web.3", "web.4", "web.5"):
        other = await world.start(name)
        await world.pass_s(OVERLAP_S * 0.6)
        assert not other.is_too_many.is_set()
        await world.stop(other)
    assert not one.is_too_many.is_set()


async def test_names_are_bounded(world):
    one = await world.start("web.1")
    for number in range(2, 12):
        await world.start(f"web.{number}")
    await world.pass_s(10)
    assert one.problem.count("web.") == 5
