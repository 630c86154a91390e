"""Old entries of the journal go, and no process that was away for long writes their numbers."""

from collections import Counter
from datetime import timedelta

import pytest

from models.collections import retention_of
from models.market.journal import KNOWN_MAX, Journal
from tests.market_world import SELLER, SIZE, build_market
from tests.stories_world import person

AGE = retention_of("market_journal").duration
DAY = timedelta(days=1)
BUYERS = [person(str(number)) for number in range(20, 40)]


@pytest.fixture
def where(shoe):
    return {"product_id": shoe, "size": SIZE, "price": 20_000}


@pytest.fixture
async def other(database, clock):
    """The market of another process, which no one pauses."""
    made = build_market(database, clock=clock)
    await made.prepare()
    return made


async def numbers(database):
    """Return which entries there are."""
    return sorted([entry["seq"] async for entry in database["market_journal"].find({})])


async def check_sold_once(database):
    """Check that no offer is in two orders, and each order's offers know it."""
    orders = await database["market_orders"].find({}).to_list(None)
    sold = Counter(order[side] for order in orders for side in ("bid_id", "ask_id"))
    assert set(sold.values()) <= {1}
    for order in orders:
        for side in ("bid_id", "ask_id"):
            offer = await database["market_offers"].find_one({"_id": order[side]})
            assert offer["order_id"] == order["_id"]
    return len(orders)


async def trade_on(other, where, clock):
    """Let the other process match what waits, write on, and trim that when it is old."""
    await other.trading.place(BUYERS[0], "bid", **where)
    await other.trading.place(SELLER, "ask", **where | {"price": 30_000})
    clock.move(AGE + DAY)
    # A sweep would also end the order, which no one has paid, and put the ask back.
    await other.trading._journal.trim()


async def test_old_entries_go(market, database, where, clock):
    """What was carried out goes after its time; the book has the same offers, numbers go on."""
    for buyer in BUYERS[:5]:
        await market.trading.place(buyer, "bid", **where)
    clock.move(AGE - DAY)
    await market.trading.place(BUYERS[5], "bid", **where)
    await market.sweep()
    assert await numbers(database) == [1, 2, 3, 4, 5, 6]
    clock.move(DAY)
    before = await market.trading.book(where["product_id"], SIZE)
    await market.sweep()
    assert await numbers(database) == [6]
    assert await market.trading.book(where["product_id"], SIZE) == before
    fresh = build_market(database, clock=clock)
    await fresh.prepare()
    assert await fresh.trading.book(where["product_id"], SIZE) == before
    ask = await fresh.trading.place(SELLER, "ask", **where)
    assert ask["status"] == "matched"
    assert await numbers(database) == [6, 7]


async def test_what_was_not_carried_out_stays(database, market, where, clock):
    """An entry is there until its offers and orders say what it says, whatever its age."""
    await market.trading.place(BUYERS[0], "bid", **where)
    book = {"_id": f"{where['product_id']}:{SIZE}"}
    await market.trading.place(BUYERS[1], "bid", **where)
    await database["market_books"].update_one(book, {"$set": {"done": 1}})
    clock.move(AGE + DAY)
    await Journal(database, clock).trim()
    assert await numbers(database) == [2]
    assert (await database["market_books"].find_one(book))["floor"] == 1


async def test_a_process_that_was_away_reads_the_book_anew(market, other, database, where, clock):
    """It neither shows nor matches what was sold while it was away."""
    await market.trading.place(SELLER, "ask", **where)
    await trade_on(other, where, clock)
    assert await numbers(database) == []
    shown = await market.trading.book(where["product_id"], SIZE)
    assert [level["price"] for level in shown["asks"]] == ["300.00"]
    bid = await market.trading.place(BUYERS[1], "bid", **where)
    assert bid["status"] == "open"
    assert await numbers(database) == [4]
    assert await check_sold_once(database) == 1


def paused(market, monkeypatch, meanwhile):
    """Let the market's process be away between its look at the book and its write."""
    journal = market.trading._journal
    append = journal.append
    pauses = [meanwhile]

    async def later(entry, known_at):
        while pauses:
            await pauses.pop()()
        return await append(entry, known_at)

    monkeypatch.setattr(journal, "append", later)


