"""Change books from outside of a running market: by operators' commands and migrations.

A running server reads the journal before it decides anything, and for the heartbeats of books that
are followed: it publishes what it finds there and was written here.
"""

from collections.abc import AsyncIterator

from models.database import Database, typed
from models.market.book import ASK, BID
from models.market.journal import Journal
from models.market.livebook import LiveBook
from models.market.projection import Projection
from models.market.records import OPEN
from models.market.steps import CANCELLED, PAYOUT_COMPLETED, REFUNDED
from models.market.stored import StoredOffer, StoredOrder
from models.times import now

ENDED = (CANCELLED, REFUNDED, PAYOUT_COMPLETED)
"""Where an order stands for good."""


def quiet_book(database: Database, product_id: str, size: str) -> LiveBook:
    """Open a book whose changes are published by the servers that have it in memory."""
    return LiveBook(
        database,
        None,
        Journal(database),
        Projection(database),
        product_id=product_id,
        size=size,
        clock=now,
    )


async def withdraw_offers(database: Database, account_id: str) -> int:
    """Cancel the open offers of an account; return how many."""
    offers = typed(database["market_offers"], StoredOffer)
    withdrawn = 0
    for side in (BID, ASK):
        waiting = offers.find({"owner": f"{side}:{account_id}", "status": OPEN})
        for offer in await waiting.to_list(None):
            book = quiet_book(database, offer["product_id"], offer["size"])
            withdrawn += await book.take_out(offer["_id"], "cancel")
    return withdrawn


async def orders_of_disabled(database: Database) -> AsyncIterator[tuple[str, str, str]]:
    """Yield id, status and the disabled account of each order under way that has such a party."""
    async for account in database["accounts"].find({"disabled": True}, only=[]):
        for order_id, status in await orders_under_way(database, account["_id"]):
            yield order_id, status, account["_id"]


async def orders_under_way(database: Database, account_id: str) -> list[tuple[str, str]]:
    """Return id and status of the orders of an account that have not ended."""
    orders = typed(database["market_orders"], StoredOrder)
    under_way = orders.find({"lists": account_id, "status": {"$nin": list(ENDED)}})
    return [(order["_id"], order["status"]) for order in await under_way.to_list(None)]
