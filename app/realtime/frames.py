"""WebSocket frames as bytes, ready for any number of connections (RFC 6455, server side)."""

from websockets.frames import Frame, Opcode


def text_frame(payload: bytes) -> bytes:
    """Frame one whole text message; `payload` is UTF-8."""
    return Frame(Opcode.TEXT, payload).serialize(mask=False)


def binary_frame(payload: bytes) -> bytes:
    """Frame one whole binary message."""
    return Frame(Opcode.BINARY, payload).serialize(mask=False)


PING_FRAME = Frame(Opcode.PING, b"").serialize(mask=False)
