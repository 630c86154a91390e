"""Offers whose time is over: gone from what is shown, in order, and told on time."""

import asyncio
from datetime import timedelta

import pytest

from models.market import followed
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
    change, closed, beat = [data for data, _ in publisher.take()]
    assert (change["quantity"], closed["status"]) == (0, "expired")
    assert (beat["seq"], beat["checksum"]) == (change["seq"], 0)


@pytest.mark.atomic
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
