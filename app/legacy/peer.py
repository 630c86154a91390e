"""One raw-WebSocket connection: in rooms like any other, speaking its documented dialect."""

import sys
import time
from collections.abc import Awaitable, Callable, Collection, Iterable
from functools import partial
from typing import Any, Protocol

from websockets.frames import CloseCode

from app import strict_json
from app.legacy.cursor import Cursor
from app.legacy.dialect import Dialect, Job
from app.memory import Budget
from app.realtime.deadlines import Deadlines
from app.realtime.events.delivery import Delivery, Gap
from app.realtime.finishing import InboxConnection
from app.realtime.inbox import Inbox
from app.realtime.lives import Life
from app.realtime.rooms import frame_of, with_cursor
from app.realtime.traffic import Traffic
from app.realtime.websocket.connection import WebSocket
from app.realtime.wirejson import dumps
from models.error_codes import UNAUTHORIZED, ErrorCode
from models.errors import DomainError, TooManyRequests, Unreadable
from models.identity import Identity
from models.limits import ConnectionGuard
from namespaces.base import Caller
from namespaces.guard import AccountLimits, record_error


class Host(Protocol):
    """What a peer needs from the endpoint that took it in."""

    budget: Budget
    account_limits: AccountLimits
    deadlines: Deadlines
    ping_interval_s: float
    traffic: Traffic

    def arrived(self, peer: "RawPeer") -> None:
        """Put the peer into its rooms."""

    @property
    def position(self) -> str:
        """The offset of the event that was delivered last."""

    async def missed(self, since: str, rooms: Collection[str]) -> list[tuple[str, Delivery]]:
        """Return what came after an offset for members of `rooms`; see `delivery.read_all`.

        Raises:
            Gap: not all of it is known.
        """

    def entered(self, peer: "RawPeer", rooms: Iterable[str]) -> None:
        """Put the peer into more rooms."""

    def exited(self, peer: "RawPeer", room: str) -> None:
        """Take the peer out of one room."""

    def left(self, peer: "RawPeer") -> None:
        """Take the peer out of everything."""


