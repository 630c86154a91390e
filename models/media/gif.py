"""GIF (GIF89a specification): screen, pictures, their timing and repeating."""

from models.media.source import Cleaned, Malformed, Parts, Source, Span

STARTS = (b"GIF87a", b"GIF89a")

_IMAGE, _EXTENSION, _TRAILER = 0x2C, 0x21, 0x3B
_GRAPHIC_CONTROL, _APPLICATION = 0xF9, 0xFF
_REPEATING = (b"\x0bNETSCAPE2.0", b"\x0bANIMEXTS1.0")


def clean(source: Source) -> Cleaned:
    """Return the pictures without comments, texts and data of programs; raises `Malformed`."""
    at = 13 + _colours(source.number(10, 1))
    source.check(0, at)
    parts = Parts([Span(0, at)])
    seen_image = False
    # Some programs leave out the trailer.
    while not (seen_image and at == source.size) and (kind := source.number(at, 1)) != _TRAILER:
        source.step()
        start = at
        if kind == _IMAGE:
            at += 10 + _colours(source.number(at + 9, 1))
            at = _behind_blocks(source, at + 1)
            parts.append(Span(start, at))
            seen_image = True
        elif kind == _EXTENSION:
            label = source.number(at + 1, 1)
            if label == _GRAPHIC_CONTROL and source.take(at + 2, 1) == b"\x04":
                at = start + 8
                if source.take(at - 1, 1) != b"\0":
                    raise Malformed("a block does not end")
                parts.append(Span(start, at))
            elif label == _APPLICATION and source.take(at + 2, 12) in _REPEATING:
                at = _behind_blocks(source, at + 2)
                # The extension has one block, which says how often; more would be something else.
                if source.take(start + 14, 2) == b"\x03\x01":
                    parts += [Span(start, start + 18), b"\0"]
            else:
                at = _behind_blocks(source, at + 2)
        else:
            raise Malformed("it has an unknown block")
    if not seen_image:
        raise Malformed("it has no image")
    return Cleaned("image/gif", [*parts, b"\x3b"])


def _colours(flags: int) -> int:
    """Return the length of the table of colours that `flags` announce."""
    return 3 << (flags & 7) + 1 if flags & 0x80 else 0


def _behind_blocks(source: Source, at: int) -> int:
    """Return where a series of blocks, each with its length before it, has ended."""
    while length := source.number(at, 1):
        source.step()
        at += 1 + length
    return at + 1
