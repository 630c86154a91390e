"""Bounded reading of a media file, and the plan of what will be kept of it."""

import mmap
from bisect import bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Literal

Buffer = bytes | mmap.mmap

PIECE_BYTES = 262_144
"""What is copied at once when a file is written."""

FREE_STEPS = 50_000
"""Steps that a file of any size may take: a tenth of a second."""

BYTES_PER_STEP = 8
"""One further step for so many bytes: no real file has smaller parts on average, and the work for
a hostile one stays proportional to its size."""


PARTS_MAX = 250_000
"""Pieces that are kept apart in memory, each of some hundred bytes. An hour of film has as many
chunks of samples, and they mostly touch."""


class Malformed(Exception):
    """The file is cut short, contradicts itself, or is not what its beginning says."""


class NotMedia(Exception):
    """The beginning belongs to no kind of file that is accepted."""


@dataclass(frozen=True, slots=True)
class Span:
    """Bytes of the original, from `start` up to `end`."""

    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Zeros:
    """So many zero bytes."""

    length: int


Part = Span | Zeros | bytes


class Parts(list[Part]):
    """A list of parts in which spans that touch are one, and whose length is bounded."""

    def append(self, part: Part, /) -> None:
        """Add a part.

        Raises:
            Malformed: there are `PARTS_MAX` already.
        """
        last = self[-1] if self else None
        if isinstance(part, Span) and isinstance(last, Span) and last.end == part.start:
            self[-1] = Span(last.start, part.end)
            return
        if len(self) >= PARTS_MAX:
            raise Malformed("it has too many parts")
        super().append(part)

    def __iadd__(self, parts: Iterable[Part]) -> "Parts":  # type: ignore[override, misc]
        for part in parts:
            self.append(part)
        return self


class Source:
    """A file to be read, whose every access is checked and whose parsing steps are counted."""

    def __init__(self, data: Buffer) -> None:
        self.data = data
        self.size = len(data)
        self._steps = FREE_STEPS + self.size // BYTES_PER_STEP

    def step(self) -> None:
        """Count one step of parsing.

        Raises:
            Malformed: there were more than a file of this size may take.
        """
        self._steps -= 1
        if self._steps < 0:
            raise Malformed("it has too many parts")

    def check(self, start: int, end: int) -> None:
        """Check that a range lies in the file; raises `Malformed`."""
        if not 0 <= start <= end <= self.size:
            raise Malformed("it is cut short")

    def take(self, at: int, length: int) -> bytes:
        """Return `length` bytes from `at`; raises `Malformed`."""
        self.check(at, at + length)
        return self.data[at : at + length]

    def number(self, at: int, length: int = 4, order: Literal["big", "little"] = "big") -> int:
        """Return an unsigned integer; raises `Malformed`."""
        return int.from_bytes(self.take(at, length), order)


@dataclass(slots=True)
class Cleaned:
    """A file without personal metadata: its type, and the parts it consists of."""

    content_type: str
    parts: list[Part] = field(default_factory=list)

    @property
    def size(self) -> int:
        """Its length in bytes."""
        return sum(_length(part) for part in self.parts)

    def pieces(self, data: Buffer) -> Iterator[bytes]:
        """Yield its content, taken from the original `data`."""
        for part in self.parts:
            if isinstance(part, bytes):
                yield part
                continue
            at, end = (part.start, part.end) if isinstance(part, Span) else (0, part.length)
            while at < end:
                step = min(PIECE_BYTES, end - at)
                yield data[at : at + step] if isinstance(part, Span) else bytes(step)
                at += step


class Edits:
    """Changes to a file that keep the place of everything else in it."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._changes: list[tuple[int, int, bytes | None]] = []

    def write(self, at: int, content: bytes) -> None:
        """Write over what is at `at`."""
        self._add(at, at + len(content), content)

    def blank(self, start: int, end: int) -> None:
        """Write zeros over a range."""
        self._add(start, end, None)

    def blank_except(self, start: int, end: int, kept: list[tuple[int, int]]) -> None:
        """Write zeros over a range, except for ranges of a list as `merged` returns it."""
        place = max(0, bisect_right(kept, (start, start)) - 1)
        while place < len(kept) and kept[place][0] < end:
            first, last = kept[place]
            if last > start:
                self.blank(start, max(start, first))
                start = last
            place += 1
        self.blank(start, max(start, end))

    def parts(self, end: int) -> list[Part]:
        """Return the file as changed, up to `end`.

        Raises:
            Malformed: two parts of the file were found in one place.
        """
        parts: list[Part] = []
        at = 0
        for start, stop, content in sorted(self._changes, key=lambda change: change[:2]):
            if start < at or stop > end:
                raise Malformed("its parts overlap")
            if start > at:
                parts.append(Span(at, start))
            parts.append(Zeros(stop - start) if content is None else content)
            at = stop
        self._source.check(at, end)
        parts.append(Span(at, end))
        return parts

    def _add(self, start: int, end: int, content: bytes | None) -> None:
        self._source.check(start, end)
        if len(self._changes) >= PARTS_MAX:
            raise Malformed("it has too many parts")
        if end > start:
            self._changes.append((start, end, content))


def merged(ranges: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    """Return ranges in ascending order, joined where they touch or overlap; empty ones left out."""
    found: list[tuple[int, int]] = []
    for start, end in sorted(ranges):
        if start >= end:
            continue
        if found and start <= found[-1][1]:
            found[-1] = (found[-1][0], max(found[-1][1], end))
        else:
            found.append((start, end))
    return found


def overlap(some: list[tuple[int, int]], others: list[tuple[int, int]]) -> bool:
    """Return whether two lists, as `merged` returns them, have a byte in common."""
    i = j = 0
    while i < len(some) and j < len(others):
        if some[i][1] <= others[j][0]:
            i += 1
        elif others[j][1] <= some[i][0]:
            j += 1
        else:
            return True
    return False


def _length(part: Part) -> int:
    if isinstance(part, Span):
        return part.end - part.start
    return part.length if isinstance(part, Zeros) else len(part)
