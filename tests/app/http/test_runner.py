"""Connections: what is read of them, and how they end."""

import asyncio
import json
import logging
import socket
from typing import Any

import pytest
from aiohttp import web

from app.http import runner as runners
from tests.app.realtime.served import until
from tests.live import PATIENCE_S

TOKEN = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiI3In0.c2lnbmF0dXJl"


@pytest.fixture
def small(listening):
    """Start an application that answers 200 at `/` and never reads a body."""

    async def answer(request: web.Request) -> web.Response:
        return web.Response(text="here")

    async def start(**limits: int) -> str:
        app = web.Application()
        app.router.add_route("*", "/", answer)
        return await listening.start(app, runners.Limits(**limits))

    return start


async def flood(raw: Any, piece: bytes) -> int:
    """Send pieces until the server closes; returns the bytes that were taken."""
    taken = 0
    async with asyncio.timeout(PATIENCE_S):
        try:
            while True:
                raw.writer.write(piece)
                await raw.writer.drain()
                taken += len(piece)
        except ConnectionError:
            return taken


async def test_a_body_that_goes_on_after_its_answer(small, connect):
    """A bounded rest is read, not a gigabyte; then the connection is closed."""
    raw = await connect(await small(discarded_bytes=1_000_000))
    raw.send("POST", "/", Content_Length="1000000000")
    assert (await raw.answer()).body == b"here"
    # What is not read waits in the kernels of both sides.
    assert await flood(raw, bytes(100_000)) < 30_000_000


async def test_a_body_that_does_not_come_after_its_answer(small, connect):
    """The rest has a certain time, after which the connection is closed."""
    raw = await connect(await small(discard_s=1))
    raw.send("POST", "/", b"a", Content_Length="1000000000")
    assert (await raw.answer()).body == b"here"
    assert await raw.ended() == b""


async def test_a_client_that_sends_all_before_it_reads(small, connect):
    """The answer arrives, not a reset, and the connection serves the next request."""
    raw = await connect(await small())
    raw.send("POST", "/", bytes(11_000_000))
    await raw.writer.drain()
    assert (await raw.answer()).body == b"here"
    raw.send("GET", "/")
    assert (await raw.answer()).body == b"here"


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (f"GET /ws?token={TOKEN} with a space HTTP/1.1\r\nHost: x\r\n\r\n".encode(), 400),
        (f"GET /ws?token=\xff{TOKEN} HTTP/1.1\r\nHost: x\r\n\r\n".encode("latin-1"), 400),
        (f"GET / HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer \x01{TOKEN}\r\n\r\n".encode(), 400),
        (f"GET / HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer \x00{TOKEN}\r\n\r\n".encode(), 400),
        (f"GET / HTTP/1.1\r\nHost: x\r\n{TOKEN}\r\n\r\n".encode(), 400),
        (f"GET / HTTP/1.1\r\nAuthorization: Bearer {TOKEN}\r\n\r\n".encode(), 400),
        (f"{TOKEN}\r\n\r\n".encode(), 400),
        (f"GET /{TOKEN * 200} HTTP/1.1\r\nHost: x\r\n\r\n".encode(), 431),
        (f"GET / HTTP/1.1\r\nHost: x\r\nCookie: {TOKEN * 200}\r\n\r\n".encode(), 431),
        (b"GET / HTTP/1.1\r\nHost: x\r\n" + b"a: b\r\n" * 100 + b"\r\n", 400),
        (b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip\r\n\r\n", 400),
    ],
)
async def test_what_is_no_request(small, connect, caplog, request_, status):
    """A problem document and the end of the connection; nothing of its text is logged."""
    caplog.set_level(logging.DEBUG)
    raw = await connect(await small())
    raw.writer.write(request_)
    answer = await raw.answer()
    assert answer.status == status
    assert json.loads(answer.body)["status"] == status
    assert await raw.ended() == b""
    assert "eyJ" not in caplog.text
    ours = [record for record in caplog.records if record.name == runners.__name__]
    assert [record.levelno for record in ours] == [logging.INFO]
    assert {record.name for record in caplog.records} <= {runners.__name__, "asyncio"}


async def test_requests_read_ahead(small, listening, connect):
    """While an answer is not taken, a few requests are read ahead and no more."""
    raw = await connect(await small(), receive_bytes=4096)
    raw.stop_reading()
    raw.writer.write(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n" * 20_000)
    server = listening.runners[-1].server
    await until(lambda: server.connections)
    [connection] = server.connections
    await until(lambda: connection.writing_paused)
    await until(lambda: connection._buffer_paused)
    # What one read of the socket held is parsed at once.
    assert len(connection._messages) < 300_000 / 27


async def test_a_closed_connection_whose_client_does_not_read(listening, connect, monkeypatch):
    """An answer under 64 KiB is waited for by nobody: the connection is cut after a while."""
    monkeypatch.setattr(runners, "LEAVE_S", 1.0)

    async def page(request: web.Request) -> web.Response:
        response = web.Response(body=bytes(60_000))
        response.force_close()
        sock = request.transport.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
        return response

    app = web.Application()
    app.router.add_get("/", page)
    raw = await connect(await listening.start(app), receive_bytes=4096)
    raw.stop_reading()
    raw.send("GET", "/")
    server = listening.runners[-1].server
    await until(lambda: server.requests_count)
    assert server._connections
    await until(lambda: not server._connections)
