"""The Socket.IO namespace of a domain: authentication, membership, commands in and answers out."""

import asyncio
import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import nullcontext
from datetime import UTC, datetime
from typing import Any

import socketio
from socketio.exceptions import ConnectionRefusedError as Refused

from models.accounts.revocations import Revocation
from models.endings import (
    ACCOUNT_DISABLED,
    EXPIRING_S,
    SESSION_ENDED,
    SESSION_EXPIRING,
    TOKEN_EXPIRED,
    TOO_MANY_REQUESTS,
    Ending,
)
from models.error_codes import ErrorCode
from models.errors import DomainError, Forbidden, Invalid, TooManyRequests, Unauthorized
from models.fields import Input, Text, load
from models.identity import TOKEN_MAX, Authenticate, Identity
from models.limits import ConnectionGuard
from models.times import to_text
from namespaces.base import Answer, Caller, Commands, error_answer
from namespaces.guard import CONNECT_TOKENS, AccountLimits, MessageQueue, record_error


class SocketConnection:
    """One client in one namespace, as commands see it."""

    __slots__ = ("_held", "_namespace", "_sid")

    def __init__(self, namespace: "DomainNamespace", sid: str, *, held: bool = False) -> None:
        """With `held`, rooms are only noted until `release`."""
        self._namespace = namespace
        self._sid = sid
        self._held: set[str] | None = set() if held else None

    @property
    def held(self) -> frozenset[str]:
        """The rooms that are noted."""
        return frozenset(self._held or ())

    def enter(self, room: str) -> None:
        """Put this client into a room."""
        if self._held is not None:
            self._held.add(room)
        else:
            manager = self._namespace.server.manager
            manager.stays((self._namespace, self._sid), room)
            manager.basic_enter_room(self._sid, self._namespace.namespace, room)
            self._namespace.note_rooms(self._sid)

    def leave(self, room: str) -> None:
        """Take this client out of a room."""
        if self._held is not None:
            self._held.discard(room)
        else:
            manager, member = self._namespace.server.manager, (self._namespace, self._sid)
            manager.leave_after_published(member, room, _leave)

    def hold(self, rooms: Iterable[str]) -> None:
        """Note rooms until `release`, and all that are entered until then."""
        self._held = {*(self._held or ()), *rooms}

    def release(self) -> None:
        """Enter the rooms that are noted."""
        held, self._held = self._held or (), None
        for room in held:
            self.enter(room)

    def end(self) -> None:
        """Enter nothing any more: the client may have come back under the same id."""
        self._held = set()


def _leave(member: tuple["DomainNamespace", str], room: str) -> None:
    namespace, sid = member
    namespace.server.manager.basic_leave_room(sid, namespace.namespace, room)
    namespace.note_rooms(sid)


class SocketCaller(Caller):
    """Who calls by a Socket.IO connection."""

    __slots__ = ()

    connection: SocketConnection


class _Client:
    """What the namespace keeps for each connected client."""

    __slots__ = ("caller", "expiry", "guard", "has_moved", "queue")

    def __init__(self, caller: SocketCaller, queue: MessageQueue, guard: ConnectionGuard) -> None:
        self.caller = caller
        self.queue = queue
        self.guard = guard
        self.has_moved = False
        """Whether the present command has changed its rooms."""

        self.expiry: asyncio.TimerHandle | None = None
        """What comes next of its token: the warning or the end."""

    @property
    def account_id(self) -> str:
        """The account that is connected."""
        return self.caller.identity.account_id

    def forget_expiry(self) -> None:
        """Let the token's end pass without notice."""
        if self.expiry is not None:
            self.expiry.cancel()
            self.expiry = None


class RefreshSession(Input):
    """A new token for a live connection."""

    token = Text(TOKEN_MAX, required=True)


REFRESH = "refresh_session"
"""The command of the gateway itself, in every namespace."""

