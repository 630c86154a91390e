"""The opening handshake (RFC 6455, section 4.2), and what is relied on of aiohttp."""

import asyncio

import pytest

from tests.app.realtime.served import PATIENCE_S, Served
from tests.app.realtime.wire import Wire, frame

GOOD = {
    "Host": "x",
    "Connection": "keep-alive, Upgrade",
    "Upgrade": "WebSocket",
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
}


async def status(served: Served, headers: dict[str, str | None]) -> tuple[int, str]:
    """Return the status and head of the answer to a handshake."""
    reader, writer = await asyncio.open_connection("127.0.0.1", served.port)
    fields = "".join(f"{name}: {value}\r\n" for name, value in headers.items() if value is not None)
    target = served.engine_url("websocket").removeprefix(served.url)
    writer.write(f"GET {target} HTTP/1.1\r\n{fields}\r\n".encode("utf-8", "surrogateescape"))
    head = (await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), PATIENCE_S)).decode()
    writer.close()
    await writer.wait_closed()
    return int(head.split()[1]), head


async def test_names_are_compared_without_regard_to_case(served: Served) -> None:
    """`Upgrade: WebSocket` among other connection options is a handshake."""
    assert (await status(served, GOOD))[0] == 101


@pytest.mark.parametrize(
    ("offered", "selected"),
    [
        ("chat", "chat"),
        ("v2.chat, v1.chat", "v2.chat"),
        ("b\r\nSec-WebSocket-Protocol: a", "b"),
        (None, None),
    ],
)
async def test_the_first_subprotocol_is_selected(
    served: Served, offered: str | None, selected: str | None
) -> None:
    """As in the reference; a browser ends a connection of which none is selected."""
    code, head = await status(served, {**GOOD, "Sec-WebSocket-Protocol": offered})
    assert code == 101
    lines = [line for line in head.split("\r\n") if line.startswith("Sec-WebSocket-Protocol")]
    assert lines == ([f"Sec-WebSocket-Protocol: {selected}"] if selected else [])


@pytest.mark.parametrize(
    ("field", "value", "expected"),
    [
        ("Sec-WebSocket-Protocol", "", 400),
        ("Sec-WebSocket-Protocol", "a,", 400),
        ("Sec-WebSocket-Protocol", "a, a", 400),
        ("Sec-WebSocket-Protocol", "a b", 400),
        ("Sec-WebSocket-Protocol", "a\xe9", 400),
        ("Sec-WebSocket-Key", None, 400),
        ("Sec-WebSocket-Key", "", 400),
        ("Sec-WebSocket-Key", "short", 400),
        ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ", 400),
        ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZSBpcyBsb25n", 400),
        ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25j€ZQ==", 400),
        ("Connection", None, 400),
        ("Connection", "close", 400),
        ("Upgrade", None, 400),
        ("Upgrade", "h2c", 400),
        ("Sec-WebSocket-Version", None, 426),
        ("Sec-WebSocket-Version", "8", 426),
    ],
)
async def test_a_bad_handshake_is_refused(
    served: Served, field: str, value: str | None, expected: int
) -> None:
    """The status is the RFC's, a wrong version is told the right one, and no session is left."""
    code, head = await status(served, {**GOOD, field: value})
    assert code == expected
    if expected == 426:
        assert "Sec-WebSocket-Version: 13\r\n" in head
    assert served.remains() == {}


async def test_aiohttp_lets_go_of_the_connection(served: Served) -> None:
    """After the handshake the transport's protocol is the WebSocket and aiohttp counts none."""
    wire = await Wire.open(served)
    await wire.open_packet()
    (session,) = served.engine.sockets.values()
    socket = session.socket
    assert socket is not None
    assert socket._transport is not None
    assert socket._transport.get_protocol() is socket


async def test_a_megabyte_behind_the_request_is_not_lost(served: Served) -> None:
    """Even a client that does not wait for the answer is served, in order."""
    behind = b"".join(frame(1, b"4" + f"{number}".zfill(9_000).encode()) for number in range(100))
    wire = await Wire.open(served, behind=behind)
    await wire.open_packet()
    for number in range(100):
        assert await wire.receive() == "4" + f"{number}".zfill(9_000)


async def test_a_client_that_is_gone_before_the_answer_leaves_nothing(served: Served) -> None:
    """A handshake whose connection is lost meanwhile ends its session."""
    gate = asyncio.Event()
    reached = asyncio.Event()

    async def connect(sid: str, environ: object) -> None:
        reached.set()
        await gate.wait()

    served.engine.on("connect", connect)
    _, writer = await asyncio.open_connection("127.0.0.1", served.port)
    target = served.engine_url("websocket").removeprefix(served.url)
    fields = "".join(f"{name}: {value}\r\n" for name, value in GOOD.items())
    writer.write(f"GET {target} HTTP/1.1\r\n{fields}\r\n".encode())
    await asyncio.wait_for(reached.wait(), PATIENCE_S)
    assert len(served.engine.sockets) == 1
    writer.close()
    await writer.wait_closed()
    # A whole exchange with another client: the server has seen the end of the first by now.
    assert (await status(served, {**GOOD, "Sec-WebSocket-Key": ""}))[0] == 400
    gate.set()
    assert await served.reason() == "transport close"
    assert served.remains() == {}
