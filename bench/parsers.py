"""Compare the libraries that could parse our WebSocket frames: `python -m bench.parsers`.

Each gets the same masked text frames of 150 bytes, sixteen to a read, and gives whole messages.
picows is not here: its parser works only inside a transport of its own, which would have to own
the listening port that aiohttp serves.
"""

import asyncio
import gc
import resource
import statistics
import tracemalloc
from collections.abc import Callable
from typing import Any

from aiohttp._websocket.reader import WebSocketDataQueue, WebSocketReader
from aiohttp.base_protocol import BaseProtocol
from websockets.frames import Frame, Opcode
from websockets.protocol import Protocol, Side, State
from wsproto.connection import Connection, ConnectionType

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


if __name__ == "__main__":
    asyncio.run(main())
