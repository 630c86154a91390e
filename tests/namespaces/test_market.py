"""The commands of /market, through the funnel of all transports, and following a book live."""

import asyncio
import zlib

import pytest

from models.rooms import book_room, user_room
from namespaces import market as market_commands
from namespaces.base import Caller
from namespaces.market import MarketCommands
from tests.market_world import (
    BUYER,
    GOOD_CARD,
    OTHER,
    SELLER,
    SIZE,
    add_shoe,
    build_market,
)
from tests.stories_world import RecordingPublisher, person

PATIENCE_S = 10.0


class Rooms:
    """A connection that remembers its rooms."""

    def __init__(self):
        self.rooms = set()

    def enter(self, room):
        self.rooms.add(room)

    def leave(self, room):
        self.rooms.remove(room)


class HearingPublisher(RecordingPublisher):
    """Says when a heartbeat was published."""

    def __init__(self):
        super().__init__()
        self.beats = asyncio.Event()

    async def publish(self, event, *rooms):
        await super().publish(event, *rooms)
        if event.name == "book_heartbeat":
            self.beats.set()


@pytest.fixture
def publisher():
    return HearingPublisher()


@pytest.fixture
async def market(database, publisher, clock):
    made = build_market(database, publisher, clock, heartbeat_s=0.01)
    await made.prepare()
    return made


@pytest.fixture
async def shoe(market):
    return await add_shoe(market)


@pytest.fixture
def commands(market):
    return MarketCommands(market)


@pytest.fixture
async def connect(commands):
    """Let somebody in; returns a function that runs commands, until the test is over."""
    callers = []

    async def connect(who):
        caller = Caller(who, Rooms())
        assert await commands.arrived(caller) == ()
        callers.append(caller)

        async def run(name, **payload):
            return await commands.run(caller, name, payload)

        run.caller = caller
        run.rooms = caller.connection.rooms
        return run

    yield connect
    for caller in callers:
        await commands.left(caller)


def test_everyone_is_in_their_own_room(commands):
    """A connection is in its account's room from the start, and in no book."""
    assert set(commands.rooms_of(BUYER)) == {user_room("2")}


async def test_the_life_of_an_order_by_commands(connect, shoe):
    """List, place, match, pay, ship and deliver, each answered with data."""
    buyer, seller = await connect(BUYER), await connect(SELLER)
    where = {"product_id": shoe, "size": SIZE}
    assert [p["id"] for p in (await buyer("list_products", q="nike"))["data"]["items"]] == [shoe]
    assert (await buyer("get_product", product_id=shoe))["data"]["sku"] == "AJ1"
    spare = (await seller("place_ask", **where, price="300"))["data"]
    ask = (await seller("place_ask", **where, price="220"))["data"]
    bid = (await buyer("place_bid", **where, price="230.00"))["data"]
    assert (bid["status"], bid["matched_price"]) == ("matched", "220.00")
    assert (await seller("cancel", id=spare["id"]))["data"]["status"] == "cancelled"
    mine = (await seller("my_offers", side="ask", status="matched"))["data"]["items"]
    assert [offer["id"] for offer in mine] == [ask["id"]]
    which = {"order_id": bid["order_id"]}
    assert (await buyer("pay", **which, card_number=GOOD_CARD))["data"]["status"] == "paid"
    parcel = {"carrier": "UPS", "tracking": "1Z999"}
    assert (await seller("ship", **which, **parcel))["data"]["status"] == "shipped"
    done = (await buyer("deliver", **which))["data"]
    assert done["status"] == "payout_completed"
    assert (await seller("get_order", **which))["data"] == done
    assert (await buyer("my_orders", role="buyer"))["data"]["items"] == [done]
    assert len((await seller("list_notifications"))["data"]["items"]) == 5


async def test_giving_up_by_commands(connect, shoe):
    """An unpaid order is cancelled, a paid one refunded."""
    buyer, seller = await connect(BUYER), await connect(SELLER)
    where = {"product_id": shoe, "size": SIZE, "price": 220}
    for steps, expected in ((["cancel_order"], "cancelled"), (["pay", "refund"], "refunded")):
        await seller("place_ask", **where)
        order_id = (await buyer("place_bid", **where))["data"]["order_id"]
        for step in steps:
            card = {"card_number": GOOD_CARD} if step == "pay" else {}
            who = seller if step == "refund" else buyer
            answer = await who(step, order_id=order_id, **card)
        assert answer["data"]["status"] == expected


@pytest.mark.parametrize("price", ["-1", "0", "NaN", "1e400", "2.001", 0, -5, 1.5, float("nan")])
@pytest.mark.parametrize("name", ["place_bid", "place_ask"])
async def test_bad_prices_are_named(connect, shoe, market, name, price):
    """A price that is none is answered by its field, and the book stays as it was."""
    run = await connect(BUYER)
    error = (await run(name, product_id=shoe, size=SIZE, price=price))["error"]
    assert (error["code"], set(error["fields"])) == ("invalid", {"price"})
    assert (await market.trading.book(shoe, SIZE))["seq"] == 0


