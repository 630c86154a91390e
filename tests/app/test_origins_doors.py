"""Every door in development: hosts and pages that are not this machine's are refused.

Requests are written byte by byte: these are the headers that a browser sends for a page.
"""

import asyncio
import json
import re
from dataclasses import replace
from urllib.parse import urlsplit

import pytest

from app.main import create_app
from app.settings import PRODUCTION
from models.accounts import Accounts
from tests.live import PATIENCE_S, Server

UPGRADE = {
    "Connection": "Upgrade",
    "Upgrade": "websocket",
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
}
PING = b"\x89\x80\x00\x00\x00\x00"
RAW_DOORS = ("/ws", "/api/v1/ws", "/ws/{user_id}", "/api/v1/ws/{user_id}")
SOCKETIO = "/socket.io/?EIO=4&transport="
OPAQUE = ["null", "file://"]
PHONE = "0912345678"
EVIL = "http://evil.example:8080"


async def ask(url, *lines, target="/health", method="GET", body=b"", version="1.1"):
    """Send a request with these header lines; returns status, headers and body of the answer."""
    parts = urlsplit(url)
    reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
    request = [f"{method} {target} HTTP/{version}", *lines]
    if method in ("POST", "PUT", "PATCH"):
        request += ["Content-Type: application/json", f"Content-Length: {len(body)}"]
    else:
        body = b""
    writer.write("\r\n".join([*request, "", ""]).encode("utf-8", "surrogateescape") + body)
    async with asyncio.timeout(PATIENCE_S):
        answer = await reader.readuntil(b"\r\n\r\n")
        status = int(answer.split(b" ", 2)[1])
        head = answer.decode().lower()
        if status == 101:
            # The answer to a ping tells more, or what comes before it: a close with its code.
            writer.write(PING)
            content = await reader.read(1000)
        elif method == "HEAD":
            content = b""
        elif length := re.search(r"content-length: ([0-9]+)", head):
            content = await reader.readexactly(int(length[1]))
        else:
            content = await reader.read()
    writer.close()
    return status, head, content


def closed_with(content):
    """Return the code of a close frame, None for another frame."""
    return int.from_bytes(content[2:4], "big") if content[:1] == b"\x88" else None


def lines_of(headers):
    return [f"{name}: {value}" for name, value in headers.items()]


@pytest.fixture
async def doors(settings, store, passwords, listening):
    """A development server, and all its methods and paths as the application lists them."""
    app = await create_app(replace(settings, cors_origins=("https://listed.example",)))
    url = await listening.start(app)
    accounts = Accounts(store.database, passwords)
    server = Server(url, listening.stack, listening.http, settings=settings, accounts=accounts)
    routes = sorted(
        {
            (route.method.replace("*", "GET"), route.resource.canonical)
            for route in app.router.routes()
            if route.resource is not None
        }
    )
    return server, routes


def filled(path):
    return path.replace("{user_id}", PHONE).replace("{", "").replace("}", "")


UNPROVED = ["User-Email: eve@example.com", f"Authorization: Bearer {PHONE}"]
"""What would let a request in at the doors of chat, were it believed."""


async def test_no_route_is_reached_from_elsewhere(doors, store):
    """All routes, the page and files among them, refuse a rebound name and a foreign page.

    Neither has any effect, whatever credential that proves nothing comes along.
    """
    server, routes = doors
    assert {"/", "/assets/{hash}/{name}", "/socket.io/", "/stories", *RAW_DOORS} <= {
        p for _, p in routes
    }
    for method, path in [*routes, ("OPTIONS", "/stories"), ("GET", "/there/is/no/such/path")]:
        upgrade = lines_of(UPGRADE) if path in RAW_DOORS else []
        body = b'{"content": "x", "user_id": 1, "type": "system", "title": "x", "message": "x"}'
        for lines, status, code in (
            (["Host: evil.example:8080", f"Origin: {EVIL}"], 421, "host_not_allowed"),
            (["Host: evil.example"], 421, "host_not_allowed"),
            (["Host: localhost:8080", f"Origin: {EVIL}"], 403, "origin_not_allowed"),
        ):
            answer = await ask(
                server.url,
                *(*lines, *upgrade, UNPROVED[0]),
                method=method,
                target=filled(path),
                body=body,
            )
            assert (answer[0], method, path) == (status, method, path)
            assert "application/problem+json" in answer[1]
            if method != "HEAD":
                assert json.loads(answer[2])["code"] == code
            assert "access-control-allow-methods" not in answer[1]
    for name in ("accounts", "notifications", "chat_messages"):
        assert await store.database[name].find_one({}) is None


