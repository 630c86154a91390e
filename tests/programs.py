"""The server as a program: `python -m app` in processes of their own."""

import asyncio
import os
import re
import signal
import socket
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from pathlib import Path

import pytest

from app.settings import Settings
from tests.live import PATIENCE_S, Doors, Listening

ROOT = Path(__file__).parent.parent
START_S = 30.0
"""A starting interpreter on a busy machine takes seconds."""

Environment = dict[str, str]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def free_neighbours() -> int:
    """Return a port that is free, and so is the next one."""
    while True:
        first = free_port()
        with socket.socket() as probe, suppress(OSError, OverflowError):
            probe.bind(("127.0.0.1", first + 1))
            return first


class Program:
    """A running server process; its output is read all the time."""

    def __init__(self, process: Process, doors: Doors) -> None:
        self.process = process
        self.doors = doors
        self.lines: list[str] = []
        self._ready = asyncio.Event()
        self._line = asyncio.Event()
        self._reading = asyncio.create_task(self._read())

    async def _read(self) -> None:
        assert self.process.stdout is not None
        async for line in self.process.stdout:
            self.lines.append(line.decode().rstrip("\n"))
            if "listening on" in self.lines[-1]:
                self._ready.set()
            self._line.set()
        self._ready.set()

    async def ready(self) -> "Program":
        await asyncio.wait_for(self._ready.wait(), START_S)
        assert self.process.returncode is None, self.lines
        return self

    async def wrote(self, pattern: str, count: int = 1) -> list[re.Match[str]]:
        """Return the first `count` lines in which a pattern is found, when they are written."""
        async with asyncio.timeout(START_S):
            while True:
                self._line.clear()
                found = [match for line in self.lines if (match := re.search(pattern, line))]
                if len(found) >= count:
                    return found[:count]
                await self._line.wait()

    async def ended(self) -> int:
        """Wait for the end; returns the exit status."""
        status = await asyncio.wait_for(self.process.wait(), PATIENCE_S)
        await self._reading
        return status

    async def stop(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        return await self.ended()

    async def kill(self) -> None:
        self.process.kill()
        await self.ended()


@pytest.fixture
def environment(settings: Settings) -> Environment:
    """The variables of a development server with an empty database and a secret of its own."""
    variables = {
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]),
        "DATA_DIR": str(settings.data_dir),
        "MONGODB_DATABASE": settings.mongodb_database,
        "GRPC_PORT": "0",
        "PRESENCE_GRACE_S": "0",
    }
    if settings.mongodb_uri:
        variables["MONGODB_URI"] = settings.mongodb_uri
    return variables


StartServer = Callable[..., Awaitable[Program]]


@pytest.fixture
async def start_server(
    environment: Environment, listening: Listening
) -> AsyncIterator[StartServer]:
    """Start servers on one database; keywords are further variables.

    Another module than `app` is one that runs it in circumstances of its own.
    """
    programs: list[Program] = []

    async def start(module: str = "app", /, **variables: str) -> Program:
        port = variables.get("PORT") or str(free_port())
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", module),
            cwd=ROOT,
            env={**environment, **variables, "PORT": port},
            stdout=PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        programs.append(Program(process, listening.doors(f"http://127.0.0.1:{port}")))
        return await programs[-1].ready()

    yield start
    for program in programs:
        if program.process.returncode is None:
            await program.kill()


async def run(
    *arguments: str, environment: Environment, typed: str = "", within_s: float = START_S
) -> tuple[int, list[str], list[str]]:
    """Run `python -m app <arguments>` to its end: status, lines of output, lines of errors."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "app", *arguments),
        cwd=ROOT,
        env=environment,
        stdin=PIPE,
        stdout=PIPE,
        stderr=PIPE,
    )
    output, errors = await asyncio.wait_for(process.communicate(typed.encode()), within_s)
    assert process.returncode is not None
    return process.returncode, output.decode().splitlines(), errors.decode().splitlines()
