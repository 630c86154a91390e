"""Who may place offers: those who keep to their matches.

A match that is not paid costs the other party its place in the book for a day, so an account that
lets it happen again and again has to pause. Orders tell: `broken_by` says who did not keep to one.
"""

from datetime import timedelta

from models.database import Database, typed
from models.error_codes import ErrorCode
from models.errors import TooManyRequests
from models.market.book import BID
from models.market.steps import CANCELLED, UNPAID, broken_by_key
from models.market.stored import StoredOrder
from models.times import Clock

WINDOW = timedelta(days=30)
"""For how long an order that was not kept to counts."""

UNPAID_ORDERS = 3
"""Matches that a buyer may let go unpaid in that time: who forgets more is no buyer."""

CANCELLED_ORDERS = 50
"""Orders that a party may cancel in that time: people change their minds, and those who trade much
do so more often."""


class Reliability:
    """Refuses offers of accounts that do not keep to their matches."""

    def __init__(
        self, database: Database, clock: Clock, *, unpaid_orders: int, cancelled_orders: int
    ) -> None:
        self._orders = typed(database["market_orders"], StoredOrder)
        self._clock = clock
        self._unpaid_orders = unpaid_orders
        self._cancelled_orders = cancelled_orders

    async def prepare(self) -> None:
        """Make the index."""
        await self._orders.create_index([("broken_by", 1), ("broken_at", -1)])

    async def check(self, account_id: str, side: str) -> None:
        """Refuse a bid of an account that lets matches go unpaid, any offer after cancellations.

        Raises:
            TooManyRequests: code `too_many_unpaid` or `too_many_cancelled`; `retry_after_s` says
                when the oldest of them no longer counts.
        """
        if side == BID:
            await self._check_kind(
                broken_by_key(UNPAID, account_id),
                self._unpaid_orders,
                code="too_many_unpaid",
                what="matches go unpaid",
            )
        await self._check_kind(
            broken_by_key(CANCELLED, account_id),
            self._cancelled_orders,
            code="too_many_cancelled",
            what="orders be cancelled",
        )

    async def _check_kind(self, key: str, allowed: int, *, code: ErrorCode, what: str) -> None:
        now = self._clock()
        query = {"broken_by": key, "broken_at": {"$gt": now - WINDOW}}
        latest = self._orders.find(query).sort([("broken_at", -1)]).limit(allowed)
        broken = await latest.to_list(None)
        if len(broken) >= allowed:
            raise TooManyRequests(
                f"You let {allowed} {what} in {WINDOW.days} days; place offers again later.",
                code=code,
                retry_after_s=(broken[-1]["broken_at"] + WINDOW - now).total_seconds(),
            )
