"""Every route and command of an application, found in it, with a valid request for each.

Routes come from the router, commands from the classes of `DOMAINS`; the schema of each is the one
that it really loads. Valid requests are made of `FIELDS` and `IDS`: a new field or path parameter
that is missing here fails the walk.
"""

import io
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, urlencode

import pytest
from aiohttp import FormData, web
from marshmallow import ValidationError
from webargs.aiohttpparser import AIOHTTPParser

from app.domains import DOMAINS, Row
from models.fields import Input
from models.identity import Authenticate
from models.notifications.schema import TYPES
from namespaces.base import Commands
from tests.live import Server
from tests.pictures import PNG

FIELDS: dict[str, Any] = {
    **dict.fromkeys(TYPES, True),
    "amount": 1,
    "attachments": [],
    "carrier": "UPS",
    "card_number": "4242424242424242",
    "content": "hello",
    "token": "no token of a mail",
    "current_password": "password123",
    "new_password": "password1234",
    "current_challenge": "too much work",
    "done": True,
    "email": "walker@example.com",
    "emoji": "🎉",
    "endpoint": "https://push.example.com/send/1",
    "keys": {
        "p256dh": "BCVxsr7N_eNgVRqvHtD0zTZsEc6-VV-JvLexhqUzORcx"
        "aOzi6-AYWXvTBHm4bjyPjs7Vd8pZGH6SRpkNtoIAiw4",
        "auth": "BTBZMqHH6r4Tts7J_aSIgg",
    },
    "kind": "steps",
    "members": ["member@example.com"],
    "mode": "open",
    "message": "Your bid has been matched",
    "name": "Walker",
    "participants": ["member@example.com"],
    "password": "password123",
    "reason": "spam",
    "price": "220.00",
    "refresh_token": "no token of a session",
    "side": "bid",
    "size": "US 9",
    "sizes": ["US 9"],
    "sku": "WALK-1",
    "status": "away",
    "steps": ["first", "second"],
    "text": "hello",
    "title": "A title",
    "tracking": "1Z999",
    "type": "order_paid",
    "user": "1",
    "value": 2,
    "visibility": "PUBLIC",
}
"""A valid value of every required field, and of those without which an object is not valid."""

SOMETHING = {
    "Profile": ("name",),
    "MessageBody": ("content",),
    "SendMessage": ("content",),
    "ConversationBody": ("content",),
    "CreateGoal": ("steps",),
}
"""By schema, the fields that are not required and that a valid object needs one of."""

OVERRIDES: dict[tuple[str, str], Any] = {
    ("CreateChannel", "name"): "walk",
    ("ChangesQuery", "after"): 0,
    ("SendNotification", "user_id"): 1,
    ("EnterDemo", "name"): "Alice",
    ("Decision", "status"): "dismissed",
}

IDS = (
    *("story_id", "conversation_id", "channel_id", "message_id", "upload_id", "product_id"),
    *("order_id", "entry_id", "task_id", "goal_id", "step_id", "user_id", "member"),
    *("payment_id", "report_id"),
)
"""What paths and payloads name; a world has an id for each. A bare `id` is of `ID_OF`."""

ID_OF = {
    "bids": "bid_id",
    "asks": "ask_id",
    "notifications": "notification_id",
    "cancel": "bid_id",
    "read_notification": "notification_id",
    "archive_notification": "notification_id",
}


@dataclass(frozen=True)
class Route:
    """A method and a path as the router has it."""

    method: str
    path: str

    def __str__(self) -> str:
        return f"{self.method} {self.path}"

    @property
    def parameters(self) -> list[str]:
        """The names of the path's parameters."""
        return [part.split("}")[0] for part in self.path.split("{")[1:]]

    def id_name(self, parameter: str) -> str:
        """Name the thing that a parameter names."""
        if parameter != "id":
            return parameter
        return next(ID_OF[part] for part in self.path.split("/") if part in ID_OF)

    def target(self, values: dict[str, str], query: dict[str, Any] | None = None) -> str:
        """Fill the path in, percent-encoded; a query is added."""
        path = self.path
        for name in self.parameters:
            path = path.replace(f"{{{name}}}", quote(values[name], safe="%"))
        return f"{path}?{urlencode(query)}" if query else path


@dataclass
class Application:
    """An application that listens, and what it consists of."""

    server: Server
    routes: list[Route]
    commands: list[Commands]
    bodies: dict[Route, Input] = field(default_factory=dict)
    """The schema of each route's body, for those that have been called."""

    queries: dict[Route, Input] = field(default_factory=dict)
    authenticate: Authenticate | None = None

    def each_command(self) -> Iterator[tuple[Commands, str, Input]]:
        """Yield every command with its schema."""
        for commands in self.commands:
            for name, schema in commands_of(type(commands)):
                yield commands, name, schema


def commands_of(kind: type[Commands]) -> list[tuple[str, Input]]:
    """Return the names and schemas of a class's commands."""
    return [(name, each.request) for name, each in kind.declared().items()]


def every_command() -> list[tuple[str, str, Input]]:
    """Return domain, name and schema of each command of each domain."""
    kinds = [row.commands for row in DOMAINS]
    assert all(isinstance(kind, type) for kind in kinds)
    return [
        (kind.domain, name, schema)  # type: ignore[attr-defined]
        for kind in kinds
        for name, schema in commands_of(kind)  # type: ignore[arg-type]
    ]


