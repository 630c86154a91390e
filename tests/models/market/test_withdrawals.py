"""Disabled accounts and their offers."""

import pytest

from models import finishing
from models.accounts.revocations import Revocation
from models.market.withdrawals import withdraw_offers
from tests.book_follower import BookFollower
from tests.market_world import BUYER, SELLER, SIZE, add_shoe, build_market
from tests.stories_world import RecordingPublisher


class Account:
    """What the market asks of an account."""

    def __init__(self, disabled):
        self.disabled = disabled


@pytest.mark.parametrize(("disabled", "left"), [(True, "cancelled"), (False, "open")])
async def test_a_revocation_takes_out_what_was_placed_meanwhile(
    database, publisher, clock, disabled, left
):
    """Offers of an account that is disabled go, and are told; one enabled again keeps its own."""

    async def find(account_id):
        return Account(disabled and account_id == SELLER.account_id)

    market = build_market(database, publisher, clock, find_account=find)
    await market.prepare()
    where = {"product_id": await add_shoe(market), "size": SIZE}
    ask = await market.trading.place(SELLER, "ask", **where, price=100)
    bid = await market.trading.place(BUYER, "bid", **where, price=50)
    entries = [
        Revocation(n, account.account_id, n, frozenset(), account is SELLER)
        for n, account in enumerate((SELLER, BUYER))
    ]
    market.close_revoked(entries)
    await finishing.drain(10.0)
    assert (await market.trading.get(SELLER, "ask", ask["id"]))["status"] == left
    assert (await market.trading.get(BUYER, "bid", bid["id"]))["status"] == "open"
    assert len(publisher.take("offer.closed")) == disabled


async def test_what_a_command_took_out_is_published_by_a_server(
    market, shoe, database, publisher, clock
):
    """Followers hear of each level from a server that has the book, and owners of each offer."""
    other_publisher = RecordingPublisher()
    other = build_market(database, other_publisher, clock)
    where = {"product_id": shoe, "size": SIZE}
    asks = [
        (await market.trading.place(SELLER, "ask", **where, price=price))["id"]
        for price in (300, 300, 400)
    ]
    await market.trading.place(BUYER, "ask", **where, price=500)
    follower = BookFollower(12)
    follower.take(await market.trading.book(shoe, SIZE, depth=12))
    await other.trading.book(shoe, SIZE)
    publisher.take()
    assert await withdraw_offers(database, SELLER.account_id) == 3
    for process in (market, other):
        await process.trading.beat(shoe, SIZE)
    closed = []
    for event, _ in publisher.published:
        follower.hear(event.name, event.data())
        closed += [event.id] if event.name == "offer.closed" else []
    assert (follower.must_fetch, follower.fetches, follower.compared) == (False, 1, 1)
    assert follower.view()["asks"] == [{"price": "5.00", "quantity": 1}]
    assert sorted(closed) == sorted(asks)
    assert not other_publisher.take("book")
