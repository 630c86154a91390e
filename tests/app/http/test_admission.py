"""Clients that come at once: a few at a time, in their order, and no more than can wait."""

import asyncio
import resource
import socket
from contextlib import asynccontextmanager

import pytest
import uvloop
from aiohttp import ClientConnectorError, ClientSession, web

from app.http import admission, listening, pace
from app.http.admission import Admission
from app.http.listening import PacedSite, bound
from app.http.pace import Pace
from app.http.runner import build_runner
from app.settings import Limits
from tests.app.realtime.served import until
from tests.live import PATIENCE_S


@pytest.fixture
def stopped(monkeypatch):
    """A tick that never ends by itself."""
    monkeypatch.setattr(pace, "TICK_S", 3600.0)


async def test_so_much_in_a_tick(stopped):
    """Then it is full until the next one."""
    bounded = Pace(3)
    assert [bounded.take() for _ in range(5)] == [True, True, True, False, False]
    assert bounded.rest_s > 3000
    bounded._ends = 0.0
    assert bounded.rest_s == 0
    assert bounded.take()


async def test_turns_come_in_order():
    """Who came first is let in first; one that has left takes nobody's place."""
    door = Admission(Pace(1))
    assert await door.turn()
    order = []

    async def come(name):
        assert await door.turn()
        order.append(name)

    tasks = [asyncio.create_task(come(name)) for name in "abcde"]
    await asyncio.sleep(0)
    assert door.waiting == 5
    tasks[1].cancel()
    await asyncio.wait_for(asyncio.wait(tasks), PATIENCE_S)
    assert order == ["a", "c", "d", "e"]
    assert door.waiting == 0


async def test_more_than_can_wait_are_sent_away(stopped, monkeypatch):
    """With when to come again; requests that open nothing are not asked to wait."""
    monkeypatch.setattr(admission, "WAITING", 1)
    door = Admission(Pace(1))

    async def hello(request):
        return web.Response(text="hello")

    app = web.Application(middlewares=[door.middleware()])
    app.router.add_route("*", "/{path:.*}", hello)
    runner = build_runner(app, Limits(), shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    upgrade = {"Upgrade": "websocket", "Connection": "Upgrade"}
    opening = f"{url}/socket.io/?EIO=4&transport=polling"
    async with ClientSession() as http:
        async with http.get(opening) as first:
            assert first.status == 200
        waiting = asyncio.create_task(http.get(f"{url}/ws", headers=upgrade))
        await until(lambda: door.waiting)
        for path, headers in ((opening, {}), (f"{url}/ws", upgrade)):
            async with http.get(path, headers=headers) as refused:
                assert refused.status == 503
                assert refused.headers["Retry-After"] == "5"
                assert (await refused.json())["code"] == "busy"
        for path in (f"{url}/stories", f"{opening}&sid=x"):
            async with http.get(path) as passed:
                assert passed.status == 200
        waiting.cancel()
        await asyncio.wait([waiting])
    await runner.cleanup()


class Site:
    """A server on a port whose connections are paced."""

    def __init__(self, runner, site, port):
        self.runner, self.site, self.port = runner, site, port

    async def hello(self):
        async with (
            ClientSession() as http,
            http.get(f"http://127.0.0.1:{self.port}/") as answer,
        ):
            return await answer.text()


@asynccontextmanager
async def listening_site():
    async def hello(request):
        return web.Response(text=request.remote)

    app = web.Application()
    app.router.add_get("/", hello)
    runner = build_runner(app, Limits(), shutdown_timeout=0.1)
    await runner.setup()
    made = PacedSite(runner, "127.0.0.1", 0)
    await made.start()
    yield Site(runner, made, runner.addresses[0][1])
    await runner.cleanup()


@pytest.fixture
async def site():
    async with listening_site() as made:
        yield made


@pytest.mark.parametrize("new_loop", [asyncio.new_event_loop, uvloop.new_event_loop])
def test_all_that_come_are_served(monkeypatch, new_loop):
    """Many at once, one in a tick, on either loop."""
    monkeypatch.setattr(listening, "AT_ONCE", 1)

    async def come():
        async with listening_site() as made:
            answers = await asyncio.gather(*(made.hello() for _ in range(40)))
        assert answers == ["127.0.0.1"] * 40

    with asyncio.Runner(loop_factory=new_loop) as runner:
        runner.run(come())


async def test_the_kernel_keeps_those_beyond_a_tick(stopped, monkeypatch):
    """They are connected, and nothing of theirs is read yet."""
    # Each that comes alone is followed by a look for the next one.
    monkeypatch.setattr(listening, "AT_ONCE", 4)
    async with listening_site() as made:
        assert [await made.hello(), await made.hello()] == ["127.0.0.1"] * 2
        third = asyncio.create_task(made.hello())
        done, _ = await asyncio.wait([third], timeout=0.2)
        assert not done
        assert len(made.site._server._pausing) == 1
        # The tick is over.
        for sock in list(made.site._server._pausing):
            made.site._server._pausing[sock].cancel()
            made.site._server._pace._ends = 0.0
            made.site._server._go_on(sock)
        assert await asyncio.wait_for(third, PATIENCE_S) == "127.0.0.1"


async def test_a_site_that_stops_takes_no_more(site):
    """Its port is free then, and what was open goes on."""
    async with ClientSession() as http:
        url = f"http://127.0.0.1:{site.port}/"
        async with http.get(url) as answer:
            assert answer.status == 200
        await site.site.stop()
        async with http.get(url) as answer:
            assert answer.status == 200
    with pytest.raises(ClientConnectorError):
        await site.hello()
    for each in bound("127.0.0.1", site.port):
        each.listen()
        each.close()


async def test_a_port_that_is_taken(site):
    """The error says which, and why; nothing stays open."""
    with pytest.raises(OSError, match=f"port {site.port}: Address already in use"):
        bound("127.0.0.1", site.port)
    with pytest.raises(OSError, match="Address already in use"):
        await PacedSite(site.runner, "127.0.0.1", site.port).start()


async def test_without_free_descriptors(site, monkeypatch, caplog):
    """It says so, and goes on when there are some."""
    monkeypatch.setattr(listening, "FULL_S", 0.05)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    spare = socket.socket()
    lowest = spare.fileno()
    spare.setblocking(False)
    resource.setrlimit(resource.RLIMIT_NOFILE, (lowest + 1, hard))
    try:
        await asyncio.get_running_loop().sock_connect(spare, ("127.0.0.1", site.port))
        await until(lambda: "no more open files" in caplog.text)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    reader, writer = await asyncio.open_connection(sock=spare)
    writer.write(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
    head = await asyncio.wait_for(reader.readline(), PATIENCE_S)
    assert head == b"HTTP/1.1 200 OK\r\n"
    writer.close()
    await writer.wait_closed()