@pytest.mark.parametrize(
    ("name", "payload", "code"),
    [
        ("subscribe_book", {}, "invalid"),
        ("subscribe_book", {"product_id": "1", "size": "US 99"}, "unknown_size"),
        ("subscribe_book", {"product_id": "999", "size": SIZE}, "product_not_found"),
        ("subscribe_book", {"product_id": "1", "size": SIZE, "depth": 1.5}, "invalid"),
        ("subscribe_book", {"product_id": "1", "size": SIZE, "depth": True}, "invalid"),
        ("subscribe_book", {"product_id": True, "size": SIZE}, "invalid"),
        ("get_book", {"product_id": {"$gt": ""}, "size": SIZE}, "invalid"),
        ("cancel", {"id": "x"}, "offer_not_found"),
        ("cancel", {"id": {"$ne": ""}}, "invalid"),
        ("my_offers", {}, "invalid"),
        ("get_order", {"order_id": "1"}, "order_not_found"),
        ("pay", {"order_id": "1", "card_number": "4242 4242"}, "invalid"),
        ("ship", {"order_id": "1", "carrier": "x", "tracking": "y" * 101}, "invalid"),
    ],
)
async def test_bad_payloads_are_refused(connect, shoe, name, payload, code):
    """Each command refuses what it cannot use, and enters no room."""
    run = await connect(BUYER)
    assert (await run(name, **payload))["error"]["code"] == code
    assert run.rooms == set()


async def test_following_and_leaving_a_book(connect, commands, market, shoe):
    """A subscription enters the book's room once, and ends by command or with the connection."""
    run, other = await connect(BUYER), await connect(OTHER)
    where = {"product_id": shoe, "size": SIZE}
    for _ in range(2):
        answer = await run("subscribe_book", **where)
    assert answer == await run("get_book", **where)
    await other("subscribe_book", **where)
    assert run.rooms == {book_room(shoe, SIZE)}
    for _ in range(2):
        assert await run("unsubscribe_book", **where) == {"data": None}
    assert run.rooms == set()
    assert len(market.followed) == 1
    await commands.left(other.caller)
    assert len(market.followed) == 0
    # A command that was still under way when its connection went.
    assert "data" in await other("subscribe_book", **where)
    assert len(market.followed) == 0


async def test_a_connection_follows_so_many_books(connect, shoe, monkeypatch):
    """Beyond the limit a subscription is refused."""
    monkeypatch.setattr(market_commands, "MAX_FOLLOWED", 1)
    run = await connect(BUYER)
    await run("subscribe_book", product_id=shoe, size=SIZE)
    error = (await run("subscribe_book", product_id=shoe, size="US 10"))["error"]
    assert error["code"] == "too_many_books"


class Follower:
    """A client that keeps a book as `namespaces/market.py` says, and knows when it cannot."""

    def __init__(self):
        self.early = []
        self.book = None
        self.complete = False

    def take(self, snapshot):
        self.seq = snapshot["seq"]
        self.book = {
            side: {level["price"]: level["quantity"] for level in snapshot[f"{side}s"]}
            for side in ("bid", "ask")
        }
        self.complete = True
        early, self.early = self.early, []
        for event in early:
            self.hear(event)

    def hear(self, event):
        if self.book is None:
            self.early.append(event)
        elif event["seq"] > self.seq:
            if event["prev_seq"] != self.seq:
                self.complete = False
            elif self.complete:
                self.seq = event["seq"]
                self.book[event["side"]].pop(event["price"], None)
                if event["quantity"]:
                    self.book[event["side"]][event["price"]] = event["quantity"]

    def beat(self, event):
        if (event["seq"], event["checksum"]) != (self.seq, self.checksum()):
            self.complete = False

    def levels(self, side):
        prices = sorted(self.book[side], key=float, reverse=side == "bid")
        return [{"price": price, "quantity": self.book[side][price]} for price in prices]

    def checksum(self):
        parts = [
            f"{side}:{level['price']}:{level['quantity']}"
            for side in ("bid", "ask")
            for level in self.levels(side)[:10]
        ]
        return zlib.crc32("|".join(parts).encode())


async def trade(market, shoe, numbers):
    """Place bids and asks at many prices, some of which meet, and cancel some."""
    for number in numbers:
        side = ("bid", "ask")[number % 2]
        price = 20_000 + (number * 37 % 30 - 15) * 100
        who = person(str(100 + number))
        offer = await market.trading.place(who, side, product_id=shoe, size=SIZE, price=price)
        if number % 5 == 0 and offer["status"] == "open":
            await market.trading.cancel(who, side, offer["id"])


