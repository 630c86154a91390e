"""What a payment provider tells: signatures, repeats, and events in any order."""

import hashlib
import hmac
import json
from datetime import timedelta

import pytest

from models.errors import Conflict, Invalid, NotFound, Unreadable
from models.market.webhooks import TOLERANCE_S, sign, verify
from tests.market_world import BUYER, SECRET, SELLER, build_market, make_order, told

AT = 1_772_366_400
BODY = b'{"id":"evt_1"}'
GOOD = sign(BODY, SECRET, AT)
OTHER_GOOD = sign(BODY, "whsec_the_next_one", AT)
FORGED = "0" * 64


def test_the_signature_is_the_documented_one():
    """A signature is HMAC-SHA256 in hexadecimal over time, point and body."""
    plain = hmac.new(SECRET.encode(), f"{AT}.".encode() + BODY, hashlib.sha256)
    assert plain.hexdigest() == GOOD


@pytest.mark.parametrize(
    "header",
    [
        f"t={AT},v1={GOOD}",
        f"t={AT}, v1={GOOD}",
        f"v1={GOOD},t={AT}",
        f"t={AT},v1={FORGED},v1={GOOD}",
        f"t={AT},v1={OTHER_GOOD},v1={GOOD},v0={FORGED}",
    ],
)
@pytest.mark.parametrize("late", [0, TOLERANCE_S, -TOLERANCE_S])
def test_good_signatures(header, late):
    """One good signature among several is enough, within the tolerance either way."""
    verify(header, BODY, [SECRET], AT + late)


def test_a_new_secret_beside_the_old():
    """While a secret is replaced, what either of the two signed is good."""
    for signature in (GOOD, OTHER_GOOD):
        verify(f"t={AT},v1={signature}", BODY, ["whsec_the_next_one", SECRET], AT)


@pytest.mark.parametrize(
    ("header", "body", "late", "code"),
    [
        (f"t={AT},v1={FORGED}", BODY, 0, "webhook_signature"),
        (f"t={AT},v1={GOOD}", BODY + b" ", 0, "webhook_signature"),
        (f"t={AT + 1},v1={GOOD}", BODY, 0, "webhook_signature"),
        (f"t={AT},v0={GOOD}", BODY, 0, "webhook_signature"),
        (f"t={AT},v1={GOOD[:-1]}", BODY, 0, "webhook_signature"),
        (f"t={AT},v1=é", BODY, 0, "webhook_signature"),
        (f"t={AT}", BODY, 0, "webhook_signature"),
        (f"v1={GOOD}", BODY, 0, "webhook_signature"),
        (f"t={AT},t={AT + 9},v1={GOOD}", BODY, 0, "webhook_signature"),
        (f"t=-5,v1={GOOD}", BODY, 0, "webhook_signature"),
        (f"t={'9' * 5000},v1={GOOD}", BODY, 0, "webhook_signature"),
        ("", BODY, 0, "webhook_signature"),
        (f"t={AT},v1={GOOD}", BODY, TOLERANCE_S + 1, "webhook_too_old"),
        (f"t={AT},v1={GOOD}", BODY, -TOLERANCE_S - 1, "webhook_too_old"),
    ],
    ids=range(14),
)
def test_bad_signatures(header, body, late, code):
    """Forged, cut, moved in time or too old: refused."""
    with pytest.raises(Unreadable) as refused:
        verify(header, body, [SECRET], AT + late)
    assert refused.value.code == code


@pytest.fixture
def market(database, publisher, clock):
    """A market whose provider tells of everything by webhook."""
    return build_market(database, publisher, clock, test_payments=False)


@pytest.fixture
async def order_id(market, shoe):
    return await make_order(market, shoe)


def event(order_id, kind="payment_intent.succeeded", event_id="evt_1", **changes):
    about = {
        "id": "pi_1",
        "amount": 22_000,
        "currency": "usd",
        "metadata": {"order_id": order_id, "colour": "red"},
        "object": "payment_intent",
    }
    return {"id": event_id, "type": kind, "livemode": False, "data": {"object": about | changes}}


async def status(market, order_id):
    return (await market.orders.get(BUYER, order_id))["status"]


async def types(market, who):
    return [notice["type"] for notice in await told(market, who)][2:]


async def test_a_payment_waits_for_the_provider(market, order_id):
    """Paying answers with the order as it is; the provider's event makes it paid."""
    order = await market.orders.pay(BUYER, order_id, operation_id="x")
    assert order["status"] == "created"
    assert await market.webhooks.receive(event(order_id)) is True
    order = await market.orders.get(BUYER, order_id)
    assert (order["status"], order["payment_id"]) == ("paid", "pi_1")


async def test_no_card_is_taken_here(market, order_id):
    """With a real provider a card number sent to this server is refused by its field."""
    with pytest.raises(Invalid) as refused:
        await market.orders.pay(BUYER, order_id, card_number="4242424242424242", operation_id="y")
    assert set(refused.value.fields) == {"card_number"}


