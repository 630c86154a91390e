"""HTTP long-polling: how requests of a session become packets and packets become answers."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import Enum
from http import HTTPStatus

from aiohttp import web

from app.realtime import packets
from app.realtime.packets import MalformedPacketError
from app.realtime.session import Reason, Session

_COMPRESS_FROM_BYTES = 1024

BODY_S = 30.0
"""For the body of a POST to come."""


class Refusal(Enum):
    """Why a request is refused: code and message, as the Node server has them."""

    UNKNOWN_TRANSPORT = (0, "Transport unknown")
    UNKNOWN_SID = (1, "Session ID unknown")
    BAD_METHOD = (2, "Bad handshake method")
    BAD_REQUEST = (3, "Bad request")
    FORBIDDEN = (4, "Forbidden")
    UNSUPPORTED_VERSION = (5, "Unsupported protocol version")


def refuse(refusal: Refusal, status: HTTPStatus = HTTPStatus.BAD_REQUEST) -> web.Response:
    """Answer a request that cannot be served."""
    code, message = refusal.value
    if refusal is Refusal.FORBIDDEN:
        status = HTTPStatus.FORBIDDEN
    return web.json_response({"code": code, "message": message}, status=status)


def answer(waiting: list[packets.Packet]) -> web.Response:
    """Answer a poll with packets."""
    text = packets.SEPARATOR.join(packet.text for packet in waiting)
    response = web.Response(text=text, content_type="text/plain")
    response.headers["Cache-Control"] = "no-store"
    if len(text) >= _COMPRESS_FROM_BYTES:
        response.enable_compression()
    return response


async def poll(session: Session, request: web.Request) -> web.Response:
    """Serve a GET: give what waits, else wait for something."""
    if session.upgraded or session.overdue:
        return refuse(Refusal.BAD_REQUEST)
    mailbox = session.mailbox
    if mailbox.polled:
        session.close(Reason.TRANSPORT_ERROR)
        return refuse(Refusal.BAD_REQUEST)
    if session.probing and mailbox.empty:
        return answer([packets.NOOP_PACKET])
    # Packets that nobody reads any more are kept for no one: the client is gone.
    with _watching(request, lambda: session.close(Reason.TRANSPORT_CLOSE)):
        await mailbox.wait()
    return answer(mailbox.take() or [packets.NOOP_PACKET])


async def push(session: Session, request: web.Request, max_bytes: int) -> web.Response:
    """Serve a POST: take its packets, and answer when the client may send more."""
    if session.upgraded:
        return refuse(Refusal.BAD_REQUEST)
    if session.pushing:
        # Two at a time would have no order.
        session.close(Reason.TRANSPORT_ERROR)
        return refuse(Refusal.BAD_REQUEST)
    session.pushing = True
    try:
        body = await _read(request, max_bytes)
        for kind, data in packets.decode_payload(body):
            session.receive(kind, data)
        await session.wait_for_room()
    except web.HTTPRequestEntityTooLarge:
        session.close(Reason.TRANSPORT_ERROR)
        return refuse(Refusal.BAD_REQUEST, HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
    except (MalformedPacketError, web.RequestPayloadError, OSError):
        # The last two: a broken encoding, and a client that went away or is too slow.
        session.close(Reason.TRANSPORT_ERROR)
        return refuse(Refusal.BAD_REQUEST)
    finally:
        session.pushing = False
    return web.Response(text="ok", content_type="text/html")


async def _read(request: web.Request, max_bytes: int) -> bytes:
    body = bytearray()
    async with asyncio.timeout(BODY_S):
        async for chunk in request.content.iter_any():
            body += chunk
            if len(body) > max_bytes:
                raise web.HTTPRequestEntityTooLarge(max_bytes, len(body))
    return bytes(body)


@contextmanager
def _watching(request: web.Request, gone: Callable[[], None]) -> Iterator[None]:
    """Call `gone()` when the client goes away meanwhile, which aiohttp does not tell a handler."""
    transport = request.transport
    if transport is None:
        gone()
        yield
        return
    transport.set_protocol(_Watch(request.protocol, gone))
    try:
        yield
    finally:
        if request.transport is not None:
            transport.set_protocol(request.protocol)


class _Watch(asyncio.Protocol):
    """Stands before a connection's protocol and hears of its end."""

    def __init__(self, behind: asyncio.Protocol, gone: Callable[[], None]) -> None:
        self.data_received = behind.data_received  # type: ignore[method-assign]
        self.eof_received = behind.eof_received  # type: ignore[method-assign]
        self.pause_writing = behind.pause_writing  # type: ignore[method-assign]
        self.resume_writing = behind.resume_writing  # type: ignore[method-assign]
        self._behind = behind
        self._gone = gone

    def connection_lost(self, exc: Exception | None) -> None:
        """Pass it on (asyncio)."""
        self._behind.connection_lost(exc)
        self._gone()
