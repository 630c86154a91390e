"""Compare the libraries that could parse our WebSocket frames: `python -m bench.parsers`.

Each gets the same masked text frames of 150 bytes, sixteen to a read, and gives whole messages.

picows' parser works only inside a protocol of its own, so it is compared through a socket, beside
our `WebSocket`, where it is installed (`pip install picows`).
"""

import asyncio
import gc
import importlib.util
import resource
import statistics
import sys
import tracemalloc
from collections.abc import Awaitable, Callable
from typing import Any

import uvloop
from aiohttp._websocket.reader import WebSocketDataQueue, WebSocketReader
from aiohttp.base_protocol import BaseProtocol
from websockets.frames import Frame, Opcode
from websockets.protocol import Protocol, Side, State
from wsproto.connection import Connection, ConnectionType

from app.memory import Budget
from app.realtime.websocket.connection import WebSocket

FRAME_BYTES = 150
FRAMES_IN_A_READ = 16
READS = 2000
RUNS = 5
INSTANCES = 2000

Feed = Callable[[bytes], int]
"""Takes what was read and gives how many messages it held."""


def with_websockets() -> Feed:
    """Use the sans-I/O core of websockets; it checks masks, lengths and the order of fragments."""
    parser: Any = Protocol(Side.SERVER, state=State.OPEN, max_size=65_536)

    def feed(data: bytes) -> int:
        parser.receive_data(data)
        return len([bytes(frame.data).decode() for frame in parser.events_received()])

    return feed


def with_wsproto() -> Feed:
    """Use wsproto."""
    parser: Any = Connection(ConnectionType.SERVER)

    def feed(data: bytes) -> int:
        parser.receive_data(data)
        return len([event.data for event in parser.events()])

    return feed


def with_aiohttp() -> Feed:
    """Use aiohttp's own reader, compiled, not public; it takes frames that are not masked."""
    loop = asyncio.get_running_loop()
    queue = WebSocketDataQueue(BaseProtocol(loop), 2**30, loop=loop)
    reader: Any = WebSocketReader(queue, 65_536, compress=False, decode_text=True)

    def feed(data: bytes) -> int:
        reader.feed_data(data)
        messages = len(queue._buffer)
        queue._buffer.clear()
        return messages

    return feed


LIBRARIES = {"websockets": with_websockets, "wsproto": with_wsproto, "aiohttp": with_aiohttp}


def _message_us(make: Callable[[], Feed]) -> float:
    frame = Frame(Opcode.TEXT, b"x" * FRAME_BYTES).serialize(mask=True)
    data = frame * FRAMES_IN_A_READ
    feed = make()
    began = resource.getrusage(resource.RUSAGE_SELF).ru_utime
    for _ in range(READS):
        if feed(data) != FRAMES_IN_A_READ:
            raise RuntimeError("a message was lost")
    used_s = resource.getrusage(resource.RUSAGE_SELF).ru_utime - began
    return used_s / READS / FRAMES_IN_A_READ * 1e6


def _idle_bytes(make: Callable[[], Feed]) -> float:
    gc.collect()
    tracemalloc.start()
    kept = [make() for _ in range(INSTANCES)]
    size, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return size / len(kept)


MESSAGES = FRAMES_IN_A_READ * READS

_SENDER = """
import socket, sys
port, frames = int(sys.argv[1]), int(sys.argv[3])
with socket.create_connection(("127.0.0.1", port)) as connection:
    if sys.argv[4]:
        connection.sendall(sys.argv[4].encode())
        connection.recv(4096)
    connection.sendall(bytes.fromhex(sys.argv[2]) * frames)
    connection.recv(1)
"""
"""A client in a process of its own; waits until the server hangs up."""

_REQUEST = (
    "GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
)


class _Counter:
    """Counts messages; ends the connection after the last."""

    def __init__(self) -> None:
        self.count = 0
        self.end: Callable[[], None] = lambda: None

    def opened(self, socket: WebSocket) -> None:
        self.end = socket.abort

    def received(self, message: str | bytes) -> None:
        self.count += 1
        if self.count == MESSAGES:
            self.end()

    def pong(self) -> None:
        pass

    def lost(self, code: int, reason: str) -> None:
        pass


async def ours(counter: _Counter) -> asyncio.Server:
    """Serve with our connection, whose parser is that of websockets."""

    def connection() -> WebSocket:
        return WebSocket(counter, message_bytes=65_536, unsent_bytes=65_536, budget=Budget(1 << 30))

    return await asyncio.get_running_loop().create_server(connection, "127.0.0.1", 0)


async def picows(counter: _Counter) -> asyncio.Server:
    """Serve with picows."""
    library = importlib.import_module("picows")

    class Listener(library.WSListener):  # type: ignore[misc, name-defined]
        def on_ws_connected(self, transport: Any) -> None:
            counter.end = transport.disconnect

        def on_ws_frame(self, transport: Any, frame: Any) -> None:
            counter.received(frame.get_payload_as_utf8_text())

    server: asyncio.Server = await library.ws_create_server(
        lambda request: Listener(), "127.0.0.1", 0
    )
    return server


Serve = Callable[[_Counter], Awaitable[asyncio.Server]]


async def _through_a_socket_us(serve: Serve, request: str) -> float:
    counter = _Counter()
    server = await serve(counter)
    port = server.sockets[0].getsockname()[1]
    frame = Frame(Opcode.TEXT, b"x" * FRAME_BYTES).serialize(mask=True).hex()
    began = resource.getrusage(resource.RUSAGE_SELF).ru_utime
    sender = await asyncio.create_subprocess_exec(
        sys.executable, "-c", _SENDER, str(port), frame, str(MESSAGES), request
    )
    await sender.wait()
    used_s = resource.getrusage(resource.RUSAGE_SELF).ru_utime - began
    server.close()
    if counter.count != MESSAGES:
        raise RuntimeError("a message was lost")
    return used_s / MESSAGES * 1e6


async def main() -> None:
    """Measure in turns and print medians."""
    times: dict[str, list[float]] = {name: [] for name in LIBRARIES}
    for _ in range(RUNS):
        for name, make in LIBRARIES.items():
            times[name].append(_message_us(make))
    print("### Parsers: masked text messages of 150 bytes\n")
    print("| library | user_us a message | bytes for an idle connection |\n|---|---|---|")
    for name, make in LIBRARIES.items():
        print(f"| {name} | {statistics.median(times[name]):.2f} | {_idle_bytes(make):,.0f} |")
    servers: dict[str, tuple[Serve, str]] = {"our `WebSocket`": (ours, "")}
    if importlib.util.find_spec("picows"):
        servers["picows"] = (picows, _REQUEST)
    print("\n### The same messages through a socket\n")
    print("| server | user_us a message |\n|---|---|")
    for name, (serve, request) in servers.items():
        runs = [await _through_a_socket_us(serve, request) for _ in range(RUNS)]
        print(f"| {name} | {statistics.median(runs):.2f} |")


if __name__ == "__main__":
    uvloop.run(main())
