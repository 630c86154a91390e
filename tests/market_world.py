"""What tests of the market share: people, a product, a market on a store."""

from typing import Any

from models.database import Database
from models.identity import Identity
from models.market.operations import Market
from models.market.operators import Operators
from models.times import Clock, now
from tests.notifications_world import build, everything
from tests.stories_world import RecordingPublisher, person

SELLER = person("1")
BUYER = person("2")
OTHER = person("3")
OPERATOR = person("7")

SHOE = {"name": "Nike Air Jordan 1", "sku": "AJ1", "sizes": ["US 9", "US 10"]}
SIZE = "US 9"
GOOD_CARD = "4242424242424242"
DECLINED_CARD = "4000000000000002"
SECRET = "whsec_for_tests_only"


def build_market(
    database: Database, publisher: object = None, clock: Clock = now, **options: Any
) -> Market:
    """Build a market on a database, as a process does; the test provider moves the money."""
    publisher = publisher or RecordingPublisher()
    return Market(
        database,
        publisher,
        build(database, publisher, clock),
        operators=Operators(["7"], everyone_adds=True),
        **{"test_payments": True, "webhook_secrets": [SECRET], "clock": clock} | options,
    )


async def add_shoe(market: Market, sku: str = "AJ1") -> str:
    """Add the product of the document; returns its id."""
    product = await market.products.create(OPERATOR, **SHOE | {"sku": sku}, operation_id=sku)
    return product["id"]


async def make_order(market: Market, product_id: str, price: int = 22_000) -> str:
    """Let an ask and a bid meet; returns the id of the order."""
    where = {"product_id": product_id, "size": SIZE}
    await market.trading.place(SELLER, "ask", **where, price=price)
    bid = await market.trading.place(BUYER, "bid", **where, price=price)
    return bid["order_id"]


async def told(market: Market, who: Identity) -> list[dict[str, Any]]:
    """Return all notifications of somebody, oldest first."""
    return await everything(market.notifications, who, after=0)
