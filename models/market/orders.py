"""The rules of orders: who may make which step."""

import logging
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any, TypedDict, Unpack, cast

from models.database import Database, typed
from models.errors import Conflict, DomainError, Forbidden, NotFound
from models.events import Publisher
from models.idempotency import Idempotency
from models.identity import Identity
from models.market.deadlines import Deadlines
from models.market.money import CURRENCY, to_decimal
from models.market.operators import Operators
from models.market.payments import Charge, PaymentProvider
from models.market.products import Products
from models.market.receipts import Receipts, Received
from models.market.records import COMPLAINED, list_of, order_json
from models.market.steps import (
    AT_PROVIDER,
    CANCELLED,
    DELIVERED,
    MAY_FOLLOW,
    PAID,
    PAYABLE,
    PAYMENT_FAILED,
    PAYMENT_TIME,
    PAYOUT_COMPLETED,
    REFUNDED,
    SHIPPED,
    GiveBack,
    Steps,
    Times,
)
from models.market.stored import OrderStep, StoredOrder
from models.market.stuck import StuckOrders
from models.market.surplus import Surplus
from models.market.texts import describe_order
from models.market.views import OrderToPayView, OrderView, StuckOrderView, SurplusPaymentView
from models.notifications.port import Notify
from models.pages import DEFAULT_PAGE, Page, Position, cut, newest_first
from models.times import Clock

logger = logging.getLogger(__name__)

BUYER, SELLER, OPERATOR = "buyer", "seller", "operator"


class Key(TypedDict, total=False):
    """What a client's repeat of a step is recognised by; see `models.idempotency`."""

    client_id: str | None
    operation_id: str | None


