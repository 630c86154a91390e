"""Carries an entry of the journal out: what becomes of offers, and the order.

Every step gives the same when it is done again, and entries of a book are carried out in their
order, so anyone who finds an entry undone may do it, two at once too.
"""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import datetime, timedelta

from pymongo.errors import DuplicateKeyError

from models.database import Database, Record, TypedCollection, typed
from models.market.records import CLOSED_BY, EXPIRED, MATCHED, OPEN, new_order
from models.market.stored import JournalEntry, JournalOffer, StoredOffer, StoredOrder

WARNING = timedelta(hours=1)
"""How long before its expiry the owner of an offer is notified: time to place another one. Offers
that live for less than twice as long are not told of."""


class Projection:
    """Writes what follows from entries."""

    def __init__(self, database: Database) -> None:
        self._offers = typed(database["market_offers"], StoredOffer)
        self._orders = typed(database["market_orders"], StoredOrder)

    async def prepare(self) -> None:
        """Make the indexes."""
        await self._offers.create_index([("resting", 1)])
        await self._offers.create_index([("due_at", 1)])
        await self._offers.create_index([("owner", 1), ("created_at", -1), ("_id", -1)])

    async def carry_out(self, entry: JournalEntry) -> None:
        """Make all documents what they are after `entry`, which has an `offer`."""
        offer, match = entry["offer"], entry["match"]
        assert offer is not None, "documents of what has expired are closed by `close_expired`"
        if entry["kind"] != "place":
            await self._close(entry["at"], offer["id"], status=CLOSED_BY[entry["kind"]])
            return
        placed = new_offer(
            offer,
            book=entry["book"],
            product_id=entry["product_id"],
            size=entry["size"],
            seq=entry["seq"],
            at=entry["at"],
        )
        if not match:
            await _insert(self._offers, placed)
            return
        placed["order_id"], placed["matched_price"] = match["order_id"], match["price"]
        placed["status"], placed["closed_at"] = MATCHED, entry["at"]
        del placed["resting"]
        placed.pop("due_at", None)
        await _insert(self._offers, placed)
        await self._close(
            entry["at"],
            match["offer_id"],
            status=MATCHED,
            order_id=match["order_id"],
            matched_price=match["price"],
        )
        await _insert(self._orders, new_order(entry, offer, match))

    async def close_expired(self, offer_ids: Sequence[str], at: datetime) -> None:
        """Note that offers have expired; what is shown of them says so from their last moment."""
        await self._offers.update_many(
            {"_id": {"$in": [*offer_ids]}}, _closing({"closed_at": at, "status": EXPIRED})
        )

    async def _close(self, at: datetime, offer_id: str, **changes: object) -> None:
        await self._offers.update_one({"_id": offer_id}, _closing({"closed_at": at, **changes}))


def _closing(changes: Mapping[str, object]) -> Mapping[str, object]:
    return {"$set": changes, "$unset": {"resting": "", "due_at": ""}}


def new_offer(
    offer: JournalOffer, *, book: str, product_id: str, size: str, seq: int, at: datetime
) -> StoredOffer:
    """Build the offer that the entry `seq` of the kind `place` puts into its book."""
    document: StoredOffer = {
        "_id": offer["id"],
        "book": book,
        "product_id": product_id,
        "size": size,
        "seq": seq,
        "place": offer.get("place") or seq,
        "side": offer["side"],
        "account_id": offer["account_id"],
        "owner": f"{offer['side']}:{offer['account_id']}",
        "price": offer["price"],
        "created_at": at,
        "expires_at": offer["expires_at"],
        "status": OPEN,
        "closed_at": None,
        "order_id": None,
        "matched_price": None,
        "resting": book,
    }
    if offer["expires_at"] is not None:
        document["due_at"] = offer["expires_at"]
        if offer["expires_at"] - at >= 2 * WARNING:
            document["warn_at"] = offer["expires_at"] - WARNING
    return document


async def _insert(collection: TypedCollection[Record], document: Record) -> None:
    with suppress(DuplicateKeyError):  # done before
        await collection.insert_one(document)
