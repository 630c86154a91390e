"""The journal of the books: the one place where it is decided what happened, and in which order.

`market_journal`: `_id` "<book>:<seq>", `book`, `seq` (1, 2, 3 … in each book), `token`, `kind`
(`place`, `cancel`, `expire`), `at`, `offer` (the bid or ask, whole) and `match` (`offer_id`,
`account_id`, `price`, `order_id`, and what the order needs; null when nobody was met).

Writing an entry is the claim on the resting offer and the whole match at once: one insert, which
the unique `_id` lets one writer make, whatever number of processes decide at the same time. Who
loses reads what the winner wrote and decides anew. All other documents follow from the entry and
can be made from it again, so a crash after it loses nothing, and before it nothing has happened.
The journal is kept for good, one entry for each bid, ask, cancel and expiry: it is the market's
record, and no writer may ever find a number free that was taken. To trim it, one would have to know
that no process anywhere still stands before the trimmed numbers, as one does that was paused; it
would write such a number again and match what is gone. Its size costs nothing but space: every
read and write names an `_id`.

`market_books`: `_id` the book, `done` (all entries up to this one have been carried out),
`last_sale`.
"""

from collections.abc import AsyncIterator
from typing import Any
from uuid import uuid4

from pymongo.errors import DuplicateKeyError

from models.database import Database, Document


def book_id(product_id: str, size: str) -> str:
    """Name the book of a product in a size; neither holds a colon."""
    return f"{product_id}:{size}"


class Journal:
    """Reads and writes entries, and remembers how far they have been carried out."""

    def __init__(self, database: Database) -> None:
        self._entries = database["market_journal"]
        self._books = database["market_books"]

    async def append(self, entry: Document) -> bool:
        """Write an entry; False when another writer was first with its number."""
        entry["_id"] = f"{entry['book']}:{entry['seq']}"
        entry["token"] = uuid4().hex
        try:
            await self._entries.insert_one(entry)
        except DuplicateKeyError:
            # A driver that tries again after a lost answer meets its own write.
            kept = await self._entries.find_one({"_id": entry["_id"]})
            return kept is not None and kept["token"] == entry["token"]
        return True

    async def entry(self, book: str, seq: int) -> Document | None:
        """Give one entry."""
        return await self._entries.find_one({"_id": f"{book}:{seq}"})

    async def after(self, book: str, seq: int) -> AsyncIterator[Document]:
        """Walk through the entries that follow `seq`."""
        while entry := await self.entry(book, seq + 1):
            seq += 1
            yield entry

    async def open(self, book: str) -> Document:
        """Give the book's document, made when there is none."""
        found = await self._books.find_one({"_id": book})
        if found is None:
            found = {"_id": book, "done": 0, "last_sale": None}
            try:
                await self._books.insert_one(dict(found))
            except DuplicateKeyError:
                return await self.open(book)
        return found

    async def done(self, book: str) -> int:
        """Give the number up to which entries have been carried out."""
        found = await self._books.find_one({"_id": book})
        return found["done"] if found else 0

    async def mark_done(self, entry: Document) -> None:
        """Note that this entry and all before it have been carried out."""
        seq: int = entry["seq"]
        change: dict[str, Any] = {"done": seq}
        if entry["match"]:
            price = entry["match"]["price"]
            change["last_sale"] = {"price": price, "at": entry["at"], "seq": seq}
        # find_one_and_update: the embedded store reads the whole collection for an update_one
        # with a condition beside the `_id`.
        await self._books.find_one_and_update(
            {"_id": entry["book"], "done": {"$lt": seq}}, {"$set": change}
        )

    async def left_undone(self) -> list[str]:
        """Name the books with entries that nobody has carried out, as a crash leaves them."""
        books = await self._books.find({}).to_list(None)
        return [book["_id"] for book in books if await self.entry(book["_id"], book["done"] + 1)]
