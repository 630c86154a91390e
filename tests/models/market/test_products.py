"""Products, and the sales that are shown of them."""

import asyncio
import unicodedata
from datetime import timedelta

import pytest

from models.errors import Conflict, Forbidden, NotFound
from models.market.operators import Operators
from models.market.products import Products
from models.pages import Position
from tests.market_world import BUYER, GOOD_CARD, OPERATOR, SELLER, SHOE, add_shoe, build_market


async def test_a_product_is_added_and_read(market):
    """A product has a decimal id, and is read back as it was added."""
    product = await market.products.create(OPERATOR, **SHOE, operation_id="a")
    assert product == SHOE | {"id": "1", "created_at": "2026-03-01T12:00:00.000Z"}
    assert await market.products.get("1") == product
    with pytest.raises(NotFound):
        await market.products.get("2")


async def test_a_sku_belongs_to_one_product(market):
    """Of ten who add one SKU at once, in any case, one does; its own repeat gives it again."""
    answers = await asyncio.gather(
        *(
            market.products.create(OPERATOR, **SHOE | {"sku": sku}, operation_id=f"{n}")
            for n, sku in enumerate(["aj1", "AJ1"] * 5)
        ),
        return_exceptions=True,
    )
    (made,) = [answer for answer in answers if not isinstance(answer, Exception)]
    codes = [answer.code for answer in answers if isinstance(answer, Conflict)]
    assert codes == ["sku_taken"] * 9
    again = await market.products.create(
        OPERATOR, **SHOE | {"sku": made["sku"]}, operation_id=str(answers.index(made))
    )
    assert again == made
    assert [product["id"] for product in (await market.products.search())["items"]] == [made["id"]]


async def test_a_product_lost_between_two_writes_comes_back(market, database):
    """When only the SKU was written before a crash, the next attempt adds the product."""
    product = await market.products.create(OPERATOR, **SHOE, operation_id="a")
    await database["market_products"].delete_one({"_id": product["id"]})
    assert await market.products.create(OPERATOR, **SHOE, operation_id="a") == product
    (listed,) = (await market.products.search())["items"]
    assert listed | product == listed


async def test_products_are_added_by_operators(database, clock):
    """Outside development an account that is no operator may not."""
    products = Products(database, Operators(["7"]), clock)
    with pytest.raises(Forbidden):
        await products.create(BUYER, **SHOE, operation_id="a")
    assert (await products.create(OPERATOR, **SHOE, operation_id="a"))["id"] == "1"


async def test_products_are_found_by_parts_of_name_and_sku(market, clock):
    """A search takes any case and no pattern; pages are newest first."""
    for sku, name in (("A.1", "Samba OG"), ("B1", "Gel Kayano"), ("C1", "Samba ADV")):
        await market.products.create(OPERATOR, name=name, sku=sku, sizes=["9"], operation_id=sku)
        clock.move(timedelta(seconds=1))

    async def found(**query):
        page = await market.products.search(**query)
        return [product["sku"] for product in page["items"]]

    await market.products.create(
        OPERATOR,
        name=unicodedata.normalize("NFD", "Hà Nội"),
        sku="D1",
        sizes=["9"],
        operation_id="D",
    )
    for spelled in ("NFC", "NFD"):
        assert await found(q=unicodedata.normalize(spelled, "HÀ NỘI d")) == ["D1"]
    assert await found(q="Ha Noi") == []
    assert await found(q="sAMBA") == ["C1", "A.1"]
    assert await found(q="a.1") == ["A.1"]
    assert await found(q=".*") == []
    page = await market.products.search(limit=3)
    assert await found(limit=2, after=Position.from_text(page["next"])) == ["A.1"]


async def test_sales_and_the_prices_of_days(market, shoe, clock, database):
    """Sales come newest first by size or all; each day has open, high, low, close and volume."""

    async def sell(dollars, size="US 9"):
        where = {"product_id": shoe, "size": size, "price": dollars * 100}
        await market.trading.place(SELLER, "ask", **where)
        order_id = (await market.trading.place(BUYER, "bid", **where))["order_id"]
        await market.orders.pay(BUYER, order_id, card_number=GOOD_CARD, operation_id=order_id)
        clock.move(timedelta(minutes=1))

    for dollars in (200, 250, 190, 210):
        await sell(dollars)
    await sell(300, "US 10")
    clock.move(timedelta(days=1))
    await sell(220)
    history = await market.sales.history(shoe, size="US 9", limit=2)
    assert [sale["price"] for sale in history["items"]] == ["220.00", "210.00"]
    rest = await market.sales.history(shoe, size="US 9", after=Position.from_text(history["next"]))
    assert [sale["price"] for sale in rest["items"]] == ["190.00", "250.00", "200.00"]
    first = {"day": "2026-03-01", "open": "200.00", "high": "250.00", "low": "190.00"}
    second = dict.fromkeys(("open", "high", "low", "close"), "220.00")
    second |= {"day": "2026-03-02", "volume": 1}
    assert history["daily"] == [first | {"close": "210.00", "volume": 4}, second]
    both = await market.sales.history(shoe)
    assert len(both["items"]) == 6
    assert both["daily"] == [
        first | {"high": "300.00", "close": "300.00", "volume": 5},
        second,
    ]
    assert (await market.sales.history(shoe, days=1))["daily"] == [second]
    last = (await build_market(database, clock=clock).trading.book(shoe, "US 9"))["last_sale"]
    assert last["price"] == "220.00"


