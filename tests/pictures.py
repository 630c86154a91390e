"""Small files that are what they seem, for tests of what is done with files."""

import struct
import zlib


def chunk(kind, content):
    """Make a chunk of a PNG."""
    checksum = struct.pack(">I", zlib.crc32(kind + content))
    return struct.pack(">I", len(content)) + kind + content + checksum


def png(size=67):
    """Make a PNG of exactly `size` bytes, 67 of them at least: one grey pixel, and what is over."""
    pixel = zlib.compress(b"\0\x80")
    assert len(pixel) == 10
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", 1, 1, 8, 0, 0, 0, 0))
    content = pixel + bytes(n % 251 for n in range(size - 67))
    made = b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", content) + chunk(b"IEND", b"")
    assert len(made) == size
    return made


def square(side, *, height=None, comment=b""):
    """Make a grey PNG of so many pixels each way, with a comment in its metadata."""
    height = side if height is None else height
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", side, height, 8, 0, 0, 0, 0))
    lines = chunk(b"IDAT", zlib.compress((b"\0" + b"\x80" * side) * height))
    text = chunk(b"tEXt", b"Comment\0" + comment) if comment else b""
    return b"\x89PNG\r\n\x1a\n" + header + text + lines + chunk(b"IEND", b"")


PNG = png()
GIF = b"GIF89a\x01\0\x01\0\x80\0\0\0\0\0\xff\xff\xff,\0\0\0\0\x01\0\x01\0\0\x02\x02D\x01\0;"
WAV = b"".join(
    (
        *(b"RIFF", struct.pack("<I", 40), b"WAVE"),
        *(b"fmt ", struct.pack("<IHHIIHH", 16, 1, 1, 8000, 16000, 2, 16)),
        *(b"data", struct.pack("<I", 4), b"abcd"),
    )
)
