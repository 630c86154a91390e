"""Matroska and WebM (RFC 9559, EBML in RFC 8794): sound and pictures, in place.

Elements that are not known to be needed become `Void`; so do tracks other than sound and pictures.
Live recordings, whose segment and clusters do not say their length, are read as well.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from models.media import flac
from models.media.source import Cleaned, Edits, Malformed, Source

START = b"\x1a\x45\xdf\xa3"

_EBML, _DOC_TYPE, _SEGMENT, _VOID = 0x1A45DFA3, 0x4282, 0x18538067, 0xEC
_INFO, _TRACKS, _CLUSTER, _CUES, _SEEK_HEAD = (
    0x1549A966,
    0x1654AE6B,
    0x1F43B675,
    0x1C53BB6B,
    0x114D9B74,
)
_TAGS, _CHAPTERS, _ATTACHMENTS = 0x1254C367, 0x1043A770, 0x1941A469
_TRACK, _NUMBER, _TYPE, _CODEC, _PRIVATE = 0xAE, 0xD7, 0x83, 0x86, 0x63A2
_BLOCK_GROUP, _BLOCK, _SIMPLE_BLOCK = 0xA0, 0xA1, 0xA3
_MUXING_APP, _WRITING_APP = 0x4D80, 0x5741
_VIDEO, _SOUND = 1, 2

_KEPT: dict[int, frozenset[int]] = {
    _SEGMENT: frozenset({_INFO, _TRACKS, _CLUSTER, _CUES, _SEEK_HEAD}),
    _SEEK_HEAD: frozenset({0x4DBB}),
    _INFO: frozenset({0x2AD7B1, 0x4489, _MUXING_APP, _WRITING_APP}),
    _TRACKS: frozenset({_TRACK}),
    _TRACK: frozenset(
        {
            *(
                _NUMBER,
                _TYPE,
                _CODEC,
                _PRIVATE,
                0x73C5,
                0x6D80,
                0xB9,
                0x88,
                0x55AA,
                0x9C,
                0x6DE7,
                0x6DF8,
            ),
            *(0x23E383, 0x234E7A, 0x23314F, 0x55EE, 0x22B59C, 0x22B59D, 0xAA, 0x56AA, 0x56BB),
            *(0xE0, 0xE1, 0x41E4),
        }
    ),
    _CLUSTER: frozenset({0xE7, 0xA7, 0xAB, _SIMPLE_BLOCK, _BLOCK_GROUP}),
    _BLOCK_GROUP: frozenset({_BLOCK, 0x9B, 0xFA, 0xFB, 0xA4, 0x75A2, 0x75A1}),
    _CUES: frozenset({0xBB}),
}
"""Elements that are kept in an element, which is looked into; all others are kept whole."""

_TOP = frozenset((*_KEPT[_SEGMENT], _TAGS, _CHAPTERS, _ATTACHMENTS))
"""What ends a cluster that does not say its length."""

_XIPH = {b"A_VORBIS": b"\x03vorbis", b"V_THEORA": b"\x81theora"}


@dataclass(frozen=True, slots=True)
class _Element:
    id: int
    start: int
    body: int
    end: int
    open: bool = False
    """Whether it does not say its length."""


def clean(source: Source) -> Cleaned:
    """Return the file without metadata; raises `Malformed`."""
    file = _File(source)
    file.read()
    return Cleaned(file.content_type, file.edits.parts(file.end))


class _File:
    def __init__(self, source: Source) -> None:
        self.source = source
        self.edits = Edits(source)
        self.content_type = ""
        self.end = 0
        self._kept: set[int] = set()
        """Numbers of the tracks that stay."""

    def read(self) -> None:
        """Plan what becomes of each element."""
        header = self._element(0, self.source.size)
        names = {
            self.source.take(each.body, min(each.end - each.body, 16)).rstrip(b"\0")
            for each in self._inside(header)
            if each.id == _DOC_TYPE
        }
        if header.id != _EBML or header.open or names not in ({b"webm"}, {b"matroska"}):
            raise Malformed("it is neither Matroska nor WebM")
        for each in self._inside(header):
            if not 0x4280 <= each.id <= 0x42FF:
                self._void(each)
        at = header.end
        segment = self._element(at, self.source.size)
        while segment.id == _VOID:
            self._void(segment)
            segment = self._element(segment.end, self.source.size)
        if segment.id != _SEGMENT:
            raise Malformed("it has no segment")
        self.end = segment.end
        video = self._read_tracks(segment)
        kind = "webm" if names == {b"webm"} else "matroska"
        self.content_type = f"{'video' if video else 'audio'}/{kind}"
        for each in self._inside(segment):
            self._clean(each, _SEGMENT)

    # Elements

    def _element(self, at: int, end: int) -> _Element:
        self.source.step()
        first = self.source.number(at, 1)
        width = 9 - first.bit_length()
        if width > 4:
            raise Malformed("an element has no name")
        id, size_at = self.source.number(at, width), at + width
        size_width = 9 - self.source.number(size_at, 1).bit_length()
        if size_width > 8:
            raise Malformed("an element has no length")
        mask = (1 << 7 * size_width) - 1
        size = self.source.number(size_at, size_width) & mask
        body = size_at + size_width
        if size == mask:
            if id not in (_SEGMENT, _CLUSTER):
                raise Malformed("an element has no length")
            return _Element(id, at, body, end, open=True)
        if body + size > end:
            raise Malformed("it is cut short")
        return _Element(id, at, body, body + size)

    def _inside(self, element: _Element) -> Iterator[_Element]:
        at = element.body
        while at < element.end:
            inner = self._element(at, element.end)
            if inner.open and inner.id == _CLUSTER:
                inner = self._closed(inner)
            elif inner.open:
                raise Malformed("a segment is in a segment")
            at = inner.end
            yield inner

    def _closed(self, cluster: _Element) -> _Element:
        """Return a cluster of unknown length with its end: where an element of above begins."""
        at = cluster.body
        while at < cluster.end:
            inner = self._element(at, cluster.end)
            if inner.id in _TOP:
                break
            if inner.open:
                raise Malformed("an element has no length")
            at = inner.end
        return _Element(cluster.id, cluster.start, cluster.body, at, open=True)

    def _void(self, element: _Element) -> None:
        """Make a `Void` of the element, of the same length."""
        length = element.end - element.start
        if element.open or length < 2:
            raise Malformed("an element has no length")
        width = next(n for n in range(1, 9) if length - 1 - n < (1 << 7 * n) - 1)
        size = length - 1 - width
        header = bytes([_VOID]) + (size | 1 << 7 * width).to_bytes(width, "big")
        self.edits.write(element.start, header)
        self.edits.blank(element.start + len(header), element.end)

    def _clean(self, element: _Element, parent: int) -> None:
        if element.id not in _KEPT[parent] or not self._keeps(element):
            self._void(element)
        elif element.id in (_MUXING_APP, _WRITING_APP):
            # They have to be there; a zero ends a text.
            self.edits.blank(element.body, element.end)
        elif element.id == _TRACK:
            self._clean_private(element)
            for inner in self._inside(element):
                self._clean(inner, _TRACK)
        elif element.id in _KEPT:
            for inner in self._inside(element):
                self._clean(inner, element.id)

    def _keeps(self, element: _Element) -> bool:
        if element.id == _TRACK:
            return self._value(element, _NUMBER) in self._kept
        if element.id == _SIMPLE_BLOCK:
            return self._track_of(element) in self._kept
        if element.id == _BLOCK_GROUP:
            blocks = [inner for inner in self._inside(element) if inner.id == _BLOCK]
            return len(blocks) == 1 and self._track_of(blocks[0]) in self._kept
        return True

    # Tracks

    def _read_tracks(self, segment: _Element) -> bool:
        """Find out which tracks stay; returns whether one of them has pictures."""
        types: set[int] = set()
        for tracks in self._inside(segment):
            for track in self._inside(tracks) if tracks.id == _TRACKS else ():
                if track.id == _TRACK:
                    kind = self._value(track, _TYPE)
                    if kind in (_VIDEO, _SOUND):
                        self._kept.add(self._value(track, _NUMBER))
                        types.add(kind)
            if types:
                # They come before the clusters, which take long.
                break
        if not types:
            raise Malformed("it has neither sound nor pictures")
        return _VIDEO in types

    def _track_of(self, block: _Element) -> int:
        width = 9 - self.source.number(block.body, 1).bit_length()
        if width > 8 or block.body + width > block.end:
            raise Malformed("a block has no track")
        return self.source.number(block.body, width) & (1 << 7 * width) - 1

    def _value(self, element: _Element, id: int) -> int:
        found = next((inner for inner in self._inside(element) if inner.id == id), None)
        if found is None or found.end - found.body > 8:
            raise Malformed("a track does not say what it is")
        return self.source.number(found.body, found.end - found.body)

    def _clean_private(self, track: _Element) -> None:
        """Empty the comments that some codecs have in their private data."""
        found = {inner.id: inner for inner in self._inside(track)}
        codec, private = found.get(_CODEC), found.get(_PRIVATE)
        if codec is None or private is None:
            return
        name = self.source.take(codec.body, min(codec.end - codec.body, 32)).rstrip(b"\0")
        if name == b"A_FLAC":
            flac.blank_blocks(self.source, self.edits, private.body + 4, private.end)
        elif name in _XIPH:
            start, length = self._second_packet(private)
            magic = _XIPH[name]
            empty = magic + bytes(8) + (b"\x01" if name == b"A_VORBIS" else b"")
            if length < len(empty):
                raise Malformed("a comment is cut short")
            self.edits.write(start, empty)
            self.edits.blank(start + len(empty), start + length)

    def _second_packet(self, private: _Element) -> tuple[int, int]:
        """Return place and length of the second of three packets in Xiph's lacing."""
        at = private.body + 1
        lengths: list[int] = []
        if self.source.number(private.body, 1) != 2:
            raise Malformed("a codec has no headers")
        while len(lengths) < 2:
            length = 0
            while (byte := self.source.number(at, 1)) == 255:
                self.source.step()
                length, at = length + 255, at + 1
            lengths.append(length + byte)
            at += 1
        if at + sum(lengths) > private.end:
            raise Malformed("a comment is cut short")
        return at + lengths[0], lengths[1]
