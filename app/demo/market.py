"""The market of the examples: products, a month of sales, live books, and orders on their way."""

from collections.abc import Sequence
from dataclasses import dataclass

from app.demo.world import World
from models.errors import Conflict, DomainError
from models.identity import Identity
from models.market.book import ASK, BID
from models.market.payments import TEST_CARD_DECLINED, TEST_CARD_GOOD

JORDAN, RUNNER, CLASSIC = "AJ1-MID", "RUN-ZERO", "CLASSIC-LOW"


@dataclass(frozen=True, slots=True)
class _Product:
    sku: str
    name: str
    sizes: tuple[str, ...]


_PRODUCTS = (
    _Product(CLASSIC, "Canvas Classic Low", ("US 8", "US 9", "US 10")),
    _Product(RUNNER, "Zero Gravity Runner", ("US 8", "US 9", "US 9.5", "US 10")),
    _Product(JORDAN, "Nike Air Jordan 1 Mid", ("US 8", "US 9", "US 10", "US 11")),
)


@dataclass(frozen=True, slots=True)
class _Sale:
    """A match that was paid, shipped and delivered."""

    days_ago: int
    cents: int
    seller: str
    buyer: str
    sku: str = JORDAN
    size: str = "US 9"


_PRICES = (
    *(19_800, 20_100, 19_900, 20_400, 20_900, 20_600, 21_200, 21_000, 21_700, 22_300, 21_900),
    *(22_400, 22_100, 22_000),
)
_TRADERS = (("Alice", "Bob"), ("Bob", "Test"), ("Alice", "Test"), ("Test", "Bob"))
_SALES = (
    *(
        _Sale(30 - 2 * number, cents, *_TRADERS[number % len(_TRADERS)])
        for number, cents in enumerate(_PRICES)
    ),
    _Sale(12, 8_900, "Test", "Alice", RUNNER),
    _Sale(6, 9_400, "Bob", "Alice", RUNNER),
)

_BOOKS: Sequence[tuple[str, str, str, str, Sequence[int]]] = (
    (JORDAN, "US 9", "Alice", ASK, (22_500, 22_500, 22_900, 23_500, 24_900)),
    (JORDAN, "US 9", "Bob", ASK, (22_700, 23_000, 23_500, 26_000)),
    (JORDAN, "US 9", "Test", ASK, (23_200,)),
    (JORDAN, "US 9", "Bob", BID, (21_800, 21_500, 21_000, 20_000)),
    (JORDAN, "US 9", "Alice", BID, (21_600, 21_500, 20_500)),
    (JORDAN, "US 9", "Test", BID, (21_500, 21_200)),
    (JORDAN, "US 10", "Alice", ASK, (24_000, 24_500)),
    (JORDAN, "US 10", "Bob", BID, (21_000, 20_000)),
    (RUNNER, "US 9", "Bob", ASK, (9_800, 10_500)),
    (RUNNER, "US 9", "Alice", BID, (9_000, 8_500)),
    (CLASSIC, "US 9", "Test", ASK, (5_500,)),
)
"""SKU, size, owner, side, and the price of each offer."""

ORDERS = ("to_pay", "declined", "to_ship", "on_the_way", "refunded")
"""Orders that are not finished, or not as planned: see `_load_order`."""


async def load_market(world: World) -> tuple[int, str]:
    """Trade; return how many sales and offers there are, and what it is."""
    products = {}
    for number, product in enumerate(_PRODUCTS):
        world.ago(days=40 - number)
        products[product.sku] = await _product(world, product)
    for number, sale in enumerate(_SALES):
        await _sell(world, products[sale.sku], sale, f"demo-sale-{number}")
    for number, kind in enumerate(ORDERS):
        await _load_order(world, products[CLASSIC], kind, 7_000 + 100 * number)
    offers = 0
    for sku, size, owner, side, prices in _BOOKS:
        for number, cents in enumerate(prices):
            world.ago(hours=20 - number)
            key = f"demo-{sku}-{size}-{number}"
            await _place(world, world.people[owner], side, products[sku], size, cents, key)
            offers += 1
    await _read_old_notifications(world)
    return offers, (
        f"{len(_PRODUCTS)} products, {len(_SALES)} sales in a month, {offers} open offers,"
        f" {len(ORDERS)} orders on their way"
    )


