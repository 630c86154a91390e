"""HTTP long-polling: how requests of a session become packets and packets become answers."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import Enum
from http import HTTPStatus

from aiohttp import web

from app.bodies import ShedError, read_body
from app.realtime.engineio import packets
from app.realtime.engineio.packets import MalformedPacketError
from app.realtime.engineio.session import Reason, Session
from app.realtime.wirejson import dumps

_COMPRESS_FROM_BYTES = 1024

BODY_S = 30.0
"""For the body of a POST to come."""

PACKETS_PER_TURN = 500
"""Packets of a payload taken at once, if none has to wait: a millisecond's work, then it is another
client's turn."""


class Refusal(Enum):
    """Why a request is refused: code and message, as the Node server has them."""

    UNKNOWN_TRANSPORT = (0, "Transport unknown")
    UNKNOWN_SID = (1, "Session ID unknown")
    BAD_METHOD = (2, "Bad handshake method")
    BAD_REQUEST = (3, "Bad request")
    FORBIDDEN = (4, "Forbidden")
    UNSUPPORTED_VERSION = (5, "Unsupported protocol version")


def refuse(refusal: Refusal) -> web.Response:
    """Answer a request that cannot be served."""
    code, message = refusal.value
    is_forbidden = refusal is Refusal.FORBIDDEN
    status = HTTPStatus.FORBIDDEN if is_forbidden else HTTPStatus.BAD_REQUEST
    return web.json_response({"code": code, "message": message}, status=status, dumps=dumps)


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
    if session.ending:
        return answer(session.take_last())
    if session.probing and mailbox.empty:
        return answer([packets.NOOP_PACKET])
    # Packets that no one reads any more are kept for no one: the client is gone.
    with watching(request, lambda: session.close(Reason.TRANSPORT_CLOSE)):
        await mailbox.wait()
    return answer(session.take() or [packets.NOOP_PACKET])


async def push(session: Session, request: web.Request, max_bytes: int) -> web.Response:
    """Serve a POST: take its packets as fast as they are handled, then answer."""
    if session.upgraded:
        return refuse(Refusal.BAD_REQUEST)
    if session.pushing:
        # Two at a time would have no order.
        session.close(Reason.TRANSPORT_ERROR)
        return refuse(Refusal.BAD_REQUEST)
    session.pushing = True
    try:
        body = read_body(
            request, session.budget, max_bytes=max_bytes, timeout_s=BODY_S, shed=session.shed
        )
        await _receive(session, packets.Payload(await body))
    except web.HTTPRequestEntityTooLarge:
        session.close(Reason.TRANSPORT_ERROR)
        # Without a body, as in Node.
        return web.Response(status=HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
    except (MalformedPacketError, ShedError, web.RequestPayloadError, OSError):
        # The last two: a broken encoding, and a client that went away or is too slow.
        session.close(Reason.TRANSPORT_ERROR)
        return refuse(Refusal.BAD_REQUEST)
    finally:
        session.pushing = False
    return web.Response(text="ok", content_type="text/html")


async def _receive(session: Session, payload: packets.Payload) -> None:
    """Hand over the packets of a payload, no more at a time than the session has room for.

    Returns when the session has room for more, or takes no more.

    Raises:
        MalformedPacketError: a packet is malformed; those before it have been handed over.
    """
    waiting = _Waiting(session, payload)
    try:
        for number, packet in enumerate(payload, 1):
            session.receive(*packet)
            del packet
            if session.is_held:
                session.budget.update(waiting)
                await session.wait_for_room()
            elif number % PACKETS_PER_TURN == 0:
                await asyncio.sleep(0)
            if not session.receiving:
                return
    finally:
        session.budget.forget(waiting)


class _Waiting:
    """A payload whose packets wait for their turn (`app.memory.Holder`)."""

    def __init__(self, session: Session, payload: packets.Payload) -> None:
        self._session = session
        self._payload = payload

    @property
    def held_bytes(self) -> int:
        """The bytes that have not been read."""
        return self._payload.rest_bytes

    def shed(self) -> None:
        """End the session, which takes no more of the payload."""
        self._session.shed()

    def abort(self) -> None:
        """End the session and cut its connection."""
        self._session.abort()


@contextmanager
def watching(request: web.Request, gone: Callable[[], None]) -> Iterator[None]:
    """Call `gone()` when the client goes away meanwhile: aiohttp does not inform handlers."""
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
    """Stands before a connection's protocol and sees its end."""

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
