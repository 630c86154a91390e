"""The Engine.IO server: python-engineio's face, with sessions and a write path of our own.

`socketio.AsyncServer` talks to it as to the stock server: `send`, `disconnect`, `handlers` and the
like are inherited or have the same meaning.
"""

import json
import logging
from collections.abc import Callable
from typing import Any

import engineio
from aiohttp import web
from websockets.frames import CloseCode

from app.realtime import packets, polling
from app.realtime.deadlines import Deadlines
from app.realtime.packets import Message, Packet
from app.realtime.polling import Refusal, refuse
from app.realtime.probe import Probe, TurnedAway
from app.realtime.session import Reason, Session
from app.realtime.upgrade import Upgrade, wants_websocket
from app.realtime.websocket import Listener, WebSocket

logger = logging.getLogger(__name__)

MAX_PAYLOAD_BYTES = 1_000_000
"""Of one message or payload of a client; told in the handshake. Node's default."""


class EngineServer(engineio.AsyncServer):  # type: ignore[misc]
    """Engine.IO version 4 on aiohttp."""

    sockets: dict[str, Session]

    def __init__(
        self,
        *,
        ping_interval_s: float = 25.0,
        ping_timeout_s: float = 20.0,
        unsent_bytes: int = 1_048_576,
        origin_allowed: Callable[[web.BaseRequest], bool] = lambda request: True,
    ) -> None:
        super().__init__(async_mode="aiohttp", logger=logger, cors_allowed_origins=[])
        self.ping_interval_s = ping_interval_s
        self.ping_timeout_s = ping_timeout_s
        self.unsent_bytes = unsent_bytes
        self.origin_allowed = origin_allowed
        # Twenty ticks in an interval: a deadline is late by 5 % at most.
        self.deadlines = Deadlines(min(ping_interval_s, ping_timeout_s) / 20)

    async def handle_request(self, request: web.Request) -> web.StreamResponse:
        """Serve any request under the Engine.IO path."""
        query = request.query
        transport = query.get("transport")
        if transport not in ("polling", "websocket"):
            return refuse(Refusal.UNKNOWN_TRANSPORT)
        if not self.origin_allowed(request):
            return refuse(Refusal.FORBIDDEN)
        if "sid" in query:
            session = self.sockets.get(query["sid"])
            if session is None:
                return refuse(Refusal.UNKNOWN_SID)
            return await self._go_on(session, request, transport)
        if query.get("EIO") != "4":
            return refuse(Refusal.UNSUPPORTED_VERSION)
        if request.method != "GET":
            return refuse(Refusal.BAD_METHOD)
        if wants_websocket(request) != (transport == "websocket"):
            return refuse(Refusal.BAD_REQUEST)
        return await self._open(request, transport)

    async def _open(self, request: web.Request, transport: str) -> web.StreamResponse:
        upgrade = Upgrade(request) if transport == "websocket" else None
        session = Session(self)
        self.sockets[session.sid] = session
        await self.handlers["connect"](session.sid, {"REMOTE_ADDR": request.remote})
        if upgrade is None:
            return polling.answer([self._handshake(session, ["websocket"])])
        session.send(self._handshake(session, []))
        return upgrade.to(self._websocket(session))

    def _handshake(self, session: Session, upgrades: list[str]) -> Packet:
        return Packet(
            packets.OPEN,
            json.dumps(
                {
                    "sid": session.sid,
                    "upgrades": upgrades,
                    "pingInterval": round(self.ping_interval_s * 1000),
                    "pingTimeout": round(self.ping_timeout_s * 1000),
                    "maxPayload": MAX_PAYLOAD_BYTES,
                }
            ),
        )

    def _websocket(self, listener: Listener) -> WebSocket:
        return WebSocket(listener, message_bytes=MAX_PAYLOAD_BYTES, unsent_bytes=self.unsent_bytes)

    async def _go_on(
        self, session: Session, request: web.Request, transport: str
    ) -> web.StreamResponse:
        if transport == "websocket":
            if not wants_websocket(request):
                return refuse(Refusal.BAD_REQUEST)
            taken = session.upgraded or session.probe is not None
            listener = TurnedAway() if taken else Probe(session, self.deadlines)
            return Upgrade(request).to(self._websocket(listener))
        if request.method == "GET":
            return await polling.poll(session, request)
        if request.method == "POST":
            return await polling.push(session, request, MAX_PAYLOAD_BYTES)
        return refuse(Refusal.BAD_REQUEST)

    # What sessions tell their owner.

    async def message(self, session: Session, data: Message) -> None:
        """Hand a message to the handler; one that it cannot read ends the session."""
        try:
            await self.handlers["message"](session.sid, data)
        except ValueError as error:
            logger.info("session %s sent a malformed message: %s", session.sid, error)
            session.close(Reason.TRANSPORT_ERROR)

    async def ended(self, session: Session, reason: str) -> None:
        """Tell the handler."""
        await self.handlers["disconnect"](session.sid, reason)

    def forget(self, session: Session) -> None:
        """Make the session's id unknown."""
        self.sockets.pop(session.sid, None)

    # What the Socket.IO server calls.

    async def send(self, sid: str, data: Message) -> None:
        """Send a message to a client; one that is gone is no error."""
        session = self.sockets.get(sid)
        if session is not None:
            session.send(Packet(packets.MESSAGE, data))

    async def send_packet(self, sid: str, pkt: Any) -> None:
        """Send one of python-engineio's packets; only messages come this way."""
        await self.send(sid, pkt.data)

    async def disconnect(self, sid: str | None = None) -> None:
        """End one session, or all."""
        for session in [self.sockets.get(sid)] if sid else list(self.sockets.values()):
            if session is not None:
                session.close(Reason.SERVER_DISCONNECT)

    async def shutdown(self) -> None:
        """Tell all clients that the server is going away, so that they come back elsewhere."""
        for session in list(self.sockets.values()):
            session.close(Reason.SERVER_DISCONNECT, code=CloseCode.GOING_AWAY)
