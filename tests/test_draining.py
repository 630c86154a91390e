"""A process that stops while others serve: its clients leave a few at a time, and miss nothing."""

import asyncio
from collections import Counter
from contextlib import suppress
from itertools import chain, cycle, repeat

import pytest
from aiohttp import ClientError

from app.realtime import finishing
from app.stopping import STOP
from tests.io_program import NODE, PACKAGES, QUICK, started
from tests.live import HELLO, PATIENCE_S
from tests.network import Network
from tests.redis_server import needs_redis
from tests.test_bus import until_event
from tests.test_processes import sign_up


async def ended(client):
    """Return when a client was told, and its connection has ended."""
    assert (await until_event(client, "session.ending"))["code"] == "server_stopping"
    await client.gone()


@pytest.fixture
def one_now(monkeypatch):
    """One connection has its turn at once, and the others' never comes by itself."""
    moments = chain([0.0], repeat(1000.0))
    monkeypatch.setattr(finishing.random, "uniform", lambda first, last: next(moments))


async def left_when_one_is_gone(clients):
    """Wait for the one whose turn it is; returns what waits for the others, by client."""
    endings = {asyncio.create_task(ended(client)): client for client in clients}
    done, left = await asyncio.wait(
        endings, timeout=PATIENCE_S, return_when=asyncio.FIRST_COMPLETED
    )
    (one,) = done
    one.result()
    return {endings[each]: each for each in left}


@pytest.mark.parametrize("transport", ["websocket", "polling"])
async def test_who_has_not_had_its_turn_works_as_before(serve, one_now, transport):
    """Commands, events and REST; a new client is sent away, and readiness is red."""
    server = await serve(drain_s=20)
    ann, bob = await server.token("ann"), await server.token("bob")
    clients = [await server.socketio(bob, transports=(transport,)) for _ in range(6)]
    stopping = asyncio.create_task(server.app[STOP].run())
    left = await left_when_one_is_gone(clients)
    other = next(iter(left))
    left.pop(other).cancel()
    status, answer = await server.call(None, "GET", "/ready")
    assert (status, answer["status"]) == (503, "unavailable")
    assert "stopping" in answer["reason"]
    with pytest.raises(ClientError, match="503"):
        await server.open_raw(ann)
    async with server._http.get(f"{server.url}/socket.io/?EIO=4&transport=polling") as refused:
        assert refused.status == 503
    async with server._http.post(
        f"{server.url}/stories", json=HELLO, headers={"Authorization": f"Bearer {ann}"}
    ) as posted:
        assert posted.status == 201
        # The next request is for another process.
        assert posted.headers["Connection"] == "close"
        story_id = (await posted.json())["id"]
    assert (await until_event(other, "story.created"))["id"] == story_id
    assert "data" in await other.call("list_stories", {})
    server.app[STOP].hurry()
    await asyncio.gather(ended(other), *left.values())
    await asyncio.wait_for(stopping, PATIENCE_S)
    assert not server.app[STOP]._under_way


async def test_raw_clients_leave_one_after_the_other(serve, one_now):
    """And are answered until then."""
    server = await serve(drain_s=20, connects_per_minute=60)
    clients = [await server.raw(await server.token(f"user{number}")) for number in range(6)]
    stopping = asyncio.create_task(server.app[STOP].run())
    closings = [asyncio.create_task(client.closed()) for client in clients]
    done, left = await asyncio.wait(
        closings, timeout=PATIENCE_S, return_when=asyncio.FIRST_COMPLETED
    )
    assert [each.result() for each in done] == [1001]
    server.app[STOP].hurry()
    assert set(await asyncio.gather(*left)) == {1001}
    await asyncio.wait_for(stopping, PATIENCE_S)


async def test_without_time_all_end_at_once(serve, one_now):
    """As where there is no Redis."""
    server = await serve(drain_s=0)
    bob = await server.token("bob")
    clients = [await server.socketio(bob) for _ in range(12)]
    stopping = asyncio.create_task(server.app[STOP].run())
    # By turns, only the first would.
    async with asyncio.timeout(4):
        await asyncio.gather(*(ended(client) for client in clients))
    await stopping


class Leaving:
    """A connection that notes when it ends (`app.realtime.finishing.Connection`)."""

    is_busy = False

    def __init__(self):
        self.ended_at = None

    def stop_reading(self):
        pass

    async def finish(self):
        pass

    def give_up(self):
        pass


