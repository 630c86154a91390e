"""Other programs' events reach the processes of a server, on a real Redis."""

import ast
import asyncio
import sys
from contextlib import AsyncExitStack
from pathlib import Path
from threading import Thread

import pytest
import redis as redis_py
from redis.backoff import NoBackoff
from redis.retry import Retry

from app.realtime import emitter as emitter_module
from app.realtime.emitter import MAX_BYTES, MAX_NESTING, AsyncEmitter, Emitter, NoStream
from app.realtime.events.bus import RedisLog
from app.realtime.events.delivery import read_all
from app.realtime.socketio import packets as socketpacket

PATIENCE_S = 30.0
DATABASE = "emitted"


class Process:
    """A log and its listeners, in some rooms."""

    def __init__(self, redis, *rooms):
        self.log = RedisLog(redis.url, f"realtime:{DATABASE}")
        self.rooms = set(rooms)
        self.heard = []
        self.offsets = []
        self.gaps = 0
        self._changed = asyncio.Event()
        self.log.begin(self)
        self.log.announce_gaps(self._gap)

    def has_listeners(self, namespace, rooms):
        return bool(self.rooms & set(rooms))

    def deliver(self, delivery, offset):
        self.heard.append(delivery)
        self.offsets.append(offset)
        self._changed.set()

    def _gap(self, is_certain):
        self.gaps += 1

    async def hears(self, count):
        """Return what was heard once it is so many."""
        async with asyncio.timeout(PATIENCE_S):
            while len(self.heard) < count:
                self._changed.clear()
                await self._changed.wait()
        assert len(self.heard) == count
        return self.heard


@pytest.fixture
async def pair(redis):
    """Two processes whose connections are in room `a`, one's also in `b`."""
    async with AsyncExitStack() as stack:
        made = Process(redis, "a"), Process(redis, "a", "b")
        for each in made:
            await stack.enter_async_context(each.log.running())
        yield made


@pytest.fixture
def emitter(redis):
    with Emitter.from_url(redis.url, DATABASE) as made:
        yield made


async def test_an_event_reaches_all_processes(pair, emitter):
    """As it was emitted, at one offset, and only those in the room."""
    one, two = pair
    data = {"text": "Grüße \u2028 😀", "big": 2**53 + 1, "deep": [None, {"x": 1.5}]}
    emitter.emit("/chat", "build.finished", data, "twice", rooms=["a", "b", "a"], except_room="c")
    (delivery,) = await one.hears(1)
    assert (delivery.namespace, delivery.event) == ("/chat", "build.finished")
    assert delivery.arguments == (data, "twice")
    assert (delivery.rooms, delivery.except_room) == (("a", "b"), "c")
    assert (delivery.private, delivery.volatile) == (None, False)
    await two.hears(1)
    assert one.offsets == two.offsets != [None]
    emitter.emit("/chat", "for.b", rooms="b")
    emitter.emit("/chat", "for.everyone", rooms=None)
    assert [each.event for each in await one.hears(2)] == ["build.finished", "for.everyone"]
    assert [each.event for each in await two.hears(3)][1:] == ["for.b", "for.everyone"]
    assert (one.gaps, two.gaps) == (0, 0)


async def test_clients_that_were_away_catch_up_with_it(pair, emitter):
    """Unless it is volatile."""
    one, _ = pair
    start = one.log.position
    emitter.emit("/chat", "typing", {"n": 1}, rooms="a", volatile=True)
    emitter.emit("/chat", "said", {"n": 2}, rooms="a")
    await one.hears(2)
    assert one.offsets[0] is None
    missed = await read_all(one.log, start, {"a"}, 10**6)
    assert [(each.event, each.data) for _, each in missed] == [("said", {"n": 2})]


