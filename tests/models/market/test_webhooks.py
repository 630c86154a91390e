"""What a payment provider tells: signatures, repeats, and events in any order."""

import asyncio
import hashlib
import hmac
import json
from datetime import timedelta

import pytest

from models.errors import Conflict, Forbidden, Invalid, NotFound, Unavailable, Unreadable
from models.market.deliveries import CLAIM
from models.market.webhooks import TOLERANCE_S, sign, verify
from tests.market_world import BUYER, OPERATOR, SECRET, SELLER, build_market, make_order, told

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


async def test_a_refund_before_its_payment_counts_when_that_comes(market, order_id):
    """Events may overtake each other: a refund told first refunds the order once it is paid."""
    refund = event(order_id, "charge.refunded", "evt_9")
    assert await market.webhooks.receive(refund) is True
    assert await status(market, order_id) == "created"
    await market.webhooks.receive(event(order_id))
    assert await status(market, order_id) == "refunded"
    assert await market.webhooks.receive(refund) is False
    assert await types(market, BUYER) == ["payment_succeeded", "order_refunded"]


def refund(order_id, event_id, total, **changes):
    """Tell of a charge as the provider does: `amount_refunded` is the total so far."""
    charge = {"id": "ch_1", "payment_intent": "pi_1", "amount_refunded": total}
    return event(order_id, "charge.refunded", event_id, **charge | changes)


async def test_partial_refunds_add_up(market, order_id, database):
    """Only when all of the payment has been given back is the order refunded, in any order."""
    await market.webhooks.receive(event(order_id))
    for event_id, total in (("a", 100), ("b", 21_999), ("c", 5_000)):
        assert await market.webhooks.receive(refund(order_id, event_id, total)) is True
        assert await status(market, order_id) == "paid"
    assert (await market.orders.get(BUYER, order_id))["refunded_amount"] == "219.99"
    assert await market.webhooks.receive(refund(order_id, "d", 22_000)) is True
    order = await market.orders.get(BUYER, order_id)
    assert (order["status"], order["refunded_amount"]) == ("refunded", "220.00")


async def test_a_refund_that_names_no_payment_is_of_the_only_one(market, order_id):
    """A charge without `payment_intent` is of the order's payment, unless there are several."""
    await market.webhooks.receive(event(order_id))
    alone = {"payment_intent": None, "id": "ch_9"}
    assert await market.webhooks.receive(refund(order_id, "a", 22_000, **alone)) is True
    assert await status(market, order_id) == "refunded"
    await market.webhooks.receive(event(order_id, event_id="evt_2", id="pi_2"))
    assert await market.webhooks.receive(refund(order_id, "b", 22_000, **alone)) is False
    assert await problems(market) == ["payment_ambiguous"]


async def test_a_surplus_payment_has_a_life_of_its_own(market, order_id):
    """Giving the surplus payment back leaves the order paid; it is listed until then."""
    await market.webhooks.receive(event(order_id, id="pi_first"))
    await market.webhooks.receive(event(order_id, event_id="evt_2", id="pi_second"))
    (listed,) = (await market.orders.list_surplus(OPERATOR))["items"]
    assert (listed["payment_id"], listed["amount"], listed["currency"]) == (
        *("pi_second", "220.00"),
        "usd",
    )
    second = {"payment_intent": "pi_second"}
    await market.webhooks.receive(refund(order_id, "a", 100, **second))
    assert len((await market.orders.list_surplus(OPERATOR))["items"]) == 1
    await market.webhooks.receive(refund(order_id, "b", 22_000, **second))
    assert (await market.orders.list_surplus(OPERATOR))["items"] == []
    order = await market.orders.ship(
        SELLER, order_id, carrier="UPS", tracking="1Z999", operation_id="s"
    )
    assert (order["status"], order["refunded_amount"]) == ("shipped", "0.00")
    with pytest.raises(Forbidden):
        await market.orders.list_surplus(BUYER)


