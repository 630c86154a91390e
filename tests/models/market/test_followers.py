"""Followers that know only the documentation stay equal to the book, at every depth."""

import random
from contextlib import suppress
from datetime import timedelta

from models.errors import Conflict
from models.market.upgrades import uncross_books
from tests.book_follower import BookFollower
from tests.market_world import SELLER, SIZE
from tests.stories_world import person

DEPTHS = (1, 5, 10, 12, 200)
SECOND = timedelta(seconds=1)


def is_crossed(book):
    tops = [float(book[side][0]["price"]) for side in ("bids", "asks") if book[side]]
    return len(tops) == 2 and tops[0] >= tops[1]


async def test_followers_of_every_depth_stay_equal(market, shoe, clock, publisher):
    """Under random offers, cancels and expiries all views are those of fresh snapshots."""
    chance = random.Random(12)
    followers = [BookFollower(depth) for depth in DEPTHS]
    waiting = []

    async def fetch():
        for follower in followers:
            # Some ask late: they keep what they hear until the ack.
            if follower.must_fetch and chance.random() < 0.7:
                follower.take(await market.trading.book(shoe, SIZE, depth=follower.depth))

    def deliver():
        for event, _ in publisher.published:
            for follower in followers:
                follower.hear(event.name, event.data())
        publisher.take()

    async def quiet():
        while any(follower.must_fetch for follower in followers):
            await fetch()
            deliver()

    for number in range(40):
        side, away = ("ask", "bid")[number % 2], 100 * (number // 2)
        price = 20_500 + away if side == "ask" else 19_500 - away
        where = {"product_id": shoe, "size": SIZE, "price": price}
        offer = await market.trading.place(person(str(number % 4)), side, **where)
        waiting.append((person(str(number % 4)), offer["id"]))
    publisher.take()
    await quiet()
    for number in range(200):
        if waiting and chance.random() < 0.4:
            who, offer_id = waiting.pop(chance.randrange(len(waiting)))
            with suppress(Conflict):  # it may have been matched
                await market.trading.cancel(who, None, offer_id)
        else:
            who, side = person(str(chance.randrange(9))), chance.choice(["bid", "ask"])
            price = 20_000 + 100 * (chance.randrange(-4, 30) * (1 if side == "ask" else -1))
            ends = clock() + chance.randrange(1, 40) * SECOND if chance.random() < 0.3 else None
            where = {"product_id": shoe, "size": SIZE, "price": price}
            with suppress(Conflict):  # it may cross one of the same account
                offer = await market.trading.place(who, side, **where, expires_at=ends)
                waiting.append((who, offer["id"]))
        clock.move(SECOND / 2)
        deliver()
        await fetch()
        if number % 12 == 0:
            await market.trading.beat(shoe, SIZE)
            deliver()
            await quiet()
            fresh = await market.trading.book(shoe, SIZE, depth=200)
            assert not is_crossed(fresh)
            for follower in followers:
                assert follower.seq == fresh["seq"]
                assert follower.view() == {
                    side: fresh[side][: follower.depth] for side in ("bids", "asks")
                }
                follower.hear("book_heartbeat", {**fresh})
    assert all(follower.compared > 16 for follower in followers)
    fetches = {follower.depth: follower.fetches for follower in followers}
    assert fetches[200] == 1 < fetches[12], "no level has moved into view"


async def test_levels_that_move_into_view_are_fetched(market, shoe, publisher):
    """Of depth 12 of 20 levels, four cancelled leave eight: they are fetched anew, and compared."""
    asks = []
    for number in range(20):
        where = {"product_id": shoe, "size": SIZE, "price": 20_000 + 100 * number}
        asks.append((await market.trading.place(SELLER, "ask", **where))["id"])
    follower = BookFollower(12)
    follower.take(await market.trading.book(shoe, SIZE, depth=12))
    publisher.take()
    for ask in asks[:4]:
        await market.trading.cancel(SELLER, "ask", ask)
    await market.trading.beat(shoe, SIZE)
    for event, _ in publisher.published:
        follower.hear(event.name, event.data())
    assert (follower.must_fetch, follower.compared) == (True, 0)
    follower.take(await market.trading.book(shoe, SIZE, depth=12))
    publisher.take()
    await market.trading.beat(shoe, SIZE)
    follower.hear("book_heartbeat", publisher.take("book_heartbeat")[0][0])
    assert (follower.must_fetch, follower.compared) == (False, 1)
    assert [level["price"] for level in follower.view()["asks"]] == [
        f"{204 + number}.00" for number in range(12)
    ]


async def test_books_of_earlier_releases_are_uncrossed(market, shoe, database, monkeypatch):
    """The migration cancels the newer offer of each pair that crosses; others stay."""
    where = {"product_id": shoe, "size": SIZE}
    monkeypatch.setattr("models.market.trading._check_may_wait", lambda *_: None)
    kept = await market.trading.place(SELLER, "ask", **where, price=9_000)
    newer = await market.trading.place(SELLER, "bid", **where, price=10_000)
    newest = await market.trading.place(SELLER, "bid", **where, price=9_000)
    below = await market.trading.place(SELLER, "bid", **where, price=8_900)
    assert is_crossed(await market.trading.book(shoe, SIZE))
    for _ in range(2):
        await uncross_books(database)
        statuses = [
            (await market.trading.get(SELLER, None, offer["id"]))["status"]
            for offer in (kept, newer, newest, below)
        ]
        assert statuses == ["open", "cancelled", "cancelled", "open"]
    assert not is_crossed(await market.trading.book(shoe, SIZE))
