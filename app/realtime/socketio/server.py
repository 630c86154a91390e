"""The Socket.IO server: python-socketio on our engine, strict about what clients send."""

import logging
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

import socketio
from aiohttp import web
from socketio.exceptions import ConnectionRefusedError as Refused
from socketio.packet import (
    ACK,
    BINARY_ACK,
    BINARY_EVENT,
    CONNECT,
    CONNECT_ERROR,
    DISCONNECT,
    EVENT,
)
from websockets.frames import CloseCode

from app.realtime.deadlines import Deadlines
from app.realtime.engineio.engine import EngineServer
from app.realtime.engineio.session import Reason, Session
from app.realtime.finishing import FINISH_S
from app.realtime.inbox import beside
from app.realtime.rooms import RoomManager
from app.realtime.socketio.attachments import AwaitedPacket, SkippedPacket
from app.realtime.socketio.calls import Calls
from app.realtime.socketio.packets import (
    StrictPacket,
    ack_text,
    connect_text,
    is_reserved,
    plain_event,
)
from app.realtime.socketio.recovery import Recovery
from app.realtime.wirejson import Undecodable
from models.endings import SERVER_STOPPING, SESSION_ENDING, TOO_MANY_REQUESTS, Ending
from models.error_codes import ErrorCode
from models.errors import error_body
from models.limits import ConnectionGuard

logger = logging.getLogger(__name__)
# Below this python-socketio logs event names, which clients choose freely.
library_logger = logging.getLogger("socketio.server")
library_logger.setLevel(logging.WARNING)

NEWCOMER_BYTES = 16_384
"""What a session costs that has not joined a namespace: a few kilobytes here, and as many of a
connection."""

_BINARY_REFUSED = {"error": error_body("invalid", "Send JSON: binary data is not accepted here.")}

