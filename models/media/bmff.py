"""ISO base media files (ISO/IEC 14496-12): MP4, M4A, MOV, 3GP, and the pictures HEIC and AVIF.

Everything stays where it is, so that no offset changes: boxes that are not known to be needed
become `free`, and of the media data whatever no kept track, fragment or image refers to is
overwritten. Tracks other than sound and pictures (timed metadata with positions, subtitles) go.
"""

from array import array
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, field
from sys import byteorder

from models.media import exif, flac
from models.media.source import PARTS_MAX, Cleaned, Edits, Malformed, Source, merged, overlap

KIND = b"ftyp"
"""Of the box that a file begins with."""

_FULL = 4
"""Bytes of version and flags at the beginning of many boxes."""

_KEPT: dict[bytes, frozenset[bytes]] = {
    # Boxes that are kept in a box; of those that are keys here, the boxes inside are looked at.
    name: frozenset(kinds.split())
    for name, kinds in {
        b"file": b"ftyp styp moov moof mdat sidx ssix mfra pdin",
        b"moov": b"mvhd trak mvex iods",
        b"mvex": b"mehd trex leva",
        b"trak": b"tkhd edts mdia tref tapt",
        b"edts": b"elst",
        b"tapt": b"clef prof enof",
        b"mdia": b"mdhd hdlr minf elng",
        b"minf": b"vmhd smhd nmhd gmhd hdlr dinf stbl",
        b"gmhd": b"gmin",
        b"dinf": b"dref",
        b"stbl": b"stsd stts stss ctts stsc stsz stz2 stco co64 cslg sdtp sbgp sgpd subs stps "
        b"stsh padb",
        b"moof": b"mfhd traf",
        b"traf": b"tfhd tfdt trun sdtp sbgp sgpd subs",
        b"mfra": b"tfra mfro",
        b"meta": b"hdlr pitm iloc iinf iref iprp idat grpl dinf",
        b"iprp": b"ipco ipma",
        b"ipco": b"hvcC av1C avcC vvcC lhvC uncC cmpd ispe pasp pixi colr clap irot imir rloc auxC "
        b"lsel a1lx a1op mdcv clli cclv amve reve ndwt cmin iscl rref subs oinf tols",
    }.items()
}
_BLANK = frozenset((b"free", b"skip", b"wide"))
_PICTURE, _SOUND = frozenset((b"vide", b"pict", b"auxv")), frozenset((b"soun",))
_IMAGES = frozenset(b"hvc1 hev1 lhv1 av01 avc1 vvc1 grid iovl iden tmap unci".split())
_EXIF = b"Exif"
_METADATA = frozenset((_EXIF, b"mime", b"uri "))


@dataclass(frozen=True, slots=True)
class Box:
    """One box: from `start` to `end`, its content from `body` on."""

    kind: bytes
    start: int
    body: int
    end: int


@dataclass(slots=True)
class _Track:
    handler: bytes
    kept: bool
    default_size: int = 0


@dataclass(slots=True)
class _Item:
    kind: bytes = b""
    extents: list[tuple[int, int]] = field(default_factory=list)


def clean(source: Source) -> Cleaned:
    """Return the file without metadata; raises `Malformed`."""
    file = _File(source)
    file.read()
    return Cleaned(file.content_type(), file.edits.parts(file.end))