def books(publisher):
    return [data for data, _ in publisher.take("book")]


async def test_snapshot_and_events_make_the_fresh_snapshot(market, shoe, publisher):
    """Whoever took a snapshot and every event since has what a fresh snapshot shows."""
    await trade(market, shoe, range(15))
    publisher.take()
    follower = Follower()
    snapshot = await market.trading.book(shoe, SIZE, depth=200)
    await trade(market, shoe, range(15, 25))
    for event in books(publisher):
        follower.hear(event)
    follower.take(snapshot)
    await trade(market, shoe, range(25, 40))
    for event in books(publisher):
        follower.hear(event)
    fresh = await market.trading.book(shoe, SIZE, depth=200)
    assert follower.complete
    assert follower.seq == fresh["seq"] > snapshot["seq"] + 20
    assert [follower.levels("bid"), follower.levels("ask")] == [fresh["bids"], fresh["asks"]]
    assert follower.checksum() == fresh["checksum"]


@pytest.mark.parametrize("lost", range(5))
async def test_a_lost_event_is_noticed(market, shoe, publisher, lost):
    """Whichever event is lost, the next one or the heartbeat says so, and asking anew mends it."""
    follower = Follower()
    follower.take(await market.trading.book(shoe, SIZE, depth=200))
    await trade(market, shoe, [1, 2, 3, 4, 6])
    events = books(publisher)
    del events[lost]
    for event in events:
        follower.hear(event)
    await market.trading.beat(shoe, SIZE)
    ((beat, rooms),) = publisher.take("book_heartbeat")
    assert rooms == (book_room(shoe, SIZE),)
    follower.beat(beat)
    assert not follower.complete
    follower.take(await market.trading.book(shoe, SIZE, depth=200))
    follower.beat(beat)
    assert follower.complete


async def test_what_another_process_did_is_noticed(market, shoe, publisher, database, clock):
    """A change made by a process whose events did not come shows in heartbeat and snapshot."""
    follower = Follower()
    follower.take(await market.trading.book(shoe, SIZE, depth=200))
    other = build_market(database, RecordingPublisher(), clock)
    await trade(other, shoe, [1])
    await market.trading.beat(shoe, SIZE)
    follower.beat(publisher.take("book_heartbeat")[0][0])
    assert not follower.complete
    assert (await market.trading.book(shoe, SIZE)) == (await other.trading.book(shoe, SIZE))


async def test_a_shallow_snapshot_says_that_there_is_more(market, shoe):
    """A snapshot has the best levels up to its depth, and says whether there are others."""
    await trade(market, shoe, range(30))
    whole = await market.trading.book(shoe, SIZE, depth=200)
    shallow = await market.trading.book(shoe, SIZE, depth=2)
    assert (shallow["bids"], shallow["asks"]) == (whole["bids"][:2], whole["asks"][:2])
    assert (shallow["more_bids"], shallow["more_asks"]) == (True, True)
    assert (whole["more_bids"], whole["more_asks"]) == (False, False)
    assert shallow["checksum"] == whole["checksum"]


async def test_followed_books_have_a_heartbeat(connect, market, shoe, publisher):
    """While somebody follows a book it beats, and after the last one left it does not."""
    run = await connect(BUYER)
    await run("subscribe_book", product_id=shoe, size=SIZE)
    async with asyncio.timeout(PATIENCE_S):
        await publisher.beats.wait()
    task = market.followed._task
    await run("unsubscribe_book", product_id=shoe, size=SIZE)
    async with asyncio.timeout(PATIENCE_S):
        await asyncio.wait([task])
    assert task.cancelled()


async def test_a_book_is_followed_live(server):
    """A Socket.IO client subscribes and hears the very changes that trading over REST makes."""
    token = await server.token("buyer")
    seller = await server.token("seller")
    shoe = {"name": "Nike Air Jordan 1", "sku": "AJ1", "sizes": [SIZE]}
    product_id = (await server.call(seller, "POST", "/api/v1/products", shoe))[1]["id"]
    client = await server.socketio(token, namespace="/market")
    which = {"product_id": product_id, "size": SIZE}
    follower = Follower()
    follower.take((await client.call("subscribe_book", which))["data"])
    offer = which | {"price": "220.00"}
    await server.call(seller, "POST", "/api/v1/asks", offer)
    _, bid = await server.call(token, "POST", "/api/v1/bids", offer)
    card = {"card_number": GOOD_CARD}
    await server.call(token, "POST", f"/api/v1/orders/{bid['order_id']}/pay", card)
    names = []
    while "sale" not in names or names.count("book") < 2 or "order.changed" not in names:
        name, data = await client.event()
        names.append(name)
        if name == "book":
            follower.hear(data)
    fresh = (await client.call("get_book", which))["data"]
    assert follower.complete
    assert (follower.seq, follower.checksum()) == (2, fresh["checksum"])
