"""Offers whose time is over: gone from what is shown, in order, and told on time."""

import asyncio
from datetime import timedelta

import pytest

from models import finishing
from models.market import followed
from models.market.livebook import CLOSED_AT_ONCE
from models.market.projection import new_offer
from models.rooms import book_room, user_room
from models.times import now
from tests.market_world import BUYER, OTHER, SELLER, SIZE, add_shoe, build_market
from tests.stories_world import RecordingPublisher

PATIENCE_S = 10.0
MINUTE = timedelta(minutes=1)


class WaitingPublisher(RecordingPublisher):
    """Says when a level was emptied."""

    def __init__(self):
        super().__init__()
        self.emptied = asyncio.Event()

    async def publish(self, event, *rooms):
        await super().publish(event, *rooms)
        if event.name == "book" and event.quantity == 0:
            self.emptied.set()


@pytest.fixture
def publisher():
    return WaitingPublisher()


@pytest.fixture
async def place(market, shoe, clock):
    """Place an offer at so many dollars, for so many minutes."""

    async def place(side, who, dollars, minutes=None):
        ends = None if minutes is None else clock() + minutes * MINUTE
        return await market.trading.place(
            who, side, product_id=shoe, size=SIZE, price=dollars * 100, expires_at=ends
        )

    return place


async def test_what_has_expired_is_not_shown(market, place, shoe, clock, publisher):
    """From its last moment on an ask is in no snapshot, and the change of its level is told."""
    ask = await place("ask", SELLER, 220, 1)
    await place("ask", OTHER, 220, 2)
    before = await market.trading.book(shoe, SIZE)
    assert before["asks"] == [{"price": "220.00", "quantity": 2}]
    publisher.take()
    clock.move(MINUTE)
    shown = await market.trading.book(shoe, SIZE)
    assert shown["asks"] == [{"price": "220.00", "quantity": 1}]
    assert shown["seq"] == before["seq"] + 1
    assert shown["checksum"] != before["checksum"]
    await finishing.drain(PATIENCE_S)
    (change, rooms), (closed, owner) = publisher.take()
    assert rooms == (book_room(shoe, SIZE),)
    assert (change["seq"], change["prev_seq"]) == (shown["seq"], before["seq"])
    assert (change["price"], change["quantity"]) == ("220.00", 1)
    assert owner == (user_room("1"),)
    assert (closed["id"], closed["status"]) == (ask["id"], "expired")
    assert await market.trading.book(shoe, SIZE) == shown


async def test_a_heartbeat_comes_after_what_has_expired(market, place, shoe, clock, publisher):
    """The heartbeat tells the book without what is over, after the change that says so."""
    await place("bid", BUYER, 220, 1)
    publisher.take()
    clock.move(MINUTE)
    await market.trading.beat(shoe, SIZE)
    await finishing.drain(PATIENCE_S)
    change, beat, closed = [data for data, _ in publisher.take()]
    assert (change["quantity"], closed["status"]) == (0, "expired")
    assert (beat["seq"], beat["checksum"]) == (change["seq"], 0)


async def test_two_processes_expire_an_offer_once(market, place, shoe, clock, database, publisher):
    """Whoever is first takes it out; the other one finds it gone."""
    await place("ask", SELLER, 220, 1)
    other_publisher = RecordingPublisher()
    other = build_market(database, other_publisher, clock)
    await other.trading.book(shoe, SIZE)
    publisher.take()
    clock.move(MINUTE)
    one, two = await asyncio.gather(market.trading.book(shoe, SIZE), other.trading.book(shoe, SIZE))
    assert one == two
    assert (one["asks"], one["seq"]) == ([], 2)
    assert len(publisher.take("book") + other_publisher.take("book")) == 1


async def test_a_followed_book_expires_without_being_asked(
    market, place, shoe, clock, publisher, monkeypatch
):
    """While somebody follows a book, an offer is taken out when its time comes."""
    monkeypatch.setattr(followed, "LOOK_S", 0.01)
    await place("ask", SELLER, 220, 1)
    market.followed.add((shoe, SIZE))
    clock.move(MINUTE)
    async with asyncio.timeout(PATIENCE_S):
        await publisher.emptied.wait()
    market.followed.remove((shoe, SIZE))
    assert await market.trading.sweep() == 0


async def test_the_timer_waits_for_the_nearest_expiry(database, publisher, monkeypatch):
    """By the real clock the change comes when the offer ends, not when it is next asked about."""
    monkeypatch.setattr(followed, "LOOK_S", 60.0)
    market = build_market(database, publisher, now, heartbeat_s=60.0)
    await market.prepare()
    shoe = await add_shoe(market)
    ends = now() + timedelta(milliseconds=200)
    where = {"product_id": shoe, "size": SIZE, "price": 22_000}
    await market.trading.place(SELLER, "ask", **where, expires_at=ends + MINUTE)
    await market.trading.place(SELLER, "ask", **where | {"price": 22_100}, expires_at=ends)
    market.followed.add((shoe, SIZE))
    async with asyncio.timeout(PATIENCE_S):
        await publisher.emptied.wait()
    assert now() >= ends
    market.followed.remove((shoe, SIZE))
    (change, _), *_ = [told for told in publisher.take("book") if told[0]["quantity"] == 0]
    assert change["price"] == "221.00"


