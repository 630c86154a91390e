"""What exports of all domains share: their form, and how many may be under way."""

from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from models.errors import TooManyRequests

RETRY_S = 5.0
"""When to ask again: a diary of some megabytes is read in that time."""


Streamed = Mapping[str, Any]
"""JSON in which lists are asynchronous iterators, which read the database as they go."""


class Slots:
    """Places for what is long under way: so many for one account, and for all together."""

    def __init__(self, per_account: int, in_all: int) -> None:
        self._per_account = per_account
        self._in_all = in_all
        self._taken: Counter[str] = Counter()

    @property
    def total(self) -> int:
        """The places that are taken."""
        return self._taken.total()

    @contextmanager
    def taken(self, account_id: str) -> Iterator[None]:
        """Take a place until the block ends.

        Raises:
            TooManyRequests: code `export_under_way`: there is none.
        """
        if self._taken[account_id] >= self._per_account or self.total >= self._in_all:
            raise TooManyRequests(
                "An export is being read already; let it come to its end.",
                code="export_under_way",
                retry_after_s=RETRY_S,
            )
        self._taken[account_id] += 1
        try:
            yield
        finally:
            self._taken[account_id] -= 1
            self._taken += Counter()
