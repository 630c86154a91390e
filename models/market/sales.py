"""What was sold, and the prices of each day."""

from datetime import timedelta
from itertools import groupby
from typing import Any

from models.database import Database, Document
from models.events import Json
from models.market.journal import book_id
from models.market.money import to_decimal
from models.market.products import Products
from models.market.records import sale_json
from models.pages import DEFAULT_PAGE, Position, cut, newest_first
from models.times import Clock


class Sales:
    """Reads what the projection of matches has written."""

    def __init__(self, database: Database, products: Products, clock: Clock) -> None:
        self._sales = database["market_sales"]
        self._days = database["market_days"]
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
    ) -> dict[str, Json]:
        """Give a page of sales, newest first, and `daily` prices of the last `days` (UTC) days.

        An item is `product_id`, `size`, `price`, `at`; a day `day`, `open`, `high`, `low`,
        `close`, `volume`, oldest first, and only days on which something was sold.
        """
        if size is None:
            await self._products.find(product_id)
            where = {"product_id": product_id}
        else:
            await self._products.in_size(product_id, size)
            where = {"book": book_id(product_id, size)}
        query: dict[str, Any] = dict(where)
        if after:
            query["$or"] = after.following("at")
        found = (
            await self._sales.find(query).sort(newest_first("at")).limit(limit + 1).to_list(None)
        )
        shown, following = cut(found, limit, "at")
        return {
            "items": [sale_json(sale) for sale in shown],
            "next": following,
            "daily": await self._daily(product_id, size, days),
        }

    async def _daily(self, product_id: str, size: str | None, days: int) -> list[Json]:
        first = (self._clock() - timedelta(days=days)).date().isoformat()
        query = {"product_id": product_id, "day": {"$gt": first}}
        found = await self._days.find(query).to_list(None)
        chosen = [day for day in found if size in (None, day["size"])]
        chosen.sort(key=lambda day: str(day["day"]))
        return [
            _day_json(day, list(books)) for day, books in groupby(chosen, lambda day: day["day"])
        ]


def _day_json(day: str, books: list[Document]) -> dict[str, Json]:
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
