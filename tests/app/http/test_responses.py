"""Answers, and clients that do not read them."""

import asyncio
import json
import logging
import socket

import pytest
from aiohttp import ClientPayloadError, ClientSession, web

from app.http import responses, runner
from app.http.responses import json_text, stream, stream_json
from app.memory import BUDGET, Budget
from app.rest.errors import problems
from app.settings import Limits
from tests.app.realtime.served import until
from tests.live import PATIENCE_S

MEGABYTE = 1_000_000


class Big:
    """Serves `/<megabytes>` whole, and `/streamed/<megabytes>` in pieces."""

    def __init__(self, max_bytes: int) -> None:
        self.budget = Budget(max_bytes)
        self.read = 0
        self.most = 0
        self.app = web.Application()
        self.app[BUDGET] = self.budget
        self.app.router.add_get("/{megabytes}", self.whole)
        self.app.router.add_get("/streamed/{megabytes}", self.streamed)

    def holders(self):
        return sum(connection.held_bytes > 65_536 for connection in self.server.connections)

    async def whole(self, request):
        return web.Response(body=self.content(request))

    async def streamed(self, request):
        async def pieces():
            content = self.content(request)
            for at in range(0, len(content), 200_000):
                self.read += 1
                yield content[at : at + 200_000]

        return await stream(request, web.StreamResponse(), pieces())

    @staticmethod
    def content(request):
        # Not the kernel is to take what a client does not.
        sock = request.transport.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
        size = int(request.match_info["megabytes"]) * MEGABYTE
        return bytes(n % 251 for n in range(1000)) * (size // 1000)


@pytest.fixture
def start(listening):
    async def start(max_bytes=100 * MEGABYTE, **limits):
        big = Big(max_bytes)
        big.url = await listening.start(big.app, Limits(**limits))
        big.server = listening.runners[-1].server
        return big

    return start


@pytest.fixture
def deaf(connect):
    """Connect, ask, and read nothing."""

    async def ask(big, path):
        raw = await connect(big.url, receive_bytes=4096)
        raw.stop_reading()
        raw.send("GET", path)
        return raw

    return ask


@pytest.mark.parametrize("path", ["/2", "/streamed/2"])
async def test_who_reads_gets_all(start, path):
    """A long answer arrives whole and in order, and nothing is held afterwards."""
    big = await start()
    async with ClientSession() as http, http.get(big.url + path) as response:
        body = await response.read()
    assert body == bytes(n % 251 for n in range(1000)) * 2000
    assert big.holders() == big.budget.held_bytes == 0


@pytest.mark.parametrize("path", ["/6", "/streamed/6"])
async def test_who_does_not_read_is_cut(start, deaf, path):
    """A client has a certain time for a piece; then the connection and what it holds are gone."""
    big = await start(unread_answer_s=1)
    for _ in range(5):
        await deaf(big, path)
    await until(lambda: big.holders() == 5)
    # Whole answers are held whole; of streamed ones a piece, and what the transport has.
    most = 5 * (7 * MEGABYTE if path == "/6" else MEGABYTE)
    assert 0 < big.budget.held_bytes < most
    assert big.read <= 5 * 20
    await until(lambda: not big.server.connections)
    assert big.holders() == big.budget.held_bytes == 0


async def test_who_reads_slowly_but_reads(start, deaf):
    """Time is counted for each piece, not for the whole."""
    big = await start(unread_answer_s=1)
    raw = await deaf(big, "/1")
    loop = asyncio.get_running_loop()
    began = loop.time()
    raw.writer.transport.resume_reading()
    read = 0
    async with asyncio.timeout(PATIENCE_S):
        while loop.time() < began + 2.5:
            read += len(await raw.reader.readexactly(16_384))
            await asyncio.sleep(0.1)
    assert read < MEGABYTE
    read += len(await raw.reader.readexactly(MEGABYTE - read))
    assert read == MEGABYTE


@pytest.mark.parametrize(
    "bound", [{"max_bytes": 8 * MEGABYTE}, {"unsent_answers_bytes": 8 * MEGABYTE}]
)
async def test_the_process_holds_so_much_and_no_more(start, deaf, bound):
    """Past the bound of all answers together the largest is cut, and the others go on."""
    big = await start(**bound)
    small = [await deaf(big, "/2") for _ in range(2)]
    await until(lambda: big.holders() == 2)
    large = await deaf(big, "/5")
    assert not await closed(large)
    await until(lambda: big.budget.held_bytes < 5 * MEGABYTE)
    for raw in small:
        raw.writer.transport.resume_reading()
        head = await raw.reader.readuntil(b"\r\n\r\n")
        assert b" 200 " in head
        assert len(await raw.reader.readexactly(2 * MEGABYTE)) == 2 * MEGABYTE


async def closed(raw):
    """Read on; returns what came before the end, if it is a whole answer."""
    raw.writer.transport.resume_reading()
    read = await raw.ended()
    return len(read) > 5 * MEGABYTE


async def test_every_route_with_a_slow_reader(start_whole, connect, monkeypatch, caplog):
    """Requests one behind the other on each route, their answers never read: all are cut."""
    caplog.set_level(logging.INFO, runner.__name__)
    monkeypatch.setattr(runner, "PIECE_BYTES", 1024)
    made = runner.Connection.connection_made

    def with_little_room(connection, transport):
        made(connection, transport)
        sock = transport.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 2048)

    monkeypatch.setattr(runner.Connection, "connection_made", with_little_room)
    whole = await start_whole(unread_answer_s=1)
    for method, path in whole.routes():
        raw = await connect(whole.url, receive_bytes=2048)
        raw.stop_reading()
        for _ in range(200):
            raw.send(method, path, Authorization="Bearer none")
    server = whole.runner.server
    await until(lambda: server.connections)
    await until(lambda: not server.connections)
    assert whole.budget.held_bytes == 0
    cuts = [line for line in caplog.messages if line == "connection cut: its client does not read"]
    assert len(cuts) == len(whole.routes())


