"""The WebSocket of a session, judged by RFC 6455 on bare sockets."""

import asyncio
from socket import SO_SNDBUF, SOL_SOCKET

import pytest

from app.memory import Budget
from app.realtime.engineio.packets import MESSAGE, Packet
from app.realtime.websocket import connection as websocket
from app.realtime.websocket.connection import WebSocket
from app.realtime.websocket.frames import text_frame
from tests.app.realtime.conftest import Serve
from tests.app.realtime.served import PATIENCE_S, Served, until
from tests.app.realtime.wire import (
    BINARY,
    CLOSE,
    CONT,
    GONE,
    PING,
    PONG,
    TEXT,
    Wire,
    engine,
    frame,
    junk,
)  # fmt: skip


async def test_a_text_and_a_binary_message_come_back(served: Served) -> None:
    """A message goes out in the kind of frame in which it came in."""
    wire = await engine(served)
    wire.send("4smörgås")
    assert await wire.receive() == "4smörgås"
    wire.send(b"\x00\xff")
    assert await wire.receive() == b"\x00\xff"


@pytest.mark.parametrize("size", [0, 125, 126, 65_535, 65_536, 900_000])
async def test_every_length_of_frame(served: Served, size: int) -> None:
    """Each of the three encodings of a length is read and written."""
    wire = await engine(served)
    wire.send("4" + "x" * size)
    assert await wire.receive() == "4" + "x" * size


async def test_a_fragmented_message_with_control_frames_in_between(served: Served) -> None:
    """Fragments become one message, and pings among them are answered with their payload."""
    wire = await engine(served)
    wire.writer.write(
        frame(TEXT, b"4h\xc3", fin=False)
        + frame(PING, b"now")
        + frame(CONT, b"", fin=False)
        + frame(CONT, b"\xa9llo")
    )
    assert {await wire.frame(), await wire.frame()} == {
        (PONG, b"now"),
        (TEXT, "4héllo".encode()),
    }


async def test_a_message_byte_by_byte(served: Served) -> None:
    """Frames may arrive in any pieces."""
    wire = await engine(served)
    for byte in frame(TEXT, b"4slow"):
        wire.writer.write(bytes([byte]))
        await wire.writer.drain()
    assert await wire.receive() == "4slow"


class Heard:
    """A listener that keeps what it hears."""

    def __init__(self) -> None:
        self.messages: list[str | bytes] = []

    def opened(self, socket: WebSocket) -> None:
        """Ignore."""

    def received(self, message: str | bytes) -> None:
        """Keep it."""
        self.messages.append(message)

    def pong(self) -> None:
        """Ignore."""

    def lost(self, code: int, reason: str) -> None:
        """Ignore."""


def bare_socket(listener: Heard) -> WebSocket:
    return WebSocket(listener, message_bytes=65_536, unsent_bytes=65_536, budget=Budget(1_000_000))


async def test_frames_cut_in_two_anywhere() -> None:
    """Text of each short encoding, fragments and bytes are the same, wherever a read ends."""
    sent = (
        frame(TEXT, b"one")
        + frame(TEXT, b"x" * 126)
        + frame(TEXT, b"tw", fin=False)
        + frame(CONT, b"o")
        + frame(BINARY, b"three")
        + frame(TEXT, b"")
    )
    for cut in range(len(sent) + 1):
        heard = Heard()
        socket = bare_socket(heard)
        socket.take(sent[:cut])
        socket.take(sent[cut:])
        socket.take(frame(TEXT, b"last"))
        assert heard.messages == ["one", "x" * 126, "two", b"three", "", "last"], cut


async def test_a_payload_that_looks_like_a_frame() -> None:
    """The rest of a frame is not taken for a message, whatever it looks like."""
    inner = frame(TEXT, b"inner")
    heard = Heard()
    socket = bare_socket(heard)
    # The inner frame's first four bytes are the outer frame's mask.
    socket.take(bytes((0x82, 0x80 | len(inner) - 4)))
    socket.take(inner)
    mask, payload = inner[:4], inner[4:]
    assert heard.messages == [bytes(b ^ mask[i % 4] for i, b in enumerate(payload))]


