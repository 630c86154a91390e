"""One Engine.IO session: a client on long-polling, on WebSocket, or changing over.

The rules are those of the Engine.IO protocol, version 4. A session has no task of its own while
nothing happens.
"""

import asyncio
import secrets
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Protocol

from websockets.frames import CloseCode

from app.realtime import packets
from app.realtime.deadlines import Deadlines
from app.realtime.inbox import Inbox
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
        "_poll",
        "_queue",
        "_queued_bytes",
        "_reason",
        "_socket",
        "_user_session",
        "deadline_tick",
        "probe",
        "probing",
        "sid",
    )

    def __init__(self, owner: Owner) -> None:
        self.sid = secrets.token_urlsafe(15)
        self.probe: Probe | None = None
        self.probing = False
        self.deadline_tick = 0
        self._reason: str | None = None
        self._owner = owner
        self._socket: WebSocket | None = None
        self._queue: list[Packet] | None = None
        self._queued_bytes = 0
        self._poll: asyncio.Future[None] | None = None
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
        return self._socket is not None

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
        if self._socket is not None:
            self._socket.write(packet.frame)
        elif not self.closed:
            self._enqueue(packet)

    def _enqueue(self, packet: Packet) -> None:
        if self._queue is None:
            self._queue = []
        self._queue.append(packet)
        self._queued_bytes += len(packet.text)
        self._answer_poll()
        if self._queued_bytes > self._owner.unsent_bytes:
            self.close(Reason.TRANSPORT_ERROR)

    def take_queue(self) -> list[Packet]:
        """Give and forget what waits to be sent."""
        waiting, self._queue, self._queued_bytes = self._queue or [], None, 0
        return waiting

    # Long-polling. `polling.py` turns these into HTTP.

    @property
    def polled(self) -> bool:
        """Whether a poll is waiting for its answer."""
        return self._poll is not None

    @property
    def pending(self) -> bool:
        """Whether something waits to be sent."""
        return bool(self._queue)

    async def wait_for_packets(self, is_gone: Callable[[], bool]) -> None:
        """Return when something waits to be sent, or when the poller `is_gone()`."""
        if self._queue or self.closed:
            return
        self._poll = asyncio.get_running_loop().create_future()
        try:
            # aiohttp does not tell a handler that its client went away, so look now and then.
            while not is_gone() and not (await asyncio.wait({self._poll}, timeout=1.0))[0]:
                pass
        finally:
            self._poll = None

    def probed(self) -> None:
        """Let a waiting poll return: the client asks no more until its WebSocket is decided on."""
        self.probing = True
        if self.polled:
            self._enqueue(packets.NOOP_PACKET)

    def probe_failed(self) -> None:
        """Go on with long-polling."""
        self.probe = None
        self.probing = False

    def _answer_poll(self) -> None:
        if self._poll is not None and not self._poll.done():
            self._poll.set_result(None)

    # Receiving.

    def receive(self, kind: str, data: Message) -> None:
        """Act on one packet of the client.

        Raises:
            MalformedPacketError: a packet that has no place here.
        """
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
        if self._socket is not None:
            self._socket.pause_reading(pause)

    # The WebSocket's listener.

    def opened(self, socket: WebSocket) -> None:
        """Use `socket` from now on; what waited goes first, so that order is kept."""
        self._socket = socket
        self.probe = None
        self._answer_poll()
        for packet in self.take_queue():
            socket.write(packet.frame)

    def received(self, message: Message) -> None:
        """Act on a WebSocket message."""
        if self.closed:
            return
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
        code: int = CloseCode.NORMAL_CLOSURE,
        farewell: Packet = packets.CLOSE_PACKET,
    ) -> None:
        """End the session: `code` goes to a WebSocket, `farewell` to a waiting poll."""
        if self.closed:
            return
        self._reason = reason
        self._owner.deadlines.clear(self)
        self._owner.forget(self)
        if self._socket is not None:
            self._socket.close(code)
            self._socket = None
        elif self._poll is not None:
            self._queue = [*(self._queue or ()), farewell]
            self._answer_poll()
        else:
            self._queue = None
        if self.probe is not None:
            self.probe.abandon()
        self._put(None)