async def _product(world: World, product: _Product) -> str:
    try:
        made = await world.market.products.create(
            world.people["Test"],
            name=product.name,
            sku=product.sku,
            sizes=list(product.sizes),
            client_id=f"demo-{product.sku}",
        )
    except Conflict:  # of an earlier load, or another account's
        found = await world.market.products.search(q=product.sku)
        items = found["items"]
        assert isinstance(items, list)
        made = next(item for item in items if isinstance(item, dict) and item["sku"] == product.sku)
    return str(made["id"])


async def _place(
    world: World, owner: Identity, side: str, product_id: str, size: str, cents: int, key: str
) -> str | None:
    """Place an offer; return its order, if it met another one."""
    try:
        placed = await world.market.trading.place(
            owner, side, product_id=product_id, size=size, price=cents, client_id=key
        )
    except Conflict:  # it would cross what its owner has placed since
        return None
    order_id = placed["order_id"]
    return None if order_id is None else str(order_id)


async def _match(
    world: World, product_id: str, size: str, seller: str, buyer: str, cents: int, key: str
) -> str | None:
    await _place(world, world.people[seller], ASK, product_id, size, cents, f"{key}-ask")
    return await _place(world, world.people[buyer], BID, product_id, size, cents, f"{key}-bid")


async def _sell(world: World, product_id: str, sale: _Sale, key: str) -> None:
    orders, buyer, seller = world.market.orders, world.people[sale.buyer], world.people[sale.seller]
    world.at(sale.days_ago, "10:00")
    order_id = await _match(world, product_id, sale.size, sale.seller, sale.buyer, sale.cents, key)
    if order_id is None:
        return
    try:
        world.at(sale.days_ago, "10:20")
        await orders.pay(buyer, order_id, operation_id=f"{key}-pay", card_number=TEST_CARD_GOOD)
        world.at(sale.days_ago - 1, "09:00")
        await orders.ship(
            seller,
            order_id,
            carrier="Giao Hang Nhanh",
            tracking=f"GHN{order_id}",
            operation_id=f"{key}-ship",
        )
        world.at(sale.days_ago - 3, "16:00")
        await orders.deliver(buyer, order_id, operation_id=f"{key}-deliver")
    except DomainError:  # its people have gone on with it
        return


async def _load_order(world: World, product_id: str, kind: str, cents: int) -> None:
    """Make an order in one of the states that wait for someone.

    `to_pay`: Test has to pay; `declined`: Bob's card was declined; `to_ship`: Test has to ship to
    Bob; `on_the_way`: Alice has shipped to Test; `refunded`: Alice has given Bob the money back.
    """
    orders, people, key = world.market.orders, world.people, f"demo-{kind}"
    parties = {"to_pay": ("Alice", "Test"), "to_ship": ("Test", "Bob")}
    parties |= {"on_the_way": ("Alice", "Test")}
    seller, buyer = parties.get(kind, ("Alice", "Bob"))
    world.ago(days=1, hours=20) if kind not in ("to_pay", "declined") else world.ago(hours=6)
    order_id = await _match(world, product_id, "US 8", seller, buyer, cents, key)
    if order_id is None or kind == "to_pay":
        return
    try:
        card = TEST_CARD_DECLINED if kind == "declined" else TEST_CARD_GOOD
        await orders.pay(people[buyer], order_id, operation_id=f"{key}-pay", card_number=card)
        if kind == "on_the_way":
            world.ago(days=1)
            await orders.ship(
                people[seller],
                order_id,
                carrier="Viettel Post",
                tracking=f"VTP{order_id}",
                operation_id=f"{key}-ship",
            )
        elif kind == "refunded":
            world.ago(hours=30)
            await orders.refund(people[seller], order_id, operation_id=f"{key}-refund")
    except DomainError:  # its people have gone on with it
        return


async def _read_old_notifications(world: World) -> None:
    """Leave of each inbox the latest few unread."""
    world.ago(hours=5)
    inbox = world.market.notifications.inbox
    for person in world.people.values():
        page = await inbox.page(person, limit=4)
        items = page["items"]
        assert isinstance(items, list)
        last = items[-1] if items else None
        if isinstance(last, dict) and isinstance(last["id"], int):
            await inbox.read_all(person, up_to=last["id"] - 1)
