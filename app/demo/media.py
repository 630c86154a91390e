"""A picture and a sound for the examples, drawn and played by code."""

import math
import struct
import zlib
from collections.abc import AsyncIterator

WIDTH, HEIGHT = 480, 300
_SKY_TOP, _SKY_LOW = (48, 66, 140), (250, 178, 120)
_HILLS = ((0.62, 26.0, 70.0, (86, 84, 130)), (0.74, 18.0, 41.0, (52, 58, 96)))
"""Height, waviness and width of each, and its colour."""

RATE = 8_000
"""Samples a second of the sound."""

_NOTES = (523.25, 659.25, 783.99, 659.25)
_NOTE_S = 0.35


def picture() -> bytes:
    """Return a PNG of a sunrise behind hills."""
    rows = bytearray()
    sun_x, sun_y, radius = WIDTH * 0.68, HEIGHT * 0.55, 42
    for y in range(HEIGHT):
        part = y / HEIGHT
        sky = [round(a + (b - a) * part) for a, b in zip(_SKY_TOP, _SKY_LOW, strict=True)]
        row = bytearray(bytes(sky) * WIDTH)
        if abs(y - sun_y) < radius:
            half = math.isqrt(int(radius**2 - (y - sun_y) ** 2))
            first = int(sun_x) - half
            row[first * 3 : (first + 2 * half) * 3] = bytes((255, 226, 160)) * (2 * half)
        for height, waviness, width, colour in _HILLS:
            for x in range(WIDTH):
                if y > HEIGHT * height + waviness * math.sin(x / width):
                    row[x * 3 : x * 3 + 3] = bytes(colour)
        rows += b"\0" + row
    header = struct.pack(">IIBBBBB", WIDTH, HEIGHT, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        _chunk(kind, data)
        for kind, data in (
            (b"IHDR", header),
            (b"IDAT", zlib.compress(bytes(rows), 6)),
            (b"IEND", b""),
        )
    )


def sound() -> bytes:
    """Return a WAV of four soft notes: what stands for a voice note."""
    length = int(RATE * _NOTE_S)
    samples = bytearray()
    for note in _NOTES:
        for n in range(length):
            loudness = 9_000 * math.sin(math.pi * n / length)
            value = int(loudness * math.sin(2 * math.pi * note * n / RATE))
            samples += struct.pack("<h", value)
    form = struct.pack("<HHIIHH", 1, 1, RATE, RATE * 2, 2, 16)
    body = b"WAVEfmt " + struct.pack("<I", len(form)) + form
    body += b"data" + struct.pack("<I", len(samples)) + bytes(samples)
    return b"RIFF" + struct.pack("<I", len(body)) + body


async def whole(content: bytes) -> AsyncIterator[bytes]:
    """Yield the content as uploads come."""
    yield content


def _chunk(kind: bytes, data: bytes) -> bytes:
    check = zlib.crc32(kind + data)
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", check)
