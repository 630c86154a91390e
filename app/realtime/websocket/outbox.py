"""One write per connection and turn of the loop, however many frames the turn brought.

uvloop makes a system call for each buffer that a transport is given, and a system call is most of
what a delivery costs. So frames wait for the end of the turn, and go out joined. Where nothing is
left over from before, they go straight to the socket; what the kernel does not take, and all that
follows, goes through the transport, which waits for the socket to become writable.

The two loops of `Outbox` run once for each recipient of each event. They call nothing but the
system: a method called for each recipient would cost as much as all the rest of them.
"""

import asyncio
import logging
import os
import sys
from collections.abc import Iterable
from contextlib import suppress
from weakref import WeakKeyDictionary

logger = logging.getLogger(__name__)

NO_DESCRIPTOR = -1


class Outgoing:
    """The sending half of a connection; its subclass has the transport."""

    __slots__ = ("_outbox", "blocked", "fd", "open", "pending")

    def __init__(self) -> None:
        self._outbox = current()

        self.open = True
        """Whether messages can still be sent."""

        # One frame is the common case and needs no list.
        self.pending: bytes | list[bytes] | None = None
        """The frames of this turn."""

        self.fd = NO_DESCRIPTOR
        """Where frames go when nothing is before them."""

        self.blocked = True
        """Whether something is before them, or they have no descriptor to go to."""

    def write(self, frame: bytes) -> None:
        """Send a finished frame with the others of this turn; never waits.

        A peer that has too much unread is closed with 1013.
        """
        if not self.open:
            return
        pending = self.pending
        if pending is None:
            self.pending = frame
            self._outbox.add(self)
        elif isinstance(pending, list):
            pending.append(frame)
        else:
            self.pending = [pending, frame]

    def send_pending(self) -> None:
        """Send the frames of this turn now."""
        pending, self.pending = self.pending, None
        if pending is None:
            return
        data = b"".join(pending) if isinstance(pending, list) else pending
        if not self.blocked:
            # Full or broken: the transport will find out which.
            with suppress(OSError):
                data = data[os.write(self.fd, data) :]
        if data:
            self.queue(data)

    def queue(self, data: bytes) -> None:
        """Send `data` behind all that the kernel has not taken yet."""
        raise NotImplementedError


class Outbox:
    """The connections of one loop that have something to send at the end of this turn."""

    __slots__ = ("_loop", "_senders")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._senders: list[Outgoing] = []

    @property
    def is_filled(self) -> bool:
        """Whether something is to be sent at the end of this turn."""
        return bool(self._senders)

    def add(self, sender: Outgoing) -> None:
        """Have `sender.send_pending` called once at the end of this turn."""
        if not self._senders:
            self._loop.call_soon(self._send)
        self._senders.append(sender)

    def write_to_all(self, senders: Iterable[Outgoing], frame: bytes) -> None:
        """Do `write(frame)` for all `senders`."""
        if not self._senders:
            self._loop.call_soon(self._send)
        add = self._senders.append
        for sender in senders:
            if sender.pending is None and sender.open:
                sender.pending = frame
                add(sender)
            else:
                sender.write(frame)

    def _send(self) -> None:
        senders, self._senders = self._senders, []
        write = os.write
        for sender in senders:
            frame = sender.pending
            try:
                if isinstance(frame, bytes) and not sender.blocked:
                    # As `send_pending`, for the common case.
                    sender.pending = None
                    try:
                        written = write(sender.fd, frame)
                    except OSError:
                        written = 0
                    if written < len(frame):
                        sender.queue(frame[written:])
                else:
                    sender.send_pending()
            except Exception:
                # The others' frames must still go out.
                logger.exception("a connection could not be written to")


_outboxes: WeakKeyDictionary[asyncio.AbstractEventLoop, Outbox] = WeakKeyDictionary()


def current() -> Outbox:
    """Return the outbox of the running loop."""
    loop = asyncio.get_running_loop()
    outbox = _outboxes.get(loop)
    if outbox is None:
        outbox = _outboxes[loop] = Outbox(loop)
    return outbox


def descriptor(transport: asyncio.Transport) -> int:
    """Return the file descriptor that may be written to directly, or `NO_DESCRIPTOR`."""
    if sys.platform == "win32" or transport.get_extra_info("sslcontext") is not None:
        return NO_DESCRIPTOR
    return int(transport.get_extra_info("socket").fileno())
