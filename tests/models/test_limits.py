"""Rate limits."""

import pytest

from models.errors import TooManyRequests
from models.limits import RateLimit, Throttle


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


def test_throttle() -> None:
    """A connection's period ends by the clock and then begins with its next message."""
    throttle = Throttle()
    for now in (5.0, 5.1, 5.9):
        throttle.check(3, 1, now)
    with pytest.raises(TooManyRequests) as refusal:
        throttle.check(3, 1, 5.95)
    assert refusal.value.retry_after_s == pytest.approx(0.05)
    for now in (6.0, 6.5, 6.9):
        throttle.check(3, 1, now)
    with pytest.raises(TooManyRequests):
        throttle.check(3, 1, 6.99)


def test_throttle_without_time() -> None:
    """Without a time given, the throttle reads the clock itself."""
    throttle = Throttle()
    throttle.check(1, 3600)
    with pytest.raises(TooManyRequests):
        throttle.check(1, 3600)