def unmasked() -> bytes:
    return text_frame(b"4hello")


OVERSIZED_HEAD = b"\x81\xff" + (1_000_001).to_bytes(8, "big") + b"mask"
HUGE_HEAD = b"\x82\xff" + (2**63 - 1).to_bytes(8, "big") + b"mask"


@pytest.mark.parametrize(
    ("sent", "code"),
    [
        pytest.param(unmasked(), 1002, id="unmasked"),
        pytest.param(frame(TEXT, b"4x", first=0x40), 1002, id="reserved bit 1"),
        pytest.param(frame(TEXT, b"4x", first=0x20), 1002, id="reserved bit 2"),
        pytest.param(frame(TEXT, b"4x", first=0x10), 1002, id="reserved bit 3"),
        pytest.param(b"\x83\x80mask", 1002, id="reserved opcode 3"),
        pytest.param(b"\x8b\x80mask", 1002, id="reserved opcode 11"),
        pytest.param(b"\x89\xfe\x00\x7e" + b"mask" + bytes(126), 1002, id="long ping"),
        pytest.param(b"\x09\x80mask", 1002, id="fragmented ping"),
        pytest.param(frame(CONT, b"x"), 1002, id="nothing to continue"),
        pytest.param(frame(TEXT, b"4x", fin=False) + frame(TEXT, b"4y"), 1002, id="not continued"),
        pytest.param(frame(CLOSE, b"\x03"), 1002, id="close of one byte"),
        pytest.param(frame(CLOSE, b"\x03\xed"), 1002, id="close with 1005"),
        pytest.param(frame(CLOSE, b"\x03\xe8\xff"), 1007, id="close reason not UTF-8"),
        pytest.param(frame(TEXT, b"4\xff"), 1007, id="not UTF-8"),
        pytest.param(frame(TEXT, b"4\xed\xa0\x80"), 1007, id="surrogate"),
        pytest.param(frame(TEXT, b"4\xc3"), 1007, id="character cut off"),
        pytest.param(
            frame(TEXT, b"4\xc3", fin=False) + frame(CONT, b"("), 1007, id="fragments not UTF-8"
        ),
        pytest.param(OVERSIZED_HEAD, 1009, id="oversized"),
        pytest.param(HUGE_HEAD, 1009, id="longest length there is"),
        pytest.param(
            frame(BINARY, junk(600_000), fin=False) + frame(CONT, junk(600_000)),
            1009,
            id="oversized in fragments",
        ),
        pytest.param(frame(PING) * 20_000, 1008, id="flood of pings"),
        pytest.param(frame(PONG) * 20_000, 1008, id="flood of pongs"),
        pytest.param(
            frame(TEXT, b"4", fin=False) + frame(CONT, b"", fin=False) * 20_000,
            1008,
            id="flood of empty fragments",
        ),
    ],
)
async def test_a_broken_client_is_closed_with_the_right_code(
    served: Served, sent: bytes, code: int
) -> None:
    """The close code is that of the RFC, and another client notices nothing."""
    bad, good = await engine(served), await engine(served)
    bad.writer.write(sent)
    assert await bad.closed() == code
    assert await served.reason() == "transport close"
    good.send("4still here")
    assert await good.receive() == "4still here"
    assert len(served.engine.sockets) == 1


async def test_the_close_frame_is_answered(served: Served) -> None:
    """The server echoes the code and ends the TCP connection."""
    wire = await engine(served)
    wire.writer.write(frame(CLOSE, b"\x03\xe8bye"))
    assert await wire.frame() == (CLOSE, b"\x03\xe8bye")
    assert await wire.reader.read() == b""
    assert await served.reason() == "transport close"


