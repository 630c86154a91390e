"""BMP (Windows GDI): headers, colours and pixels; not the path of a colour profile, nor gaps."""

from models.media.source import Cleaned, Edits, Malformed, Source

START = b"BM"

_HEADERS = (12, 16, 40, 52, 56, 64, 108, 124)
_V5 = 124
_COLOUR_SPACE, _PROFILE = 14 + 56, 14 + 112
_OWN_PROFILE = (b"KNIL", b"DEBM")
"""`LINK`, to a file of the writer's machine, and `MBED`, as they are stored."""

_BITFIELDS = {3: 12, 6: 16}


def is_bmp(head: bytes) -> bool:
    """Return whether a file begins like a BMP: its two letters alone begin many texts."""
    header = int.from_bytes(head[14:18], "little")
    return head.startswith(START) and head[6:10] == bytes(4) and header in _HEADERS


def clean(source: Source) -> Cleaned:
    """Return the picture; raises `Malformed`."""
    pixels, header = source.number(10, 4, "little"), source.number(14, 4, "little")
    if header == 12:
        width, height = source.number(18, 2, "little"), source.number(20, 2, "little")
        depth, compression, size, colours = source.number(24, 2, "little"), 0, 0, 0
    else:
        width, height = source.number(18, 4, "little"), source.number(22, 4, "little")
        depth, compression = source.number(28, 2, "little"), source.number(30, 4, "little")
        size = source.number(34, 4, "little") if header >= 40 else 0
        colours = source.number(46, 4, "little") if header >= 40 else 0
    # Rows from top to bottom are said by a negative height.
    height = 2**32 - height if height >= 2**31 else height
    if compression in (0, 3, 6) or not size:
        size = (width * depth + 31) // 32 * 4 * height
    masks = _BITFIELDS.get(compression, 0) if header == 40 else 0
    entries = (colours or 1 << depth if depth <= 8 else colours) * (3 if header == 12 else 4)
    front, end = 14 + header + masks + entries, pixels + size
    source.check(pixels, end)
    source.check(14 + header + masks, front)
    if not size or pixels < 14 + header + masks:
        raise Malformed("it has no image")
    edits = Edits(source)
    edits.blank(min(front, pixels), pixels)
    if header == _V5:
        edits.blank(_PROFILE, _PROFILE + 8)
        if source.take(_COLOUR_SPACE, 4) in _OWN_PROFILE:
            edits.write(_COLOUR_SPACE, b"BGRs")
    return Cleaned("image/bmp", edits.parts(end))
