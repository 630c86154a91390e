"""Sets of ids as spans, against Python's own sets."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from models.notifications import spans

IDS = st.integers(1, 12)
STEPS = st.lists(st.tuples(st.sampled_from(["add", "remove", "cut"]), IDS), max_size=40)


@given(STEPS)
def test_spans_are_sets(steps):
    """Whatever is added, taken out and cut off, spans hold what a set would, in least space."""
    kept, expected, newest = [], set(), 0
    for step, id in steps:
        if step == "add":
            newest += 1 + id % 2
            kept = spans.with_next(kept, newest)
            expected.add(newest)
        elif step == "remove":
            kept = spans.without(kept, id)
            expected.discard(id)
        else:
            upto, kept = spans.cut(kept, id)
            assert _ids(upto) == sorted(i for i in expected if i <= id)
            expected = {i for i in expected if i > id}
        assert _ids(kept) == sorted(expected)
        assert spans.count(kept) == len(expected)
        assert all(spans.contains(kept, i) == (i in expected) for i in range(newest + 14))
        ends = spans.pairs(kept)
        assert all(last + 1 < first for (_, last), (first, _) in pairwise(ends))


def _ids(kept):
    return [id for first, last in spans.pairs(kept) for id in range(first, last + 1)]


def test_the_oldest_spans_give_way(monkeypatch):
    """Beyond the bound the oldest are forgotten, whether one is added or one is split."""
    monkeypatch.setattr(spans, "SPANS_MAX", 2)
    assert spans.with_next([1, 1, 3, 4], 6) == [3, 4, 6, 6]
    assert spans.without([1, 1, 3, 9], 5) == [3, 4, 6, 9]
