"""The Engine.IO server: python-engineio's face, with sessions and a write path of our own.

`socketio.AsyncServer` talks to it as to the stock server: `send`, `disconnect`, `handlers` and the
like are inherited or have the same meaning.
"""

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any

import engineio
from aiohttp import web
from websockets.frames import CloseCode

from app.memory import Budget, memory_limit_bytes
from app.realtime.deadlines import Deadlines
from app.realtime.engineio import packets, polling
from app.realtime.engineio.neighbours import Neighbours
from app.realtime.engineio.packets import Message, Packet
from app.realtime.engineio.polling import Refusal, refuse
from app.realtime.engineio.probe import Probe, TurnedAway
from app.realtime.engineio.session import Reason, Session
from app.realtime.finishing import FAREWELL_S, FINISH_S, drain_each, finish_each
from app.realtime.lives import Lives
from app.realtime.traffic import Traffic
from app.realtime.websocket.connection import Listener, WebSocket
from app.realtime.websocket.upgrade import Upgrade, wants_websocket

logger = logging.getLogger(__name__)
library_logger = logging.getLogger("engineio.server")

MAX_PAYLOAD_BYTES = 1_000_000
"""Of one message or payload of a client; announced in the handshake. Node's default."""

DOOR = "socket.io"
"""What the log and the metrics call this way in."""

CHANGE_OVER_S = 0.5
"""How long a stopping server waits for clients that are changing over to WebSocket, to tell them:
several round trips, and a tenth of the time that it has."""


