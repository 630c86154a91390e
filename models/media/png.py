"""PNG and APNG (W3C PNG, third edition): the chunks that make the picture, and its orientation."""

import struct
import zlib

from models.media import exif
from models.media.source import Cleaned, Malformed, Parts, Source, Span

START = b"\x89PNG\r\n\x1a\n"

_PICTURE = frozenset(
    b"IHDR PLTE IDAT tRNS cHRM gAMA iCCP sBIT sRGB cICP mDCV cLLI bKGD hIST pHYs sPLT "
    b"acTL fcTL fdAT".split()
)


def clean(source: Source) -> Cleaned:
    """Return the picture without texts, times, Exif and unknown chunks; raises `Malformed`."""
    parts = Parts([START])
    at, turned, seen_data = len(START), 1, False
    while True:
        source.step()
        length, kind = source.number(at), source.take(at + 4, 4)
        end = at + 12 + length
        source.check(at, end)
        if (at == len(START)) != (kind == b"IHDR"):
            raise Malformed("it does not begin with its header")
        if kind in _PICTURE or kind == b"IEND":
            content = memoryview(source.data)[at + 4 : end - 4]
            with content:
                right = zlib.crc32(content) == source.number(end - 4)
            if not right:
                raise Malformed("a checksum is wrong")
            if kind == b"IEND":
                break
            seen_data |= kind == b"IDAT"
            parts.append(Span(at, end))
        elif kind == b"eXIf":
            turned = exif.orientation(source.take(at + 8, length))
        at = end
    if not seen_data:
        raise Malformed("it has no image")
    if turned != 1:
        # Where all decoders find it: right behind the header.
        parts.insert(2, _chunk(b"eXIf", exif.oriented(turned)))
    return Cleaned("image/png", [*parts, _chunk(b"IEND", b"")])


def _chunk(kind: bytes, content: bytes) -> bytes:
    checksum = zlib.crc32(kind + content)
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", checksum)
