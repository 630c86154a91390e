"""One book kept in memory; the journal is the truth.

Memory makes a decision cost the same however many offers wait; the journal makes it right: a
decision counts only when its entry gets the number that follows what was known. A process that is
behind another one fails to write, reads what it missed and decides anew, so two processes on one
database agree on every match.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from datetime import datetime

from models.database import Database, typed
from models.events import Publisher
from models.finishing import keep
from models.market import news
from models.market.book import (
    ASK,
    BID,
    CHECKED_LEVELS,
    Book,
    Offer,
    checksums,
    is_due,
    last_seq,
    levels_of,
)
from models.market.events import BookHeartbeat
from models.market.journal import KNOWN_MAX, Journal, book_id, entry_id, new_token
from models.market.money import to_decimal
from models.market.projection import Projection
from models.market.stored import Decision, JournalEntry, JournalOffer, StoredOffer
from models.market.views import LevelsView, LevelView
from models.rooms import book_room
from models.times import Clock

logger = logging.getLogger(__name__)

Decide = Callable[[Book], Awaitable[Decision | None]]
"""Looks at the book as it is and gives an entry without its number, or None for no change."""


CLOSED_AT_ONCE = 100
"""Documents of expired offers that one write changes: others come between."""

PUBLISHED_AT_ONCE = 50
"""Events between which others have a turn of the loop."""


@dataclass(frozen=True, slots=True)
class _Expiry:
    """Offers that an entry has taken out of the book, and whose documents do not say so yet."""

    last_seq: int
    at: datetime
    offers: list[Offer]
    is_own: bool
    """Whether this process has written the entry, and so notifies the owners."""


class LiveBook:
    """The book of one product in one size."""

    def __init__(
        self,
        database: Database,
        publisher: Publisher | None,
        journal: Journal,
        projection: Projection,
        *,
        product_id: str,
        size: str,
        clock: Clock,
    ) -> None:
        """Open a book; without a publisher its changes are left to another process to publish."""
        self.product_id = product_id
        self.size = size
        self._id = book_id(product_id, size)
        self._offers = typed(database["market_offers"], StoredOffer)
        self._publisher = publisher
        self._journal = journal
        self._projection = projection
        self._clock = clock
        self.used_at = clock()
        self._book: Book | None = None
        self._known_at = clock()
        # Up to here entries are carried out, but for what `_expiries` holds.
        self._done = 0
        self._expiries: deque[_Expiry] = deque()
        self._closing: asyncio.Task[None] | None = None
        # One decision after the other: they would take each other's numbers anyway, and events
        # leave in the order of their numbers.
        self._lock = asyncio.Lock()

    async def place(self, side: str, price: int, decide: Decide) -> JournalEntry | None:
        """Commit the offer that `decide` returns, carry it out and publish what follows.

        `decide` is asked again when another process was first. Everything that came before its
        entry has been carried out when it is asked. Offers whose time is over and that the new one
        would cross are taken out before, so that no follower sees a book that is crossed.
        """
        async with self._lock:
            return await self._commit(decide, crossing=(side, price))

    async def take_out(self, offer_id: str, kind: str) -> bool:
        """Take an offer out, if it still is in; whether this call did.

        One whose time is over has expired, whatever the `kind` that is asked for.
        """
        async with self._lock:
            return await self._take_out(offer_id, kind)

    async def expire(self) -> int:
        """Take out offers whose time is over; return how many.

        However many they are, it is one entry. Their documents are closed and their owners told in
        the background, while the book goes on; `closed` waits for that.
        """
        async with self._lock:
            return await self._expire(await self._caught_up())

    async def closed(self) -> None:
        """Wait until the documents of the offers that were taken out say so."""
        if self._closing is not None:
            await asyncio.shield(self._closing)

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
        await self.closed()

    async def uncross(self) -> None:
        """Cancel the newer offer of each two of one account that cross each other."""
        async with self._lock:
            while (offer := (await self._caught_up()).crossed_with_own()) is not None:
                await self._take_out(offer.id, "cancel")

    async def snapshot(self, depth: int) -> LevelsView:
        """Return up to `depth` levels of each side, without what has expired."""
        while True:
            async with self._lock:
                book = await self._caught_up()
                await self._expire(book)
                if not book.due(self._clock()):
                    return self._shown(book, depth)

    async def beat(self) -> None:
        """Publish where the book stands, after what has expired has gone."""
        async with self._lock:
            book = await self._caught_up()
            await self._expire(book)
            sums = _checksums(book)
            event = BookHeartbeat(
                product_id=self.product_id,
                size=self.size,
                seq=book.seq,
                checksum=sums[-1],
                checksums=sums,
            )
            await self._publish([(event, book_room(self.product_id, self.size))])

    def _shown(self, book: Book, depth: int) -> LevelsView:
        sums = _checksums(book)
        return {
            "product_id": self.product_id,
            "size": self.size,
            "seq": book.seq,
            "bids": _level_views(book, BID, depth),
            "asks": _level_views(book, ASK, depth),
            "more_bids": book.level_count(BID) > depth,
            "more_asks": book.level_count(ASK) > depth,
            "checksum": sums[-1],
            "checksums": [*sums],
        }

    async def _commit(
        self, decide: Decide, crossing: tuple[str, int] | None = None
    ) -> JournalEntry | None:
        while True:
            book = await self._caught_up()
            await self._carry_out_up_to(book.seq)
            if crossing and book.due_crossing(*crossing, self._clock()):
                await self._expire(book)
                continue
            decision = await decide(book)
            if decision is None:
                return None
            entry = await self._append(book, decision)
            if entry is not None:
                break
        before = _best(book)
        levels = book.apply(entry)
        await self._carry_out(entry)
        await self._quote(book, before)
        await self._publish(news.events_for(entry, levels))
        return entry

    async def _quote(self, book: Book, before: tuple[int | None, int | None] | None) -> None:
        """Note the best prices if they have changed: each change of a book is made by one process,
        so none is missed.
        """
        best = _best(book)
        if best != before:
            await self._journal.quote(self._id, book.seq, *best)

    async def _append(self, book: Book, decision: Decision) -> JournalEntry | None:
        """Write the book's next entry and return it; None when another process was first."""
        seq = book.seq + 1
        if self._publisher is None:
            decision["quiet"] = True
        entry: JournalEntry = {
            **decision,
            "_id": entry_id(self._id, seq),
            "book": self._id,
            "seq": seq,
            "product_id": self.product_id,
            "size": self.size,
            "token": new_token(),
        }
        return entry if await self._journal.append(entry, self._known_at) else None

    async def _publish(self, told: Iterable[news.EventInRoom]) -> None:
        if self._publisher is None:
            return
        for number, (event, room) in enumerate(told, 1):
            await self._publisher.publish(event, room)
            if number % PUBLISHED_AT_ONCE == 0:
                await asyncio.sleep(0)

    async def _take_out(self, offer_id: str, kind: str) -> bool:
        async def decide(book: Book) -> Decision | None:
            waiting = book.offers.get(offer_id)
            if waiting is None:
                return None
            at = self._clock()
            return _taking_out(waiting, "expire" if is_due(waiting, at) else kind, at)

        return await self._commit(decide) is not None

    async def _expire(self, book: Book) -> int:
        """Take out the offers whose time is over; return how many, 0 when another process did."""
        await self._carry_out_up_to(book.seq)
        at = self._clock()
        due = book.due(at)
        if not due:
            return 0
        decision: Decision = {
            "kind": "expire",
            "at": at,
            "until": at,
            "span": len(levels_of(due)),
            "offer": None,
            "match": None,
        }
        entry = await self._append(book, decision)
        if entry is None:
            return 0
        before = _best(book)
        levels = book.apply(entry)
        self._note_expiry(entry, due, is_own=True)
        self._done = book.seq
        self._close_expired()
        await self._quote(book, before)
        await self._publish(news.events_for(entry, levels))
        return len(due)

    def _note_expiry(self, entry: JournalEntry, due: list[Offer], *, is_own: bool) -> None:
        self._expiries.append(_Expiry(last_seq(entry), entry["at"], due, is_own))

    def _close_expired(self) -> None:
        """Go on closing the documents of expired offers, if there are any, in the background."""
        if self._expiries and (self._closing is None or self._closing.done()):
            self._closing = keep(self._close_all_expired())

    async def _close_all_expired(self) -> None:
        try:
            while self._expiries:
                expiry = self._expiries[0]
                await self._close(expiry)
                # Another process may have been faster, and this one have read of it.
                if self._expiries and self._expiries[0] is expiry:
                    self._expiries.popleft()
                if not self._expiries:
                    await self._journal.mark_done(self._id, self._done)
        except Exception:
            # Entries stay undone in the journal, so the sweep comes back to this book.
            logger.exception("expired offers of book %s are not all closed", ascii(self._id))

    async def _close(self, expiry: _Expiry) -> None:
        while expiry.offers:
            batch = expiry.offers[-CLOSED_AT_ONCE:]
            await self._projection.close_expired([offer.id for offer in batch], expiry.at)
            del expiry.offers[-len(batch) :]
            if expiry.is_own:
                which = self.product_id, self.size
                await self._publish(news.closed_by_time(*which, offer) for offer in batch)

    async def _caught_up(self) -> Book:
        at = self._clock()
        if self._book is None or at - self._known_at >= KNOWN_MAX:
            self._book = await self._load()
        self._known_at = at
        async for entry in self._journal.after(self._id, self._book.seq):
            due = self._book.due(entry["until"]) if "until" in entry else []
            levels = self._book.apply(entry)
            if due:
                self._note_expiry(entry, due, is_own=False)
            if (
                entry.get("quiet")
                and self._publisher is not None
                and await self._journal.claim_quiet(entry)
            ):
                await self._publish(news.events_for(entry, levels))
        return self._book

    async def _load(self) -> Book:
        """Read what waits, as of the last entry that was surely carried out.

        Offers of later entries are left out, because those entries are applied from here on, each
        in its turn; and an offer that a later entry took away misses nothing when it is gone.
        """
        known = await self._journal.open(self._id)
        book = Book(known["done"])
        waiting = await self._offers.find({"resting": self._id}).to_list(None)
        for offer in sorted(waiting, key=_place):
            if offer["seq"] <= book.seq:
                book.add(
                    Offer(
                        offer["_id"],
                        offer["account_id"],
                        offer["side"],
                        offer["price"],
                        _place(offer),
                        offer["expires_at"],
                    )
                )
        self._done = book.seq
        # What a process that died has not noted.
        await self._quote(book, None)
        return book

    async def _carry_out_up_to(self, seq: int) -> None:
        if self._done < seq:
            # Another process wrote these; as a rule it has carried them out now, too.
            self._done = max(self._done, await self._journal.done(self._id))
            while self._expiries and self._expiries[0].last_seq <= self._done:
                self._expiries.popleft()
        while self._done < seq:
            entry = await self._journal.entry(self._id, self._done + 1)
            assert entry is not None, "the journal has a gap"
            await self._carry_out(entry)
        self._close_expired()

    async def _carry_out(self, entry: JournalEntry) -> None:
        """Carry out the entry that follows; documents of what has expired are closed later."""
        if "until" not in entry:
            await self._projection.carry_out(entry)
        self._done = last_seq(entry)
        if not self._expiries:
            await self._journal.mark_done(self._id, self._done)


def _level_views(book: Book, side: str, depth: int) -> list[LevelView]:
    return [
        {"price": to_decimal(price), "quantity": quantity}
        for price, quantity in book.levels(side, depth)
    ]


def _best(book: Book) -> tuple[int | None, int | None]:
    """Return the prices of the highest bid and the lowest ask."""
    bids, asks = book.levels(BID, 1), book.levels(ASK, 1)
    return bids[0][0] if bids else None, asks[0][0] if asks else None


def _place(offer: StoredOffer) -> int:
    return offer.get("place") or offer["seq"]


def _checksums(book: Book) -> list[int]:
    return checksums(book.levels(BID, CHECKED_LEVELS), book.levels(ASK, CHECKED_LEVELS))


def _taking_out(offer: Offer, kind: str, at: datetime) -> Decision:
    taken: JournalOffer = {
        "id": offer.id,
        "account_id": offer.account_id,
        "side": offer.side,
        "price": offer.price,
    }
    return {"kind": kind, "at": at, "offer": taken, "match": None}
