"""What happens by itself when no one acts, and who is notified before.

A paid order that is not shipped in time is refunded, where the provider makes refunds; otherwise it
stands in the operators' list. A shipped order whose buyer neither confirms nor complains counts as
delivered. `act_at` of an order says when, `remind_at` when both parties are notified; an order is
never acted on before they were notified for as long as they should be, also after this server was
away. `warn_at` of an offer says when its owner is notified that it expires.
"""

from models.database import Database, typed
from models.market.money import to_price_tag
from models.market.payments import PaymentProvider
from models.market.products import Products
from models.market.records import OPEN
from models.market.steps import DELIVERED, PAID, REFUNDED, SHIPPED, UNOPPOSED, UNSHIPPED, Steps
from models.market.stored import StoredOffer, StoredOrder
from models.market.texts import BUYER, REMINDERS, link, message, product_link, sized, when
from models.notifications.port import Notify
from models.times import Clock

AT_ONCE = 500
"""Orders or offers in one sweep; others wait for the next one, a minute later."""

REMINDER = "order_reminder"
EXPIRING = "offer_expiring"


class Deadlines:
    """Reminds of what will happen, and makes it happen."""

    def __init__(
        self,
        database: Database,
        notify: Notify,
        provider: PaymentProvider,
        products: Products,
        steps: Steps,
        clock: Clock,
    ) -> None:
        self._orders = typed(database["market_orders"], StoredOrder)
        self._offers = typed(database["market_offers"], StoredOffer)
        self._notify = notify
        self._provider = provider
        self._products = products
        self._steps = steps
        self._clock = clock

    async def prepare(self) -> None:
        """Make the indexes."""
        await self._orders.create_index([("act_at", 1)])
        await self._orders.create_index([("remind_at", 1)])
        await self._offers.create_index([("warn_at", 1)])

    async def sweep(self) -> None:
        """Notify those concerned, then do what is due."""
        now = self._clock()
        due = self._orders.find({"remind_at": {"$lte": now}}).limit(AT_ONCE)
        for order in await due.to_list(None):
            await self._remind(order)
        told = {"act_at": {"$lte": now}, "remind_at": {"$exists": False}}
        for order in await self._orders.find(told).limit(AT_ONCE).to_list(None):
            await self._act(order)
        expiring = self._offers.find({"warn_at": {"$lte": now}}).limit(AT_ONCE)
        for offer in await expiring.to_list(None):
            await self._warn(offer)

    async def _remind(self, order: StoredOrder) -> None:
        lead = order["act_at"] - order["remind_at"]
        act_at = max(order["act_at"], self._clock() + lead)
        by_hand = order["status"] == PAID and not self._provider.makes_refunds
        for text in REMINDERS["paid:by_hand" if by_hand else order["status"]]:
            account_id = order["buyer_id" if text.party == BUYER else "seller_id"]
            await self._notify(
                account_id,
                REMINDER,
                key=f"order:{order['_id']}:{order['status']}:reminder:{account_id}",
                title=text.title,
                message=message(text, order, deadline=when(act_at)),
                link=link(order),
            )
        await self._orders.update_one(
            {"_id": order["_id"], "remind_at": order["remind_at"]},
            {"$set": {"act_at": act_at}, "$unset": {"remind_at": ""}},
        )

    async def _act(self, order: StoredOrder) -> None:
        # Anyone who ships, confirms or complains at this moment is first or is not.
        as_read = {"act_at": order["act_at"]}
        moved = None
        if order["status"] == SHIPPED:
            moved = await self._steps.move(order, DELIVERED, why=UNOPPOSED, only_if=as_read)
        elif order["status"] == PAID and self._provider.makes_refunds:
            moved = await self._steps.move(
                order, REFUNDED, why=UNSHIPPED, only_if=as_read, refunded=order["price"]
            )
        if moved is not None:
            await self._steps.finish(order["_id"])

    async def _warn(self, offer: StoredOffer) -> None:
        expires_at = offer["expires_at"]
        if offer["status"] == OPEN and expires_at is not None and expires_at > self._clock():
            product = await self._products.find(offer["product_id"])
            what = sized(product["name"], offer["size"])
            await self._notify(
                offer["account_id"],
                EXPIRING,
                key=f"offer:{offer['_id']}:expiring",
                title=f"Your {offer['side']} is about to expire",
                message=(
                    f"Your {offer['side']} of {to_price_tag(offer['price'])} for {what}"
                    f" expires on {when(expires_at)}"
                ),
                link=product_link(offer["product_id"]),
            )
        await self._offers.update_one({"_id": offer["_id"]}, {"$unset": {"warn_at": ""}})