REFRESH_ERRORS: tuple[ErrorCode, ...] = (
    "account_disabled",
    "not_the_account",
    "session_ended",
    "token_expired",
    "token_invalid",
    "token_missing",
)
"""Codes of its answers besides those that any command may have."""

_REFRESH_SCHEMA = RefreshSession()


class DomainNamespace(socketio.AsyncNamespace):  # type: ignore[misc]
    """Serves `/<domain>`: `auth: {token}` lets a client in, its events are commands."""

    def __init__(
        self, commands: Commands, authenticate: Authenticate, limits: AccountLimits
    ) -> None:
        super().__init__(f"/{commands.domain}")
        self._commands = commands
        self._authenticate = authenticate
        self._limits = limits
        self._clients: dict[str, _Client] = {}

    async def trigger_event(self, event: str | int, *args: Any) -> Answer | None:
        """Take every event of the library and of clients; the latter are commands only.

        The server lets no client emit the library's own names (`connect`, `disconnect`).
        """
        if event == "connect":
            sid, _environ, auth = args
            await self._on_connect(sid, auth)
            return None
        if event == "disconnect":
            await self._on_disconnect(args[0])
            return None
        sid, *payload = args
        return await self._command(sid, str(event), payload)

    async def _on_connect(self, sid: str, auth: object) -> None:
        token = auth.get("token") if isinstance(auth, dict) else None
        record = None
        try:
            if not isinstance(token, str):
                raise Unauthorized("Connect with auth: {token}.", code="token_missing")
            identity = await self._authenticate(token)
            # Without a turn: it waits for the end of another connection of that client, if need be.
            record = await self._claim(identity, auth)
            queue = await self._count_connection(sid, identity.account_id)
        except DomainError as error:
            self._restore(record)
            if isinstance(error, TooManyRequests):
                self._limits.record_refusal("connections")
            answer = error_answer(error)["error"]
            raise Refused(answer.pop("message"), answer) from None
        eio_sid = self.server.manager.eio_sid_from_sid(sid, self.namespace)
        try:
            async with self._limits.arriving:
                back = await self._come_back(identity, auth, record) if record is not None else None
                if back is None:
                    caller = await self._arrive(sid, identity)
        except BaseException:
            self._limits.remove_connection(identity.account_id, queue)
            self._restore(record)
            raise
        # From here on nothing is awaited: see `SocketServer._handle_connect`.
        missed = None
        if back is not None:
            caller, missed = back
            self.server.manager.rename(sid, missed.record.sid, self.namespace)
            sid = missed.record.sid
        client = _Client(caller, queue, self.server.guard_of(eio_sid))
        self._clients[sid] = client
        self._watch_expiry(sid, client)
        caller.connection.release()
        recovery, session = self.server.recovery, self.server.eio.sockets.get(eio_sid)
        if session is not None and session.life is not None:
            session.life.account_id = identity.account_id
        if session is None:
            # It has been cut again on the way.
            self._restore(record, is_ending=missed is not None)
        elif recovery is not None and recovery.is_wanted(auth):
            recovery.begin(
                self.namespace, sid, identity.account_id, session, missed, look=self._look
            )
            recovery.note_outcome(auth, record, missed)
            self.server.manager.number(sid, self.namespace)

    def _look(self, sid: str) -> tuple[frozenset[str], Any]:
        """Return the rooms of a client, and what its domain has noted of it."""
        rooms = frozenset(self.server.manager.get_rooms(sid, self.namespace))
        client = self._clients.get(sid)
        return rooms, self._commands.places(client.caller) if client is not None else None

    def note_rooms(self, sid: str) -> Any:
        """Have what lets the client go on elsewhere agree with its rooms; a future, or None."""
        client = self._clients.get(sid)
        if client is not None:
            client.has_moved = True
        return self.server.recovery.changed(sid) if self.server.recovery is not None else None

    async def _arrive(self, sid: str, identity: Identity) -> SocketCaller:
        """Let a client be where each new one is; it receives nothing before `release`."""
        caller = SocketCaller(identity, SocketConnection(self, sid))
        try:
            rooms = {*self._commands.rooms_of(identity), *await self._commands.arrived(caller)}
        except BaseException:
            await self._commands.left(caller)
            raise
        caller.connection.hold(rooms)
        return caller

    # A client that comes back.

    async def _claim(self, identity: Identity, auth: object) -> Any:
        """Return the record with which a client goes on, if it names one of its account."""
        recovery = self.server.recovery
        if recovery is None or not recovery.is_wanted(auth):
            return None
        return await recovery.claim(auth, self.namespace, identity.account_id)

    def _restore(self, record: Any, *, is_ending: bool = False) -> None:
        if record is not None:
            self.server.recovery.restore(record, is_ending=is_ending)

    async def _come_back(
        self, identity: Identity, auth: object, record: Any
    ) -> tuple[SocketCaller, Any] | None:
        """Let a client be where it was, with what it has missed; None if it has to begin anew."""
        connection = SocketConnection(self, record.sid, held=True)
        caller = SocketCaller(identity, connection)
        try:
            rooms = {*self._commands.rooms_of(identity), *await self._commands.arrived(caller)}
            for room in rooms:
                connection.enter(room)
            if await self._commands.returned(caller, record.places, record.away_since):
                missed = await self.server.recovery.missed(record, auth, record.rooms)
                # It may have been sent out of a room meanwhile.
                if missed is not None and connection.held | {record.sid} == record.rooms:
                    return caller, missed
        except BaseException:
            await self._commands.left(caller)
            raise
        await self._commands.left(caller)
        return None

    async def _count_connection(self, sid: str, account_id: str) -> MessageQueue:
        queue: MessageQueue | None = self.server.session_of(sid, self.namespace)
        if queue is None:
            raise TooManyRequests("The connection has ended.")
        self._limits.add_connection(account_id, queue)
        try:
            await self._limits.wait_for_turn(account_id, queue, CONNECT_TOKENS)
        except BaseException:
            self._limits.remove_connection(account_id, queue)
            raise
        return queue

    def _watch_expiry(self, sid: str, client: _Client) -> None:
        """Warn the client before its token ends, and end it then."""
        client.forget_expiry()
        expires_at = client.caller.identity.expires_at
        if expires_at is None:
            return
        delay_s = max(0.0, expires_at - time.time() - EXPIRING_S)
        loop = asyncio.get_running_loop()
        client.expiry = loop.call_later(delay_s, self._warn, sid, client, expires_at)

    def _warn(self, sid: str, client: _Client, expires_at: float) -> None:
        data = {"expires_at": _time_text(expires_at)}
        self.server.manager.send_to_client(sid, SESSION_EXPIRING, data, self.namespace)
        loop = asyncio.get_running_loop()
        client.expiry = loop.call_later(expires_at - time.time(), self._end, sid, TOKEN_EXPIRED)

    async def _refresh(self, sid: str, payload: object) -> dict[str, Any]:
        """Renew the connection's credential in each namespace where it is the same account's.

        Raises:
            Forbidden: code `not_the_account`: the token is another account's.
            Unauthorized, Forbidden: as `Authenticate`.
        """
        if not isinstance(payload, Mapping):
            raise Invalid("The payload must be one JSON object.")
        identity = await self._authenticate(load(_REFRESH_SCHEMA, payload)["token"])
        client = self._clients.get(sid)
        if client is None:
            raise Unauthorized("The session has ended; log in.", code="session_ended")
        if identity.account_id != client.account_id:
            raise Forbidden("The token is another account's.", code="not_the_account")
        eio_sid = self.server.manager.eio_sid_from_sid(sid, self.namespace)
        for other_namespace in self.server.namespace_handlers.values():
            if isinstance(other_namespace, DomainNamespace):
                other = self.server.manager.sid_from_eio_sid(eio_sid, other_namespace.namespace)
                if other is not None:
                    other_namespace.renew(other, identity)
        expires_at = identity.expires_at
        return {"expires_at": None if expires_at is None else _time_text(expires_at)}

    def clients_of(self, account_id: str) -> list[tuple[str, Any]]:
        """Return the clients of an account: their ids, and their sessions of the engine."""
        return [
            (sid, client.queue)
            for sid, client in self._clients.items()
            if client.account_id == account_id
        ]

    def __len__(self) -> int:
        """Return the number of clients."""
        return len(self._clients)

    def __bool__(self) -> bool:
        """Be true, also without clients."""
        return True

    def renew(self, sid: str, identity: Identity) -> None:
        """Let a client of the same account go on under a newer credential."""
        client = self._clients.get(sid)
        if client is not None and client.account_id == identity.account_id:
            client.caller.identity = identity
            self._watch_expiry(sid, client)

    async def _on_disconnect(self, sid: str) -> None:
        client = self._clients.pop(sid, None)
        if client is None:
            return
        client.forget_expiry()
        if self.server.recovery is not None:
            rooms = self.server.manager.get_rooms(sid, self.namespace)
            self.server.recovery.leave(sid, rooms, self._commands.places(client.caller))
        client.caller.connection.end()
        self._limits.remove_connection(client.account_id, client.queue)
        await self._commands.left(client.caller)

    def close_revoked(self, revocations: Sequence[Revocation]) -> None:
        """Close the connections whose identity one of `revocations` covers."""
        for sid, client in self._clients.items():
            covering = [entry for entry in revocations if entry.covers(client.caller.identity)]
            if any(entry.disabled for entry in covering):
                self._end(sid, ACCOUNT_DISABLED)
            elif covering:
                self._end(sid, SESSION_ENDED)

    def _end(self, sid: str, ending: Ending) -> None:
        """End a client as soon as it has the answer that is under way."""
        self.server.start_background_task(self.server.end, sid, self.namespace, ending)

    def is_slow(self, event: str) -> bool:
        """Whether the client's next events should not wait for the answer to this one."""
        return self._commands.is_slow(event)

    async def admit(self, sid: str) -> Answer | None:
        """Return when the client's next event may be handled, or with the answer of a refusal."""
        client = self._clients.get(sid)
        if client is None:
            return None
        try:
            await self._limits.wait_for_turn(client.account_id, client.queue)
        except TooManyRequests as error:
            return self._recorded(sid, client, error_answer(error))
        return None

    async def _command(self, sid: str, name: str, payload: list[Any]) -> Answer | None:
        client = self._clients.get(sid)
        if client is None:
            return None
        slow = self._limits.slow(client.account_id) if self.is_slow(name) else nullcontext()
        try:
            if len(payload) > 1:
                raise Invalid("Send one JSON object.")
            asked = payload[0] if payload else {}
            if name == REFRESH:
                answer = {"data": await self._refresh(sid, asked)}
            else:
                with slow:
                    answer = await self._commands.run(client.caller, name, asked)
                if client.has_moved:
                    # What the domain has noted of it may be later than its rooms. The answer waits:
                    # if this process is killed after it, the client goes on elsewhere.
                    written = self.note_rooms(sid)
                    client.has_moved = False
                    if written is not None:
                        await asyncio.shield(written)
        except DomainError as error:
            answer = error_answer(error)
        return self._recorded(sid, client, answer)

    def _recorded(self, sid: str, client: _Client, answer: Answer) -> Answer:
        error = answer.get("error")
        if error is None:
            client.guard.record_success()
        elif record_error(client.guard, error["code"]):
            self._end(sid, TOO_MANY_REQUESTS)
        return answer


def _time_text(timestamp: float) -> str:
    return to_text(datetime.fromtimestamp(timestamp, UTC))
