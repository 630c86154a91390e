"""From bid to payout on a running server, with all eight notifications at the right people."""

from collections import Counter

SHOE = {"name": "Nike Air Jordan 1", "sku": "AJ1", "sizes": ["US 9"]}
PARCEL = {"carrier": "UPS", "tracking": "1Z999"}

FOR_BUYER = [
    *("match_created", "order_created", "payment_failed", "payment_succeeded"),
    *("order_shipped", "order_delivered"),
]
FOR_SELLER = [
    *("match_created", "order_created", "order_paid", "order_delivered", "payout_completed"),
]


async def test_from_bid_to_payout(serve):
    """Buyer and seller hear over /ws exactly what the document's table gives each, once."""
    server = await serve()
    buyer, seller = await server.token("buyer"), await server.token("seller")
    at_buyer, at_seller = await server.raw(buyer), await server.raw(seller)
    _, product = await server.call(seller, "POST", "/api/v1/products", SHOE)
    offer = {"product_id": product["id"], "size": "US 9", "price": "220.00"}
    await server.call(seller, "POST", "/api/v1/asks", offer)
    _, bid = await server.call(buyer, "POST", "/api/v1/bids", offer | {"price": "230.00"})
    link = f"/orders/{bid['order_id']}"
    for who, step, body in (
        (buyer, "pay", {"card_number": "4000000000000002"}),
        (buyer, "pay", {"card_number": "4242424242424242"}),
        (seller, "ship", PARCEL),
        (buyer, "deliver", {}),
    ):
        status, order = await server.call(who, "POST", f"/api/v1{link}/{step}", body)
        assert status == 200
    assert order["status"] == "payout_completed"
    for token, client, expected in ((buyer, at_buyer, FOR_BUYER), (seller, at_seller, FOR_SELLER)):
        frames = [await client.frame() for _ in expected]
        assert {frame["type"] for frame in frames} == {"notification"}
        heard = [frame["data"] for frame in frames]
        assert [data["notification_type"] for data in heard] == expected
        assert {data["link"] for data in heard} == {link}
        # Silence after them: the next thing heard is the answer to a ping.
        assert (await client.ask({"type": "ping"}))["type"] == "pong"
        _, inbox = await server.call(token, "GET", "/api/v1/notifications?limit=100")
        assert Counter(item["type"] for item in inbox["items"]) == Counter(expected)
        assert {item["id"] for item in inbox["items"]} == {data["id"] for data in heard}
    _, inbox = await server.call(buyer, "GET", "/api/v1/notifications")
    assert inbox["items"][-1]["message"] == (
        "Your bid for Nike Air Jordan 1 (US 9) has been matched at $220"
    )
