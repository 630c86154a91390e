"""One step, one event, one call of the provider, whoever finishes the step."""

import asyncio
from collections import Counter

import pytest

from models.market.payments import TestPayments
from models.market.receipts import CALL_TIME
from tests.market_world import (
    BUYER,
    GOOD_CARD,
    OPERATOR,
    SELLER,
    add_shoe,
    build_market,
    make_order,
    told,
)
from tests.notifications_world import Cut, CutDatabase
from tests.stories_world import RecordingPublisher

ORDERS = 20
WHOLE_LIFE = ("created", "paid", "shipped", "delivered", "payout_completed")
REFUNDED_LIFE = ("created", "paid", "refunded")


class Client(RecordingPublisher):
    """Acts on each event of an order at once, as a bot does, and counts them."""

    def __init__(self):
        super().__init__()
        self.markets = []
        self.events = Counter()
        self.conflicts = []
        self.tasks = []

    async def publish(self, event, *rooms):
        if event.name == "order.changed":
            self.events[event.order_id, event.status] += 1
            self.tasks.append(asyncio.create_task(self._act(event.order_id, event.status)))

    async def _act(self, order_id, status):
        orders = self.markets[int(order_id) % 2].orders
        one = {"operation_id": f"{status}-{order_id}-{len(self.tasks)}"}
        try:
            if status == "created":
                await orders.pay(BUYER, order_id, card_number=GOOD_CARD, **one)
            elif status == "paid" and int(order_id) % 5 == 0:
                await orders.refund(OPERATOR, order_id, **one)
            elif status == "paid":
                await orders.ship(SELLER, order_id, carrier="UPS", tracking="1", **one)
            elif status == "shipped":
                await orders.deliver(OPERATOR, order_id, **one)
        except Exception as error:
            self.conflicts.append((order_id, status, error))


@pytest.fixture
def calls(monkeypatch):
    """Count the provider's calls; each takes a while."""
    counted = Counter()

    async def refund(self, payment_id):
        counted["refund", payment_id] += 1
        await asyncio.sleep(0)
        return True

    async def pay_out(self, order_id, *, account_id, cents):
        counted["pay_out", order_id] += 1
        await asyncio.sleep(0)
        return True

    monkeypatch.setattr(TestPayments, "refund", refund)
    monkeypatch.setattr(TestPayments, "pay_out", pay_out)
    return counted