async def items(*values):
    for value in values:
        yield value


@pytest.mark.parametrize(
    ("streamed", "plain"),
    [
        ({}, {}),
        ({"a": 1, "b": items()}, {"a": 1, "b": []}),
        ({"a": {"b": items(1, "ü", None), "c": {}}, "d": [2]}, None),
        (items({"a": [1]}, {"b": "\ud800"}), [{"a": [1]}, {"b": "\ud800"}]),
        ("text", "text"),
    ],
)
async def test_json_as_it_would_be_written_whole(streamed, plain):
    """The text is that of `json.dumps`."""
    if plain is None:
        plain = {"a": {"b": [1, "ü", None], "c": {}}, "d": [2]}
    assert "".join([text async for text in json_text(streamed)]) == json.dumps(plain)


async def test_an_answer_that_breaks_off(listening, caplog):
    """What fails before the first piece is answered; later the connection is cut, and logged."""

    async def failing(after):
        for n in range(after):
            yield {"n": n, "text": "x" * responses.STREAMED_BYTES}
        raise ValueError("a part cannot be read")

    async def answer(request):
        after = int(request.query["after"])
        return await stream_json(request, {"items": failing(after)}, headers={})

    app = web.Application(middlewares=[problems])
    app.router.add_get("/", answer)
    url = await listening.start(app)
    async with ClientSession() as http:
        async with http.get(url, params={"after": 0}) as response:
            assert response.status == 500
        async with http.head(url, params={"after": 9}) as response:
            assert (response.status, await response.read()) == (200, b"")
        async with http.get(url, params={"after": 9}) as response:
            assert response.status == 200
            with pytest.raises(ClientPayloadError):
                await response.read()
    assert "ValueError: a part cannot be read" in caplog.text
