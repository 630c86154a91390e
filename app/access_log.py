"""One log line for each request and each connection: never what was said.

Never the query string either, which may hold a token.
"""

import logging
import re
import secrets
import time
from http import HTTPStatus
from typing import Protocol

from aiohttp import hdrs, web
from aiohttp.typedefs import Handler, Middleware

from app.logs import fields, redact
from app.realtime.lives import ACCOUNT_ID, REQUEST_ID, Life

logger = logging.getLogger(__name__)

REQUEST_ID_HEADER = "X-Request-Id"

_GIVEN_ID = re.compile(r"[0-9A-Fa-f-]{16,36}")
"""What platforms and proxies make: a UUID, or nginx's `$request_id`."""


def printable(path: str) -> str:
    """Spell what is not printable ASCII: no path can forge a line or command a terminal.

    What looks like a token is taken out: clients put them into paths by mistake.
    """
    return redact(path.encode("unicode_escape").decode("ascii"))


POLLING_PATH = "/socket.io/"

UNMATCHED = "unmatched"
OTHER = "other"


def identified(*, trusted: bool) -> Middleware:
    """Make the middleware that gives each request an id: its proxy's, if that is `trusted`.

    It comes first, so that whatever is logged or answered has the id.
    """

    @web.middleware
    async def middleware(request: web.Request, handler: Handler) -> web.StreamResponse:
        given = request.headers.get(REQUEST_ID_HEADER, "") if trusted else ""
        known = _GIVEN_ID.fullmatch(given) is not None
        request[REQUEST_ID] = given if known else secrets.token_hex(8)
        return await handler(request)

    return middleware


async def show_id(request: web.Request, response: web.StreamResponse) -> None:
    """Send the client the id of its request, which it can name to an operator (aiohttp signal)."""
    request_id = request.get(REQUEST_ID)
    if request_id is not None:
        response.headers[REQUEST_ID_HEADER] = request_id


class Observe(Protocol):
    """Takes what a request was and how long it took."""

    def __call__(self, method: str, route: str, status: int, seconds: float) -> None:
        """Note one request: method and route are of a bounded set, whatever clients send."""


class AccessLog:
    """Logs requests and connections, and measures requests."""

    def __init__(self, observe: Observe | None = None, *, with_addresses: bool = False) -> None:
        self._observe = observe
        self._with_addresses = with_addresses

    @web.middleware
    async def middleware(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Log method, path, status and milliseconds."""
        began = time.perf_counter()
        response = await handler(request)
        seconds = time.perf_counter() - began
        path = printable(request.rel_url.raw_path)
        # Long polls are many and say nothing.
        is_poll = path == POLLING_PATH
        ms = round(seconds * 1000, 1)
        status = response.status
        logger.log(
            logging.DEBUG if is_poll else logging.INFO,
            "%s %s %d %.1f ms",
            request.method,
            path,
            status,
            ms,
            extra=fields(
                f"status {status}" if status >= HTTPStatus.BAD_REQUEST else None,
                id=request.get(REQUEST_ID),
                method=request.method,
                path=path,
                status=status,
                ms=ms,
                bytes=response.content_length,
                account=request.get(ACCOUNT_ID),
                address=request.remote if self._with_addresses else None,
            ),
        )
        if self._observe is not None and not is_poll:
            method = request.method if request.method in hdrs.METH_ALL else OTHER
            self._observe(method, _route(request), status, seconds)
        return response


def log_connection(life: Life) -> None:
    """Log the end of a connection, and with it all of its life."""
    seconds = round(life.seconds, 1)
    reason = f": {life.reason}" if life.reason else ""
    logger.info(
        "connection to %s ended after %.1f s with %s%s",
        life.door,
        seconds,
        life.code,
        reason,
        extra=fields(
            id=life.id or None,
            door=life.door,
            account=life.account_id,
            address=life.address,
            seconds=seconds,
            bytes_sent=life.bytes_sent,
            bytes_received=life.bytes_received,
            code=life.code,
            reason=life.reason or None,
        ),
    )


def log_refusal(limit: str, account_id: str | None) -> None:
    """Log that a message or a connection was refused because of a limit."""
    logger.info("too many %s", limit, extra=fields(f"limit {limit}", account=account_id))


def _route(request: web.Request) -> str:
    """Return the template of the path, or `UNMATCHED`."""
    resource = request.match_info.route.resource
    return UNMATCHED if resource is None else resource.canonical
