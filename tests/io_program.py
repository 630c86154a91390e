"""A JS client of Socket.IO on Node that tests drive: the page's own or the stock one."""

import asyncio
import json
import shutil
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from app.web import WEB
from tests.live import PATIENCE_S

NODE = shutil.which("node")
PACKAGES = WEB / "node_modules"
CLIENTS = {
    "ours": WEB / "lib" / "io.js",
    "stock": PACKAGES / "socket.io-client" / "build" / "esm-debug" / "index.js",
}

QUICK = {"reconnectionDelay": 10, "reconnectionDelayMax": 20}


class Program:
    """A client on Node."""

    def __init__(self, process: Any) -> None:
        self.process = process
        self.heard: list[list[Any]] = []

    async def do(self, *order: Any) -> None:
        """Have it do something."""
        self.process.stdin.write(f"{json.dumps(order)}\n".encode())
        await self.process.stdin.drain()

    async def hear(self, *wanted: Any) -> list[Any]:
        """Return the rest of the next thing that begins like this; others are kept in `heard`."""
        while True:
            line = await asyncio.wait_for(self.process.stdout.readline(), PATIENCE_S)
            assert line, "node has ended"
            happened = json.loads(line)
            self.heard.append(happened)
            if happened[: len(wanted)] == list(wanted):
                return list(happened[len(wanted) :])

    async def state(self, name: str) -> dict[str, Any]:
        """Return what the socket says of itself."""
        await self.do("state", name)
        (state,) = await self.hear(name, "state")
        return dict(state)


@asynccontextmanager
async def started(client: str) -> AsyncIterator[Program]:
    """Run a client of `CLIENTS`."""
    process = await asyncio.create_subprocess_exec(
        *(NODE or "", str(WEB.parent / "tests" / "io_client.mjs")),
        *(str(CLIENTS[client]), str(PACKAGES)),
        stdin=PIPE,
        stdout=PIPE,
    )
    yield Program(process)
    assert process.stdin is not None
    process.stdin.close()
    await asyncio.wait_for(process.wait(), PATIENCE_S)
