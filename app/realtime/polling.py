"""HTTP long-polling: how requests of a session become packets and packets become answers."""

from enum import Enum
from http import HTTPStatus

from aiohttp import web

from app.realtime import packets
from app.realtime.packets import MalformedPacketError
from app.realtime.session import Reason, Session

_COMPRESS_FROM_BYTES = 1024


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
    if session.polled:
        session.close(Reason.TRANSPORT_ERROR)
        return refuse(Refusal.BAD_REQUEST)
    if session.probing and not session.pending:
        return answer([packets.NOOP_PACKET])
    await session.wait_for_packets(lambda: request.transport is None)
    if request.transport is None:
        # Packets that nobody reads any more are kept for no one: the client is gone.
        session.close(Reason.TRANSPORT_CLOSE)
    return answer(session.take_queue() or [packets.NOOP_PACKET])


async def push(session: Session, request: web.Request, max_bytes: int) -> web.Response:
    """Serve a POST: take its packets, all of them or none."""
    if session.upgraded:
        return refuse(Refusal.BAD_REQUEST)
    body = bytearray()
    async for chunk in request.content.iter_any():
        body += chunk
        if len(body) > max_bytes:
            session.close(Reason.TRANSPORT_ERROR)
            return refuse(Refusal.BAD_REQUEST, HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
    try:
        for kind, data in packets.decode_payload(bytes(body)):
            session.receive(kind, data)
    except MalformedPacketError:
        session.close(Reason.TRANSPORT_ERROR)
        return refuse(Refusal.BAD_REQUEST)
    return web.Response(text="ok", content_type="text/html")
