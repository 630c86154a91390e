"""One write per connection and turn of the loop, however many frames the turn brought.

uvloop makes a system call for each buffer that a transport is given, and a system call is most of
what a delivery costs. So frames wait for the end of the turn, and go out joined. Where nothing is
left over from before, they go straight to the socket; what the kernel does not take, and all that
follows, goes through the transport, which waits for the socket to become writable.
"""

import asyncio
import logging
import sys
from typing import Protocol
from weakref import WeakKeyDictionary

logger = logging.getLogger(__name__)


class Sender(Protocol):
    """A connection that has frames to send."""

    def send_pending(self) -> None:
        """Send what has been gathered in this turn."""


class Outbox:
    """The connections of one loop that have something to send at the end of this turn."""

    __slots__ = ("_loop", "_senders")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._senders: list[Sender] = []

    def add(self, sender: Sender) -> None:
        """Have `sender.send_pending` called once at the end of this turn."""
        if not self._senders:
            self._loop.call_soon(self._send)
        self._senders.append(sender)

    def _send(self) -> None:
        senders, self._senders = self._senders, []
        for sender in senders:
            try:
                sender.send_pending()
            except Exception:
                # The others' frames must still go out.
                logger.exception("a connection could not be written to")


_outboxes: WeakKeyDictionary[asyncio.AbstractEventLoop, Outbox] = WeakKeyDictionary()


def current() -> Outbox:
    """Give the outbox of the running loop."""
    loop = asyncio.get_running_loop()
    outbox = _outboxes.get(loop)
    if outbox is None:
        outbox = _outboxes[loop] = Outbox(loop)
    return outbox


NO_DESCRIPTOR = -1


def descriptor(transport: asyncio.Transport) -> int:
    """Give the file descriptor that may be written to directly, or `NO_DESCRIPTOR`."""
    if sys.platform == "win32" or transport.get_extra_info("sslcontext") is not None:
        return NO_DESCRIPTOR
    return int(transport.get_extra_info("socket").fileno())
