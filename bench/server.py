"""A server under measurement: started as a process of its own, commanded over its control port."""

import asyncio
import json
import secrets
import shutil
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import jwt

from bench.load import RAW, SOCKETIO, Way
from bench.ports import connect, free_port
from models.times import now

PEERS = Path(__file__).parent / "peers"
_BUN = PEERS / "node_modules" / "bun" / "bin" / "bun.exe"
SECRET = secrets.token_hex(32)


DEAF = "900000000"
"""The account of clients that do not read; the peers know it, too."""


@dataclass(frozen=True)
class Kind:
    """A server that can be measured."""

    name: str
    command: tuple[str, ...]
    way: Way


def _python(module: str) -> tuple[str, ...]:
    return (sys.executable, "-m", f"bench.peers.{module}")


def _node(script: str) -> tuple[str, ...]:
    return ("node", "--expose-gc", str(PEERS / script))


OURS = Kind("ours", _python("ours"), SOCKETIO)
OURS_RECOVERING = Kind("ours, recovery", (*_python("ours"), "--recovery"), SOCKETIO)
OURS_RAW = Kind("ours, raw", _python("ours"), RAW)
BARE = Kind("bare send()", (*_python("ours"), "--bare"), SOCKETIO)
"""The floor: a loop that does nothing but `send` the same bytes on the same sockets."""

STOCK = Kind("stock", _python("stock"), SOCKETIO)
NODE = Kind("node socket.io", _node("socketio.mjs"), SOCKETIO)
NODE_WS = Kind("node ws", _node("ws.mjs"), RAW)
BUN = Kind("bun engine", (str(_BUN), str(PEERS / "bun.mjs")), SOCKETIO)


def is_there(kind: Kind) -> bool:
    """Whether a server can be run here: what it is made of may not be installed."""
    if kind.command[0] == "node":
        return shutil.which("node") is not None and (PEERS / "node_modules").is_dir()
    if kind is BUN:
        # What npm puts there at first only says how to get the program.
        return _BUN.is_file() and _BUN.stat().st_size > 1_000_000
    return True


def tokens(count: int) -> list[str]:
    """Make a token for each of the users 1, 2, 3 …"""
    return [token(str(number)) for number in range(1, count + 1)]


def token(user: str) -> str:
    """Make a token for one user."""
    claims = {"sub": user, "iat": now(), "exp": now() + timedelta(days=1)}
    return jwt.encode(claims, SECRET, "HS256")


@dataclass(frozen=True)
class Stats:
    """A process's own accounting."""

    user_s: float
    system_s: float
    rss_kb: float
    connections: int

    @property
    def cpu_s(self) -> float:
        """User and system time."""
        return self.user_s + self.system_s


class Server:
    """A running server."""

    def __init__(
        self, port: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self.port = port
        self._reader = reader
        self._writer = writer

    async def emit(self, times: int = 1) -> None:
        """Tell the room `times` events in one turn of the server's loop."""
        await self._command(f"emit {times}")

    async def emit_in_turns(self, turns: int) -> None:
        """Tell the room one event in each of `turns` turns of the server's loop."""
        await self._command(f"turns {turns}")

    async def fill(self) -> None:
        """Tell a large event to the user `DEAF`."""
        await self._command("fill")

    async def emit_one(self) -> None:
        """Tell one event to user 1."""
        await self._command("one")

    async def settled(self) -> Stats:
        """Ask for the accounting after garbage was collected, whose time counts before it."""
        await self._command("collect")
        return await self.stats()

    async def stats(self) -> Stats:
        """Ask for the accounting."""
        return Stats(**json.loads(await self._command("stats")))

    async def _command(self, line: str) -> bytes:
        self._writer.write(line.encode() + b"\n")
        return await self._reader.readline()


@asynccontextmanager
async def running(kind: Kind) -> AsyncIterator[Server]:
    """Start a server of this kind, and end it."""
    port, control_port = free_port(), free_port()
    process = await asyncio.create_subprocess_exec(
        *kind.command, str(port), str(control_port), SECRET
    )
    try:
        reader, writer = await connect(control_port)
        yield Server(port, reader, writer)
        writer.close()
    finally:
        process.kill()
        await process.wait()
