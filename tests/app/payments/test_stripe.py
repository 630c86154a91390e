"""Stripe: what `pay` returns, refunds made from here, and how its failures end."""

import asyncio
import json
import shutil
from asyncio.subprocess import DEVNULL
from pathlib import Path

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer, unused_port

from app.payments import stripe_payments
from app.payments.stripe_payments import StripePayments
from app.settings import Settings, SettingsError
from models.errors import Invalid, Unavailable
from models.market.payments import Charge
from tests.market_world import (
    BUYER,
    GOOD_CARD,
    OPERATOR,
    SELLER,
    add_shoe,
    build_market,
    make_order,
)

KEY = "sk_test_123"
PUBLIC = "https://market.example.com"


def stripe_mock():
    """Find the official mock of Stripe's API, which no part of the project needs."""
    go_bin = Path.home() / "go" / "bin" / "stripe-mock"
    return shutil.which("stripe-mock") or (str(go_bin) if go_bin.exists() else None)


@pytest.fixture
async def mock():
    """The address of a running stripe-mock, which checks calls against Stripe's own description."""
    program = stripe_mock()
    if program is None:
        pytest.skip("needs `go install github.com/stripe/stripe-mock@latest`")
    port = unused_port()
    process = await asyncio.create_subprocess_exec(
        *(program, "-http-addr", f"127.0.0.1:{port}"), stdout=DEVNULL, stderr=DEVNULL
    )
    async with asyncio.timeout(30):
        while True:
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", port)
            except OSError:
                await asyncio.sleep(0.05)
            else:
                writer.close()
                break
    yield f"http://127.0.0.1:{port}"
    process.terminate()
    await process.wait()


class Endpoint:
    """Stripe's API as these tests want it: keeps what it was asked, and answers as it is told."""

    def __init__(self):
        self.calls = []
        self.status = 200
        self.answer = {
            "id": "pi_1",
            "client_secret": "pi_1_secret_x",
            "url": "https://checkout.stripe.com/c/1",
            "status": "succeeded",
        }
        self.go_on = asyncio.Event()
        self.go_on.set()

    async def handle(self, request):
        form = dict(await request.post())
        self.calls.append((request.path, request.headers["Idempotency-Key"], form))
        await self.go_on.wait()
        return web.json_response(self.answer, status=self.status)


@pytest.fixture
async def endpoint():
    made = Endpoint()
    app = web.Application()
    app.router.add_post("/{path:.*}", made.handle)
    async with TestServer(app) as server:
        made.url = str(server.make_url("")).rstrip("/")
        yield made
        made.go_on.set()


@pytest.fixture
async def market(database, clock, endpoint):
    provider = StripePayments(KEY, public_url=PUBLIC, api_base=endpoint.url)
    made = build_market(database, clock=clock, provider=provider)
    await made.prepare()
    return made


@pytest.fixture
async def order_id(market):
    return await make_order(market, await add_shoe(market))


def told(order_id, kind, **about):
    return {
        "id": f"evt_{kind}",
        "type": kind,
        "data": {
            "object": {
                "id": "pi_1",
                "amount": 22_000,
                "currency": "usd",
                "metadata": {"order_id": order_id},
                **about,
            }
        },
    }


async def test_stripes_own_mock_takes_every_call(mock):
    """Each call is one that Stripe's description of its API allows, and is read as it answers."""
    provider = StripePayments(KEY, public_url=PUBLIC, api_base=mock)
    checkout = await provider.checkout("17", cents=22_000, what="Nike Air Jordan 1 (US 9)")
    assert checkout.payment_id.startswith("pi_")
    assert "_secret_" in checkout.client_secret
    assert checkout.url.startswith("https://checkout.stripe.com/")
    assert await provider.refund("pi_1") is True


async def test_pay_returns_what_a_front_end_needs(market, endpoint, order_id):
    """Intent and page are of the order's price and name the order; a repeat asks for the same."""
    for number in range(2):
        order = await market.orders.pay(BUYER, order_id, operation_id=f"pay-{number}")
    assert order["status"] == "created"
    assert order["payment"] == {
        "payment_id": "pi_1",
        "client_secret": "pi_1_secret_x",
        "checkout_url": "https://checkout.stripe.com/c/1",
        "amount": "220.00",
        "currency": "usd",
    }
    assert endpoint.calls[:2] == endpoint.calls[2:]
    (path, key, intent), (page_path, page_key, page) = endpoint.calls[:2]
    assert (path, key) == ("/v1/payment_intents", f"order-{order_id}-intent")
    assert (intent["amount"], intent["currency"]) == ("22000", "usd")
    assert intent["metadata[order_id]"] == order_id
    assert (page_path, page_key) == ("/v1/checkout/sessions", f"order-{order_id}-session")
    assert page["line_items[0][price_data][unit_amount]"] == "22000"
    assert page["payment_intent_data[metadata][order_id]"] == order_id
    assert page["success_url"] == f"{PUBLIC}/orders/{order_id}"


async def test_cards_are_not_taken_here(market, endpoint, order_id):
    """A card number is refused by its field, and Stripe is not asked."""
    with pytest.raises(Invalid) as refused:
        await market.orders.pay(BUYER, order_id, card_number=GOOD_CARD, operation_id="p")
    assert set(refused.value.fields) == {"card_number"}
    assert endpoint.calls == []