async def test_threads_share_an_emitter(pair, emitter):
    """None of their events is taken for a repeated one, and none is missing."""
    one, _ = pair

    def emit(thread):
        for number in range(50):
            emitter.emit("/chat", "said", [thread, number], rooms="a")

    threads = [Thread(target=emit, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    heard = [tuple(each.data) for each in await one.hears(200)]
    for thread in threads:
        await asyncio.to_thread(thread.join)
    assert sorted(heard) == [(thread, number) for thread in range(4) for number in range(50)]
    assert one.gaps == 0


async def test_tasks_share_an_emitter(pair, redis):
    one, two = pair
    async with AsyncEmitter.from_url(redis.url, DATABASE) as emitter:
        said = [emitter.emit("/chat", "said", {"n": n}, rooms="a") for n in range(100)]
        ids = await asyncio.gather(*said)
    assert len(set(ids)) == 100
    assert sorted(each.data["n"] for each in await one.hears(100)) == [*range(100)]
    assert [each.data for each in await two.hears(100)] == [each.data for each in one.heard]
    assert (one.gaps, two.gaps) == (0, 0)


async def test_a_write_without_an_answer(pair, redis):
    """It is an error, for it may have been written; what comes after it is heard."""
    one, _ = pair
    client = redis_py.Redis.from_url(
        redis.url, socket_timeout=0.2, retry=Retry(NoBackoff(), 0), decode_responses=True
    )
    emitter = Emitter(client, DATABASE)
    emitter.emit("/chat", "said", {"n": 1}, rooms="a")
    redis.pause()
    with pytest.raises(redis_py.exceptions.TimeoutError):
        await asyncio.to_thread(emitter.emit, "/chat", "said", {"n": 2}, rooms="a")
    redis.resume()
    async with asyncio.timeout(PATIENCE_S):
        while one.log.problem is not None:  # noqa: ASYNC110 nothing tells of it
            await asyncio.sleep(0.01)
    with pytest.raises(ValueError, match="nested"):
        emitter.emit("/chat", "said", nested(MAX_NESTING + 1), rooms="a")
    entry_id = await asyncio.to_thread(emitter.emit, "/chat", "said", {"n": 3}, rooms="a")
    assert isinstance(entry_id, str)
    async with asyncio.timeout(PATIENCE_S):
        while {"n": 3} not in [each.data for each in one.heard]:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    heard = [each.data["n"] for each in one.heard]
    assert heard in ([1, 3], [1, 2, 3])
    assert one.gaps == 0
    emitter.close()


async def test_a_fork_is_another_producer(pair, emitter, monkeypatch):
    """Numbers that parent and child count alike would be taken for repeated writes."""
    one, _ = pair
    emitter.emit("/chat", "said", {"n": 1}, rooms="a")
    before = emitter._producer
    pid = emitter_module.os.getpid()
    monkeypatch.setattr(emitter_module.os, "getpid", lambda: pid + 1)
    emitter.emit("/chat", "said", {"n": 2}, rooms="a")
    assert emitter._producer != before
    assert [each.data["n"] for each in await one.hears(2)] == [1, 2]
    assert one.gaps == 0


async def test_a_stream_that_is_not_there(redis, emitter):
    """A wrong name, or a server that has never run: nothing is written for nobody."""
    with pytest.raises(NoStream, match=f"realtime:{DATABASE}:events"):
        emitter.emit("/chat", "said", rooms="a")
    async with AsyncEmitter.from_url(redis.url, DATABASE) as other:
        with pytest.raises(NoStream):
            await other.emit("/chat", "said", rooms="a")


def nested(levels):
    value = 1
    for _ in range(levels):
        value = [value]
    return value


REFUSED = [
    ("chat", "said", (), "a"),
    ("", "said", (), "a"),
    ("/a,b", "said", (), "a"),
    ("/a b", "said", (), "a"),
    (None, "said", (), "a"),
    ("/chat", "", (), "a"),
    ("/chat", "disconnect", (), "a"),
    ("/chat", 7, (), "a"),
    ("/chat", "said", (), ""),
    ("/chat", "said", (), []),
    ("/chat", "said", (), ["a", 7]),
    ("/chat", "said", (float("nan"),), "a"),
    ("/chat", "said", (b"bytes",), "a"),
    ("/chat", "said", ("\ud800",), "a"),
    ("/chat", "said", (nested(MAX_NESTING),), "a"),
    ("/chat", "said", ("x" * MAX_BYTES,), "a"),
]
"""Namespaces, events, arguments and rooms."""


async def test_what_cannot_be_an_event_is_refused(pair, emitter):
    """Before anything is written: the next event is no gap."""
    one, _ = pair
    for namespace, event, arguments, rooms in REFUSED:
        with pytest.raises((ValueError, TypeError)):
            emitter.emit(namespace, event, *arguments, rooms=rooms)
    emitter.emit("/chat", "said", nested(MAX_NESTING - 1), rooms="a")
    (delivery,) = await one.hears(1)
    assert delivery.data == nested(MAX_NESTING - 1)
    assert one.gaps == 0


def test_it_is_one_file():
    """It imports redis-py and the standard library, so that it can be copied."""
    tree = ast.parse(Path(emitter_module.__file__).read_text(encoding="utf-8"))
    imported = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            imported |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            imported.add(node.module.partition(".")[0])
    assert imported - set(sys.stdlib_module_names) == {"redis"}
    assert emitter_module.RESERVED == socketpacket.RESERVED
