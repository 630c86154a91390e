"""The tables of orders: every status, every action, every role, and what comes of each.

The roles are buyer, seller, operator and stranger, the payment provider with its events, the system
with its deadlines, and people whose account was disabled, whom every route refuses.
"""

from datetime import timedelta
from itertools import count

import pytest

from models.errors import Conflict, Forbidden, NotFound
from models.market.steps import MAY_FOLLOW, STATUSES
from tests.market_world import (
    BUYER,
    DECLINED_CARD,
    GOOD_CARD,
    OPERATOR,
    OTHER,
    SELLER,
    SIZE,
    add_shoe,
    build_market,
    make_order,
)

PEOPLE = {"buyer": BUYER, "seller": SELLER, "operator": OPERATOR, "stranger": OTHER}
ACTIONS = {
    "pay": (("buyer",), {"card_number": GOOD_CARD}),
    "decline": (("buyer",), {"card_number": DECLINED_CARD}),
    "ship": (("seller",), {"carrier": "UPS", "tracking": "1Z999"}),
    "complain": (("buyer",), {"text": "It is late."}),
    "deliver": (("buyer", "operator"), {}),
    "cancel": (("buyer", "seller", "operator"), {}),
    "refund": (("seller", "operator"), {}),
}
"""Who may do what, with which values; `decline` is `pay` with a card that is declined."""

WAYS = {
    "created": (),
    "payment_failed": ("decline",),
    "paid": ("pay",),
    "shipped": ("pay", "ship"),
    "payout_completed": ("pay", "ship", "deliver"),
    "cancelled": ("cancel",),
    "refunded": ("pay", "refund"),
}
"""How an order comes to each status; `delivered` passes into the payout at once."""

TABLE = {
    "created": {"pay": "paid", "decline": "payment_failed", "cancel": "cancelled"},
    "payment_failed": {"pay": "paid", "decline": "payment_failed", "cancel": "cancelled"},
    "paid": {"ship": "shipped", "refund": "refunded"},
    "shipped": {"complain": "shipped", "deliver": "payout_completed", "refund": "refunded"},
    "payout_completed": {},
    "cancelled": {},
    "refunded": {},
}
"""From each status, where an action leads; all others are conflicts."""


async def act(market, order_id, action, role, operation_id):
    """Make a step as somebody; return the order."""
    make = getattr(market.orders, "pay" if action == "decline" else action)
    values = ACTIONS[action][1]
    if action == "pay" and not market.orders._provider.makes_refunds:
        values = {}  # cards are given to the provider only
    return await make(PEOPLE[role], order_id, **values, operation_id=operation_id)


def refusal(action, role, code):
    """Return what an action comes to that leads nowhere: error and code."""
    if role == "stranger":
        return NotFound, "order_not_found"
    if role not in ACTIONS[action][0]:
        return Forbidden, "not_your_step"
    return Conflict, code


@pytest.mark.parametrize("status", TABLE)
async def test_every_action_of_every_role(market, shoe, status):
    """An action leads where the table says, or is refused for its reason and changes nothing."""
    numbers = count()

    async def order_in_status():
        order_id = await make_order(market, shoe)
        for action in WAYS[status]:
            await act(market, order_id, action, ACTIONS[action][0][0], f"op-{next(numbers)}")
        order = await market.orders.get(OPERATOR, order_id)
        assert order["status"] == status
        return order

    allowed = [(action, role) for action in TABLE[status] for role in ACTIONS[action][0]]
    orders = {cell: await order_in_status() for cell in allowed}
    untouched = await order_in_status()
    for action in ACTIONS:
        for role in PEOPLE:
            if (action, role) in orders:
                continue
            # Who pays again is told that nothing was charged.
            pays_again = action in ("pay", "decline") and untouched["payment_id"]
            code = "already_paid" if pays_again else "illegal_step"
            kind, code = refusal(action, role, code)
            with pytest.raises(kind) as refused:
                await act(market, untouched["id"], action, role, f"op-{next(numbers)}")
            assert refused.value.code == code, (action, role)
            assert await market.orders.get(OPERATOR, untouched["id"]) == untouched
    for (action, role), order in orders.items():
        moved = await act(market, order["id"], action, role, f"op-{next(numbers)}")
        assert moved["status"] == TABLE[status][action]


# Where the payment provider tells of everything by webhook.

PROVIDER_WAYS = {
    "created": (),
    "paying": ("pay",),
    "payment_failed": ("failed",),
    "paid": ("succeeded",),
    "shipped": ("succeeded", "ship"),
    "complained": ("succeeded", "ship", "complain"),
    "delivered": ("succeeded", "ship", "deliver"),
    "payout_completed": ("succeeded", "ship", "deliver", "payout"),
    "cancelled": ("cancel",),
    "refunded": ("succeeded", "refunded"),
}
"""How an order comes to each status, with the events of the provider. `paying` and `complained` are
those of a `created` and a `shipped` order."""

SHOWN = {"paying": "created", "complained": "shipped"}

