"""Requests that change something are carried out, whether their client waits or not."""

from aiohttp import web
from aiohttp.typedefs import Handler

from models.finishing import finish
from models.publications import settled

SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
"""Methods that change nothing (RFC 9110, 9.2.1); streams and WebSockets are among them."""


@web.middleware
async def finish_writes(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Run a handler to its end, also when its client hangs up or the server stops meanwhile.

    aiohttp cancels handlers when a server stops, and in servers that ask for it
    (`handler_cancellation`) when a client hangs up.
    """
    if request.method in SAFE:
        return await handler(request)
    return await finish(_handle(request, handler))


async def _handle(request: web.Request, handler: Handler) -> web.StreamResponse:
    return await settled(handler(request))
