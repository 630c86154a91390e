"""The life of an order: which step may follow which, and what each one causes.

created → paid → shipped → delivered → payout_completed; before it is paid an order can fail to be
paid (and be tried again) or be cancelled, after that it can be refunded until it is delivered.

A step is one conditional update that also records the step as `unfinished` and `untold`. Its
consequences are then carried out and struck off, by the process that made the step, or after a
crash by a sweep of any process:

- The event is claimed by taking the step out of `untold` and published after that, so it is
  published at most once.
- A notification has a key under which it is stored once.
- A refund or a payout is called by one process at a time, the one that holds `calling_until`. A
  call whose outcome a crash has hidden is repeated under the id that the provider knows it by.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from models.database import Database, Filter, typed
from models.events import Publisher
from models.finishing import finish
from models.keyed_locks import KeyedLocks
from models.market.book import ASK, BID
from models.market.events import OrderChanged
from models.market.payments import PaymentProvider
from models.market.receipts import CALL_TIME
from models.market.records import COMPLAINED, CREATED
from models.market.sales import SaleRecords
from models.market.stored import OrderStep, StoredOrder
from models.market.texts import BUYER, SELLER, TEXTS, Text, link, message, when
from models.notifications.port import Notice, Notify
from models.rooms import book_room, user_room
from models.times import Clock, to_text

logger = logging.getLogger(__name__)

PAID = "paid"
PAYMENT_FAILED = "payment_failed"
CANCELLED = "cancelled"
REFUNDED = "refunded"
SHIPPED = "shipped"
DELIVERED = "delivered"
PAYOUT_COMPLETED = "payout_completed"

PAYABLE = (CREATED, PAYMENT_FAILED)
MAY_FOLLOW: dict[str, tuple[str, ...]] = {
    PAID: PAYABLE,
    PAYMENT_FAILED: PAYABLE,
    CANCELLED: PAYABLE,
    SHIPPED: (PAID,),
    REFUNDED: (PAID, SHIPPED),
    DELIVERED: (SHIPPED,),
    PAYOUT_COMPLETED: (DELIVERED,),
}

STATUSES = (CREATED, *MAY_FOLLOW)
"""All that an order can have."""

UNPAID = "unpaid"
"""Why an order was cancelled that no one has."""

UNSHIPPED = "unshipped"
"""Why an order was refunded that no one shipped."""

UNOPPOSED = "unopposed"
"""Why an order counts as delivered whose buyer neither confirmed nor complained."""

REMIND = timedelta(days=1)
"""How long before a deadline both parties are notified, or for half of its time if that is
shorter."""

AT_PROVIDER = "at_provider"
"""Why an order was refunded: the payment provider has reported the refund."""

PAYMENT_TIME = timedelta(minutes=30)
"""How long a payment that was begun in time may take: what providers give a buyer at least."""

_STRIKES = {
    PAID: ("unpaid_since", "paying_since"),
    CANCELLED: ("unpaid_since", "paying_since"),
    PAYMENT_FAILED: ("paying_since",),
    REFUNDED: ("act_at", "remind_at"),
    DELIVERED: ("act_at", "remind_at"),
}
"""What an order no longer has after a step."""

GRACE = timedelta(seconds=10)
"""How long anyone who made a step has for its consequences before a sweep takes them over."""

CALLING = (REFUNDED, DELIVERED)
"""The steps that cause a call of the payment provider."""


RETURNS = {
    f"{CANCELLED}:{UNPAID}": ASK,
    f"{CANCELLED}:{BUYER}": ASK,
    f"{CANCELLED}:{SELLER}": BID,
}
"""By why an order was cancelled, whose offer goes back into the book: that of the party which kept
to the match. When an operator cancels, both are asked to place theirs again: back in the book at
once, they would only meet again."""

GiveBack = Callable[[StoredOrder, str], Awaitable[bool]]
"""Puts an order's `bid` or `ask` back into its book; whether it is there, or was put there."""


@dataclass(frozen=True, slots=True)
class Times:
    """How long the parties of an order have for what."""

    pay: timedelta = timedelta(hours=24)
    ship: timedelta = timedelta(days=7)
    """From the payment."""

    complain: timedelta = timedelta(days=14)
    """From the shipment, for the buyer to confirm the delivery or to complain."""


@dataclass(frozen=True, slots=True)
class Begun:
    """When a payment began, and when the one before it did that may be under way."""

    at: datetime
    before: datetime | None


