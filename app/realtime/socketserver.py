"""The Socket.IO server: python-socketio on our engine, strict about what clients send."""

import logging
from collections.abc import Awaitable, Callable
from typing import Any

import socketio
from aiohttp import web
from socketio.exceptions import ConnectionRefusedError as Refused
from socketio.packet import CONNECT, CONNECT_ERROR
from websockets.frames import CloseCode

from app.realtime.deadlines import Deadlines
from app.realtime.engine import EngineServer
from app.realtime.inbox import beside
from app.realtime.rooms import RoomManager
from app.realtime.session import Reason, Session
from app.realtime.socketpacket import StrictPacket

logger = logging.getLogger(__name__)
# Below this python-socketio logs event names, which clients choose freely.
library_logger = logging.getLogger("socketio.server")
library_logger.setLevel(logging.WARNING)

MAX_REFUSALS = 20
"""Packets refused on one connection before it is closed: CONNECTs to namespaces that are not there
or do not let it in, and packets for namespaces it is not in. A front end joins a handful."""


class _Newcomer:
    """A session that has not joined a namespace yet."""

    __slots__ = ("_session", "deadline_tick")

    def __init__(self, session: Session) -> None:
        self._session = session
        self.deadline_tick = 0

    def deadline_passed(self) -> None:
        """Close a client that stays silent."""
        self._session.close(Reason.SERVER_DISCONNECT)


