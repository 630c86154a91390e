"""Money that paid no order: it is given back, and the buyer and operators see what becomes of it.

A second payment, one for an order that has ended, and one of another amount are surplus. What is
to be done stands in the payment's `todo`, and is carried out by the process that put it there or,
after a crash, by a sweep: one process at a time, and each part gives the same when it is repeated.
"""

import logging

from models.database import Database, typed
from models.finishing import finish
from models.market.money import CURRENCY, to_price_tag
from models.market.payments import PaymentProvider
from models.market.receipts import ARRIVED, Receipts, received_of
from models.market.records import SURPLUS_PAYMENT, SURPLUS_REFUNDED
from models.market.stored import OrderStep, StoredOrder, StoredPayment
from models.market.texts import describe_order, link
from models.notifications.port import Notify
from models.times import Clock

logger = logging.getLogger(__name__)

PAYMENT_RETURNED = "payment_returned"
"""The type of the buyer's notices."""


class Surplus:
    """Returns surplus payments."""

    def __init__(
        self,
        database: Database,
        notify: Notify,
        provider: PaymentProvider,
        receipts: Receipts,
        clock: Clock,
    ) -> None:
        self._orders = typed(database["market_orders"], StoredOrder)
        self._notify = notify
        self._provider = provider
        self._receipts = receipts
        self._clock = clock

    async def keep(self, payment_id: str) -> None:
        """Keep a payment as surplus, and give it back where the provider can do that."""
        await self._receipts.keep_as_surplus(payment_id)
        await self.finish(payment_id)

    async def finish(self, payment_id: str) -> None:
        """Carry out what is to be done for a payment; what fails is left to the sweep."""
        await finish(self._finish(payment_id))

    async def sweep(self) -> None:
        """Carry out what was left unfinished."""
        for payment_id in await self._receipts.unfinished():
            await self.finish(payment_id)

    async def _finish(self, payment_id: str) -> None:
        while (payment := await self._receipts.begin(payment_id)) is not None:
            task = payment["todo"][0]
            done = False
            try:
                await (self._arrived(payment) if task == ARRIVED else self._returned(payment))
                done = True
            except Exception:
                logger.exception("surplus payment %s is not finished; a sweep goes on", payment_id)
                return
            finally:
                await self._receipts.end(payment_id, task if done else None)

    async def _arrived(self, payment: StoredPayment) -> None:
        order = await self._note(payment, SURPLUS_PAYMENT)
        if payment["open"] and await self._provider.refund(payment["_id"]):
            await self._receipts.settle(payment["_id"])
        elif payment["open"]:
            why = "did not pay your order"
            if order["status"] == "cancelled":
                why = "came after your order was cancelled"
            await self._notify_buyer(
                payment, order, "is to be returned", f"{why}; it is to be returned"
            )

    async def _returned(self, payment: StoredPayment) -> None:
        order = await self._note(payment, SURPLUS_REFUNDED)
        text = "did not pay your order and has been returned"
        await self._notify_buyer(payment, order, "has been returned", text)

    async def _note(self, payment: StoredPayment, step: str) -> StoredOrder:
        """Write what happened into the order's history, once; return the order."""
        order = await self._orders.find_one({"_id": payment["order_id"]})
        assert order is not None, "payments are recorded for orders that exist"
        cause = f"payment:{payment['_id']}"
        noted = [(made["step"], made["operation_id"]) for made in order["history"]]
        if (step, cause) not in noted:
            entry: OrderStep = {"step": step, "at": self._clock(), "operation_id": cause}
            await self._orders.update_one({"_id": order["_id"]}, {"$push": {"history": entry}})
        return order

    async def _notify_buyer(
        self, payment: StoredPayment, order: StoredOrder, title: str, text: str
    ) -> None:
        amount, currency = received_of(payment)
        # How many decimals other currencies have is not known here.
        money = to_price_tag(amount) if currency == CURRENCY else f"{amount} ({currency})"
        await self._notify(
            order["buyer_id"],
            PAYMENT_RETURNED,
            key=f"payment:{payment['_id']}:{title}",
            title=f"Your payment {title}",
            message=f"Your payment of {money} for {describe_order(order)} {text}",
            link=link(order),
        )
