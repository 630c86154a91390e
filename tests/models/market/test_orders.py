"""The life of an order: who may make which step, and who is told what."""

import asyncio
from datetime import timedelta

import pytest

from models.errors import Conflict, Invalid
from models.pages import Position
from tests.market_world import (
    BUYER,
    DECLINED_CARD,
    GOOD_CARD,
    OPERATOR,
    OTHER,
    SELLER,
    build_market,
    make_order,
    told,
)

PARCEL = {"carrier": "UPS", "tracking": "1Z999"}
ROLES = {"buyer": BUYER, "seller": SELLER, "operator": OPERATOR}

STEPS = {
    "pay": (("buyer",), {"card_number": GOOD_CARD}),
    "ship": (("seller",), PARCEL),
    "deliver": (("buyer", "operator"), {}),
    "cancel": (("buyer", "seller", "operator"), {}),
    "refund": (("seller", "operator"), {}),
}


@pytest.fixture
def step(market):
    """Make a step: order, name, who; a decline is a payment with the other card."""
    numbers = iter(range(1000))

    async def step(order_id, name, who=None, operation_id=None):
        roles, values = STEPS["pay" if name == "decline" else name]
        if name == "decline":
            values = {"card_number": DECLINED_CARD}
        make = getattr(market.orders, "pay" if name == "decline" else name)
        operation_id = operation_id or f"op-{next(numbers)}"
        return await make(who or ROLES[roles[0]], order_id, **values, operation_id=operation_id)

    return step


async def test_from_bid_to_payout_everybody_is_told(market, shoe, step):
    """A buyer and a seller go the whole way, and each gets exactly the documented notices."""
    order_id = await make_order(market, shoe)
    for name in ("decline", "pay", "ship", "deliver"):
        order = await step(order_id, name)
    assert order["status"] == "payout_completed"
    assert (order["carrier"], order["tracking"]) == ("UPS", "1Z999")
    assert [made["status"] for made in order["history"]] == [
        *("created", "payment_failed", "paid", "shipped", "delivered", "payout_completed")
    ]
    assert [notice["type"] for notice in await told(market, BUYER)] == [
        *("match_created", "order_created", "payment_failed", "payment_succeeded"),
        *("order_shipped", "order_delivered"),
    ]
    assert [notice["type"] for notice in await told(market, SELLER)] == [
        *("match_created", "order_created", "order_paid", "order_delivered", "payout_completed")
    ]
    links = {notice["link"] for who in (BUYER, SELLER) for notice in await told(market, who)}
    assert links == {f"/orders/{order_id}"}
    (shipped,) = [n for n in await told(market, BUYER) if n["type"] == "order_shipped"]
    assert shipped["message"] == (
        "Nike Air Jordan 1 (US 9) is on its way with UPS, tracking number 1Z999"
    )


async def test_a_repeated_operation_gives_the_order(market, shoe, step):
    """A step sent again as the same operation is no conflict and tells nobody again."""
    order_id = await make_order(market, shoe)
    for name in ("decline", "pay", "ship", "deliver"):
        first = await step(order_id, name, operation_id=name)
        assert await step(order_id, name, operation_id=name) == first
    assert len(await told(market, BUYER)) == 6


async def test_a_step_sent_again_under_its_client_id_is_made_once(market, shoe, step):
    """The key holds for one step of one order and what was sent with it; a refusal frees it."""
    order_id = await make_order(market, shoe)
    other_id = await make_order(market, shoe)
    key = {"client_id": "key"}
    with pytest.raises(Conflict) as refused:
        await market.orders.ship(SELLER, order_id, **PARCEL, **key)
    assert refused.value.code == "illegal_step"
    for each in (order_id, other_id):
        await step(each, "pay")
    first = await market.orders.ship(SELLER, order_id, **PARCEL, **key)
    assert await market.orders.ship(SELLER, order_id, **PARCEL, **key) == first
    with pytest.raises(Invalid) as refused:
        await market.orders.ship(SELLER, order_id, **PARCEL | {"tracking": "2Z"}, **key)
    assert refused.value.code == "key_reused"
    await market.orders.ship(SELLER, other_id, **PARCEL, **key)
    assert (await market.orders.deliver(BUYER, order_id, **key))["status"] == "payout_completed"
    await market.orders.refund(SELLER, other_id, **key)
    assert (await market.orders.refund(SELLER, other_id, **key))["status"] == "refunded"
    shipped = [notice["type"] for notice in await told(market, BUYER)]
    assert shipped.count("order_shipped") == 2


async def test_paying_at_the_same_time_pays_once(market, shoe, step):
    """Of ten payments at once one succeeds, nine are conflicts, and each is told once."""
    order_id = await make_order(market, shoe)
    answers = await asyncio.gather(
        *(step(order_id, "pay") for _ in range(10)), return_exceptions=True
    )
    refused = [answer.code for answer in answers if isinstance(answer, Conflict)]
    assert refused == ["already_paid"] * 9
    types = [notice["type"] for notice in await told(market, SELLER)]
    assert types.count("order_paid") == 1


async def test_payments_that_fail_are_told_each(market, shoe, step):
    """Every declined card is a notice of its own."""
    order_id = await make_order(market, shoe)
    for _ in range(3):
        await step(order_id, "decline")
    types = [notice["type"] for notice in await told(market, BUYER)]
    assert types.count("payment_failed") == 3


@pytest.mark.parametrize("card_number", [None, "4111111111111111"])
async def test_the_test_provider_takes_test_cards_only(market, shoe, card_number):
    """Without one of the test cards the field is named, and the order is as before."""
    order_id = await make_order(market, shoe)
    with pytest.raises(Invalid) as refused:
        await market.orders.pay(BUYER, order_id, card_number=card_number, operation_id="x")
    assert set(refused.value.fields) == {"card_number"}
    assert (await market.orders.get(BUYER, order_id))["status"] == "created"


async def test_what_a_crash_left_untold_is_told_once(market, shoe, step, database, clock):
    """A process that died after a step leaves its notices to the next one's start or sweep."""
    order_id = await make_order(market, shoe)

    class Dying:
        async def several(self, account_id, notices):
            raise ConnectionError

    market.orders._steps._notify = Dying()
    await step(order_id, "pay")
    market.orders._steps._notify = market.notifications
    assert len(await told(market, SELLER)) == 2
    await market.sweep()
    assert len(await told(market, SELLER)) == 2  # somebody may still be at it
    clock.move(timedelta(seconds=10))
    await asyncio.gather(market.sweep(), build_market(database, clock=clock).prepare())
    assert [notice["type"] for notice in await told(market, SELLER)][2:] == ["order_paid"]
    assert [notice["type"] for notice in await told(market, BUYER)][2:] == ["payment_succeeded"]


async def test_orders_are_listed_by_role(market, shoe, clock):
    """Each party lists its orders newest first, as buyer, as seller or both, in pages."""
    ids = []
    for _ in range(3):
        ids.append(await make_order(market, shoe))
        clock.move(timedelta(seconds=1))
    first = await market.orders.mine(BUYER, limit=2)
    rest = await market.orders.mine(BUYER, limit=2, after=Position.from_text(first["next"]))
    assert [order["id"] for order in first["items"] + rest["items"]] == ids[::-1]
    assert len((await market.orders.mine(SELLER, role="seller"))["items"]) == 3
    assert (await market.orders.mine(SELLER, role="buyer"))["items"] == []
    assert (await market.orders.mine(OTHER))["items"] == []
