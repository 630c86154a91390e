"""REST routes, made from the operations that domains declare."""

import re
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, TypeVar
from urllib.parse import quote

from aiohttp import hdrs, web
from aiohttp.typedefs import Handler

from app.rest import requests
from app.rest.chat_form import succeeded
from app.rest.idempotency import keyed_operation_id, operation_id
from app.rest.versions import with_if_match, with_version
from models.fields import Input, NoFields, load
from models.identity import Identity
from models.operation import Form, Once, Operation, Operations, Route, Takes, answer_of

Model = TypeVar("Model")

_NOTHING = NoFields()

_IDENTIFY: Mapping[Form, Callable[[web.Request], Awaitable[Identity]] | None] = {
    Form.PLAIN: requests.caller,
    Form.PUBLIC: None,
    Form.CHAT: requests.chat_caller,
    Form.CHANNEL_CHAT: requests.chat_caller,
}


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A route as it is served."""

    operation: Operation[Any]
    route: Route
    schema: Input | None
    """What is read of the body, or of the query."""

    answer: Any
    """The type of the answer, None for nothing."""

    handler: Handler
    place: str | None = None
    """The path before the id of what is made, which `Location` names; None where it has none."""


class OperationRoutes:
    """The routes of a domain's operations, on its model."""

    def __init__(
        self,
        operations: Operations[Any],
        model: object,
        special: Mapping[str, Handler] | None = None,
    ) -> None:
        """Make the routes; `special` has the handlers that are written by hand, by operation.

        Raises:
            KeyError: one that is declared as special is missing.
        """
        handlers = special or {}
        read = {route.path for each in operations for route in each.routes if route.method == "GET"}
        self.endpoints: Sequence[Endpoint] = [
            _endpoint(
                operation,
                route,
                model,
                handlers[operation.name] if route.special else None,
                _place_of(operation, route, read),
            )
            for operation in operations
            for route in operation.routes
        ]

    def routes(self) -> list[web.RouteDef]:
        """Return the routes, to be added to the application."""
        return [
            web.route(each.route.method, each.route.path, each.handler)
            if each.route.method != "GET"
            else web.get(each.route.path, each.handler)
            for each in self.endpoints
        ]


def routes_for(
    operations: Operations[Model],
    special: Callable[[Model], Mapping[str, Handler]] | None = None,
) -> Callable[[Model], OperationRoutes]:
    """Return what makes the routes of `operations` for a model; see `OperationRoutes`."""
    return lambda model: OperationRoutes(operations, model, special(model) if special else None)


def _place_of(operation: Operation[Any], route: Route, read: Collection[str]) -> str | None:
    """Return the path before the id of what a route makes; None where there is no such path.

    `read` are the paths of GET: one of them is below that of the route, or of another one of the
    operation.
    """
    if route.special or (route.method, route.status) != ("POST", HTTPStatus.CREATED):
        return None
    for each in (route, *operation.routes):
        thing = re.compile(re.escape(each.path) + r"/\{\w+\}")
        if any(thing.fullmatch(path) for path in read):
            return f"{each.path}/"
    return None


def _endpoint(
    operation: Operation[Any],
    route: Route,
    model: object,
    special: Handler | None,
    place: str | None = None,
) -> Endpoint:
    schema = route.reads or _rest_of(operation.request, route)
    call = operation.call(model)
    handler = special or _handler(operation, route, schema, call, model, place)
    return Endpoint(operation, route, schema, answer_of(call), handler, place)


def _rest_of(request: Input, route: Route) -> Input | None:
    """Return the schema of what is not in the path; None when that is nothing."""
    named = {route.rename.get(name, name) for name in route.parameters}
    rest = type(request)(exclude=tuple(named & request.fields.keys()))
    return rest if rest.fields else None


def _path_schema(request: Input, route: Route) -> Input:
    """Return the schema of what is in the path."""
    return type(request)(only=[route.rename.get(name, name) for name in route.parameters])


def _handler(
    operation: Operation[Any],
    route: Route,
    schema: Input | None,
    call: Callable[..., Awaitable[Any]],
    model: object,
    place: str | None,
) -> Handler:
    named = [(name, route.rename.get(name, name)) for name in route.parameters]
    body = schema if route.has_body else None
    query = schema if schema is not None and route.has_query else _NOTHING
    identify = _IDENTIFY[route.form]
    path = _path_schema(operation.request, route) if route.checked else None
    enveloped = route.form is Form.CHANNEL_CHAT

    async def handle(request: web.Request) -> web.Response:
        identity = None if identify is None else await identify(request)
        if operation.precondition is not None:
            operation.precondition(model)
        fields: dict[str, Any] = {field: request.match_info[name] for name, field in named}
        if path is not None:
            fields = load(path, fields)
        if body is not None:
            fields |= await requests.body(request, body)
        fields |= await requests.query(request, query)
        if operation.has_version:
            fields = with_if_match(request, fields)
        if operation.once is Once.KEYED:
            fields["operation_id"] = keyed_operation_id(request)
        elif operation.once is Once.ALWAYS:
            fields["operation_id"] = operation_id(request)
        if operation.takes is Takes.NOTHING:
            answer = await call(**fields)
        else:
            answer = await call(identity, **fields)
        if answer is None and not enveloped:
            return web.Response(status=HTTPStatus.NO_CONTENT)
        if enveloped and identity is not None:
            response = succeeded(answer, identity, route.status)
        else:
            response = with_version(web.json_response(answer, status=route.status), answer)
        if place is not None:
            response.headers[hdrs.LOCATION] = place + quote(str(answer["id"]), safe="")
        return response

    return handle