async def test_hosts_and_pages_of_this_machine_come_in(doors):
    """This machine's names, IP literals and what is listed may be a host and a page's origin."""
    server, _ = doors
    ws = lines_of(UPGRADE)
    hosts = ["localhost:8080", "LOCALHOST", "a.localhost:3000", "127.0.0.1", "192.168.1.5:8080"]
    hosts += ["[::1]:8080", "8.8.8.8:8080", "listed.example"]
    origins = ["http://localhost:3000", "https://a.localhost", "http://10.0.0.9", "http://[::1]:1"]
    origins += ["https://listed.example"]
    for target, upgrade, status in (
        *(("/health", [], 200), ("/", [], 200), (f"{SOCKETIO}polling", [], 200)),
        *((f"{SOCKETIO}websocket", ws, 101), ("/api/v1/ws/7?token=x", ws, 101)),
    ):
        for lines in (
            *([f"Host: {host}"] for host in hosts),
            *([f"Host: {host}", f"Origin: http://{host.lower()}"] for host in hosts),
            *(["Host: localhost:8080", f"Origin: {origin}"] for origin in origins),
        ):
            answer = await ask(server.url, *lines, *upgrade, target=target)
            assert (answer[0], lines) == (status, lines)


MALFORMED_AND_FOREIGN = [
    ([], 400),
    (["Host:"], 400),
    (["Host: localhost", "Host: localhost"], 400),
    (["Host: localhost", "Host: evil.example"], 400),
    (["Host: localhost, evil.example"], 400),
    (["Host: localhost."], 400),
    (["Host: evil.example."], 400),
    (["Host: localhost:99999"], 400),
    (["Host: localhost:8080:8080"], 400),
    (["Host: [::1"], 400),
    (["Host: [::1]evil.example"], 400),
    (["Host: localhost@evil.example"], 400),
    (["Host: evil.example@localhost"], 400),
    (["Host: 127.1"], 400),
    (["Host: 2130706433"], 400),
    (["Host: localh\u00f6st"], 400),
    (["Host: localhost.evil.example"], 421),
    (["Host: notlocalhost"], 421),
    (["Host: 127.0.0.1.evil.example"], 421),
    (["Host: 127-0-0-1.evil.example"], 421),
    (["Host: EVIL.example", "X-Forwarded-Host: localhost"], 421),
    (["Host: evil.example", "Forwarded: host=localhost"], 421),
    (["Host: localhost", "Origin: http://localhost", "Origin: http://evil.example"], 403),
    (["Host: localhost", "Origin:"], 403),
    (["Host: localhost", "Origin: http://localhost."], 403),
    (["Host: localhost", "Origin: http://localhost:99999"], 403),
    (["Host: localhost", "Origin: http://localhost@evil.example"], 403),
    (["Host: localhost", "Origin: http://evil.example@localhost"], 403),
    (["Host: localhost", "Origin: http://[::1"], 403),
    (["Host: localhost", "Origin: http://localhost/"], 403),
    (["Host: localhost", "Origin: http://localhost http://evil.example"], 403),
    (["Host: localhost", "Origin: https://listed.example.evil.example"], 403),
    (["Host: localhost", "Origin: http://listed.example"], 403),
    (["Host: localhost", "Origin: chrome-extension://abc"], 403),
    (["Host: localhost", f"Origin: {EVIL}", "X-Forwarded-Host: evil.example:8080"], 403),
]


async def test_malformed_and_foreign(doors):
    """A host or an origin that is doubtful in any way is refused, over REST and at raw doors."""
    server, _ = doors
    for target, upgrade in (("/health", []), (f"/api/v1/ws/{PHONE}", lines_of(UPGRADE))):
        for lines, status in MALFORMED_AND_FOREIGN:
            answer = await ask(server.url, *lines, *upgrade, target=target)
            assert (answer[0], lines) == (status, lines)
            # Two Host headers are refused by aiohttp's parser, in plain text.
            assert "problem+json" in answer[1] or status == 400


async def test_an_absolute_request_target(doors):
    """What proxies are sent must agree with `Host`, and is judged by the same rules."""
    server, _ = doors
    for target, host, status in (
        ("http://localhost:8080/health", "localhost:8080", 200),
        ("http://evil.example/health", "localhost:8080", 400),
        ("http://localhost:8080/health", "evil.example", 400),
        ("http://evil.example/health", "evil.example", 421),
        ("http://localhost@evil.example/health", "localhost", 400),
        ("ftp://localhost/health", "localhost", 400),
        ("//evil.example/health", "localhost", 404),
    ):
        answer = await ask(server.url, f"Host: {host}", target=target)
        assert (answer[0], target, host) == (status, target, host)


async def test_http_1_0_without_a_host(doors):
    """Health checks that speak HTTP/1.0 get their answer; a `Host` they do send is judged."""
    server, _ = doors
    assert (await ask(server.url, version="1.0"))[0] == 200
    assert (await ask(server.url, "Host: evil.example", version="1.0"))[0] == 421