@pytest.mark.parametrize(
    ("payload", "answer"),
    [(b"\x03\xe8bye", b"\x03\xe8bye"), (b"\x03\xe9", b"\x03\xe9"), (b"", b"\x03\xe8")],
)
async def test_a_close_frame_between_fragments_is_answered(
    served: Served, payload: bytes, answer: bytes
) -> None:
    """A client may give up a message, as any control frame may stand there (RFC 6455, 5.4)."""
    wire = await engine(served)
    wire.writer.write(frame(TEXT, b"4half", fin=False) + frame(CLOSE, payload))
    assert await wire.frame() == (CLOSE, answer)
    assert await wire.reader.read() == b""
    assert await served.reason() == "transport close"
    assert served.heard == []


async def test_the_last_message_before_a_close_counts(served: Served) -> None:
    """A message in the same segment as the close frame is handled."""
    wire = await engine(served)
    wire.writer.write(frame(TEXT, b"4last") + frame(CLOSE, b"\x03\xe8"))
    assert await wire.closed() == 1000
    assert await served.reason() == "transport close"
    assert served.heard == ["last"]


async def test_nothing_counts_after_the_servers_close(served: Served) -> None:
    """What a client sends behind the packet for which it is closed is not handled."""
    wire = await engine(served)
    wire.writer.write(frame(TEXT, b"9bad") + frame(TEXT, b"4late"))
    assert await wire.closed() == 1002
    assert await served.reason() == "transport error"
    assert served.heard == []


async def test_a_half_closed_connection_ends(served: Served) -> None:
    """A client that says it sends no more has left."""
    wire = await engine(served)
    wire.half_close()
    assert await served.reason() == "transport close"
    assert await wire.closed() == GONE


