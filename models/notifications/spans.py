"""Sets of ids as spans: `[first, last, first, last, …]`, both included, in order, never touching.

The unread ids of someone who never looks are one span however many they are, so an inbox stays a
small document, and the cost of telling does not grow with what was told before.
"""

from bisect import bisect_left

SPANS_MAX = 200
"""How many spans an inbox keeps; what is older counts as read. To get there, someone has to skip
two hundred while reading others in between."""

Spans = list[int]


def count(spans: Spans) -> int:
    """Return how many ids there are."""
    return sum(last - first + 1 for first, last in pairs(spans))


def pairs(spans: Spans) -> list[tuple[int, int]]:
    """Return each span as first and last id."""
    return list(zip(spans[::2], spans[1::2], strict=True))


def contains(spans: Spans, id: int) -> bool:
    """Whether `id` is in one of the spans."""
    place = bisect_left(spans, id)
    # Between a first and its last the place is odd; an even one may be the first itself.
    return place < len(spans) and (place % 2 == 1 or spans[place] == id)


def with_next(spans: Spans, id: int) -> Spans:
    """Add an id behind all others; the oldest span gives way when there are too many."""
    if spans and spans[-1] == id - 1:
        return [*spans[:-1], id]
    return [*spans, id, id][-2 * SPANS_MAX :]


def without(spans: Spans, id: int) -> Spans:
    """Take one id out."""
    left: Spans = []
    for first, last in pairs(spans):
        if first <= id <= last:
            left += _span(first, id - 1) + _span(id + 1, last)
        else:
            left += (first, last)
    return left[-2 * SPANS_MAX :]


def cut(spans: Spans, id: int) -> tuple[Spans, Spans]:
    """Return the ids up to `id`, and those behind it."""
    upto: Spans = []
    behind: Spans = []
    for first, last in pairs(spans):
        upto += _span(first, min(last, id))
        behind += _span(max(first, id + 1), last)
    return upto, behind


def _span(first: int, last: int) -> Spans:
    return [first, last] if first <= last else []
