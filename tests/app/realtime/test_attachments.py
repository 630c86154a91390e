"""Binary packets: refused where nobody wants bytes, bounded where somebody does."""

from typing import Any

import pytest
from aiohttp import ClientSession

from app.memory import Budget
from app.realtime.engineio.engine import EngineServer
from app.realtime.engineio.session import Session
from app.realtime.socketio import attachments
from app.realtime.socketio.attachments import PACKET_BYTES
from models.limits import MAX_REFUSALS
from tests.app.realtime.conftest import Serve
from tests.app.realtime.served import Served, until
from tests.app.realtime.wire import BINARY, Poller, Wire, frame, junk, socketio

REFUSED = '[{"error":{"code":"invalid","message":"Send JSON: binary data is not accepted here."}}]'


def announce(count: int, where: str = "/lobby,7", name: str = "say") -> str:
    """Write a binary event of `count` attachments."""
    parts = ",".join(f'{{"_placeholder":true,"num":{number}}}' for number in range(count))
    return f'45{count}-{where}["{name}",{parts}]'


@pytest.fixture
async def lobby(served: Served) -> Wire:
    """A client in a namespace that takes no binary data, on a server where another does."""
    return await socketio(served, "/lobby", token="1")


def session_of(served: Served) -> Session:
    (session,) = served.socketio.eio.sockets.values()
    return session


async def test_a_refused_event_keeps_nothing(served: Served, lobby: Wire) -> None:
    """15 MB of attachments are passed over, the ack says why, and the client goes on."""
    megabyte = frame(BINARY, junk(900_000))
    lobby.send(announce(16))
    assert await lobby.receive() == "43/lobby,7" + REFUSED
    for _ in range(16):
        lobby.writer.write(megabyte)
        await lobby.writer.drain()
        assert served.budget.held_bytes < 2_000_000
    lobby.send('42/lobby,8["say",{"text":"x"}]')
    assert await lobby.receive() == '43/lobby,8[{"data":{"text":"x"}}]'
    await until(lambda: served.budget.held_bytes == 0)
    assert served.socketio._unfinished == {}


async def test_where_nobody_wants_bytes_none_reach_the_inbox(
    served: Served, lobby: Wire, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A binary message waits for its turn without its bytes; the order stays."""
    engine: EngineServer = served.socketio.eio
    monkeypatch.setattr(engine, "keeps_binary", False)
    heard: list[Any] = []
    message = engine.message

    async def listen(session: Session, data: Any) -> None:
        heard.append(data)
        await message(session, data)

    monkeypatch.setattr(engine, "message", listen)
    lobby.send(announce(2, "/lobby,"))
    lobby.send(b"x" * 100_000)
    lobby.send(b"y")
    lobby.send('42/lobby,8["say",{"text":"x"}]')
    assert await lobby.receive() == '43/lobby,8[{"data":{"text":"x"}}]'
    assert heard[1:3] == [b"", b""]


async def test_it_is_so_over_polling(served: Served, http: ClientSession) -> None:
    """Attachments in base64 are passed over as well."""
    poller = await Poller.open(http, served, "socket.io")
    await poller.send('40/lobby,{"token":"1"}')
    await poller.packets()
    await poller.send(
        announce(2), "b" + "AAAA" * 100_000, "bAAAA", '42/lobby,8["say",{"text":"x"}]'
    )
    got = await poller.packets()
    while len(got) < 2:
        got += await poller.packets()
    assert got == ["43/lobby,7" + REFUSED, '43/lobby,8[{"data":{"text":"x"}}]']


@pytest.mark.parametrize("packet", [announce(1), '461-/lobby,7[{"_placeholder":true,"num":0}]'])
async def test_many_refused_packets_end_the_connection(
    served: Served, lobby: Wire, packet: str
) -> None:
    """Events and acks nobody asked for count as abuse: closed with 1008."""
    for _ in range(MAX_REFUSALS):
        lobby.send(packet)
        lobby.send(b"x")
    assert await lobby.closed() == 1008
    await served.emptied()


async def test_an_ack_of_bytes_comes_where_it_was_asked_for(served: Served) -> None:
    """In a namespace that accepts binary data, and only once."""
    wire = await socketio(served)
    answers: list[Any] = []
    sid = served.echo.sids[0]
    await served.socketio.emit("question", to=sid, callback=lambda *got: answers.append(got))
    assert await wire.receive() == '421["question"]'
    for payload in (b"answer", b"again"):
        wire.send('461-1[{"_placeholder":true,"num":0}]')
        wire.send(payload)
    wire.send('42["message"]')
    assert await wire.receive() == '42["message-back"]'
    assert answers == [(b"answer",)]


async def test_attachments_together_are_no_larger_than_one_message(served: Served) -> None:
    """In pieces a packet may not be what it may not be whole; nothing is left of it."""
    wire = await socketio(served)
    wire.send(announce(16, "", "message"))
    half = frame(BINARY, junk(PACKET_BYTES // 2))
    wire.writer.write(half + half)
    await until(lambda: served.budget.held_bytes >= PACKET_BYTES)
    wire.send(b"x")
    assert await wire.closed() == 1002
    await served.emptied()


async def test_attachments_that_do_not_come_end_the_connection(
    serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After the deadline the client is closed, pings or not, and what came is dropped."""
    monkeypatch.setattr(attachments, "ATTACHMENTS_S", 0.05)
    served = await serve(connect_timeout_s=0.4)
    wire = await socketio(served)
    wire.send(announce(2, "", "message"))
    wire.send(junk(500_000))
    assert await wire.closed() == 1002
    assert await served.left(served.echo) == "transport error"
    await served.emptied()


async def test_leaving_a_namespace_does_not_forget_what_is_due(served: Served, lobby: Wire) -> None:
    """The server disconnects one namespace while attachments for another are on the way."""
    sid = await lobby.join("/custom")
    await lobby.join()
    lobby.send(announce(1, "", "message"))
    await until(lambda: served.socketio._unfinished)
    await served.socketio.disconnect(sid, namespace="/custom")
    assert await lobby.receive() == "41/custom,"
    lobby.send(b"x")
    assert await lobby.receive() == '451-["message-back",{"_placeholder":true,"num":0}]'
    assert await lobby.receive() == b"x"


async def test_the_largest_unfinished_packet_goes_when_memory_is_short(serve: Serve) -> None:
    """Its client is closed with 1013; the smaller ones come to their end."""
    served = await serve(budget=Budget(1_500_000))
    small, large, last = [await socketio(served) for _ in range(3)]
    for wire, size, total in ((small, 400_000, 400_000), (large, 900_000, 1_300_000)):
        wire.send(announce(2, "", "message"))
        wire.send(junk(size))
        await until(lambda total=total: served.budget.held_bytes >= total)  # type: ignore[misc]
    last.send(announce(2, "", "message"))
    last.send(junk(300_000))
    assert await large.closed() == 1013
    for wire in (small, last):
        wire.send(b"x")
        assert await wire.receive() == announce(2, "", "message-back")
    await until(lambda: served.socketio._unfinished == {})