_FAILED: ErrorCode = "internal"


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
        recovery: Recovery | None = None,
        **engine_options: Any,
    ) -> None:
        """Make a server; a client that joins no namespace in `connect_timeout_s` is closed.

        With `recovery`, namespaces that take part in it let clients go on where they were.

        Events of one client are handled one after the other, in the order it sent them. A namespace
        with a method `is_slow(event)` names those whose end the others do not wait for; one with
        `admit(sid)` is awaited before each event, and what it returns is the answer of a refusal.
        One that wants bytes in events says so by `accepts_binary = True`.
        """
        super().__init__(
            client_manager=manager,
            serializer=StrictPacket,
            logger=library_logger,
            async_handlers=False,
            keeps_binary=False,
            **engine_options,
        )
        self.recovery = recovery
        self._connect_timeout_s = connect_timeout_s
        self._deadlines = Deadlines(connect_timeout_s / 20)
        self._newcomers: dict[str, _Newcomer] = {}
        self._guards: dict[str, ConnectionGuard] = {}
        # Not the library's `_binary_packet`: it forgets what is due when a namespace is left.
        self._unfinished: dict[str, AwaitedPacket | SkippedPacket] = {}

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

    def register_namespace(self, namespace_handler: socketio.AsyncNamespace) -> None:
        """Add a namespace."""
        super().register_namespace(namespace_handler)
        if _accepts_binary(namespace_handler):
            self.eio.keeps_binary = True

    async def _handle_eio_connect(self, eio_sid: str, environ: dict[str, Any]) -> None:
        await super()._handle_eio_connect(eio_sid, environ)
        newcomer = self._newcomers[eio_sid] = _Newcomer(self.eio.sockets[eio_sid])
        self._deadlines.set(newcomer, self._connect_timeout_s)
        if len(self._newcomers) * NEWCOMER_BYTES > self.eio.budget.limit_bytes:
            # Those that mean to join have mostly done so before it is their turn.
            next(iter(self._newcomers.values())).deadline_passed()

    def _no_longer_new(self, eio_sid: str) -> None:
        newcomer = self._newcomers.pop(eio_sid, None)
        if newcomer is not None:
            self._deadlines.clear(newcomer)

    async def _handle_eio_message(self, eio_sid: str, data: str | bytes) -> None:
        unfinished = self._unfinished.get(eio_sid)
        if isinstance(data, bytes):
            if unfinished is None:
                raise ValueError("binary that was not announced")
            if unfinished.add(data):
                await self._finish_binary(eio_sid, unfinished)
        elif unfinished is not None or not data:
            raise ValueError("text in the place of an attachment, or nothing")
        elif eio_sid not in self._newcomers and (event := plain_event(data)) is not None:
            await self._handle_event(eio_sid, *event)
        else:
            await self._handle_packet(eio_sid, self.packet_class(encoded_packet=data))

    async def _handle_packet(self, eio_sid: str, packet: StrictPacket) -> None:
        kind = packet.packet_type
        if kind == CONNECT:
            await self._handle_connect(eio_sid, packet.namespace, packet.data)
        elif eio_sid in self._newcomers:
            raise ValueError("the first packet is no CONNECT")
        elif kind == EVENT:
            await self._handle_event(eio_sid, packet.namespace, packet.id, packet.data)
        elif kind == ACK:
            await self._handle_ack(eio_sid, packet.namespace, packet.id, packet.data)
        elif kind == DISCONNECT:
            reason = self.reason.CLIENT_DISCONNECT
            self._forget(self.manager.sid_from_eio_sid(eio_sid, packet.namespace or "/"))
            await self._handle_disconnect(eio_sid, packet.namespace, reason)
        else:
            await self._begin_binary(eio_sid, packet)

    async def _begin_binary(self, eio_sid: str, packet: StrictPacket) -> None:
        """Wait for the attachments of a packet, or refuse it and pass over them."""
        namespace = packet.namespace or "/"
        session = self.eio.sockets.get(eio_sid)
        if session is None:
            return
        sid = self.manager.sid_from_eio_sid(eio_sid, namespace)
        if sid is None:
            raise ValueError("binary for a namespace that the client is not in")
        wanted = (
            self.manager.is_connected(sid, namespace)
            and not isinstance(packet.data, Undecodable)
            and _accepts_binary(self.namespace_handlers.get(namespace))
            and (packet.packet_type == BINARY_EVENT or self._is_asked(sid, packet.id))
        )
        if wanted:
            self._unfinished[eio_sid] = AwaitedPacket(
                packet, session, self._deadlines, self.eio.budget
            )
            return
        self._unfinished[eio_sid] = SkippedPacket(packet.attachment_count)
        is_event = packet.packet_type == BINARY_EVENT
        if is_event and self.manager.is_connected(sid, namespace):
            refusal = await self._admit(sid, namespace)
            if refusal is None:
                refusal = (
                    _unreadable(packet.data)
                    if isinstance(packet.data, Undecodable)
                    else _BINARY_REFUSED
                )
            await self._acknowledge(eio_sid, namespace, packet.id, [refusal])
        await self._record_violation(eio_sid)

    async def _finish_binary(self, eio_sid: str, unfinished: AwaitedPacket | SkippedPacket) -> None:
        self._unfinished.pop(eio_sid).end()
        if isinstance(unfinished, AwaitedPacket):
            packet = unfinished.packet
            handle = self._handle_ack if packet.packet_type == BINARY_ACK else self._handle_event
            await handle(eio_sid, packet.namespace, packet.id, packet.data)

    async def _handle_eio_disconnect(self, eio_sid: str, reason: str) -> None:
        await super()._handle_eio_disconnect(eio_sid, reason)
        self._no_longer_new(eio_sid)
        unfinished = self._unfinished.pop(eio_sid, None)
        if unfinished is not None:
            unfinished.end()
        self._guards.pop(eio_sid, None)

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
        finally:
            if self.recovery is not None:
                self.recovery.ended(sid)

    async def disconnect(
        self, sid: str, namespace: str | None = None, ignore_queue: bool = False
    ) -> None:
        """Disconnect a client from a namespace, to which it has to come anew."""
        self._forget(sid)
        await super().disconnect(sid, namespace, ignore_queue)

    def _forget(self, sid: str | None) -> None:
        if self.recovery is not None and sid is not None:
            self.recovery.forget(sid)

    async def _handle_event(
        self, eio_sid: str, namespace: str | None, id: int | None, data: list[Any] | Undecodable
    ) -> None:
        """Handle a client's event.

        One for a namespace that it is not in is refused; one that cannot be read is answered.
        """
        namespace = namespace or "/"
        sid = self.manager.sid_from_eio_sid(eio_sid, namespace)
        if not self.manager.is_connected(sid, namespace):
            await self._record_violation(eio_sid)
            return
        refusal = await self._admit(sid, namespace)
        if refusal is not None:
            await self._acknowledge(eio_sid, namespace, id, [refusal])
            return
        if isinstance(data, Undecodable):
            await self._acknowledge(eio_sid, namespace, id, [_unreadable(data)])
            await self._record_violation(eio_sid)
            return
        if is_reserved(data[0]):
            await self._acknowledge(eio_sid, namespace, id, [_reserved(data[0])])
            await self._record_violation(eio_sid)
            return
        handling = self._answer(eio_sid, namespace, sid, id, data)
        is_slow = getattr(self.namespace_handlers.get(namespace), "is_slow", None)
        if is_slow is not None and is_slow(str(data[0])):
            self._beside(eio_sid, handling)
        else:
            await handling

    async def _answer(
        self, eio_sid: str, namespace: str, sid: str, id: int | None, data: list[Any]
    ) -> None:
        """Have a namespace act on an event, and send what it returns to a client that waits for it.

        Its errors are not the client's.
        """
        try:
            handler = self.namespace_handlers.get(namespace)
            if handler is None or namespace in self.handlers:
                answer = await self._trigger_event(data[0], namespace, sid, *data[1:])
            else:
                answer = await handler.trigger_event(data[0], sid, *data[1:])
            if answer is self.not_handled:
                return
            # As the library does: a tuple is several arguments, None is none.
            arguments = (
                list(answer) if isinstance(answer, tuple) else [] if answer is None else [answer]
            )
            await self._acknowledge(eio_sid, namespace, id, arguments)
        except Exception:
            logger.exception("a handler failed")

    def _beside(self, eio_sid: str, handling: Coroutine[object, object, None]) -> None:
        session = self.eio.sockets.get(eio_sid)
        if session is not None:
            session.beside(handling)
        else:
            beside(handling)

    async def _admit(self, sid: str, namespace: str) -> dict[str, Any] | None:
        """Return when an event's turn has come, or with the answer of a refusal."""
        admit = getattr(self.namespace_handlers.get(namespace), "admit", None)
        return await admit(sid) if admit is not None else None

    async def _acknowledge(
        self, eio_sid: str, namespace: str, id: int | None, arguments: list[Any]
    ) -> None:
        """Send an ack, if the client waits for one."""
        if id is None:
            return
        try:
            text = ack_text(namespace, id, arguments)
        except TypeError:
            packet = self.packet_class(ACK, namespace=namespace, id=id, data=arguments)
            await self._send_packet(eio_sid, packet)
        else:
            self.eio.say(eio_sid, text)

    def session_of(self, sid: str, namespace: str) -> Session | None:
        """Return the session of a client, if it has not ended."""
        engine: EngineServer = self.eio
        return engine.sockets.get(self.manager.eio_sid_from_sid(sid, namespace))

    def guard_of(self, eio_sid: str) -> ConnectionGuard:
        """Return what counts the refusals of a session, in all its namespaces."""
        guard = self._guards.get(eio_sid)
        if guard is None:
            guard = self._guards[eio_sid] = ConnectionGuard()
        return guard

    async def end(self, sid: str, namespace: str, ending: Ending) -> None:
        """Send a client the reason, then end it.

        If it may come back, its transport is closed, which ends it in all its namespaces: stock
        clients come back from that by themselves. If not, this namespace is disconnected.
        """
        if not self.manager.is_connected(sid, namespace):
            return
        if ending.reconnect:
            eio_sid = self.manager.eio_sid_from_sid(sid, namespace)
            session = self.eio.sockets.get(eio_sid)
            if session is not None:
                await self._end(eio_sid, session, ending)
            return
        await self._send_ending(self.manager.eio_sid_from_sid(sid, namespace), namespace, ending)
        await self.disconnect(sid, namespace)

    async def stop(self, finish_s: float = FINISH_S) -> None:
        """Stop in good order: answer what has begun, drop the rest, and let all come back (1001).

        Commands that have not ended after `finish_s` are cancelled.
        """
        await self.eio.stop(self._end_stopping, finish_s)

    async def drain(self, within_s: float) -> None:
        """As `stop`, a few clients at a time within so many seconds; the others work as before."""
        await self.eio.drain(self._end_stopping, within_s)

    async def _end_stopping(self, session: Session) -> None:
        await self._end(session.sid, session, SERVER_STOPPING, CloseCode.GOING_AWAY)

    async def _end(
        self,
        eio_sid: str,
        session: Session,
        ending: Ending,
        code: int = CloseCode.POLICY_VIOLATION,
    ) -> None:
        for namespace in list(self.manager.get_namespaces()):
            sid = self.manager.sid_from_eio_sid(eio_sid, namespace)
            if self.manager.is_connected(sid, namespace):
                await self._send_ending(eio_sid, namespace, ending)
        session.end(Reason.SERVER_DISCONNECT, code=code)

    async def _send_ending(self, eio_sid: str, namespace: str, ending: Ending) -> None:
        data = [SESSION_ENDING, ending.data()]
        await self._send_packet(eio_sid, self.packet_class(EVENT, data, namespace=namespace))

    async def _handle_ack(
        self, eio_sid: str, namespace: str | None, id: int, data: list[Any] | Undecodable
    ) -> None:
        """Handle a client's ack; one that no one waits for or that cannot be read is refused."""
        sid = self.manager.sid_from_eio_sid(eio_sid, namespace or "/")
        if self._is_asked(sid, id) and not isinstance(data, Undecodable):
            await self._run(super()._handle_ack(eio_sid, namespace, id, data))
        else:
            await self._record_violation(eio_sid)

    def _is_asked(self, sid: str | None, id: int) -> bool:
        """Whether the application waits for a client's ack."""
        # Under 0 python-socketio keeps its counter.
        return bool(id) and id in self.manager.callbacks.get(sid, ())

    async def _run(self, handling: Awaitable[None]) -> None:
        """Await an application's handler: its errors are not the client's."""
        try:
            await handling
        except Exception:
            logger.exception("a handler failed")

    async def _handle_connect(
        self, eio_sid: str, namespace: str | None, data: dict[str, Any] | Undecodable | None
    ) -> None:
        """Let a client into a namespace, or say why not.

        A second CONNECT to a namespace is malformed: stock clients send one when a namespace is
        closed and opened again before the first is answered. They have forgotten the first, and
        would neither hear of this namespace nor come back, if only the second were refused.

        Between the end of the namespace's handler and the CONNECT answer nothing is awaited that
        could let other tasks run: a client gets no event of a room before the answer that it is in.
        """
        namespace = namespace or "/"
        if namespace not in self.handlers and namespace not in self.namespace_handlers:
            await self._refuse(eio_sid, namespace, {"message": "Invalid namespace"})
            return
        if isinstance(data, Undecodable):
            answer = _unreadable(data)["error"]
            message = answer.pop("message")
            await self._refuse(eio_sid, namespace, {"message": message, "data": answer})
            return
        self._let_go(eio_sid, namespace)
        sid = await self.manager.pre_connect(eio_sid, namespace)
        if sid is None:
            raise ValueError("a second CONNECT to a namespace")
        try:
            await self._trigger_event("connect", namespace, sid, self.environ[eio_sid], data)
        except Refused as refused:
            answer = refused.error_args
        except Exception:
            logger.exception("connecting to %s failed", namespace)
            answer = {"message": "Something went wrong", "data": {"code": _FAILED}}
        else:
            # It may have got the id of its former connection.
            sid = self.manager.sid_from_eio_sid(eio_sid, namespace)
            pid, missed = self.recovery.welcome(sid) if self.recovery is not None else (None, [])
            known = {"sid": sid} if pid is None else {"sid": sid, "pid": pid}
            self.eio.say(eio_sid, connect_text(namespace, known))
            session = self.eio.sockets.get(eio_sid)
            if session is not None:
                for each in missed:
                    session.send(each)
            await self.manager.connect(sid, namespace)
            self._no_longer_new(eio_sid)
            return
        await self.manager.disconnect(sid, namespace, ignore_queue=True)
        await self._refuse(eio_sid, namespace, answer)

    def _let_go(self, eio_sid: str, namespace: str) -> None:
        """Take a client out of a namespace whose disconnect handler is still at work."""
        former = self.manager.sid_from_eio_sid(eio_sid, namespace)
        if former in self.manager.pending_disconnect.get(namespace, ()):
            self.manager.basic_disconnect(former, namespace)

    async def call(
        self,
        event: str,
        data: Any = None,
        to: str | None = None,
        sid: str | None = None,
        namespace: str | None = None,
        timeout: float | None = 60,  # noqa: ASYNC109 (the library's signature)
        ignore_queue: bool = False,
    ) -> Any:
        """Send an event to one client of this process and return its answer, as the library does.

        Also within a handler of the same client. An answer that comes after `timeout` seconds is
        passed over.

        Raises:
            socketio.exceptions.TimeoutError: there was no answer in time, or the client has gone.
            ValueError: no client is named.
        """
        target = to or sid
        if target is None:
            raise ValueError("Cannot use call() to broadcast.")
        namespace = namespace or "/"
        session = self.session_of(target, namespace)
        if session is None:
            raise socketio.exceptions.TimeoutError
        if not isinstance(session.shortcut, Calls):
            session.shortcut = Calls(self.manager, session.sid)
        calls = session.shortcut
        ack_id = calls.begin(target)
        arguments = data if isinstance(data, tuple) else () if data is None else (data,)
        packet = self.packet_class(EVENT, [event, *arguments], namespace=namespace, id=ack_id)
        await self._send_packet(session.sid, packet)
        try:
            answer = await calls.answer(target, ack_id, timeout)
        finally:
            if not calls:
                session.shortcut = None
        return tuple(answer) if len(answer) > 1 else answer[0] if answer else None

    async def _refuse(self, eio_sid: str, namespace: str, answer: dict[str, Any]) -> None:
        packet = self.packet_class(CONNECT_ERROR, answer, namespace=namespace)
        await self._send_packet(eio_sid, packet)
        await self._record_violation(eio_sid)

    async def _record_violation(self, eio_sid: str) -> None:
        session = self.eio.sockets.get(eio_sid)
        if session is not None and self.guard_of(eio_sid).record_violation():
            await self._end(eio_sid, session, TOO_MANY_REQUESTS)


def _unreadable(payload: Undecodable) -> dict[str, Any]:
    """Return the answer to a packet whose payload cannot be read."""
    return {"error": error_body(payload.error.code, payload.error.message)}


def _reserved(name: str) -> dict[str, Any]:
    """Return the answer to an event whose name is the protocol's own."""
    message = f"`{name}` is an event of Socket.IO itself; clients do not emit it."
    return {"error": {"code": "event_reserved", "message": message}}


def _accepts_binary(handler: socketio.AsyncNamespace | None) -> bool:
    """Whether a namespace wants bytes in its events and acks."""
    return getattr(handler, "accepts_binary", False)
