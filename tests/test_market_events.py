"""Fifty orders from match to payout over Socket.IO: each step told once to each party."""

import asyncio
import json
from collections import Counter

import pytest

from models.market.webhooks import sign
from models.times import now
from tests.live import PATIENCE_S, SocketClient
from tests.market_world import GOOD_CARD, SECRET, SHOE, SIZE

pytestmark = pytest.mark.timeout(240)

ORDERS = 50
LIFE = ("created", "paid", "shipped", "delivered", "payout_completed")
NOTICES = {
    "buyer": (
        *("match_created", "order_created", "payment_succeeded"),
        *("order_shipped", "order_delivered"),
    ),
    "seller": (
        *("match_created", "order_created", "order_paid"),
        *("order_delivered", "payout_completed"),
    ),
}
"""By type, as the older API's document gives them to each party."""

EVENTS = {
    "payment_intent.payment_failed": "payment_failed",
    "payment_intent.succeeded": "paid",
    "payout.paid": "payout_completed",
}
AT_ONCE = 8
UNHURRIED = {
    "messages_per_s": 10_000,
    "messages_burst": 10_000,
    "writes_per_s": 10_000,
    "writes_burst": 10_000,
    "anonymous_per_s": 10_000,
    "anonymous_burst": 10_000,
}


class Bot:
    """A party whose client acts on events, and remembers all that it hears."""

    def __init__(self, role, acts):
        self.role = role
        self.acts = acts
        self.client = SocketClient("/market")
        self.client.client.on("*", self._hear, "/market")
        self.steps = Counter()
        self.notices = Counter()
        self.refusals = []
        self.tasks = []
        self.moved = asyncio.Condition()

    async def connect(self, server):
        token = await server.token(self.role)
        await self.client.connect(server.url, {"token": token}, ["websocket"])

    async def call(self, command, **payload):
        answer = await self.client.call(command, payload)
        if "error" in answer:
            self.refusals.append((command, answer["error"]))
        return answer.get("data")

    async def until(self, step, count):
        """Return when `count` orders have come to a step."""
        async with asyncio.timeout(20 * PATIENCE_S), self.moved:
            await self.moved.wait_for(
                lambda: sum(status == step for _, status in self.steps) == count
            )

    async def settle(self):
        """Wait for all answers; events that were sent before the last one have been heard."""
        await asyncio.gather(*self.tasks)
        await self.call("list_products")

    async def _hear(self, name, data):
        if name == "notification":
            self.notices[data["type"], data["link"]] += 1
        if name != "order.changed":
            return
        order_id, status = data["order_id"], data["status"]
        async with self.moved:
            self.steps[order_id, status] += 1
            self.moved.notify_all()
        if status in self.acts:
            command, values = self.acts[status]
            acting = self.call(command, order_id=order_id, **values)
            self.tasks.append(asyncio.create_task(acting))


@pytest.fixture
async def meet(serve):
    """Start a server, connect a buyer and a seller, and let offers meet."""
    bots = []

    async def start(orders, *, buys=None, sells=None, **settings):
        server = await serve(**UNHURRIED, **settings)
        buyer = Bot("buyer", buys or {})
        seller = Bot("seller", sells or {})
        for bot in (buyer, seller):
            bots.append(bot)
            await bot.connect(server)
        owner = await server.token("seller")
        shoe = (await server.call(owner, "POST", "/api/v1/products", SHOE))[1]["id"]
        where = {"product_id": shoe, "size": SIZE, "price": "220.00"}
        for _ in range(orders):
            await seller.call("place_ask", **where)
        ids = [(await buyer.call("place_bid", **where))["order_id"] for _ in range(orders)]
        return server, buyer, seller, ids

    yield start
    for bot in bots:
        await bot.client.client.shutdown()


async def check(server, bot, ids, life, notices):
    """Check that a party has heard each step and each notice of each order exactly once."""
    await bot.settle()
    assert bot.refusals == []
    assert bot.steps == Counter({(order_id, step): 1 for order_id in ids for step in life})
    links = [f"/orders/{order_id}" for order_id in ids]
    expected = Counter({(kind, link): 1 for link in links for kind in notices})
    assert bot.notices == expected
    stored, before = Counter(), None
    while True:
        page = {"limit": 100} | ({"before": before} if before else {})
        inbox = await bot.call("list_notifications", **page)
        stored.update((item["type"], item["link"]) for item in inbox["items"])
        if inbox["next"] is None:
            break
        before = inbox["next"]
    assert stored == expected


async def test_fifty_orders_of_clients_that_act_on_events(meet):
    """Clients pay, ship and confirm when they hear of the step before; nothing comes twice."""
    server, buyer, seller, ids = await meet(
        ORDERS,
        buys={"created": ("pay", {"card_number": GOOD_CARD}), "shipped": ("deliver", {})},
        sells={"paid": ("ship", {"carrier": "UPS", "tracking": "1Z999"})},
    )
    for bot in (buyer, seller):
        await bot.until("payout_completed", ORDERS)
    for bot in (buyer, seller):
        await check(server, bot, ids, LIFE, NOTICES[bot.role])


@pytest.mark.fault
async def test_webhooks_that_come_eight_times_at_once(meet):
    """Each event of the provider acts once: one delivery is applied, seven are repeats."""
    server, buyer, seller, ids = await meet(
        ORDERS,
        buys={"shipped": ("deliver", {})},
        sells={"paid": ("ship", {"carrier": "UPS", "tracking": "1Z999"})},
        payment_provider="webhook",
        payment_webhook_secrets=(SECRET,),
    )

    async def deliver(order_id, kind):
        about = {
            "id": f"pi_{order_id}",
            "amount": 22_000,
            "currency": "usd",
            "metadata": {"order_id": order_id},
        }
        event = {"id": f"evt_{kind}_{order_id}", "type": kind, "data": {"object": about}}
        body = json.dumps(event)
        at = int(now().timestamp())
        header = {"Stripe-Signature": f"t={at},v1={sign(body.encode(), SECRET, at)}"}
        answers = await asyncio.gather(
            *(
                server.call(None, "POST", "/api/v1/payments/webhook", event, header)
                for _ in range(AT_ONCE)
            )
        )
        assert Counter(status for status, _ in answers) == {200: AT_ONCE}
        assert sum(answer["applied"] for _, answer in answers) == 1

    for kind, step in EVENTS.items():
        if kind == "payout.paid":
            await buyer.until("delivered", ORDERS)
        for order_id in ids:
            await deliver(order_id, kind)
        for bot in (buyer, seller):
            await bot.until(step, ORDERS)
    life = (*LIFE, "payment_failed")
    await check(server, buyer, ids, life, (*NOTICES["buyer"], "payment_failed"))
    await check(server, seller, ids, life, NOTICES["seller"])
