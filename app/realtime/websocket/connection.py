"""One WebSocket after its handshake: a slim `asyncio.Protocol` on the connection's own transport.

The sans-I/O core of `websockets` parses frames and keeps the closing handshake; this class
assembles messages, bounds what waits to be sent, and writes finished frames straight through.
"""

import asyncio
import logging
from types import GeneratorType
from typing import Protocol, cast

from websockets.exceptions import InvalidState
from websockets.frames import CTRL_OPCODES, CloseCode, Frame, Opcode
from websockets.protocol import Protocol as FrameParser
from websockets.protocol import Side, State
from websockets.streams import StreamReader

from app.memory import Budget
from app.realtime.lives import Life
from app.realtime.websocket import outbox
from app.realtime.websocket.frames import PING_FRAME, binary_frame, lone_text, text_frame

logger = logging.getLogger(__name__)

CLOSE_TIMEOUT_S = 5.0
"""How long a peer may take to answer a close frame, or to read what it is still owed."""

MESSAGE_S = 30.0
"""How long a message may take to come whole, while the peer is read: as the body of a POST. A
megabyte is then 270 kbit/s; what never becomes whole is kept no longer."""

READ_BYTES = 16_384
"""Read at once. In frames of a few bytes this is some ten milliseconds of work; then it is another
connection's turn."""

IDLE_FRAMES = 200
"""Frames in one read that carry no data (pings, pongs, empty fragments): only a flood has more."""

# Filled and emptied without a pause in between, so one is enough for all connections.
_read_buffer = memoryview(bytearray(READ_BYTES))


class _FrameParser(FrameParser):
    """The library's, but a close frame may stand between the fragments of a message.

    RFC 6455, section 5.4, allows that of all control frames.
    """

    is_terse = False
    """Whether a message that is too big is closed without a reason."""

    @property
    def is_between_messages(self) -> bool:
        """Whether the next byte begins a message, and none has to do with what came before.

        The parser says so only by where it waits: `tests/app/realtime/test_websocket.py` fails when
        a new version waits elsewhere.
        """
        waits_in = cast("GeneratorType[None, None, None]", self.parser).gi_yieldfrom
        return (
            self.current_size is None
            and isinstance(waits_in, GeneratorType)
            and waits_in.gi_code is StreamReader.at_eof.__code__
        )

    def fail(self, code: int, reason: str = "") -> None:
        """Answer a close frame that has been read and refused; else fail."""
        if self.is_terse and code == CloseCode.MESSAGE_TOO_BIG:
            reason = ""
        if self.close_rcvd is not None and self.state is State.OPEN:
            code, reason = self.close_rcvd.code, self.close_rcvd.reason
            if code == CloseCode.NO_STATUS_RCVD:
                code = CloseCode.NORMAL_CLOSURE
        super().fail(code, reason)


class _TerseParser(_FrameParser):
    is_terse = True


class Listener(Protocol):
    """Receives what happens on a WebSocket. No method may block or raise."""

    def opened(self, socket: "WebSocket") -> None:
        """Frames can be written from now on."""

    def received(self, message: str | bytes) -> None:
        """One whole message came."""

    def pong(self) -> None:
        """A ping was answered."""

    def lost(self, code: int, reason: str) -> None:
        """The connection is gone.

        `code` is that of the first close frame, whichever side sent it; 1006 without one.
        """


