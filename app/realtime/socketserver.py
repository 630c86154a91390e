"""The Socket.IO server: python-socketio on our engine, strict about what clients send."""

import asyncio
import logging
from collections.abc import Callable
from typing import Any

import socketio
from aiohttp import web
from socketio.exceptions import ConnectionRefusedError as Refused
from socketio.packet import ACK, BINARY_ACK, BINARY_EVENT, CONNECT, CONNECT_ERROR, EVENT

from app.realtime import wirejson
from app.realtime.engine import EngineServer
from app.realtime.rooms import RoomManager
from app.realtime.session import Reason

logger = logging.getLogger(__name__)
# Below this python-socketio logs event names, which clients choose freely.
library_logger = logging.getLogger("socketio.server")
library_logger.setLevel(logging.WARNING)

MAX_ATTACHMENTS = 16
"""Binary parts of one packet; more are held back by a client that wants to fill memory."""

MAX_REFUSALS = 20
"""Refused CONNECTs on one connection before it is closed; a front end joins a handful."""

RESERVED = frozenset({"connect", "connect_error", "disconnect", "disconnecting", "newListener"})
"""Event names that only the library may use; the Node server refuses them as well."""


class StrictPacket(socketio.packet.Packet):  # type: ignore[misc]
    """A Socket.IO packet whose parts have the types that protocol version 5 gives them."""

    json = wirejson

    def decode(self, encoded_packet: str) -> int:
        """Decode and check; gives the number of attachments to come.

        Raises:
            ValueError: the packet is malformed.
        """
        attachments: int = super().decode(encoded_packet)
        data = self.data
        if self.packet_type in (EVENT, BINARY_EVENT):
            valid = isinstance(data, list) and bool(data) and _is_event_name(data[0])
        elif self.packet_type in (ACK, BINARY_ACK):
            valid = isinstance(data, list) and self.id is not None
        elif self.packet_type == CONNECT:
            valid = data is None or isinstance(data, dict)
        else:
            valid = data is None
        binary = self.packet_type in (BINARY_EVENT, BINARY_ACK)
        if not valid or binary != (attachments > 0) or attachments > MAX_ATTACHMENTS:
            raise ValueError("malformed Socket.IO packet")
        return attachments


def _is_event_name(name: object) -> bool:
    return isinstance(name, int) or (isinstance(name, str) and name not in RESERVED)


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

        Events of one client are handled one after the other, in the order it sent them.
        """
        super().__init__(
            client_manager=manager,
            serializer=StrictPacket,
            logger=library_logger,
            async_handlers=False,
            **engine_options,
        )
        self._connect_timeout_s = connect_timeout_s
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
        loop = asyncio.get_running_loop()
        loop.call_later(self._connect_timeout_s, self._close_silent, eio_sid)

    def _close_silent(self, eio_sid: str) -> None:
        session = self.eio.sockets.get(eio_sid)
        joined = any(
            self.manager.sid_from_eio_sid(eio_sid, namespace)
            for namespace in self.manager.get_namespaces()
        )
        if session is not None and not joined:
            session.close(Reason.SERVER_DISCONNECT)

    async def _handle_eio_message(self, eio_sid: str, data: str | bytes) -> None:
        # Text while parts of a binary packet are due, or binary when none are, is malformed.
        if isinstance(data, bytes) != (eio_sid in self._binary_packet):
            raise ValueError("text and binary out of order")
        try:
            await super()._handle_eio_message(eio_sid, data)
        except (IndexError, KeyError, TypeError, RecursionError) as error:
            raise ValueError(f"malformed Socket.IO packet: {type(error).__name__}") from None

    async def _handle_eio_disconnect(self, eio_sid: str, reason: str) -> None:
        await super()._handle_eio_disconnect(eio_sid, reason)
        self._binary_packet.pop(eio_sid, None)
        self._refusals.pop(eio_sid, None)

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
            return
        await self.manager.disconnect(sid, namespace, ignore_queue=True)
        await self._refuse(eio_sid, namespace, answer)

    async def _refuse(self, eio_sid: str, namespace: str, answer: dict[str, Any]) -> None:
        packet = self.packet_class(CONNECT_ERROR, answer, namespace=namespace)
        await self._send_packet(eio_sid, packet)
        self._refusals[eio_sid] = self._refusals.get(eio_sid, 0) + 1
        if self._refusals[eio_sid] >= MAX_REFUSALS:
            await self.eio.disconnect(eio_sid)
