"""One Engine.IO session: a client on long-polling, on WebSocket, or changing over.

The rules are those of the Engine.IO protocol, version 4. A session has no task of its own while
nothing happens.
"""

import asyncio
import secrets
import sys
import time
from collections.abc import Coroutine
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from websockets.frames import CloseCode

from app.memory import Budget
from app.realtime.deadlines import Deadlines
from app.realtime.engineio import packets
from app.realtime.engineio.mailbox import Mailbox
from app.realtime.engineio.packets import MalformedPacketError, Message, Packet
from app.realtime.finishing import InboxConnection
from app.realtime.inbox import Inbox, beside
from app.realtime.lives import Life
from app.realtime.websocket.connection import WebSocket
from app.realtime.websocket.frames import text_frame

if TYPE_CHECKING:
    from app.realtime.engineio.probe import Probe


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
    budget: Budget

    keeps_binary: bool
    """Whether anyone wants the bytes of binary messages; else their length is all the same."""

    def message(self, session: "Session", data: Message) -> Coroutine[Any, Any, None]:
        """Handle one message of the client."""

    def ended(self, session: "Session", reason: str) -> Coroutine[Any, Any, None]:
        """Handle the end, after every message that came before it."""

    def forget(self, session: "Session") -> None:
        """Take the session off the list at once: its id is no longer valid."""

    def gone(self, session: "Session") -> None:
        """Note that nothing more goes to the client: the last thing a session says."""


class Shortcut(Protocol):
    """Who takes some messages of a client out of turn."""

    def take(self, text: str) -> bool:
        """Take a message, or return False to leave it to the others' queue."""

    def ended(self) -> None:
        """Act on the end of the session."""


