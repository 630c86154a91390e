"""How the driver commands a server: a line of text in, a line of JSON out, on a port of its own.

`emit N` tells an event to the whole room N times within one turn of the loop, `turns N` in N
turns, `one` tells it to the user `1` only, `fill` tells a large one to the user `DEAF` of
`bench.server`; `collect` collects garbage; `stats` gives the process's own accounting:
`{"user_s", "system_s", "rss_kb", "connections"}`. The Node peers do the same.
"""

import asyncio
import gc
import json
import resource
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

EVENT_BYTES = 150
"""Of the whole message on the wire, without the frame's header."""

FILL_BYTES = 65_536
"""Of the event that `fill` tells."""

GROUP = 6
"""Users of a group: 1 to 6 are the first."""

_PAGE_KB = resource.getpagesize() // 1024


def group_of(user: str) -> str:
    """Return the room of a user's group."""
    return f"group:{(int(user) - 1) // GROUP}"


def news(prefix_bytes: int, event_bytes: int = EVENT_BYTES) -> dict[str, object]:
    """Make an event's data that carries the time and fills the message up to `event_bytes`."""
    data = {"t": f"{time.monotonic():.6f}", "pad": ""}
    data["pad"] = "x" * (event_bytes - prefix_bytes - len(json.dumps(data, separators=(",", ":"))))
    return dict(data)


def stats(connections: int) -> dict[str, float]:
    """Return what this process has used so far."""
    usage = resource.getrusage(resource.RUSAGE_SELF)
    resident_pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return {
        "user_s": usage.ru_utime,
        "system_s": usage.ru_stime,
        "rss_kb": resident_pages * _PAGE_KB,
        "connections": connections,
    }


async def listen(
    port: int,
    emit: Callable[[int], Awaitable[None]],
    emit_to: Callable[[str, int], Awaitable[None]],
    count: Callable[[], int],
) -> None:
    """Take commands until the process is ended."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while line := (await reader.readline()).split():
            answer: dict[str, float] = {}
            if line[0] == b"emit":
                await emit(int(line[1]))
            elif line[0] == b"turns":
                for _ in range(int(line[1])):
                    await emit(1)
                    await asyncio.sleep(0)
            elif line[0] == b"one":
                await emit_to("user:1", EVENT_BYTES)
            elif line[0] == b"fill":
                await emit_to("user:900000000", FILL_BYTES)
            elif line[0] == b"collect":
                gc.collect()
            else:
                answer = stats(count())
            writer.write(json.dumps(answer).encode() + b"\n")
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", port)
    await server.serve_forever()
