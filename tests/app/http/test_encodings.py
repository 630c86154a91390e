"""Compressed request bodies, by every transport."""

import asyncio
import gzip
import json
import time

import pytest
from aiohttp import web
from aiohttp.test_utils import make_mocked_request
from multidict import CIMultiDict

from app.http.encodings import is_encoded
from tests.app.http.raw import Answer
from tests.programs import ROOT

BOMB = gzip.compress(bytes(200_000_000), 1)
"""Inflated it holds the event loop for half a second; on the wire it is a megabyte."""


def assert_refused(answer: Answer, *, headed: bool = False) -> None:
    assert answer.status == 415
    assert answer.headers["content-type"].startswith("application/problem+json")
    assert answer.headers["accept-encoding"] == "identity"
    assert answer.headers["connection"] == "close"
    if not headed:
        assert json.loads(answer.body)["code"] == "encoding_not_supported"


async def test_every_route_refuses_compressed_bodies(start_whole, connect):
    """Every route, and paths and methods that no route has, answer 415 and close at once."""
    whole = await start_whole()
    routes = whole.routes()
    assert len(routes) > 80
    assert {("POST", "/socket.io/"), ("POST", "/api/v1/payments/webhook")} <= set(routes)
    for method, path in [*routes, ("POST", "/nowhere"), ("DELETE", "/login"), ("OPTIONS", "/x")]:
        raw = await connect(whole.url)
        raw.send(method, path, b"\x1f\x8b" + bytes(100), Content_Encoding="gzip")
        assert_refused(await raw.answer(), headed=method == "HEAD")
        assert await raw.ended() == b"", path


async def test_a_bomb_holds_nobody_up(start_whole, connect):
    """A client that sends all before it reads sees the 415; others do not wait meanwhile."""
    whole = await start_whole()
    other, raw = await connect(whole.url), await connect(whole.url)
    raw.send("POST", "/login", BOMB, Content_Encoding="gzip")
    answering = asyncio.create_task(raw.answer())
    slowest = 0.0
    while not answering.done():
        began = time.perf_counter()
        other.send("GET", "/api/v1/ws/status")
        assert (await other.answer()).status == 200
        slowest = max(slowest, time.perf_counter() - began)
    assert_refused(await answering)
    assert slowest < 0.25


@pytest.mark.parametrize(
    "lines",
    [
        [],
        ["Content-Encoding: identity"],
        ["Content-Encoding: Identity, identity"],
        ["Content-Encoding: "],
        ["Transfer-Encoding: Chunked"],
    ],
)
def test_what_is_not_encoded(lines):
    """A body as it is may say so."""
    assert not is_encoded(asking(lines))


@pytest.mark.parametrize(
    "lines",
    [
        *([f"Content-Encoding: {coding}"] for coding in ("gzip", "X-GZIP", "br", "zstd", "x")),
        ["Content-Encoding: identity, gzip"],
        ["Content-Encoding: identity", "Content-Encoding: deflate"],
        ["Transfer-Encoding: gzip, chunked"],
        ["Transfer-Encoding: gzip", "Transfer-Encoding: chunked"],
    ],
)
def test_what_is_encoded(lines):
    """Any coding but identity counts, in any spelling and line, and any transfer coding but one."""
    assert is_encoded(asking(lines))


def asking(lines: list[str]) -> web.Request:
    headers = CIMultiDict(line.split(": ", 1) for line in lines)
    return make_mocked_request("POST", "/", headers=headers)


@pytest.mark.parametrize("coding", ["gzip, chunked", "deflate,chunked", "identity, chunked"])
async def test_transfer_codings(start_whole, connect, coding):
    """A coded message is refused as coded content is."""
    whole = await start_whole()
    raw = await connect(whole.url)
    raw.send("POST", "/login", b"2\r\n{}\r\n0\r\n\r\n", Transfer_Encoding=coding)
    assert_refused(await raw.answer())


async def test_a_server_without_the_middleware_inflates_nothing(listening, connect):
    """Whatever application is run: its handlers get a body as it was sent."""

    async def echo(request: web.Request) -> web.Response:
        return web.Response(body=await request.read())

    app = web.Application()
    app.router.add_post("/", echo)
    raw = await connect(await listening.start(app))
    packed = gzip.compress(b"x" * 5000)
    raw.send("POST", "/", packed, Content_Encoding="gzip")
    assert (await raw.answer()).body == packed


@pytest.mark.parametrize("place", ["app", "bench/peers/ours.py", "bench/conformance.py", "tests"])
def test_servers_are_made_in_one_place(place):
    """No code makes aiohttp's own runner for an application of ours."""
    found = [ROOT / place] if place.endswith(".py") else sorted((ROOT / place).rglob("*.py"))
    assert found
    stock = "web." + "AppRunner("
    assert [path for path in found if stock in path.read_text(encoding="utf-8")] == []