async def test_a_half_closed_client_that_never_reads_is_cut(
    serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Unsent bytes do not keep a connection whose client is not coming back."""
    monkeypatch.setattr(websocket, "CLOSE_TIMEOUT_S", 0.05)
    served = await serve(unsent_bytes=50_000_000)
    wire = await engine(served)
    (session,) = served.engine.sockets.values()
    wire.writer.transport.pause_reading()
    session.send(Packet(MESSAGE, "x" * 30_000_000))
    wire.half_close()
    assert await served.reason() == "transport close"


async def test_a_client_that_does_not_answer_the_close_is_cut(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The server waits for the answer to its close frame only so long."""
    monkeypatch.setattr(websocket, "CLOSE_TIMEOUT_S", 0.05)
    wire = await engine(served)
    await served.engine.disconnect()
    assert await wire.frame() == (CLOSE, b"\x03\xe8")
    assert await wire.reader.read() == b""


async def test_a_vanished_client_has_left(served: Served) -> None:
    """A reset connection ends the session."""
    wire = await engine(served)
    wire.cut()
    assert await served.reason() == "transport close"
    assert served.remains() == {}


async def test_a_client_that_stops_reading_is_closed_and_the_others_get_everything(
    serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Past the limit of unsent bytes a client is closed; the others lose nothing of the room."""
    monkeypatch.setattr(websocket, "CLOSE_TIMEOUT_S", 0.05)
    served = await serve(unsent_bytes=100_000)
    slow, good = await engine(served), await engine(served)
    slow.writer.transport.pause_reading()
    sent = 0
    while len(served.engine.sockets) == 2:
        packet = Packet(MESSAGE, f"{sent}:" + "x" * 10_000)
        for session in list(served.engine.sockets.values()):
            session.send(packet)
        message = await good.receive()
        assert isinstance(message, str)
        assert message.startswith(f"4{sent}:")
        sent += 1
        assert sent < 10_000, "never closed"
    assert await served.reason() == "transport close"
    assert sent > 10


async def test_an_answer_beyond_the_limit_reaches_who_reads_it(serve: Serve) -> None:
    """The limit is for what a client leaves unread, not for the size of what it asked for."""
    served = await serve(unsent_bytes=1_000)
    wire = await engine(served)
    (session,) = served.engine.sockets.values()
    # More than the kernel takes at once, whatever its buffers.
    large = "x" * 20_000_000
    session.send(Packet(MESSAGE, large))
    await asyncio.sleep(0)
    session.send(Packet(MESSAGE, "meanwhile"))
    assert await wire.receive() == MESSAGE + large
    assert await wire.receive() == MESSAGE + "meanwhile"
    session.send(Packet(MESSAGE, "next"))
    assert await wire.receive() == MESSAGE + "next"


async def test_a_ping_flood_of_a_client_that_reads_nothing_is_bounded(
    serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Pongs that the client does not read are not kept past the limit."""
    monkeypatch.setattr(websocket, "CLOSE_TIMEOUT_S", 0.05)
    served = await serve(unsent_bytes=50_000)
    wire = await engine(served)
    (session,) = served.engine.sockets.values()
    assert session.socket is not None
    transport = session.socket._transport
    assert transport is not None
    # The kernel grows a send buffer to megabytes, and would keep 30,000 pongs before the server.
    transport.get_extra_info("socket").setsockopt(SOL_SOCKET, SO_SNDBUF, 4096)
    wire.writer.transport.pause_reading()
    pings = frame(PING, bytes(125)) * 100
    ended = asyncio.create_task(served.reason())
    for _ in range(300):
        wire.writer.write(pings)
        try:
            async with asyncio.timeout(PATIENCE_S):
                await wire.writer.drain()
        except ConnectionError:
            break
        await asyncio.sleep(0)  # The server's turn.
        assert transport.get_write_buffer_size() <= 3 * 50_000
        if ended.done():
            break
    assert await ended in ("transport close", "transport error")


async def test_a_flood_is_read_in_turns(served: Served) -> None:
    """A client with 100,000 small frames on the way does not keep another from its answer."""
    flood, good = await engine(served), await engine(served)
    flood.writer.write(frame(TEXT, b"3") * 100_000 + frame(TEXT, b"4done"))
    good.send("4hello")
    assert await good.receive() == "4hello"
    assert served.heard == ["hello"]
    assert await flood.receive() == "4done"


async def test_messages_of_a_slow_handler_wait_in_the_network(served: Served) -> None:
    """While too many messages wait the client is not read; then everything is handled in order."""
    served.gate = asyncio.Event()
    wire = await engine(served)
    (session,) = served.engine.sockets.values()
    numbers = [f"{number}" for number in range(200)]
    wire.writer.write(b"".join(frame(TEXT, b"4" + number.encode()) for number in numbers))
    socket = session.socket
    assert socket is not None
    await until(lambda: socket._transport is not None and not socket._transport.is_reading())
    served.gate.set()
    assert [await wire.receive() for _ in numbers] == [f"4{number}" for number in numbers]
    assert served.heard == numbers


async def test_a_waiting_client_hears_the_close(served: Served) -> None:
    """A client that is not read at the moment is closed with a proper handshake all the same."""
    served.gate = asyncio.Event()
    wire = await engine(served)
    (session,) = served.engine.sockets.values()
    wire.writer.write(frame(TEXT, b"4x") * 100)
    await until(lambda: session._inbox is not None and session._inbox.is_full)
    await served.engine.disconnect()
    began = asyncio.get_running_loop().time()
    assert await wire.closed() == 1000
    assert asyncio.get_running_loop().time() - began < websocket.CLOSE_TIMEOUT_S / 2
    served.gate.set()
    assert await served.reason() == "server disconnect"


async def test_frames_behind_the_request_are_not_lost(served: Served) -> None:
    """Bytes that came in one piece with the handshake are the first frames."""
    wire = await Wire.open(served, behind=frame(TEXT, b"4early") + frame(TEXT, b"4birds"))
    await wire.open_packet()
    assert [await wire.receive(), await wire.receive()] == ["4early", "4birds"]


# Messages that do not come whole.


@pytest.mark.parametrize(
    "half",
    [
        pytest.param(frame(TEXT, b"4" + junk(400_000).hex().encode(), fin=False), id="fragment"),
        pytest.param(frame(TEXT, b"4" + b"x" * 60_000)[:-1], id="frame"),
        pytest.param(frame(TEXT, b"4x")[:1], id="byte"),
    ],
)
async def test_a_message_that_never_comes_whole_ends_the_connection(
    served: Served, monkeypatch: pytest.MonkeyPatch, half: bytes
) -> None:
    """It is closed with 1008 when the time is over, and what has come is dropped."""
    monkeypatch.setattr(websocket, "MESSAGE_S", 0.05)
    monkeypatch.setattr(websocket, "CLOSE_TIMEOUT_S", 0.05)
    wire = await engine(served)
    wire.writer.write(half)
    assert await wire.closed() == 1008
    await served.emptied()


async def test_pings_between_fragments_give_no_more_time(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A client that keeps its connection busy with a message of a byte now and then is closed."""
    monkeypatch.setattr(websocket, "MESSAGE_S", 0.1)
    wire = await engine(served)
    wire.writer.write(frame(TEXT, b"4", fin=False))
    closed = False
    while not closed:
        wire.writer.write(frame(CONT, b"x", fin=False) + frame(PING, b"p"))
        opcode, payload = await wire.frame()
        closed = opcode is CLOSE
    assert payload[:2] == (1008).to_bytes(2, "big")
    await wire.leave()
    await served.emptied()


async def test_each_message_has_its_own_time(served: Served) -> None:
    """One that ends and another that begins in the same read: the time begins anew."""
    wire = await engine(served)
    (session,) = served.engine.sockets.values()
    socket = session.socket
    assert socket is not None
    whole = frame(TEXT, b"4" + b"x" * 3000)
    wire.writer.write(whole[:1000])
    await until(lambda: socket._rest_timer is not None)
    first = socket._rest_timer
    wire.writer.write(whole[1000:] + whole[:1000])
    assert await wire.receive() == "4" + "x" * 3000
    assert first is not None
    assert first.cancelled()
    assert socket._rest_timer is not None
    wire.writer.write(whole[1000:])
    assert await wire.receive() == "4" + "x" * 3000
    assert socket._rest_timer is None
    assert served.budget.held_bytes == 0


async def test_a_client_that_is_not_read_is_not_late(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While its messages wait here, the time for the rest of the next one does not run."""
    served.gate = asyncio.Event()
    wire = await engine(served)
    (session,) = served.engine.sockets.values()
    socket = session.socket
    assert socket is not None
    message = frame(TEXT, b"4x")
    wire.writer.write(message * 40 + message[:3])
    await until(lambda: socket._transport is not None and not socket._transport.is_reading())
    assert socket._rest_timer is None
    served.gate.set()
    await until(lambda: socket._rest_timer is not None)
    wire.writer.write(message[3:])
    assert [await wire.receive() for _ in range(41)] == ["4x"] * 41
    assert socket._rest_timer is None


async def test_large_messages_of_a_slow_handler_wait_in_the_network(serve: Serve) -> None:
    """Not only their number is bounded: a few of 200 kB are enough to stop reading."""
    served = await serve(unsent_bytes=10_000_000)
    served.gate = asyncio.Event()
    wire = await engine(served)
    large = "x" * 200_000
    wire.writer.write(frame(TEXT, b"4" + large.encode()) * 30)
    (session,) = served.engine.sockets.values()
    socket = session.socket
    assert socket is not None
    await until(lambda: socket._transport is not None and not socket._transport.is_reading())
    # One that is being handled, one or two that wait, the part of a read.
    assert 400_000 < served.budget.held_bytes < 700_000
    served.gate.set()
    assert [await wire.receive() for _ in range(30)] == ["4" + large] * 30
    await until(lambda: served.budget.held_bytes == 0)
