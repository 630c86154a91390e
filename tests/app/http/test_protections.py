"""Headers that every answer has."""

from tests.app.http.raw import Raw

HTTPS = {"X-Forwarded-For": "203.0.113.7", "X-Forwarded-Proto": "https"}


async def headers_of(server, method, path, **headers):
    """Make a request without a token; the status and the headers of its answer."""
    async with server._http.request(
        method, f"{server.url}{path}", headers=headers, allow_redirects=False
    ) as response:
        return response.status, response.headers


async def test_headers_of_every_answer(serve):
    """No answer names libraries, none is sniffed, and what is made for a caller is not stored."""
    server = await serve()
    token = await server.token("ann")
    bearer = {"Authorization": f"Bearer {token}"}
    for method, path, sent, expected in (
        ("GET", "/stories", bearer, 200),
        ("GET", "/stories", {}, 401),
        ("GET", "/nowhere", {}, 404),
        ("DELETE", "/stories", {}, 405),
        ("OPTIONS", "/stories", {}, 204),
        ("GET", "/api/v1/diary/export", bearer, 200),
        ("GET", "/socket.io/?EIO=4&transport=polling", {}, 200),
        ("GET", "/socket.io/?EIO=9&transport=polling", {}, 400),
        ("GET", "/", {}, 200),
        ("GET", "/", {"Host": "evil.example"}, 421),
    ):
        status, headers = await headers_of(server, method, path, **sent)
        assert status == expected, path
        assert "Server" not in headers, path
        assert headers["X-Content-Type-Options"] == "nosniff", path
        assert "Strict-Transport-Security" not in headers
        own = "no-cache" if (path, status) == ("/", 200) else "no-store"
        assert headers["Cache-Control"] == own, (path, status)


async def test_what_is_no_request_gets_no_versions(serve):
    """The answer to what cannot be read names no library either."""
    server = await serve()
    for sent in (b"no HTTP\r\n\r\n", b"GET / HTTP/1.1\r\n\r\n"):
        client = await Raw.open(server.url)
        client.writer.write(sent)
        answer = await client.answer()
        assert (answer.status, answer.headers.get("server")) == (400, None)
        client.drop()


async def test_https_is_remembered_in_production(serve):
    """Where a request came by https, browsers are told to come back by https only."""
    server = await serve(environment="production", trusted_proxies=1)
    _, headers = await headers_of(server, "GET", "/health", **HTTPS)
    assert headers["Strict-Transport-Security"] == "max-age=31536000"
    for sent in ({}, HTTPS | {"X-Forwarded-Proto": "http"}):
        _, headers = await headers_of(server, "GET", "/health", **sent)
        assert "Strict-Transport-Security" not in headers
    development = await serve(trusted_proxies=1)
    _, headers = await headers_of(development, "GET", "/health", **HTTPS)
    assert "Strict-Transport-Security" not in headers