@pytest.mark.fault
async def test_each_step_of_many_orders_is_one_event_and_one_call(database, clock, calls):
    """Clients that act on events, in two processes that also sweep, make each step happen once."""
    client = Client()
    client.markets = [build_market(database, client, clock) for _ in range(2)]
    await client.markets[0].prepare()
    shoe = await add_shoe(client.markets[0])

    for number in range(ORDERS):
        await make_order(client.markets[number % 2], shoe)
        if number % 10 == 0:
            await client.markets[number // 10 % 2].orders.resume()
    done = 0
    while done < len(client.tasks):
        done = len(client.tasks)
        await asyncio.gather(*client.tasks)
        await client.markets[1].orders.resume()
    assert client.conflicts == []
    lives = Counter()
    for order_id in {order_id for order_id, _ in client.events}:
        life = REFUNDED_LIFE if int(order_id) % 5 == 0 else WHOLE_LIFE
        lives.update((order_id, step) for step in life)
    assert client.events == lives
    assert len({order_id for order_id, _ in lives}) == ORDERS
    assert set(calls.values()) == {1}
    assert sum(calls.values()) == ORDERS


@pytest.mark.fault
async def test_a_process_that_dies_in_a_step_repeats_no_event(database, clock, calls, publisher):
    """Before whichever write a process dies, its step's event, notices and payout come once."""
    whole = build_market(database, publisher, clock)
    await whole.prepare()
    shoe = await add_shoe(whole)
    deaths, writes = 0, 0
    while deaths == writes:
        order_id = await make_order(whole, shoe)
        pay = {"card_number": GOOD_CARD, "operation_id": f"pay-{order_id}"}
        await whole.orders.pay(BUYER, order_id, **pay)
        ship = {"carrier": "UPS", "tracking": "1", "operation_id": f"ship-{order_id}"}
        await whole.orders.ship(SELLER, order_id, **ship)
        publisher.take()
        before = len(await told(whole, SELLER))
        cut = CutDatabase(database, writes)
        dying = build_market(cut, publisher, clock)
        writes += 1
        try:
            await dying.orders.deliver(BUYER, order_id, operation_id=f"deliver-{order_id}")
        except Exception:
            await whole.orders.deliver(BUYER, order_id, operation_id=f"deliver-{order_id}")
        deaths += cut.left == 0
        clock.move(CALL_TIME)
        await whole.orders.sweep()
        events = Counter(data["status"] for data, _ in publisher.take("order.changed"))
        assert set(events.values()) <= {1}
        assert (await whole.orders.get(SELLER, order_id))["status"] == "payout_completed"
        assert len(await told(whole, SELLER)) == before + 2
    assert writes > 8, "not every write of the step was the last one of a process"
    # Who dies between the call and noting its outcome leaves it to be asked again, under its id.
    assert max(calls.values()) <= 2
    assert Counter(calls.values())[2] <= 4


async def test_a_call_that_another_process_makes_is_left_to_it(database, clock, calls, publisher):
    """While one process pays out, a sweep of another one neither calls nor ends the step."""
    one, other = (build_market(database, publisher, clock) for _ in range(2))
    await one.prepare()
    order_id = await make_order(one, await add_shoe(one))
    begun, go_on = asyncio.Event(), asyncio.Event()

    async def slow(self, order_id, *, account_id, cents):
        calls["slow"] += 1
        begun.set()
        await go_on.wait()
        return True

    await one.orders.pay(BUYER, order_id, card_number=GOOD_CARD, operation_id="pay")
    await one.orders.ship(SELLER, order_id, carrier="UPS", tracking="1", operation_id="ship")
    one.orders._steps._provider.pay_out = slow.__get__(one.orders._steps._provider)
    delivering = asyncio.create_task(one.orders.deliver(BUYER, order_id, operation_id="deliver"))
    await begun.wait()
    await other.orders.resume()
    assert (await other.orders.get(BUYER, order_id))["status"] == "delivered"
    go_on.set()
    assert (await delivering)["status"] == "payout_completed"
    assert calls == {"slow": 1}
    events = [data["status"] for data, _ in publisher.take("order.changed")]
    assert events == list(WHOLE_LIFE)


async def test_a_process_that_dies_before_it_publishes_leaves_the_notices(
    database, clock, publisher
):
    """Dead between the claim of a step's event and the event, it has its successor notify, once."""

    class Dying(RecordingPublisher):
        async def publish(self, event, *rooms):
            if event.name == "order.changed" and event.status == "paid":
                raise Cut
            await super().publish(event, *rooms)

    dying = build_market(database, Dying(), clock)
    await dying.prepare()
    order_id = await make_order(dying, await add_shoe(dying))
    await dying.orders.pay(BUYER, order_id, card_number=GOOD_CARD, operation_id="pay")
    before = {who: len(await told(dying, who)) for who in (BUYER, SELLER)}
    successor = build_market(database, publisher, clock)
    for _ in range(2):
        await successor.prepare()
        clock.move(CALL_TIME)
        await successor.sweep()
    for who, kind in ((BUYER, "payment_succeeded"), (SELLER, "order_paid")):
        assert [notice["type"] for notice in (await told(successor, who))[before[who] :]] == [kind]
    names = [event.name for event, _ in publisher.published]
    assert sorted(names) == ["notification", "notification", "sale"]
    assert (await successor.orders.get(BUYER, order_id))["status"] == "paid"
