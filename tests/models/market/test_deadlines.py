"""Deadlines of orders and offers, what they lead to, and the list of what is stuck."""

import asyncio
from datetime import timedelta

import pytest

from models.errors import Conflict, Forbidden
from models.market.receipts import Received
from models.pages import Position
from models.rooms import user_room
from tests.market_world import (
    BUYER,
    GOOD_CARD,
    OPERATOR,
    SELLER,
    SIZE,
    build_market,
    make_order,
    told,
)

DAY = timedelta(days=1)
MOMENT = timedelta(milliseconds=1)
PARCEL = {"carrier": "UPS", "tracking": "1Z999"}


@pytest.fixture
def paid(market, shoe):
    """Make an order that is paid."""

    async def paid():
        order_id = await make_order(market, shoe)
        await market.orders.pay(BUYER, order_id, card_number=GOOD_CARD, operation_id="p")
        return order_id

    return paid


async def types(market, who):
    return [notice["type"] for notice in await told(market, who)][3:]


async def status(market, order_id):
    return (await market.orders.get(BUYER, order_id))["status"]


async def sweep_twice(market):
    for _ in range(2):
        await market.sweep()


async def test_an_order_that_is_not_shipped_is_refunded(market, paid, clock, publisher):
    """Both are told once a day before, and once of the refund; the money goes back once."""
    order_id = await paid()
    assert (await market.orders.get(BUYER, order_id))["deadline"] == "2026-03-08T12:00:00.000Z"
    clock.move(6 * DAY - MOMENT)
    await market.sweep()
    assert await types(market, SELLER) == []
    clock.move(MOMENT)
    await sweep_twice(market)
    assert await types(market, SELLER) == await types(market, BUYER) == ["order_reminder"]
    assert (await told(market, SELLER))[-1]["message"] == (
        "Ship Nike Air Jordan 1 (US 9) by 8 March 2026, 12:00 UTC;"
        " otherwise the order is cancelled and the buyer refunded"
    )
    clock.move(DAY - MOMENT)
    await market.sweep()
    assert await status(market, order_id) == "paid"
    publisher.take()
    clock.move(MOMENT)
    await sweep_twice(market)
    order = await market.orders.get(BUYER, order_id)
    assert (order["status"], order["refunded_amount"], order["deadline"]) == (
        *("refunded", "220.00"),
        None,
    )
    assert order["history"][-1]["reason"] == "unshipped"
    assert len(publisher.take("order.changed")) == 1
    for who in (SELLER, BUYER):
        assert await types(market, who) == ["order_reminder", "order_refunded"]


async def test_a_shipped_order_closes_by_itself(market, paid, clock):
    """Without confirmation or complaint it counts as delivered, and the seller is paid."""
    order_id = await paid()
    await market.orders.ship(SELLER, order_id, **PARCEL, operation_id="s")
    clock.move(13 * DAY)
    await sweep_twice(market)
    assert await status(market, order_id) == "shipped"
    assert await types(market, BUYER) == ["order_shipped", "order_reminder"]
    clock.move(DAY)
    await sweep_twice(market)
    assert await status(market, order_id) == "payout_completed"
    assert (await types(market, BUYER))[2:] == ["order_delivered"]
    assert (await types(market, SELLER)) == [
        *("order_reminder", "order_delivered", "payout_completed")
    ]


async def test_nobody_is_acted_on_without_a_day_of_warning(market, paid, clock):
    """A server that was away over the deadline tells first, and acts a day later."""
    order_id = await paid()
    clock.move(30 * DAY)
    await sweep_twice(market)
    assert await status(market, order_id) == "paid"
    assert await types(market, SELLER) == ["order_reminder"]
    clock.move(DAY)
    await market.sweep()
    assert await status(market, order_id) == "refunded"


async def test_a_complaint_stops_the_clock(market, paid, clock, publisher):
    """The order waits for an operator, who sees the text and what can be done.

    Both parties hear of the complaint and of its answer.
    """
    order_id = await paid()
    with pytest.raises(Conflict) as refused:
        await market.orders.complain(BUYER, order_id, text="late", operation_id="c")
    assert refused.value.code == "illegal_step"
    await market.orders.ship(SELLER, order_id, **PARCEL, operation_id="s")
    with pytest.raises(Forbidden):
        await market.orders.complain(SELLER, order_id, text="no", operation_id="c")
    publisher.take()
    for _ in range(2):
        order = await market.orders.complain(BUYER, order_id, text="Two left.", operation_id="c")
    parties = {user_room(BUYER.account_id), user_room(SELLER.account_id)}
    ((event, rooms),) = publisher.take("order.changed")
    assert (event["order_id"], event["status"], event["at"]) == (
        *(order_id, "shipped"),
        order["history"][-1]["at"],
    )
    assert {*rooms} == parties
    assert (order["complaint"], order["deadline"]) == ("Two left.", None)
    assert await types(market, SELLER) == ["order_complaint"]
    clock.move(60 * DAY)
    await sweep_twice(market)
    assert await status(market, order_id) == "shipped"
    (listed,) = (await market.orders.list_stuck(OPERATOR))["items"]
    assert listed["stuck"] == {"reason": "complaint", "actions": ["refund", "deliver"]}
    assert listed["id"] == order_id
    await market.orders.refund(OPERATOR, order_id, operation_id="r")
    ((event, rooms),) = publisher.take("order.changed")
    assert (event["status"], {*rooms}) == ("refunded", parties)
    assert (await market.orders.list_stuck(OPERATOR))["items"] == []
    with pytest.raises(Forbidden):
        await market.orders.list_stuck(BUYER)