def routes_of(app: web.Application) -> list[Route]:
    """Return every route; one for any method is there as GET and POST."""
    found = []
    for route in app.router.routes():
        assert route.resource is not None
        methods = ("GET", "POST") if route.method == "*" else (route.method,)
        found += [Route(method, route.resource.canonical) for method in methods]
    # What removes things comes last, so that the others find them.
    return sorted(found, key=lambda route: (route.method == "DELETE", "leave" in route.path))


def example(schema: Input, command: str = "", world: dict[str, str] | None = None) -> Any:
    """Build an object that the schema accepts.

    Raises:
        AssertionError: a field is missing in this module.
    """
    kind = type(schema).__name__
    made = {}
    for name, wanted in schema.load_fields.items():
        key = wanted.data_key or name
        if not wanted.required and name not in SOMETHING.get(kind, ()):
            continue
        if (kind, name) in OVERRIDES:
            made[key] = OVERRIDES[kind, name]
        elif name in FIELDS:
            made[key] = FIELDS[name]
        else:
            thing = ID_OF.get(command) if name == "id" else name
            assert thing in IDS or thing in ID_OF.values(), f"{kind}.{name} is not in FIELDS or IDS"
            made[key] = (world or {}).get(thing, "1")
    try:
        schema.load(made)
    except ValidationError as error:
        raise AssertionError(f"no valid {kind}: {error.messages}, {made}") from None
    return made


class Watching:
    """Notes the domains that are built and the schemas that routes load."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.commands: list[Commands] = []
        self.bodies: dict[Route, Input] = {}
        self.queries: dict[Route, Input] = {}
        build, parse = Row.build, AIOHTTPParser.parse

        def noted_build(row: Row, *args: Any) -> Any:
            domain = build(row, *args)
            self.commands.append(domain.commands)
            return domain

        async def noted_parse(
            parser: Any, schema: Input, request: web.Request, *, location: str, **options: Any
        ) -> Any:
            route = Route(request.method, request.match_info.route.resource.canonical)
            (self.bodies if location == "json" else self.queries)[route] = schema
            return await parse(parser, schema, request, location=location, **options)

        monkeypatch.setattr(Row, "build", noted_build)
        monkeypatch.setattr(AIOHTTPParser, "parse", noted_parse)


async def make_world(app: Application, token: str) -> dict[str, str]:
    """Make one of everything that belongs to an account; returns their ids by name."""
    server = app.server
    call: Callable[..., Any] = server.call

    async def made(path: str, body: object) -> Any:
        status, answer = await call(token, "POST", path, body)
        assert status == 201, (path, answer)
        return answer.get("data", answer)

    await server.account("member")
    owner_id = (await server.account("owner")).id
    world = {"user_id": owner_id, "member": "member@example.com"}
    story = {"text": "hello", "visibility": "PRIVATE", "audience_user_ids": [owner_id]}
    world["story_id"] = (await made("/stories", story))["id"]
    group = {"participants": ["member@example.com"], "title": "A group"}
    world["conversation_id"] = (await made("/api/v1/conversations", group))["id"]
    private = {"name": "owners", "private": True}
    await made("/api/v1/channels", private)
    world["channel_id"] = "owners"
    messages = f"/api/v1/conversations/{world['conversation_id']}/messages"
    world["message_id"] = (await made(messages, {"content": "hello"}))["id"]
    world["upload_id"] = await _upload(server, token, world["conversation_id"])
    product = {"name": "Shoe", "sku": "SHOE", "sizes": ["US 9", "US 10"]}
    world["product_id"] = (await made("/api/v1/products", product))["id"]
    offer = {"product_id": world["product_id"], "size": "US 10", "price": "1.00"}
    world["bid_id"] = (await made("/api/v1/bids", offer))["id"]
    world["ask_id"] = (await made("/api/v1/asks", offer | {"price": "9.00"}))["id"]
    offer["size"] = "US 9"
    await call(await server.token("member"), "POST", "/api/v1/asks", offer)
    world["order_id"] = (await made("/api/v1/bids", offer))["order_id"]
    # The provider names payments, and operators alone may do something to one.
    world["payment_id"] = "pi_1"
    _, inbox = await call(token, "GET", "/api/v1/notifications")
    world["notification_id"] = str(inbox["items"][0]["id"])
    world["entry_id"] = (await made("/api/v1/diary/entries", {"text": "hello"}))["id"]
    world["task_id"] = (await made("/api/v1/diary/tasks", {"title": "hello"}))["id"]
    goal = {"title": "A goal", "kind": "steps", "steps": ["one"]}
    goal = await made("/api/v1/diary/goals", goal)
    world |= {"goal_id": goal["id"], "step_id": goal["steps"][0]["id"]}
    return world


async def _upload(server: Server, token: str, conversation_id: str) -> str:
    form = FormData({"conversation_id": conversation_id})
    form.add_field("file", io.BytesIO(PNG), filename="a.png")
    headers = {"Authorization": f"Bearer {token}"}
    async with server._http.post(
        f"{server.url}/api/v1/uploads", data=form, headers=headers
    ) as response:
        stored = json.loads(await response.read())
        assert response.status == 201, stored
        return str(stored["id"])
