"""Which books are in memory, and that it makes no difference to trading."""

import pytest

from models.market.trading import KEPT_IN_MEMORY
from tests.market_world import BUYER, SELLER, SIZE
from tests.stories_world import person


@pytest.fixture
def place(market, shoe):
    async def place(side, who, dollars, size=SIZE):
        return await market.trading.place(
            who, side, product_id=shoe, size=size, price=dollars * 100
        )

    return place


async def test_books_that_nobody_uses_leave_memory(market, place, shoe, clock):
    """After a while without use a book is forgotten; a followed one, which beats, is not."""
    await place("ask", SELLER, 220)
    await place("ask", SELLER, 220, "US 10")
    clock.move(KEPT_IN_MEMORY)
    await market.trading.beat(shoe, "US 10")
    await market.sweep()
    assert list(market.trading._books) == [f"{shoe}:US 10"]


async def test_a_book_comes_back_as_it_was(market, place, shoe, clock):
    """What is read again trades on in the same order, with the same numbers and checksum."""
    asks = [await place("ask", person(str(10 + n)), 220 + n // 3) for n in range(6)]
    await place("bid", BUYER, 220)
    before = await market.trading.book(shoe, SIZE)
    clock.move(KEPT_IN_MEMORY)
    await market.sweep()
    assert not market.trading._books
    assert await market.trading.book(shoe, SIZE) == before
    for ask in asks[1:]:
        bid = await place("bid", BUYER, 221)
        order = await market.orders.get(BUYER, bid["order_id"])
        assert order["ask_id"] == ask["id"]
