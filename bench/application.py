"""The whole application under measurement: `python -m app` on an embedded store of its own."""

import asyncio
import os
import statistics
import sys
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from app.settings import Settings
from app.storage import open_store
from bench.ports import connect, free_port
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
        """Return the user and system time so far of the process and its workers."""
        workers = Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text(encoding="ascii")
        return sum(_cpu_s(pid) for pid in [str(self.pid), *workers.split()])


def _cpu_s(pid: str) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(") ")[2]
    user, system = fields.split()[11:13]
    return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")


async def _nothing(database: Database) -> None:
    pass


@asynccontextmanager
async def application(
    fill: Callable[[Database], Awaitable[None]] = _nothing, **variables: str
) -> AsyncIterator[Application]:
    """Run the application on a database that `fill` has filled; tokens are signed with `SECRET`.

    `variables` are further settings.
    """
    with tempfile.TemporaryDirectory() as folder:
        environ = {
            **os.environ,
            "PORT": str(free_port()),
            "GRPC_PORT": "0",
            "DATA_DIR": folder,
            "MONGODB_DATABASE": DATABASE,
            "JWT_SECRET": SECRET,
            "LOG_LEVEL": "WARNING",
            # What is measured is the server, not how it holds people back.
            "LIMIT_MESSAGES_PER_S": "1000000",
            "LIMIT_MESSAGES_BURST": "1000000",
            "LIMIT_WRITES_PER_S": "1000000",
            "LIMIT_WRITES_BURST": "1000000",
            "LIMIT_READS_PER_S": "1000000",
            "LIMIT_READS_BURST": "1000000",
            "LIMIT_CONNECTIONS_PER_ACCOUNT": "1000000",
            **variables,
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
            (await connect(port))[1].close()
            yield Application(port, process.pid)
        finally:
            process.terminate()
            await process.wait()


def p50_p99(values: list[float]) -> tuple[float, float]:
    """Return the median and the 99th percentile."""
    return statistics.median(values), statistics.quantiles(values, n=100)[98]
