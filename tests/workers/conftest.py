"""A server of two workers."""

import os
import re
import select
from collections.abc import AsyncIterator

import pytest

from tests.live import PATIENCE_S
from tests.programs import Program, StartServer
from tests.redis_server import RedisServer


class Workers(Program):
    """What is known of the workers of a running server, from its lines."""

    def pids(self) -> dict[int, int]:
        """Return the newest process of each worker."""
        started = (re.search(r"worker (\d+) starts as process (\d+)", line) for line in self.lines)
        return {int(each[1]): int(each[2]) for each in started if each is not None}


def is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def until_gone(pid: int) -> None:
    """Return when a process, which need not be a child, has ended."""
    try:
        descriptor = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    try:
        readable, _, _ = select.select([descriptor], [], [], PATIENCE_S)
        assert readable, f"process {pid} still runs"
    finally:
        os.close(descriptor)


@pytest.fixture
async def workers(start_server: StartServer, redis: RedisServer) -> AsyncIterator[Workers]:
    """Two, that serve; those that are still there in the end are ended."""
    program = await start_server(WORKERS="2", REDIS_URL=redis.url, LOG_LEVEL="DEBUG")
    program.__class__ = Workers
    await program.wrote("2 workers serve")
    yield program  # type: ignore[misc]
    assert not [line for line in program.lines if "Traceback" in line]
