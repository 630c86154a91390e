"""Exif: the one thing that is needed of it, the orientation (tag 0x0112 of TIFF 6.0)."""

import struct
from typing import Literal

_ORIENTATION = 0x0112
_SHORT = 3
_ENTRIES_MAX = 512
"""Of one directory; cameras write some twenty."""

NOTHING = b"MM\0\x2a\0\0\0\x08" + bytes(6)
"""A TIFF structure without any tag."""


def orientation(tiff: bytes) -> int:
    """Return the orientation that a TIFF structure names, 1 to 8; 1, upright, if it is unreadable.

    Damaged Exif is dropped like all of it, and no reason to refuse an image.
    """
    order: Literal["little", "big"] = "little" if tiff[:2] == b"II" else "big"

    def number(at: int, length: int) -> int:
        return int.from_bytes(tiff[at : at + length], order)

    if tiff[:2] not in (b"II", b"MM") or number(2, 2) != 42:
        return 1
    directory = number(4, 4)
    for n in range(min(number(directory, 2), _ENTRIES_MAX)):
        entry = directory + 2 + 12 * n
        if number(entry, 2) == _ORIENTATION and number(entry + 2, 2) == _SHORT:
            found = number(entry + 8, 2)
            return found if 1 <= found <= 8 else 1
    return 1


def oriented(value: int) -> bytes:
    """Return a TIFF structure that says nothing but the orientation."""
    entry = struct.pack(">HHIHH", _ORIENTATION, _SHORT, 1, value, 0)
    return b"MM\0\x2a\0\0\0\x08\0\x01" + entry + bytes(4)
