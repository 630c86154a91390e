"""The life of an order: which step may follow which, and what each one causes.

created → paid → shipped → delivered → payout_completed; before it is paid an order can fail to be
paid (and be tried again) or be cancelled, after that it can be refunded until it is delivered.

A step is one conditional update that also notes the step as `unfinished`. Its consequences
(notifications, events, payout, refund) are then carried out and struck off; what a crash leaves
unfinished is carried out again, and every consequence has a key under which it happens once.
"""

import asyncio
import logging
from datetime import timedelta

from models.database import Database, Document
from models.events import Publisher
from models.market.events import OrderChanged
from models.market.payments import PaymentProvider
from models.market.records import CREATED
from models.market.texts import BUYER, SELLER, TEXTS, Text, link, message
from models.notifications.port import Notice, Notify
from models.rooms import user_room
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

UNPAID = "unpaid"
"""Why an order was cancelled that nobody has."""

PAYMENT_TIME = timedelta(minutes=30)
"""How long a payment that was begun in time may take: what providers give a buyer at least."""

_STRIKES = {
    PAID: ("unpaid_since", "paying_since"),
    CANCELLED: ("unpaid_since", "paying_since"),
    PAYMENT_FAILED: ("paying_since",),
}
"""What an order no longer has after a step."""

GRACE = timedelta(seconds=10)
"""How long whoever made a step has for its consequences before a sweep takes them over."""


class Steps:
    """Moves orders and carries out what follows."""

    def __init__(
        self,
        database: Database,
        publisher: Publisher,
        notify: Notify,
        provider: PaymentProvider,
        *,
        time_to_pay: timedelta,
        clock: Clock,
    ) -> None:
        self._orders = database["market_orders"]
        self._publisher = publisher
        self._notify = notify
        self._provider = provider
        self._time_to_pay = time_to_pay
        self._clock = clock

    async def move(
        self,
        order: Document,
        step: str,
        *,
        operation_id: str | None = None,
        why: str | None = None,
        only_if: Document | None = None,
        **changes: object,
    ) -> Document | None:
        """Make a step if the order is where it may be made; gives the order, else None."""
        at = self._clock()
        key = step if why is None else f"{step}:{why}"
        where = {"_id": order["_id"], "status": {"$in": list(MAY_FOLLOW[step])}, **(only_if or {})}
        if step == PAYMENT_FAILED:
            # A step that can be repeated: each time is a cause of its own.
            changes["attempts"] = order["attempts"] + 1
            key = f"{step}:{order['attempts'] + 1}"
        update: Document = {
            "$set": {"status": step, "updated_at": at, "telling": True, **changes},
            "$push": {
                "unfinished": key,
                "history": {"step": step, "at": at, "operation_id": operation_id},
            },
        }
        if step in _STRIKES:
            update["$unset"] = dict.fromkeys(_STRIKES[step], "")
        return await self._orders.find_one_and_update(where, update, return_document=True)

    async def begin_payment(self, order_id: str) -> bool:
        """Keep an order that waits for its payment from being cancelled while it is made."""
        begun = await self._orders.find_one_and_update(
            {
                "_id": order_id,
                "status": {"$in": list(PAYABLE)},
                "unpaid_since": {"$gt": self._clock() - self._time_to_pay},
            },
            {"$set": {"paying_since": self._clock()}},
        )
        return begun is not None

    async def cancel_unpaid(self) -> None:
        """Cancel the orders that were not paid in time, unless a payment has just been begun."""
        at = self._clock()
        overdue = {"unpaid_since": {"$lte": at - self._time_to_pay}}
        # Both are conditions of the one update: whoever pays or cancels at this moment is first or
        # is not, and money that comes after this is given back.
        not_paying = {
            **overdue,
            "$or": [
                {"paying_since": {"$exists": False}},
                {"paying_since": {"$lte": at - PAYMENT_TIME}},
            ],
        }
        for order in await self._orders.find(overdue).to_list(None):
            if await self.move(order, CANCELLED, why=UNPAID, only_if=not_paying):
                await self.finish(order["_id"])

    async def finish(self, order_id: str) -> None:
        """Carry out what the order's steps cause; what fails is left to the sweep."""
        try:
            await self._finish(order_id)
        except Exception:
            logger.exception("consequences of order %s are not all done; a sweep goes on", order_id)

    async def sweep(self, *, at_once: bool = False) -> None:
        """Carry out what somebody left unfinished, `at_once` without grace."""
        waiting: Document = {"telling": True}
        if not at_once:
            waiting["updated_at"] = {"$lte": self._clock() - GRACE}
        for order in await self._orders.find(waiting).to_list(None):
            await self.finish(order["_id"])

    async def _finish(self, order_id: str) -> None:
        order = await self._orders.find_one({"_id": order_id})
        while order and order["unfinished"]:
            key = order["unfinished"][0]
            await self._follow(order, key)
            # As a rule it was the only one, and one write ends it all.
            only_this = {"$and": [{"unfinished": key}, {"unfinished": {"$size": 1}}]}
            ended = await self._orders.find_one_and_update(
                {"_id": order_id, **only_this}, {"$set": {"unfinished": [], "telling": False}}
            )
            if ended is not None:
                return
            order = await self._orders.find_one_and_update(
                {"_id": order_id}, {"$pull": {"unfinished": key}}, return_document=True
            )
        await self._orders.find_one_and_update(
            {"_id": order_id, "unfinished": {"$size": 0}}, {"$set": {"telling": False}}
        )

    async def _follow(self, order: Document, key: str) -> None:
        step = key.partition(":")[0]
        await self._announce(order, step)
        texts = TEXTS.get(key, TEXTS.get(step, ()))
        async with asyncio.TaskGroup() as both:
            for party, account_id in ((BUYER, order["buyer_id"]), (SELLER, order["seller_id"])):
                notices = _notices(order, key, account_id, [t for t in texts if t.party == party])
                if notices:
                    both.create_task(self._notify.several(account_id, notices))
        if step == REFUNDED:
            await self._provider.refund(order["payment_id"], cents=order["price"])
        if step == DELIVERED and await self._provider.pay_out(
            order["_id"], account_id=order["seller_id"], cents=order["price"]
        ):
            await self.move(order, PAYOUT_COMPLETED)

    async def _announce(self, order: Document, step: str) -> None:
        made = [entry["at"] for entry in order["history"] if entry["step"] == step]
        event = OrderChanged(order_id=order["_id"], status=step, at=to_text(made[-1]))
        rooms = user_room(order["buyer_id"]), user_room(order["seller_id"])
        await self._publisher.publish(event, *rooms)


def _notices(order: Document, key: str, account_id: str, texts: list[Text]) -> list[Notice]:
    return [
        Notice(
            text.type,
            key=f"order:{order['_id']}:{key}:{text.type}:{account_id}",
            title=text.title,
            message=message(text, order),
            link=link(order),
        )
        for text in texts
    ]
