"""The rules of orders: who may make which step."""

import logging
from datetime import timedelta
from typing import Any

from pymongo.errors import DuplicateKeyError

from models.database import Database, Document
from models.errors import Conflict, Forbidden, NotFound
from models.events import Json, Publisher
from models.identity import Identity
from models.market.operators import Operators
from models.market.payments import Charge, PaymentProvider
from models.market.records import list_of, order_json
from models.market.steps import (
    CANCELLED,
    DELIVERED,
    MAY_FOLLOW,
    PAID,
    PAYABLE,
    PAYMENT_FAILED,
    REFUNDED,
    SHIPPED,
    Steps,
)
from models.notifications.port import Notify
from models.pages import DEFAULT_PAGE, Position, cut, newest_first
from models.times import Clock

logger = logging.getLogger(__name__)

BUYER, SELLER, OPERATOR = "buyer", "seller", "operator"


class Orders:
    """What matches have made, from payment to payout.

    An order that the caller has no part in is `NotFound` in every method. A step that does not
    follow from where the order is raises `Conflict`, code `illegal_step`; repeating an operation
    under its `operation_id` gives the order instead.
    `market_payments`: `_id` (the payment), `order_id`, `surplus` (money to be given back).
    """

    def __init__(
        self,
        database: Database,
        publisher: Publisher,
        notify: Notify,
        provider: PaymentProvider,
        operators: Operators,
        *,
        time_to_pay: timedelta,
        clock: Clock,
    ) -> None:
        self._orders = database["market_orders"]
        self._payments = database["market_payments"]
        self._provider = provider
        self._operators = operators
        self._steps = Steps(
            database, publisher, notify, provider, time_to_pay=time_to_pay, clock=clock
        )

    async def prepare(self) -> None:
        """Make the indexes."""
        await self._orders.create_index([("lists", 1), ("created_at", -1), ("_id", -1)])
        await self._orders.create_index([("telling", 1)])
        await self._orders.create_index([("unpaid_since", 1)])

    async def resume(self) -> None:
        """Carry out what a crash has left."""
        await self._steps.sweep(at_once=True)

    async def sweep(self) -> None:
        """Carry out what somebody has not finished for a while, and cancel what was not paid."""
        await self._steps.sweep()
        await self._steps.cancel_unpaid()

    async def finish(self, order_id: str) -> None:
        """Carry out what the order's last steps cause."""
        await self._steps.finish(order_id)

    async def get(self, caller: Identity, order_id: str) -> dict[str, Json]:
        """Give an order with its `history`, to buyer, seller and operators."""
        return order_json(await self._seen(caller, order_id))

    async def mine(
        self,
        caller: Identity,
        *,
        role: str | None = None,
        after: Position | None = None,
        limit: int = DEFAULT_PAGE,
    ) -> dict[str, Json]:
        """Give a page of the caller's orders, newest first."""
        query: Document = {"lists": list_of(caller.account_id, role)}
        if after:
            query["$or"] = after.following("created_at")
        order = newest_first("created_at")
        found = await self._orders.find(query).sort(order).limit(limit + 1).to_list(None)
        shown, following = cut(found, limit, "created_at")
        return {"items": [order_json(order) for order in shown], "next": following}

    async def pay(
        self, caller: Identity, order_id: str, *, operation_id: str, card_number: str | None = None
    ) -> dict[str, Json]:
        """Let the buyer pay; gives the order: `paid`, `payment_failed`, or as it was until told.

        Raises:
            Conflict: code `already_paid`, and nothing was charged again; `payment_overdue`.
        """
        order = await self._as(caller, order_id, BUYER)
        if _was_made(order, operation_id, PAID, PAYMENT_FAILED):
            return order_json(order)
        if order["status"] not in PAYABLE:
            raise _illegal(order, PAID)
        if not await self._steps.begin_payment(order_id):
            order = await self._find(order_id)
            if order["status"] not in PAYABLE:
                raise _illegal(order, PAID)
            raise Conflict("The time to pay is over.", code="payment_overdue")
        payment_id = f"order-{order_id}-{order['attempts'] + 1}"
        charge = await self._provider.charge(
            payment_id, cents=order["price"], card_number=card_number
        )
        if charge is Charge.PAID:
            if not await self.paid(order_id, payment_id, operation_id=operation_id):
                raise _illegal(await self._find(order_id), PAID)
        elif charge is Charge.FAILED:
            await self.payment_failed(order_id, operation_id=operation_id)
        return order_json(await self._find(order_id))

    async def ship(
        self, caller: Identity, order_id: str, *, carrier: str, tracking: str, operation_id: str
    ) -> dict[str, Json]:
        """Let the seller say that it is on its way."""
        sent = {"carrier": carrier.strip(), "tracking": tracking.strip()}
        return await self._step(
            caller, order_id, SHIPPED, SELLER, operation_id=operation_id, **sent
        )

    async def deliver(
        self, caller: Identity, order_id: str, *, operation_id: str
    ) -> dict[str, Json]:
        """Let the buyer or an operator confirm that it has come; the payout follows."""
        return await self._step(
            caller, order_id, DELIVERED, BUYER, OPERATOR, operation_id=operation_id
        )

    async def cancel(
        self, caller: Identity, order_id: str, *, operation_id: str
    ) -> dict[str, Json]:
        """Let either party or an operator give up an order that is not paid."""
        return await self._step(
            caller, order_id, CANCELLED, BUYER, SELLER, OPERATOR, operation_id=operation_id
        )

    async def refund(
        self, caller: Identity, order_id: str, *, operation_id: str
    ) -> dict[str, Json]:
        """Let the seller or an operator give the money back, until it is delivered.

        Raises:
            Conflict: code `refund_at_provider`: refunds are made there, and its webhook tells.
        """
        await self._as(caller, order_id, SELLER, OPERATOR)
        if self._provider.told_by_webhook:
            raise Conflict("Refund it at the payment provider.", code="refund_at_provider")
        return await self._step(
            caller, order_id, REFUNDED, SELLER, OPERATOR, operation_id=operation_id
        )

    async def paid(
        self, order_id: str, payment_id: str, *, operation_id: str | None = None
    ) -> bool:
        """Note that the buyer's money has come; True when it paid the order now.

        The same payment again does nothing; another payment, or one for an order that waits for
        none, is kept as surplus and given back.
        """
        order = await self._find(order_id)
        await self._claim_payment(payment_id, order_id)
        moved = await self._steps.move(
            order, PAID, operation_id=operation_id, payment_id=payment_id
        )
        if moved is not None:
            await self.finish(order_id)
            return True
        order = await self._find(order_id)
        if order["payment_id"] != payment_id:
            logger.warning("payment %s for order %s is to be given back", payment_id, order_id)
            await self._payments.update_one({"_id": payment_id}, {"$set": {"surplus": True}})
            await self._provider.refund(payment_id, cents=order["price"])
        return False

    async def payment_failed(self, order_id: str, *, operation_id: str | None = None) -> None:
        """Note that a payment has failed, unless the order has gone on."""
        order = await self._find(order_id)
        if await self._steps.move(order, PAYMENT_FAILED, operation_id=operation_id):
            await self.finish(order_id)

    async def told(self, order_id: str, step: str) -> None:
        """Make a step that the provider tells of (refund, payout), once.

        Raises:
            Conflict: code `illegal_step`: not yet or no more; the provider delivers again later.
        """
        order = await self._find(order_id)
        if await self._steps.move(order, step):
            await self.finish(order_id)
        elif not any(made["step"] == step for made in order["history"]):
            raise _illegal(order, step)

    async def price_of(self, order_id: str) -> int:
        """Give what the order costs, in cents."""
        price: int = (await self._find(order_id))["price"]
        return price

    async def _step(
        self,
        caller: Identity,
        order_id: str,
        step: str,
        *roles: str,
        operation_id: str,
        **changes: Any,
    ) -> dict[str, Json]:
        order = await self._as(caller, order_id, *roles)
        if not _was_made(order, operation_id, step):
            if await self._steps.move(order, step, operation_id=operation_id, **changes) is None:
                raise _illegal(await self._find(order_id), step)
            await self.finish(order_id)
        return order_json(await self._find(order_id))

    async def _find(self, order_id: str) -> Document:
        order = await self._orders.find_one({"_id": order_id})
        if order is None:
            raise NotFound("There is no such order.", code="order_not_found")
        return order

    async def _seen(self, caller: Identity, order_id: str) -> Document:
        order = await self._find(order_id)
        if not self._roles(caller, order):
            raise NotFound("There is no such order.", code="order_not_found")
        return order

    async def _as(self, caller: Identity, order_id: str, *roles: str) -> Document:
        order = await self._seen(caller, order_id)
        if not self._roles(caller, order) & set(roles):
            raise Forbidden(f"Only the {' or '.join(roles)} may do this.", code="not_your_step")
        return order

    def _roles(self, caller: Identity, order: Document) -> set[str]:
        roles = {role for role in (BUYER, SELLER) if order[f"{role}_id"] == caller.account_id}
        return roles | {OPERATOR} if self._operators.includes(caller) else roles

    async def _claim_payment(self, payment_id: str, order_id: str) -> None:
        try:
            await self._payments.insert_one(
                {"_id": payment_id, "order_id": order_id, "surplus": False}
            )
        except DuplicateKeyError:
            claim = await self._payments.find_one({"_id": payment_id})
            if claim and claim["order_id"] != order_id:
                raise Conflict(
                    "This payment is for another order.", code="payment_of_another_order"
                ) from None


def _was_made(order: Document, operation_id: str, *steps: str) -> bool:
    return any(
        made["operation_id"] == operation_id and made["step"] in steps for made in order["history"]
    )


def _illegal(order: Document, step: str) -> Conflict:
    if step == PAID and order["payment_id"] is not None:
        return Conflict("The order is paid already; nothing was charged.", code="already_paid")
    allowed = " or ".join(MAY_FOLLOW[step])
    return Conflict(
        f"The order is {order['status']}; for this it would have to be {allowed}.",
        code="illegal_step",
    )
