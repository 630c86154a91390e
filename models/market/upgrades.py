"""Bring books of earlier releases to today's rules: steps of `models.migrations`."""

from models.database import Database, typed
from models.market.stored import StoredBook
from models.market.withdrawals import quiet_book


async def uncross_books(database: Database) -> None:
    """Cancel the newer offer of each two with which an account crosses itself.

    Earlier releases let them wait beside each other.
    """
    for book in await typed(database["market_books"], StoredBook).find({}).to_list(None):
        product_id, _, size = book["_id"].partition(":")
        await quiet_book(database, product_id, size).uncross()
