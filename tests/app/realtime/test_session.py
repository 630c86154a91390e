"""Heartbeat and end of sessions (Engine.IO protocol document, "Heartbeat")."""

import asyncio

import pytest
from aiohttp import ClientSession

from app.realtime.websocket.upgrade import Upgrade
from tests.app.realtime.conftest import Serve
from tests.app.realtime.served import Served
from tests.app.realtime.wire import Poller, Wire, engine

QUICK = {"ping_interval_s": 0.1, "ping_timeout_s": 0.1}


async def test_a_websocket_that_answers_pings_lives(serve: Serve) -> None:
    """The server pings again and again; each pong is one more interval."""
    served = await serve(**QUICK)
    wire = await engine(served)
    for _ in range(5):
        assert await wire.receive() == "2"
        wire.send("3")
    wire.send("4alive")
    assert await wire.receive() == "4alive"


async def test_a_poller_that_answers_pings_lives(serve: Serve, http: ClientSession) -> None:
    """Pings come with polls, pongs with POSTs."""
    served = await serve(**QUICK)
    poller = await Poller.open(http, served)
    for _ in range(5):
        assert await poller.packets() == ["2"]
        await poller.send("3")
    await poller.send("4alive")
    assert await poller.packets() == ["4alive"]


async def test_a_websocket_that_answers_no_ping_is_closed(serve: Serve) -> None:
    """After interval and timeout, not before, and messages are no pongs."""
    served = await serve(**QUICK)
    wire = await engine(served)
    began = asyncio.get_running_loop().time()
    assert await wire.receive() == "2"
    wire.send("4talking")
    assert await wire.closed() == 1000
    assert asyncio.get_running_loop().time() - began > 0.15
    assert await served.reason() == "ping timeout"
    assert served.remains() == {}


async def test_a_pong_that_nobody_asked_for_prolongs_nothing(serve: Serve) -> None:
    """Only the answer to a ping counts."""
    served = await serve(**QUICK)
    wire = await engine(served)
    wire.send("3")
    wire.send("3")
    assert await wire.receive() == "2"
    assert await wire.closed() == 1000
    assert await served.reason() == "ping timeout"


async def test_a_poller_that_answers_no_ping_is_closed(serve: Serve, http: ClientSession) -> None:
    """Its polls are refused afterwards, whether or not it came to fetch the ping."""
    served = await serve(**QUICK)
    poller, silent = await Poller.open(http, served), await Poller.open(http, served)
    assert await poller.packets() == ["2"]
    assert {await served.reason(), await served.reason()} == {"ping timeout"}
    assert (await poller.poll())[0] == 400
    assert (await silent.poll())[0] == 400
    assert served.remains() == {}


@pytest.mark.parametrize("packet", ["", "0", "2", "5", "6", "7", "abc", "\x1e"])
async def test_a_bad_packet_closes_the_websocket(served: Served, packet: str) -> None:
    """A packet of an unknown kind, or one that only a server sends, is malformed."""
    wire = await engine(served)
    wire.send(packet)
    assert await wire.closed() == 1002
    assert await served.reason() == "transport error"


async def test_a_close_packet_ends_a_websocket(served: Served) -> None:
    """A client may leave by Engine.IO's own packet."""
    wire = await engine(served)
    wire.send("4last")
    wire.send("1")
    assert await wire.closed() == 1000
    assert await served.reason() == "client disconnect"
    assert served.heard == ["last"]


async def test_a_session_that_ends_during_its_handshake_has_no_socket(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A server that shuts down at that moment closes the WebSocket as well."""
    to = Upgrade.to

    def late(upgrade: Upgrade, socket: object) -> Upgrade:
        for session in list(served.engine.sockets.values()):
            session.close("server disconnect")
        return to(upgrade, socket)  # type: ignore[arg-type]

    monkeypatch.setattr(Upgrade, "to", late)
    wire = await Wire.open(served)
    assert await wire.closed() == 1000
    assert await served.reason() == "server disconnect"
    assert served.remains() == {}