class WebSocket(outbox.Outgoing, asyncio.BufferedProtocol):
    """A connection that speaks RFC 6455 without extensions."""

    __slots__ = (
        "_budget",
        "_close_timer",
        "_closed_here",
        "_is_between",
        "_kind",
        "_parser",
        "_parts",
        "_rest_is_noted",
        "_rest_timer",
        "_transport",
        "_uncounted",
        "_unsent",
        "_whole",
        "life",
        "listener",
    )

    def __init__(
        self,
        listener: Listener,
        *,
        message_bytes: int,
        unsent_bytes: int,
        budget: Budget,
        is_terse: bool = False,
    ) -> None:
        """Make a connection that counts what waits in it against `budget`.

        Limits are in bytes: of one incoming message, and of what waits for a slow peer. One that
        `is_terse` closes as Node's server does: 1009 has no reason.
        """
        super().__init__()
        self.listener = listener
        parser = _TerseParser if is_terse else _FrameParser
        self._parser = parser(Side.SERVER, state=State.OPEN, max_size=message_bytes)
        self._unsent = unsent_bytes
        self._uncounted = 0
        self._transport: asyncio.Transport | None = None
        self._budget = budget
        self._parts: bytearray | None = None
        self._rest_timer: asyncio.TimerHandle | None = None
        self._rest_is_noted = False
        self._whole = False
        self._is_between = True
        self._kind = Opcode.TEXT
        self._close_timer: asyncio.TimerHandle | None = None
        self._closed_here = False
        self.life: Life | None = None
        """What is measured when the connection ends."""

    def begin_with(self, handshake: bytes) -> None:
        """Put the answer to the opening handshake before all frames."""
        self.write(handshake)

    def queue(self, data: bytes) -> None:
        """Send `data` behind all that the kernel has not taken yet; too much closes with 1013.

        What is sent to a peer that has read everything before it is not counted, nor what is left
        of it while it is on its way: it may be one large answer.
        """
        transport = self._transport
        if transport is None:
            return
        if transport.get_write_buffer_size() == 0:
            self._uncounted = len(data)
        transport.write(data)
        if transport.get_write_buffer_size() > self._uncounted + self._unsent:
            self._too_slow(transport)
        self._budget.update(self)

    def _too_slow(self, transport: asyncio.Transport) -> None:
        if self.open:
            self.close(CloseCode.TRY_AGAIN_LATER, "too slow")
        elif transport.get_write_buffer_size() > self._uncounted + 2 * self._unsent:
            # A flood of pings by a peer that reads no pongs must not fill memory.
            transport.abort()

    def send(self, message: str | bytes) -> None:
        """Send one text or binary message."""
        if isinstance(message, str):
            self.write(text_frame(message.encode()))
        else:
            self.write(binary_frame(message))

    def ping(self) -> None:
        """Send a ping; `Listener.pong` is called with the answer."""
        self.write(PING_FRAME)

    def close(self, code: int, reason: str = "") -> None:
        """Begin the closing handshake; the connection is cut if the peer does not answer."""
        if self._transport is None:
            return
        self._closed_here = True
        # A peer that was made to wait must be read again, for its answer.
        self.pause_reading(False)
        try:
            self._parser.send_close(code, reason)
        except InvalidState:
            return
        self._flush()

    def abort(self) -> None:
        """Cut the connection: the peer is not there any more."""
        if self._transport is not None:
            self._transport.abort()

    def pause_reading(self, pause: bool) -> None:
        """Stop or go on reading from the peer."""
        if self._transport is None or self._transport.is_closing():
            return
        if pause:
            self._transport.pause_reading()
            # The peer is not to blame for what it cannot finish now.
            self._clear_rest_timer()
        else:
            self._transport.resume_reading()
            if self._is_unfinished and self._rest_timer is None:
                self._set_rest_timer()

    # Against the budget of the process.

    @property
    def held_bytes(self) -> int:
        """The bytes that the peer has not read, and those of a message that is not whole."""
        if self._transport is None:
            return 0
        unread = self._transport.get_write_buffer_size()
        return unread + len(self._parser.reader.buffer) + len(self._parts or b"")

    def shed(self) -> None:
        """Close with 1013; fragments are dropped."""
        if self._parts is not None:
            self._parts = bytearray()
        self.close(CloseCode.TRY_AGAIN_LATER, "the server is short of memory")

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take over `transport` (asyncio)."""
        # uvloop's transports are not asyncio's by class, only by their methods.
        self._transport = stream = cast(asyncio.Transport, transport)
        # Any unsent byte counts as blocked: then what follows must queue behind it.
        stream.set_write_buffer_limits(high=0)
        self.fd = outbox.descriptor(stream)
        self.blocked = self.fd == outbox.NO_DESCRIPTOR or stream.get_write_buffer_size() > 0
        self.listener.opened(self)

    def pause_writing(self) -> None:
        """Note that the transport holds unsent bytes (asyncio)."""
        self.blocked = True

    def resume_writing(self) -> None:
        """Note that everything was taken by the kernel (asyncio)."""
        self.blocked = self.fd == outbox.NO_DESCRIPTOR
        self._budget.update(self)

    def get_buffer(self, sizehint: int) -> memoryview:
        """Say where to read to (asyncio)."""
        return _read_buffer

    def buffer_updated(self, nbytes: int) -> None:
        """Take what was read (asyncio)."""
        self.take(bytes(_read_buffer[:nbytes]))

    def take(self, data: bytes) -> None:
        """Act on bytes of the peer."""
        parser = self._parser
        if self._is_between and self.open and len(data) <= (parser.max_message_size or 0):
            text = lone_text(data)
            if text is not None:
                self._whole = True
                self._give_text(text)
                return
        parser.receive_data(data)
        # Pongs go before the answers to messages: a ping may stand between a message's fragments.
        self._flush()
        idle = 0
        for event in parser.events_received():
            if isinstance(event, Frame):
                idle += event.opcode in CTRL_OPCODES or not event.data
                self._act_on(event)
        if idle > IDLE_FRAMES:
            self.close(CloseCode.POLICY_VIOLATION, "too many frames without data")
        # As `_is_unfinished`, for each read.
        if parser.reader.buffer or self._parts is not None:
            self._wait_for_rest()
        elif self._rest_is_noted:
            self._rest_is_noted = False
            self._clear_rest_timer()
            self._budget.update(self)
        self._is_between = parser.is_between_messages

    @property
    def _is_unfinished(self) -> bool:
        """Whether a part of a message is here, and the rest is not."""
        return self._parts is not None or bool(self._parser.reader.buffer)

    def _wait_for_rest(self) -> None:
        if self._whole or self._rest_timer is None:
            # Another message than the one that was waited for before.
            self._whole = False
            self._clear_rest_timer()
            self._set_rest_timer()
        self._rest_is_noted = True
        self._budget.update(self)

    def _set_rest_timer(self) -> None:
        # One that the listener has paused cannot send the rest.
        if self._transport is not None and self._transport.is_reading():
            loop = asyncio.get_running_loop()
            self._rest_timer = loop.call_later(MESSAGE_S, self._too_late)

    def _clear_rest_timer(self) -> None:
        if self._rest_timer is not None:
            self._rest_timer.cancel()
            self._rest_timer = None

    def _too_late(self) -> None:
        self._rest_timer = None
        if self._parts is not None:
            self._parts = bytearray()
        self.close(CloseCode.POLICY_VIOLATION, "a message did not come whole in time")
        self._budget.update(self)

    def eof_received(self) -> bool:
        """End the connection with the peer's half (asyncio)."""
        self._parser.receive_eof()
        self._flush()
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell the listener once (asyncio)."""
        if self._close_timer is not None:
            self._close_timer.cancel()
        self._clear_rest_timer()
        if self.life is not None:
            self.life.measure(self._transport)
            self.life.closed_by_client = self._parser.close_rcvd_then_sent is True
        self._transport = None
        self.pending = None
        self.blocked = True
        self.open = False
        self._parts = None
        self._budget.forget(self)
        # The first of the two says why; many clients answer any code with 1000.
        parser = self._parser
        close = (
            parser.close_rcvd if parser.close_rcvd_then_sent is not False else parser.close_sent
        ) or parser.close_sent
        code = close.code if close else CloseCode.ABNORMAL_CLOSURE
        self.listener.lost(int(code), close.reason if close else "")

    def _act_on(self, frame: Frame) -> None:
        if frame.opcode is Opcode.PONG:
            self.listener.pong()
        elif frame.opcode in (Opcode.TEXT, Opcode.BINARY, Opcode.CONT):
            self._assemble(frame)

    def _assemble(self, frame: Frame) -> None:
        if frame.opcode is not Opcode.CONT:
            self._kind = frame.opcode
            if frame.fin:
                self._give(bytes(frame.data))
                return
            self._parts = bytearray()
        assert self._parts is not None
        if not self._closed_here:
            self._parts += frame.data
        if frame.fin:
            whole, self._parts = bytes(self._parts), None
            self._give(whole)

    def _give(self, payload: bytes) -> None:
        self._whole = True
        # What came before the peer's own close frame still counts, what came after ours does not.
        if self._closed_here:
            return
        if self._kind is Opcode.BINARY:
            self.listener.received(payload)
        else:
            self._give_text(payload)

    def _give_text(self, payload: bytes) -> None:
        try:
            text = payload.decode()
        except UnicodeDecodeError:
            self.close(CloseCode.INVALID_DATA, "text is not UTF-8")
        else:
            self.listener.received(text)

    def _flush(self) -> None:
        """Send what the parser wants said; its empty chunk means that all is said."""
        for chunk in self._parser.data_to_send():
            if chunk:
                self.write(chunk)
            elif self._transport is not None:
                self.send_pending()
                self._transport.close()
                # It waits for the peer to read, who may never do so.
                self._cut_later()
        self.open = self._parser.state is State.OPEN
        if self._parser.close_expected():
            self.send_pending()
            self._cut_later()

    def _cut_later(self) -> None:
        if self._close_timer is None and self._transport is not None:
            loop = asyncio.get_running_loop()
            self._close_timer = loop.call_later(CLOSE_TIMEOUT_S, self._transport.abort)
