"""Engine.IO packets, protocol version 4: one text character of type, then the data.

Text travels as it is; binary is a bare binary frame over WebSocket and `b` + base64 in a
long-polling payload, where packets are joined by the record separator U+001E. Clients that were
told to (`forceBase64`) write and read `b` + base64 over WebSocket, too.
"""

import base64
from collections.abc import Iterator
from functools import cached_property

from app.realtime.websocket.frames import binary_frame, text_frame

OPEN, CLOSE, PING, PONG, MESSAGE, UPGRADE, NOOP = "0123456"
SEPARATOR = "\x1e"

_BINARY = "b"
"""In the place of a kind: a binary message in base64."""

_SEPARATOR_BYTE = SEPARATOR.encode()

Message = str | bytes


class MalformedPacketError(Exception):
    """A packet of the client that Engine.IO does not allow."""


class Packet:
    """A packet to send, encoded at most once for each transport, however many get it.

    A message in several parts (Socket.IO's binary attachments) is one packet here: its parts must
    not be torn apart.
    """

    def __init__(self, kind: str, *parts: Message) -> None:
        """Make a packet; a binary part is always a message."""
        self._kind = kind
        self._parts = parts or ("",)

    @property
    def has_binary(self) -> bool:
        """Whether there are bytes in it, which clients read in one of two forms."""
        return len(self._parts) > 1 or isinstance(self._parts[0], bytes)

    @cached_property
    def frame(self) -> bytes:
        """The packet as WebSocket frames, one for each part."""
        return b"".join([self._frame(part) for part in self._parts])

    def _frame(self, part: Message) -> bytes:
        if isinstance(part, bytes):
            return binary_frame(part)
        return text_frame((self._kind + part).encode())

    @cached_property
    def base64_frame(self) -> bytes:
        """The same for a client that reads no binary frames."""
        if not self.has_binary:
            return self.frame
        return b"".join([text_frame(self._text(part).encode()) for part in self._parts])

    @cached_property
    def text(self) -> str:
        """The packet as it stands in a long-polling payload."""
        return SEPARATOR.join([self._text(part) for part in self._parts])

    def _text(self, part: Message) -> str:
        if isinstance(part, bytes):
            return _BINARY + base64.b64encode(part).decode()
        return self._kind + part


PING_PACKET = Packet(PING)
NOOP_PACKET = Packet(NOOP)
CLOSE_PACKET = Packet(CLOSE)


def decode(text: str) -> tuple[str, Message]:
    """Take a text packet apart.

    Returns:
        Its kind and its data.

    Raises:
        MalformedPacketError: empty, of an unknown kind, or bad base64.
    """
    if not text or text[0] not in "0123456":
        if text.startswith(_BINARY):
            return MESSAGE, _from_base64(text[1:])
        raise MalformedPacketError("unknown packet type")
    return text[0], text[1:]


# The alphabet for URLs, and the white space that encoders break lines with.
_TO_STANDARD_BASE64 = str.maketrans("-_", "+/", " \t\r\n")


def _from_base64(text: str) -> bytes:
    """Decode base64 as clients write it: either alphabet, in lines or not, padded or not.

    Raises:
        MalformedPacketError: it is not base64.
    """
    try:
        return base64.b64decode(text, validate=True)
    except ValueError:
        bare = text.translate(_TO_STANDARD_BASE64).removesuffix("=").removesuffix("=")
    try:
        return base64.b64decode(bare + "=" * (-len(bare) % 4), validate=True)
    except ValueError:
        raise MalformedPacketError("malformed base64") from None


class Payload:
    """The packets of a long-polling payload, each as `decode` returns it.

    A payload may hold half a million packets, so each is read only when it is asked for.
    """

    __slots__ = ("_body", "_start")

    def __init__(self, body: bytes) -> None:
        self._body = body
        self._start = 0

    @property
    def rest_bytes(self) -> int:
        """The length of what has not been read yet."""
        return max(0, len(self._body) - self._start)

    def __iter__(self) -> Iterator[tuple[str, Message]]:
        return self

    def __next__(self) -> tuple[str, Message]:
        """Return the next packet.

        Raises:
            MalformedPacketError: it is not UTF-8, or malformed.
        """
        start, body = self._start, self._body
        if start > len(body):
            raise StopIteration
        end = body.find(_SEPARATOR_BYTE, start)
        if end < 0:
            end = len(body)
            # The last one; it need not be kept twice. Then any start is behind the end.
            self._body = b""
        self._start = end + 1
        try:
            text = body[start:end].decode()
        except UnicodeDecodeError:
            raise MalformedPacketError("not UTF-8") from None
        return decode(text)
