"""One Engine.IO session: a client on long-polling, on WebSocket, or changing over.

The rules are those of the Engine.IO protocol, version 4. A session has no task of its own while
nothing happens.
"""

import asyncio
import secrets
from typing import TYPE_CHECKING, Any, Protocol

from websockets.frames import CloseCode

from app.realtime import packets
from app.realtime.deadlines import Deadlines
from app.realtime.inbox import Inbox
from app.realtime.mailbox import Mailbox
from app.realtime.packets import MalformedPacketError, Message, Packet
from app.realtime.websocket import WebSocket

if TYPE_CHECKING:
    from app.realtime.probe import Probe


class Reason:
    """Why a session ended, in the words of python-engineio."""

    SERVER_DISCONNECT = "server disconnect"
    CLIENT_DISCONNECT = "client disconnect"
    PING_TIMEOUT = "ping timeout"
    TRANSPORT_CLOSE = "transport close"
    TRANSPORT_ERROR = "transport error"


class Owner(Protocol):
    """What a session needs from the server that opened it."""

    ping_interval_s: float
    ping_timeout_s: float
    unsent_bytes: int
    deadlines: Deadlines

    async def message(self, session: "Session", data: Message) -> None:
        """Handle one message of the client."""

    async def ended(self, session: "Session", reason: str) -> None:
        """Handle the end, after every message that came before it."""

    def forget(self, session: "Session") -> None:
        """Take the session off the list at once: its id is no longer valid."""


