"""A walk over every route and command with values that clients should never send.

What is walked is found in the application itself (`tests.catalogue`). Whatever is sent, the answer
is no failure of the server, refusals are short, and the work that a refusal causes is bounded.
"""

import itertools
import json
import logging
from collections.abc import Iterator
from dataclasses import dataclass, fields, replace
from http import HTTPStatus
from typing import Any

import pytest
from marshmallow import ValidationError
from yarl import URL

from app.main import create_app
from app.realtime.socketio.packets import NAMESPACE_MAX
from app.rest.idempotency import EXCEPT, HEADER, NOT_VALID
from app.rest.requests import AUTHENTICATE
from app.settings import Limits
from models.accounts import Accounts, Passwords
from models.errors import Invalid
from models.fields import Bounded, Input, load
from namespaces.base import Caller
from tests.app.http.raw import Raw
from tests.catalogue import (
    Application,
    Route,
    Watching,
    every_command,
    example,
    make_world,
    routes_of,
)
from tests.conftest import CHEAP
from tests.live import Server

ERROR_BYTES = 4096
"""Of an answer that refuses."""

WORK = 300
"""Values that one refusal may have looked at: a few more than the longest list has elements."""

NOT_CONFIGURED = {"mail_not_available"}
"""Codes of what a server with the default settings cannot do."""

LONG = 100_000
DEEP = 1_000


def nested(depth: int) -> Any:
    value: Any = "x"
    for _ in range(depth):
        value = {"a": [value]}
    return value


NASTY: list[Any] = [
    *("@a" * 4_999, "ﷺ" * 100, "$ne", "\u202eevil\na:b", 10**15, -0.5, None, "x" * 128, "../.."),
    *("", " ", "1", "0", "-1", "true", "\0", "a\0b", "\u200b", "2026-02-30", "9999-12-31"),
    *("e" + "\u0301" * 5_000, "\u0f73" * 5_000, "x" * 65_536, "🎉" * 16_384, "@" * 9_999),
    *(True, 0, -1, 2**63, 10**300, 1e308, 1e-300),
    *([], {}, [None], [[]], [{}], ["x"], {"$gt": ""}, {"a": 1}, {"title": {}}, nested(20)),
]
"""Values for any field, none of them long enough for a body of several to be too large."""

NASTY_LONG: list[Any] = [
    *([""] * LONG, [{}] * LONG, ["x"] * LONG, [[[]]] * LONG, list(range(LONG))),
    *({str(number): number for number in range(LONG)}, "x" * 500_000, nested(400)),
]

UNKNOWN = json.dumps({f"unknown {number}": 1 for number in range(50_000)})
RAW = [
    *("[]", '"x"', "null", "7", "{", "", '{"a": NaN}', '{"a": 1e400}', '{"a": "\\ud800"}'),
    *('{"\\udfff": 1}', '{"a": ' + "9" * 5000 + "}", '{"a":' * DEEP + "0" + "}" * DEEP),
    *("[" * LONG, UNKNOWN, json.dumps({"k" * 500_000: 1}), '{"a": 1, "a": 2}'),
]
"""Bodies that no schema accepts."""

SEGMENTS = [
    *("%00%0A", "%ED%A0%80%FF", "..%2F%E2%80%AE", "x" * 900, "%CC%81" * 150, "9" * 400),
]
"""Path parameters and query values, percent-encoded."""

HEADERS = {
    "Authorization": ("Bearer", "Bearer " + "x" * 4000, "Bearer a.b.c", "Bearer é", "Basic x"),
    "User-Email": ("", "x" * 4000, "é@é", "a@b@c", "\t", "a@" + "b." * 1000),
    HEADER: ("", '"', "x" * 4000, "a b", "é"),
    "Content-Type": ("text/plain", "application/json; charset=x", "x", "multipart/form-data"),
    "Content-Length": ("-1", "9" * 40),
    "Range": ("bytes=9-1", "bytes=" + "0-1," * 800, "x"),
    "If-None-Match": ('"', "*", '"x", ' * 700),
    "If-Range": ('"', "x" * 4000),
    "Origin": ("null", "x" * 4000, "http://é", "http://["),
    "Host": ("", "x" * 4000, "[", "a:b:c"),
    "X-Forwarded-For": ("", "x" * 4000, "1," * 2000),
    "X-Forwarded-Proto": ("x" * 4000,),
}


