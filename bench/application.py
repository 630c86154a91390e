"""The whole application under measurement: `python -m app` on an embedded store of its own."""

import asyncio
import os
import socket
import sys
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from app.settings import Settings
from app.store import open_store
from bench.server import SECRET
from models.database import Database

DATABASE = "bench"


@dataclass(frozen=True)
class Application:
    """A running server."""

    port: int
    pid: int

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.port}"

    def cpu_s(self) -> float:
        """Give the process's user and system time so far."""
        fields = Path(f"/proc/{self.pid}/stat").read_text(encoding="ascii").rpartition(") ")[2]
        user, system = fields.split()[11:13]
        return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")


async def _nothing(database: Database) -> None:
    pass


@asynccontextmanager
async def application(
    fill: Callable[[Database], Awaitable[None]] = _nothing,
) -> AsyncIterator[Application]:
    """Run the application on a database that `fill` has filled; tokens are signed with `SECRET`."""
    with tempfile.TemporaryDirectory() as folder:
        environ = {
            **os.environ,
            "PORT": str(_free_port()),
            "GRPC_PORT": "0",
            "DATA_DIR": folder,
            "MONGODB_DATABASE": DATABASE,
            "JWT_SECRET": SECRET,
            "LOG_LEVEL": "WARNING",
            # What is measured is the server, not how it holds people back.
            "LIMIT_MESSAGES_PER_S": "1000000",
        }
        os.environ.update(DATA_DIR=folder, MONGODB_DATABASE=DATABASE)
        store = await open_store(Settings.from_env())
        await fill(store.database)
        await store.close()
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "app", env=environ, stdout=asyncio.subprocess.DEVNULL
        )
        try:
            port = int(environ["PORT"])
            await _answering(port)
            yield Application(port, process.pid)
        finally:
            process.terminate()
            await process.wait()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


async def _answering(port: int) -> None:
    for _ in range(200):
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
        except ConnectionRefusedError:
            await asyncio.sleep(0.05)
        else:
            writer.close()
            return
    raise TimeoutError("the server does not start")
