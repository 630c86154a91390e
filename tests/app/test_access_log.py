"""The access log: one line for each request, and no secrets in it."""

import asyncio
import logging

import pytest
from aiohttp import web

from app.access_log import AccessLog, printable
from app.rest.errors import problems
from tests.live import PATIENCE_S

SECRET = "eyJhbGciOi.secret"


@pytest.fixture
def lines(caplog):
    caplog.set_level(logging.DEBUG)

    def lines():
        records = [record for record in caplog.records if record.name == "app.access_log"]
        return [(record.levelno, record.getMessage()) for record in records]

    return lines


async def test_a_line_says_what_was_asked_and_answered(server, lines):
    """Method, path, status and milliseconds."""
    await server.call(None, "GET", "/health")
    await server.call(None, "POST", "/login", {})
    (level, first), (_, second) = lines()
    assert level == logging.INFO
    assert first.startswith("GET /health 200 ")
    assert first.endswith(" ms")
    assert second.startswith("POST /login 422 ")


async def test_no_token_is_ever_logged(server, caplog):
    """Neither a token in the query, nor in a header, nor a password in a body is in any log."""
    caplog.set_level(logging.DEBUG)
    token = await server.token("someone")
    client = await server.raw(token)
    socket = await server.socketio(token, transports=("polling", "websocket"))
    await socket.call("list_stories", {})
    await server.call(None, "GET", f"/health?token={SECRET}")
    await server.call(SECRET, "GET", "/stories")
    await server.call(None, "POST", "/login", {"email": "a@example.com", "password": SECRET})
    await client.ask({"type": SECRET})
    ours = [record for record in caplog.records if record.name.startswith(("app", "namespaces"))]
    assert len(ours) > 5
    for record in ours:
        assert SECRET not in record.getMessage()
        assert token not in record.getMessage()
    assert server.settings.jwt_secret not in caplog.text


async def test_polls_are_logged_for_debugging_only(server, lines):
    """Long polls are many and say nothing."""
    await server.socketio(await server.token("someone"), transports=("polling",))
    polls = [level for level, line in lines() if " /socket.io/ " in line]
    assert polls
    assert set(polls) == {logging.DEBUG}


@pytest.mark.parametrize(
    "path",
    [
        b"/a%0AINFO%20forged",
        b"/a%0d%0aforged",
        b"/\xc2\x85forged",
        b"/\xe2\x80\xa8forged",
        b"/\x9b31mforged",
        b"/\xff\xfe",
    ],
)
async def test_a_path_forges_no_line(listening, lines, path):
    """Whatever a path holds, its line stays one line of printable ASCII."""
    url = await listening.start(web.Application(middlewares=[AccessLog().middleware, problems]))
    host, port = url.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(b"GET " + path + b" HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    answer = await asyncio.wait_for(reader.read(), PATIENCE_S)
    writer.close()
    status = answer.split(b" ", 2)[1]
    assert status in (b"400", b"404")
    logged = [line for _, line in lines()]
    # A path that aiohttp itself cannot read reaches no handler and no log.
    assert len(logged) == (1 if status == b"404" else 0)
    for line in logged:
        assert line.isascii()
        assert line.isprintable()


def test_what_is_not_printable_is_spelled():
    """Control characters, separators beyond ASCII and broken bytes are written as escapes."""
    assert printable("/stories/1") == "/stories/1"
    assert printable("/a%0Ab") == "/a%0Ab"
    assert printable("/a\nb\x1b[31m\u2028\x85\udcff") == r"/a\nb\x1b[31m\u2028\x85\udcff"
