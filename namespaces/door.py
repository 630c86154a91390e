"""The Socket.IO door of a domain: authentication, membership, commands in and answers out."""

import asyncio
import time
from collections.abc import Set as AbstractSet
from contextlib import nullcontext
from typing import Any

import socketio
from socketio.exceptions import ConnectionRefusedError as Refused

from models.errors import DomainError, Invalid, Unauthorized
from models.identity import Authenticate
from namespaces.base import Answer, Caller, Commands, error_answer
from namespaces.conduct import Conduct


class SocketConnection:
    """One client in one namespace, as commands see it."""

    __slots__ = ("_door", "_sid")

    def __init__(self, door: "Door", sid: str) -> None:
        self._door = door
        self._sid = sid

    def enter(self, room: str) -> None:
        """Put this client into a room."""
        self._door.server.manager.basic_enter_room(self._sid, self._door.namespace, room)

    def leave(self, room: str) -> None:
        """Take this client out of a room."""
        self._door.server.manager.basic_leave_room(self._sid, self._door.namespace, room)


class _Guest:
    """What the door keeps for each client that is in."""

    __slots__ = ("caller", "conduct", "expiry")

    def __init__(self, caller: Caller, conduct: Conduct) -> None:
        self.caller = caller
        self.conduct = conduct
        self.expiry: asyncio.TimerHandle | None = None


class Door(socketio.AsyncNamespace):  # type: ignore[misc]
    """Serves `/<domain>`: `auth: {token}` lets a client in, its events are commands."""

    def __init__(
        self, commands: Commands, authenticate: Authenticate, *, messages_per_s: int
    ) -> None:
        super().__init__(f"/{commands.domain}")
        self._commands = commands
        self._authenticate = authenticate
        self._messages_per_s = messages_per_s
        self._guests: dict[str, _Guest] = {}

    async def trigger_event(self, event: str | int, *args: Any) -> Answer | None:
        """Take every event of the library and of clients; the latter are commands only.

        The server lets no client emit the library's own names (`connect`, `disconnect`).
        """
        if event == "connect":
            sid, _environ, auth = args
            await self._let_in(sid, auth)
            return None
        if event == "disconnect":
            await self._let_out(args[0])
            return None
        sid, *payload = args
        return await self._command(sid, str(event), payload)

    async def _let_in(self, sid: str, auth: object) -> None:
        token = auth.get("token") if isinstance(auth, dict) else None
        try:
            if not isinstance(token, str):
                raise Unauthorized("Connect with auth: {token}.", code="token_missing")
            identity = await self._authenticate(token)
        except DomainError as error:
            answer = error_answer(error)["error"]
            raise Refused(answer.pop("message"), answer) from None
        connection = SocketConnection(self, sid)
        caller = Caller(identity, connection)
        try:
            rooms = {*self._commands.rooms_of(identity), *await self._commands.arrived(caller)}
        except BaseException:
            await self._commands.left(caller)
            raise
        guest = _Guest(caller, Conduct(self._messages_per_s))
        self._guests[sid] = guest
        if identity.expires_at is not None:
            loop = asyncio.get_running_loop()
            delay_s = identity.expires_at - time.time()
            guest.expiry = loop.call_later(delay_s, self._put_out, sid)
        for room in rooms:
            connection.enter(room)

    async def _let_out(self, sid: str) -> None:
        guest = self._guests.pop(sid, None)
        if guest is None:
            return
        if guest.expiry is not None:
            guest.expiry.cancel()
        await self._commands.left(guest.caller)

    def turn_out(self, accounts: AbstractSet[str], sessions: AbstractSet[str]) -> None:
        """End the connections of disabled `accounts` and of ended `sessions`, both by id."""
        for sid, guest in self._guests.items():
            identity = guest.caller.identity
            if identity.account_id in accounts or identity.session_id in sessions:
                self._put_out(sid)

    def _put_out(self, sid: str) -> None:
        """Disconnect a client as soon as it has the answer that is under way."""
        self.server.start_background_task(self.disconnect, sid)

    def is_slow(self, event: str) -> bool:
        """Whether the client's next events should not wait for the answer to this one."""
        return self._commands.is_slow(event)

    async def _command(self, sid: str, name: str, payload: list[Any]) -> Answer | None:
        guest = self._guests.get(sid)
        if guest is None:
            return None
        try:
            guest.conduct.message()
            if len(payload) > 1:
                raise Invalid("Send one JSON object.")
            with guest.conduct.slow() if self.is_slow(name) else nullcontext():
                answer = await self._commands.run(guest.caller, name, payload[0] if payload else {})
        except DomainError as error:
            answer = error_answer(error)
        if "error" not in answer:
            guest.conduct.good()
        elif guest.conduct.strike():
            self._put_out(sid)
        return answer
