"""The one way to make a server of an application: its connections have bounds on everything.

aiohttp's own server inflates request bodies in the event loop, goes on reading a body for as long
as it comes after the answer is sent, waits forever for clients that do not read, and logs the text
of what it cannot parse, tokens included. `build_runner` makes a server that does none of it.

`RequestHandler` has few public places to change that. `tests/app/http/test_runner.py` fails when a
new version changes what is relied on here.
"""

import asyncio
import logging
import socket
from contextlib import suppress
from http import HTTPStatus
from typing import Any

from aiohttp import hdrs, web
from aiohttp.abc import AbstractStreamWriter
from aiohttp.http_exceptions import HttpProcessingError, LineTooLong
from aiohttp.http_parser import RawRequestMessage
from aiohttp.streams import StreamReader
from multidict import CIMultiDict, CIMultiDictProxy

from app.http.responses import PIECE_BYTES, Writer
from app.logs import fields
from app.memory import BUDGET, Budget, memory_limit_bytes
from app.realtime.deadlines import Deadlines
from app.rest.errors import is_gone, problem
from app.settings import Limits
from app.stopping import STOP
from models.error_codes import ErrorCode

logger = logging.getLogger(__name__)

MAX_HEADERS = 64
"""Of one request. Browsers send some twenty, and each proxy adds a few."""

PIPELINED = 4
"""Requests read ahead on one connection. Browsers send none, and each may hold half a megabyte."""

LEAVE_S = 10.0
"""How long a connection that is closed may take to read what it is still owed."""


_NOTSENT_LOWAT: int | None = getattr(socket, "TCP_NOTSENT_LOWAT", None)


class Connection(web.RequestHandler):
    """One HTTP connection."""

    __slots__ = (
        "_body_bytes",
        "_budgets",
        "_deadlines",
        "_discarding",
        "_leaving",
        "_limits",
        "_lowered",
        "deadline_tick",
    )

    def __init__(
        self,
        server: "Server",
        *,
        limits: Limits,
        budgets: tuple[Budget, ...],
        deadlines: Deadlines,
        **options: Any,
    ) -> None:
        super().__init__(server, **options)
        self.deadline_tick = 0
        self._limits = limits
        self._budgets = budgets
        self._deadlines = deadlines
        self._body_bytes = 0
        self._leaving: asyncio.Transport | None = None
        self._lowered = False
        self._discarding: asyncio.Timeout | None = None
        self._max_msg_queue_size = PIPELINED
        self._msg_queue_resume_size = PIPELINED // 2

    # What the writer of an answer reports.

    def wait_begins(self, body_bytes: int) -> None:
        """Cut the connection unless the client takes the present piece in time."""
        self._body_bytes = body_bytes
        self._deadlines.set(self, self._limits.unread_answer_s)
        self._count()

    def wait_ends(self) -> None:
        """Stop minding the time and the budget."""
        self._body_bytes = 0
        self._deadlines.clear(self)
        self._forget()

    def deadline_passed(self) -> None:
        """Act on a client that does not read."""
        self._cut("its client does not read")

    # What the budget of the process asks for (`app.memory.Holder`).

    @property
    def held_bytes(self) -> int:
        """The bytes of an answer that its client has not taken."""
        transport = self._leaving or self.transport
        return 0 if transport is None else self._body_bytes + transport.get_write_buffer_size()

    def _count(self) -> None:
        for budget in self._budgets:
            budget.update(self)

    def _forget(self) -> None:
        for budget in self._budgets:
            budget.forget(self)

    def shed(self) -> None:
        """End: half an answer has no better end than to break off."""
        self._cut("the process holds too many unsent bytes")

    def abort(self) -> None:
        """Drop the connection and what it holds."""
        self._cut("the process holds too many unsent bytes")

    def _cut(self, why: str) -> None:
        transport = self._leaving or self.transport
        self._body_bytes = 0
        if transport is not None:
            logger.info("connection cut: %s", why)
            transport.abort()

    # What the transport reports (asyncio).

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        super().connection_made(transport)
        if self.transport is not None:
            self.transport.set_write_buffer_limits(high=PIECE_BYTES)

    def connection_lost(self, exc: BaseException | None) -> None:
        """End; also called for a connection that has become a WebSocket."""
        super().connection_lost(exc)
        self._leaving = None
        self._deadlines.clear(self)
        self._body_bytes = 0
        self._forget()
        if self._discarding is not None:
            # What the client has not sent yet never comes.
            self._discarding.reschedule(asyncio.get_running_loop().time())

    # How aiohttp ends connections: `close` waits for the client to read, who may never do so.

    def force_close(self) -> None:
        """Close after what is unsent, or after `LEAVE_S`."""
        transport = self.transport
        super().force_close()
        self._leave(transport)

    async def start(self) -> None:
        """Serve requests until the connection is to be closed."""
        await super().start()
        self._leave(self.transport)

    def _leave(self, transport: asyncio.Transport | None) -> None:
        if transport is not None and transport.get_write_buffer_size() > 0:
            self._leaving = transport
            self._deadlines.set(self, LEAVE_S)
            self._count()

    # What becomes of a request.

    async def finish_response(
        self, request: web.BaseRequest, resp: web.StreamResponse, start_time: float | None
    ) -> tuple[web.StreamResponse, bool]:
        """Send an answer, and read a bounded rest of the request after it.

        A connection closed while its client is still sending is reset, and many clients then never
        see the answer. aiohttp closes it when the body has not come to its end here.
        """
        if not self._lowered:
            self._lower()
        response, reset = await super().finish_response(request, resp, start_time)
        if not reset and self.transport is not None:
            await self._discard(request.content)
        return response, reset

    def _lower(self) -> None:
        """Let the kernel hold no more than a piece that it cannot send yet.

        It would take four megabytes of each connection whose client does not read, for minutes.
        Not done when the connection is made: WebSockets have a bound of their own.
        """
        self._lowered = True
        sock = self.transport.get_extra_info("socket") if self.transport is not None else None
        if sock is not None and _NOTSENT_LOWAT is not None:
            with suppress(OSError):
                sock.setsockopt(socket.IPPROTO_TCP, _NOTSENT_LOWAT, PIECE_BYTES)

    async def _discard(self, content: StreamReader) -> None:
        left = self._limits.discarded_bytes
        with suppress(Exception):
            async with asyncio.timeout(self._limits.discard_s) as self._discarding:
                while left > 0 and not content.is_eof() and self.transport is not None:
                    left -= len(await content.readany())
        self._discarding = None

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """Answer what is no request, or what no handler caught, and log nothing of its text."""
        if isinstance(exc, HttpProcessingError):
            # The message of such an error quotes the request, and with it perhaps a token.
            why = type(exc).__name__
            logger.info("a client sent what is no HTTP request: %s", why, extra=fields("no HTTP"))
        elif isinstance(exc, ConnectionError) and (
            request.writer.output_size > 0 or is_gone(self.transport)
        ):
            # It was logged where it was raised, or it is a client that went away.
            raise exc
        elif exc is not None:
            logger.error("a request failed outside of its handler", exc_info=exc)
        if request.writer.output_size > 0:
            raise ConnectionResetError("An answer was begun already.")
        if isinstance(exc, LineTooLong):
            status = HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE
        response = _problem(HTTPStatus(status))
        response.force_close()
        return response


