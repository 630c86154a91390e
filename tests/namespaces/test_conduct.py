"""When bad behaviour of one connection is enough."""

from contextlib import ExitStack

import pytest

from models.errors import TooManyRequests
from namespaces.conduct import SLOW_AT_ONCE, STRIKES, Conduct


def test_messages_have_a_rate():
    """The message after the last allowed one of a second is refused, with the time left."""
    conduct = Conduct(messages_per_s=3)
    for _ in range(3):
        conduct.message()
    with pytest.raises(TooManyRequests) as refused:
        conduct.message()
    assert 0 < refused.value.retry_after_s <= 1


def test_strikes_add_up():
    """Only the last strike of the allowance says that it is enough."""
    conduct = Conduct(10)
    assert [conduct.strike() for _ in range(STRIKES)] == [False] * (STRIKES - 1) + [True]


def test_a_good_message_takes_one_strike_back():
    """Forgiving leaves no credit beyond a clean record."""
    conduct = Conduct(10)
    conduct.good()
    for _ in range(STRIKES - 1):
        conduct.strike()
    conduct.good()
    assert [conduct.strike(), conduct.strike()] == [False, True]


def test_so_many_slow_commands_at_once():
    """One more than that is refused until one of them has ended, however it ended."""
    conduct = Conduct(10)
    with ExitStack() as held:
        for _ in range(SLOW_AT_ONCE):
            held.enter_context(conduct.slow())
        with pytest.raises(TooManyRequests) as refused, conduct.slow():
            pass
    assert refused.value.code == "busy"
    for _ in range(SLOW_AT_ONCE + 1):
        with pytest.raises(RuntimeError), conduct.slow():
            raise RuntimeError
