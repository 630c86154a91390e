"""What an account may do over all its connections, and when a connection has to end."""

from contextlib import ExitStack

import pytest

from models.errors import TooManyRequests
from models.limits import MAX_REFUSALS, ConnectionGuard
from namespaces.guard import (
    CONNECT_TOKENS,
    REFUSALS,
    SLOW_AT_ONCE,
    AccountLimits,
    record_error,
)


class Seconds:
    """A monotonic clock moved by hand, and a queue whose delays move it."""

    def __init__(self):
        self.now = 1000.0
        self.delays = []
        self.came_at = 1000.0
        self.ended = False

    def __call__(self):
        return self.now

    def patience_s(self, limit_s):
        return 0.0 if self.ended else max(0.0, self.came_at + limit_s - self.now)

    async def delay(self, seconds):
        self.delays.append(round(seconds, 6))
        self.now += seconds
        return not self.ended


@pytest.fixture
def seconds():
    return Seconds()


@pytest.fixture
def limits(seconds):
    return AccountLimits(
        messages_per_s=10, messages_burst=100, delay_s=5, connections=3, clock=seconds
    )


async def test_a_burst_passes_then_the_rate_delays(limits, seconds):
    """A hundred at once, then one each tenth of a second, each waiting for the one before."""
    for _ in range(100):
        await limits.wait_for_turn("7", seconds)
    assert seconds.delays == []
    for _ in range(3):
        seconds.came_at = seconds.now
        await limits.wait_for_turn("7", seconds)
    assert seconds.delays == [0.1] * 3
    await limits.wait_for_turn("8", seconds)
    assert seconds.delays == [0.1] * 3


async def test_who_would_wait_longer_than_the_delay_is_refused(limits, seconds):
    """Of 200 that came at once 150 are handled in 5 s; the refusal says when one will be."""
    for _ in range(150):
        await limits.wait_for_turn("7", seconds)
    assert seconds.now == pytest.approx(1005)
    for _ in range(50):
        with pytest.raises(TooManyRequests) as refused:
            await limits.wait_for_turn("7", seconds)
        assert refused.value.code == "too_many_requests"
        assert refused.value.retry_after_s == pytest.approx(0.1)
    seconds.came_at = seconds.now
    await limits.wait_for_turn("7", seconds)


async def test_leaving_and_coming_back_gains_nothing(limits, seconds):
    """CONNECT, ten commands, DISCONNECT, for a minute: less than 10 commands a second."""
    seconds.now = seconds.came_at = 0.0
    commands = 0
    while seconds.now < 60:
        for tokens in (CONNECT_TOKENS, *[1] * 10):
            seconds.came_at = seconds.now
            await limits.wait_for_turn("7", seconds, tokens)
        commands += 10
    assert commands <= 100 + 60 * 10


async def test_an_ended_connection_waits_for_nothing(limits, seconds):
    """What it had sent runs while there is something in the bucket, and takes nothing ahead."""
    seconds.ended = True
    for _ in range(100):
        await limits.wait_for_turn("7", seconds)
    for _ in range(1000):
        with pytest.raises(TooManyRequests):
            await limits.wait_for_turn("7", seconds)
    seconds.now += 0.1
    await limits.wait_for_turn("7", seconds)
    assert seconds.delays == []


async def test_a_delay_cut_short_is_no_turn(limits, seconds):
    """A connection that ends while its message waits: the message is not handled."""

    class Ending(Seconds):
        async def delay(self, seconds):
            return False

    for _ in range(100):
        await limits.wait_for_turn("7", seconds)
    with pytest.raises(TooManyRequests):
        await limits.wait_for_turn("7", Ending())


def test_a_connect_that_cannot_wait_is_refused_at_once(limits, seconds):
    """Fifty connects are as many as a hundred messages."""
    for _ in range(50):
        limits.count_connect("7")
    with pytest.raises(TooManyRequests) as refused:
        limits.count_connect("7")
    assert refused.value.retry_after_s == pytest.approx(0.2)


def test_connections_of_an_account_are_bounded(limits):
    """One in several namespaces is one; nothing is kept of accounts that have none."""
    limits.add_connection("7", "a")
    limits.add_connection("7", "a")
    limits.add_connection("7", "b")
    limits.add_connection("7", "c")
    for again in (lambda: limits.add_connection("7", "d"), lambda: limits.check_connections("7")):
        with pytest.raises(TooManyRequests) as refused:
            again()
        assert refused.value.code == "too_many_connections"
    limits.add_connection("8", "d")
    limits.remove_connection("7", "a")
    with pytest.raises(TooManyRequests):
        limits.add_connection("7", "d")
    limits.remove_connection("7", "a")
    limits.add_connection("7", "d")
    for account_id, connection in (("7", "b"), ("7", "c"), ("7", "d"), ("8", "d")):
        limits.remove_connection(account_id, connection)
    assert limits._connections == {}


def test_so_many_slow_commands_at_once(limits):
    """One more than that is refused until one has ended, however; another account has its own."""
    with ExitStack() as held:
        for _ in range(SLOW_AT_ONCE):
            held.enter_context(limits.slow("7"))
        with pytest.raises(TooManyRequests) as refused, limits.slow("7"):
            pass
        with limits.slow("8"):
            pass
    assert refused.value.code == "too_many_slow_commands"
    for _ in range(SLOW_AT_ONCE + 1):
        with pytest.raises(RuntimeError), limits.slow("7"):
            raise RuntimeError
    assert not limits._slow


def test_refusals_in_a_row_add_up():
    """Only the last one that is allowed says that the connection has to end."""
    guard = ConnectionGuard()
    ends = [guard.record_violation() for _ in range(MAX_REFUSALS)]
    assert ends == [False] * (MAX_REFUSALS - 1) + [True]


@pytest.mark.parametrize("code", [None, "story_not_found"])
def test_a_message_that_is_not_refused_ends_the_row(code):
    """Success does, and so does what a domain answers to a message that was in order."""
    guard = ConnectionGuard()
    for _ in range(MAX_REFUSALS - 1):
        assert not record_error(guard, "too_many_requests")
    if code is None:
        guard.record_success()
    else:
        assert not record_error(guard, code)
    assert guard.refusals == 0
    assert not guard.record_violation()


def test_each_kind_of_refusal_counts():
    """A flood of any kind comes to its end."""
    guard = ConnectionGuard()
    for code in REFUSALS:
        record_error(guard, code)
    assert guard.refusals == len(REFUSALS)
