"""Reading requests: every bad body has a precise problem document."""

import asyncio
import gzip
import io
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient

from app.rest import requests
from app.rest.errors import problems
from app.rest.requests import bearer_token, body, query
from models.fields import Input, Text, WholeNumber

Client = TestClient[web.Request, web.Application]
LIMIT = 2000


class Thing(Input):
    name = Text(100, required=True)
    size = WholeNumber(load_default=1)


class Page(Input):
    limit = WholeNumber(load_default=20)


@pytest.fixture
async def client(aiohttp_client: Any) -> Client:
    async def take(request: web.Request) -> web.Response:
        return web.json_response(await body(request, Thing()))

    async def page(request: web.Request) -> web.Response:
        return web.json_response(await query(request, Page()))

    async def token(request: web.Request) -> web.Response:
        return web.json_response(bearer_token(request))

    app = web.Application(middlewares=[problems], client_max_size=LIMIT)
    app.router.add_post("/things", take)
    app.router.add_get("/things", page)
    app.router.add_get("/token", token)
    made: Client = await aiohttp_client(app)
    return made


async def refused(client: Client, data: Any, **headers: str) -> dict[str, Any]:
    all_headers = {"Content-Type": "application/json"} | headers
    response = await client.post("/things", data=data, headers=all_headers)
    problem: dict[str, Any] = await response.json()
    assert response.content_type == "application/problem+json"
    assert problem["status"] == response.status
    assert problem.keys() >= {"type", "title", "status", "code", "detail"}
    assert problem["message"] == problem["detail"]
    assert problem.get("fields") == problem.get("errors")
    return problem


@pytest.mark.parametrize(
    "content_type", ["application/json", "application/json; charset=UTF-8", "application/x+json"]
)
async def test_read(client: Client, content_type: str) -> None:
    """A JSON object is read, and its absent fields take their defaults."""
    response = await client.post(
        "/things", data='{"name": "né 🎉"}'.encode(), headers={"Content-Type": content_type}
    )
    assert await response.json() == {"name": "né 🎉", "size": 1}


@pytest.mark.parametrize(
    ("data", "detail"),
    [
        (b"{", "This is not valid JSON"),
        (b'{"name": NaN}', "NaN is not valid JSON"),
        (b'{"name": "\xff"}', "not valid UTF-8"),
        (b'{"name": "\\ud800"}', "surrogate"),
        (b"[" * 1000 + b"]" * 1000, ""),
        (b"[]", "must be a JSON object"),
        (b'"name"', "must be a JSON object"),
        (b"null", "must be a JSON object"),
        (b"7", "must be a JSON object"),
    ],
)
async def test_unreadable(client: Client, data: bytes, detail: str) -> None:
    """A body that is no JSON object is a 400 that says what is wrong."""
    problem = await refused(client, data)
    assert (problem["status"], problem["code"]) == (400, "unreadable")
    assert detail in problem["detail"]
    assert "errors" not in problem


@pytest.mark.parametrize(
    ("data", "errors"),
    [
        (b"{}", {"name"}),
        (b"", {"name"}),
        (b" \n", {"name"}),
        (b'{"name": 7}', {"name"}),
        (b'{"name": null}', {"name"}),
        (b'{"name": "x", "size": "many"}', {"size"}),
        (b'{"name": "x", "size": 1.5}', {"size"}),
        (b'{"name": "x", "colour": "red"}', {"colour"}),
        (b'{"size": [], "colour": {}}', {"name", "size", "colour"}),
    ],
)
async def test_invalid(client: Client, data: bytes, errors: set[str]) -> None:
    """Wrong, missing and unknown fields are a 422 with messages by field."""
    problem = await refused(client, data)
    assert (problem["status"], problem["code"]) == (422, "invalid")
    assert problem["errors"].keys() == errors
    assert all(
        isinstance(message, str) for found in problem["errors"].values() for message in found
    )


@pytest.mark.parametrize(
    "content_type",
    ["text/plain", "application/x-www-form-urlencoded", "application/json; charset=latin-1", "x"],
)
async def test_wrong_content_type(client: Client, content_type: str) -> None:
    """A body that does not say that it is JSON in UTF-8 is a 415 that says what to send."""
    problem = await refused(client, b'{"name": "x"}', **{"Content-Type": content_type})
    assert (problem["status"], problem["code"]) == (415, "unsupported_media_type")
    assert "Send" in problem["detail"]


async def test_too_large(client: Client) -> None:
    """A body over the limit is a 413 that names the limit."""
    problem = await refused(client, b'{"name": "%s"}' % (b"x" * LIMIT))
    assert (problem["status"], problem["code"]) == (413, "request_too_large")
    assert str(LIMIT) in problem["detail"]


async def test_too_large_chunked(client: Client) -> None:
    """The limit holds for a body that does not say its length."""
    problem = await refused(client, io.BytesIO(b'{"name": "%s"}' % (b"x" * LIMIT)))
    assert problem["status"] == 413


async def test_compressed(client: Client) -> None:
    """No body is inflated: where `app.http.encodings` is not asked, a compressed one is no JSON."""
    bomb = gzip.compress(b'{"name": "%s"}' % (b"x" * 1_000_000))
    assert len(bomb) < LIMIT
    problem = await refused(client, bomb, **{"Content-Encoding": "gzip"})
    assert (problem["status"], problem["code"]) == (400, "unreadable")


async def test_query(client: Client) -> None:
    """Unknown, invalid and repeated parameters of a query are named in a 422."""
    assert await (await client.get("/things?limit=5")).json() == {"limit": 5}
    assert await (await client.get("/things")).json() == {"limit": 20}
    for sent, name in (
        ("limit=5&x=1", "x"),
        ("limit=five", "limit"),
        ("limit=5&limit=6", "limit"),
    ):
        response = await client.get(f"/things?{sent}")
        assert response.status == 422
        assert (await response.json())["errors"].keys() == {name}


@pytest.mark.parametrize(
    ("header", "token"),
    [
        ("Bearer abc", "abc"),
        ("bearer  abc ", "abc"),
        ("Bearer", None),
        ("Bearer ", None),
        ("Basic abc", None),
        ("abc", None),
    ],
)
async def test_bearer(client: Client, header: str, token: str | None) -> None:
    """A token is what follows `Bearer`, in any case."""
    response = await client.get("/token", headers={"Authorization": header})
    assert await response.json() == token


async def test_a_body_that_does_not_come(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    """A client that stops in the middle of its body is told so, and let go."""
    monkeypatch.setattr(requests, "BODY_S", 0.05)
    reader, writer = await asyncio.open_connection(client.server.host, client.server.port)
    head = "POST /things HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
    writer.write(f'{head}Content-Length: 20\r\n\r\n{{"name"'.encode())
    answer = await asyncio.wait_for(reader.readuntil(b"\r\n"), 5)
    assert answer.startswith(b"HTTP/1.1 408 ")
    writer.close()