_CONTINUE = "100-continue"

_DETAILS: dict[HTTPStatus, tuple[ErrorCode, str]] = {
    HTTPStatus.BAD_REQUEST: ("malformed_request", "This is not an HTTP/1.1 request."),
    HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE: (
        "request_header_fields_too_large",
        "The request line or a header is too long.",
    ),
}


def _problem(status: HTTPStatus) -> web.Response:
    code, detail = _DETAILS.get(
        status, ("internal", "Something went wrong here; it has been logged.")
    )
    return problem(code, detail)


class Server(web.Server):
    """Makes a `Connection` of each transport."""

    def __init__(self, stock: web.Server, limits: Limits, budget: Budget) -> None:
        """Take over what aiohttp has configured in `stock`."""
        super().__init__(
            stock.request_handler,
            request_factory=self._request,
            handler_cancellation=stock.handler_cancellation,
            **stock._kwargs,
        )
        self._limits = limits
        self._budgets = (budget, Budget(limits.unsent_answers_bytes))
        self._stock_request = stock.request_factory
        # A twentieth: a deadline is late by 5 % at most.
        self._deadlines = Deadlines(min(limits.unread_answer_s, LEAVE_S) / 20)

    def __call__(self) -> Connection:
        """Make the protocol of a new connection."""
        return Connection(
            self,
            limits=self._limits,
            budgets=self._budgets,
            deadlines=self._deadlines,
            loop=self._loop,
            **self._kwargs,
        )

    def _request(
        self,
        message: RawRequestMessage,
        payload: StreamReader,
        protocol: web.RequestHandler,
        writer: AbstractStreamWriter,
        task: "asyncio.Task[None]",
    ) -> web.BaseRequest:
        assert isinstance(protocol, Connection)
        if message.headers.get(hdrs.EXPECT, _CONTINUE).lower() != _CONTINUE:
            # aiohttp quotes others in an answer, which fails where they are no text. They may be
            # ignored (RFC 9110, 10.1.1).
            headers = CIMultiDict(message.headers)
            headers.popall(hdrs.EXPECT)
            message = message._replace(headers=CIMultiDictProxy(headers))
        bounded = Writer(protocol, self._loop, protocol)
        return self._stock_request(message, payload, protocol, bounded, task)


class Runner(web.AppRunner):
    """Runs an application on a `Server`; made by `build_runner`."""

    def __init__(self, app: web.Application, limits: Limits, **options: Any) -> None:
        super().__init__(app, **options)
        self._limits = limits

    async def _make_server(self) -> web.Server:
        stock = await super()._make_server()
        budget = self.app.get(BUDGET) or Budget(memory_limit_bytes() // 4)
        return Server(stock, self._limits, budget)

    async def stop(self) -> None:
        """Listen no more, and let what has begun come to its end; idle connections stay open."""
        for site in list(self.sites):
            await site.stop()
        stop = self.app.get(STOP)
        if stop is not None:
            await stop.run()

    async def cleanup(self) -> None:
        """Stop, then close everything."""
        if self.server is not None:
            await self.stop()
        await super().cleanup()


def build_runner(app: web.Application, limits: Limits, **options: Any) -> Runner:
    """Make the runner of an application; `options` are those of `web.AppRunner`."""
    return Runner(
        app,
        limits,
        **{
            "access_log": None,
            "keepalive_timeout": limits.idle_connection_s,
            **options,
            # No body is ever inflated: `app.http.encodings` refuses those that would have to be.
            "auto_decompress": False,
            "max_headers": MAX_HEADERS,
            # `Connection.finish_response` does it, within bounds.
            "lingering_time": 0,
        },
    )