class Steps:
    """Moves orders and carries out what follows."""

    def __init__(
        self,
        database: Database,
        publisher: Publisher,
        notify: Notify,
        provider: PaymentProvider,
        *,
        times: Times,
        clock: Clock,
    ) -> None:
        self._orders = typed(database["market_orders"], StoredOrder)
        self._publisher = publisher
        self._notify = notify
        self._provider = provider
        self._time_to_pay = times.pay
        self._time_after = {PAID: times.ship, SHIPPED: times.complain}
        self._clock = clock
        self._sales = SaleRecords(database)
        self.give_back: GiveBack | None = None
        """Puts an offer back into its book; set by the part that has the books."""

        self._locks = KeyedLocks()

    async def move(
        self,
        order: StoredOrder,
        step: str,
        *,
        operation_id: str | None = None,
        why: str | None = None,
        only_if: Filter | None = None,
        **changes: object,
    ) -> StoredOrder | None:
        """Make a step if the order is where it may be made; returns the order, else None."""
        at = self._clock()
        key = step if why is None else f"{step}:{why}"
        where = {"_id": order["_id"], "status": {"$in": list(MAY_FOLLOW[step])}, **(only_if or {})}
        if step == PAYMENT_FAILED:
            # A step that can be repeated: each time is a cause of its own.
            changes["attempts"] = order["attempts"] + 1
            key = f"{step}:{order['attempts'] + 1}"
        made: OrderStep = {"step": step, "at": at, "operation_id": operation_id, "why": why}
        update: dict[str, dict[str, object]] = {
            "$set": {"status": step, "updated_at": at, "telling": True, **changes},
            "$push": {"unfinished": key, "untold": key, "history": made},
        }
        buyer_id, seller_id = order["buyer_id"], order["seller_id"]
        breaker_id = {UNPAID: buyer_id, BUYER: buyer_id, SELLER: seller_id}.get(why or "")
        if step == CANCELLED and breaker_id:
            kind = UNPAID if why == UNPAID else CANCELLED
            update["$set"] |= {"broken_by": broken_by_key(kind, breaker_id), "broken_at": at}
        if step in self._time_after:
            time = self._time_after[step]
            act_at = at + time
            update["$set"] |= {"act_at": act_at, "remind_at": act_at - min(REMIND, time / 2)}
        if step in _STRIKES:
            update["$unset"] = dict.fromkeys(_STRIKES[step], "")
        return await self._orders.find_one_and_update(where, update, return_document=True)

    async def begin_payment(self, order_id: str) -> Begun | None:
        """Keep an order that waits for its payment from being cancelled while it is made.

        Return what `abandon_payment` takes; None when the order cannot be paid any more.
        """
        at = self._clock()
        begun = await self._orders.find_one_and_update(
            {
                "_id": order_id,
                "status": {"$in": list(PAYABLE)},
                "unpaid_since": {"$gt": at - self._time_to_pay},
            },
            {"$set": {"paying_since": at}},
        )
        return Begun(at, begun.get("paying_since")) if begun is not None else None

    async def abandon_payment(self, order_id: str, begun: Begun) -> None:
        """Note that a payment did not begin after all, unless another one has begun since.

        One that had begun before it is under way as it was.
        """
        change: dict[str, object] = {"$unset": {"paying_since": ""}}
        if begun.before is not None:
            change = {"$set": {"paying_since": begun.before}}
        await self._orders.update_one({"_id": order_id, "paying_since": begun.at}, change)

    def not_paying(self) -> Filter:
        """Return the condition that no payment of an order is under way."""
        bound = self._clock() - PAYMENT_TIME
        free = [{"paying_since": {"$exists": False}}, {"paying_since": {"$lte": bound}}]
        return {"$or": free}

    async def note_refund(self, order_id: str, cents: int) -> None:
        """Record how much of the order's own payment has been given back."""
        await self._orders.update_one({"_id": order_id}, {"$max": {"refunded": cents}})

    async def note_payout(self, order_id: str) -> StoredOrder | None:
        """Record that the provider has paid the seller; return the order."""
        return await self._orders.find_one_and_update(
            {"_id": order_id}, {"$set": {"paid_out": True}}, return_document=True
        )

    async def cancel_unpaid(self) -> None:
        """Cancel the orders that were not paid in time, unless a payment has just been begun."""
        overdue = {"unpaid_since": {"$lte": self._clock() - self._time_to_pay}}
        # Both are conditions of the one update: anyone who pays or cancels at this moment is first
        # or is not, and money that comes after this is given back.
        not_paying = {**overdue, **self.not_paying()}
        for order in await self._orders.find(overdue).to_list(None):
            if await self.move(order, CANCELLED, why=UNPAID, only_if=not_paying):
                await self.finish(order["_id"])

    async def finish(self, order_id: str) -> None:
        """Carry out what the order's steps cause; what fails is left to the sweep.

        A caller that is cancelled meanwhile stops waiting; the consequences are carried out.
        """
        await finish(self._finish_in_turn(order_id))

    async def sweep(self, *, at_once: bool = False) -> None:
        """Carry out what someone left unfinished, `at_once` without grace."""
        waiting: dict[str, object] = {"telling": True}
        if not at_once:
            waiting["updated_at"] = {"$lte": self._clock() - GRACE}
        for order in await self._orders.find(waiting).to_list(None):
            await self.finish(order["_id"])

    async def _finish_in_turn(self, order_id: str) -> None:
        try:
            # A client acts on the event of one step and so makes the next one while the first is
            # being finished.
            async with self._locks.lock(order_id):
                await self._finish(order_id)
        except Exception:
            logger.exception("consequences of order %s are not all done; a sweep goes on", order_id)

    async def _finish(self, order_id: str) -> None:
        order = await self._announce(order_id)
        while order and order["unfinished"]:
            key = order["unfinished"][0]
            if not await self._follow(order, key):
                return
            # The same write ends the claim: who finds the call free finds the step finished.
            ends: dict[str, object] = {"$unset": {"calling_until": ""}} if _is_call(key) else {}
            # As a rule it was the only one, and one write ends it all.
            only_this = {"$and": [{"unfinished": key}, {"unfinished": {"$size": 1}}]}
            ended = await self._orders.find_one_and_update(
                {"_id": order_id, **only_this},
                {"$set": {"unfinished": [], "telling": False}, **ends},
            )
            if ended is not None:
                return
            await self._orders.update_one({"_id": order_id}, {"$pull": {"unfinished": key}, **ends})
            order = await self._announce(order_id)
        await self._orders.find_one_and_update(
            {"_id": order_id, "unfinished": {"$size": 0}}, {"$set": {"telling": False}}
        )

    async def _announce(self, order_id: str) -> StoredOrder | None:
        """Publish the events of the steps that no one has claimed; return the order."""
        order = await self._orders.find_one_and_update({"_id": order_id}, {"$set": {"untold": []}})
        if order is not None:
            # Orders that were stored before events were claimed have no such list.
            for key in order.get("untold", ()):
                await self._publisher.publish(_event(order, key), *_rooms(order))
        return order

    async def _follow(self, order: StoredOrder, key: str) -> bool:
        """Carry out a step's other consequences; False when another process is at them."""
        step = key.partition(":")[0]
        if step == PAID and (sale := await self._sales.record(order)):
            await self._publisher.publish(sale, book_room(order["product_id"], order["size"]))
        back = step == CANCELLED and await self._return_offer(order, key)
        texts = TEXTS.get(key, TEXTS.get(step, ()))
        telling = []
        for party, account_id in ((BUYER, order["buyer_id"]), (SELLER, order["seller_id"])):
            own = [text for text in texts if text.party == party]
            notices = self._notices(order, key, account_id, own, back=back)
            if notices:
                telling.append(self._notify.several(account_id, notices))
        # Not a task group, which cancels the one when the other fails.
        for failure in await asyncio.gather(*telling, return_exceptions=True):
            if failure is not None:
                raise failure
        if not _is_call(key):
            return True
        if not await self._begin_call(order["_id"], key):
            return False
        try:
            await self._call_provider(order, key)
        except BaseException:
            await self._orders.update_one({"_id": order["_id"]}, {"$unset": {"calling_until": ""}})
            raise
        return True

    def _notices(
        self, order: StoredOrder, key: str, account_id: str, texts: list[Text], *, back: bool
    ) -> list[Notice]:
        pay_by = when(order["created_at"] + self._time_to_pay)
        return [
            Notice(
                text.type,
                key=f"order:{order['_id']}:{key}:{text.type}:{account_id}",
                title=text.title,
                message=message(text, order, back=back, deadline=pay_by),
                link=link(order),
            )
            for text in texts
        ]

    async def _return_offer(self, order: StoredOrder, key: str) -> bool:
        """Put the offer of the party that kept to the match back into its book, if it can be."""
        side = RETURNS.get(key)
        return bool(side and self.give_back and await self.give_back(order, side))

    async def _begin_call(self, order_id: str, key: str) -> bool:
        """Claim the provider's call of an unfinished step; False when another process has it."""
        at = self._clock()
        free = [{"calling_until": {"$exists": False}}, {"calling_until": {"$lte": at}}]
        claimed = await self._orders.find_one_and_update(
            {"_id": order_id, "unfinished": key, "$or": free},
            {"$set": {"calling_until": at + CALL_TIME}},
        )
        return claimed is not None

    async def _call_provider(self, order: StoredOrder, key: str) -> None:
        step, _, why = key.partition(":")
        if step == REFUNDED and why != AT_PROVIDER:
            assert order["payment_id"] is not None, "only orders that were paid are refunded"
            await self._provider.refund(order["payment_id"])
        if step == DELIVERED and (
            order.get("paid_out")
            or await self._provider.pay_out(
                order["_id"], account_id=order["seller_id"], cents=order["price"]
            )
        ):
            await self.move(order, PAYOUT_COMPLETED)


def broken_by_key(kind: str, account_id: str) -> str:
    """Name the list of the orders that an account has let go `unpaid`, or has `cancelled`."""
    return f"{kind}:{account_id}"


def _is_call(key: str) -> bool:
    return key.partition(":")[0] in CALLING


def _event(order: StoredOrder, key: str) -> OrderChanged:
    step, _, number = key.partition(":")
    made = [entry["at"] for entry in order["history"] if entry["step"] == step]
    # Failed payments are numbered; of complaints the latest holds; other steps are made once.
    at = made[int(number) - 1] if step == PAYMENT_FAILED else made[-1]
    status = SHIPPED if step == COMPLAINED else step
    return OrderChanged(order_id=order["_id"], status=status, at=to_text(at))


def _rooms(order: StoredOrder) -> tuple[str, str]:
    return user_room(order["buyer_id"]), user_room(order["seller_id"])
