"""Ogg (RFC 3533) with Opus (RFC 7845), Vorbis, FLAC, Speex and Theora.

Comments are emptied where they are and their pages get new checksums; streams of other kinds
(Skeleton, subtitles) are dropped.
"""

import zlib
from dataclasses import dataclass

from models.media.source import Cleaned, Malformed, Parts, Source, Span

START = b"OggS"

_FIRST = 2
_HEADER_BYTES = 27
_MAGIC = {
    b"OpusHead": "opus",
    b"\x01vorbis": "vorbis",
    b"\x80theora": "theora",
    b"\x7fFLAC": "flac",
    b"Speex   ": "speex",
}
_HEADERS = {"opus": 2, "vorbis": 3, "theora": 3, "speex": 2}
"""Packets before the sound; the second is always the comment. FLAC says it itself."""

_COMMENT = {"opus": b"OpusTags", "vorbis": b"\x03vorbis", "theora": b"\x81theora", "speex": b""}
_FLAC_HEADERS_MAX = 128
_STREAMS_MAX = 64


@dataclass(slots=True)
class _Stream:
    """One logical stream, while its headers are read."""

    codec: str
    headers: int
    """Packets before the sound."""

    packet: int = 0
    """The number of the packet that comes next, or goes on."""

    emptied: int = 0
    """Bytes of that packet, when it is a header, that have been emptied."""


_REVERSED = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))


def clean(source: Source) -> Cleaned:
    """Return the streams with empty comments; raises `Malformed`."""
    streams: dict[int, _Stream | None] = {}
    codecs: set[str] = set()
    parts = Parts()
    at = 0
    while at < source.size and source.data[at : at + 4] == START:
        source.step()
        if at + _HEADER_BYTES > source.size:
            break
        segments = source.data[at + _HEADER_BYTES : at + _HEADER_BYTES + source.number(at + 26, 1)]
        body = at + _HEADER_BYTES + len(segments)
        end = body + sum(segments)
        if end > source.size or len(segments) < source.number(at + 26, 1):
            # Recorders that are ended leave half a page.
            break
        flags, serial = source.number(at + 5, 1), source.number(at + 14, 4)
        if flags & _FIRST:
            streams[serial] = _begin(source, body, end)
            if len(streams) > _STREAMS_MAX:
                raise Malformed("it has too many streams")
        stream = streams.get(serial)
        if stream is not None:
            codecs.add(stream.codec)
            parts.append(_page(source, stream, at, segments) or Span(at, end))
        at = end
    if not codecs or any(stream and stream.packet < stream.headers for stream in streams.values()):
        raise Malformed("it has no sound")
    return Cleaned("video/ogg" if "theora" in codecs else "audio/ogg", parts)


def _begin(source: Source, body: int, end: int) -> _Stream | None:
    head = source.take(body, min(end - body, 16))
    for magic, codec in _MAGIC.items():
        if head.startswith(magic):
            headers = _HEADERS.get(codec)
            if headers is None:
                # RFC 9639, section 10.1: how many packets of metadata follow.
                headers = 1 + int.from_bytes(head[7:9], "big")
                if not 1 < headers <= _FLAC_HEADERS_MAX:
                    raise Malformed("it does not say where its sound begins")
            return _Stream(codec, headers)
    return None


def _page(source: Source, stream: _Stream, at: int, segments: bytes) -> bytes | None:
    """Return a page with emptied headers; None if it stays as it is."""
    place = at + _HEADER_BYTES + len(segments)
    page = bytearray()
    for length in segments:
        if stream.packet >= stream.headers:
            break
        if stream.packet > 0 and _is_metadata(stream):
            if not page:
                page += source.take(at, _HEADER_BYTES + len(segments) + sum(segments))
            start = place - at
            page[start : start + length] = _emptied(
                stream, bytes(page[start : start + length]), stream.emptied
            )
        stream.emptied += length
        place += length
        if length < 255:
            stream.packet += 1
            stream.emptied = 0
    if not page:
        return None
    page[22:26] = bytes(4)
    page[22:26] = _checksum(page).to_bytes(4, "little")
    return bytes(page)


def _is_metadata(stream: _Stream) -> bool:
    return stream.codec == "flac" or stream.packet == 1


def _emptied(stream: _Stream, content: bytes, done: int) -> bytes:
    """Return a piece of a comment, of which `done` bytes were before it, emptied."""
    if stream.codec == "flac":
        opening = b""
        if content and not done:
            # The first block must be a comment, which is empty then; others become padding.
            kind = content[0] if stream.packet == 1 else content[0] & 0x80 | 1
            opening = bytes([kind]) + content[1:4]
    else:
        # No vendor, no comments, and for Vorbis the bit that frames them. What follows is padding.
        framed = b"\x01" if stream.codec == "vorbis" else b""
        opening = _COMMENT[stream.codec] + bytes(8) + framed
        opening = opening[done:]
    return (opening + bytes(len(content)))[: len(content)]


def _checksum(page: bytes | bytearray) -> int:
    """Return the checksum of RFC 3533: zlib's with the bits of each byte the other way round."""
    value = zlib.crc32(page.translate(_REVERSED), 0xFFFFFFFF) ^ 0xFFFFFFFF
    return int(f"{value:032b}"[::-1], 2)
