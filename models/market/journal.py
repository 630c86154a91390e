"""The journal of the books: the one place where it is decided what happened, and in which order.

Writing an entry is the claim on the resting offer and the whole match at once: one insert, which
the unique `_id` lets one writer make, whatever number of processes decide at the same time. Who
loses reads what the winner wrote and decides anew. All other documents follow from the entry and
can be made from it again, so a crash after it loses nothing, and before it nothing has happened.

Entries that have been carried out are deleted when their time is over; offers and orders are the
records. Before that the book notes its `floor`, the number up to which entries may be gone. A
process that was paused for so long could find such a number free, and match what is gone: so who
has not looked at a book for `KNOWN_MAX` reads it anew, and who writes so long after it has looked
takes the entry back if it is not above the floor. Between the two lie months, so that clocks need
not agree.
"""

from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from uuid import uuid4

from pymongo.errors import DuplicateKeyError

from models.collections import retention_of
from models.database import Database, typed
from models.market.book import last_seq
from models.market.stored import JournalEntry, StoredBook
from models.retention import BATCH, BATCHES_MAX, prepare_expiry
from models.times import Clock, now

KNOWN_MAX = timedelta(hours=1)
"""For how long what was read of a book may be built on."""


def book_id(product_id: str, size: str) -> str:
    """Name the book of a product in a size; neither holds a colon."""
    return f"{product_id}:{size}"


def entry_id(book: str, seq: int) -> str:
    """Return the place of a book's entry: there can be one of each number."""
    return f"{book}:{seq}"


def new_token() -> str:
    """Return what tells a writer's own entry from that of another one."""
    return uuid4().hex


class Journal:
    """Reads and writes entries, and remembers how far they have been carried out."""

    def __init__(self, database: Database, clock: Clock = now) -> None:
        self._entries = typed(database["market_journal"], JournalEntry)
        self._books = typed(database["market_books"], StoredBook)
        self._clock = clock

    async def prepare(self) -> None:
        """Make the index by which old entries are found."""
        await prepare_expiry(self._entries, retention_of("market_journal"))

    async def append(self, entry: JournalEntry, known_at: datetime) -> bool:
        """Write an entry; False when another writer was first with its number.

        `known_at` is when the writer began to look for the newest entry.
        """
        if not await self._insert(entry):
            return False
        if self._clock() - known_at < KNOWN_MAX:
            return True
        found = await self._books.find_one({"_id": entry["book"]})
        if found is None or entry["seq"] > found.get("floor", 0):
            return True
        # The number was taken, and was free only because it was trimmed.
        await self._entries.delete_one({"_id": entry["_id"], "token": entry["token"]})
        return False

    async def _insert(self, entry: JournalEntry) -> bool:
        try:
            await self._entries.insert_one(entry)
        except DuplicateKeyError:
            # A driver that tries again after a lost answer meets its own write.
            kept = await self._entries.find_one({"_id": entry["_id"]})
            return kept is not None and kept["token"] == entry["token"]
        return True

    async def entry(self, book: str, seq: int) -> JournalEntry | None:
        """Return one entry."""
        return await self._entries.find_one({"_id": entry_id(book, seq)})

    async def after(self, book: str, seq: int) -> AsyncIterator[JournalEntry]:
        """Walk through the entries that follow `seq`."""
        while entry := await self.entry(book, seq + 1):
            seq = last_seq(entry)
            yield entry

    async def claim_quiet(self, entry: JournalEntry) -> bool:
        """Return whether it is the caller who has to publish an entry that is marked `quiet`."""
        claimed = await self._entries.find_one_and_update(
            {"_id": entry["_id"], "quiet": True}, {"$set": {"quiet": False}}
        )
        return claimed is not None

    async def open(self, book: str) -> StoredBook:
        """Return the book's document, made when there is none."""
        found = await self._books.find_one({"_id": book})
        if found is None:
            found = {"_id": book, "done": 0}
            try:
                await self._books.insert_one(found.copy())
            except DuplicateKeyError:
                return await self.open(book)
        return found

    async def done(self, book: str) -> int:
        """Return the number up to which entries have been carried out."""
        found = await self._books.find_one({"_id": book})
        return found["done"] if found else 0

    async def mark_done(self, book: str, seq: int) -> None:
        """Note that all entries up to this number have been carried out."""
        # find_one_and_update: the embedded store reads the whole collection for an update_one
        # with a condition beside the `_id`.
        await self._books.find_one_and_update(
            {"_id": book, "done": {"$lt": seq}}, {"$set": {"done": seq}}
        )

    async def quote(self, book: str, seq: int, bid: int | None, ask: int | None) -> None:
        """Note the best prices of a book as of `seq`, unless later ones are noted."""
        older = [{"quoted": {"$exists": False}}, {"quoted": {"$lt": seq}}]
        await self._books.find_one_and_update(
            {"_id": book, "$or": older},
            {"$set": {"best_bid": bid, "best_ask": ask, "quoted": seq}},
        )

    async def trim(self) -> None:
        """Delete entries for their age that have been carried out, the oldest first.

        What is left after `BATCHES_MAX` batches is for the next sweep. Several processes may do it
        at once, and one that dies between the steps leaves entries for the next.
        """
        retention = retention_of("market_journal")
        query = {retention.field: {"$lte": retention.ended_by(self._clock())}}
        for _ in range(BATCHES_MAX):
            found = self._entries.find(query, only=["book", "seq", "span"])
            old = await found.sort([(retention.field, 1)]).limit(BATCH).to_list(BATCH)
            floors: dict[str, int] = {}
            for book in {entry["book"] for entry in old}:
                done = await self.done(book)
                numbers = [last_seq(entry) for entry in old if entry["book"] == book]
                floors[book] = max((number for number in numbers if number <= done), default=0)
                await self._books.update_one({"_id": book}, {"$max": {"floor": floors[book]}})
            gone = [entry["_id"] for entry in old if last_seq(entry) <= floors[entry["book"]]]
            await self._entries.delete_many({"_id": {"$in": gone}})
            if len(old) < BATCH or not gone:
                return

    async def left_undone(self) -> list[str]:
        """Name the books with entries that no one has carried out, as a crash leaves them."""
        books = await self._books.find({}).to_list(None)
        return [book["_id"] for book in books if await self.entry(book["_id"], book["done"] + 1)]