NO_TEXT = [
    *(b"\xff", b"Bearer \xff.\xff.\xff", b"\xed\xa0\x80", b"bytes=\xff-", b't=\xff,v1="\xff"'),
]
"""Values of headers that no client of ours sends, as bytes."""

HEADERS_READ = (
    *("Authorization", "User-Email", "User-Agent", HEADER, "If-None-Match", "If-Match", "If-Range"),
    *("If-Modified-Since", "Range", "Content-Type", "Stripe-Signature", "X-Forwarded-For"),
    *("X-Forwarded-Proto", "Origin", "Accept", "Accept-Encoding", "Cookie", "Expect", "Referer"),
    *("Access-Control-Request-Method", "Access-Control-Request-Headers", "Sec-WebSocket-Key"),
    *("Sec-WebSocket-Protocol", "Sec-WebSocket-Version"),
)
FRAMING = ("Host", "Connection", "Upgrade", "Transfer-Encoding", "Content-Encoding", "TE")
"""What makes a request another one, or none."""


QUERY_IS_IGNORED = {"/api/v1/uploads/{upload_id}"}
"""Files, whose addresses stand in pages that may add to them so that a copy is not used."""


@dataclass
class Connection:
    """A connection that does not mind its rooms."""

    def __hash__(self) -> int:
        return id(self)

    def enter(self, room: str) -> None:
        """Be in a room."""

    def leave(self, room: str) -> None:
        """Be no longer in it."""


@pytest.fixture
async def application(monkeypatch, settings, store, passwords, listening) -> Application:
    """An application whose limits on rates no walk reaches; every schema of its routes is known."""
    watching = Watching(monkeypatch)
    monkeypatch.setattr("app.main.Passwords", lambda: Passwords(CHEAP))
    rates = ("_per_", "_burst")
    often = {
        limit.name: 10**6 for limit in fields(Limits) if any(part in limit.name for part in rates)
    }
    chosen = replace(settings, limits=replace(settings.limits, **often))
    app = await create_app(chosen)
    url = await listening.start(app)
    accounts = Accounts(store.database, passwords)
    server = Server(url, listening.stack, listening.http, settings=chosen, accounts=accounts)
    made = Application(server, routes_of(app), watching.commands, watching.bodies, watching.queries)
    made.authenticate = app[AUTHENTICATE]
    token = await server.token("prober")
    for route in made.routes:
        nothing = dict.fromkeys(route.parameters, "1")
        await request(made, token, route, route.target(nothing), b"{}")
    return made


async def request(
    app: Application,
    token: str | None,
    route: Route,
    target: str,
    data: bytes | None = None,
    headers: dict[str, str] | None = None,
) -> tuple[int, bytes, dict[str, str]]:
    """Make a request as it is written, and check what is true of every answer."""
    sent = {"Authorization": f"Bearer {token}"} if token else {}
    if data is not None and route.method != "GET":
        sent["Content-Type"] = "application/json"
    url = URL(app.server.url + target, encoded=True)
    async with app.server._http.request(
        route.method,
        url,
        data=data if route.method != "GET" else None,
        headers=sent | (headers or {}),
        allow_redirects=False,
    ) as response:
        body = await response.read()
        known = response.status == 503 and json.loads(body)["code"] in NOT_CONFIGURED
        answered = response.status < 500 or known
        assert answered, (str(route), target[:200], data and data[:200], body[:500])
        if response.status >= 400:
            assert len(body) <= ERROR_BYTES, (str(route), target[:200], len(body))
        return response.status, body, dict(response.headers)


