"""Sound without a container: MPEG audio (ISO/IEC 11172-3, 13818-3) and AAC in ADTS (13818-7).

Frames are kept, whatever is before, between and behind them is not: ID3, APE and Lyrics tags.
"""

import re
from collections.abc import Callable

from models.media.source import Cleaned, Malformed, Parts, Source, Span

_SYNC = re.compile(rb"\xff[\xe0-\xff]", re.DOTALL)
_RATES = (44_100, 48_000, 32_000)
_KBITS = {
    # (MPEG-1, layer): kbit/s by index
    (True, 1): (32, 64, 96, 128, 160, 192, 224, 256, 288, 320, 352, 384, 416, 448),
    (True, 2): (32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384),
    (True, 3): (32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
    (False, 1): (32, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256),
    (False, 2): (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
    (False, 3): (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
}
_RUN = 3
"""Frames in a row that tell sound from bytes that look like a frame."""

_SHORT = 2
"""Frames of the shortest file."""


def mpeg_frame(head: bytes) -> int:
    """Return the length of the MPEG audio frame that begins with `head`, 0 if none does."""
    if len(head) < 4 or head[0] != 0xFF or head[1] & 0xE0 != 0xE0:
        return 0
    version, layer = head[1] >> 3 & 3, 4 - (head[1] >> 1 & 3)
    bits, rate, padding = head[2] >> 4, head[2] >> 2 & 3, head[2] >> 1 & 1
    if version == 1 or layer == 4 or bits in (0, 15) or rate == 3:
        return 0
    bit_rate = _KBITS[version == 3, layer][bits - 1] * 1000
    sampling = _RATES[rate] >> {3: 0, 2: 1, 0: 2}[version]
    if layer == 1:
        return (12 * bit_rate // sampling + padding) * 4
    return (72 if layer == 3 and version != 3 else 144) * bit_rate // sampling + padding


def adts_frame(head: bytes) -> int:
    """Return the length of the ADTS frame that begins with `head`, 0 if none does."""
    if len(head) < 6 or head[0] != 0xFF or head[1] & 0xF6 != 0xF0 or head[2] >> 2 & 15 > 12:
        return 0
    length = (head[3] & 3) << 11 | head[4] << 3 | head[5] >> 5
    return length if length > 7 else 0


def behind_id3(source: Source, at: int = 0) -> int:
    """Return where a file goes on behind its ID3v2 tags."""
    while source.data[at : at + 3] == b"ID3":
        source.step()
        head = source.take(at, 10)
        length = 0
        for byte in head[6:]:
            if byte > 0x7F:
                raise Malformed("its ID3 tag has no length")
            length = length << 7 | byte
        # A footer repeats the header.
        at += 10 + length + (10 if head[5] & 0x10 else 0)
        source.check(0, at)
    return at


def sound_at(source: Source, at: int) -> str | None:
    """Return the type of the sound whose first frame is at `at`, or None."""
    for content_type, frame in (("audio/aac", adts_frame), ("audio/mpeg", mpeg_frame)):
        if _run(source, at, frame):
            return content_type
    return None


def clean(source: Source) -> Cleaned:
    """Return the frames; raises `Malformed`."""
    at = behind_id3(source)
    # Some writers pad between a tag and the sound.
    found = _SYNC.search(source.data, at)
    while found is not None and (content_type := sound_at(source, found.start())) is None:
        source.step()
        found = _SYNC.search(source.data, found.start() + 1)
    if found is None:
        raise Malformed("it has no sound")
    assert content_type is not None
    frame = adts_frame if content_type == "audio/aac" else mpeg_frame
    parts = Parts()
    at = start = found.start()
    while True:
        source.step()
        length = frame(source.data[at : at + 6])
        if length and at + length <= source.size:
            at += length
            continue
        if at > start:
            parts.append(Span(start, at))
        # After a damaged frame or a tag the sound goes on where several frames follow each other.
        found = _SYNC.search(source.data, at + 1)
        while found is not None and not _run(source, found.start(), frame):
            source.step()
            found = _SYNC.search(source.data, found.start() + 1)
        if found is None:
            return Cleaned(content_type, parts)
        at = start = found.start()


def _run(source: Source, at: int, frame: Callable[[bytes], int]) -> bool:
    """Return whether frames follow each other from `at` on, or up to the end of the file."""
    for n in range(_RUN):
        length = frame(source.data[at : at + 6])
        if not length or at + length > source.size:
            return n >= _SHORT and _at_end(source, at)
        at += length
    return True


def _at_end(source: Source, at: int) -> bool:
    return at == source.size or source.data[at : at + 3] == b"TAG"
