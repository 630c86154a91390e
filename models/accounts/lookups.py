"""How often one account may look for people: the one budget of every place that names them."""

import time
from collections.abc import Callable

from models.errors import TooManyRequests
from models.limits import RateLimit

MAX_KEYS = 5_000
"""Accounts remembered: each may hold as many times as it has look-ups, some 5 kB."""


class Lookups:
    """Counts look-ups of people: who is invited, with whom goals are shared, what is searched."""

    def __init__(self, per_minute: int, clock: Callable[[], float] = time.monotonic) -> None:
        self.limit = RateLimit(per_minute, 60.0, clock, max_keys=MAX_KEYS)

    def count(self, account_id: str, people: int = 1) -> None:
        """Count that an account names so many people.

        Raises:
            TooManyRequests: code `too_many_lookups`.
        """
        try:
            for _ in range(people):
                self.limit.check(account_id)
        except TooManyRequests as error:
            raise TooManyRequests(
                "You have looked for too many people; wait a moment.",
                code="too_many_lookups",
                retry_after_s=error.retry_after_s,
            ) from None
