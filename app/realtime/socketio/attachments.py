"""Binary Socket.IO packets whose attachments are still to come, each in a message of its own."""

from app.memory import Budget
from app.realtime.deadlines import Deadlines
from app.realtime.engineio.engine import MAX_PAYLOAD_BYTES
from app.realtime.engineio.session import Reason, Session
from app.realtime.socketio.packets import StrictPacket

ATTACHMENTS_S = 30.0
"""How long all attachments of a packet may take to come: as the body of a POST."""

PACKET_BYTES = MAX_PAYLOAD_BYTES
"""Attachments of one packet together: cut into pieces, a packet may be no larger than whole."""


class SkippedPacket:
    """A binary packet that no one wants: its attachments are counted, and nothing is kept."""

    __slots__ = ("_due",)

    def __init__(self, attachments: int) -> None:
        self._due = attachments

    def add(self, attachment: bytes) -> bool:
        """Pass over an attachment; True when it was the last."""
        self._due -= 1
        return self._due == 0

    def end(self) -> None:
        """Do nothing: nothing is kept."""


class AwaitedPacket:
    """A binary packet for a namespace that accepts bytes, with the attachments that have come."""

    __slots__ = ("_budget", "_deadlines", "_session", "deadline_tick", "held_bytes", "packet")

    def __init__(
        self, packet: StrictPacket, session: Session, deadlines: Deadlines, budget: Budget
    ) -> None:
        """Wait for the attachments of `packet`; a session that is late with them is closed."""
        self.packet = packet
        self.held_bytes = 0
        self.deadline_tick = 0
        self._session = session
        self._deadlines = deadlines
        self._budget = budget
        deadlines.set(self, ATTACHMENTS_S)

    def add(self, attachment: bytes) -> bool:
        """Keep an attachment; True when it was the last, and the packet is whole.

        Raises:
            ValueError: the attachments are too large together, or do not fit the packet.
        """
        self.held_bytes += len(attachment)
        if self.held_bytes > PACKET_BYTES:
            raise ValueError("attachments are too large")
        self._budget.update(self)
        return bool(self.packet.add_attachment(attachment))

    def end(self) -> None:
        """Wait no longer: the packet is whole, or its session has ended."""
        self._deadlines.clear(self)
        self.held_bytes = 0
        self._budget.forget(self)

    def deadline_passed(self) -> None:
        """Close a client that does not send what it announced."""
        self._session.close(Reason.TRANSPORT_ERROR)
        self._drop()

    def shed(self) -> None:
        """Close with 1013 and drop what has come."""
        self._session.shed()
        self._drop()

    def abort(self) -> None:
        """Cut the connection."""
        self._session.abort()
        self._drop()

    def _drop(self) -> None:
        self.packet.attachments.clear()
        self.end()
