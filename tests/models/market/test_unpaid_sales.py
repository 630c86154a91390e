"""Matches that are not paid: no sales, the other party's offer in its place again, and a limit."""

from datetime import timedelta

import pytest

from models.errors import TooManyRequests
from models.market.reliability import WINDOW
from models.migrations import Migrations
from models.rooms import book_room
from tests.market_world import (
    BUYER,
    GOOD_CARD,
    OPERATOR,
    OTHER,
    SELLER,
    SIZE,
    build_market,
    make_order,
    told,
)

DAY = timedelta(hours=24)


@pytest.fixture
def place(market, shoe):
    async def place(who, side, dollars, **more):
        where = {"product_id": shoe, "size": SIZE, "price": dollars * 100}
        return await market.trading.place(who, side, **where, **more)

    return place


async def levels(market, shoe, side):
    book = await market.trading.book(shoe, SIZE)
    return [(level["price"], level["quantity"]) for level in book[f"{side}s"]]


async def test_a_match_is_a_sale_once_it_is_paid(market, shoe, publisher):
    """Before that, and when it is cancelled, no history, day, last sale or event shows it."""
    orders = [await make_order(market, shoe, price) for price in (99_900, 22_000)]
    await market.orders.cancel(BUYER, orders[0], operation_id="c")
    history = await market.sales.history(shoe)
    assert (history["items"], history["daily"]) == ([], [])
    assert (await market.trading.book(shoe, SIZE))["last_sale"] is None
    assert publisher.take("sale") == []
    for _ in range(2):
        await market.orders.pay(BUYER, orders[1], card_number=GOOD_CARD, operation_id="p")
    history = await market.sales.history(shoe)
    assert [sale["price"] for sale in history["items"]] == ["220.00"]
    assert [(day["high"], day["volume"]) for day in history["daily"]] == [("220.00", 1)]
    assert (await market.trading.book(shoe, SIZE))["last_sale"]["price"] == "220.00"
    ((sale, rooms),) = publisher.take("sale")
    assert (sale["price"], rooms) == ("220.00", (book_room(shoe, SIZE),))


async def test_a_sale_is_counted_once_after_a_crash(market, shoe, database, clock):
    """What a process that died has recorded of a sale is completed, and not repeated."""
    order_id = await make_order(market, shoe)
    await market.orders.pay(BUYER, order_id, card_number=GOOD_CARD, operation_id="p")
    for lost in ((), ("market_days",), ("market_sales",), ("market_days", "market_sales")):
        for name in lost:
            await database[name].delete_many({})
        await database["market_orders"].update_one(
            {"_id": order_id}, {"$set": {"unfinished": ["paid"], "telling": True}}
        )
        await build_market(database, clock=clock).orders.resume()
        history = await market.sales.history(shoe)
        assert len(history["items"]) == 1
        assert [day["volume"] for day in history["daily"]] == [1]


@pytest.mark.parametrize(
    ("who", "side", "returned"),
    [(BUYER, "ask", SELLER), (SELLER, "bid", BUYER), (None, "ask", SELLER)],
    ids=["buyer", "seller", "unpaid"],
)
async def test_the_innocent_offer_returns_to_its_place(
    market, shoe, place, clock, who, side, returned
):
    """It has its price and its turn again, in this and in any other process; both are told."""
    resting = returned
    taker = BUYER if returned is SELLER else SELLER
    await place(resting, side, 220)
    await place(OTHER, side, 220)
    order_id = (await place(taker, "bid" if side == "ask" else "ask", 220))["order_id"]
    assert await levels(market, shoe, side) == [("220.00", 1)]
    if who is None:
        clock.move(DAY)
        await market.sweep()
    else:
        await market.orders.cancel(who, order_id, operation_id="c")
    assert await levels(market, shoe, side) == [("220.00", 2)]
    (offer,) = (await market.trading.mine(resting, side, status="open"))["items"]
    assert (offer["price"], offer["order_id"]) == ("220.00", None)
    notices = [(await told(market, each))[-1] for each in (SELLER, BUYER)]
    assert {notice["type"] for notice in notices} <= {"order_cancelled", "payment_failed"}
    innocent = notices[0] if returned is SELLER else notices[1]
    assert innocent["message"].endswith(f"your {side} is back in its place")
    other = build_market(market.trading._database, clock=clock)
    again = await other.trading.place(
        OPERATOR,
        "bid" if side == "ask" else "ask",
        product_id=shoe,
        size=SIZE,
        price=22_000,
    )
    found = await other.trading.get(resting, side, offer["id"])
    assert (found["status"], found["order_id"]) == ("matched", again["order_id"])