PROVIDER_KINDS = {
    "failed": "payment_intent.payment_failed",
    "succeeded": "payment_intent.succeeded",
    "again": "payment_intent.succeeded",
    "refunded": "charge.refunded",
    "payout": "payout.paid",
}
"""Events by a short name; `again` is a second payment, which is surplus unless it pays."""

UNUSABLE, SURPLUS = "unusable", "surplus"

PROVIDER_TABLE = {
    "created": {"failed": "payment_failed", "succeeded": "paid", "again": "paid"},
    "paying": {"failed": "payment_failed", "succeeded": "paid", "again": "paid"},
    "payment_failed": {"failed": "payment_failed", "succeeded": "paid", "again": "paid"},
    "paid": {"again": SURPLUS, "refunded": "refunded"},
    "shipped": {"again": SURPLUS, "refunded": "refunded"},
    "complained": {"again": SURPLUS, "refunded": "refunded"},
    "delivered": {"again": SURPLUS, "refunded": UNUSABLE, "payout": "payout_completed"},
    "payout_completed": {"again": SURPLUS, "refunded": UNUSABLE},
    "cancelled": {"succeeded": SURPLUS, "again": SURPLUS, "payout": UNUSABLE},
    "refunded": {"again": SURPLUS, "payout": UNUSABLE},
}
"""From each status, what an event leads to: another status, a payment to be given back, or an event
that operators see as not usable. All others are noted and leave the order where it is."""

PROVIDER_ACTIONS = {
    "created": {"pay": "created", "cancel": "cancelled"},
    "paying": {"pay": "created"},
    "payment_failed": {"pay": "payment_failed", "cancel": "cancelled"},
    "paid": {"ship": "shipped"},
    "shipped": {"complain": "shipped", "deliver": "delivered"},
    "complained": {"complain": "shipped", "deliver": "delivered"},
    "delivered": {},
    "payout_completed": {},
    "cancelled": {},
    "refunded": {},
}
"""As `TABLE`; refunds are made at the provider, and an order is not cancelled under a payment."""

LATER = {
    "created": "cancelled",
    "paying": "cancelled",
    "payment_failed": "cancelled",
    "paid": "paid",
    "shipped": "delivered",
    "complained": "shipped",
    "delivered": "delivered",
    "payout_completed": "payout_completed",
    "cancelled": "cancelled",
    "refunded": "refunded",
}
"""What the system makes of an order that is left alone for two months."""

STUCK = {"paid": "not_shipped", "complained": "complaint", "delivered": "not_paid_out"}
"""Which of them operators see by then, and why."""


class ProviderWorld:
    """A market whose provider tells by webhook, and orders in any status."""

    def __init__(self, market, shoe):
        self.market = market
        self.shoe = shoe
        self.numbers = count()

    async def order(self, status):
        """Make an order and bring it to a status."""
        order_id = await make_order(self.market, self.shoe)
        for step in PROVIDER_WAYS[status]:
            if step in PROVIDER_KINDS:
                await self.tell(order_id, step)
            else:
                await self.act(order_id, step, ACTIONS[step][0][0])
        order = await self.market.orders.get(OPERATOR, order_id)
        assert order["status"] == SHOWN.get(status, status)
        return order

    async def act(self, order_id, action, role):
        return await act(self.market, order_id, action, role, f"op-{next(self.numbers)}")

    async def tell(self, order_id, name):
        """Deliver an event; return the id of its payment."""
        payment_id = f"pi_{order_id}_{'second' if name == 'again' else 'first'}"
        about = {
            "id": f"ch_{order_id}" if name == "refunded" else payment_id,
            "payment_intent": payment_id,
            "amount": 22_000,
            "currency": "usd",
            "metadata": {"order_id": order_id},
        }
        event = {
            "id": f"evt_{next(self.numbers)}",
            "type": PROVIDER_KINDS[name],
            "data": {"object": about},
        }
        await self.market.webhooks.receive(event)
        return payment_id

    async def seen(self, order_id):
        """Return the payments and events of an order that operators see."""
        surplus = (await self.market.orders.list_surplus(OPERATOR))["items"]
        unusable = (await self.market.webhooks.list_unusable(OPERATOR))["items"]
        return (
            [payment["payment_id"] for payment in surplus if payment["order_id"] == order_id],
            sum(event["order_id"] == order_id for event in unusable),
        )


@pytest.fixture
async def at_provider(database, publisher, clock):
    market = build_market(database, publisher, clock, test_payments=False)
    await market.prepare()
    return ProviderWorld(market, await add_shoe(market))


def test_the_tables_know_every_status():
    """A status that is added has to be in each table, and so has what leads to it."""
    assert {SHOWN.get(status, status) for status in PROVIDER_WAYS} == set(STATUSES)
    assert {*TABLE, "delivered"} == set(STATUSES)
    for table in (PROVIDER_TABLE, PROVIDER_ACTIONS, LATER):
        assert table.keys() == PROVIDER_WAYS.keys()
    led = {status for row in TABLE.values() for status in row.values()}
    led |= {status for row in PROVIDER_TABLE.values() for status in row.values()}
    led |= {status for row in PROVIDER_ACTIONS.values() for status in row.values()}
    assert led >= set(MAY_FOLLOW)


