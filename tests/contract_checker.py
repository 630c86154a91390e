"""A checker at each door: whatever a test makes the server say is compared with its document.

It stands where REST handlers, commands and events are made, so that no test has to ask for it; the
fixture `as_documented` fails the test in which something differs.
"""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from http import HTTPStatus
from types import SimpleNamespace
from typing import Any
from weakref import WeakKeyDictionary

import jsonschema_rs
from aiohttp import web
from webargs.aiohttpparser import AIOHTTPParser

from app.contracts.asyncapi import sent_frame
from app.contracts.catalogue import Catalogue, HandwrittenRoute, standalone
from app.contracts.errors import command_errors
from app.contracts.openapi import openapi
from app.contracts.routes import CATALOGUE, NO_API
from app.legacy.dialect import Dialect, Frame
from app.legacy.examples import SENT
from app.legacy.peer import RawPeer
from app.rest import operations, requests
from app.rest.contract import contract_of
from app.rest.operations import Endpoint
from models.events import Event
from models.fields import NoFields
from models.operation import Operation
from namespaces.base import Answer, Caller, Commands

CHECKED = ("models.", "namespaces.", "tests.test_contract_checker")
"""What is checked is defined here: tests of the machinery have commands and events too."""

WITHOUT_CONTENT = (HTTPStatus.SWITCHING_PROTOCOLS, HTTPStatus.NOT_MODIFIED)

CATCHING_UP = ("cursor", "gap")
"""Frames of docs/recovery.md, for those who ask for them."""

SHOWN = 300
"""Characters of a value in a message."""


@cache
def _validator(kind: str) -> Any:
    return jsonschema_rs.validator_for(standalone(_KINDS[kind]))


_KINDS: dict[str, Any] = {}


_PATHS: dict[tuple[str, str], Any] = {}
"""The documented routes of the applications so far; one route is the same in all of them."""

_COMPONENTS: dict[str, Any] = {}
_COMPILED: dict[tuple[str, str], Any] = {}


_ENDPOINTS: WeakKeyDictionary[Any, Endpoint] = WeakKeyDictionary()
"""The endpoints of operations by their handlers, for applications that tests put together."""


@dataclass(frozen=True)
class _Served:
    """A domain of one endpoint."""

    endpoint: Endpoint
    commands = SimpleNamespace(domain="models", handlers={})

    @property
    def rest(self) -> Any:
        return SimpleNamespace(endpoints=[self.endpoint])


def _catalogue_of(route: web.AbstractRoute, path: str) -> Callable[[], Catalogue] | None:
    """Return a catalogue of one route, as its handler declares it; None if it does not."""
    endpoint, declared = _ENDPOINTS.get(route.handler), contract_of(route.handler)
    if endpoint is not None:
        return lambda: Catalogue([_Served(endpoint)])
    if declared is not None:
        written = HandwrittenRoute(route.method, path, "A handler.", declared)
        return lambda: Catalogue([], handwritten=[written])
    return None


def _documented(catalogue: Callable[[], Catalogue], method: str, path: str) -> Any:
    """Return what OpenAPI says of a route; None if nothing."""
    if (method, path) not in _PATHS:
        document = openapi(catalogue())
        _COMPONENTS.update(document["components"]["schemas"])
        for known, methods in document["paths"].items():
            for name, described in methods.items():
                _PATHS.setdefault((name.upper(), known), described)
    return _PATHS.get((method, path))


def _compiled(where: str, content_type: str, schema: dict[str, Any]) -> Any:
    key = where, content_type
    if key not in _COMPILED:
        used: dict[str, Any] = {}
        for name in _referred(schema, used):
            used[name] = _COMPONENTS[name]
        whole = {**schema, "components": {"schemas": used}}
        _COMPILED[key] = jsonschema_rs.validator_for(whole)
    return _COMPILED[key]


def _referred(value: Any, seen: Mapping[str, Any]) -> Iterator[str]:
    """Yield the names of the components that a schema refers to, and those that these do."""
    if isinstance(value, list):
        for each in value:
            yield from _referred(each, seen)
    if not isinstance(value, dict):
        return
    reference = value.get("$ref")
    if isinstance(reference, str):
        name = reference.rpartition("/")[2]
        if name not in seen:
            yield name
            yield from _referred(_COMPONENTS[name], seen)
    for each in value.values():
        yield from _referred(each, seen)


