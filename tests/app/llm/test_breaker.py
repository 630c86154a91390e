"""The circuit breaker."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.llm.breaker import CircuitBreaker, Open


class Failed(Exception):
    pass


class Seconds:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def seconds():
    return Seconds()


@pytest.fixture
def breaker(seconds):
    return CircuitBreaker(3, 30, seconds)


def attempt(breaker, *, fails, meanwhile=lambda: None):
    """Return what came of a call: "done", "failed" or "open"."""
    try:
        with breaker.call(Failed):
            meanwhile()
            if fails:
                raise Failed
    except Failed:
        return "failed"
    except Open:
        return "open"
    return "done"


def test_it_opens_after_failures_in_a_row(breaker, seconds):
    """Two failures and a success are no row; three failures open it for thirty seconds."""
    for fails in (True, True, False, True, True):
        assert attempt(breaker, fails=fails) == ("failed" if fails else "done")
    assert attempt(breaker, fails=True) == "failed"
    assert attempt(breaker, fails=False) == "open"
    seconds.now += 29.9
    assert attempt(breaker, fails=False) == "open"
    seconds.now += 0.1
    assert attempt(breaker, fails=False) == "done"
    assert attempt(breaker, fails=True) == "failed"


def test_one_probe(breaker, seconds):
    """When its time is over one call is let through, and nobody beside it."""
    for _ in range(3):
        attempt(breaker, fails=True)
    seconds.now += 30
    beside = []
    assert (
        attempt(breaker, fails=True, meanwhile=lambda: beside.append(attempt(breaker, fails=False)))
        == "failed"
    )
    assert beside == ["open"]
    assert attempt(breaker, fails=False) == "open"
    seconds.now += 30
    assert attempt(breaker, fails=False) == "done"


def test_a_probe_that_says_nothing(breaker, seconds):
    """After a cancelled probe, or one that failed for its own reasons, the next one probes."""
    for _ in range(3):
        attempt(breaker, fails=True)
    seconds.now += 30
    with pytest.raises(KeyboardInterrupt), breaker.call(Failed):
        raise KeyboardInterrupt
    with pytest.raises(ValueError, match="mine"), breaker.call(Failed):
        raise ValueError("mine")
    assert attempt(breaker, fails=False) == "done"


def test_late_answers(breaker, seconds):
    """What began before it opened neither closes it nor keeps it open for longer."""
    with breaker.call(Failed):
        for _ in range(3):
            attempt(breaker, fails=True)
    assert attempt(breaker, fails=False) == "open"
    seconds.now += 30
    assert attempt(breaker, fails=False) == "done"

    def open_it_and_wait():
        for _ in range(3):
            attempt(breaker, fails=True)
        seconds.now += 20

    assert attempt(breaker, fails=True, meanwhile=open_it_and_wait) == "failed"
    seconds.now += 10
    assert attempt(breaker, fails=False) == "done"


@given(st.lists(st.tuples(st.booleans(), st.sampled_from([0, 1, 29, 31])), max_size=60))
def test_any_course(steps):
    """It is open exactly for thirty seconds after a third failure in a row or a failed probe."""
    seconds = Seconds()
    breaker = CircuitBreaker(3, 30, seconds)
    row, opened_at = 0, None
    for fails, pause in steps:
        seconds.now += pause
        came = attempt(breaker, fails=fails)
        if opened_at is not None and seconds.now < opened_at + 30:
            assert came == "open"
            continue
        assert came == ("failed" if fails else "done")
        row = row + 1 if fails else 0
        if fails and (opened_at is not None or row >= 3):
            opened_at = seconds.now
        elif not fails:
            opened_at = None