class EngineServer(engineio.AsyncServer):  # type: ignore[misc]
    """Engine.IO version 4 on aiohttp."""

    sockets: dict[str, Session]

    def __init__(
        self,
        *,
        ping_interval_s: float = 25.0,
        ping_timeout_s: float = 20.0,
        unsent_bytes: int = 1_048_576,
        payload_bytes: int = MAX_PAYLOAD_BYTES,
        origin_allowed: Callable[[web.BaseRequest], bool] = lambda request: True,
        budget: Budget | None = None,
        keeps_binary: bool = True,
        lives: Lives | None = None,
        neighbours: Neighbours | None = None,
    ) -> None:
        """Make a server; without `keeps_binary`, binary messages are handed on empty.

        With `neighbours`, requests for their sessions are passed on to them.
        """
        super().__init__(async_mode="aiohttp", logger=library_logger, cors_allowed_origins=[])
        self.ping_interval_s = ping_interval_s
        self.ping_timeout_s = ping_timeout_s
        self.unsent_bytes = unsent_bytes
        self.payload_bytes = payload_bytes
        self.origin_allowed = origin_allowed
        self.budget = Budget(memory_limit_bytes() // 4) if budget is None else budget
        self.keeps_binary = keeps_binary
        self.traffic = Traffic()
        self._lives = lives
        self._neighbours = neighbours
        self._emptied: asyncio.Event | None = None
        self._leaving: set[Session] = set()
        self._all_gone: asyncio.Event | None = None
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
            return await self._go_on(query["sid"], request, transport)
        if query.get("EIO") != "4":
            return refuse(Refusal.UNSUPPORTED_VERSION)
        if request.method != "GET":
            return refuse(Refusal.BAD_METHOD)
        if wants_websocket(request) != (transport == "websocket"):
            return refuse(Refusal.BAD_REQUEST)
        return await self._open(request, transport)

    async def _open(self, request: web.Request, transport: str) -> web.StreamResponse:
        upgrade = Upgrade(request) if transport == "websocket" else None
        session = Session(
            self,
            base64=bool(request.query.get("b64")),
            sid_suffix="" if self._neighbours is None else self._neighbours.sid_suffix,
        )
        self.sockets[session.sid] = session
        if self._lives is not None:
            session.life = self._lives.begin(DOOR, request)
        if upgrade is not None:
            # Before the handler, which may send messages.
            session.send(self._handshake(session, []))
        await self.handlers["connect"](session.sid, {"REMOTE_ADDR": request.remote})
        if upgrade is None:
            return polling.answer([self._handshake(session, ["websocket"])])
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
                    "maxPayload": self.payload_bytes,
                }
            ),
        )

    def _websocket(self, listener: Listener) -> WebSocket:
        return WebSocket(
            listener,
            message_bytes=self.payload_bytes,
            unsent_bytes=self.unsent_bytes,
            budget=self.budget,
            is_terse=True,
        )

    async def _go_on(self, sid: str, request: web.Request, transport: str) -> web.StreamResponse:
        owner = None
        if sid not in self.sockets and self._neighbours is not None:
            owner = self._neighbours.owner_of(sid)
        if owner is None and sid not in self.sockets:
            return refuse(Refusal.UNKNOWN_SID)
        if transport == "websocket":
            if not wants_websocket(request):
                return refuse(Refusal.BAD_REQUEST)
            # First, as a malformed handshake must not take the session's one probe.
            upgrade = Upgrade(request)
            if owner is not None and self._neighbours is not None:
                return await self._neighbours.upgrade(owner, sid, upgrade)
            return upgrade.to(self._try_out(self.sockets[sid]))
        if request.method not in ("GET", "POST"):
            return refuse(Refusal.BAD_REQUEST)
        if owner is not None and self._neighbours is not None:
            return await self._neighbours.poll(owner, request)
        return await self.go_on_polling(sid, request)

    def _try_out(self, session: Session) -> WebSocket:
        taken = session.upgraded or session.probe is not None
        return self._websocket(TurnedAway() if taken else Probe(session, self.deadlines))

    # What neighbours ask for, who have checked the request.

    async def go_on_polling(self, sid: str, request: web.Request) -> web.StreamResponse:
        """Serve a GET or POST of a session."""
        session = self.sockets.get(sid)
        if session is None:
            return refuse(Refusal.UNKNOWN_SID)
        if request.method == "GET":
            return await polling.poll(session, request)
        return await polling.push(session, request, self.payload_bytes)

    def upgraded_elsewhere(self, sid: str) -> WebSocket | None:
        """Return what goes on with a session's connection after its opening handshake.

        None if there is no such session.
        """
        session = self.sockets.get(sid)
        return None if session is None else self._try_out(session)

    # What sessions report to their owner.

    async def message(self, session: Session, data: Message) -> None:
        """Hand a message to the handler; one that it cannot read ends the session."""
        self.traffic.received += 1
        try:
            await self.handlers["message"](session.sid, data)
        except ValueError as error:
            # Neither the id, by which anyone could poll, nor what the message was.
            logger.info("a session sent a malformed message: %s", type(error).__name__)
            session.end(Reason.TRANSPORT_ERROR, code=CloseCode.PROTOCOL_ERROR)

    async def ended(self, session: Session, reason: str) -> None:
        """Tell the handler."""
        await self.handlers["disconnect"](session.sid, reason)

    def forget(self, session: Session) -> None:
        """Make the session's id unknown."""
        self.sockets.pop(session.sid, None)
        if self._emptied is not None and not self.sockets:
            self._emptied.set()

    def gone(self, session: Session) -> None:
        """Note that nothing more goes to the session's client."""
        if self._leaving:
            self._leaving.discard(session)
            if not self._leaving and self._all_gone is not None:
                self._all_gone.set()

    # What the Socket.IO server calls.

    async def send(self, sid: str, data: Message) -> None:
        """Send a message to a client; one that is gone is no error."""
        session = self.sockets.get(sid)
        if session is not None:
            self.traffic.sent += 1
            session.send(Packet(packets.MESSAGE, data))

    def say(self, sid: str, text: str) -> None:
        """Send a text message to one client, as `send` does."""
        session = self.sockets.get(sid)
        if session is not None:
            self.traffic.sent += 1
            session.say(text)

    async def send_packet(self, sid: str, pkt: Any) -> None:
        """Send one of python-engineio's packets; only messages come this way."""
        await self.send(sid, pkt.data)

    async def disconnect(self, sid: str | None = None) -> None:
        """End one session, or all."""
        for session in [self.sockets.get(sid)] if sid else list(self.sockets.values()):
            if session is not None:
                session.close(Reason.SERVER_DISCONNECT)

    async def drain(
        self,
        end: Callable[[Session], Awaitable[None]],
        within_s: float,
        finish_s: float = FINISH_S,
    ) -> None:
        """As `stop`, for a few sessions at a time; the others go on until it is their turn."""
        await drain_each(
            list(self.sockets.values()),
            end,
            is_there=lambda session: not session.closed,
            within_s=within_s,
            finish_s=finish_s,
        )

    async def stop(
        self, end: Callable[[Session], Awaitable[None]], finish_s: float = FINISH_S
    ) -> None:
        """Let all sessions answer what they have begun, then `end` each; wait for their clients."""
        sessions = list(self.sockets.values())
        self._leaving, self._all_gone = set(sessions), asyncio.Event()
        await finish_each(sessions, end, finish_s)
        if self._leaving:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._all_gone.wait(), FAREWELL_S)
        # Who did not poll any more, and who came last.
        for session in list(self.sockets.values()):
            session.close(Reason.SERVER_DISCONNECT, code=CloseCode.GOING_AWAY)
            session.abandon()

    async def shutdown(self) -> None:
        """Announce to all clients that the server goes away, so that they come back elsewhere."""
        for session in list(self.sockets.values()):
            session.close(Reason.SERVER_DISCONNECT, code=CloseCode.GOING_AWAY)
        if self.sockets:
            self._emptied = asyncio.Event()
            with suppress(TimeoutError):
                await asyncio.wait_for(self._emptied.wait(), CHANGE_OVER_S)
        for session in list(self.sockets.values()):
            session.abandon()
