"""Clients that hang up, on a server that cancels handlers when they do."""

import asyncio
import json

import pytest
from aiohttp import web

from app.http.finishing import finish_writes
from app.http.runner import build_runner
from app.settings import Limits
from models import finishing
from tests.live import HELLO, PATIENCE_S


@pytest.mark.parametrize(("method", "ended"), [("POST", True), ("DELETE", True), ("GET", False)])
async def test_a_request_that_changes_something_is_carried_out(method, ended):
    """The handler of a write ends although its client has gone; one that reads is cancelled."""
    begun, go_on, outcome = asyncio.Event(), asyncio.Event(), asyncio.Queue()

    async def handle(request):
        begun.set()
        try:
            await go_on.wait()
        except asyncio.CancelledError:
            outcome.put_nowait(False)
            raise
        outcome.put_nowait(True)
        return web.Response()

    app = web.Application(middlewares=[finish_writes])
    app.router.add_route(method, "/", handle)
    runner = build_runner(app, Limits(), handler_cancellation=True)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        _, writer = await asyncio.open_connection(*runner.addresses[0][:2])
        writer.write(f"{method} / HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        await asyncio.wait_for(begun.wait(), PATIENCE_S)
        writer.close()
        async with asyncio.timeout(PATIENCE_S):
            while runner.server.connections:  # noqa: ASYNC110 - aiohttp tells nobody of it
                await asyncio.sleep(0)
        go_on.set()
        assert await asyncio.wait_for(outcome.get(), PATIENCE_S) is ended
    finally:
        await runner.cleanup()


async def test_clients_that_hang_up_lose_no_event(serve):
    """Whenever a client hangs up, each story that was stored was told live, once."""
    server = await serve()
    token = await server.token("author")
    reader = await server.socketio(token)
    host, port = server.url.removeprefix("http://").split(":")
    body = json.dumps(HELLO)
    request = (
        f"POST /stories HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {token}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n{body}"
    )
    delay_s, answered = 0.0, 0
    while answered < 2:
        answer, writer = await asyncio.open_connection(host, int(port))
        writer.write(request.encode())
        try:
            # Later each time, until the server is faster.
            line = await asyncio.wait_for(answer.readline(), delay_s)
            assert line == b"HTTP/1.1 201 Created\r\n"
            answered += 1
        except TimeoutError:
            delay_s += 0.004
        writer.transport.abort()
    await finishing.drain(PATIENCE_S)
    last = await server.story(token)
    told = [(await reader.event())[1]["story_id"]]
    while told[-1] != last:
        told.append((await reader.event())[1]["story_id"])
    stored = (await server.call(token, "GET", "/stories?limit=50"))[1]["items"]
    assert sorted(story["id"] for story in stored) == sorted(told)
    assert len(told) > 2