async def test_one_event_delivered_eight_times_at_once(market, order_id, database):
    """Each event acts once, however often it comes at the same moment, and after a crash."""
    failed = event(order_id, "payment_intent.payment_failed", "evt_f")
    applied = await asyncio.gather(*(market.webhooks.receive(failed) for _ in range(8)))
    assert sorted(applied) == [False] * 7 + [True]
    # As a process leaves it that died between the step and the note.
    long_ago = market.webhooks.deliveries._clock() - CLAIM
    crashed = {"state": "claimed", "claimed_at": long_ago}
    await database["market_webhooks"].update_one({"_id": "evt_f"}, {"$set": crashed})
    assert await market.webhooks.receive(failed) is True
    history = (await market.orders.get(BUYER, order_id))["history"]
    assert [step["status"] for step in history] == ["created", "payment_failed"]
    assert await types(market, BUYER) == ["payment_failed"]


async def test_a_delivery_under_way_elsewhere_is_waited_for(market, order_id, monkeypatch):
    """While another process has an event the provider is asked to come again."""
    monkeypatch.setattr("models.market.deliveries.WAIT_S", 0.1)
    await market.webhooks.deliveries.claim("evt_1", "payment_intent.succeeded")
    with pytest.raises(Unavailable) as refused:
        await market.webhooks.receive(event(order_id))
    assert (refused.value.code, refused.value.retry_after_s) == ("event_in_flight", 60)
    await market.webhooks.deliveries.release("evt_1")
    assert await market.webhooks.receive(event(order_id)) is True


async def test_a_payout_before_the_delivery_counts_when_that_comes(market, order_id):
    """A payout told early completes the order when it is delivered."""
    await market.webhooks.receive(event(order_id))
    assert await market.webhooks.receive(event(order_id, "payout.paid", "evt_3")) is True
    parcel = {"carrier": "UPS", "tracking": "1Z999"}
    await market.orders.ship(SELLER, order_id, **parcel, operation_id="a")
    await market.orders.deliver(BUYER, order_id, operation_id="b")
    assert await status(market, order_id) == "payout_completed"


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


async def problems(market):
    """The codes of the events that operators see, the latest first."""
    listed = await market.webhooks.list_unusable(OPERATOR)
    return [each["problem"]["code"] for each in listed["items"]]


async def test_a_payment_pays_one_order(market, shoe, order_id):
    """A payment that paid one order does not pay another."""
    other = await make_order(market, shoe)
    await market.webhooks.receive(event(order_id))
    assert await market.webhooks.receive(event(other, event_id="evt_2")) is False
    assert await problems(market) == ["payment_of_another_order"]
    assert await status(market, other) == "created"


UNUSABLE = [
    ("payment_intent.succeeded", {"amount_received": 100}, "payment_amount"),
    ("payment_intent.succeeded", {"amount_received": 0}, "payment_amount"),
    ("payment_intent.succeeded", {"amount_received": None}, "invalid"),
    ("payment_intent.succeeded", {"amount_received": 22_001}, "payment_amount"),
    ("payment_intent.succeeded", {"amount": 21_999}, "payment_amount"),
    ("payment_intent.succeeded", {"amount": 22_000.0}, "invalid"),
    ("payment_intent.succeeded", {"amount": "22000"}, "invalid"),
    ("payment_intent.succeeded", {"amount": -22_000}, "invalid"),
    ("payment_intent.succeeded", {"currency": "eur"}, "payment_amount"),
    ("payment_intent.succeeded", {"metadata": {}}, "invalid"),
    ("payment_intent.succeeded", {"metadata": None}, "invalid"),
    ("payment_intent.succeeded", {"metadata": {"order_id": {"$ne": ""}}}, "invalid"),
    ("payment_intent.succeeded", {"metadata": {"order_id": "cart-77"}}, "invalid"),
    ("payment_intent.succeeded", {"metadata": {"order_id": "999"}}, "order_not_found"),
    ("payment_intent.succeeded", {"id": "pi \0"}, "invalid"),
    ("payment_intent.payment_failed", {"metadata": {}}, "invalid"),
    ("payment_intent.payment_failed", {"metadata": {"order_id": "999"}}, "order_not_found"),
    ("charge.refunded", {"metadata": {}}, "invalid"),
    ("charge.refunded", {"currency": "eur"}, "refund_currency"),
    ("payout.paid", {"amount": 1}, "payout_amount"),
]


