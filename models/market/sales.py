"""What was sold, and the prices of each day: a match counts once it is paid."""

from datetime import timedelta
from itertools import groupby

from pymongo.errors import DuplicateKeyError

from models.database import Database, typed
from models.market.events import SaleMade
from models.market.journal import book_id
from models.market.money import to_decimal
from models.market.products import Products
from models.market.records import sale_view
from models.market.stored import StoredBook, StoredDay, StoredOrder, StoredSale
from models.market.views import DayView, LastSaleView, SalesView
from models.pages import DEFAULT_PAGE, Position, cut, newest_first
from models.times import Clock, to_text


class SaleRecords:
    """Writes sales, each once, however often it is asked to."""

    def __init__(self, database: Database) -> None:
        self._sales = typed(database["market_sales"], StoredSale)
        self._days = typed(database["market_days"], StoredDay)
        self._books = typed(database["market_books"], StoredBook)

    async def prepare(self) -> None:
        """Make the indexes."""
        await self._sales.create_index([("product_id", 1), ("at", -1), ("_id", -1)])
        await self._sales.create_index([("book", 1), ("at", -1), ("_id", -1)])
        await self._days.create_index([("product_id", 1), ("day", -1)])

    async def record(self, order: StoredOrder) -> SaleMade | None:
        """Record the sale of an order that was paid; return its event if it is new."""
        seq, price = order["match_seq"], order["price"]
        at = next(made["at"] for made in order["history"] if made["step"] == "paid")
        sale: StoredSale = {
            "_id": f"{order['book']}:{seq}",
            "book": order["book"],
            "product_id": order["product_id"],
            "size": order["size"],
            "price": price,
            "at": at,
        }
        try:
            await self._sales.insert_one(sale)
            new = True
        except DuplicateKeyError:
            new = False
        await self._count(sale, str(seq))
        earlier = [{"sold_at": {"$exists": False}}, {"sold_at": {"$lte": at}}]
        await self._books.find_one_and_update(
            {"_id": order["book"], "$or": earlier}, {"$set": {"sold_price": price, "sold_at": at}}
        )
        return SaleMade(**sale_view(sale), seq=seq) if new else None

    async def last(self, book: str) -> LastSaleView | None:
        """Return the last sale in a book."""
        found = self._sales.find({"book": book}).sort(newest_first("at")).limit(1)
        for sale in await found.to_list(None):
            return {"price": to_decimal(sale["price"]), "at": to_text(sale["at"])}
        return None

    async def _count(self, sale: StoredSale, match: str) -> None:
        price, at = sale["price"], sale["at"]
        day = at.date().isoformat()
        day_id = f"{sale['book']}:{day}"
        first: StoredDay = {
            "_id": day_id,
            "book": sale["book"],
            "product_id": sale["product_id"],
            "size": sale["size"],
            "day": day,
            "open": price,
            "high": price,
            "low": price,
            "close": price,
            "volume": 1,
            "opened_at": at,
            "closed_at": at,
            "counted": [match],
        }
        try:
            await self._days.insert_one(first)
            return
        except DuplicateKeyError:
            pass
        counted = await self._days.find_one_and_update(
            {"_id": day_id, "counted": {"$ne": match}},
            {
                "$set": {"close": price, "closed_at": at},
                "$max": {"high": price},
                "$min": {"low": price},
                "$inc": {"volume": 1},
                "$push": {"counted": match},
            },
        )
        if counted is not None and counted["closed_at"] > at:
            # One that was paid before the last one and is counted after it, as after a crash.
            await self._days.update_one(
                {"_id": day_id, "close": price, "closed_at": at},
                {"$set": {"close": counted["close"], "closed_at": counted["closed_at"]}},
            )


class Sales:
    """Reads what was sold."""

    def __init__(self, database: Database, products: Products, clock: Clock) -> None:
        self._sales = typed(database["market_sales"], StoredSale)
        self._days = typed(database["market_days"], StoredDay)
        self._products = products
        self._clock = clock

    async def history(
        self,
        product_id: str,
        *,
        size: str | None = None,
        days: int = 30,
        after: Position | None = None,
        limit: int = DEFAULT_PAGE,
    ) -> SalesView:
        """Return a page of sales, newest first, and the prices of the last `days` (UTC) days."""
        if size is None:
            await self._products.find(product_id)
            query: dict[str, object] = {"product_id": product_id}
        else:
            await self._products.in_size(product_id, size)
            query = {"book": book_id(product_id, size)}
        if after:
            query["$or"] = after.following("at")
        found = (
            await self._sales.find(query).sort(newest_first("at")).limit(limit + 1).to_list(None)
        )
        shown, following = cut(found, limit, "at")
        return {
            "items": [sale_view(sale) for sale in shown],
            "next": following,
            "daily": await self._daily(product_id, size, days),
        }

    async def _daily(self, product_id: str, size: str | None, days: int) -> list[DayView]:
        first = (self._clock() - timedelta(days=days)).date().isoformat()
        query = {"product_id": product_id, "day": {"$gt": first}}
        found = await self._days.find(query).to_list(None)
        chosen = [day for day in found if size in (None, day["size"])]
        chosen.sort(key=lambda day: str(day["day"]))
        return [
            _day_view(day, list(books)) for day, books in groupby(chosen, lambda day: day["day"])
        ]


def _day_view(day: str, books: list[StoredDay]) -> DayView:
    opening = min(books, key=lambda book: (book["opened_at"], book["_id"]))
    closing = max(books, key=lambda book: (book["closed_at"], book["_id"]))
    return {
        "day": day,
        "open": to_decimal(opening["open"]),
        "high": to_decimal(max(book["high"] for book in books)),
        "low": to_decimal(min(book["low"] for book in books)),
        "close": to_decimal(closing["close"]),
        "volume": sum(book["volume"] for book in books),
    }
