"""One WebSocket after its handshake: a slim `asyncio.Protocol` on the connection's own transport.

The sans-I/O core of `websockets` parses frames and keeps the closing handshake; this class
assembles messages, bounds what waits to be sent, and writes finished frames straight through.
"""

import asyncio
import logging
from typing import Protocol, cast

from websockets.exceptions import InvalidState
from websockets.frames import CTRL_OPCODES, CloseCode, Frame, Opcode
from websockets.protocol import Protocol as FrameParser
from websockets.protocol import Side, State

from app.realtime import outbox
from app.realtime.frames import PING_FRAME, binary_frame, text_frame

logger = logging.getLogger(__name__)

CLOSE_TIMEOUT_S = 5.0
"""How long a peer may take to answer a close frame, or to read what it is still owed."""

READ_BYTES = 16_384
"""Read at once. In frames of a few bytes this is some ten milliseconds of work; then it is another
connection's turn."""

IDLE_FRAMES = 200
"""Frames in one read that carry no data (pings, pongs, empty fragments): only a flood has more."""

# Filled and emptied without a pause in between, so one is enough for all connections.
_read_buffer = memoryview(bytearray(READ_BYTES))


class Listener(Protocol):
    """Whom a WebSocket tells what happens on it. No method may block or raise."""

    def opened(self, socket: "WebSocket") -> None:
        """Frames can be written from now on."""

    def received(self, message: str | bytes) -> None:
        """One whole message came."""

    def pong(self) -> None:
        """A ping was answered."""

    def lost(self, code: int, reason: str) -> None:
        """The connection is gone; `code` is 1006 when there was no close frame."""


class WebSocket(outbox.Outgoing, asyncio.BufferedProtocol):
    """A connection that speaks RFC 6455 without extensions."""

    __slots__ = (
        "_close_timer",
        "_closed_here",
        "_kind",
        "_parser",
        "_parts",
        "_transport",
        "_uncounted",
        "_unsent",
        "listener",
    )

    def __init__(self, listener: Listener, *, message_bytes: int, unsent_bytes: int) -> None:
        """Limits are in bytes: of one incoming message, and of what waits for a slow peer."""
        super().__init__()
        self.listener = listener
        self._parser = FrameParser(Side.SERVER, state=State.OPEN, max_size=message_bytes)
        self._unsent = unsent_bytes
        self._uncounted = 0
        self._transport: asyncio.Transport | None = None
        self._parts: bytearray | None = None
        self._kind = Opcode.TEXT
        self._close_timer: asyncio.TimerHandle | None = None
        self._closed_here = False

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
        """Send a ping; `Listener.pong` hears the answer."""
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
        else:
            self._transport.resume_reading()

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

    def get_buffer(self, sizehint: int) -> memoryview:
        """Say where to read to (asyncio)."""
        return _read_buffer

    def buffer_updated(self, nbytes: int) -> None:
        """Take what was read (asyncio)."""
        self.take(bytes(_read_buffer[:nbytes]))

    def take(self, data: bytes) -> None:
        """Act on bytes of the peer."""
        self._parser.receive_data(data)
        # Pongs go before the answers to messages: a ping may stand between a message's fragments.
        self._flush()
        idle = 0
        for event in self._parser.events_received():
            if isinstance(event, Frame):
                idle += event.opcode in CTRL_OPCODES or not event.data
                self._act_on(event)
        if idle > IDLE_FRAMES:
            self.close(CloseCode.POLICY_VIOLATION, "too many frames without data")

    def eof_received(self) -> bool:
        """End the connection with the peer's half (asyncio)."""
        self._parser.receive_eof()
        self._flush()
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell the listener once (asyncio)."""
        if self._close_timer is not None:
            self._close_timer.cancel()
        self._transport = None
        self.pending = None
        self.blocked = True
        self.open = False
        close = self._parser.close_rcvd or self._parser.close_sent
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
        self._parts += frame.data
        if frame.fin:
            whole, self._parts = bytes(self._parts), None
            self._give(whole)

    def _give(self, payload: bytes) -> None:
        # What came before the peer's own close frame still counts, what came after ours does not.
        if self._closed_here:
            return
        if self._kind is Opcode.BINARY:
            self.listener.received(payload)
            return
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
