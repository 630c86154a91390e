"""Payments as the provider reports them: what was received, what was refunded, what is surplus."""

from dataclasses import dataclass
from datetime import timedelta

from pymongo.errors import DuplicateKeyError

from models.database import Database, typed
from models.errors import Conflict
from models.market.money import CURRENCY, to_decimal
from models.market.stored import StoredPayment
from models.market.views import SurplusPaymentView
from models.pages import DEFAULT_PAGE, Page, Position, cut, newest_first
from models.times import Clock, to_text

ARRIVED, RETURNED = "arrived", "returned"
"""What has become of a surplus payment; each causes work that stands in `todo`."""

CALL_TIME = timedelta(minutes=1)
"""How long a process may call the payment provider before another one does: beyond the time limits
of any provider's library."""


@dataclass(frozen=True, slots=True)
class Received:
    """Money that has arrived: the provider's payment id, minor units and currency."""

    payment_id: str
    amount: int
    currency: str = CURRENCY


class Receipts:
    """The payments that were received for orders. Each belongs to one order."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._payments = typed(database["market_payments"], StoredPayment)
        self._clock = clock

    async def prepare(self) -> None:
        """Make the indexes."""
        await self._payments.create_index([("order_id", 1)])
        await self._payments.create_index([("open", 1), ("at", -1), ("_id", -1)])
        await self._payments.create_index([("todo", 1)])

    async def receive(self, received: Received, order_id: str) -> None:
        """Record a payment; recording it again changes nothing.

        Raises:
            Conflict: code `payment_of_another_order`.
        """
        payment = await self._ensure(received.payment_id, order_id)
        if payment["amount"] is None:
            await self._payments.update_one(
                {"_id": payment["_id"]},
                {"$set": {"amount": received.amount, "currency": received.currency}},
            )

    async def refund(self, payment_id: str, order_id: str, total: int) -> StoredPayment:
        """Record the total refunded of a payment, also before the payment itself is reported.

        Totals only grow: reports that arrive out of order leave the highest. Return the payment.

        Raises:
            Conflict: code `payment_of_another_order`.
        """
        await self._ensure(payment_id, order_id)
        payment = await self._payments.find_one_and_update(
            {"_id": payment_id}, {"$max": {"refunded": total}}, return_document=True
        )
        assert payment is not None
        await self._settle(payment)
        return payment

    async def keep_as_surplus(self, payment_id: str) -> None:
        """Mark a payment as money to be given back; operators see it until that has happened."""
        payment = await self._payments.find_one_and_update(
            {"_id": payment_id, "surplus": False},
            {"$set": {"surplus": True, "open": True}, "$push": {"todo": ARRIVED}},
            return_document=True,
        )
        if payment is not None:
            await self._settle(payment)

    async def settle(self, payment_id: str) -> None:
        """Note that all of a surplus payment was given back."""
        await self._payments.find_one_and_update(
            {"_id": payment_id, "open": True},
            {"$set": {"open": False}, "$push": {"todo": RETURNED}},
        )

    async def begin(self, payment_id: str) -> StoredPayment | None:
        """Claim what is to be done for a surplus payment; None when there is nothing to do.

        It is also None while another process does it.
        """
        at = self._clock()
        free = [{"calling_until": {"$exists": False}}, {"calling_until": {"$lte": at}}]
        return await self._payments.find_one_and_update(
            {"_id": payment_id, "todo": {"$in": [ARRIVED, RETURNED]}, "$or": free},
            {"$set": {"calling_until": at + CALL_TIME}},
            return_document=True,
        )

    async def end(self, payment_id: str, done: str | None) -> None:
        """End a claim, with what has been done or, after a failure, without."""
        change = {"$unset": {"calling_until": ""}}
        if done is not None:
            change["$pull"] = {"todo": done}
        await self._payments.update_one({"_id": payment_id}, change)

    async def unfinished(self) -> list[str]:
        """Return the surplus payments for which something is to be done."""
        found = self._payments.find({"todo": {"$in": [ARRIVED, RETURNED]}})
        return [payment["_id"] for payment in await found.to_list(None)]

    async def get(self, payment_id: str) -> StoredPayment | None:
        """Return a payment."""
        return await self._payments.find_one({"_id": payment_id})

    async def of(self, order_id: str) -> list[StoredPayment]:
        """Return the payments of an order: one, and a surplus one now and then."""
        return await self._payments.find({"order_id": order_id}).to_list(None)

    async def list_surplus(
        self, *, after: Position | None = None, limit: int = DEFAULT_PAGE
    ) -> Page[SurplusPaymentView]:
        """Return a page of the payments that are still to be given back, newest first."""
        query: dict[str, object] = {"open": True}
        if after:
            query["$or"] = after.following("at")
        found = (
            await self._payments.find(query).sort(newest_first("at")).limit(limit + 1).to_list(None)
        )
        shown, following = cut(found, limit, "at")
        return {"items": [_surplus_view(payment) for payment in shown], "next": following}

    async def _ensure(self, payment_id: str, order_id: str) -> StoredPayment:
        payment: StoredPayment = {
            "_id": payment_id,
            "order_id": order_id,
            "amount": None,
            "currency": None,
            "refunded": 0,
            "surplus": False,
            "open": False,
            "todo": [],
            "at": self._clock(),
        }
        try:
            await self._payments.insert_one(payment)
        except DuplicateKeyError:
            found = await self._payments.find_one({"_id": payment_id})
            assert found is not None
            if found["order_id"] != order_id:
                raise Conflict(
                    "This payment is for another order.", code="payment_of_another_order"
                ) from None
            return found
        return payment

    async def _settle(self, payment: StoredPayment) -> None:
        if payment["open"] and payment["amount"] and payment["refunded"] >= payment["amount"]:
            await self.settle(payment["_id"])


def received_of(payment: StoredPayment) -> tuple[int, str]:
    """Return the amount and the currency of a surplus payment."""
    amount, currency = payment["amount"], payment["currency"]
    assert amount is not None, "a payment is kept as surplus once it has been reported"
    assert currency is not None, "it is reported with the amount"
    return amount, currency


def _surplus_view(payment: StoredPayment) -> SurplusPaymentView:
    """Return a surplus payment as operators see it."""
    amount, currency = received_of(payment)
    return {
        "payment_id": payment["_id"],
        "order_id": payment["order_id"],
        "amount": _amount(amount, currency),
        "refunded_amount": _amount(payment["refunded"], currency),
        "currency": currency,
        "received_at": to_text(payment["at"]),
    }


def _amount(minor_units: int, currency: str) -> str:
    # How many decimals other currencies have is not known here.
    return to_decimal(minor_units) if currency == CURRENCY else str(minor_units)