async def drained(count, within_s, *, gone=()):
    """Drain so many connections; returns after how many seconds each has ended, in their order."""
    loop = asyncio.get_running_loop()
    connections = [Leaving() for _ in range(count)]
    began = loop.time()

    async def end(connection):
        connection.ended_at = loop.time() - began

    await finishing.drain_each(
        connections,
        end,
        is_there=lambda each: connections.index(each) not in gone,
        within_s=within_s,
        finish_s=1,
    )
    return [each.ended_at for each in connections]


async def test_how_many_leave_at_a_time():
    """250 a second, or as many as it takes; in no order, and evenly spread."""
    moments = await drained(250, within_s=20)
    assert 0.8 < max(moments) < 3
    assert moments != sorted(moments)
    assert sum(moment < 0.5 for moment in moments) in range(50, 200)
    assert max(await drained(1000, within_s=0.3)) < 2
    assert await drained(3, within_s=20, gone={0, 1, 2}) == [None] * 3


@pytest.fixture
async def network():
    network = await Network("http://127.0.0.1:1").start()
    yield network
    await network.stop()


COUNT = 40


@pytest.mark.fault
@pytest.mark.node
@needs_redis
@pytest.mark.skipif(NODE is None, reason="node is not installed")
@pytest.mark.skipif(not PACKAGES.is_dir(), reason="packages are missing: npm ci in web/")
async def test_a_rolling_restart_under_load(start_server, redis, network):
    """Two processes are replaced in turn: no message is lost, and no client sees an error."""
    options = {"REDIS_URL": redis.url, "PRESENCE_GRACE_S": "60"}
    serving = [await start_server(**options), await start_server(**options)]
    network.lead_to(serving[0].doors.url)
    writer, _ = await sign_up(serving[0].doors, "writer")
    readers = cycle([(await sign_up(serving[0].doors, f"reader{n}"))[0] for n in range(4)])
    names = [f"c{number}" for number in range(COUNT)]
    acknowledged = []
    async with started("stock") as program:

        def messages(name):
            return [
                what[3]["content"]
                for what in program.heard
                if what[:3] == [name, "event", "new_message"]
            ]

        def count(kind):
            return sum(what[1:2] == [kind] for what in program.heard)

        async def hear_until(condition):
            async with asyncio.timeout(6 * PATIENCE_S):
                while not condition():
                    await program.hear()

        for name in names:
            await program.do("open", name, f"{network.url}/chat", {
                "auth": {"token": next(readers)}, "forceNew": True, **QUICK,
            })  # fmt: skip
        await hear_until(lambda: count("connect") == COUNT)
        for name in names:
            await program.do("ack", name, 30_000, "join_channel", {"channel_id": "lobby"})
        await hear_until(lambda: count("ack") == COUNT)

        async def write():
            while True:
                text = f"news {len(acknowledged)}"
                body = {"channel_id": "lobby", "content": text}
                status, answer = await serving[-1].doors.call(
                    writer, "POST", "/api/v1/messages", body
                )
                assert status == 201, answer
                acknowledged.append(text)
                await asyncio.sleep(0.1)

        writing = asyncio.create_task(write())
        for turn in (1, 2):
            # New connections are led to the one that stays, as a proxy does that asks for /ready.
            network.lead_to(serving[-1].doors.url)
            former = serving.pop(0)
            assert await former.stop() == 0
            assert not [line for line in former.lines if "ERROR" in line or "Traceback" in line]
            await hear_until(lambda turn=turn: count("connect") == (1 + turn) * COUNT)
            serving.append(await start_server(**options))
        writing.cancel()
        with suppress(asyncio.CancelledError):
            await writing
        for name in names:
            await hear_until(lambda name=name: acknowledged[-1] in messages(name))
            assert messages(name) == acknowledged
        assert len(acknowledged) > 20
        kinds = Counter(what[1] for what in program.heard if what[0] in names)
        assert kinds["connect_error"] == kinds["failed"] == 0
        assert {what[2] for what in program.heard if what[1:2] == ["disconnect"]} == {
            "transport close"
        }
        again = [what[2] for what in program.heard if what[1:2] == ["connect"]][COUNT:]
        assert all(each["recovered"] for each in again)
