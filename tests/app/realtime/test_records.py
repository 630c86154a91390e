"""Records that let clients go on at another process: what they may take of memory and of Redis."""

import asyncio

import pytest
from redis.asyncio import Redis

from app.realtime.socketio import records
from app.realtime.socketio.records import SharedRecords, Stored
from tests.redis_server import needs_redis

pytestmark = [pytest.mark.fault, needs_redis]

PATIENCE_S = 30.0


def stored(process, pid, received_ago_ms=0):
    return Stored(process, "/n", pid, "owner", "e-1", ["room"] * 10, None, None, received_ago_ms)


def shared(redis, process):
    return SharedRecords(
        lambda: Redis.from_url(redis.url), "test", process, window_s=120, unheard_s=1
    )


async def until(condition):
    async with asyncio.timeout(PATIENCE_S):
        while not await condition():  # noqa: ASYNC110 nothing tells of it
            await asyncio.sleep(0.01)


async def test_clients_that_come_and_go_do_not_fill_redis(redis, monkeypatch):
    """The records of those that left first go first; connections that are there keep theirs."""
    monkeypatch.setattr(records, "MAX_BYTES", 5_000)
    one, two = shared(redis, "one"), shared(redis, "two")
    one.serve(lambda pid: stored("one", pid, None), lambda pid: None)
    asked = Redis.from_url(redis.url)
    async with one.running(), two.running():
        one.begin("there")
        for number in range(100):
            one.end(f"gone {number}", stored("one", f"gone {number}"))

        async def newest_is_written():
            return await asked.exists("test:record:gone 99")

        await until(newest_is_written)
        keys = await asked.keys("test:record:*")
        assert len(keys) < 25
        assert sum([await asked.strlen(key) for key in keys]) <= 5_000
        assert b"test:record:there" in keys
        assert await two.take("gone 0", "/n", "owner") is None
        found = await two.take("gone 99", "/n", "owner")
        assert found is not None
        assert found.stored.sid == "gone 99"
    await asked.aclose()


async def test_what_waits_for_redis_is_bounded(redis, monkeypatch):
    """While it is away clients come and go; those that are there are written when it is back."""
    monkeypatch.setattr(records, "MAX_RECORDS", 10)
    one = shared(redis, "one")
    one.serve(lambda pid: stored("one", pid, None), lambda pid: None)
    for number in range(30):
        one.begin(f"there {number}")
        one.end(f"gone {number}", stored("one", f"gone {number}"))
        one.forget(f"told {number}")
    assert len(one._changed) <= 20
    asked = Redis.from_url(redis.url)

    async def all_are_written():
        keys = await asked.keys("test:record:there*")
        return sorted(keys) == sorted(b"test:record:there %d" % number for number in range(10))

    async with one.running():
        await until(all_are_written)
    await asked.aclose()
