"""How often one may write and read over REST: of an account all requests count, at every route."""

import re

from app.main import create_app
from app.rest.idempotency import EXCEPT
from tests.live import HELLO

WITHOUT_ACCOUNT = {
    *(path for path in EXCEPT if path not in ("/api/v1/auth/logout", "/api/v1/uploads")),
    "/api/v1/notifications",
}
"""POST routes whose callers are no accounts yet, or other services."""


async def test_writes_beyond_the_burst_are_refused(serve):
    """429 with `Retry-After`, whatever is written; reads and other accounts go on."""
    server = await serve(writes_burst=3, writes_per_s=0.01)
    token, other = await server.token("someone"), await server.token("other")
    for _ in range(3):
        await server.story(token)
    async with server._http.post(
        f"{server.url}/stories", json=HELLO, headers={"Authorization": f"Bearer {token}"}
    ) as response:
        assert response.status == 429
        assert (await response.json())["code"] == "too_many_requests"
        assert 90 < int(response.headers["Retry-After"]) <= 100
    assert (await server.call(token, "GET", "/stories"))[0] == 200
    await server.story(other)


async def test_every_route_that_writes_is_limited(serve, settings):
    """All of the application's routes, with a caller who has no write left."""
    server = await serve(writes_burst=1, writes_per_s=0.01)
    token = await server.token("someone")
    await server.story(token)
    app = await create_app(settings)
    routes = {
        (route.method, route.resource.canonical)
        for route in app.router.routes()
        if route.method in ("POST", "PUT", "PATCH", "DELETE")
    }
    await app.cleanup()
    assert len(routes) > 50
    passed = {}
    for method, path in sorted(routes):
        if path in WITHOUT_ACCOUNT:
            continue
        status, answer = await server.call(token, method, re.sub(r"{\w+}", "1", path), {})
        if status != 429:
            passed[method, path] = (status, answer)
    assert passed == {}


async def test_a_repeat_under_a_key_counts_too(serve):
    """A key is no way around the limit; afterwards the kept answer is still there."""
    server = await serve(writes_burst=2, writes_per_s=0.01)
    token = await server.token("someone")
    headers = {"Authorization": f"Bearer {token}", "Idempotency-Key": "k"}
    statuses = []
    for _ in range(3):
        async with server._http.post(f"{server.url}/stories", json=HELLO, headers=headers) as got:
            statuses.append((got.status, got.headers.get("Idempotency-Replayed")))
    assert statuses == [(201, None), (201, "true"), (429, None)]


async def test_reads_beyond_the_burst_are_refused(serve):
    """Of any route."""
    server = await serve(reads_burst=2, reads_per_s=0.01)
    token = await server.token("someone")
    paths = ("/stories", "/api/v1/auth/me", "/api/v1/notifications")
    assert [(await server.call(token, "GET", path))[0] for path in paths] == [200, 200, 429]


async def test_requests_without_a_credential_are_limited_by_address(serve):
    """Also those with a credential that proves nothing; accounts behind the address go on."""
    server = await serve(anonymous_burst=4, anonymous_per_s=0.01)
    token = await server.token("someone")
    asked = [("GET", "/health", None), ("GET", "/stories", None), ("GET", "/stories", "nonsense")]
    answers = [await server.call(token, method, path) for method, path, token in asked * 2]
    assert [status for status, _ in answers] == [200, 401, 401, 200, 429, 429]
    assert (await server.call(token, "GET", "/stories"))[0] == 200
    assert (await (await server.raw(token)).ask({"type": "ping"}))["type"] == "pong"