@pytest.mark.parametrize("status", PROVIDER_WAYS)
async def test_every_event_of_the_provider(at_provider, status):
    """An event leads where the table says; operators see what is surplus or of no use."""
    for name in PROVIDER_KINDS:
        order = await at_provider.order(status)
        outcome = PROVIDER_TABLE[status].get(name)
        payment_id = await at_provider.tell(order["id"], name)
        after = await at_provider.market.orders.get(OPERATOR, order["id"])
        stays = outcome in (None, UNUSABLE, SURPLUS)
        assert after["status"] == (order["status"] if stays else outcome), name
        surplus, unusable = await at_provider.seen(order["id"])
        assert surplus == ([payment_id] if outcome == SURPLUS else []), name
        assert unusable == (outcome == UNUSABLE), name


@pytest.mark.parametrize("status", PROVIDER_WAYS)
async def test_every_action_of_every_role_at_the_provider(at_provider, status):
    """People do what the second table says; everything else is refused and changes nothing."""
    allowed = PROVIDER_ACTIONS[status]
    untouched = await at_provider.order(status)
    for action in ACTIONS.keys() - {"decline"}:
        for role in PEOPLE:
            if action in allowed and role in ACTIONS[action][0]:
                order = await at_provider.order(status)
                moved = await at_provider.act(order["id"], action, role)
                assert moved["status"] == allowed[action], (action, role)
                continue
            code = "illegal_step"
            if action == "refund":
                code = "refund_at_provider"
            elif action == "cancel" and status == "paying":
                code = "payment_under_way"
            elif action == "pay" and untouched["payment_id"]:
                code = "already_paid"
            kind, code = refusal(action, role, code)
            with pytest.raises(kind) as refused:
                await at_provider.act(untouched["id"], action, role)
            assert refused.value.code == code, (action, role)
            now = await at_provider.market.orders.get(OPERATOR, untouched["id"])
            assert now == untouched


async def test_what_the_system_does_by_itself(at_provider, clock):
    """Left alone, each order comes to where the table says, or to the operators' list."""
    orders = {status: (await at_provider.order(status))["id"] for status in PROVIDER_WAYS}
    for _ in range(2):
        clock.move(timedelta(days=30))
        await at_provider.market.orders.sweep()
    for status, order_id in orders.items():
        order = await at_provider.market.orders.get(OPERATOR, order_id)
        assert order["status"] == LATER[status], status
    listed = (await at_provider.market.orders.list_stuck(OPERATOR))["items"]
    stuck = {order["id"]: order["stuck"]["reason"] for order in listed}
    assert stuck == {orders[status]: reason for status, reason in STUCK.items()}


@pytest.mark.parametrize("role", PEOPLE)
async def test_what_operators_alone_may(at_provider, role):
    """Others neither see what wants an operator nor settle a payment."""
    market = at_provider.market
    order = await at_provider.order("paid")
    payment_id = await at_provider.tell(order["id"], "again")
    for ask in (
        market.orders.list_stuck,
        market.orders.list_surplus,
        market.webhooks.list_unusable,
        lambda who: market.orders.settle_surplus(who, payment_id),
    ):
        if role == "operator":
            await ask(PEOPLE[role])
        else:
            with pytest.raises(Forbidden):
                await ask(PEOPLE[role])
    assert (await at_provider.seen(order["id"]))[0] == ([] if role == "operator" else [payment_id])


async def test_disabled_accounts_are_refused_everywhere(serve):
    """No action of a disabled buyer, seller or operator changes an order, in any route."""
    names = ("buyer", "seller", "operator")
    server = await serve(operator_accounts=())
    accounts = {name: await server.account(name) for name in names}
    server = await serve(operator_accounts=(accounts["operator"].id,))
    tokens = {name: await server.token(name) for name in names}
    shoe = {"name": "Shoe", "sku": "S1", "sizes": [SIZE]}
    product_id = (await server.call(tokens["operator"], "POST", "/api/v1/products", shoe))[1]["id"]
    offer = {"product_id": product_id, "size": SIZE, "price": "220.00"}
    await server.call(tokens["seller"], "POST", "/api/v1/asks", offer)
    bid = (await server.call(tokens["buyer"], "POST", "/api/v1/bids", offer))[1]
    path = f"/api/v1/orders/{bid['order_id']}"
    before = (await server.call(tokens["operator"], "GET", path))[1]
    for name in names:
        await server.accounts.disable(accounts[name].id)
        for action in ACTIONS.keys() - {"decline"}:
            answer = await server.call(tokens[name], "POST", f"{path}/{action}", ACTIONS[action][1])
            assert (answer[0], answer[1]["code"]) == (403, "account_disabled"), (name, action)
        for side in ("bids", "asks"):
            answer = await server.call(tokens[name], "POST", f"/api/v1/{side}", offer)
            assert answer[0] == 403
        await server.accounts.enable(accounts[name].id)
    stranger = await server.token("stranger")
    assert (await server.call(stranger, "GET", path))[0] == 404
    after = (await server.call(await server.token("operator"), "GET", path))[1]
    assert after == before
