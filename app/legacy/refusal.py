"""A connection that is refused after its upgrade, by a close code."""

from app.realtime.websocket.connection import WebSocket


class RefusedConnection:
    """The listener of such a WebSocket: it closes it at once and ignores messages."""

    __slots__ = ("_code", "_reason")

    def __init__(self, code: int, reason: str) -> None:
        self._code = code
        self._reason = reason

    def opened(self, socket: WebSocket) -> None:
        """Close it."""
        socket.close(self._code, self._reason)

    def received(self, message: str | bytes) -> None:
        """Ignore what was sent before the close frame was read."""

    def pong(self) -> None:
        """Ignore."""

    def lost(self, code: int, reason: str) -> None:
        """Ignore."""