async def test_refunds_are_made_from_here_once(market, endpoint, order_id):
    """The seller's refund calls Stripe; that it is told by webhook afterwards calls nothing."""
    await market.webhooks.receive(told(order_id, "payment_intent.succeeded"))
    order = await market.orders.refund(SELLER, order_id, operation_id="r")
    assert order["status"] == "refunded"
    charge = {"id": "ch_1", "payment_intent": "pi_1", "amount_refunded": 22_000}
    await market.webhooks.receive(told(order_id, "charge.refunded", **charge))
    await market.sweep()
    assert endpoint.calls == [("/v1/refunds", "refund-pi_1", {"payment_intent": "pi_1"})]


async def test_a_refund_made_in_the_dashboard_is_not_made_again(market, endpoint, order_id):
    """An order that Stripe says is refunded causes no call."""
    await market.webhooks.receive(told(order_id, "payment_intent.succeeded"))
    charge = {"id": "ch_1", "payment_intent": "pi_1", "amount_refunded": 22_000}
    await market.webhooks.receive(told(order_id, "charge.refunded", **charge))
    assert (await market.orders.get(BUYER, order_id))["status"] == "refunded"
    assert endpoint.calls == []


async def test_surplus_money_is_given_back(market, endpoint, order_id):
    """A payment for a cancelled order goes back without anybody's doing."""
    await market.orders.cancel(SELLER, order_id, operation_id="c")
    await market.webhooks.receive(told(order_id, "payment_intent.succeeded"))
    assert [call[:2] for call in endpoint.calls] == [("/v1/refunds", "refund-pi_1")]
    assert (await market.orders.list_surplus(OPERATOR))["items"] == []


ERRORS = [
    (401, {"type": "invalid_request_error", "message": f"Invalid API Key: {KEY}"}),
    (400, {"type": "invalid_request_error", "code": "amount_too_small", "message": "No."}),
    (429, {"type": "rate_limit_error", "message": "Slow down."}),
    (503, {"type": "api_error", "message": "Away."}),
]


@pytest.mark.parametrize(("status", "error"), ERRORS, ids=lambda value: str(value)[:3])
async def test_failures_are_told_and_change_nothing(
    market, endpoint, order_id, caplog, status, error
):
    """The buyer is asked to try again, the order can be cancelled, and no log has the key."""
    endpoint.status, endpoint.answer = status, {"error": error}
    with pytest.raises(Unavailable) as refused:
        await market.orders.pay(BUYER, order_id, operation_id="p")
    assert refused.value.code == "payment_provider_unavailable"
    assert KEY not in caplog.text + refused.value.message + json.dumps(refused.value.fields)
    order = await market.orders.cancel(SELLER, order_id, operation_id="c")
    assert order["status"] == "cancelled"


async def test_a_refund_that_was_made_before_is_made(endpoint):
    """Stripe's word that the charge is refunded already is a success."""
    provider = StripePayments(KEY, public_url=PUBLIC, api_base=endpoint.url)
    endpoint.status = 400
    endpoint.answer = {
        "error": {"type": "invalid_request_error", "code": "charge_already_refunded"}
    }
    assert await provider.refund("pi_1") is True


async def test_a_call_has_a_time_limit(endpoint, monkeypatch):
    """Stripe that does not answer holds a caller for no longer than the limit."""
    monkeypatch.setattr(stripe_payments, "CALL_S", 0.2)
    monkeypatch.setattr(stripe_payments, "REQUEST_S", 0.3)
    provider = StripePayments(KEY, public_url=PUBLIC, api_base=endpoint.url)
    endpoint.go_on.clear()
    async with asyncio.timeout(10):
        with pytest.raises(Unavailable):
            await provider.refund("pi_1")


async def test_a_pending_charge_is_all_that_is_known(endpoint):
    """Whether a buyer has paid is told by webhook alone."""
    provider = StripePayments(KEY, public_url=PUBLIC, api_base=endpoint.url)
    charge = await provider.charge("order-1-1", cents=22_000, card_number=None)
    assert charge is Charge.PENDING
    assert await provider.pay_out("1", account_id="2", cents=22_000) is False


def test_what_stripe_needs_is_asked_for(settings, monkeypatch):
    """The server does not start without key, webhook secret and public address."""
    monkeypatch.setenv("ENVIRONMENT", "production")
    monkeypatch.setenv("MONGODB_URI", "mongodb://localhost/x")
    monkeypatch.setenv("PAYMENT_PROVIDER", "stripe")
    for name, value in (
        ("STRIPE_SECRET_KEY", KEY),
        ("PAYMENT_WEBHOOK_SECRETS", "whsec_1"),
        ("PUBLIC_URL", PUBLIC),
    ):
        with pytest.raises(SettingsError, match=name):
            Settings.from_env()
        monkeypatch.setenv(name, value)
    read = Settings.from_env()
    assert (read.payment_provider, read.stripe_secret_key) == ("stripe", KEY)
    assert KEY not in repr(read)
    assert KEY in read.secrets
