"""Carries an entry of the journal out: what becomes of offers, the order, the sale, the day.

Every step gives the same when it is done again, and entries of a book are carried out in their
order, so whoever finds an entry undone may do it, two at once too.

`market_offers`: `_id`, `book`, `product_id`, `size`, `side`, `account_id`, `owner`
"<side>:<account>", `price` (cents), `seq`, `created_at`, `expires_at`, `status`, `closed_at`,
`order_id`, `matched_price`; `resting` (the book) and `due_at` only while it waits, so that their
indexes hold what is alive and nothing else.
`market_sales`: `_id` "<book>:<seq>", `book`, `product_id`, `size`, `price`, `at`.
`market_days`: `_id` "<book>:<day>", `open`, `high`, `low`, `close`, `volume`, `opened_at`,
`closed_at`, `last_seq`.
"""

from contextlib import suppress

from pymongo.errors import DuplicateKeyError

from models.database import Collection, Database, Document
from models.market.journal import Journal
from models.market.records import new_order

OPEN = "open"
MATCHED = "matched"
CLOSED_BY = {"cancel": "cancelled", "expire": "expired"}


class Projection:
    """Writes what follows from entries."""

    def __init__(self, database: Database, journal: Journal) -> None:
        self._offers = database["market_offers"]
        self._orders = database["market_orders"]
        self._sales = database["market_sales"]
        self._days = database["market_days"]
        self._journal = journal

    async def prepare(self) -> None:
        """Make the indexes."""
        await self._offers.create_index([("resting", 1)])
        await self._offers.create_index([("due_at", 1)])
        await self._offers.create_index([("owner", 1), ("created_at", -1), ("_id", -1)])
        await self._sales.create_index([("product_id", 1), ("at", -1), ("_id", -1)])
        await self._sales.create_index([("book", 1), ("at", -1), ("_id", -1)])
        await self._days.create_index([("product_id", 1), ("day", -1)])

    async def carry_out(self, entry: Document) -> None:
        """Make all documents what they are after `entry`, then note that it is done."""
        match = entry["match"]
        if entry["kind"] != "place":
            await self._close(entry, entry["offer"]["id"], status=CLOSED_BY[entry["kind"]])
        elif not match:
            await _insert(self._offers, new_offer(entry))
        else:
            outcome = {"order_id": match["order_id"], "matched_price": match["price"]}
            taker = new_offer(entry) | outcome | {"status": MATCHED, "closed_at": entry["at"]}
            del taker["resting"]
            taker.pop("due_at", None)
            await _insert(self._offers, taker)
            await self._close(entry, match["offer_id"], status=MATCHED, **outcome)
            await _insert(self._orders, new_order(entry))
            await self._record_sale(entry)
        await self._journal.mark_done(entry)

    async def _close(self, entry: Document, offer_id: str, **changes: object) -> None:
        await self._offers.update_one(
            {"_id": offer_id},
            {
                "$set": {"closed_at": entry["at"], **changes},
                "$unset": {"resting": "", "due_at": ""},
            },
        )

    async def _record_sale(self, entry: Document) -> None:
        price, at, seq = entry["match"]["price"], entry["at"], entry["seq"]
        where = {key: entry[key] for key in ("book", "product_id", "size")}
        await _insert(self._sales, {"_id": entry["_id"], **where, "price": price, "at": at})
        day = at.date().isoformat()
        day_id = f"{entry['book']}:{day}"
        counted = await self._days.find_one_and_update(
            {"_id": day_id, "last_seq": {"$lt": seq}},
            {
                "$set": {"close": price, "closed_at": at, "last_seq": seq},
                "$max": {"high": price},
                "$min": {"low": price},
                "$inc": {"volume": 1},
            },
        )
        if counted is None:
            # The day's first sale; or one that is counted already, and then the key is taken.
            prices = dict.fromkeys(("open", "high", "low", "close"), price)
            times = {"opened_at": at, "closed_at": at}
            first = {"_id": day_id, **where, "day": day, **prices, **times}
            await _insert(self._days, first | {"volume": 1, "last_seq": seq})


def new_offer(entry: Document) -> Document:
    """Build the offer that an entry of the kind `place` puts into its book."""
    offer = entry["offer"]
    document = {
        "_id": offer["id"],
        **{key: entry[key] for key in ("book", "product_id", "size", "seq")},
        "side": offer["side"],
        "account_id": offer["account_id"],
        "owner": f"{offer['side']}:{offer['account_id']}",
        "price": offer["price"],
        "created_at": entry["at"],
        "expires_at": offer["expires_at"],
        "status": OPEN,
        "closed_at": None,
        "order_id": None,
        "matched_price": None,
        "resting": entry["book"],
    }
    if offer["expires_at"] is not None:
        document["due_at"] = offer["expires_at"]
    return document


async def _insert(collection: Collection, document: Document) -> None:
    with suppress(DuplicateKeyError):  # done before
        await collection.insert_one(document)
