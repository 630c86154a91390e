"""FLAC (RFC 9639): the stream's parameters, seek table and sound, without comments and pictures.

Other containers carry the same blocks: `blank_blocks` empties them where they are.
"""

from models.media.mpeg import behind_id3
from models.media.source import Cleaned, Edits, Malformed, Part, Source, Span

START = b"fLaC"

_STREAM_INFO, _PADDING, _SEEK_TABLE = 0, 1, 3
_KEPT = (_STREAM_INFO, _SEEK_TABLE)
_ID3V1_BYTES = 128


def clean(source: Source) -> Cleaned:
    """Return the sound without metadata; raises `Malformed`."""
    at = behind_id3(source) + len(START)
    kept: list[tuple[int, int, int]] = []
    last = False
    while not last:
        source.step()
        kind, length = source.number(at, 1), source.number(at + 1, 3)
        last = kind >= 0x80
        source.check(at, at + 4 + length)
        if kind & 0x7F in _KEPT:
            kept.append((kind & 0x7F, at + 1, at + 4 + length))
        at += 4 + length
    end = source.size
    if source.data[max(at, end - _ID3V1_BYTES) :][:3] == b"TAG":
        end -= _ID3V1_BYTES
    tag = source.data[max(at, end - 32) : end]
    if tag.startswith(b"APETAGEX"):
        end -= int.from_bytes(tag[12:16], "little") + (32 if tag[23] & 0x80 else 0)
    if not kept or kept[0][0] != _STREAM_INFO or end < at + 6:
        raise Malformed("it has no sound")
    # Frame headers begin with fourteen bits of their own (section 9.1).
    if source.number(at, 2) & 0xFFFC != 0xFFF8:
        raise Malformed("its sound does not begin")
    parts: list[Part] = [START]
    for n, (kind, start, stop) in enumerate(kept):
        parts += [bytes([kind | (0x80 if n == len(kept) - 1 else 0)]), Span(start, stop)]
    return Cleaned("audio/flac", [*parts, Span(at, end)])


def blank_blocks(source: Source, edits: Edits, at: int, end: int) -> None:
    """Make padding of the metadata blocks between `at` and `end`; raises `Malformed`."""
    while at + 4 <= end:
        source.step()
        kind, length = source.number(at, 1), source.number(at + 1, 3)
        if at + 4 + length > end:
            raise Malformed("its FLAC blocks are cut short")
        if kind & 0x7F not in _KEPT:
            edits.write(at, bytes([kind & 0x80 | _PADDING]))
            edits.blank(at + 4, at + 4 + length)
        at += 4 + length
