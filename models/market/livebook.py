"""One book kept in memory beside the journal, which is the truth.

Memory makes a decision cost the same however many offers wait; the journal makes it right: a
decision counts only when its entry gets the number that follows what was known. A process that is
behind another one fails to write, reads what it missed and decides anew, so two processes on one
database agree on every match.
"""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime

from models.database import Database, Document
from models.events import Json, Publisher
from models.market import news
from models.market.book import ASK, BID, CHECKED_LEVELS, Book, Offer, checksum
from models.market.events import BookHeartbeat
from models.market.journal import Journal, book_id
from models.market.money import to_decimal
from models.market.projection import Projection
from models.rooms import book_room
from models.times import Clock, to_text

Decide = Callable[[Book], Awaitable[Document | None]]
"""Looks at the book as it is and gives an entry without its number, or None for no change."""


class LiveBook:
    """The book of one product in one size."""

    def __init__(
        self,
        database: Database,
        publisher: Publisher,
        journal: Journal,
        projection: Projection,
        *,
        product_id: str,
        size: str,
        clock: Clock,
    ) -> None:
        self.product_id = product_id
        self.size = size
        self._id = book_id(product_id, size)
        self._offers = database["market_offers"]
        self._publisher = publisher
        self._journal = journal
        self._projection = projection
        self._clock = clock
        self.used_at = clock()
        self._book: Book | None = None
        self._done = 0
        # One decision after the other: they would take each other's numbers anyway, and events
        # leave in the order of their numbers.
        self._lock = asyncio.Lock()

    async def change(self, decide: Decide) -> Document | None:
        """Commit what `decide` wants, carry it out and tell whom it concerns.

        `decide` is asked again when another process was first. Everything that came before its
        entry has been carried out when it is asked.
        """
        async with self._lock:
            return await self._commit(decide)

    async def take_out(self, offer_id: str, kind: str) -> bool:
        """Take an offer out, if it still is in; whether this call did."""
        async with self._lock:
            return await self._take_out(offer_id, kind)

    async def expire(self) -> int:
        """Take out all offers whose time is over; gives how many."""
        async with self._lock:
            return await self._expire(await self._caught_up())

    @property
    def next_expiry(self) -> datetime | None:
        """When the next offer of those that are known is to be taken out."""
        first = self._book.first_to_expire() if self._book is not None else None
        return first.expires_at if first is not None else None

    async def repair(self) -> None:
        """Carry out what a process that died has left."""
        async with self._lock:
            book = await self._caught_up()
            await self._carry_out_up_to(book.seq)

    async def snapshot(self, depth: int) -> dict[str, Json]:
        """Show the book; the `Trading` method says how."""
        async with self._lock:
            book = await self._up_to_date()
            sale = book.last_sale
            return {
                "product_id": self.product_id,
                "size": self.size,
                "seq": book.seq,
                "bids": _levels_json(book, BID, depth),
                "asks": _levels_json(book, ASK, depth),
                "more_bids": book.level_count(BID) > depth,
                "more_asks": book.level_count(ASK) > depth,
                "last_sale": sale
                and {"price": to_decimal(sale["price"]), "at": to_text(sale["at"])},
                "checksum": _checksum(book),
            }

    async def beat(self) -> None:
        """Tell the book's subscribers where it stands."""
        async with self._lock:
            book = await self._up_to_date()
            event = BookHeartbeat(self.product_id, self.size, book.seq, _checksum(book))
            await self._publisher.publish(event, book_room(self.product_id, self.size))

    async def _commit(self, decide: Decide) -> Document | None:
        while True:
            book = await self._caught_up()
            await self._carry_out_up_to(book.seq)
            entry = await decide(book)
            if entry is None:
                return None
            entry |= {
                "book": self._id,
                "seq": book.seq + 1,
                "product_id": self.product_id,
                "size": self.size,
            }
            if await self._journal.append(entry):
                break
        level = book.apply(entry)
        await self._projection.carry_out(entry)
        self._done = entry["seq"]
        for event, room in news.of(entry, level):
            await self._publisher.publish(event, room)
        return entry

    async def _take_out(self, offer_id: str, kind: str) -> bool:
        async def decide(book: Book) -> Document | None:
            waiting = book.offers.get(offer_id)
            if waiting is None:
                return None
            taken = {
                "id": waiting.id,
                "account_id": waiting.account_id,
                "side": waiting.side,
                "price": waiting.price,
            }
            return {"kind": kind, "at": self._clock(), "offer": taken, "match": None}

        return await self._commit(decide) is not None

    async def _up_to_date(self) -> Book:
        """Give the book without offers whose time is over, so that it is shown as it trades."""
        book = await self._caught_up()
        await self._expire(book)
        return book

    async def _expire(self, book: Book) -> int:
        taken = 0
        while (offer := book.expired(self._clock())) is not None:
            taken += await self._take_out(offer.id, "expire")
        return taken

    async def _caught_up(self) -> Book:
        if self._book is None:
            self._book = await self._load()
        async for entry in self._journal.after(self._id, self._book.seq):
            self._book.apply(entry)
        return self._book

    async def _load(self) -> Book:
        """Read what waits, as of the last entry that was surely carried out.

        Offers of later entries are left out, because those entries are applied from here on, each
        in its turn; and an offer that a later entry took away misses nothing when it is gone.
        """
        known = await self._journal.open(self._id)
        book = Book(known["done"])
        book.last_sale = known["last_sale"]
        waiting = await self._offers.find({"resting": self._id}).to_list(None)
        for offer in sorted(waiting, key=lambda offer: int(offer["seq"])):
            if offer["seq"] <= book.seq:
                book.add(
                    Offer(
                        offer["_id"],
                        offer["account_id"],
                        offer["side"],
                        offer["price"],
                        offer["seq"],
                        offer["expires_at"],
                    )
                )
        self._done = book.seq
        return book

    async def _carry_out_up_to(self, seq: int) -> None:
        if self._done < seq:
            # Another process wrote these; as a rule it has carried them out by now, too.
            self._done = max(self._done, await self._journal.done(self._id))
        while self._done < seq:
            entry = await self._journal.entry(self._id, self._done + 1)
            assert entry is not None, "the journal has a gap"
            await self._projection.carry_out(entry)
            self._done += 1


def _levels_json(book: Book, side: str, depth: int) -> list[Json]:
    return [
        {"price": to_decimal(price), "quantity": quantity}
        for price, quantity in book.levels(side, depth)
    ]


def _checksum(book: Book) -> int:
    return checksum(book.levels(BID, CHECKED_LEVELS), book.levels(ASK, CHECKED_LEVELS))