class SocketServer(socketio.AsyncServer):  # type: ignore[misc]
    """Namespaces, rooms and acks for Socket.IO clients."""

    def __init__(
        self,
        manager: RoomManager,
        *,
        connect_timeout_s: float = 45.0,
        **engine_options: Any,
    ) -> None:
        """Make a server; a client that joins no namespace in `connect_timeout_s` is closed.

        Events of one client are handled one after the other, in the order it sent them. A namespace
        with a method `is_slow(event)` names those whose end the others do not wait for.
        """
        super().__init__(
            client_manager=manager,
            serializer=StrictPacket,
            logger=library_logger,
            async_handlers=False,
            **engine_options,
        )
        self._connect_timeout_s = connect_timeout_s
        self._deadlines = Deadlines(connect_timeout_s / 20)
        self._newcomers: dict[str, _Newcomer] = {}
        self._refusals: dict[str, int] = {}

    def _engineio_server_class(self) -> Callable[..., EngineServer]:
        def build(**options: Any) -> EngineServer:
            # python-socketio adds settings of the stock engine.
            options.pop("async_handlers", None)
            options.pop("json", None)
            options.pop("logger", None)
            return EngineServer(**options)

        return build

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Serve a request under the Socket.IO path."""
        engine: EngineServer = self.eio
        return await engine.handle_request(request)

    async def _handle_eio_connect(self, eio_sid: str, environ: dict[str, Any]) -> None:
        await super()._handle_eio_connect(eio_sid, environ)
        newcomer = self._newcomers[eio_sid] = _Newcomer(self.eio.sockets[eio_sid])
        self._deadlines.set(newcomer, self._connect_timeout_s)

    def _no_longer_new(self, eio_sid: str) -> None:
        newcomer = self._newcomers.pop(eio_sid, None)
        if newcomer is not None:
            self._deadlines.clear(newcomer)

    async def _handle_eio_message(self, eio_sid: str, data: str | bytes) -> None:
        # Text while parts of a binary packet are due, or binary when none are, is malformed.
        if data == "" or isinstance(data, bytes) != (eio_sid in self._binary_packet):
            raise ValueError("text and binary out of order")
        await super()._handle_eio_message(eio_sid, data)

    async def _handle_eio_disconnect(self, eio_sid: str, reason: str) -> None:
        await super()._handle_eio_disconnect(eio_sid, reason)
        self._no_longer_new(eio_sid)
        self._binary_packet.pop(eio_sid, None)
        self._refusals.pop(eio_sid, None)

    async def _handle_disconnect(
        self, eio_sid: str, namespace: str | None, reason: str | None = None
    ) -> None:
        """Take a client out of a namespace, even if the namespace's handler fails."""
        namespace = namespace or "/"
        sid = self.manager.sid_from_eio_sid(eio_sid, namespace)
        try:
            await super()._handle_disconnect(eio_sid, namespace, reason)
        except Exception:
            logger.exception("leaving %s failed", namespace)
            await self.manager.disconnect(sid, namespace, ignore_queue=True)

    async def _handle_event(
        self, eio_sid: str, namespace: str | None, id: int | None, data: list[Any]
    ) -> None:
        """Handle a client's event; one for a namespace that it is not in is refused."""
        sid = self.manager.sid_from_eio_sid(eio_sid, namespace or "/")
        if not self.manager.is_connected(sid, namespace or "/"):
            self._count_refusal(eio_sid)
            return
        handling = self._run(super()._handle_event(eio_sid, namespace, id, data))
        is_slow = getattr(self.namespace_handlers.get(namespace or "/"), "is_slow", None)
        if is_slow is not None and is_slow(str(data[0])):
            beside(handling)
        else:
            await handling

    async def _handle_ack(
        self, eio_sid: str, namespace: str | None, id: int, data: list[Any]
    ) -> None:
        """Handle a client's ack; one that nobody waits for is refused."""
        sid = self.manager.sid_from_eio_sid(eio_sid, namespace or "/")
        # Under 0 python-socketio keeps its counter.
        if id and id in self.manager.callbacks.get(sid, ()):
            await self._run(super()._handle_ack(eio_sid, namespace, id, data))
        else:
            self._count_refusal(eio_sid)

    async def _run(self, handling: Awaitable[None]) -> None:
        """Await an application's handler: its errors are not the client's."""
        try:
            await handling
        except Exception:
            logger.exception("a handler failed")

    async def _handle_connect(
        self, eio_sid: str, namespace: str | None, data: dict[str, Any] | None
    ) -> None:
        """Let a client into a namespace, or say why not.

        Between the end of the namespace's handler and the CONNECT answer nothing is awaited that
        could let other tasks run: a client gets no event of a room before it is told that it is in.
        """
        namespace = namespace or "/"
        if namespace not in self.handlers and namespace not in self.namespace_handlers:
            await self._refuse(eio_sid, namespace, {"message": "Invalid namespace"})
            return
        sid = await self.manager.pre_connect(eio_sid, namespace)
        if sid is None:
            await self._refuse(eio_sid, namespace, {"message": "Already connected"})
            return
        try:
            await self._trigger_event("connect", namespace, sid, self.environ[eio_sid], data)
        except Refused as refused:
            answer = refused.error_args
        except Exception:
            logger.exception("connecting to %s failed", namespace)
            answer = {"message": "Something went wrong", "data": {"code": "internal"}}
        else:
            packet = self.packet_class(CONNECT, {"sid": sid}, namespace=namespace)
            await self._send_packet(eio_sid, packet)
            await self.manager.connect(sid, namespace)
            self._no_longer_new(eio_sid)
            return
        await self.manager.disconnect(sid, namespace, ignore_queue=True)
        await self._refuse(eio_sid, namespace, answer)

    async def _refuse(self, eio_sid: str, namespace: str, answer: dict[str, Any]) -> None:
        packet = self.packet_class(CONNECT_ERROR, answer, namespace=namespace)
        await self._send_packet(eio_sid, packet)
        self._count_refusal(eio_sid)

    def _count_refusal(self, eio_sid: str) -> None:
        self._refusals[eio_sid] = self._refusals.get(eio_sid, 0) + 1
        session = self.eio.sockets.get(eio_sid)
        if session is not None and self._refusals[eio_sid] >= MAX_REFUSALS:
            session.close(Reason.TRANSPORT_ERROR, code=CloseCode.POLICY_VIOLATION)