@pytest.mark.parametrize(("kind", "changes", "code"), UNUSABLE, ids=str)
async def test_events_that_can_never_be_used(market, order_id, caplog, kind, changes, code):
    """They are accepted without effect, logged with their ids, and listed for operators."""
    assert await market.webhooks.receive(event(order_id, kind, **changes)) is False
    assert await status(market, order_id) == "created"
    assert await problems(market) == [code]
    assert "evt_1" in caplog.text
    assert await market.webhooks.receive(event(order_id, kind, **changes)) is False
    (listed,) = (await market.webhooks.list_unusable(OPERATOR))["items"]
    assert (listed["id"], listed["type"]) == ("evt_1", kind)
    with pytest.raises(Forbidden):
        await market.webhooks.list_unusable(SELLER)


async def test_events_without_an_object_are_listed(market):
    """An event whose `data` is missing or of another shape names nothing, and is listed."""
    for number, data in enumerate((None, 5, {"object": []}, {"object": {"metadata": 7, "id": 10}})):
        lost = {"id": f"evt_{number}", "type": "charge.refunded", "data": data}
        assert await market.webhooks.receive(lost) is False
    assert await problems(market) == ["invalid"] * 4


async def test_money_of_another_amount_is_to_be_given_back(market, order_id):
    """What was received without paying the order is listed for operators."""
    await market.webhooks.receive(event(order_id, amount_received=100))
    (listed,) = (await market.orders.list_surplus(OPERATOR))["items"]
    assert (listed["payment_id"], listed["amount"]) == ("pi_1", "1.00")


async def test_a_failure_without_an_amount(market, order_id):
    """A failed payment has moved nothing, so its event needs no amount."""
    failed = event(order_id, "payment_intent.payment_failed")
    del failed["data"]["object"]["amount"]
    assert await market.webhooks.receive(failed) is True
    assert await status(market, order_id) == "payment_failed"


async def test_a_refund_after_the_delivery(market, order_id):
    """It leaves the order as it is, and operators see it."""
    await market.webhooks.receive(event(order_id))
    parcel = {"carrier": "UPS", "tracking": "1Z999"}
    await market.orders.ship(SELLER, order_id, **parcel, operation_id="a")
    await market.orders.deliver(BUYER, order_id, operation_id="b")
    assert await market.webhooks.receive(refund(order_id, "evt_2", 22_000)) is False
    assert await status(market, order_id) == "delivered"
    assert await problems(market) == ["refund_after_delivery"]


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


async def history(market, order_id):
    return [step["status"] for step in (await market.orders.get(BUYER, order_id))["history"]]


async def test_an_order_is_not_cancelled_under_a_payment(market, order_id, clock):
    """From `pay` until the payment fails or half an hour is over, nobody can cancel the order."""
    await market.orders.pay(BUYER, order_id, operation_id="p")
    before = await market.orders.get(BUYER, order_id)
    for who in (SELLER, BUYER, OPERATOR):
        with pytest.raises(Conflict) as refused:
            await market.orders.cancel(who, order_id, operation_id="c")
        assert refused.value.code == "payment_under_way"
    assert await market.orders.get(BUYER, order_id) == before
    await market.webhooks.receive(event(order_id, "payment_intent.payment_failed", "evt_f"))
    assert (await market.orders.cancel(SELLER, order_id, operation_id="c"))["status"] == "cancelled"


async def test_a_payment_that_did_not_begin_is_not_under_way(market, order_id):
    """A `pay` that was refused leaves the order as free to be cancelled as it was."""
    with pytest.raises(Invalid):
        await market.orders.pay(BUYER, order_id, card_number="4242424242424242", operation_id="y")
    assert (await market.orders.cancel(SELLER, order_id, operation_id="c"))["status"] == "cancelled"


