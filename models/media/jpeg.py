"""JPEG (ITU-T T.81, T.871; Exif 3.0): the tables and scans of one image, and its orientation.

Dropped: Exif but for the orientation, XMP, Photoshop's resources, comments, thumbnails, and what
follows the image: the second picture of multi-picture files (MPF), gain maps, videos of motion
photos, trailers of cameras.
"""

import re
import struct

from models.media import exif
from models.media.source import Cleaned, Malformed, Part, Parts, Source, Span

START = b"\xff\xd8\xff"

_SOI, _EOI, _SOS, _APP0, _APP1, _APP2, _APP14 = 0xD8, 0xD9, 0xDA, 0xE0, 0xE1, 0xE2, 0xEE
_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_DHT, _DAC, _DQT = 0xC4, 0xCC, 0xDB
_LENGTHS = {0xDC: 2, 0xDD: 2, 0xDF: 1}
_DHP = 0xDE
_TABLES = frozenset({_DHT, _DAC, _DQT, _DHP, *_LENGTHS})
_MARKER_IN_SCAN = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]", re.DOTALL)
_FILL_MAX = 64
"""Bytes of fill before a marker; encoders write none or one."""


def clean(source: Source) -> Cleaned:
    """Return the image without metadata; raises `Malformed`."""
    head: list[Part] = [b"\xff\xd8"]
    body = Parts()
    turned, seen_frame, seen_scan = 1, False, False
    at = 2
    while True:
        source.step()
        marker, at = _marker(source, at)
        if marker == _EOI:
            if not seen_scan:
                raise Malformed("it has no image")
            break
        if not 0xC0 <= marker < 0xFF or 0xD0 <= marker <= _SOI:
            raise Malformed("it has an unexpected marker")
        length = source.number(at, 2)
        start, end = at - 2, at + length
        source.check(start, end)
        if length < 2:
            raise Malformed("it has a segment without a length")
        content = source.take(at + 2, min(length - 2, 20))
        if marker in _FRAMES or marker in _TABLES or marker == _SOS:
            if not _is_well_formed(marker, source.take(at + 2, length - 2)):
                raise Malformed("a table is not what its marker says")
            body.append(Span(start, end))
            seen_frame |= marker in _FRAMES
        elif marker == _APP0 and content.startswith(b"JFIF\0") and length >= 16:
            if len(head) == 1:
                # Without the thumbnail that may follow.
                head.append(b"\xff\xe0\0\x10" + content[:12] + b"\0\0")
        elif marker == _APP1 and content.startswith(b"Exif\0") and turned == 1:
            turned = exif.orientation(source.take(at + 8, max(length - 8, 0)))
        elif marker == _APP2 and content.startswith(b"ICC_PROFILE\0"):
            body.append(Span(start, end))
        elif marker == _APP14 and content.startswith(b"Adobe") and length >= 14:
            body.append(b"\xff\xee\0\x0e" + content[:12])
        at = end
        if marker == _SOS:
            if not seen_frame:
                raise Malformed("it has a scan without a frame")
            found = _MARKER_IN_SCAN.search(source.data, at)
            if found is None:
                raise Malformed("it is cut short")
            body.append(Span(at, found.start()))
            at, seen_scan = found.start(), True
    if turned != 1:
        content = b"Exif\0\0" + exif.oriented(turned)
        head.append(b"\xff\xe1" + struct.pack(">H", len(content) + 2) + content)
    return Cleaned("image/jpeg", [*head, *body, b"\xff\xd9"])


def _is_well_formed(marker: int, content: bytes) -> bool:
    """Return whether a segment consists of what it has to, without room for anything else."""
    if marker in _FRAMES or marker == _DHP:
        return len(content) >= 9 and len(content) == 6 + 3 * content[5]
    if marker == _SOS:
        return len(content) >= 6 and len(content) == 4 + 2 * content[0]
    if marker in _LENGTHS:
        return len(content) == _LENGTHS[marker]
    if marker == _DAC:
        return len(content) % 2 == 0
    at = 0
    while at < len(content):
        if marker == _DQT:
            at += 129 if content[at] >> 4 else 65
        else:
            at += 17 + sum(content[at + 1 : at + 17])
    return at == len(content)


def _marker(source: Source, at: int) -> tuple[int, int]:
    """Return the marker at `at`, and where its segment goes on."""
    if source.number(at, 1) != 0xFF:
        raise Malformed("it has bytes between its segments")
    for _ in range(_FILL_MAX):
        at += 1
        marker = source.number(at, 1)
        if marker != 0xFF:
            return marker, at + 1
    raise Malformed("it has too many fill bytes")


def metadata(source: Source, start: int, end: int) -> list[tuple[int, int]]:
    """Return where an abbreviated stream, as TIFF has it, has contents of metadata segments."""
    found = []
    at = start + 2
    while at + 4 <= end:
        source.step()
        marker, at = _marker(source, at)
        if marker in (_SOS, _EOI):
            break
        length = source.number(at, 2)
        if length < 2 or at + length > end:
            raise Malformed("it is cut short")
        if marker not in _FRAMES and marker not in _TABLES and marker != _APP14:
            found.append((at + 2, at + length))
        at += length
    return found
