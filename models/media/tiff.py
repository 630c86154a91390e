"""TIFF 6.0: pictures in place; whatever no known tag of a picture refers to is overwritten."""

from typing import Literal

from models.media import jpeg
from models.media.source import Cleaned, Edits, Malformed, Source, merged

STARTS = (b"II\x2a\0", b"MM\0\x2a")

_TYPE_BYTES = (0, 1, 1, 2, 4, 8, 1, 1, 2, 4, 8, 4, 8, 4)
_STRIPS, _STRIP_BYTES = 273, 279
_TILES, _TILE_BYTES = 324, 325
_SUB_DIRECTORIES = 330
_COMPRESSION, _OLD_JPEG, _NEW_JPEG = 259, 6, 7
_PICTURE = frozenset(
    (
        *(254, 255, 256, 257, 258, 259, 262, 263, 264, 265, 266, 273, 274, 277, 278, 279, 280, 281),
        *(282, 283, 284, 290, 291, 292, 293, 296, 301, 317, 318, 319, 320, 321, 322, 323, 324, 325),
        *(330, 332, 334, 336, 338, 339, 340, 341, 342, 347, 529, 530, 531, 532, 34675),
    )
)
"""Tags that say how to show it, its orientation (274) and colour profile (34675) among them."""

_DIRECTORIES_MAX = 256
"""Pages and their reduced copies; a fax of a hundred pages has a hundred."""


class _Tiff:
    def __init__(self, source: Source) -> None:
        self.source = source
        self.order: Literal["little", "big"] = "little" if source.take(0, 2) == b"II" else "big"
        self.edits = Edits(source)
        self.kept = [(0, 8)]
        self.written: list[tuple[int, int]] = []
        self._waiting = [self.number(4, 4)]
        self._seen: set[int] = set()

    def number(self, at: int, length: int) -> int:
        return self.source.number(at, length, self.order)

    def clean(self) -> None:
        while self._waiting:
            directory = self._waiting.pop()
            if not directory:
                continue
            if directory in self._seen or len(self._seen) >= _DIRECTORIES_MAX:
                raise Malformed("its directories do not end")
            self._seen.add(directory)
            self._clean_directory(directory)
        if len(self.kept) == 1:
            raise Malformed("it has no image")
        places = merged(self.kept)
        if sum(end - start for start, end in self.kept) != sum(b - a for a, b in places):
            raise Malformed("its parts overlap")
        self.edits.blank_except(0, self.source.size, places)

    def _clean_directory(self, directory: int) -> None:
        count = self.number(directory, 2)
        end = directory + 2 + 12 * count + 4
        self.source.check(directory, end)
        entries = b""
        values: dict[int, list[int]] = {}
        kept = 0
        for n in range(count):
            self.source.step()
            at = directory + 2 + 12 * n
            tag, kind = self.number(at, 2), self.number(at + 2, 2)
            if tag not in _PICTURE or not 0 < kind < len(_TYPE_BYTES) or tag in values:
                continue
            size, length = _TYPE_BYTES[kind], self.number(at + 4, 4)
            place = at + 8
            if size * length > 4:
                place = self.number(at + 8, 4)
                self.source.check(place, place + size * length)
                self.kept.append((place, place + size * length))
            values[tag] = []
            if tag in (_STRIPS, _STRIP_BYTES, _TILES, _TILE_BYTES, _SUB_DIRECTORIES, _COMPRESSION):
                for k in range(length):
                    self.source.step()
                    values[tag].append(self.number(place + k * size, size))
            entries += self.source.take(at, 12)
            kept += 1
        following = self.source.take(end - 4, 4)
        written = kept.to_bytes(2, self.order) + entries + following
        self.edits.write(directory, written)
        self.kept.append((directory, directory + len(written)))
        self._waiting += [self.number(end - 4, 4), *values.get(_SUB_DIRECTORIES, ())]
        self._keep_picture(values)

    def _keep_picture(self, values: dict[int, list[int]]) -> None:
        compression = values.get(_COMPRESSION, [1])[:1]
        if compression == [_OLD_JPEG]:
            raise Malformed("it has a JPEG of the old kind")
        for places, lengths in ((_STRIPS, _STRIP_BYTES), (_TILES, _TILE_BYTES)):
            starts, sizes = values.get(places, []), values.get(lengths, [])
            if len(starts) != len(sizes):
                raise Malformed("its strips have no lengths")
            for start, size in zip(starts, sizes, strict=True):
                self.source.check(start, start + size)
                self.kept.append((start, start + size))
                if compression == [_NEW_JPEG]:
                    for first, last in jpeg.metadata(self.source, start, start + size):
                        self.edits.blank(first, last)


def clean(source: Source) -> Cleaned:
    """Return the pictures with nothing but their picture, orientation and colour profile."""
    tiff = _Tiff(source)
    tiff.clean()
    return Cleaned("image/tiff", tiff.edits.parts(source.size))