async def test_a_process_that_was_paused_in_mid_write(
    market, other, database, where, clock, monkeypatch
):
    """Its entry, below the floor, is taken back, and it decides by what is there now."""
    await market.trading.place(SELLER, "ask", **where)

    async def meanwhile():
        await trade_on(other, where, clock)

    paused(market, monkeypatch, meanwhile)
    bid = await market.trading.place(BUYERS[1], "bid", **where)
    assert bid["status"] == "open"
    assert await numbers(database) == [4]
    assert await check_sold_once(database) == 1


async def test_a_short_pause_leaves_the_number_taken(
    market, other, database, where, clock, monkeypatch
):
    """Whose number another one took decides anew, as ever, without asking for the floor."""
    await market.trading.place(SELLER, "ask", **where)

    async def meanwhile():
        await other.trading.place(BUYERS[0], "bid", **where)
        clock.move(KNOWN_MAX / 2)

    paused(market, monkeypatch, meanwhile)
    assert (await market.trading.place(BUYERS[1], "bid", **where))["status"] == "open"
    assert await numbers(database) == [1, 2, 3]
    assert await check_sold_once(database) == 1


async def test_a_crash_before_the_entry_is_taken_back(
    market, other, database, where, clock, monkeypatch
):
    """What a process wrote below the floor and died with is followed by no one, and goes."""
    await market.trading.place(SELLER, "ask", **where)

    async def meanwhile():
        await trade_on(other, where, clock)

    paused(market, monkeypatch, meanwhile)

    async def dies(self, filter):
        raise ConnectionError

    with monkeypatch.context() as patch:
        patch.setattr(type(database["market_journal"]), "delete_one", dies)
        with pytest.raises(ConnectionError):
            await market.trading.place(BUYERS[1], "bid", **where)
    assert await numbers(database) == [2]
    await other.trading._journal.trim()
    assert (await other.trading.place(BUYERS[2], "bid", **where))["status"] == "open"
    again = build_market(database, clock=clock)
    await again.prepare()
    shown = await again.trading.book(where["product_id"], SIZE)
    assert (shown["seq"], [level["quantity"] for level in shown["bids"]]) == (4, [1])
    assert await check_sold_once(database) == 1
    clock.move(AGE + DAY)
    await other.trading._journal.trim()
    assert await numbers(database) == []


async def test_a_crash_in_mid_trim(market, other, database, where, clock, monkeypatch):
    """The floor is there before the first entry is gone; the next sweep deletes them."""
    await market.trading.place(SELLER, "ask", **where)
    await other.trading.place(BUYERS[0], "bid", **where)
    clock.move(AGE + DAY)

    async def dies(self, filter):
        raise ConnectionError

    with monkeypatch.context() as patch:
        patch.setattr(type(database["market_journal"]), "delete_many", dies)
        with pytest.raises(ConnectionError):
            await Journal(database, clock).trim()
    book = {"_id": f"{where['product_id']}:{SIZE}"}
    assert (await database["market_books"].find_one(book))["floor"] == 2
    assert await numbers(database) == [1, 2]
    assert (await market.trading.place(BUYERS[1], "bid", **where))["status"] == "open"
    assert await numbers(database) == [1, 2, 3]
    await Journal(database, clock).trim()
    assert await numbers(database) == [3]
    assert await check_sold_once(database) == 1


async def test_a_sweep_trims_a_bounded_part(market, database, where, clock, monkeypatch):
    """What is left is for the next sweep, and goes from the oldest on."""
    for buyer in BUYERS[:7]:
        await market.trading.place(buyer, "bid", **where)
        clock.move(timedelta(minutes=1))
    monkeypatch.setattr("models.market.journal.BATCH", 2)
    monkeypatch.setattr("models.market.journal.BATCHES_MAX", 2)
    clock.move(AGE)
    await Journal(database, clock).trim()
    assert await numbers(database) == [5, 6, 7]
    await Journal(database, clock).trim()
    assert await numbers(database) == []
