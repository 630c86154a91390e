"""Orders that want an operator: why, and what can be done."""

from datetime import datetime, timedelta

from models.database import Database, Filter, typed
from models.market.records import order_view
from models.market.steps import DELIVERED, PAID, SHIPPED
from models.market.stored import StoredOrder
from models.market.views import StuckOrderView
from models.pages import DEFAULT_PAGE, Page, Position, cut, newest_first
from models.times import Clock

PAYOUT_TIME = timedelta(days=3)
"""After a delivery, until the provider should have reported the payout: what banks take."""

FINISHING_TIME = timedelta(hours=1)
"""For the consequences of a step: a provider that refuses for longer wants someone to look."""


class StuckOrders:
    """Lists them."""

    def __init__(self, database: Database, clock: Clock, *, makes_refunds: bool) -> None:
        """`makes_refunds` is the payment provider's."""
        self._orders = typed(database["market_orders"], StoredOrder)
        self._clock = clock
        self._makes_refunds = makes_refunds

    async def page(
        self, *, after: Position | None = None, limit: int = DEFAULT_PAGE
    ) -> Page[StuckOrderView]:
        """Return a page of them, newest first."""
        conditions: list[Filter] = [{"$or": _query(self._clock())}]
        if after:
            conditions.append({"$or": after.following("created_at")})
        order = newest_first("created_at")
        found = (
            await self._orders.find({"$and": conditions}).sort(order).limit(limit + 1).to_list(None)
        )
        shown, following = cut(found, limit, "created_at")
        return {"items": [self._shown(order) for order in shown], "next": following}

    def _shown(self, order: StoredOrder) -> StuckOrderView:
        reason, actions = _reason(order, makes_refunds=self._makes_refunds)
        return {**order_view(order), "stuck": {"reason": reason, "actions": actions}}


def _query(now: datetime) -> list[Filter]:
    """Return the `$or` arms that match stuck orders."""
    return [
        {"act_at": {"$lte": now}, "status": PAID},
        {"complained_at": {"$exists": True}, "status": SHIPPED},
        {"status": DELIVERED, "updated_at": {"$lte": now - PAYOUT_TIME}},
        {"telling": True, "updated_at": {"$lte": now - FINISHING_TIME}},
    ]


def _reason(order: StoredOrder, *, makes_refunds: bool) -> tuple[str, list[str]]:
    """Return why a stuck order is stuck, and the steps that an operator can make.

    Steps are those of this server, or `refund_at_provider` and `pay_out_at_provider`, of which its
    webhooks tell. A step that cannot be finished is tried again every minute and leaves nothing to
    do here but to look at the log and at the provider.
    """
    refund = "refund" if makes_refunds else "refund_at_provider"
    if order["status"] == PAID and not order["telling"]:
        return "not_shipped", [refund]
    if order["status"] == SHIPPED and order.get("complained_at"):
        return "complaint", [refund, "deliver"]
    if order["status"] == DELIVERED and not order["telling"]:
        return "not_paid_out", ["pay_out_at_provider"]
    return "not_finished", []