class Session:
    """A client's session; also the listener of its WebSocket."""

    __slots__ = (
        "_awaiting_pong",
        "_heard_at",
        "_inbox",
        "_owner",
        "_reason",
        "_room",
        "_user_session",
        "deadline_tick",
        "mailbox",
        "probe",
        "probing",
        "pushing",
        "sid",
        "socket",
    )

    def __init__(self, owner: Owner) -> None:
        self.sid = secrets.token_urlsafe(15)
        self.mailbox = Mailbox()
        self.probe: Probe | None = None
        self.probing = False
        self.pushing = False
        self.deadline_tick = 0
        self._reason: str | None = None
        self._owner = owner
        self.socket: WebSocket | None = None
        self._room: asyncio.Future[None] | None = None
        self._inbox: Inbox[Message | None] | None = None
        self._awaiting_pong = False
        self._heard_at = asyncio.get_running_loop().time()
        self._user_session: dict[str, Any] | None = None
        owner.deadlines.set(self, owner.ping_interval_s)

    # What python-engineio's server reads and writes.

    @property
    def closed(self) -> bool:
        """Whether the session has ended."""
        return self._reason is not None

    @property
    def connected(self) -> bool:
        """Whether the client is there."""
        return self._reason is None

    @property
    def upgraded(self) -> bool:
        """Whether the client is on WebSocket."""
        return self.socket is not None

    @property
    def session(self) -> dict[str, Any]:
        """The application's own data about this client."""
        if self._user_session is None:
            self._user_session = {}
        return self._user_session

    @session.setter
    def session(self, value: dict[str, Any]) -> None:
        self._user_session = value

    # Sending.

    def send(self, packet: Packet) -> None:
        """Send now over WebSocket, or with the next answer to a poll; never waits."""
        if self.socket is not None:
            self.socket.write(packet.frame)
        elif not self.closed:
            self._enqueue(packet)

    def _enqueue(self, packet: Packet) -> None:
        self.mailbox.put(packet)
        if self.mailbox.unsent_bytes > self._owner.unsent_bytes:
            self.close(Reason.TRANSPORT_ERROR)

    # Long-polling. `polling.py` turns these into HTTP.

    async def wait_for_room(self) -> None:
        """Return when more messages of the client may come, or when the session has ended."""
        if self._inbox is None or not self._inbox.is_full or self.closed:
            return
        self._room = asyncio.get_running_loop().create_future()
        try:
            await self._room
        finally:
            self._room = None

    def probed(self) -> None:
        """Let a waiting poll return: the client asks no more until its WebSocket is decided on."""
        self.probing = True
        if self.mailbox.polled:
            self._enqueue(packets.NOOP_PACKET)

    def probe_failed(self) -> None:
        """Go on with long-polling."""
        self.probe = None
        self.probing = False

    # Receiving.

    def receive(self, kind: str, data: Message) -> None:
        """Act on one packet of the client.

        Raises:
            MalformedPacketError: a packet that has no place here.
        """
        if self.closed:
            return
        if kind == packets.MESSAGE:
            self._put(data)
        elif kind == packets.PONG:
            self._heard()
        elif kind == packets.CLOSE:
            self.close(Reason.CLIENT_DISCONNECT, farewell=packets.NOOP_PACKET)
        else:
            raise MalformedPacketError("packet type not allowed here")

    def _put(self, data: Message | None) -> None:
        if self._inbox is None:
            self._inbox = Inbox(self._handle, self._throttle)
        self._inbox.put(data)

    async def _handle(self, data: Message | None) -> None:
        if data is None:
            await self._owner.ended(self, self._reason or Reason.TRANSPORT_ERROR)
        else:
            await self._owner.message(self, data)

    def _throttle(self, pause: bool) -> None:
        if self.socket is not None:
            self.socket.pause_reading(pause)
        if not pause:
            _resolve(self._room)

    # The WebSocket's listener.

    def opened(self, socket: WebSocket) -> None:
        """Use `socket` from now on; what waited goes first, so that order is kept."""
        if self.closed:
            socket.close(CloseCode.NORMAL_CLOSURE)
            return
        self.socket = socket
        self.probe = None
        if self._inbox is not None and self._inbox.is_full:
            socket.pause_reading(True)
        self.mailbox.wake()
        for packet in self.mailbox.take():
            socket.write(packet.frame)

    def received(self, message: Message) -> None:
        """Act on a WebSocket message."""
        try:
            if isinstance(message, bytes):
                self.receive(packets.MESSAGE, message)
            else:
                self.receive(*packets.decode(message))
        except MalformedPacketError:
            self.close(Reason.TRANSPORT_ERROR)

    def pong(self) -> None:
        """Ignore: Engine.IO has its own ping."""

    def lost(self, code: int, reason: str) -> None:
        """End with the WebSocket."""
        self.close(Reason.TRANSPORT_CLOSE)

    # Heartbeat and end.

    @property
    def overdue(self) -> bool:
        """Whether the client has been silent for longer than it may."""
        allowed_s = self._owner.ping_interval_s + self._owner.ping_timeout_s
        return asyncio.get_running_loop().time() >= self._heard_at + allowed_s

    def deadline_passed(self) -> None:
        """Send the next ping, or end the session when the last one was not answered."""
        if self._awaiting_pong:
            self.close(Reason.PING_TIMEOUT)
        else:
            self._awaiting_pong = True
            self._owner.deadlines.set(self, self._owner.ping_timeout_s)
            self.send(packets.PING_PACKET)

    def _heard(self) -> None:
        # A pong that nobody asked for must not prolong anything.
        if self._awaiting_pong:
            self._awaiting_pong = False
            self._heard_at = asyncio.get_running_loop().time()
            self._owner.deadlines.set(self, self._owner.ping_interval_s)

    def close(
        self,
        reason: str,
        *,
        code: int | None = None,
        farewell: Packet = packets.CLOSE_PACKET,
    ) -> None:
        """End the session: `code` goes to a WebSocket, `farewell` to a waiting poll.

        What the client has sent before is still handled, unless it broke the protocol.
        """
        if self.closed:
            return
        self._reason = reason
        if reason == Reason.TRANSPORT_ERROR:
            code = code or CloseCode.PROTOCOL_ERROR
            if self._inbox is not None:
                self._inbox.clear()
        self._owner.deadlines.clear(self)
        self._owner.forget(self)
        if self.socket is not None:
            self.socket.close(code or CloseCode.NORMAL_CLOSURE)
            self.socket = None
        elif self.mailbox.polled:
            self.mailbox.put(farewell)
        else:
            self.mailbox.take()
        if self.probe is not None:
            self.probe.abandon()
        _resolve(self._room)
        self._put(None)


def _resolve(future: asyncio.Future[None] | None) -> None:
    if future is not None and not future.done():
        future.set_result(None)