@pytest.mark.parametrize("origin", [*OPAQUE, "http://8.8.8.8:8080"])
async def test_a_page_that_names_nobody_needs_a_real_token(doors, store, origin):
    """A local file's page, or a public address, opens raw doors with a token and not without.

    No door takes from it an e-mail address, a phone number, a path or a missing service token, and
    a file's page opens raw doors only.
    """
    server, _ = doors
    lines = ["Host: localhost:8080", f"Origin: {origin}"]
    ws = lines_of(UPGRADE)
    email, phone = UNPROVED
    refused = [
        await ask(server.url, *lines, *ws, email, target="/api/v1/ws"),
        await ask(server.url, *lines, *ws, target=f"/api/v1/ws?token={PHONE}"),
        await ask(server.url, *lines, *ws, target=f"/ws/{PHONE}?token={PHONE}"),
        await ask(server.url, *lines, *ws, phone, target=f"/ws/{PHONE}"),
        await ask(server.url, *lines, *ws, target=f"/api/v1/ws/{PHONE}"),
        await ask(server.url, *lines, *ws, target="/api/v1/ws/7"),
        await ask(server.url, *lines, *ws, target="/ws"),
        await ask(server.url, *lines, email, target="/api/v1/conversations"),
        await ask(server.url, *lines, phone, target="/api/v1/conversations"),
        await ask(server.url, *lines, email, target="/api/v1/messages", method="POST", body=b"{}"),
        await ask(server.url, *lines, target="/api/v1/notifications", method="POST", body=b"{}"),
    ]
    for status, _, content in refused:
        rest = 403 if origin in OPAQUE else 401
        assert status in (rest, 401) or closed_with(content) == 4001
    assert await store.database["accounts"].find_one({}) is None

    account = await server.account("ann")
    token = server.issue(account)
    for path in (*RAW_DOORS[:2], f"/ws/{account.id}", f"/api/v1/ws/{account.id}"):
        reached = await ask(server.url, *lines, *ws, target=f"{path}?token={token}")
        assert reached[0] == 101
        assert closed_with(reached[2]) is None
    # Else a frame of any site could sign up, and be somebody.
    for target, upgrade, status in (
        *(("/api/v1/conversations", [], 200), (f"{SOCKETIO}polling", [], 200)),
        *((f"{SOCKETIO}websocket", ws, 101), ("/", [], 200)),
    ):
        answer = await ask(
            server.url, *lines, *upgrade, f"Authorization: Bearer {token}", target=target
        )
        assert answer[0] == (403 if origin in OPAQUE else status), target


async def test_pages_of_this_machine_may_be_believed(doors):
    """The credentials of the documents work as printed: without a page, and for a local one."""
    server, _ = doors
    email, _ = UNPROVED
    for page in ([], ["Origin: http://localhost:3000"], ["Origin: https://listed.example"]):
        lines = ["Host: localhost:8080", *page]
        for extra, target in (
            ([email], "/api/v1/ws"),
            ([], f"/ws/{PHONE}?token={PHONE}"),
            ([], "/api/v1/ws/7"),
        ):
            status, _, content = await ask(
                server.url, *lines, *lines_of(UPGRADE), *extra, target=target
            )
            assert status == 101
            assert closed_with(content) is None
        assert (await ask(server.url, *lines, email, target="/api/v1/conversations"))[0] == 200


async def test_a_star_names_nobody(serve):
    """`CORS_ORIGINS=*` lets every page call with a token; it vouches for no page and no host."""
    server = await serve(cors_origins=("*",))
    lines = ["Host: localhost:8080", f"Origin: {EVIL}"]
    assert (await ask(server.url, *lines))[0] == 200
    status, _, content = await ask(server.url, *lines, *lines_of(UPGRADE), target="/api/v1/ws/7")
    assert (status, closed_with(content)) == (101, 4001)
    assert (await ask(server.url, "Host: evil.example:8080", f"Origin: {EVIL}"))[0] == 421


async def test_a_name_to_listen_at(serve):
    """The name in HOST is one this server answers as, and so may pages of it."""
    server = await serve(host="box.lan")
    assert (await ask(server.url, "Host: box.lan:8080", "Origin: http://box.lan:3000"))[0] == 200
    assert (await ask(server.url, "Host: other.lan:8080"))[0] == 421


async def test_in_production(serve):
    """The platform decides about hosts; only what is listed, and our own page, may connect."""
    server = await serve(environment=PRODUCTION, cors_origins=("https://listed.example",))
    assert (await ask(server.url, "Host: any.platform.example"))[0] == 200
    assert (await ask(server.url, "Host: a.example", "Host: b.example"))[0] == 400
    assert (await ask(server.url, "Host: user@a.example"))[0] == 400
    token = await server.token("ann")
    for origin, status in (
        *(("https://listed.example", 101), ("http://any.platform.example", 101)),
        *(("null", 403), ("http://localhost:3000", 403), ("http://127.0.0.1", 403), (EVIL, 403)),
    ):
        lines = ["Host: any.platform.example", f"Origin: {origin}", *lines_of(UPGRADE)]
        for target in (f"/ws?token={token}", f"{SOCKETIO}websocket"):
            answer = await ask(server.url, *lines, target=target)
            assert (origin, answer[0]) == (origin, status)
    listed = await serve(environment=PRODUCTION, cors_origins=("null",))
    lines = ["Host: a.example", "Origin: null", *lines_of(UPGRADE)]
    assert (await ask(listed.url, *lines, target=f"{SOCKETIO}websocket"))[0] == 101
