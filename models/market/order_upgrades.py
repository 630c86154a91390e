"""Steps of `models.migrations`: sales that count when paid, and deadlines of orders under way."""

from typing import Any

from models.database import Database
from models.market.steps import REMIND, Times
from models.times import now

_UNPAID = ("created", "payment_failed", "cancelled")


async def count_paid_sales(database: Database) -> None:
    """Take the sales of orders that no one paid out of the price history, and name each match."""
    orders, offers = database["market_orders"], database["market_offers"]
    sales, days = database["market_sales"], database["market_days"]
    async for order in orders.find({"match_seq": {"$exists": False}}):
        pair = [await offers.find_one({"_id": order[key]}) for key in ("bid_id", "ask_id")]
        # The later one of the two met the other: its entry is the match.
        seq = max((offer["seq"] for offer in pair if offer), default=0)
        book = f"{order['product_id']}:{order['size']}"
        if order["status"] in _UNPAID:
            taken = await sales.find_one({"_id": f"{book}:{seq}"})
            if taken is not None:
                await sales.delete_one({"_id": taken["_id"]})
                await days.delete_many({"_id": f"{book}:{taken['at'].date().isoformat()}"})
        await orders.update_one({"_id": order["_id"]}, {"$set": {"book": book, "match_seq": seq}})
    # Days that are counted anew, and those from before it was kept which sales are in them.
    found: dict[str, list[dict[str, Any]]] = {}
    known = {day["_id"] async for day in days.find({"counted": {"$exists": True}})}
    async for sale in sales.find({}):
        day_id = f"{sale['book']}:{sale['at'].date().isoformat()}"
        if day_id not in known:
            found.setdefault(day_id, []).append(sale)
    books = database["market_books"]
    for day_id, sold in found.items():
        sold.sort(key=lambda sale: (sale["at"], sale["_id"]))
        prices = [sale["price"] for sale in sold]
        counted = {
            "open": prices[0],
            "close": prices[-1],
            "high": max(prices),
            "low": min(prices),
            "volume": len(sold),
            "opened_at": sold[0]["at"],
            "closed_at": sold[-1]["at"],
            "counted": [sale["_id"].rpartition(":")[2] for sale in sold],
        }
        where = {key: sold[0][key] for key in ("book", "product_id", "size")}
        day = sold[0]["at"].date().isoformat()
        await days.update_one(
            {"_id": day_id}, {"$set": where | {"day": day, **counted}}, upsert=True
        )
        earlier = [{"sold_at": {"$exists": False}}, {"sold_at": {"$lte": sold[-1]["at"]}}]
        await books.find_one_and_update(
            {"_id": sold[0]["book"], "$or": earlier},
            {"$set": {"sold_price": prices[-1], "sold_at": sold[-1]["at"]}},
        )


async def set_deadlines(database: Database) -> None:
    """Set full deadlines from now on orders that were paid or shipped before there were any."""
    times = Times()
    for status, time in (("paid", times.ship), ("shipped", times.complain)):
        act_at = now() + time
        await database["market_orders"].update_many(
            {"status": status, "act_at": {"$exists": False}, "complained_at": {"$exists": False}},
            {"$set": {"act_at": act_at, "remind_at": act_at - REMIND}},
        )