async def test_a_payment_that_is_refused_leaves_the_one_before_under_way(market, order_id, clock):
    """A second `pay` with a card, which is refused, does not let the seller cancel meanwhile."""
    await market.orders.pay(BUYER, order_id, operation_id="x")
    clock.move(timedelta(minutes=1))
    with pytest.raises(Invalid):
        await market.orders.pay(BUYER, order_id, card_number="4242424242424242", operation_id="y")
    with pytest.raises(Conflict) as refused:
        await market.orders.cancel(SELLER, order_id, operation_id="c")
    assert refused.value.code == "payment_under_way"
    assert await market.webhooks.receive(event(order_id)) is True
    assert await status(market, order_id) == "paid"


async def test_money_for_a_cancelled_order_is_followed_to_its_return(market, order_id, clock):
    """It is in the history, the buyer and operators hear of it, and later of its return."""
    await market.orders.pay(BUYER, order_id, operation_id="p")
    clock.move(timedelta(minutes=30))
    await market.orders.cancel(SELLER, order_id, operation_id="c")
    assert await market.webhooks.receive(event(order_id)) is True
    assert await history(market, order_id) == ["created", "cancelled", "surplus_payment"]
    notice = (await told(market, BUYER))[-1]
    assert (notice["type"], notice["message"]) == (
        "payment_returned",
        "Your payment of $220 for Nike Air Jordan 1 (US 9) came after your order was cancelled;"
        " it is to be returned",
    )
    (listed,) = (await market.orders.list_surplus(OPERATOR))["items"]
    assert (listed["payment_id"], listed["order_id"]) == ("pi_1", order_id)
    assert await market.webhooks.receive(refund(order_id, "evt_r", 22_000)) is True
    assert (await market.orders.list_surplus(OPERATOR))["items"] == []
    assert (await history(market, order_id))[2:] == ["surplus_payment", "surplus_refunded"]
    assert (await told(market, BUYER))[-1]["title"] == "Your payment has been returned"
    assert await status(market, order_id) == "cancelled"


async def test_an_operator_settles_a_surplus_payment(market, order_id):
    """What was given back in another way leaves the list, once, by an operator's word."""
    await market.webhooks.receive(event(order_id, id="pi_first"))
    await market.webhooks.receive(event(order_id, event_id="evt_2", id="pi_second"))
    with pytest.raises(Forbidden):
        await market.orders.settle_surplus(BUYER, "pi_second")
    for payment_id in ("pi_first", "pi_none"):
        with pytest.raises(NotFound):
            await market.orders.settle_surplus(OPERATOR, payment_id)
    for _ in range(2):
        await market.orders.settle_surplus(OPERATOR, "pi_second")
    assert (await market.orders.list_surplus(OPERATOR))["items"] == []
    assert (await history(market, order_id)).count("surplus_refunded") == 1
    assert (await types(market, BUYER)).count("payment_returned") == 2


async def test_a_provider_that_makes_refunds_gives_surplus_back(database, shoe, clock, publisher):
    """It is called once, also when a crash came first, and nobody has anything left to do."""
    market = build_market(database, publisher, clock)
    order_id = await make_order(market, shoe)
    await market.orders.cancel(SELLER, order_id, operation_id="c")
    calls = []

    async def give_back(payment_id):
        calls.append(payment_id)
        if len(calls) == 1:
            raise ConnectionError
        return True

    market.orders._provider.refund = give_back
    await market.webhooks.receive(event(order_id))
    assert len((await market.orders.list_surplus(OPERATOR))["items"]) == 1
    for _ in range(2):
        await market.sweep()
    assert calls == ["pi_1", "pi_1"]
    assert (await market.orders.list_surplus(OPERATOR))["items"] == []
    assert (await types(market, BUYER)).count("payment_returned") == 1