async def test_repeats_are_harmless(market, order_id):
    """An event delivered again, or told again under another id, changes and tells nothing."""
    assert await market.webhooks.receive(event(order_id)) is True
    assert await market.webhooks.receive(event(order_id)) is False
    await market.webhooks.receive(event(order_id, event_id="evt_2"))
    assert await types(market, SELLER) == ["order_paid"]
    assert await types(market, BUYER) == ["payment_succeeded"]


async def test_a_failure_that_comes_late_is_harmless(market, order_id):
    """A failure told after the success leaves the order paid; one before it does not hinder it."""
    await market.webhooks.receive(event(order_id, "payment_intent.payment_failed", "evt_0"))
    assert await status(market, order_id) == "payment_failed"
    await market.webhooks.receive(event(order_id, event_id="evt_2"))
    await market.webhooks.receive(event(order_id, "payment_intent.payment_failed", "evt_1"))
    assert await status(market, order_id) == "paid"
    assert await types(market, BUYER) == ["payment_failed", "payment_succeeded"]


async def test_a_refund_before_its_payment_is_delivered_again(market, order_id):
    """What comes before what it follows is a conflict, is not noted, and works later."""
    refund = event(order_id, "charge.refunded", "evt_9")
    with pytest.raises(Conflict):
        await market.webhooks.receive(refund)
    await market.webhooks.receive(event(order_id))
    assert await market.webhooks.receive(refund) is True
    assert await status(market, order_id) == "refunded"


async def test_the_payout_is_told_by_the_provider(market, order_id):
    """A delivered order waits for the provider's payout, which is told to the seller."""
    await market.webhooks.receive(event(order_id))
    parcel = {"carrier": "UPS", "tracking": "1Z999"}
    await market.orders.ship(SELLER, order_id, **parcel, operation_id="a")
    await market.orders.deliver(BUYER, order_id, operation_id="b")
    assert await status(market, order_id) == "delivered"
    await market.webhooks.receive(event(order_id, "payout.paid", "evt_3"))
    assert await status(market, order_id) == "payout_completed"
    assert (await types(market, SELLER))[-1] == "payout_completed"


async def test_refunds_are_made_at_the_provider(market, order_id):
    """With a real provider an order is not called refunded before the provider says so."""
    await market.webhooks.receive(event(order_id))
    with pytest.raises(Conflict) as refused:
        await market.orders.refund(SELLER, order_id, operation_id="x")
    assert refused.value.code == "refund_at_provider"
    assert await status(market, order_id) == "paid"


async def test_a_second_payment_is_kept_as_surplus(market, order_id, database, caplog):
    """Paid twice with different payments: the order keeps the first, the other is to go back."""
    await market.webhooks.receive(event(order_id))
    await market.webhooks.receive(event(order_id, event_id="evt_2", id="pi_2"))
    assert (await market.orders.get(BUYER, order_id))["payment_id"] == "pi_1"
    surplus = await database["market_payments"].find({"surplus": True}).to_list(None)
    assert [payment["_id"] for payment in surplus] == ["pi_2"]
    assert "pi_2" in caplog.text


async def test_a_payment_pays_one_order(market, shoe, order_id):
    """A payment that paid one order is refused for another."""
    other = await make_order(market, shoe)
    await market.webhooks.receive(event(order_id))
    with pytest.raises(Conflict) as refused:
        await market.webhooks.receive(event(other, event_id="evt_2"))
    assert refused.value.code == "payment_of_another_order"
    assert await status(market, other) == "created"


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"amount": 21_999}, Invalid),
        ({"amount": 22_000.0}, Invalid),
        ({"amount": "22000"}, Invalid),
        ({"amount": -22_000}, Invalid),
        ({"currency": "eur"}, Invalid),
        ({"metadata": {}}, Invalid),
        ({"metadata": {"order_id": {"$ne": ""}}}, Invalid),
        ({"metadata": {"order_id": "999"}}, NotFound),
    ],
    ids=str,
)
async def test_events_that_do_not_fit(market, order_id, changes, error):
    """Another amount, currency or no such order: refused, and the order waits on."""
    with pytest.raises(error):
        await market.webhooks.receive(event(order_id, **changes))
    assert await status(market, order_id) == "created"


async def test_other_events_are_passed_over(market, order_id):
    """Kinds that mean nothing here are taken without effect, whatever they hold."""
    assert await market.webhooks.receive({"id": "evt_5", "type": "customer.created"}) is False
    assert await status(market, order_id) == "created"


async def test_old_events_are_forgotten(market, order_id, clock, database):
    """After a month an event's id is no longer kept."""
    await market.webhooks.receive(event(order_id))
    clock.move(timedelta(days=29))
    await market.webhooks.sweep()
    assert await database["market_webhooks"].count_documents({}) == 1
    clock.move(timedelta(days=1))
    await market.webhooks.sweep()
    assert await database["market_webhooks"].count_documents({}) == 0


def test_without_a_secret_there_is_no_endpoint(database):
    """With no secret nothing can be verified, and everything is refused as not there."""
    market = build_market(database, webhook_secrets=[])
    with pytest.raises(NotFound):
        market.webhooks.verify(f"t={AT},v1={GOOD}", json.dumps({}).encode())
