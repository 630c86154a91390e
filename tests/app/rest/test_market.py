"""The REST routes of the market, from request to answer."""

import io
import json
from datetime import timedelta

import pytest
from aiohttp import web

from app.domains import MARKET_ROUTES
from app.rest.errors import problems
from app.rest.idempotency import answered_once
from app.rest.requests import AUTHENTICATE
from models.errors import Unauthorized
from models.idempotency import Idempotency
from models.market.webhooks import sign
from models.notifications.api import NOTIFICATIONS
from tests.market_world import DECLINED_CARD, GOOD_CARD, SECRET, SHOE, SIZE, build_market
from tests.stories_world import RecordingPublisher, person

SELLER, BUYER, OTHER, OPERATOR = "1", "2", "3", "7"


async def token_is_the_account_id(token):
    if token is None or not token.isdecimal():
        raise Unauthorized("The token is not valid.", code="token_invalid")
    return person(token)


@pytest.fixture
def publisher():
    return RecordingPublisher()


@pytest.fixture
async def market(database, publisher, clock):
    made = build_market(database, publisher, clock)
    await made.prepare()
    return made


@pytest.fixture
async def call(market, database, clock, aiohttp_client):
    middlewares = [problems, answered_once(Idempotency(database, clock=clock))]
    app = web.Application(middlewares=middlewares, client_max_size=1_048_576)
    app[AUTHENTICATE] = token_is_the_account_id
    app.add_routes(MARKET_ROUTES(market).routes())
    client = await aiohttp_client(app)

    async def request(who, method, path, body=None, **options):
        headers = {"Authorization": f"Bearer {who}"} if who else {}
        headers |= options.pop("headers", {})
        if body is not None:
            options["json"] = body
        async with client.request(method, f"/api/v1{path}", headers=headers, **options) as response:
            return response.status, await response.json(content_type=None)

    return request


@pytest.fixture
async def shoe(call):
    status, product = await call(OPERATOR, "POST", "/products", SHOE)
    assert status == 201
    return product["id"]


def offer(shoe, price="220.00", **changes):
    return {"product_id": shoe, "size": SIZE, "price": price} | changes


async def test_the_walk_from_product_to_payout(call, shoe):
    """Product, ask, bid, failed and good payment, shipping, delivery: each step over REST."""
    assert (await call(BUYER, "GET", f"/products/{shoe}"))[1]["name"] == SHOE["name"]
    assert len((await call(BUYER, "GET", "/products?q=jordan"))[1]["items"]) == 1
    status, ask = await call(SELLER, "POST", "/asks", offer(shoe))
    assert (status, ask["status"]) == (201, "open")
    book = (await call(BUYER, "GET", f"/products/{shoe}/book?size=US 9&depth=1"))[1]
    assert book["asks"] == [{"price": "220.00", "quantity": 1}]
    status, bid = await call(BUYER, "POST", "/bids", offer(shoe, 230))
    assert (status, bid["status"], bid["matched_price"]) == (201, "matched", "220.00")
    assert (await call(BUYER, "GET", f"/bids/{bid['id']}"))[1] == bid
    assert [one["id"] for one in (await call(BUYER, "GET", "/bids"))[1]["items"]] == [bid["id"]]
    path = f"/orders/{bid['order_id']}"
    for who, step, body, expected in (
        (BUYER, "pay", {"card_number": DECLINED_CARD}, "payment_failed"),
        (BUYER, "pay", {"card_number": GOOD_CARD}, "paid"),
        (SELLER, "ship", {"carrier": "UPS", "tracking": "1Z999"}, "shipped"),
        (BUYER, "deliver", None, "payout_completed"),
    ):
        status, order = await call(who, "POST", f"{path}/{step}", body)
        assert (status, order["status"]) == (200, expected)
    assert (await call(SELLER, "GET", path))[1] == order
    assert [o["id"] for o in (await call(SELLER, "GET", "/orders?role=seller"))[1]["items"]] == [
        bid["order_id"]
    ]
    sales = (await call(OTHER, "GET", f"/products/{shoe}/sales?size=US 9"))[1]
    assert [sale["price"] for sale in sales["items"]] == ["220.00"]
    assert sales["daily"][0]["volume"] == 1


async def test_cancelling_and_giving_up(call, shoe):
    """DELETE takes an offer back; an unpaid order is cancelled, a paid one refunded."""
    ask = (await call(SELLER, "POST", "/asks", offer(shoe)))[1]
    status, cancelled = await call(SELLER, "DELETE", f"/asks/{ask['id']}")
    assert (status, cancelled["status"]) == (200, "cancelled")
    for steps, expected in ((["cancel"], "cancelled"), (["pay", "refund"], "refunded")):
        await call(SELLER, "POST", "/asks", offer(shoe))
        order_id = (await call(BUYER, "POST", "/bids", offer(shoe)))[1]["order_id"]
        for step in steps:
            who = SELLER if step == "refund" else BUYER
            body = {"card_number": GOOD_CARD} if step == "pay" else {}
            status, order = await call(who, "POST", f"/orders/{order_id}/{step}", body)
            assert status == 200
        assert order["status"] == expected