class Orders:
    """What matches have made, from payment to payout.

    An order that the caller has no part in is `NotFound` in every method. A step that does not
    follow from where the order is raises `Conflict`, code `illegal_step`; repeating an operation
    under its `client_id` or `operation_id` (the `key` of the methods) gives the order instead.
    """

    def __init__(
        self,
        database: Database,
        publisher: Publisher,
        notify: Notify,
        provider: PaymentProvider,
        operators: Operators,
        products: Products,
        *,
        times: Times,
        clock: Clock,
    ) -> None:
        self._orders = typed(database["market_orders"], StoredOrder)
        self.receipts = Receipts(database, clock)
        self._surplus = Surplus(database, notify, provider, self.receipts, clock)
        self._provider = provider
        self._operators = operators
        self._steps = Steps(database, publisher, notify, provider, times=times, clock=clock)
        self._time_to_pay = times.pay
        self._stuck = StuckOrders(database, clock, makes_refunds=provider.makes_refunds)
        self._clock = clock
        self._answers = Idempotency(database, clock=clock)
        self.deadlines = Deadlines(database, notify, provider, products, self._steps, clock)

    async def prepare(self) -> None:
        """Make the indexes."""
        await self._orders.create_index([("lists", 1), ("created_at", -1), ("_id", -1)])
        await self._orders.create_index([("telling", 1)])
        await self._orders.create_index([("unpaid_since", 1)])
        await self.receipts.prepare()
        await self.deadlines.prepare()

    async def resume(self) -> None:
        """Carry out what a crash has left."""
        await self._steps.sweep(at_once=True)
        await self._surplus.sweep()

    async def sweep(self) -> None:
        """Carry out what someone has not finished for a while, and cancel what was not paid."""
        await self._steps.sweep()
        await self._steps.cancel_unpaid()
        await self.deadlines.sweep()
        await self._surplus.sweep()

    def when_cancelled(self, give_back: GiveBack) -> None:
        """Let `give_back` put the offer of the party that kept to a match back into its book."""
        self._steps.give_back = give_back

    async def finish(self, order_id: str) -> None:
        """Carry out what the order's last steps cause."""
        await self._steps.finish(order_id)

    async def get(self, caller: Identity, order_id: str) -> OrderView:
        """Return an order with its `history`, to buyer, seller and operators."""
        return self._shown(await self._seen(caller, order_id))

    async def mine(
        self,
        caller: Identity,
        *,
        role: str | None = None,
        status: str | None = None,
        after: Position | None = None,
        limit: int = DEFAULT_PAGE,
    ) -> Page[OrderView]:
        """Return a page of the caller's orders, of one `role` or `status` or all, newest first."""
        query: dict[str, object] = {"lists": list_of(caller.account_id, role)}
        if status is not None:
            query["status"] = status
        if after:
            query["$or"] = after.following("created_at")
        order = newest_first("created_at")
        found = await self._orders.find(query).sort(order).limit(limit + 1).to_list(None)
        shown, following = cut(found, limit, "created_at")
        return {"items": [self._shown(order) for order in shown], "next": following}

    async def pay(
        self, caller: Identity, order_id: str, *, operation_id: str, card_number: str | None = None
    ) -> OrderToPayView:
        """Let the buyer pay; return the order: `paid`, `payment_failed`, or not changed yet.

        In the last case it has `payment`, if the provider is called from here: `client_secret` for
        a form of the front end's own, `checkout_url` of the provider's page, `payment_id`, `amount`
        and `currency`.

        Raises:
            Conflict: code `already_paid`, and nothing was charged again; `payment_overdue`.
        """
        order = await self._as(caller, order_id, BUYER)
        if _was_made(order, operation_id, PAID, PAYMENT_FAILED):
            return cast(OrderToPayView, self._shown(order))
        if order["status"] not in PAYABLE:
            raise _illegal(order, PAID)
        begun = await self._steps.begin_payment(order_id)
        if begun is None:
            order = await self._find(order_id)
            if order["status"] not in PAYABLE:
                raise _illegal(order, PAID)
            raise Conflict("The time to pay is over.", code="payment_overdue")
        payment_id = f"order-{order_id}-{order['attempts'] + 1}"
        try:
            charge = await self._provider.charge(
                payment_id, cents=order["price"], card_number=card_number
            )
            checkout = None
            if charge is Charge.PENDING:
                checkout = await self._provider.checkout(
                    order_id, cents=order["price"], what=describe_order(order)
                )
        except DomainError:
            await self._steps.abandon_payment(order_id, begun)
            raise
        if charge is Charge.PAID:
            received = Received(payment_id, order["price"])
            if not await self.paid(order_id, received, operation_id=operation_id):
                raise _illegal(await self._find(order_id), PAID)
        elif charge is Charge.FAILED:
            await self.payment_failed(order_id, operation_id=operation_id)
        shown = cast(OrderToPayView, self._shown(await self._find(order_id)))
        if checkout is not None:
            shown["payment"] = {
                "payment_id": checkout.payment_id,
                "client_secret": checkout.client_secret,
                "checkout_url": checkout.url,
                "amount": to_decimal(order["price"]),
                "currency": CURRENCY,
            }
        return shown

    async def ship(
        self, caller: Identity, order_id: str, *, carrier: str, tracking: str, **key: Unpack[Key]
    ) -> OrderView:
        """Let the seller say that it is on its way."""
        sent = {"carrier": carrier.strip(), "tracking": tracking.strip()}
        async with self._once(caller, order_id, "ship", sent, **key) as operation_id:
            return await self._step(
                caller, order_id, SHIPPED, SELLER, operation_id=operation_id, **sent
            )

    async def deliver(self, caller: Identity, order_id: str, **key: Unpack[Key]) -> OrderView:
        """Let the buyer or an operator confirm that it has come; the payout follows."""
        async with self._once(caller, order_id, "deliver", {}, **key) as operation_id:
            return await self._step(
                caller, order_id, DELIVERED, BUYER, OPERATOR, operation_id=operation_id
            )

    async def complain(
        self, caller: Identity, order_id: str, *, text: str, **key: Unpack[Key]
    ) -> OrderView:
        """Let the buyer say what is wrong with a shipped order: then it does not close by itself.

        Operators have it in their list until it is refunded or delivered. Both parties hear of it;
        the seller is notified once. A later complaint replaces the text.
        """
        async with self._once(caller, order_id, "complain", {"text": text}, **key) as operation_id:
            return await self._complain(caller, order_id, text.strip(), operation_id)

    async def _complain(
        self, caller: Identity, order_id: str, text: str, operation_id: str
    ) -> OrderView:
        order = await self._as(caller, order_id, BUYER)
        if not _was_made(order, operation_id, COMPLAINED):
            at = self._clock()
            made: OrderStep = {
                "step": COMPLAINED,
                "at": at,
                "operation_id": operation_id,
                "why": None,
            }
            moved = await self._orders.find_one_and_update(
                {"_id": order_id, "status": SHIPPED},
                {
                    "$set": {
                        "complaint": text,
                        "complained_at": at,
                        "updated_at": at,
                        "telling": True,
                    },
                    "$unset": {"act_at": "", "remind_at": ""},
                    "$push": {"history": made, "unfinished": COMPLAINED, "untold": COMPLAINED},
                },
            )
            if moved is None:
                raise Conflict(
                    "Complain about orders that are shipped and not delivered.", code="illegal_step"
                )
            await self.finish(order_id)
        return self._shown(await self._find(order_id))

    async def list_stuck(
        self, caller: Identity, *, after: Position | None = None, limit: int = DEFAULT_PAGE
    ) -> Page[StuckOrderView]:
        """Return a page of the orders that need an operator, newest first.

        Raises:
            Forbidden: code `not_an_operator`.
        """
        self._operators.check(caller)
        return await self._stuck.page(after=after, limit=limit)

    async def cancel(self, caller: Identity, order_id: str, **key: Unpack[Key]) -> OrderView:
        """Let either party or an operator give up an order that is not paid.

        Raises:
            Conflict: code `payment_under_way`: the buyer has begun to pay less than `PAYMENT_TIME`
                ago, and the money may come at any moment.
        """
        async with self._once(caller, order_id, "cancel", {}, **key) as operation_id:
            return await self._cancel(caller, order_id, operation_id)

    async def _cancel(self, caller: Identity, order_id: str, operation_id: str) -> OrderView:
        order = await self._as(caller, order_id, BUYER, SELLER, OPERATOR)
        if not _was_made(order, operation_id, CANCELLED):
            moved = await self._steps.move(
                order,
                CANCELLED,
                operation_id=operation_id,
                why=self._role(caller, order),
                only_if=self._steps.not_paying(),
            )
            if moved is None:
                order = await self._find(order_id)
                if order["status"] in PAYABLE:
                    raise Conflict(
                        "A payment is under way; the order can be cancelled if it fails.",
                        code="payment_under_way",
                        retry_after_s=PAYMENT_TIME.total_seconds(),
                    )
                if not _was_made(order, operation_id, CANCELLED):
                    raise _illegal(order, CANCELLED)
            await self.finish(order_id)
        return self._shown(await self._find(order_id))

    async def refund(self, caller: Identity, order_id: str, **key: Unpack[Key]) -> OrderView:
        """Let the seller or an operator give the money back, until it is delivered.

        Raises:
            Conflict: code `refund_at_provider`: refunds are made there, and its webhook tells.
        """
        order = await self._as(caller, order_id, SELLER, OPERATOR)
        if not self._provider.makes_refunds:
            raise Conflict("Refund it at the payment provider.", code="refund_at_provider")
        async with self._once(caller, order_id, "refund", {}, **key) as operation_id:
            return await self._step(
                caller,
                order_id,
                REFUNDED,
                SELLER,
                OPERATOR,
                operation_id=operation_id,
                refunded=order["price"],
            )

    async def list_surplus(
        self, caller: Identity, *, after: Position | None = None, limit: int = DEFAULT_PAGE
    ) -> Page[SurplusPaymentView]:
        """Return a page of the payments that operators have to see given back.

        Raises:
            Forbidden: code `not_an_operator`.
        """
        self._operators.check(caller)
        return await self.receipts.list_surplus(after=after, limit=limit)

    async def paid(
        self, order_id: str, received: Received, *, operation_id: str | None = None
    ) -> bool:
        """Record money that has arrived; True when it paid the order now.

        The same payment again does nothing. Another amount or currency than the order's, a second
        payment, and one for an order that waits for none are surplus, and are to be given back.

        Raises:
            Conflict: code `payment_of_another_order`.
        """
        order = await self._find(order_id)
        payment_id = received.payment_id
        await self.receipts.receive(received, order_id)
        if (received.amount, received.currency) == (order["price"], CURRENCY):
            moved = await self._steps.move(
                order, PAID, operation_id=operation_id, payment_id=payment_id
            )
            if moved is not None:
                await self.finish(order_id)
                await self._apply_refund(order_id, payment_id)
                return True
            order = await self._find(order_id)
        if order["payment_id"] != payment_id:
            logger.warning("payment %s for order %s is to be given back", payment_id, order_id)
            await self._surplus.keep(payment_id)
        return False

    async def payment_failed(self, order_id: str, *, operation_id: str | None = None) -> bool:
        """Record that a payment has failed, unless the order has gone on; once for each operation.

        Return whether the order has this step.
        """
        while True:
            order = await self._find(order_id)
            if operation_id is not None and _was_made(order, operation_id, PAYMENT_FAILED):
                return True
            if order["status"] not in PAYABLE:
                return False
            # Only if no other failure came between: then the history is read again.
            as_read = {"attempts": order["attempts"]}
            if await self._steps.move(
                order, PAYMENT_FAILED, operation_id=operation_id, only_if=as_read
            ):
                await self.finish(order_id)
                return True

    async def payment_refunded(self, order_id: str, payment_id: str, total: int) -> bool:
        """Record how much of a payment has been given back in total, in cents.

        The order is refunded once all of its own payment has been; a surplus payment never moves
        it. A refund that is reported before its payment counts when that arrives. Return False when
        the order's payment was refunded at a time when orders are not (after the delivery).

        Raises:
            Conflict: code `payment_of_another_order`.
        """
        await self._find(order_id)
        await self.receipts.refund(payment_id, order_id, total)
        await self._surplus.finish(payment_id)
        return await self._apply_refund(order_id, payment_id)

    async def _apply_refund(self, order_id: str, payment_id: str) -> bool:
        order, payment = await self._find(order_id), await self.receipts.get(payment_id)
        if payment is None or order["payment_id"] != payment_id or not payment["refunded"]:
            return True
        if order.get("refunded", 0) < payment["refunded"]:
            await self._steps.note_refund(order_id, payment["refunded"])
        whole = payment["refunded"] >= order["price"]
        if whole and await self._steps.move(order, REFUNDED, why=AT_PROVIDER):
            await self.finish(order_id)
        return (await self._find(order_id))["status"] in MAY_FOLLOW[REFUNDED] + (REFUNDED,)

    async def settle_surplus(self, caller: Identity, payment_id: str) -> None:
        """Let an operator note that a surplus payment has been given back in another way.

        Raises:
            Forbidden: code `not_an_operator`.
            NotFound: code `payment_not_found`: there is no such surplus payment.
        """
        self._operators.check(caller)
        payment = await self.receipts.get(payment_id)
        if payment is None or not payment["surplus"]:
            raise NotFound("There is no such surplus payment.", code="payment_not_found")
        await self.receipts.settle(payment_id)
        await self._surplus.finish(payment_id)

    async def price_of(self, order_id: str) -> int:
        """Return what the order costs, in cents."""
        return (await self._find(order_id))["price"]

    async def payment_of(self, order_id: str) -> str | None:
        """Return the one payment that the order has, or None: it has none yet.

        Raises:
            Conflict: code `payment_ambiguous`: there are several.
        """
        await self._find(order_id)
        payments = await self.receipts.of(order_id)
        if len(payments) > 1:
            raise Conflict("The order has several payments.", code="payment_ambiguous")
        return payments[0]["_id"] if payments else None

    async def paid_out(self, order_id: str, amount: int, currency: str) -> None:
        """Record that the seller has the money; before the delivery it counts when that happens.

        Raises:
            Conflict: code `payout_amount`: not what the order is worth; `illegal_step`: the order
                will never be paid out.
        """
        order = await self._find(order_id)
        if (amount, currency) != (order["price"], CURRENCY):
            expected = f"{order['price']} {CURRENCY} expected."
            raise Conflict(f"This is not the order's price: {expected}", code="payout_amount")
        if order["status"] in (CANCELLED, REFUNDED):
            raise _illegal(order, PAYOUT_COMPLETED)
        # Noted first: anyone who delivers at this moment sees it, or is seen by the step below.
        order = await self._steps.note_payout(order_id) or order
        if await self._steps.move(order, PAYOUT_COMPLETED):
            await self.finish(order_id)

    @asynccontextmanager
    async def _once(
        self,
        caller: Identity,
        order_id: str,
        path: str,
        content: Mapping[str, Any],
        *,
        client_id: str | None = None,
        operation_id: str | None = None,
    ) -> AsyncIterator[str]:
        """Give the id under which what is sent again under a key of the client's own is done once.

        Raises:
            Invalid: code `key_reused`.
        """
        async with self._answers.once(
            caller.account_id,
            f"/api/v1/orders/{order_id}/{path}",
            client_id=client_id,
            operation_id=operation_id,
            content=content,
        ) as operation:
            yield operation.id

    async def _step(
        self,
        caller: Identity,
        order_id: str,
        step: str,
        *roles: str,
        operation_id: str,
        **changes: Any,
    ) -> OrderView:
        order = await self._as(caller, order_id, *roles)
        if not _was_made(order, operation_id, step):
            if await self._steps.move(order, step, operation_id=operation_id, **changes) is None:
                raise _illegal(await self._find(order_id), step)
            await self.finish(order_id)
        return self._shown(await self._find(order_id))

    def _shown(self, order: StoredOrder) -> OrderView:
        return order_json(order, time_to_pay=self._time_to_pay)

    async def _find(self, order_id: str) -> StoredOrder:
        order = await self._orders.find_one({"_id": order_id})
        if order is None:
            raise NotFound("There is no such order.", code="order_not_found")
        return order

    async def _seen(self, caller: Identity, order_id: str) -> StoredOrder:
        order = await self._find(order_id)
        if not self._roles(caller, order):
            raise NotFound("There is no such order.", code="order_not_found")
        return order

    async def _as(self, caller: Identity, order_id: str, *roles: str) -> StoredOrder:
        order = await self._seen(caller, order_id)
        if not self._roles(caller, order) & set(roles):
            raise Forbidden(f"Only the {' or '.join(roles)} may do this.", code="not_your_step")
        return order

    def _role(self, caller: Identity, order: StoredOrder) -> str:
        """Return the role of the caller: a party before an operator."""
        roles = self._roles(caller, order)
        return next(role for role in (BUYER, SELLER, OPERATOR) if role in roles)

    def _roles(self, caller: Identity, order: StoredOrder) -> set[str]:
        parties = ((BUYER, order["buyer_id"]), (SELLER, order["seller_id"]))
        roles = {role for role, party in parties if party == caller.account_id}
        return roles | {OPERATOR} if self._operators.includes(caller) else roles


def _was_made(order: StoredOrder, operation_id: str, *steps: str) -> bool:
    return any(
        made["operation_id"] == operation_id and made["step"] in steps for made in order["history"]
    )


def _illegal(order: StoredOrder, step: str) -> Conflict:
    if step == PAID and order["payment_id"] is not None:
        return Conflict("The order is paid already; nothing was charged.", code="already_paid")
    allowed = " or ".join(MAY_FOLLOW[step])
    return Conflict(
        f"The order is {order['status']}; for this it would have to be {allowed}.",
        code="illegal_step",
    )