class Checker:
    """Collects what differs."""

    def __init__(self) -> None:
        self.faults: list[str] = []

    def install(self) -> None:
        """Begin to check, in every test of this process."""
        self._note_endpoints()
        self._check_requests()
        self._check_readers()
        self._check_commands()
        self._check_events()
        self._check_frames()

    def check_value(self, where: str, kind: Any, value: object) -> None:
        """Note how `value` differs from the schema of `kind`."""
        name = repr(kind)
        _KINDS.setdefault(name, kind)
        try:
            errors = list(_validator(name).iter_errors(value))
        except (TypeError, ValueError) as error:
            self.faults.append(f"{where}: no JSON: {error}")
            return
        self._note(where, errors)

    def _note(self, where: str, errors: Iterable[Any]) -> None:
        for error in errors:
            path = "/".join(map(str, error.instance_path))
            self.faults.append(f"{where}: {path}: {error.message[:SHOWN]}")

    def check_code(self, where: str, operation: Operation[Any], code: str) -> None:
        """Note an error code that the operation does not declare."""
        if code not in command_errors(operation):
            self.faults.append(f"{where}: the error {code} is not declared")

    def _note_endpoints(self) -> None:
        make = operations._endpoint

        def made(*args: Any) -> Endpoint:
            endpoint = make(*args)
            _ENDPOINTS[endpoint.handler] = endpoint
            return endpoint

        operations._endpoint = made  # type: ignore[assignment]

    def _check_requests(self) -> None:
        """Compare every answer of every application with its OpenAPI document."""
        make = web.Application.__init__

        def made(app: web.Application, *args: Any, **options: Any) -> None:
            make(app, *args, **options)
            app.on_response_prepare.append(self._answered)

        web.Application.__init__ = made  # type: ignore[method-assign]

    async def _answered(self, request: web.Request, response: web.StreamResponse) -> None:
        route = request.match_info.route
        if route.resource is None or request.method == "OPTIONS":
            return
        path = route.resource.canonical
        catalogue = request.app.get(CATALOGUE) or _catalogue_of(route, path)
        if path in NO_API or catalogue is None:
            return
        method = "GET" if request.method == "HEAD" else request.method
        where = f"{method} {path}"
        found = _documented(catalogue, method, path)
        if found is None:
            self.faults.append(f"{where} is not documented")
            return
        declared = found["responses"].get(str(response.status))
        if declared is None:
            text = response.text if isinstance(response, web.Response) else ""
            self.faults.append(f"{where}: the status {response.status} is not declared: {text}")
            return
        if response.status in WITHOUT_CONTENT or request.method == "HEAD":
            return
        self._check_content(where, declared.get("content", {}), response)

    def _check_content(
        self, where: str, content: dict[str, Any], response: web.StreamResponse
    ) -> None:
        where = f"{where} {response.status}"
        whole = isinstance(response, web.Response)
        if whole and not response.body:
            if content:
                self.faults.append(f"{where}: the answer is empty")
            return
        kind = response.content_type
        family = kind.partition("/")[0]
        for accepted in (kind, f"{family}/*", "*/*"):
            if accepted in content:
                break
        else:
            self.faults.append(f"{where}: {kind} is not declared")
            return
        schema = content[accepted].get("schema")
        if schema is not None and whole and "Content-Encoding" not in response.headers:
            validator = _compiled(where, accepted, schema)
            self._note(where, validator.iter_errors(json.loads(response.text or "null")))

    def _check_readers(self) -> None:
        """Compare what a handler reads with what it declares."""

        async def checked(
            parser: Any, schema: Any, req: web.Request, *, location: str, **options: Any
        ) -> Any:
            route = req.match_info.route
            declared = contract_of(route.handler)
            if declared is not None:
                sent = declared.body if location == "json" else declared.query
                wanted = type(sent) if sent is not None else NoFields
                if type(schema) is not wanted:
                    self.faults.append(
                        f"{req.method} {req.path} reads {type(schema).__name__},"
                        f" and declares {wanted.__name__}"
                    )
            # Looked up at each call: other tests watch what is parsed as well.
            return await AIOHTTPParser.parse(parser, schema, req, location=location, **options)

        requests._Parser.parse = checked  # type: ignore[method-assign]

    def _check_commands(self) -> None:
        run = Commands.run

        async def checked(commands: Commands, caller: Caller, name: str, payload: object) -> Answer:
            answer = await run(commands, caller, name, payload)
            handler = commands.handlers.get(name)
            if handler is not None and type(commands).__module__.startswith(CHECKED):
                where = f"/{commands.domain} {name}"
                if "error" in answer:
                    self.check_code(where, handler.operation, answer["error"]["code"])
                else:
                    self.check_value(where, handler.answer, answer["data"])
            return answer

        Commands.run = checked  # type: ignore[method-assign]

    def _check_frames(self) -> None:
        """Compare what clients of the older APIs are sent with what AsyncAPI says of it."""
        send, render = RawPeer.send, Dialect.render

        def sent(peer: RawPeer, text: str) -> None:
            self._check_text(peer.dialect, text)
            send(peer, text)

        def rendered(dialect: Dialect, domain: str, event: str, data: Frame) -> str | None:
            text = render(dialect, domain, event, data)
            if text is not None:
                self._check_text(dialect, text)
            return text

        RawPeer.send = sent  # type: ignore[method-assign]
        Dialect.render = rendered  # type: ignore[method-assign]

    def _check_text(self, dialect: Dialect, text: str) -> None:
        if type(dialect).__module__.startswith("app."):
            self.check_frame(type(dialect), json.loads(text))

    def check_frame(self, dialect: type[Dialect], frame: dict[str, Any]) -> None:
        """Note how a frame differs from its schema."""
        kind = str(frame.get(dialect.type_field))
        if kind in CATCHING_UP:
            return
        where = f"the frame {kind} at {dialect.path}"
        if kind not in SENT[dialect.name]:
            self.faults.append(f"{where} is not documented")
            return
        self._note(where, _compiled(where, "frame", sent_frame(dialect, kind)).iter_errors(frame))

    def _check_events(self) -> None:
        data = Event.data

        def checked(event: Event) -> dict[str, Any]:
            payload: Mapping[str, Any] = data(event)
            if type(event).__module__.startswith(CHECKED):
                where = f"the event {event.name} of {event.domain}"
                self.check_value(where, type(event), payload)
            return dict(payload)

        Event.data = checked  # type: ignore[method-assign]


CHECKER = Checker()
