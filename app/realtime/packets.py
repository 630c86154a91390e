"""Engine.IO packets, protocol version 4: one text character of type, then the data.

Text travels as it is; binary is a bare binary frame over WebSocket and `b` + base64 in a
long-polling payload, where packets are joined by the record separator U+001E.
"""

import base64
from functools import cached_property

from app.realtime.frames import binary_frame, text_frame

OPEN, CLOSE, PING, PONG, MESSAGE, UPGRADE, NOOP = "0123456"
SEPARATOR = "\x1e"

MAX_PACKETS = 10_000
"""In one long-polling payload. A client that was away sends hundreds; a megabyte could hold half a
million."""

Message = str | bytes


class MalformedPacketError(Exception):
    """A packet of the client that Engine.IO does not allow."""


class Packet:
    """A packet to send, encoded at most once for each transport, whoever and how many get it.

    A message in several parts (Socket.IO's binary attachments) is one packet here: its parts must
    not be torn apart.
    """

    def __init__(self, kind: str, *parts: Message) -> None:
        """Make a packet; a binary part is always a message."""
        self._kind = kind
        self._parts = parts or ("",)

    @cached_property
    def frame(self) -> bytes:
        """The packet as WebSocket frames, one for each part."""
        return b"".join([self._frame(part) for part in self._parts])

    def _frame(self, part: Message) -> bytes:
        if isinstance(part, bytes):
            return binary_frame(part)
        return text_frame((self._kind + part).encode())

    @cached_property
    def text(self) -> str:
        """The packet as it stands in a long-polling payload."""
        return SEPARATOR.join(
            "b" + base64.b64encode(part).decode() if isinstance(part, bytes) else self._kind + part
            for part in self._parts
        )


PING_PACKET = Packet(PING)
NOOP_PACKET = Packet(NOOP)
CLOSE_PACKET = Packet(CLOSE)


def decode(text: str) -> tuple[str, str]:
    """Take a text packet apart.

    Returns:
        Its kind and its data.

    Raises:
        MalformedPacketError: empty, or of an unknown kind.
    """
    if not text or text[0] not in "0123456":
        raise MalformedPacketError("unknown packet type")
    return text[0], text[1:]


def decode_payload(body: bytes) -> list[tuple[str, Message]]:
    """Take a long-polling payload apart, all of it or nothing.

    Raises:
        MalformedPacketError: not UTF-8, bad base64, a packet that `decode` refuses, or more than
            `MAX_PACKETS`.
    """
    if body.count(SEPARATOR.encode()) >= MAX_PACKETS:
        raise MalformedPacketError("too many packets")
    try:
        parts = body.decode().split(SEPARATOR)
        return [
            (MESSAGE, base64.b64decode(part[1:], validate=True))
            if part.startswith("b")
            else decode(part)
            for part in parts
        ]
    except ValueError as error:
        raise MalformedPacketError(str(error)) from None