async def test_entries_carried_out_twice_count_once(market, database, clock):
    """Carrying out the whole journal again changes no offer, order, sale or day."""
    product = await add_shoe(market, "AJ2")
    where = {"product_id": product, "size": "US 9"}
    for dollars in (200, 210, 205):
        await market.trading.place(SELLER, "ask", **where, price=dollars * 100)
        await market.trading.place(BUYER, "bid", **where, price=dollars * 100)
    ask = await market.trading.place(SELLER, "ask", **where, price=99_900)
    await market.trading.cancel(SELLER, "ask", ask["id"])
    soon = clock() + timedelta(minutes=1)
    for dollars in (300, 301):
        price = dollars * 100
        await market.trading.place(SELLER, "ask", **where, price=price, expires_at=soon)
    clock.move(timedelta(minutes=1))
    assert await market.trading.sweep() == 2
    names = ("market_offers", "market_orders", "market_sales", "market_days")

    async def everything():
        return [await database[name].find({}).sort([("_id", 1)]).to_list(None) for name in names]

    before = await everything()
    await database["market_books"].update_one({"_id": f"{product}:US 9"}, {"$set": {"done": 0}})
    await build_market(database, clock=clock).prepare()
    assert await everything() == before


async def test_words_are_found_in_any_order(market):
    """All words of a query have to be there, wherever and however they are written."""
    await market.products.create(
        OPERATOR, name="Nike Air Jordan 1 Café", sku="AJ1-X", sizes=["9"], operation_id="x"
    )
    for q, count in (
        ("jordan nike", 1),
        ("  1   AIR ", 1),
        ("aj1-x jor", 1),
        ("cafe\u0301 \uff4e\uff49\uff4b\uff45", 1),
        ("nike samba", 0),
        ("nike .*", 0),
    ):
        assert len((await market.products.search(q=q))["items"]) == count, q


async def test_the_list_has_the_prices_of_each_size(market, shoe, clock, database):
    """Lowest ask, highest bid and last sale follow every change, those of other processes too."""
    other = build_market(database, clock=clock)

    async def quotes():
        (product,) = (await market.products.search())["items"]
        return {quote.pop("size"): quote for quote in product["quotes"]}

    nothing = {"lowest_ask": None, "highest_bid": None, "last_sale": None}
    assert await quotes() == {"US 9": nothing, "US 10": nothing}
    where = {"product_id": shoe, "size": "US 9"}
    soon = clock() + timedelta(minutes=1)
    asks = [
        await made.trading.place(SELLER, "ask", **where, price=dollars * 100, expires_at=ends)
        for made, dollars, ends in ((market, 250, None), (other, 220, None), (other, 210, soon))
    ]
    await market.trading.place(BUYER, "bid", **where, price=10_000)
    prices = nothing | {"lowest_ask": "210.00", "highest_bid": "100.00"}
    assert await quotes() == {"US 9": prices, "US 10": nothing}
    clock.move(timedelta(minutes=1))
    assert (await quotes())["US 9"] == prices | {"lowest_ask": "220.00"}, "not before a sweep"
    bid = await market.trading.place(BUYER, "bid", **where, price=22_000)
    assert bid["order_id"] is not None
    assert (await quotes())["US 9"] == prices | {"lowest_ask": "250.00"}
    await market.orders.pay(BUYER, bid["order_id"], card_number=GOOD_CARD, operation_id="p")
    sale = {"price": "220.00", "at": "2026-03-01T12:01:00.000Z"}
    assert (await quotes())["US 9"] == prices | {"lowest_ask": "250.00", "last_sale": sale}
    await other.trading.cancel(SELLER, "ask", asks[0]["id"])
    assert (await quotes())["US 9"]["lowest_ask"] is None
