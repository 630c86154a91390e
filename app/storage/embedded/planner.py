"""Which parts of which index to read for a filter and an order.

An alternative of the filter (an arm) becomes intervals of keys of one index: the leading fields
that must equal something make the beginning of the keys, a range on the next field bounds what
follows. When the index has the wanted order behind that beginning, the intervals are merged in
that order and reading stops at the limit: so a page of a list reads no more than it shows.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

from app.storage.embedded.catalogue import CollectionInfo, Index
from app.storage.embedded.filters import Arm, Compiled, Interval, conditions_on, is_null
from app.storage.embedded.keys import AFTER
from app.storage.embedded.paths import Path

POINTS_MAX = 256
"""Intervals of one arm: of a longer `$in`, or of several of them, one big interval is read."""

MERGED_MAX = 24
"""Intervals that one statement merges; an index whose order would take more is not read in it."""

BY_ID = Index(id=0, fields=(("_id",),))
"""Stands for the documents themselves, which are kept in the order of their `_id`."""

_EVERYTHING: Interval = (b"", AFTER)


@dataclass(frozen=True, slots=True)
class Plan:
    """What to read."""

    index: Index
    intervals: tuple[Interval, ...]
    """Ascending, none reaching into another one; no document outside them matches."""

    starts: tuple[int, ...]
    """How many bytes in front of each interval's keys do not count for the order."""

    descending: bool = False
    is_ordered: bool = False
    """Whether reading gives the wanted order."""

    is_covered: bool = False
    """Whether what is read is exactly what matches, every document once."""


def make_plan(
    collection: CollectionInfo, filter: Compiled, order: Sequence[tuple[Path, int]] = ()
) -> Plan:
    """Choose what reads least, as far as that can be said without counting."""
    if not filter.arms:
        return Plan(BY_ID, (), (), is_ordered=True, is_covered=True)
    best: tuple[int, Plan] | None = None
    for index in (BY_ID, *collection.indexes):
        if not index.ready:
            continue
        found = _plan_with(index, filter, order)
        if found is not None and (best is None or found[0] > best[0]):
            best = found
    return best[1] if best else Plan(BY_ID, (_EVERYTHING,), starts=(0,))


def _plan_with(
    index: Index, filter: Compiled, order: Sequence[tuple[Path, int]]
) -> tuple[int, Plan] | None:
    ranges = [_Ranges(index, arm) for arm in filter.arms]
    equal = min(each.equal for each in ranges)
    ordered_at = _ordered_at(index, equal, order)
    score = 4 * equal + (index is BY_ID) * 4 * equal + min(each.bounds for each in ranges)
    if ordered_at is None and not score:
        return None
    intervals = sorted({part for each in ranges for part in each.intervals(ordered_at or 0)})
    merged = _merged(intervals)
    is_ordered = ordered_at == 0 or (ordered_at is not None and len(merged) <= MERGED_MAX)
    if not is_ordered:
        if not score:
            return None
        merged = _merged(sorted({(0, lo, hi) for _, lo, hi in intervals}))
    descending = is_ordered and bool(order) and order[0][1] < 0
    plan = Plan(
        index,
        tuple((lo, hi) for _, lo, hi in merged),
        starts=tuple(start for start, _, _ in merged),
        descending=descending,
        is_ordered=is_ordered,
        is_covered=_is_covered(index, filter, equal),
    )
    return score + 2 * is_ordered * bool(order), plan


def _is_covered(index: Index, filter: Compiled, equal: int) -> bool:
    if not filter.is_exact or len(filter.arms) != 1:
        return False
    arm = filter.arms[0]
    used = index.fields[:equal]
    # Elsewhere than in the fields that must equal one value, arrays repeat a document.
    return (
        not index.many >> equal
        and len(arm) == equal
        and all(each.path in used and len(each.points) == 1 and not is_null(each) for each in arm)
    )


def _ordered_at(index: Index, equal: int, order: Sequence[tuple[Path, int]]) -> int | None:
    """Return how many fields in front must be equal for what follows to have the order."""
    if not order or len({direction for _, direction in order}) > 1:
        return None
    wanted = tuple(path for path, _ in order)
    for at in range(equal + 1):
        fields = range(at, at + len(wanted))
        if index.fields[at : at + len(wanted)] == wanted:
            # Of an array counts the least or greatest element, which may lie outside a range.
            return None if any(map(index.has_arrays, fields)) else at
    return None


class _Ranges:
    """The intervals of one arm in one index."""

    def __init__(self, index: Index, arm: Arm) -> None:
        self._points: list[tuple[bytes, ...]] = []
        self._interval: Interval | None = None
        count = 1
        for position, field in enumerate(index.fields):
            conditions = [*conditions_on(arm, field)]
            equals = [each.points for each in conditions if each.points]
            if equals and count * min(map(len, equals)) <= POINTS_MAX:
                points = min(equals, key=len)
                count *= len(points)
                self._points.append(points)
                continue
            bounds = [each.interval for each in conditions if each.interval]
            if bounds and index.has_arrays(position):
                # Different elements may meet the bounds.
                bounds = bounds[:1]
            if bounds:
                self._interval = (max(lo for lo, _ in bounds), min(hi for _, hi in bounds))
            break

    @property
    def equal(self) -> int:
        """How many fields in front must equal something."""
        return len(self._points)

    @property
    def bounds(self) -> int:
        """Whether the field behind them has bounds."""
        return self._interval is not None

    def intervals(self, ordered_at: int) -> list[tuple[int, bytes, bytes]]:
        """Return the length of the first `ordered_at` fields' keys, and from where to where."""
        lo, hi = self._interval or _EVERYTHING
        if lo >= hi:
            return []
        found = []
        for chosen in product(*self._points):
            beginning = b"".join(chosen)
            start = sum(map(len, chosen[:ordered_at]))
            found.append((start, beginning + lo, beginning + hi))
        return found


def _merged(intervals: list[tuple[int, bytes, bytes]]) -> list[tuple[int, bytes, bytes]]:
    """Make one of intervals with the same beginning that touch; they come sorted by that."""
    merged: list[tuple[int, bytes, bytes]] = []
    for start, lo, hi in sorted(intervals, key=lambda each: (each[1], each[2])):
        if merged and lo <= merged[-1][2] and _share(merged[-1], (start, lo, hi)):
            merged[-1] = (start, merged[-1][1], max(merged[-1][2], hi))
        else:
            merged.append((start, lo, hi))
    return merged


def _share(one: tuple[int, bytes, bytes], other: tuple[int, bytes, bytes]) -> bool:
    return one[0] == other[0] and one[1][: one[0]] == other[1][: other[0]]
