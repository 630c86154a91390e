"""Handlers of routes that do nothing but call an operation of a domain."""

from collections.abc import Awaitable, Callable
from typing import Any

from aiohttp import web
from aiohttp.typedefs import Handler
from marshmallow import Schema

from app.rest import requests


def calling(
    operation: Callable[..., Awaitable[Any]],
    *,
    path: tuple[str, ...] = (),
    body: Schema | None = None,
    query: Schema | None = None,
    status: int = 200,
) -> Handler:
    """Make the handler that calls `operation` with who asks, what is named and what is sent.

    `path` names the parts of the route's path that are arguments; the fields of `body` and `query`
    are arguments, too. What the operation gives is the answer under `status`, 204 for None.
    """

    async def handle(request: web.Request) -> web.Response:
        identity = await requests.caller(request)
        arguments: dict[str, Any] = {name: request.match_info[name] for name in path}
        if body is not None:
            arguments |= await requests.body(request, body)
        if query is not None:
            arguments |= await requests.query(request, query)
        answer = await operation(identity, **arguments)
        if answer is None:
            return web.Response(status=204)
        return web.json_response(answer, status=status)

    return handle