class Session(InboxConnection[Message | None]):
    """A client's session; also the listener of its WebSocket."""

    __slots__ = (
        "_awaiting_pong",
        "_base64",
        "_ending",
        "_heard_at",
        "_owner",
        "_pinged_at",
        "_reason",
        "_room",
        "_user_session",
        "deadline_tick",
        "life",
        "mailbox",
        "probe",
        "probing",
        "pushing",
        "received_at",
        "shortcut",
        "sid",
        "socket",
    )

    def __init__(self, owner: Owner, *, base64: bool = False, sid_suffix: str = "") -> None:
        """Open a session; with `base64` the client cannot read binary frames (`b64=1`)."""
        super().__init__()
        self.sid = secrets.token_urlsafe(15) + sid_suffix
        self.mailbox = Mailbox()
        self.probe: Probe | None = None
        self.probing = False
        self.pushing = False
        self.shortcut: Shortcut | None = None
        self.deadline_tick = 0
        self.life: Life | None = None
        self._reason: str | None = None
        self._ending: _Ending | None = None
        self._base64 = base64
        self._owner = owner
        self.socket: WebSocket | None = None
        self._room: asyncio.Future[None] | None = None
        self._awaiting_pong = False
        self._heard_at = asyncio.get_running_loop().time()
        # Not the loop's time, which may be that of the turn's beginning.
        self._pinged_at = self.received_at = time.monotonic()
        """`received_at`: what was sent before has reached the client, as a pong has shown."""

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
    def receiving(self) -> bool:
        """Whether packets of the client still count: it has not ended, and is not about to."""
        return self._reason is None and self._ending is None

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

    @property
    def budget(self) -> Budget:
        """What the session's bytes are counted against."""
        return self._owner.budget

    # Sending.

    def send(self, packet: Packet) -> None:
        """Send now over WebSocket, or with the next answer to a poll; never waits."""
        if self.socket is not None:
            self.socket.write(packet.base64_frame if self._base64 else packet.frame)
        elif not self.closed and not self._is_dropping:
            self._enqueue(packet)

    def say(self, text: str) -> None:
        """Send a text message that no one else gets; no packet is made for it over WebSocket."""
        if self.socket is not None:
            self.socket.write(text_frame((packets.MESSAGE + text).encode()))
        else:
            self.send(Packet(packets.MESSAGE, text))

    @property
    def _is_dropping(self) -> bool:
        """Whether the session ends by an error, and nothing more is sent."""
        return self._ending is not None and self._ending.reason == Reason.TRANSPORT_ERROR

    def _enqueue(self, packet: Packet) -> None:
        self.mailbox.put(packet)
        self._note()
        if self.mailbox.unsent_bytes > self._owner.unsent_bytes:
            self.close(Reason.TRANSPORT_ERROR)

    # Long-polling. `polling.py` turns these into HTTP.

    def take(self) -> list[Packet]:
        """Return and forget what waits for the client."""
        waiting = self.mailbox.take()
        self._note()
        return waiting

    async def wait_for_room(self) -> None:
        """Return when more messages of the client may come, or when the session has ended."""
        if not self.is_held or not self.receiving:
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
        """Go on with long-polling; a session that is ending ends with the next poll."""
        self.probe = None
        self.probing = False

    # Receiving.

    def receive(self, kind: str, data: Message) -> None:
        """Act on one packet of the client.

        Raises:
            MalformedPacketError: a packet that has no place here.
        """
        if not self.receiving:
            return
        if kind == packets.MESSAGE:
            wanted = self._wanted(data)
            if wanted is not None:
                self._put(wanted)
        elif kind == packets.PONG:
            self._heard()
        elif kind == packets.CLOSE:
            self.close(Reason.CLIENT_DISCONNECT, farewell=packets.NOOP_PACKET)
        else:
            raise MalformedPacketError("packet type not allowed here")

    def _wanted(self, data: Message) -> Message | None:
        """Return what is to be handled in turn, if anything is."""
        if isinstance(data, bytes) and not self._owner.keeps_binary:
            # An empty message in the place of one that no one wants keeps the order.
            data = b""
        elif self.shortcut is not None and isinstance(data, str) and self.shortcut.take(data):
            return None
        return None if self._deaf else data

    def _put(self, data: Message | None) -> None:
        self._opened_inbox().put(data, 0 if data is None else _size(data))

    def _opened_inbox(self) -> Inbox[Message | None]:
        if self._inbox is None:
            self._inbox = Inbox(self._handle, self._throttle, self._note)
        return self._inbox

    def _handle(self, data: Message | None) -> Coroutine[Any, Any, None]:
        if data is None:
            return self._owner.ended(self, self._reason or Reason.TRANSPORT_ERROR)
        return self._owner.message(self, data)

    def patience_s(self, limit_s: float) -> float:
        """Return for how long the present message may still wait; see `Inbox`."""
        return self._inbox.patience_s(limit_s) if self._inbox is not None else 0.0

    async def delay(self, seconds: float) -> bool:
        """Hold up the present message and all after it; see `Inbox`."""
        return self._inbox is not None and await self._inbox.delay(seconds)

    def _throttle(self, pause: bool) -> None:
        if self.socket is not None:
            self.socket.pause_reading(pause)
        if not pause:
            _resolve(self._room)
            self._listen_again()

    # The WebSocket's listener.

    def opened(self, socket: WebSocket) -> None:
        """Use `socket` from now on; what waited goes first, so that order is kept."""
        if self.closed:
            socket.close(CloseCode.NORMAL_CLOSURE)
            return
        self.socket = socket
        socket.life = self.life
        self.probe = None
        if self.is_held:
            socket.pause_reading(True)
        self.mailbox.wake()
        for packet in self.take():
            self.send(packet)
        if self._ending is not None:
            self._finish(self._ending)

    def received(self, message: Message) -> None:
        """Act on a WebSocket message."""
        try:
            if isinstance(message, bytes):
                self.receive(packets.MESSAGE, message)
            elif message[:1] == packets.MESSAGE:
                if self.receiving:
                    wanted = self._wanted(message[1:])
                    if wanted is not None:
                        self._opened_inbox().take(wanted, _size(wanted))
            else:
                self.receive(*packets.decode(message))
        except MalformedPacketError:
            self.close(Reason.TRANSPORT_ERROR)

    def pong(self) -> None:
        """Ignore: Engine.IO has its own ping."""

    def lost(self, code: int, reason: str) -> None:
        """End with the WebSocket."""
        self.close(Reason.TRANSPORT_CLOSE)
        self._gone(code, reason)

    # Against the budget of the process.

    @property
    def held_bytes(self) -> int:
        """The bytes of messages that are not handled, and of those that wait for a poll."""
        return self.mailbox.held_bytes + self._queued_bytes

    def _note(self) -> None:
        self._owner.budget.update(self)

    def shed(self) -> None:
        """End the session (1013); what waits on either side is dropped."""
        self.close(Reason.TRANSPORT_ERROR, code=CloseCode.TRY_AGAIN_LATER)
        self._drop_waiting()

    def abort(self) -> None:
        """Cut the connection, which may have been closed before."""
        if self.socket is not None:
            self.socket.abort()
        self.shed()

    # Heartbeat and end.

    @property
    def overdue(self) -> bool:
        """Whether the client has been silent for longer than it may."""
        if self.is_held:
            return False
        allowed_s = self._owner.ping_interval_s + self._owner.ping_timeout_s
        return asyncio.get_running_loop().time() >= self._heard_at + allowed_s

    def deadline_passed(self) -> None:
        """Send the next ping, or end the session when the last one was not answered."""
        if self._awaiting_pong and self.is_held:
            self._owner.deadlines.set(self, self._owner.ping_timeout_s)
        elif self._awaiting_pong:
            self.close(Reason.PING_TIMEOUT)
        else:
            self._awaiting_pong = True
            self._pinged_at = time.monotonic()
            self._owner.deadlines.set(self, self._owner.ping_timeout_s)
            self.send(packets.PING_PACKET)

    def _heard(self) -> None:
        # A pong that no one asked for must not prolong anything.
        if self._awaiting_pong:
            self._awaiting_pong = False
            self._heard_at = asyncio.get_running_loop().time()
            self.received_at = self._pinged_at
            self._owner.deadlines.set(self, self._owner.ping_interval_s)

    def _listen_again(self) -> None:
        """Let a client that was not read for a while have its time to answer a ping."""
        if self._awaiting_pong and not self.closed:
            self._owner.deadlines.set(self, self._owner.ping_timeout_s)
            silent_since = asyncio.get_running_loop().time() - self._owner.ping_interval_s
            self._heard_at = max(self._heard_at, silent_since)

    @property
    def ending(self) -> bool:
        """Whether the session ends with the next answer to a poll, or with its upgrade."""
        return self._ending is not None

    def take_last(self) -> list[Packet]:
        """Return what waits for the client, and CLOSE behind it; the session ends with it."""
        assert self._ending is not None
        waiting = [*self.take(), packets.CLOSE_PACKET]
        self._finish(self._ending)
        return waiting

    def beside(self, job: Coroutine[object, object, None]) -> None:
        """Do something that takes long while the client's next messages are handled."""
        if self._inbox is not None:
            self._inbox.beside(job)
        else:
            beside(job)

    def end(self, reason: str, *, code: int = CloseCode.POLICY_VIOLATION) -> None:
        """Close as soon as what waits for the client is on its way.

        What it has sent and is not begun is dropped. A client that does not poll any more is ended
        by its ping.
        """
        if self.closed or self._ending is not None:
            return
        self._stop_receiving()
        if self.socket is None and not self.mailbox.polled:
            self._ending = _Ending(reason, code)
        else:
            self._finish(_Ending(reason, code))

    def close(
        self,
        reason: str,
        *,
        code: int | None = None,
        farewell: Packet = packets.CLOSE_PACKET,
    ) -> None:
        """End the session: `code` goes to a WebSocket, `farewell` to a waiting poll.

        What the client has sent before is still handled, unless it broke the protocol.

        A client that changes over to WebSocket has stopped polling, and does not hear of a probe
        that is closed: it would wait for its ping. Such a session ends when it has changed over.
        """
        if self.closed:
            return
        if code is None:
            is_error = reason == Reason.TRANSPORT_ERROR
            code = CloseCode.PROTOCOL_ERROR if is_error else CloseCode.NORMAL_CLOSURE
        ending = _Ending(reason, code)
        if reason == Reason.TRANSPORT_ERROR:
            self._drop_waiting()
        if reason in _BY_SERVER and self._is_changing_over:
            self._end_when_changed_over(ending)
        else:
            self._finish(ending, farewell)

    def abandon(self) -> None:
        """End a session that is ending now, without waiting for its client."""
        if self._ending is not None and not self.closed:
            self._finish(self._ending)

    @property
    def _is_changing_over(self) -> bool:
        """Whether the client has stopped polling for the WebSocket it has opened."""
        return self.probe is not None and self.probing and not self.mailbox.polled

    def _end_when_changed_over(self, ending: "_Ending") -> None:
        self._stop_receiving(clear=False)
        self._ending = ending
        if ending.reason == Reason.TRANSPORT_ERROR:
            self.take()

    def _stop_receiving(self, *, clear: bool = True) -> None:
        if clear:
            self._drop_waiting()
        self._end_waiting()
        _resolve(self._room)

    def _gone(self, code: int, reason: str) -> None:
        if self.life is not None:
            self.life.end(code, reason or self._reason or "")
        self._owner.gone(self)

    def _finish(self, ending: "_Ending", farewell: Packet = packets.CLOSE_PACKET) -> None:
        self._reason = ending.reason
        self._stop_receiving(clear=False)
        self._owner.deadlines.clear(self)
        self._owner.forget(self)
        if self.socket is not None:
            self.socket.close(ending.code)
            self.socket = None
        else:
            if self.mailbox.polled:
                self.mailbox.put(farewell)
            else:
                self.take()
            self._gone(ending.code, ending.reason)
        if self.probe is not None:
            self.probe.abandon()
        if self.shortcut is not None:
            self.shortcut.ended()
        self._put(None)


class _Ending(NamedTuple):
    """How a session ends: its reason, and the code for a WebSocket."""

    reason: str
    code: int


_BY_SERVER = frozenset({Reason.SERVER_DISCONNECT, Reason.TRANSPORT_ERROR})
"""Reasons for which the client may still be there."""


def _size(data: Message) -> int:
    """Return its bytes as it lies in memory: in a text, one wide character makes all wide."""
    return sys.getsizeof(data)


def _resolve(future: asyncio.Future[None] | None) -> None:
    if future is not None and not future.done():
        future.set_result(None)