async def test_shipping_and_the_deadline_at_the_same_moment(market, paid, clock):
    """An order is shipped or refunded, and never one after the other."""
    ids = [await paid() for _ in range(6)]
    clock.move(6 * DAY)
    await market.sweep()
    clock.move(DAY)

    async def ship(order_id):
        try:
            await market.orders.ship(SELLER, order_id, **PARCEL, operation_id=f"s{order_id}")
        except Conflict:
            return False
        return True

    _, *shipped = await asyncio.gather(market.sweep(), *(ship(order_id) for order_id in ids))
    for order_id, was_shipped in zip(ids, shipped, strict=True):
        order = await market.orders.get(BUYER, order_id)
        steps = [made["status"] for made in order["history"]]
        assert steps == ["created", "paid", "shipped" if was_shipped else "refunded"]


async def test_where_refunds_are_made_by_hand_operators_are_asked(database, shoe, clock, publisher):
    """The order stays paid, and stands in the list with what can be done; so does a payout."""
    market = build_market(database, publisher, clock, test_payments=False)
    ids = [await make_order(market, shoe) for _ in range(2)]
    for order_id in ids:
        await market.orders.paid(order_id, Received(f"pi_{order_id}", 22_000))
    await market.orders.ship(SELLER, ids[1], **PARCEL, operation_id="s")
    await market.orders.deliver(BUYER, ids[1], operation_id="d")
    clock.move(6 * DAY)
    await market.sweep()
    assert "the market may refund" in (await told(market, SELLER))[-1]["message"]
    clock.move(DAY)
    await sweep_twice(market)
    assert await status(market, ids[0]) == "paid"
    pages = [await market.orders.list_stuck(OPERATOR, limit=1)]
    following = Position.from_text(pages[0]["next"])
    pages.append(await market.orders.list_stuck(OPERATOR, limit=1, after=following))
    listed = [page["items"][0] for page in pages]
    assert {order["id"]: order["stuck"] for order in listed} == {
        ids[0]: {"reason": "not_shipped", "actions": ["refund_at_provider"]},
        ids[1]: {"reason": "not_paid_out", "actions": ["pay_out_at_provider"]},
    }


async def test_a_provider_that_refuses_is_seen_by_operators(market, paid, clock):
    """A refund that the provider does not make for an hour stands in the list."""
    order_id = await paid()

    async def refuse(payment_id):
        raise ConnectionError

    market.orders._steps._provider.refund = refuse
    await market.orders.refund(SELLER, order_id, operation_id="r")
    assert (await market.orders.list_stuck(OPERATOR))["items"] == []
    clock.move(timedelta(hours=1))
    (listed,) = (await market.orders.list_stuck(OPERATOR))["items"]
    assert listed["stuck"] == {"reason": "not_finished", "actions": []}


async def test_an_offer_about_to_expire_is_told_of(market, shoe, clock):
    """An hour before, once, if it waits still and was placed for two hours or more."""

    async def ask(dollars, hours):
        return await market.trading.place(
            SELLER,
            "ask",
            product_id=shoe,
            size=SIZE,
            price=dollars * 100,
            expires_at=clock() + timedelta(hours=hours),
        )

    await ask(220, 2)
    gone = await ask(230, 2)
    await ask(240, 1.9)
    await market.trading.cancel(SELLER, "ask", gone["id"])
    clock.move(timedelta(hours=1) - MOMENT)
    await market.sweep()
    assert await told(market, SELLER) == []
    clock.move(MOMENT)
    await sweep_twice(market)
    (notice,) = await told(market, SELLER)
    assert (notice["type"], notice["link"]) == ("offer_expiring", f"/products/{shoe}")
    assert notice["message"] == (
        "Your ask of $220 for Nike Air Jordan 1 (US 9) expires on 1 March 2026, 14:00 UTC"
    )