def payloads(
    schema: Input, valid: dict[str, Any], values: list[Any], single: int = 3
) -> Iterator[dict[str, Any]]:
    """Yield objects with each value in all fields, and with some alone where they are accepted.

    `single` is how many each field has alone: each may be several queries.
    """
    names = {field.data_key or name: field for name, field in schema.load_fields.items()}
    yield from (dict.fromkeys(names, value) for value in values if names)
    yield from ({**valid, unknown: 1} for unknown in ("x", "$where", "\0", "x" * 100_000))
    for name, field in names.items() if single else ():
        accepted = (value for value in values if accepts(field, value))
        yield from (valid | {name: value} for value in itertools.islice(accepted, single))


def refusal(schema: Input, payload: object) -> Invalid | None:
    try:
        load(schema, payload)
    except Invalid as error:
        return error
    return None


def accepts(field: Any, value: Any) -> bool:
    try:
        field.deserialize(value)
    except ValidationError:
        return False
    return True


def count_values(monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    """Count the values that fields look at, from now on; `next` counts one more."""
    looked_at = itertools.count()
    deserialize = Bounded.deserialize

    def counted(field: Any, *args: Any, **options: Any) -> Any:
        next(looked_at)
        return deserialize(field, *args, **options)

    monkeypatch.setattr(Bounded, "deserialize", counted)
    return looked_at


def assert_no_failure(caplog: pytest.LogCaptureFixture) -> None:
    """Nothing was logged as a failure of the server."""
    failures = [record for record in caplog.records if record.levelno >= logging.ERROR]
    assert not failures, [(record.getMessage(), record.exc_text) for record in failures]


@pytest.mark.parametrize(
    ("domain", "name", "schema"), every_command(), ids=lambda value: str(value)[:40]
)
def test_every_command_has_an_example(domain, name, schema):
    """A field that is new and missing in the catalogue fails here, by its name."""
    assert isinstance(schema, Input)
    example(schema, name)


async def test_commands_with_nasty_values(application, caplog, monkeypatch):
    """Each command answers anything with data or one short error, after little work."""
    token = await application.server.token("owner")
    world = await make_world(application, token)
    caller = Caller(await application.authenticate(token), Connection())
    looked_at = count_values(monkeypatch)
    for commands in application.commands:
        await commands.arrived(caller)
    unknown = json.loads(UNKNOWN)
    walked = 0
    for commands, name, schema in application.each_command():
        valid = example(schema, name, world)
        objects = itertools.chain(
            payloads(schema, valid, NASTY + NASTY_LONG),
            [valid | unknown, unknown, None, [], "x", 7],
        )
        for payload in objects:
            before = next(looked_at)
            answer = await commands.run(caller, name, payload)
            if "error" in answer:
                small = len(json.dumps(answer)) <= ERROR_BYTES
                small = small and next(looked_at) - before < WORK
                assert answer["error"]["code"] != "internal", (name, str(payload)[:500])
                assert small, (name, str(payload)[:500])
            walked += 1
    assert walked > 1_000
    assert_no_failure(caplog)


async def test_schemas_of_routes_with_nasty_values(application, monkeypatch):
    """Each schema that a route loads accepts a value or says in short what is wrong with it."""
    looked_at = count_values(monkeypatch)
    schemas = {**application.bodies, **application.queries}
    assert len(application.bodies) > 40
    assert len(application.queries) > 10
    for schema in schemas.values():
        valid, unknown = example(schema), json.loads(UNKNOWN)
        wrong = [valid | unknown, unknown, *payloads(schema, valid, NASTY + NASTY_LONG, single=0)]
        for payload in wrong:
            before = next(looked_at)
            error = refusal(schema, payload)
            if error is not None:
                small = len(json.dumps(error.fields)) <= ERROR_BYTES
                assert small, str(payload)[:500]
                assert next(looked_at) - before < WORK, str(payload)[:500]


async def test_routes_with_nasty_values(application, caplog):
    """Each route answers any body, path and query with 2xx to 4xx, and refuses in short."""
    app = application
    token = await app.server.token("owner")
    world = await make_world(app, token)
    read_alike = itertools.count()
    for route in app.routes:
        ids = {name: world.get(route.id_name(name), "1") for name in route.parameters}
        for segment in SEGMENTS if ids else ():
            await request(app, token, route, route.target(dict.fromkeys(ids, segment)), b"{}")
        schema = app.queries.get(route)
        if schema is not None:
            names = list(schema.load_fields)
            queries = ["&".join(f"{name}={text}" for name in names) for text in SEGMENTS]
            queries += [f"{name}={text}" for name in names for text in ("", "1", "x" * 100)]
            queries.append("&".join(f"u{number}=1" for number in range(900)))
            for query in queries:
                await request(app, token, route, f"{route.target(ids)}?{query}", b"{}")
        schema = app.bodies.get(route)
        if schema is not None:
            valid = example(schema, world=world)
            bodies = map(json.dumps, payloads(schema, valid, [*NASTY[:12], [""] * LONG]))
            # Every body is read by the same function: only some routes get all of these.
            raw = RAW if next(read_alike) % 10 == 0 else RAW[:1]
            for data in itertools.chain(bodies, raw):
                if len(data) < 1_000_000:
                    await request(app, token, route, route.target(ids), data.encode())
    assert_no_failure(caplog)


async def test_routes_with_unknown_parameters(application):
    """A query is never ignored: what a route does not know, or is sent twice, is named in a 422."""
    app = application
    token = await app.server.token("owner")
    world = await make_world(app, token)
    routes = [
        route
        for route in app.routes
        if route.method == "GET" and route.path.startswith(("/api/", "/stories"))
    ]
    asked = 0
    for route in routes:
        if "/ws" in route.path or route.path in QUERY_IS_IGNORED:
            continue
        ids = {name: world.get(route.id_name(name), "1") for name in route.parameters}
        names = ["nonsense"]
        schema = app.queries.get(route)
        if schema is not None:
            names += [field.data_key or name for name, field in schema.load_fields.items()]
        for name in names:
            target = f"{route.target(ids)}?{name}=1&{name}=2"
            status, body, _ = await request(app, token, route, target)
            assert status == HTTPStatus.UNPROCESSABLE_ENTITY, (str(route), name, status)
            assert name in json.loads(body)["errors"], (str(route), name)
        status, body, _ = await request(app, token, route, f"{route.target(ids)}?nonsense=1")
        assert status == HTTPStatus.UNPROCESSABLE_ENTITY, (str(route), status)
        assert "nonsense" in json.loads(body)["errors"], str(route)
        asked += 1
    assert asked > 30


async def test_routes_with_nasty_headers(application, caplog):
    """Headers of any content are refused or ignored at each kind of route."""
    app = application
    token = await app.server.token("owner")
    world = await make_world(app, token)
    paths = ("/stories", "/api/v1/messages", "/api/v1/uploads/{upload_id}", "/api/v1/uploads")
    routes = [route for route in app.routes if route.path in paths and route.method != "DELETE"]
    assert len(routes) > 5
    for route, (name, values) in itertools.product(routes, HEADERS.items()):
        if name == "Content-Length":
            continue
        for value in values:
            await request(app, token, route, route.target(world), b"{}", {name: value})
    assert_no_failure(caplog)


async def test_routes_with_bytes_that_are_no_text(application, caplog):
    """Headers, paths and queries whose bytes are no UTF-8 are refused or ignored everywhere."""
    app = application
    token = f"Bearer {await app.server.token('owner')}".encode()
    everything = itertools.cycle(dict.fromkeys(HEADERS_READ, value) for value in NO_TEXT)
    single = [{name: NO_TEXT[0]} for name in (*HEADERS_READ, *FRAMING)]
    full = ("/stories", "/api/v1/uploads/{upload_id}", "/ws")
    for route in app.routes:
        target = route.target(dict.fromkeys(route.parameters, "1")).encode()
        odd = route.target(dict.fromkeys(route.parameters, "%FF%00")).encode()
        asked = [(target, headers) for headers in itertools.islice(everything, 2)]
        asked += [(target, headers) for headers in single if route.path in full]
        asked += [(odd + query, {}) for query in (b"?q=%00&after=%FF&limit=1_0", b"?q=\xff&\xff=1")]
        asked += [(odd, {"Authorization": b"Bearer \xff"})]
        for path, headers in asked:
            status = await raw_request(app, route.method, path, {"Authorization": token} | headers)
            assert status < 500 or status == 503, (str(route), path, headers)
    assert_no_failure(caplog)


async def raw_request(
    app: Application, method: str, target: bytes, headers: dict[str, bytes]
) -> int:
    """Make a request of bytes, as they are; the status of its answer."""
    client = await Raw.open(app.server.url)
    client.headed = method == "HEAD"
    sent = {"Host": b"localhost", "Content-Type": b"application/json"} | headers
    if "Transfer-Encoding" not in sent:
        sent.setdefault("Content-Length", b"2")
    lines = [name.encode() + b": " + value for name, value in sent.items()]
    head = b"%s %s HTTP/1.1" % (method.replace("*", "GET").encode(), target)
    client.writer.write(b"\r\n".join([head, *lines, b"", b"{}"]))
    status = (await client.answer()).status
    client.drop()
    return status


async def test_anyone_with_nasty_bodies(application, caplog):
    """Without a token nothing is cheaper to send than to refuse, wherever a body is read first."""
    app = application
    for route in app.routes:
        if route in app.bodies:
            target = route.target(dict.fromkeys(route.parameters, "1"))
            for data in (UNKNOWN, json.dumps({"email": ["x"] * LONG}), "[" * LONG):
                status, _, _ = await request(app, None, route, target, data.encode())
                assert status >= 400
    assert_no_failure(caplog)


async def test_what_belongs_to_another_account(application, caplog):
    """Whatever names a thing of another account is refused, and the thing stays as it was."""
    app = application
    owner, other = await app.server.token("owner"), await app.server.token("other")
    world = await make_world(app, owner)
    shared = {"product_id", "member", "user_id"}
    refused = (HTTPStatus.FORBIDDEN, HTTPStatus.NOT_FOUND)
    for route in app.routes:
        names = {route.id_name(name) for name in route.parameters}
        if not names - shared or not names <= {*world} or "/ws" in route.path:
            continue
        if route.path == "/orders/{order_id}":
            continue  # the page itself, which asks for the order in the reader's name
        ids = {name: world[route.id_name(name)] for name in route.parameters}
        body = app.bodies.get(route)
        query = app.queries.get(route)
        data = example(body, world=world) if body else {}
        target = route.target(ids, example(query, world=world) if query else None)
        status, _, _ = await request(app, other, route, target, json.dumps(data).encode())
        assert status in refused, (str(route), status)
    stranger = Caller(await app.authenticate(other), Connection())
    for commands, name, schema in app.each_command():
        payload = example(schema, name, world)
        if {key for key in payload if key == "id" or key.endswith("_id")} - shared:
            answer = await commands.run(stranger, name, payload)
            if not is_harmless(name):
                assert "error" in answer, (name, answer)
    assert_no_failure(caplog)
    for path in ("/stories/{story_id}", "/api/v1/diary/goals/{goal_id}"):
        target = Route("GET", path).target(world)
        assert (await app.server.call(owner, "GET", target))[0] == 200


def is_harmless(command: str) -> bool:
    """Whether a command only stops what its own connection hears."""
    return command == "leave_channel"


async def test_every_post_route_keeps_its_key(application):
    """Each POST route answers a repeat as before, but what was not valid leaves the key free."""
    app = application
    token = await app.server.token("owner")
    world = await make_world(app, token)
    routes = [route for route in app.routes if route.method == "POST"]
    assert set(EXCEPT) <= {route.path for route in routes}
    kept = 0
    for number, route in enumerate(routes):
        if route.path in EXCEPT or route.path == "/socket.io/":
            continue
        schema = app.bodies.get(route)
        ids = {name: world.get(route.id_name(name), "1") for name in route.parameters}
        bodies = [example(schema, world=world) if schema else {}, {"unknown": 1}]
        target, headers = route.target(ids), {HEADER: f"key-{number}"}
        valid, wrong = (json.dumps(body).encode() for body in bodies)
        if schema is not None:
            for _ in range(2):
                status, _, answered = await request(app, token, route, target, wrong, headers)
                assert (status, "Idempotency-Replayed" in answered) == (422, False), str(route)
        first = await request(app, token, route, target, valid, headers)
        again = await request(app, token, route, target, valid, headers)
        if first[0] in NOT_VALID or first[0] >= 500:
            continue
        kept += 1
        assert again[:2] == first[:2], str(route)
        assert again[2].get("Idempotency-Replayed") == "true", str(route)
        status, answer, _ = await request(app, token, route, target, wrong, headers)
        assert (status, json.loads(answer)["code"]) == (422, "key_reused"), str(route)
    assert kept > 20


async def test_sockets_with_nasty_frames(application, caplog):
    """At every socket door a frame is answered in short, or the connection ends; others go on."""
    app = application
    token = await app.server.token("owner")
    account = await app.server.account("owner")
    unknown = json.loads(UNKNOWN[:50_000].rpartition(",")[0] + "}")
    frames = [
        *RAW[:12],
        *(json.dumps(value) for value in NASTY[:40] if value is not None),
        json.dumps({"type": "motivation_requested", **unknown}),
        json.dumps({"event": "typing", "conversationId": "x" * 60_000}),
        json.dumps({"event": "message_read", "messageId": ["x"] * 10_000}),
        json.dumps({"type": "join_channel", "channel_id": "\u202e" * 10_000}),
        json.dumps({"type": "motivation_requested", "current_challenge": "x" * 60_000}),
    ]
    ping = json.dumps({"type": "ping"}), json.dumps({"event": "heartbeat"})
    for path in ("/ws", "/api/v1/ws", f"/ws/{account.id}", f"/api/v1/ws/{account.id}"):
        client = await app.server.open_at(f"{path}?token={token}")
        for frame in frames:
            if len(frame) > 65_000 or '"type": "ping"' in frame:
                continue
            await client.send(frame)
            await client.send(ping[path.startswith("/ws/")])
            while not is_pong(answer := await client.text()):
                assert len(answer) <= ERROR_BYTES or '"echo"' in answer[:20], (path, frame[:200])
    namespace = "/" + "n" * 200
    for packet in (f"40{namespace},", f"42{namespace}," + '["x"]', "40" + "/x" * (NAMESPACE_MAX)):
        client = await app.server.open_at("/socket.io/?EIO=4&transport=websocket")
        await client.text()
        await client.send(packet)
        assert await client.closed() is not None
    client = await app.server.socketio(token, namespace="/diary")
    steps = {"title": "t", "kind": "steps", "steps": [""] * 190_000}
    answer = await client.call("create_goal", steps)
    assert answer["error"]["fields"].keys() == {"steps"}
    assert len(json.dumps(answer)) <= ERROR_BYTES
    assert "data" in await client.call("list_goals", {})
    assert_no_failure(caplog)


def is_pong(frame: str) -> bool:
    """Whether a frame answers a ping or heartbeat."""
    message = json.loads(frame)
    return message.get("type") == "pong" or message.get("event") == "heartbeat_ack"