class _File:
    def __init__(self, source: Source) -> None:
        self.source = source
        self.edits = Edits(source)
        self.end = 0
        self._boxes: list[Box] = []
        self._tracks: dict[int, _Track] = {}
        self._items: dict[int, _Item] = {}
        self._primary = 0
        self._data: list[tuple[int, int]] = []
        """Where media data may be: the contents of `mdat` and `idat`."""

        self._wanted: list[tuple[int, int]] = []
        self._dropped: list[tuple[int, int]] = []
        self._open_ended: list[int] = []
        """Where chunks begin whose samples say their length in a way of their own (PCM)."""

        self._written: list[tuple[int, int]] = []
        self._handlers: dict[int, bytes] = {}
        """Of tracks, by where the description of their samples is."""

        self._ranges = 0
        """Boxes of the file, and pieces of media data, met so far."""

        self._any_track_goes = False
        self._starts: list[int] = []
        """Where chunks of all tracks begin."""

    def read(self) -> None:
        """Find out what the file has, and plan what becomes of it."""
        self._boxes = list(self._top())
        known = {box.kind for box in self._boxes}
        if not known & {b"moov", b"meta"}:
            raise Malformed("it has neither tracks nor images")
        for kind, read in (
            (b"mdat", self._read_data),
            (b"moov", self._read_tracks),
            (b"moof", self._read_fragment),
            (b"meta", self._read_images),
        ):
            for box in self._boxes:
                if box.kind == kind:
                    read(box)
        if not self._items and not any(track.kept for track in self._tracks.values()):
            raise Malformed("it has neither sound nor pictures")
        self._any_track_goes = not all(track.kept for track in self._tracks.values())
        for box in self._boxes:
            self._clean(box, _KEPT[b"file"] | ({b"meta"} if self._items else set()))
        self._blank_unwanted()

    def content_type(self) -> str:
        """Return the type of the file, by what it consists of."""
        major = self.source.take(self._boxes[0].body, 4)
        if self._items:
            if major in (b"hevc", b"hevx", b"heim", b"heis", b"msf1") and self._tracks:
                return "image/heic-sequence"
            primary = self._items[self._primary].kind
            if primary == b"grid" or primary not in (b"hvc1", b"av01"):
                kinds = {item.kind for item in self._items.values()}
                primary = next((kind for kind in (b"hvc1", b"av01") if kind in kinds), primary)
            return {b"hvc1": "image/heic", b"av01": "image/avif"}.get(primary, "image/heif")
        video = any(track.kept and track.handler in _PICTURE for track in self._tracks.values())
        if major[:2] == b"3g":
            return "video/3gpp" if video else "audio/3gpp"
        if major == b"qt  " and video:
            return "video/quicktime"
        return "video/mp4" if video else "audio/mp4"

    # Boxes

    def _top(self) -> Iterator[Box]:
        seen: set[bytes] = set()
        while self.end < self.source.size:
            try:
                box = self._box(self.end, self.source.size, outermost=True)
            except Malformed:
                if (
                    {b"mdat"} <= seen
                    and seen & {b"moov", b"meta"}
                    and not _is_kind(self.source.data[self.end + 4 : self.end + 8])
                ):
                    # Trailers of cameras are no boxes; they are cut off.
                    return
                raise
            self._count_range()
            seen.add(box.kind)
            self.end = box.end
            yield box

    def _box(self, at: int, end: int, *, outermost: bool = False) -> Box:
        self.source.step()
        size, kind, body = self.source.number(at), self.source.take(at + 4, 4), at + 8
        if size == 1:
            size, body = self.source.number(body, 8), at + 16
        elif size == 0 and outermost:
            size = end - at
        if not _is_kind(kind) or size < body - at or at + size > end:
            raise Malformed("a box is cut short")
        if kind == b"uuid":
            body += 16
        return Box(kind, at, min(body, at + size), at + size)

    def _inside(self, box: Box, skipped: int = 0) -> Iterator[Box]:
        at = box.body + skipped
        # A few bytes less than a box may remain: QuickTime ends some lists with a zero.
        while at + 8 <= box.end:
            inner = self._box(at, box.end)
            at = inner.end
            yield inner

    def _find(self, box: Box, *path: bytes) -> Box | None:
        for kind in path:
            found = next((inner for inner in self._inside(box) if inner.kind == kind), None)
            if found is None:
                return None
            box = found
        return box

    def _need(self, box: Box, *path: bytes) -> Box:
        found = self._find(box, *path)
        if found is None:
            raise Malformed("a box is missing")
        return found

    # What becomes of each box

    def _clean(self, box: Box, kept: frozenset[bytes] | set[bytes]) -> None:
        if box.kind in _BLANK:
            self.edits.blank(box.body, box.end)
        elif box.kind not in kept or not self._keeps(box):
            self._free(box)
        elif box.kind in (b"mvhd", b"tkhd", b"mdhd"):
            wide = self.source.number(box.body, 1) == 1
            times = box.body + _FULL, box.body + _FULL + (16 if wide else 8)
            if times[1] > box.end:
                raise Malformed("a box is cut short")
            self.edits.blank(*times)
        elif box.kind == b"hdlr":
            # What follows is a name, of a device or a program.
            self.edits.blank(min(box.body + 24, box.end), box.end)
        elif box.kind == b"dref":
            for entry in self._inside(box, 8):
                self.edits.blank(min(entry.body + _FULL, entry.end), entry.end)
        elif box.kind == b"stsd":
            self._clean_descriptions(box)
        elif box.kind == b"iinf":
            for entry in self._infos(box):
                self._clean_name(entry)
        elif box.kind in _KEPT:
            skipped = _FULL if box.kind == b"meta" else 0
            end = box.body + skipped
            for inner in self._inside(box, skipped):
                self._clean(inner, _KEPT[box.kind])
                end = inner.end
            self.edits.blank(end, box.end)

    def _keeps(self, box: Box) -> bool:
        if box.kind == b"trak":
            return self._tracks[self._track_id(box)].kept
        if box.kind == b"traf":
            track = self._fragment_track(box)
            return track is not None and track.kept
        # References between tracks may name one that goes.
        return not (box.kind == b"tref" and self._any_track_goes)

    def _free(self, box: Box) -> None:
        self.edits.write(box.start + 4, b"free")
        body = box.start + (16 if self.source.number(box.start) == 1 else 8)
        self.edits.blank(min(body, box.end), box.end)

    def _clean_descriptions(self, stsd: Box) -> None:
        """Empty the names of programs in descriptions of samples, and metadata of their codecs."""
        for entry in self._inside(stsd, 8):
            at, handler = entry.body + 8, entry.kind
            self.source.check(at, at + 20)
            version = self.source.number(at, 2)
            if self._handlers.get(stsd.start) in _SOUND:
                # QuickTime's longer forms; ISO has a version of its own in the table's header.
                longer = {1: 16, 2: 36} if self.source.number(stsd.body, 1) == 0 else {}
                skipped = 28 + longer.get(version, 0)
            else:
                name = entry.body + 42
                skipped = 78
                if name + 32 > entry.end:
                    raise Malformed("a description of samples is cut short")
                self.edits.blank(name, name + 32)
            for inner in self._inside(entry, skipped):
                if inner.kind in (b"udta", b"meta", b"uuid"):
                    self._free(inner)
                elif inner.kind in _BLANK:
                    self.edits.blank(inner.body, inner.end)
                elif inner.kind == b"dfLa" and handler == b"fLaC":
                    flac.blank_blocks(self.source, self.edits, inner.body + _FULL, inner.end)

    def _clean_name(self, entry: Box) -> None:
        at = entry.body + (12 if self.source.number(entry.body, 1) == 2 else 14)
        if self.source.take(at - 4, 4) not in (b"mime", b"uri "):
            self.edits.blank(at, entry.end)

    # Tracks

    def _read_data(self, mdat: Box) -> None:
        self._data.append((mdat.body, mdat.end))

    def _read_tracks(self, moov: Box) -> None:
        for box in self._inside(moov):
            if box.kind == b"trak":
                self._read_track(box)
        for box in self._inside(moov):
            for trex in self._inside(box) if box.kind == b"mvex" else ():
                track = self._tracks.get(self.source.number(trex.body + _FULL))
                if trex.kind == b"trex" and track is not None:
                    track.default_size = self.source.number(trex.body + 16)

    def _count_range(self) -> None:
        self.source.step()
        self._ranges += 1
        if self._ranges > PARTS_MAX:
            raise Malformed("it has too many parts")

    def _track_id(self, trak: Box) -> int:
        tkhd = self._need(trak, b"tkhd")
        return self.source.number(tkhd.body + (20 if self.source.number(tkhd.body, 1) == 1 else 12))

    def _handler(self, trak: Box) -> bytes:
        return self.source.take(self._need(trak, b"mdia", b"hdlr").body + 8, 4)

    def _read_track(self, trak: Box) -> None:
        number, handler = self._track_id(trak), self._handler(trak)
        if number in self._tracks:
            raise Malformed("two tracks have one number")
        kept = handler in _PICTURE or handler in _SOUND
        self._tracks[number] = _Track(handler, kept)
        stbl = self._need(trak, b"mdia", b"minf", b"stbl")
        tables = {box.kind: box for box in self._inside(stbl)}
        if b"stsd" in tables:
            self._handlers[tables[b"stsd"].start] = handler
        places = tables.get(b"stco") or tables.get(b"co64")
        sizes = tables.get(b"stsz") or tables.get(b"stz2")
        if places is None or sizes is None or b"stsc" not in tables:
            raise Malformed("a track has no samples")
        starts = self._numbers(places, 8, 8 if places.kind == b"co64" else 4)
        if len(self._starts) + len(starts) > PARTS_MAX:
            raise Malformed("it has too many parts")
        self._starts += starts
        target = self._wanted if kept else self._dropped
        each = self.source.number(sizes.body + _FULL) if sizes.kind == b"stsz" else 0
        if each:
            if kept:
                self._open_ended += starts
            else:
                target += [
                    (start, start + each * samples)
                    for start, _, samples in self._chunks(tables[b"stsc"], starts)
                ]
            return
        lengths = self._sample_sizes(sizes)
        for start, first, samples in self._chunks(tables[b"stsc"], starts):
            if first + samples > len(lengths):
                # The last chunk need not be full.
                samples = max(0, len(lengths) - first)
            target.append((start, start + sum(lengths[first : first + samples])))

    def _numbers(self, box: Box, skipped: int, width: int) -> "array[int]":
        """Return the table of a box, whose number of entries stands before it."""
        count = self.source.number(box.body + skipped - 4)
        at = box.body + skipped
        if at + count * width > box.end:
            raise Malformed("a table is cut short")
        found = array({1: "B", 2: "H", 4: "I", 8: "Q"}[width], self.source.take(at, count * width))
        if byteorder == "little":
            found.byteswap()
        return found

    def _sample_sizes(self, box: Box) -> "array[int]":
        width = 32 if box.kind == b"stsz" else self.source.number(box.body + 7, 1)
        if width not in (8, 16, 32):
            raise Malformed("its samples have sizes of half a byte")
        return self._numbers(box, 12, width // 8)

    def _chunks(self, stsc: Box, starts: "array[int]") -> Iterator[tuple[int, int, int]]:
        """Yield where each chunk begins, the number of its first sample, and of its samples."""
        runs = self._numbers_of_runs(stsc)
        sample = 0
        for n in range(0, len(runs), 3):
            first, samples = runs[n] - 1, runs[n + 1]
            end = runs[n + 3] - 1 if n + 3 < len(runs) else len(starts)
            if not 0 <= first <= end or (n == 0 and first):
                raise Malformed("its chunks are in disorder")
            for chunk in range(first, min(end, len(starts))):
                self._count_range()
                yield starts[chunk], sample, samples
                sample += samples

    def _numbers_of_runs(self, stsc: Box) -> "array[int]":
        count, at = self.source.number(stsc.body + _FULL), stsc.body + 8
        if at + 12 * count > stsc.end:
            raise Malformed("a table is cut short")
        found = array("I", self.source.take(at, 12 * count))
        if byteorder == "little":
            found.byteswap()
        return found

    # Fragments

    def _fragment_track(self, traf: Box) -> _Track | None:
        return self._tracks.get(self.source.number(self._need(traf, b"tfhd").body + _FULL))

    def _read_fragment(self, moof: Box) -> None:
        base = moof.start
        for traf in self._inside(moof):
            if traf.kind == b"traf":
                base = self._read_fragment_track(moof, traf, base)

    def _read_fragment_track(self, moof: Box, traf: Box, base: int) -> int:
        tfhd, track = self._need(traf, b"tfhd"), self._fragment_track(traf)
        flags, at = self.source.number(tfhd.body + 1, 3), tfhd.body + 8
        if flags & 0x000001:
            base = self.source.number(at, 8)
            at += 8
        elif flags & 0x020000:
            base = moof.start
        at += (4 if flags & 0x02 else 0) + (4 if flags & 0x08 else 0)
        default = track.default_size if track else 0
        if flags & 0x10:
            default = self.source.number(at)
        place = base
        for trun in self._inside(traf):
            if trun.kind == b"trun":
                self._count_range()
                start, length = self._read_run(trun, base, place, default)
                place = start + length
                kept = track is not None and track.kept
                (self._wanted if kept else self._dropped).append((start, place))
        return place

    def _read_run(self, trun: Box, base: int, place: int, default: int) -> tuple[int, int]:
        flags, count = self.source.number(trun.body + 1, 3), self.source.number(trun.body + 4)
        at = trun.body + 8
        if flags & 0x01:
            offset = int.from_bytes(self.source.take(at, 4), "big", signed=True)
            place = base + offset
            at += 4
        at += 4 if flags & 0x04 else 0
        row = (flags >> 8 & 15).bit_count()
        if at + 4 * row * count > trun.end:
            raise Malformed("a run of samples is cut short")
        if not flags & 0x200:
            return place, count * default
        rows = array("I", self.source.take(at, 4 * row * count))
        if byteorder == "little":
            rows.byteswap()
        return place, sum(rows[1 if flags & 0x100 else 0 :: row])

    # Images

    def _infos(self, iinf: Box) -> Iterator[Box]:
        skipped = 6 if self.source.number(iinf.body, 1) == 0 else 8
        for entry in self._inside(iinf, skipped):
            if entry.kind != b"infe" or self.source.number(entry.body, 1) not in (2, 3):
                raise Malformed("an item has no type")
            yield entry

    def _read_images(self, meta: Box) -> None:
        boxes = {box.kind: box for box in self._inside(meta, _FULL)}
        if b"moov" in {box.kind for box in self._boxes} and b"pitm" not in boxes:
            # Of a video; it goes as a whole.
            return
        if self._items or not {b"hdlr", b"pitm", b"iloc", b"iinf"} <= boxes.keys():
            raise Malformed("it has no images")
        if self.source.take(boxes[b"hdlr"].body + 8, 4) != b"pict":
            return
        for entry in self._infos(boxes[b"iinf"]):
            width = 2 if self.source.number(entry.body, 1) == 2 else 4
            number = self.source.number(entry.body + _FULL, width)
            kind = self.source.take(entry.body + _FULL + width + 2, 4)
            if number in self._items:
                raise Malformed("two items have one number")
            self._items[number] = _Item(kind)
        idat = boxes.get(b"idat")
        if idat is not None:
            self._data.append((idat.body, idat.end))
        self._read_locations(boxes[b"iloc"], idat)
        wide = self.source.number(boxes[b"pitm"].body, 1) > 0
        self._primary = self.source.number(boxes[b"pitm"].body + _FULL, 4 if wide else 2)
        primary = self._items.get(self._primary)
        if primary is None or primary.kind not in _IMAGES:
            raise Malformed("it has no image")
        for item in self._items.values():
            target = self._wanted if item.kind in _IMAGES else self._dropped
            target += item.extents
        self._empty_exif()

    def _empty_exif(self) -> None:
        """Leave Exif without tags where there is Exif: readers expect to find its beginning."""
        content = bytes(4) + exif.NOTHING
        for item in self._items.values():
            if item.kind == _EXIF and item.extents:
                start, end = item.extents[0]
                if end - start >= len(content):
                    self.edits.write(start, content)
                    self._written.append((start, start + len(content)))

    def _read_locations(self, iloc: Box, idat: Box | None) -> None:
        version = self.source.number(iloc.body, 1)
        if version > 2:
            raise Malformed("its items are of an unknown kind")
        sizes = self.source.number(iloc.body + _FULL, 2)
        offset_size, length_size, base_size = sizes >> 12, sizes >> 8 & 15, sizes >> 4 & 15
        index_size = sizes & 15 if version else 0
        if not {offset_size, length_size, base_size, index_size} <= {0, 4, 8}:
            raise Malformed("its items are of an unknown kind")
        width = 4 if version == 2 else 2
        count, at = self.source.number(iloc.body + 6, width), iloc.body + 6 + width
        for _ in range(count):
            self.source.step()
            item = self._items.get(self.source.number(at, width))
            at += width
            method = self.source.number(at, 2) & 15 if version else 0
            at += 2 if version else 0
            if self.source.number(at, 2) or method > 1 or (method == 1 and idat is None):
                raise Malformed("its items are in another file")
            base = self.source.number(at + 2, base_size) + (idat.body if method and idat else 0)
            extents = self.source.number(at + 2 + base_size, 2)
            at += 4 + base_size
            for _ in range(extents):
                self._count_range()
                start = base + self.source.number(at + index_size, offset_size)
                length = self.source.number(at + index_size + offset_size, length_size)
                at += index_size + offset_size + length_size
                if item is not None:
                    item.extents.append((start, start + length))
        if at > iloc.end:
            raise Malformed("a table is cut short")

    # Media data

    def _blank_unwanted(self) -> None:
        data = merged(self._data)
        ends = sorted({*self._starts, *(start for start, _ in self._dropped)})
        firsts = [start for start, _ in data]
        for start in self._open_ended:
            place = bisect_right(firsts, start) - 1
            if place < 0 or start > data[place][1]:
                raise Malformed("its samples are not in its media data")
            following = bisect_right(ends, start)
            end = ends[following] if following < len(ends) else data[place][1]
            self._wanted.append((start, min(end, data[place][1])))
        wanted, dropped = merged(self._wanted), merged(self._dropped)
        if overlap(wanted, dropped):
            raise Malformed("its parts overlap")
        if not all(_within(data, start, end) for start, end in wanted):
            raise Malformed("its samples are not in its media data")
        if not all(_within(data, start, end) for start, end in self._written):
            raise Malformed("its Exif is not in its media data")
        kept = merged([*wanted, *self._written])
        for start, end in data:
            self.edits.blank_except(start, end, kept)


def _within(ranges: list[tuple[int, int]], start: int, end: int) -> bool:
    place = bisect_right(ranges, start, key=lambda each: each[0]) - 1
    return place >= 0 and end <= ranges[place][1]


def _is_kind(kind: bytes) -> bool:
    return len(kind) == 4 and all(32 <= byte < 127 or byte == 0xA9 for byte in kind)