async def test_an_offer_whose_time_is_over_does_not_return(market, shoe, place, clock):
    """Its owner is asked to place another one; so are both when an operator cancels."""
    await place(SELLER, "ask", 220, expires_at=clock() + DAY / 2)
    await place(BUYER, "bid", 220)
    clock.move(DAY)
    await market.sweep()
    assert await levels(market, shoe, "ask") == []
    message = (await told(market, SELLER))[-1]["message"]
    assert message.endswith("ask again if you still want to sell")
    order_id = await make_order(market, shoe)
    await market.orders.cancel(OPERATOR, order_id, operation_id="c")
    assert await levels(market, shoe, "ask") == []
    assert (await told(market, BUYER))[-1]["message"].endswith("bid again if you still want it")
    assert (await told(market, SELLER))[-1]["message"].endswith(
        "ask again if you still want to sell"
    )


async def test_the_offer_returns_once_after_a_crash(market, shoe, place, database, clock):
    """A repeat finds it in its book, or matched or cancelled since, and adds none."""
    order_id = await make_order(market, shoe)
    await market.orders.cancel(BUYER, order_id, operation_id="c")
    (offer,) = (await market.trading.mine(SELLER, "ask", status="open"))["items"]
    for cancelled in (False, True):
        if cancelled:
            await market.trading.cancel(SELLER, "ask", offer["id"])
        await database["market_orders"].update_one(
            {"_id": order_id}, {"$set": {"unfinished": ["cancelled:buyer"], "telling": True}}
        )
        await market.orders.resume()
        assert len(await levels(market, shoe, "ask")) == (not cancelled)


async def test_who_lets_matches_go_unpaid_is_limited(market, shoe, place, clock):
    """After three in 30 days bids are refused until the first no longer counts; asks are not."""
    for _ in range(3):
        await make_order(market, shoe)
        clock.move(DAY)
        await market.sweep()
        for ask in (await market.trading.mine(SELLER, "ask", status="open"))["items"]:
            await market.trading.cancel(SELLER, "ask", ask["id"])
    with pytest.raises(TooManyRequests) as refused:
        await place(BUYER, "bid", 100)
    assert refused.value.code == "too_many_unpaid"
    assert refused.value.retry_after_s == (WINDOW - 2 * DAY).total_seconds()
    await place(BUYER, "ask", 300)
    await place(OTHER, "bid", 100)
    clock.move(WINDOW - 2 * DAY)
    await place(BUYER, "bid", 110)


async def test_who_cancels_again_and_again_is_limited(database, clock, publisher, shoe):
    """Cancelled orders count for the party that cancelled them, on both sides of the book."""
    market = build_market(database, publisher, clock, cancelled_orders=2)
    where = {"product_id": shoe, "size": SIZE, "price": 22_000}
    for number in range(2):
        order_id = await make_order(market, shoe)
        await market.orders.cancel(SELLER, order_id, operation_id=f"c{number}")
        for bid in (await market.trading.mine(BUYER, "bid", status="open"))["items"]:
            await market.trading.cancel(BUYER, "bid", bid["id"])
    for side in ("ask", "bid"):
        with pytest.raises(TooManyRequests) as refused:
            await market.trading.place(SELLER, side, **where)
        assert refused.value.code == "too_many_cancelled"
    await market.trading.place(BUYER, "bid", **where)


async def test_sales_of_before_are_taken_back_if_they_were_not_paid(market, shoe, database):
    """The migration leaves paid ones, removes the others, and counts their days anew."""
    paid, unpaid = [await make_order(market, shoe, price) for price in (22_000, 99_900)]
    await market.orders.pay(BUYER, paid, card_number=GOOD_CARD, operation_id="p")
    (sale,) = await database["market_sales"].find({}).to_list(None)
    old = sale | {"_id": f"{sale['book']}:4", "price": 99_900}
    await database["market_sales"].insert_one(old)
    await database["market_days"].update_many(
        {}, {"$set": {"high": 99_900, "volume": 2}, "$unset": {"counted": ""}}
    )
    for name in ("match_seq", "book"):
        await database["market_orders"].update_many({}, {"$unset": {name: ""}})
    await database["migrations"].delete_many({})
    await Migrations(database).apply()
    history = await market.sales.history(shoe)
    assert [sale["price"] for sale in history["items"]] == ["220.00"]
    assert [(day["high"], day["volume"]) for day in history["daily"]] == [("220.00", 1)]
    await market.orders.pay(BUYER, unpaid, card_number=GOOD_CARD, operation_id="p")
    assert len((await market.sales.history(shoe))["items"]) == 2