async def test_every_route_wants_a_token_but_the_webhook(market, call, shoe):
    """Without a token each route answers 401; the webhook has a signature instead."""
    inbox = {route.path for each in NOTIFICATIONS for route in each.routes}
    routes = [route for route in MARKET_ROUTES(market).routes() if route.path not in inbox]
    assert len(routes) == 26
    for route in routes:
        path = route.path.removeprefix("/api/v1")
        for part in ("product_id", "order_id", "payment_id", "id"):
            path = path.replace(f"{{{part}}}", "1")
        status, answer = await call(None, route.method, path)
        expected = (400, "webhook_signature") if "webhook" in path else (401, "token_missing")
        assert (status, answer["code"]) == expected, path


PRICES = [
    *("-1", "0", "0.00", "NaN", "Infinity", "1e400", "220.001", "1e2", "", " 1", "1000000.01"),
    *(-1, 0, 220.5, 1e9, 10**30, True, None, [], {"$gt": 0}),
]


@pytest.mark.parametrize("side", ["bids", "asks"])
async def test_bad_input_is_named_and_leaves_nothing(call, shoe, market, clock, side):
    """Each wrong value is answered by its field or code, and no offer, order or change is left."""
    past = (clock() - timedelta(seconds=1)).isoformat()
    table = [(offer(shoe, price), 422, {"price"}) for price in PRICES]
    table += [
        ({}, 422, {"product_id", "size", "price"}),
        (offer(shoe, size="US 99"), 422, {"size"}),
        (offer(shoe, size=9), 422, {"size"}),
        (offer(shoe, expires_at=past), 422, {"expires_at"}),
        (offer(shoe, expires_at="2026-03-01T12:00:00"), 422, {"expires_at"}),
        (offer(shoe, expires_at="0001-01-01T00:00:00+14:00"), 422, {"expires_at"}),
        (offer(shoe, expires_at=5), 422, {"expires_at"}),
        (offer(shoe, expires_at="tomorrow"), 422, {"expires_at"}),
        (offer(shoe, colour="red"), 422, {"colour"}),
        (offer("x"), 422, {"product_id"}),
        (offer({"$ne": ""}), 422, {"product_id"}),
        (offer("999"), 404, None),
    ]
    for body, expected, fields in table:
        status, answer = await call(BUYER, "POST", f"/{side}", body)
        assert status == expected, body
        assert set(answer.get("errors", ())) == (fields or set()), body
    for raw in ('{"price": NaN}', '{"price": 1e400', "[]", "\xff"):
        headers = {"Content-Type": "application/json"}
        status, _ = await call(
            BUYER, "POST", f"/{side}", data=raw.encode("latin1"), headers=headers
        )
        assert status == 400, raw
    body = json.dumps(offer(shoe)).replace('"220.00"', "1e400")
    headers = {"Content-Type": "application/json"}
    assert (await call(BUYER, "POST", f"/{side}", data=body, headers=headers))[0] == 422
    assert (await market.trading.book(shoe, SIZE))["seq"] == 0
    assert (await call(BUYER, "GET", f"/{side}"))[1]["items"] == []


async def test_bad_products(call, market):
    """Names, SKUs and sizes out of bounds are named; a megabyte of title is too large."""
    for changes, fields in (
        ({"name": ""}, {"name"}),
        ({"name": " "}, {"name"}),
        ({"name": "a\nb"}, {"name"}),
        ({"name": "x" * 121}, {"name"}),
        ({"sku": "a b"}, {"sku"}),
        ({"sku": "x" * 41}, {"sku"}),
        ({"sku": "AJ1\n"}, {"sku"}),
        ({"sizes": []}, {"sizes"}),
        ({"sizes": ["9:5"]}, {"sizes"}),
        ({"sizes": ["9", ""]}, {"sizes"}),
        ({"sizes": [9]}, {"sizes"}),
        ({"sizes": [str(n) for n in range(61)]}, {"sizes"}),
    ):
        status, answer = await call(OPERATOR, "POST", "/products", SHOE | changes)
        assert (status, set(answer["errors"])) == (422, fields), changes
    large = io.BytesIO(json.dumps(SHOE | {"name": "x" * 1_048_576}).encode())
    headers = {"Content-Type": "application/json"}
    assert (await call(OPERATOR, "POST", "/products", data=large, headers=headers))[0] == 413
    assert (await market.products.search())["items"] == []
    assert (await call(OPERATOR, "POST", "/products", SHOE))[0] == 201
    status, answer = await call(OPERATOR, "POST", "/products", SHOE | {"sku": "aj1"})
    assert (status, answer["code"]) == (409, "sku_taken")