class RawPeer(InboxConnection[Job]):
    """A member of rooms, the listener of its WebSocket, and the connection of its commands."""

    __slots__ = (
        "_arrive",
        "_awaiting_pong",
        "_caller",
        "_guard",
        "_host",
        "cursor",
        "deadline_tick",
        "dialect",
        "identity",
        "life",
        "socket",
    )

    def __init__(
        self,
        host: Host,
        dialect: Dialect,
        identity: Identity,
        arrive: Callable[["RawPeer"], Awaitable[None]] | None = None,
        cursor: Cursor | None = None,
    ) -> None:
        """`arrive` is awaited once, before the first message is handled.

        With a `cursor` each frame has the client's place among the events.
        """
        super().__init__()
        self.cursor = cursor
        self.dialect = dialect
        self.identity = identity
        self.deadline_tick = 0
        self.life: Life | None = None
        self._caller: Caller | None = None
        self._arrive = arrive
        self._host = host
        self._guard = ConnectionGuard()
        self.socket: WebSocket | None = None
        self._awaiting_pong = False

    # Sending.

    def send(self, text: str) -> None:
        """Send one text frame."""
        if self.socket is not None:
            self._host.traffic.sent += 1
            if self.cursor is not None:
                here = self.cursor.since if self.catching_up else self._host.position
                text = with_cursor(text, here)
            self.socket.send(text)

    def refuse(self, code: ErrorCode, message: str, about: str | None = None) -> None:
        """Send an error frame; after too many refusals in a row, close with 1008."""
        self.send(self.dialect.error(self.identity, code, message, about))
        if record_error(self._guard, code):
            self._drop_waiting()
            self.close(CloseCode.POLICY_VIOLATION, "too many refused messages")

    def close(self, code: int, reason: str) -> None:
        """Begin the closing handshake; no message is delayed any more."""
        self._end_waiting()
        if self.socket is not None:
            self.socket.close(code, reason)

    # The connection of commands.

    @property
    def catching_up(self) -> bool:
        """Whether rooms are only noted, until what was missed has been sent."""
        return self.cursor is not None and self.cursor.rooms is not None

    @property
    def caller(self) -> Caller:
        """This peer as commands see it; made when the first one is called."""
        if self._caller is None:
            self._caller = Caller(self.identity, self)
        return self._caller

    def enter(self, room: str) -> None:
        """Be in a room; one that is gone enters none."""
        if self.socket is None:
            return
        if self.cursor is not None and self.cursor.rooms is not None:
            self.cursor.rooms[room] = None
        else:
            self._host.entered(self, (room,))

    def leave(self, room: str) -> None:
        """Be no longer in a room."""
        if self.cursor is not None and self.cursor.rooms is not None:
            self.cursor.rooms.pop(room, None)
        else:
            self._host.exited(self, room)

    # The WebSocket's listener.

    def opened(self, socket: WebSocket) -> None:
        """Send the greeting, then enter the rooms."""
        self.socket = socket
        socket.life = self.life
        if self.cursor is not None and not self.cursor.since:
            self.cursor.since = self._host.position
        greeting = self.dialect.greeting(self.identity)
        if greeting is not None:
            self.send(greeting)
        self._host.arrived(self)
        if self._arrive is not None:
            self.do(partial(self._arrive, self))
            self._arrive = None
        if self.cursor is not None:
            self.do(self._catch_up)
        self._wait_to_ping()

    async def _catch_up(self) -> None:
        """Send what the client has missed in its rooms, and enter them in the same turn."""
        cursor = self.cursor
        assert cursor is not None
        assert cursor.rooms is not None
        try:
            missed = await self._host.missed(cursor.since, cursor.rooms.keys())
        except Gap:
            missed = None
        if self.socket is None:
            return
        rooms, cursor.rooms = cursor.rooms, None
        self._host.entered(self, rooms)
        if missed is None:
            self.send(dumps(self.dialect.gap_frame()))
            return
        for offset, delivery in missed:
            frame = frame_of(self.dialect, delivery, offset)
            if frame is not None:
                self._host.traffic.sent += 1
                self.socket.write(frame)
        self._send_cursor()

    def _send_cursor(self) -> None:
        self.send(dumps(self.dialect.cursor_frame()))

    def received(self, message: str | bytes) -> None:
        """Queue a message."""
        self._host.traffic.received += 1
        if self._deaf:
            return
        if isinstance(message, bytes):
            # It will be refused in its turn, unread.
            message = b""
        # Parsed when its turn comes: twenty times as large, it does not wait for that.
        self.do(partial(self._take, message), sys.getsizeof(message))

    def do(self, job: Job, size: int = 0) -> None:
        """Do something when everything before it is done.

        `size` is that of the message in it, which is dropped with others when memory is short.
        """
        self._queue.put(job, size)

    @property
    def _queue(self) -> Inbox[Job]:
        if self._inbox is None:
            self._inbox = Inbox(_done, self._throttle, self._note)
        return self._inbox

    async def _take(self, message: str | bytes) -> None:
        """Wait for the message's turn, check it and hand it to the dialect."""
        limits = self._host.account_limits
        try:
            await limits.wait_for_turn(self.identity.account_id, self._queue)
            parsed = _parsed(message)
        except DomainError as error:
            self.refuse(error.code, _with_time(error))
            return
        await self._handle(parsed)

    async def _handle(self, message: dict[str, Any]) -> None:
        refusals = self._guard.refusals
        slow = await self.dialect.receive(self, message)
        if slow is not None:
            self._queue.beside(self._handle_slow(slow))
        elif self._guard.refusals <= refusals:
            self._guard.record_success()

    async def _handle_slow(self, job: Job) -> None:
        refusals = self._guard.refusals
        try:
            with self._host.account_limits.slow(self.identity.account_id):
                await job()
        except TooManyRequests as error:
            self.refuse(error.code, error.message)
        if self._guard.refusals <= refusals:
            self._guard.record_success()

    def _throttle(self, pause: bool) -> None:
        if self.socket is None:
            return
        self.socket.pause_reading(pause)
        if not pause and self._awaiting_pong:
            # The pong may be among what was not read.
            self._wait_to_ping()

    # Against the budget of the process.

    @property
    def held_bytes(self) -> int:
        """The bytes of messages that are not handled; what is on the way is the socket's."""
        return self._queued_bytes

    def _note(self) -> None:
        self._host.budget.update(self)

    def shed(self) -> None:
        """Close with 1013 and drop the messages that have not been begun."""
        self.close(CloseCode.TRY_AGAIN_LATER, "the server is short of memory")
        self._drop_waiting()

    def abort(self) -> None:
        """Cut the connection, which may have been closed before."""
        if self.socket is not None:
            self.socket.abort()
        self._drop_waiting()

    def lost(self, code: int, reason: str) -> None:
        """Leave everything; what has come and is not begun is not waited for."""
        self._end_waiting()
        if self.life is not None:
            self.life.end(code, reason)
        self.depart()

    def depart(self) -> None:
        """Leave everything, once; a socket that is not closed yet closes by itself."""
        if self.socket is None:
            return
        self.socket = None
        self._host.deadlines.clear(self)
        self._host.left(self)

    # Heartbeat, and the end of the credential.

    def _wait_to_ping(self) -> None:
        wait_s = self._host.ping_interval_s
        if self.identity.expires_at is not None:
            wait_s = min(wait_s, max(0.0, self.identity.expires_at - time.time()))
        self._host.deadlines.set(self, wait_s)

    def pong(self) -> None:
        """Note that the peer is alive."""
        self._awaiting_pong = False

    def deadline_passed(self) -> None:
        """Send a ping; drop a peer that did not answer the last, or whose token ended."""
        if self.socket is None:
            return
        expires_at = self.identity.expires_at
        if expires_at is not None and expires_at <= time.time():
            self.close(UNAUTHORIZED, "token expired")
        elif self._awaiting_pong and self.is_held:
            # Nothing is read, so no pong can arrive.
            self._wait_to_ping()
        elif self._awaiting_pong:
            self.socket.abort()
        else:
            self._awaiting_pong = True
            self.socket.ping()
            self._refresh_cursor()
            self._wait_to_ping()

    def _refresh_cursor(self) -> None:
        """Send a client that received nothing how far it is: events are not kept for long."""
        cursor, position = self.cursor, self._host.position
        if cursor is not None and cursor.rooms is None and cursor.told != position:
            cursor.told = position
            self._send_cursor()


def _parsed(message: str | bytes) -> dict[str, Any]:
    """Parse a message.

    Raises:
        Unreadable: code `not_text`, `not_json` or `not_an_object`.
    """
    if isinstance(message, bytes):
        raise Unreadable("Send JSON as a text message.", code="not_text")
    try:
        parsed = strict_json.parse(message)
    except Unreadable as error:
        raise Unreadable(error.message, code="not_json") from None
    if not isinstance(parsed, dict):
        raise Unreadable("The message is not a JSON object.", code="not_an_object")
    return parsed


def _with_time(error: DomainError) -> str:
    """Say when to come back: the documents' error frames have no field for it."""
    if error.retry_after_s is None:
        return error.message
    return f"{error.message} Try again in {error.retry_after_s:.1f} s."


async def _done(job: Job) -> None:
    await job()
