"""One raw-WebSocket connection: in rooms like any other, speaking its documented dialect."""

import time
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any, Protocol

from websockets.frames import CloseCode

from app import strict_json
from app.legacy.dialect import Dialect, Job
from app.legacy.policy import UNAUTHORIZED
from app.realtime.deadlines import Deadlines
from app.realtime.inbox import Inbox, beside
from app.realtime.websocket import WebSocket
from models.errors import TooManyRequests, Unreadable
from models.identity import Identity
from namespaces.base import Caller
from namespaces.conduct import Conduct


class Host(Protocol):
    """What a peer needs from the endpoint that took it in."""

    deadlines: Deadlines
    ping_interval_s: float

    def arrived(self, peer: "RawPeer") -> None:
        """Put the peer into its rooms."""

    def entered(self, peer: "RawPeer", room: str) -> None:
        """Put the peer into one more room."""

    def exited(self, peer: "RawPeer", room: str) -> None:
        """Take the peer out of one room."""

    def left(self, peer: "RawPeer") -> None:
        """Take the peer out of everything."""


class RawPeer:
    """A member of rooms, the listener of its WebSocket, and the connection of its commands."""

    __slots__ = (
        "_arrive",
        "_awaiting_pong",
        "_caller",
        "_conduct",
        "_host",
        "_inbox",
        "deadline_tick",
        "dialect",
        "identity",
        "socket",
    )

    def __init__(
        self,
        host: Host,
        dialect: Dialect,
        identity: Identity,
        conduct: Conduct,
        arrive: Callable[["RawPeer"], Awaitable[None]] | None = None,
    ) -> None:
        """`arrive` is awaited once, before the first message is handled."""
        self.dialect = dialect
        self.identity = identity
        self.deadline_tick = 0
        self._caller: Caller | None = None
        self._arrive = arrive
        self._host = host
        self._conduct = conduct
        self.socket: WebSocket | None = None
        self._inbox: Inbox[Job] | None = None
        self._awaiting_pong = False

    # Sending.

    def send(self, text: str) -> None:
        """Send one text frame."""
        if self.socket is not None:
            self.socket.send(text)

    def refuse(self, code: str, message: str, about: str | None = None) -> None:
        """Send an error frame; a peer that has had its chances is closed with 1008."""
        self.send(self.dialect.error(self.identity, code, message, about))
        if self._conduct.strike():
            self.close(CloseCode.POLICY_VIOLATION, "too many bad messages")

    def close(self, code: int, reason: str) -> None:
        """Begin the closing handshake."""
        if self.socket is not None:
            self.socket.close(code, reason)

    # The connection of commands.

    @property
    def caller(self) -> Caller:
        """This peer as commands see it; made when the first one is called."""
        if self._caller is None:
            self._caller = Caller(self.identity, self)
        return self._caller

    def enter(self, room: str) -> None:
        """Be in a room; one that is gone enters none."""
        if self.socket is not None:
            self._host.entered(self, room)

    def leave(self, room: str) -> None:
        """Be no longer in a room."""
        self._host.exited(self, room)

    # The WebSocket's listener.

    def opened(self, socket: WebSocket) -> None:
        """Greet, then hear what happens in the rooms."""
        self.socket = socket
        greeting = self.dialect.greeting(self.identity)
        if greeting is not None:
            self.send(greeting)
        self._host.arrived(self)
        if self._arrive is not None:
            self.do(partial(self._arrive, self))
            self._arrive = None
        self._wait_to_ping()

    def received(self, message: str | bytes) -> None:
        """Check a message at the door and queue it for the dialect."""
        try:
            self._conduct.message()
        except TooManyRequests as error:
            self.refuse(error.code, error.message)
            return
        if isinstance(message, bytes):
            self.refuse("not_text", "Send JSON as a text message.")
            return
        try:
            parsed = strict_json.parse(message)
        except Unreadable as error:
            self.refuse("not_json", error.message)
            return
        if not isinstance(parsed, dict):
            self.refuse("not_an_object", "The message is not a JSON object.")
            return
        self.do(partial(self._handle, parsed))

    def do(self, job: Job) -> None:
        """Do something when everything before it is done."""
        if self._inbox is None:
            self._inbox = Inbox(_done, self._throttle)
        self._inbox.put(job)

    async def _handle(self, message: dict[str, Any]) -> None:
        strikes = self._conduct.strikes
        slow = await self.dialect.receive(self, message)
        if slow is not None:
            beside(self._handle_slow(slow))
        elif self._conduct.strikes == strikes:
            self._conduct.good()

    async def _handle_slow(self, job: Job) -> None:
        strikes = self._conduct.strikes
        try:
            with self._conduct.slow():
                await job()
        except TooManyRequests as error:
            self.refuse(error.code, error.message)
        if self._conduct.strikes == strikes:
            self._conduct.good()

    def _throttle(self, pause: bool) -> None:
        if self.socket is not None:
            self.socket.pause_reading(pause)

    def lost(self, code: int, reason: str) -> None:
        """Leave everything."""
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
        elif self._awaiting_pong:
            self.socket.abort()
        else:
            self._awaiting_pong = True
            self.socket.ping()
            self._wait_to_ping()


async def _done(job: Job) -> None:
    await job()