async def test_bad_queries(call, shoe):
    """A page, depth, size or cursor that makes no sense is named."""
    for path, fields in (
        (f"/products/{shoe}/book", {"size"}),
        (f"/products/{shoe}/book?size=US 99", {"size"}),
        (f"/products/{shoe}/book?size=US 9&depth=201", {"depth"}),
        (f"/products/{shoe}/book?size=US 9&depth=1.5", {"depth"}),
        (f"/products/{shoe}/sales?days=-1", {"days"}),
        (f"/products/{shoe}/sales?size=US 99", {"size"}),
        ("/products?limit=0", {"limit"}),
        ("/bids?after=x", {"after"}),
        ("/asks?status=sold", {"status"}),
        ("/orders?role=operator", {"role"}),
    ):
        status, answer = await call(BUYER, "GET", path)
        assert (status, set(answer["errors"])) == (422, fields), path


async def test_somebody_elses_order(call, shoe):
    """A stranger finds no order; a party may not make the other's step; 409 says why not yet."""
    await call(SELLER, "POST", "/asks", offer(shoe))
    path = f"/orders/{(await call(BUYER, 'POST', '/bids', offer(shoe)))[1]['order_id']}"
    card = {"card_number": GOOD_CARD}
    parcel = {"carrier": "UPS", "tracking": "1Z999"}
    assert (await call(OTHER, "GET", path))[0] == 404
    assert (await call(OTHER, "POST", f"{path}/pay", card))[0] == 404
    assert (await call(SELLER, "POST", f"{path}/pay", card))[0] == 403
    status, answer = await call(SELLER, "POST", f"{path}/ship", parcel)
    assert (status, answer["code"]) == (409, "illegal_step")
    assert (await call(BUYER, "POST", f"{path}/pay", {"card_number": "4242"}))[0] == 422
    assert (await call(BUYER, "POST", f"{path}/pay", card))[0] == 200
    status, answer = await call(BUYER, "POST", f"{path}/pay", card)
    assert (status, answer["code"]) == (409, "already_paid")
    assert (await call(SELLER, "POST", f"{path}/ship", parcel | {"tracking": ""}))[0] == 422
    assert (await call(BUYER, "GET", path))[1]["status"] == "paid"


async def test_an_idempotent_bid_is_placed_once(call, shoe):
    """The same bid under a key is placed once, another one under it is refused."""
    headers = {"Idempotency-Key": "one"}
    first = await call(BUYER, "POST", "/bids", offer(shoe), headers=headers)
    assert await call(BUYER, "POST", "/bids", offer(shoe), headers=headers) == first
    assert (await call(BUYER, "POST", "/bids", offer(shoe, 221), headers=headers))[0] == 422
    assert len((await call(BUYER, "GET", "/bids"))[1]["items"]) == 1


async def test_the_webhook(call, shoe, clock):
    """A signed event pays the order once; forged, old and unreadable ones change nothing."""
    await call(SELLER, "POST", "/asks", offer(shoe))
    order_id = (await call(BUYER, "POST", "/bids", offer(shoe)))[1]["order_id"]
    about = {"id": "pi_1", "amount": 22_000, "currency": "usd", "metadata": {"order_id": order_id}}
    event = {"id": "evt_1", "type": "payment_intent.succeeded", "data": {"object": about}}

    async def deliver(body=event, secret=SECRET, late=0, header="Stripe-Signature"):
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        at = int(clock().timestamp()) - late
        headers = {header: f"t={at},v1={sign(raw, secret, at)}"}
        return await call(None, "POST", "/payments/webhook", data=raw, headers=headers)

    async def status():
        return (await call(BUYER, "GET", f"/orders/{order_id}"))[1]["status"]

    assert (await deliver(secret="another"))[0] == 400
    assert (await deliver(late=301))[1]["code"] == "webhook_too_old"
    assert (await deliver(b"not json"))[0] == 400
    assert (await deliver(b"[]"))[0] == 400
    assert (await deliver({"id": "evt_2"}))[0] == 422
    assert await status() == "created"
    assert await deliver() == (200, {"received": True, "applied": True})
    assert await deliver(header="Webhook-Signature") == (200, {"received": True, "applied": False})
    assert await status() == "paid"
    foreign = event | {"id": "evt_3", "data": {"object": about | {"metadata": {}}}}
    assert await deliver(foreign) == (200, {"received": True, "applied": False})
    listed = (await call(OPERATOR, "GET", "/payments/unusable-events"))[1]["items"]
    assert [(each["id"], each["payment_id"], each["order_id"]) for each in listed] == [
        ("evt_3", "pi_1", None)
    ]
    assert (await call(OPERATOR, "GET", "/payments/surplus"))[1] == {"items": [], "next": None}
    for path in ("/payments/surplus", "/payments/unusable-events"):
        assert (await call(BUYER, "GET", path))[1]["code"] == "not_an_operator"
