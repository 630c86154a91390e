"""Every test here runs on asyncio's loop and on uvloop, and fails when an error is only logged."""

import asyncio
import gc
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Any

import pytest
import uvloop
from aiohttp import ClientSession, web

from app.http.runner import build_runner
from app.settings import Limits
from tests.app.realtime.served import Served
from tests.app.realtime.wire import Wire

Serve = Callable[..., Awaitable[Served]]


def pytest_asyncio_loop_factories(
    config: pytest.Config, item: pytest.Item
) -> dict[str, Callable[[], asyncio.AbstractEventLoop]]:
    return {"asyncio": asyncio.new_event_loop, "uvloop": uvloop.new_event_loop}


@pytest.fixture(autouse=True)
async def quiet_loop() -> AsyncIterator[None]:
    """Fail the test when an exception reaches the loop, also that of a forgotten task."""
    loop = asyncio.get_running_loop()
    seen: list[dict[str, Any]] = []
    loop.set_exception_handler(lambda loop, context: seen.append(context))
    yield
    gc.collect(0)
    assert seen == []


@pytest.fixture(autouse=True)
def quiet_log(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """Fail the test when an error is logged that it did not clear away."""
    yield
    records = [*caplog.get_records("call"), *caplog.records]
    assert [record.getMessage() for record in records if record.levelno >= logging.ERROR] == []


@pytest.fixture
async def serve() -> AsyncIterator[Serve]:
    """Start servers; the options are those of `Served`."""
    runners: list[web.AppRunner] = []
    wires: list[Wire] = []

    async def start(**options: Any) -> Served:
        served = Served(**options)
        # Not aiohttp's TestServer: it cancels handlers of clients that vanish, which we do not.
        runner = build_runner(served.application, Limits())
        await runner.setup()
        runners.append(runner)
        served.runner = runner
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        served.port, served.wires = runner.addresses[0][1], wires
        return served

    yield start
    for wire in wires:
        await wire.leave()
    for runner in runners:
        await runner.cleanup()


@pytest.fixture
async def served(serve: Serve) -> Served:
    """A server with settings as in production."""
    return await serve()


@pytest.fixture
async def http() -> AsyncIterator[ClientSession]:
    """A browser's worth of HTTP connections; answers are taken as they are sent."""
    async with ClientSession() as session:
        yield session