THOUSANDS = 2_500
DRAIN_S = 240.0
"""A server for tests takes seconds for what a database does in milliseconds."""

LEVELS = 100
OWNERS = 10


class GatedDatabase:
    """A database that closes expired offers only while its gate is open."""

    def __init__(self, database):
        self._database = database
        self.gate = asyncio.Event()
        self.begun = asyncio.Event()

    def __getitem__(self, name):
        collection = self._database[name]
        return GatedOffers(collection, self) if name == "market_offers" else collection


class GatedOffers:
    def __init__(self, collection, database):
        self._collection = collection
        self._its = database

    def __getattr__(self, name):
        return getattr(self._collection, name)

    async def update_many(self, filter, update):
        assert len(filter["_id"]["$in"]) <= CLOSED_AT_ONCE
        self._its.begun.set()
        await self._its.gate.wait()
        return await self._collection.update_many(filter, update)


async def fill(database, product_id, ends, at):
    """Write the asks of a book as a server has left them."""
    book = f"{product_id}:{SIZE}"
    where = {"book": book, "product_id": product_id, "size": SIZE, "at": at}

    async def ask(seq):
        offer = {
            "id": f"ask-{seq}",
            "account_id": str(100 + seq % OWNERS),
            "side": "ask",
            "price": 20_000 + 100 * (seq % LEVELS),
            "expires_at": ends,
        }
        await database["market_offers"].insert_one(new_offer(offer, **where, seq=seq))

    for first in range(1, THOUSANDS + 1, 250):
        await asyncio.gather(*map(ask, range(first, first + 250)))
    await database["market_books"].insert_one({"_id": book, "done": THOUSANDS})


@pytest.fixture
async def thousands(database, clock, publisher):
    """A market whose database is gated, and the product of a book that expires in a minute."""
    gated = GatedDatabase(database)
    market = build_market(gated, publisher, clock)
    await market.prepare()
    shoe = await add_shoe(market)
    await fill(database, shoe, clock() + MINUTE, clock())
    shown = await market.trading.book(shoe, SIZE, depth=200)
    assert sum(level["quantity"] for level in shown["asks"]) == THOUSANDS
    clock.move(MINUTE)
    yield market, shoe, gated
    gated.gate.set()
    await finishing.drain(DRAIN_S)


@pytest.mark.timeout(300)
async def test_commands_do_not_wait_for_thousands_that_expire(thousands, publisher):
    """While none of the documents is closed yet, the book is read, trades and has heartbeats."""
    market, shoe, gated = thousands
    calm = await add_shoe(market, "CALM")
    await market.trading.expire(shoe, SIZE)
    await gated.begun.wait()
    shown = await market.trading.book(shoe, SIZE, depth=200)
    assert (shown["asks"], shown["seq"]) == ([], THOUSANDS + LEVELS)
    bid = await market.trading.place(BUYER, "bid", product_id=shoe, size=SIZE, price=30_000)
    assert bid["status"] == "open"
    sold = await market.trading.place(SELLER, "ask", product_id=shoe, size=SIZE, price=30_000)
    assert sold["status"] == "matched"
    kept = await market.trading.place(SELLER, "ask", product_id=shoe, size=SIZE, price=30_000)
    assert (await market.trading.cancel(SELLER, "ask", kept["id"]))["status"] == "cancelled"
    for product_id in (shoe, calm):
        await market.trading.beat(product_id, SIZE)
    told = publisher.take()
    assert not [data for data, _ in told if data.get("status") == "expired"]
    levels = [data for data, rooms in told if rooms == (book_room(shoe, SIZE),)]
    beat = levels.pop()
    assert [data["seq"] for data in levels] == [*range(THOUSANDS + 1, beat["seq"] + 1)]
    assert all(data["prev_seq"] == data["seq"] - 1 for data in levels)
    gated.gate.set()
    await finishing.drain(DRAIN_S)
    closed = [(data["id"], rooms) for data, rooms in publisher.take("offer.closed")]
    owners = [(f"ask-{n}", (user_room(str(100 + n % OWNERS)),)) for n in range(1, THOUSANDS + 1)]
    assert sorted(closed) == sorted(owners)
    assert await market.trading.sweep() == 0


@pytest.mark.timeout(300)
async def test_thousands_that_expire_before_a_crash_expire_once(thousands, database, clock):
    """A process that died before it closed the documents has its successor do it, and no more."""
    market, shoe, gated = thousands
    await market.trading.expire(shoe, SIZE)
    await gated.begun.wait()
    bid = await market.trading.place(BUYER, "bid", product_id=shoe, size=SIZE, price=30_000)
    successor = build_market(database, clock=clock)
    assert await database["market_offers"].count_documents({"resting": f"{shoe}:{SIZE}"}) > 1
    await successor.prepare()
    left = await database["market_offers"].find({"resting": f"{shoe}:{SIZE}"}).to_list(None)
    assert [offer["_id"] for offer in left] == [bid["id"]]
    expired = await database["market_offers"].count_documents({"status": "expired"})
    assert expired == THOUSANDS
    seq = THOUSANDS + LEVELS + 1
    assert (await successor.trading.book(shoe, SIZE))["seq"] == seq
    assert (await database["market_books"].find_one({"_id": f"{shoe}:{SIZE}"}))["done"] == seq
