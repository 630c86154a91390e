"""Who is asking, behind proxies."""

import pytest
from aiohttp import web
from aiohttp.test_utils import make_mocked_request
from multidict import CIMultiDict

from app.proxies import forwarded


async def seen(trusted, *headers):
    """Return remote address and scheme as a handler sees them."""
    found = []

    async def handler(request):
        found.append((request.remote, request.scheme))
        return web.Response()

    request = make_mocked_request("GET", "/", headers=CIMultiDict(headers))
    request = request.clone(remote="10.0.0.1")
    await forwarded(trusted)(request, handler)
    return found[0]


FOR = "X-Forwarded-For"
PROTO = "X-Forwarded-Proto"


@pytest.mark.parametrize(
    ("trusted", "headers", "expected"),
    [
        (0, [], ("10.0.0.1", "http")),
        (0, [(FOR, "203.0.113.7"), (PROTO, "https")], ("10.0.0.1", "http")),
        (1, [], ("10.0.0.1", "http")),
        (1, [(FOR, "203.0.113.7"), (PROTO, "https")], ("203.0.113.7", "https")),
        (1, [(FOR, "6.6.6.6, 203.0.113.7")], ("203.0.113.7", "http")),
        (1, [(FOR, "6.6.6.6"), (FOR, "203.0.113.7")], ("203.0.113.7", "http")),
        (2, [(FOR, "6.6.6.6, 203.0.113.7, 10.0.0.2")], ("203.0.113.7", "http")),
        (2, [(FOR, "203.0.113.7")], ("10.0.0.1", "http")),
        (1, [(FOR, "203.0.113.7,")], ("10.0.0.1", "http")),
        (1, [(FOR, "2001:db8::7")], ("2001:db8::7", "http")),
        (1, [(FOR, "203.0.113.7:4711")], ("203.0.113.7", "http")),
        (1, [(FOR, "[2001:db8::7]")], ("2001:db8::7", "http")),
        (1, [(FOR, "[2001:DB8:0::7]:4711"), (PROTO, "HTTPS")], ("2001:db8::7", "https")),
        (1, [(FOR, '"[2001:db8::7]:4711"')], ("2001:db8::7", "http")),
        (1, [(FOR, "::ffff:203.0.113.7")], ("203.0.113.7", "http")),
        (2, [(FOR, "[2001:db8::7]:1, 10.0.0.2:80")], ("2001:db8::7", "http")),
        (1, [(FOR, "unknown"), (PROTO, "https")], ("10.0.0.1", "https")),
        (1, [(FOR, "203.0.113.7:port")], ("10.0.0.1", "http")),
        (1, [(FOR, "[203.0.113.7")], ("10.0.0.1", "http")),
        (1, [(FOR, "1.2.3.4.5")], ("10.0.0.1", "http")),
        (1, [(FOR, "\xff" * 5000)], ("10.0.0.1", "http")),
        (1, [(FOR, "203.0.113.7"), (PROTO, "gopher")], ("203.0.113.7", "http")),
        (1, [(FOR, "203.0.113.7"), (PROTO, "http, https")], ("203.0.113.7", "https")),
    ],
)
async def test_the_address_that_our_proxy_saw(trusted, headers, expected):
    """What a trusted proxy appended counts; what a client wrote before it does not."""
    assert await seen(trusted, *headers) == expected


async def test_guesses_are_limited_by_the_forwarded_address(serve):
    """Behind the router each client has its own share of failed logins."""
    server = await serve(trusted_proxies=1, login_attempts_per_minute=2)
    http = server._http

    async def fail(address, number):
        login = {"email": f"nobody{number}@example.com", "password": "wrong password"}
        headers = {FOR: f"6.6.6.{number}, {address}"}
        async with http.post(f"{server.url}/login", json=login, headers=headers) as response:
            return response.status

    assert [await fail("203.0.113.7", number) for number in range(3)] == [401, 401, 429]
    assert await fail("203.0.113.8", 9) == 401
