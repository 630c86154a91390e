"""Rate limits."""

import pytest

from models.errors import TooManyRequests
from models.limits import RateLimit, TokenBuckets


class Seconds:
    """A monotonic clock moved by hand."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def seconds() -> Seconds:
    return Seconds()


def test_window(seconds: Seconds) -> None:
    """In any period as long as the limit's, at most the count passes."""
    limit = RateLimit(3, 60, seconds)
    passed: list[float] = []
    for _ in range(400):
        seconds.now += 0.7
        try:
            limit.check("k")
        except TooManyRequests:
            continue
        passed.append(seconds.now)
    assert all(later - earlier >= 60 for earlier, later in zip(passed, passed[3:], strict=False))
    assert len(passed) == 3 * 5


def test_retry_after(seconds: Seconds) -> None:
    """The refusal says when the next one passes: then it does, a moment before it does not."""
    limit = RateLimit(2, 60, seconds)
    limit.check("k")
    seconds.now += 10
    limit.check("k")
    with pytest.raises(TooManyRequests) as refusal:
        limit.check("k")
    assert refusal.value.retry_after_s == 50
    seconds.now += 49.9
    with pytest.raises(TooManyRequests):
        limit.check("k")
    seconds.now += 0.1
    limit.check("k")


def test_keys_are_apart(seconds: Seconds) -> None:
    """One key's use does not count for another."""
    limit = RateLimit(1, 60, seconds)
    limit.check("a")
    limit.check("b")
    with pytest.raises(TooManyRequests):
        limit.check("a")


def test_refund(seconds: Seconds) -> None:
    """A count taken back leaves room for one more, and an unused key nothing behind."""
    limit = RateLimit(1, 60, seconds)
    limit.check("a")
    limit.refund("a")
    limit.refund("a")
    assert len(limit) == 0
    limit.check("a")
    with pytest.raises(TooManyRequests):
        limit.check("a")


def test_bounded(seconds: Seconds) -> None:
    """A flood of keys pushes out those unused for longest and no others."""
    limit = RateLimit(1, 60, seconds, max_keys=10)
    limit.check("busy")
    for n in range(1000):
        limit.check(n)
        with pytest.raises(TooManyRequests):
            limit.check("busy")
    assert len(limit) == 10


def test_bucket(seconds: Seconds) -> None:
    """A burst, then the rate: at any time no more than the burst and what has come since."""
    buckets = TokenBuckets(10, 100, seconds)
    passed = 0
    for _ in range(1000):
        seconds.now += 0.013
        for _ in range(3):
            try:
                assert buckets.take("k") == 0.0
            except TooManyRequests:
                continue
            passed += 1
    # What comes before the first one is taken overflows: 12.987 s at 10 a second.
    assert passed == 100 + 129
    seconds.now += 3
    for _ in range(30):
        buckets.take("k")
    buckets.take("other")
    with pytest.raises(TooManyRequests):
        buckets.take("k")


def test_bucket_retry_after(seconds: Seconds) -> None:
    """The refusal says when the tokens are there; a refused one takes none."""
    buckets = TokenBuckets(4, 2, seconds)
    buckets.take("k", 2)
    for _ in range(3):
        with pytest.raises(TooManyRequests) as refusal:
            buckets.take("k", 2)
        assert refusal.value.retry_after_s == 0.5
    seconds.now += 0.49
    with pytest.raises(TooManyRequests):
        buckets.take("k", 2)
    seconds.now += 0.01
    assert buckets.take("k", 2) == 0.0


def test_bucket_of_those_who_wait(seconds: Seconds) -> None:
    """Each takes the next place ahead; who would wait longer than it may takes none."""
    buckets = TokenBuckets(4, 1, seconds)
    assert [buckets.take("k", max_wait_s=0.5) for _ in range(3)] == [0.0, 0.25, 0.5]
    with pytest.raises(TooManyRequests) as refusal:
        buckets.take("k", max_wait_s=0.5)
    assert refusal.value.retry_after_s == 0.75
    seconds.now += 0.25
    assert buckets.take("k", max_wait_s=0.5) == 0.5


def test_bucket_never_wants_more_than_it_holds(seconds: Seconds) -> None:
    """What costs more than the whole bucket costs the whole bucket."""
    buckets = TokenBuckets(1, 1, seconds)
    assert buckets.take("k", 5) == 0.0
    seconds.now += 1
    assert buckets.take("k", 5) == 0.0


def test_full_buckets_are_forgotten(seconds: Seconds) -> None:
    """A bucket is kept until it is full, and no key ever makes another one's fuller."""
    buckets = TokenBuckets(1, 10, seconds)
    for number in range(100):
        buckets.take(number, 10)
    assert len(buckets) == 100
    seconds.now += 10
    for _ in range(60):
        buckets.take("k", 0)
    assert len(buckets) <= 1


def test_buckets_are_bounded(seconds: Seconds) -> None:
    """A flood of keys pushes out those unused for longest and no others."""
    buckets = TokenBuckets(0.001, 1, seconds, max_keys=10)
    buckets.take("busy")
    for number in range(1000):
        buckets.take(number)
        buckets.take("busy", max_wait_s=1e9)
        with pytest.raises(TooManyRequests):
            buckets.take("busy")
    assert len(buckets) <= 10


def test_what_others_took_is_missing_here(seconds: Seconds) -> None:
    """Also what is not there any more; each time it is a burst at most."""
    buckets = TokenBuckets(1, 10, seconds)
    told: list[tuple[object, int]] = []
    buckets.tell = lambda key, amount: told.append((key, amount))
    buckets.take("k", 4)
    buckets.charge("k", 1000)
    with pytest.raises(TooManyRequests) as refused:
        buckets.take("k")
    assert refused.value.retry_after_s == 5.0
    seconds.now += 5
    assert buckets.take("k") == 0.0
    # What is refused, and what others took, is told to nobody.
    assert told == [("k", 4), ("k", 1)]


def test_what_others_counted_counts_here(seconds: Seconds) -> None:
    """Up to the limit: what is beyond would be forgotten first."""
    limit = RateLimit(3, 60, seconds)
    told: list[tuple[object, int]] = []
    limit.tell = lambda key, amount: told.append((key, amount))
    limit.check("k")
    seconds.now += 10
    limit.charge("k", 50)
    with pytest.raises(TooManyRequests) as refused:
        limit.check("k")
    assert refused.value.retry_after_s == 60.0
    limit.charge("k", -1)
    limit.check("k")
    limit.refund("k")
    limit.charge("other", -5)
    limit.check("other")
    assert told == [("k", 1), ("k", 1), ("k", -1), ("other", 1)]
