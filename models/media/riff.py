"""RIFF: WebP (RFC 9649) and WAVE (Multimedia Programming Interface 1.0)."""

import struct
from collections.abc import Iterator
from dataclasses import dataclass

from models.media import exif
from models.media.source import Cleaned, Malformed, Part, Parts, Source, Span

_WEBP_PICTURE = frozenset((b"VP8 ", b"VP8L", b"ALPH", b"ANIM", b"ICCP"))
_FRAME_PICTURE = frozenset((b"VP8 ", b"VP8L", b"ALPH"))
_EXIF_FLAG, _XMP_FLAG = 0x08, 0x04
_WAVE_SOUND = frozenset((b"fmt ", b"fact"))


@dataclass(frozen=True, slots=True)
class _Chunk:
    kind: bytes
    body: int
    end: int


def clean_webp(source: Source) -> Cleaned:
    """Return the picture without Exif but for its orientation, XMP and unknown chunks."""
    end = 8 + source.number(4, 4, "little")
    source.check(12, end)
    parts = Parts()
    features: bytes | None = None
    turned, seen_picture = 1, False
    for chunk in _chunks(source, 12, end):
        if chunk.kind == b"VP8X" and features is None and not parts:
            features = source.take(chunk.body, 10)
        elif chunk.kind in _WEBP_PICTURE:
            parts.append(_header(chunk.kind, chunk.end - chunk.body))
            parts += _padded(chunk.body, chunk.end)
            seen_picture |= chunk.kind in _FRAME_PICTURE
        elif chunk.kind == b"ANMF":
            parts += _frame(source, chunk)
            seen_picture = True
        elif chunk.kind == b"EXIF":
            content = source.take(chunk.body, chunk.end - chunk.body)
            turned = exif.orientation(content.removeprefix(b"Exif\0\0"))
    if not seen_picture:
        raise Malformed("it has no image")
    if features is not None:
        flags = features[0] & ~(_EXIF_FLAG | _XMP_FLAG)
        if turned != 1:
            flags |= _EXIF_FLAG
            content = exif.oriented(turned)
            parts.append(_header(b"EXIF", len(content)) + content)
        parts.insert(0, _header(b"VP8X", 10) + bytes([flags]) + features[1:])
    return _whole("image/webp", b"WEBP", parts)


def clean_wave(source: Source) -> Cleaned:
    """Return the sound without texts, pictures and other chunks; raises `Malformed`."""
    parts = Parts()
    seen_format = False
    # Recorders that could not go back leave the sizes of the file and of its data open.
    for chunk in _chunks(source, 12, source.size, open_ended=b"data"):
        if chunk.kind in _WAVE_SOUND:
            seen_format |= chunk.kind == b"fmt "
            parts.append(_header(chunk.kind, chunk.end - chunk.body))
            parts += _padded(chunk.body, chunk.end)
        elif chunk.kind == b"data":
            if not seen_format:
                raise Malformed("it has sound before its format")
            parts.append(_header(b"data", chunk.end - chunk.body))
            parts += _padded(chunk.body, chunk.end)
            return _whole("audio/wav", b"WAVE", parts)
    raise Malformed("it has no sound")


def _frame(source: Source, chunk: _Chunk) -> list[Part]:
    """Return a frame of an animation with nothing but its picture."""
    kept = Parts([source.take(chunk.body, 16)])
    for inner in _chunks(source, chunk.body + 16, chunk.end):
        if inner.kind in _FRAME_PICTURE:
            kept.append(_header(inner.kind, inner.end - inner.body))
            kept += _padded(inner.body, inner.end)
    return [_header(b"ANMF", _size(kept)), *kept]


def _chunks(
    source: Source, at: int, end: int, *, open_ended: bytes | None = None
) -> Iterator[_Chunk]:
    """Yield the chunks in a range; one of the kind `open_ended` may claim to be longer."""
    while at + 8 <= end:
        source.step()
        kind, length = source.take(at, 4), source.number(at + 4, 4, "little")
        body = at + 8
        if kind == open_ended and (length == 0 or body + length > end):
            if 0 < length < 0xFFFFFF00 and length != 0x7FFFFFFF:
                raise Malformed("it is cut short")
            length = end - body
        if body + length > end:
            raise Malformed("it is cut short")
        yield _Chunk(kind, body, body + length)
        at = body + length + length % 2
    # The padding of the last chunk may be missing.
    if open_ended is None and at not in (end, end + 1):
        raise Malformed("it has bytes behind its chunks")


def _whole(content_type: str, form: bytes, parts: list[Part]) -> Cleaned:
    return Cleaned(content_type, [_header(b"RIFF", _size(parts) + 4) + form, *parts])


def _header(kind: bytes, length: int) -> bytes:
    return kind + struct.pack("<I", length)


def _padded(start: int, end: int) -> list[Part]:
    return [Span(start, end), *([b"\0"] if (end - start) % 2 else [])]


def _size(parts: list[Part]) -> int:
    return Cleaned("", parts).size
