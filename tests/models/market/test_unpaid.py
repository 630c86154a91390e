"""Orders that nobody pays: cancelled in time, and never under a payment that is being made."""

import asyncio
from datetime import timedelta

import pytest

from models.errors import Conflict
from models.market.payments import TestPayments
from models.market.receipts import Received
from models.market.steps import Times
from models.rooms import user_room
from tests.market_world import (
    BUYER,
    DECLINED_CARD,
    GOOD_CARD,
    SELLER,
    add_shoe,
    build_market,
    make_order,
    told,
)

TIME_TO_PAY = timedelta(hours=24)
MOMENT = timedelta(milliseconds=1)
HALF_HOUR = timedelta(minutes=30)


class SlowPayments(TestPayments):
    """Charges when it is let."""

    def __init__(self):
        self.begun = asyncio.Event()
        self.go_on = asyncio.Event()

    async def charge(self, payment_id, *, cents, card_number):
        self.begun.set()
        await self.go_on.wait()
        return await super().charge(payment_id, cents=cents, card_number=card_number)


@pytest.fixture
def pay(market):
    async def pay(order_id, card_number=GOOD_CARD, operation_id="pay"):
        return await market.orders.pay(
            BUYER, order_id, card_number=card_number, operation_id=operation_id
        )

    return pay


async def status_of(market, order_id):
    return (await market.orders.get(BUYER, order_id))["status"]


async def test_an_order_that_is_not_paid_is_cancelled(market, shoe, clock, publisher):
    """At the end of its time a sweep cancels it once, and both are notified of that once."""
    order_id = await make_order(market, shoe)
    order = await market.orders.get(BUYER, order_id)
    assert order["deadline"] == "2026-03-02T12:00:00.000Z"
    (created,) = [each for each in await told(market, BUYER) if each["type"] == "order_created"]
    assert created["message"] == (
        "Pay $220 for Nike Air Jordan 1 (US 9) by 2 March 2026, 12:00 UTC,"
        " and the seller will ship it"
    )
    clock.move(TIME_TO_PAY - MOMENT)
    await market.sweep()
    assert await status_of(market, order_id) == "created"
    clock.move(MOMENT)
    publisher.take()
    for _ in range(2):
        await market.sweep()
    assert await status_of(market, order_id) == "cancelled"
    ((changed, rooms),) = publisher.take("order.changed")
    assert (changed["status"], rooms) == ("cancelled", (user_room("2"), user_room("1")))
    *_, notice = await told(market, BUYER)
    assert notice["type"] == "payment_failed"
    assert notice["link"] == f"/orders/{order_id}"
    assert notice["message"] == (
        "Your payment of $220 for Nike Air Jordan 1 (US 9) has not come in time;"
        " the order is cancelled"
    )
    assert [len(await told(market, who)) for who in (BUYER, SELLER)] == [3, 3]


async def test_declined_cards_give_no_more_time(market, shoe, clock, pay):
    """The time runs from the match, whatever was tried meanwhile."""
    order_id = await make_order(market, shoe)
    clock.move(TIME_TO_PAY - MOMENT)
    assert (await pay(order_id, DECLINED_CARD))["status"] == "payment_failed"
    clock.move(MOMENT)
    await market.sweep()
    assert await status_of(market, order_id) == "cancelled"


async def test_paid_and_cancelled_orders_stay_what_they_are(market, shoe, clock, pay):
    """A sweep long after leaves a paid and a cancelled order alone."""
    paid, cancelled = [await make_order(market, shoe) for _ in range(2)]
    await pay(paid)
    await market.orders.cancel(SELLER, cancelled, operation_id="cancel")
    clock.move(TIME_TO_PAY * 2)
    before = len(await told(market, BUYER))
    await market.sweep()
    assert await status_of(market, paid) == "paid"
    assert await status_of(market, cancelled) == "cancelled"
    assert len(await told(market, BUYER)) == before


async def test_the_time_to_pay_is_a_setting(database, clock):
    """A market may give less time."""
    market = build_market(database, clock=clock, times=Times(pay=timedelta(hours=1)))
    await market.prepare()
    order_id = await make_order(market, await add_shoe(market))
    clock.move(timedelta(hours=1))
    await market.sweep()
    assert await status_of(market, order_id) == "cancelled"


async def test_who_pays_too_late_is_not_charged(market, shoe, clock, pay):
    """Before the sweep has come a payment that begins too late is refused all the same."""
    order_id = await make_order(market, shoe)
    clock.move(TIME_TO_PAY)
    with pytest.raises(Conflict) as refused:
        await pay(order_id)
    assert refused.value.code == "payment_overdue"
    await market.sweep()
    with pytest.raises(Conflict) as refused:
        await pay(order_id)
    assert refused.value.code == "illegal_step"


async def test_a_payment_under_way_is_not_cut_off(market, shoe, clock, pay):
    """Whoever began to pay in time has paid, though sweeps came while the provider was at it."""
    order_id = await make_order(market, shoe)
    clock.move(TIME_TO_PAY - MOMENT)
    market.orders._provider = slow = SlowPayments()
    paying = asyncio.create_task(pay(order_id))
    await slow.begun.wait()
    clock.move(HALF_HOUR - MOMENT)
    await market.sweep()
    slow.go_on.set()
    assert (await paying)["status"] == "paid"


async def test_a_payment_that_never_comes_ends_too(database, shoe, clock):
    """A buyer who went to the provider and did not come back has half an hour; then late money
    is kept as surplus, to be given back.
    """
    market = build_market(database, clock=clock, test_payments=False)
    order_id = await make_order(market, shoe)
    clock.move(TIME_TO_PAY - MOMENT)
    await market.orders.pay(BUYER, order_id, operation_id="pay")
    clock.move(HALF_HOUR - MOMENT)
    await market.sweep()
    assert await status_of(market, order_id) == "created"
    with pytest.raises(Conflict) as refused:
        await market.orders.pay(BUYER, order_id, operation_id="again")
    assert refused.value.code == "payment_overdue"
    clock.move(MOMENT)
    await market.sweep()
    assert await status_of(market, order_id) == "cancelled"
    assert not await market.orders.paid(order_id, Received("pi_late", 22_000))
    assert await status_of(market, order_id) == "cancelled"
    assert (await database["market_payments"].find_one({"_id": "pi_late"}))["surplus"]


async def test_money_and_sweep_at_the_same_moment(market, shoe, clock, database):
    """An order whose money comes while it is swept is paid or cancelled, and then it is surplus."""
    ids = [await make_order(market, shoe) for _ in range(8)]
    clock.move(TIME_TO_PAY)
    await asyncio.gather(
        market.sweep(),
        *(market.orders.paid(order_id, Received(f"pi_{order_id}", 22_000)) for order_id in ids),
    )
    for order_id in ids:
        payment = await database["market_payments"].find_one({"_id": f"pi_{order_id}"})
        expected = "cancelled" if payment["surplus"] else "paid"
        assert await status_of(market, order_id) == expected
    types = [notice["type"] for notice in await told(market, SELLER)]
    statuses = [await status_of(market, order_id) for order_id in ids]
    assert types.count("order_paid") == statuses.count("paid")
