"""Limits that hold for several processes, between parts that stand for them, on a real Redis."""

import asyncio
from contextlib import AsyncExitStack, asynccontextmanager

import pytest
from redis.asyncio import Redis

from app.realtime.events import sharing
from app.realtime.events.sharing import Sharing
from models.errors import TooManyRequests
from models.limits import RateLimit, TokenBuckets
from tests.redis_server import needs_redis

pytestmark = [pytest.mark.fault, needs_redis]

PATIENCE_S = 30.0


@pytest.fixture(autouse=True)
def quickly(monkeypatch):
    monkeypatch.setattr(sharing, "TELL_S", 0.05)


class Clock:
    """Stands still until it is moved."""

    def __init__(self):
        self.now = 1000.0

    def __call__(self):
        return self.now


class Connections:
    """Numbers by account."""

    def __init__(self):
        self.numbers = {}

    def here(self):
        return self.numbers

    def here_of(self, key):
        return self.numbers.get(key, 0)

    def set(self, key, number):
        self.numbers[key] = number
        self.changed(key)


class Process:
    """Two limits and a number of connections."""

    def __init__(self, redis, name):
        self.clock, self.silence = Clock(), Clock()
        self.buckets = TokenBuckets(1, 10, self.clock)
        self.minute = RateLimit(3, 60, self.clock)
        self.connections = Connections()
        self.sharing = Sharing(
            lambda: Redis.from_url(redis.url), "test", name, monotonic=self.silence
        )
        self.sharing.share_use("buckets", self.buckets)
        self.sharing.share_use("minute", self.minute)
        self.sharing.share_counts("connections", self.connections)

    async def until_elsewhere(self, key, number):
        async with asyncio.timeout(PATIENCE_S):
            while self.connections.elsewhere(key) != number:  # noqa: ASYNC110 nothing tells of it
                await asyncio.sleep(0.01)


@asynccontextmanager
async def running(*processes):
    """Run them; returns when they hear each other."""
    async with AsyncExitStack() as stack:
        for each in processes:
            await stack.enter_async_context(each.sharing.running())
        for number, each in enumerate(processes, 1):
            each.connections.set(f"probe {number}", 1)
        for number in range(1, len(processes) + 1):
            for other, each in enumerate(processes, 1):
                if other != number:
                    await each.until_elsewhere(f"probe {number}", 1)
        yield


def retry_after_s(take, *arguments):
    with pytest.raises(TooManyRequests) as refused:
        take(*arguments)
    return refused.value.retry_after_s


async def in_turn(one, two):
    """Return when what `one` has used so far was heard by `two`: it comes before its counts."""
    key = f"turn {len(one.connections.numbers)}"
    one.connections.set(key, 1)
    await two.until_elsewhere(key, 1)


async def test_what_is_used_up_here_is_used_up_there(redis):
    """All of a burst here leaves nothing there; of another key everything is left."""
    one, two = Process(redis, "one"), Process(redis, "two")
    async with running(one, two):
        one.buckets.take("ann", 10)
        for _ in range(3):
            one.minute.check(("pair", "ann"))
        await in_turn(one, two)
        assert retry_after_s(two.buckets.take, "ann") == 1.0
        assert retry_after_s(two.minute.check, ("pair", "ann")) == 60.0
        assert two.buckets.take("ben", 10) == 0.0
        two.minute.check("ann")
        # Nothing comes back that was told: it would be counted twice.
        await in_turn(two, one)
        one.clock.now += 1
        assert one.buckets.take("ann") == 0.0


async def test_what_was_taken_in_both_at_once_is_missing_later(redis):
    """In the moments before it is told; in the long run it is one limit."""
    one, two = Process(redis, "one"), Process(redis, "two")
    async with running(one, two):
        for each in (one, two):
            each.buckets.take("ann", 10)
        await in_turn(one, two)
        await in_turn(two, one)
        assert retry_after_s(one.buckets.take, "ann") == 11.0
        assert retry_after_s(two.buckets.take, "ann") == 11.0
        for each in (one, two):
            each.clock.now += 11
        assert one.buckets.take("ann") == 0.0
        await in_turn(one, two)
        assert retry_after_s(two.buckets.take, "ann") == 1.0


async def test_what_is_given_back(redis):
    one, two = Process(redis, "one"), Process(redis, "two")
    async with running(one, two):
        for _ in range(3):
            one.minute.check("ann")
        await in_turn(one, two)
        assert retry_after_s(two.minute.check, "ann") == 60.0
        one.minute.refund("ann")
        await in_turn(one, two)
        two.minute.check("ann")


async def test_counts_of_a_process_that_begins_later(redis):
    """It asks for those of the others, and they learn of its."""
    one, two = Process(redis, "one"), Process(redis, "two")
    async with running(one):
        one.connections.set("ann", 2)
        two.connections.numbers["ann"] = 3
        async with two.sharing.running():
            await two.until_elsewhere("ann", 2)
            await one.until_elsewhere("ann", 3)
            one.connections.set("ann", 0)
            await two.until_elsewhere("ann", 0)
        one.silence.now += sharing.SILENT_S + 1
        assert one.connections.elsewhere("ann") == 0


async def test_counts_are_told_anew(redis):
    """What was not heard is made good: all is told now and then."""
    one, two = Process(redis, "one"), Process(redis, "two")
    async with running(one, two):
        one.connections.numbers = {"ben": 1}
        one.silence.now += sharing.RETELL_S
        await two.until_elsewhere("ben", 1)
        assert two.connections.elsewhere("probe 1") == 0


async def test_without_redis_each_keeps_the_limits_itself(redis):
    """Nobody waits, and nothing that was used meanwhile is told later."""
    one, two = Process(redis, "one"), Process(redis, "two")
    async with running(one, two):
        redis.stop()
        one.buckets.take("ann", 10)
        assert retry_after_s(one.buckets.take, "ann") == 1.0
        assert two.buckets.take("ann", 4) == 0.0
        redis.start()
        one.connections.set("back", 1)
        await two.until_elsewhere("back", 1)
        two.connections.set("back too", 1)
        await one.until_elsewhere("back too", 1)
        one.buckets.take("ben", 10)
        await in_turn(one, two)
        assert retry_after_s(two.buckets.take, "ben") == 1.0


async def test_messages_of_other_versions_are_passed_over(redis):
    one, two = Process(redis, "one"), Process(redis, "two")
    async with running(one, two):
        writer = Redis.from_url(redis.url)
        for message in (
            b"",
            b"[2]",
            b'[2,"x","use",{"buckets":[["ann",10]]}]',
            b'[1,"x","new",{}]',
        ):
            await writer.publish("test:use", message)
        await writer.publish("test:use", b'[1,"x","use",{"newer":[["ann",10]]}]')
        await writer.aclose()
        one.buckets.take("ann", 1)
        await in_turn(one, two)
        assert two.buckets.take("ann", 9) == 0.0
        assert retry_after_s(two.buckets.take, "ann") == 1.0


async def test_what_is_told_is_bounded(redis, monkeypatch):
    """Of more keys at a time than are told each process keeps the limits by itself."""
    monkeypatch.setattr(sharing, "MAX_TOLD", 2)
    one, two = Process(redis, "one"), Process(redis, "two")
    async with running(one, two):
        for name in ("ann", "ben", "eve"):
            one.buckets.take(name, 10)
        await in_turn(one, two)
        for name in ("ann", "ben"):
            assert retry_after_s(two.buckets.take, name) == 1.0
        assert two.buckets.take("eve") == 0.0
