"""How one connection behaves: its message rate, its slow commands, when enough is enough."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from models.errors import TooManyRequests
from models.limits import Throttle

STRIKES = 50
"""Bad or too many messages in a row that a connection may send before it is closed with 1008:
far more than a clumsy client makes, and soon reached by a flood."""

SLOW_AT_ONCE = 3
"""Slow commands that a connection may have under way: impatient clicks, but not a crowd."""


class Conduct:
    """Counts of one connection, in a few bytes."""

    __slots__ = ("_messages_per_s", "_of_user", "_slow", "_strikes", "_throttle")

    def __init__(self, messages_per_s: int, of_user: Callable[[], None] | None = None) -> None:
        """`of_user` counts what all connections of the user may send together, if that is limited.

        It raises `TooManyRequests`.
        """
        self._of_user = of_user
        self._messages_per_s = messages_per_s
        self._throttle = Throttle()
        self._strikes = 0
        self._slow = 0

    def message(self) -> None:
        """Count one message.

        Raises:
            TooManyRequests: more than `messages_per_s` in this second, or too many of the user.
        """
        self._throttle.check(self._messages_per_s, 1.0)
        if self._of_user is not None:
            self._of_user()

    @contextmanager
    def slow(self) -> Iterator[None]:
        """Count one slow command for as long as it takes.

        Raises:
            TooManyRequests: code `busy`; `SLOW_AT_ONCE` of them are under way.
        """
        if self._slow >= SLOW_AT_ONCE:
            raise TooManyRequests("Wait for the answers that are under way.", code="busy")
        self._slow += 1
        try:
            yield
        finally:
            self._slow -= 1

    @property
    def strikes(self) -> int:
        """How many bad messages are not forgiven yet."""
        return self._strikes

    def good(self) -> None:
        """Forgive one strike for a message that was in order."""
        self._strikes = max(0, self._strikes - 1)

    def strike(self) -> bool:
        """Count a message that was refused; True when the connection has had its chances."""
        self._strikes += 1
        return self._strikes >= STRIKES
