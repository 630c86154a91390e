"""The change of a session from long-polling to WebSocket (Engine.IO protocol, "Upgrade")."""

from websockets.frames import CloseCode

from app.realtime.deadlines import Deadlines
from app.realtime.engineio import packets
from app.realtime.engineio.packets import Message
from app.realtime.engineio.session import Session
from app.realtime.websocket.connection import WebSocket

UPGRADE_TIMEOUT_S = 10.0
"""How long a client may take to change over to the WebSocket it opened."""


class Probe:
    """Listens on the WebSocket that a polling session tries out, until the session takes it."""

    __slots__ = ("_deadlines", "_session", "_socket", "deadline_tick")

    def __init__(self, session: Session, deadlines: Deadlines) -> None:
        self.deadline_tick = 0
        self._session = session
        self._deadlines = deadlines
        self._socket: WebSocket | None = None
        session.probe = self

    def opened(self, socket: WebSocket) -> None:
        """Wait for the client's probe."""
        self._socket = socket
        self._deadlines.set(self, UPGRADE_TIMEOUT_S)

    def received(self, message: Message) -> None:
        """Answer the probe; hand the socket to the session when the client confirms."""
        assert self._socket is not None
        if message == packets.PING + "probe":
            self._socket.send(packets.PONG + "probe")
            self._session.probed()
        elif message == packets.UPGRADE and self._session.probing and not self._session.closed:
            self._deadlines.clear(self)
            self._socket.listener = self._session
            self._session.opened(self._socket)
        else:
            self._socket.close(CloseCode.PROTOCOL_ERROR, "not an upgrade")

    def pong(self) -> None:
        """Ignore: Engine.IO has its own ping."""

    def lost(self, code: int, reason: str) -> None:
        """Let the session go on with long-polling."""
        self._deadlines.clear(self)
        self._session.probe_failed()

    def deadline_passed(self) -> None:
        """Give up on a client that does not confirm, unless its POST is what it waits for."""
        if self._session.pushing:
            self._deadlines.set(self, UPGRADE_TIMEOUT_S)
        else:
            self.abandon()

    def abandon(self) -> None:
        """Close the socket that was tried out."""
        if self._socket is not None:
            self._socket.close(CloseCode.NORMAL_CLOSURE, "not upgraded")


class TurnedAway:
    """Listens on a WebSocket for a session that already has one: closes it at once.

    The official suite wants the handshake to succeed first.
    """

    __slots__ = ()

    def opened(self, socket: WebSocket) -> None:
        """Close."""
        socket.close(CloseCode.POLICY_VIOLATION, "the session has a WebSocket already")

    def received(self, message: Message) -> None:
        """Ignore."""

    def pong(self) -> None:
        """Ignore."""

    def lost(self, code: int, reason: str) -> None:
        """Ignore."""
