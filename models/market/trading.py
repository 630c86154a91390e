"""The rules of bids and asks: price-time priority, and no one trades with oneself.

A new offer meets the best price on the other side, the oldest offer first, at the price of the
offer that waited. One bid meets one ask. One's own offers and those that have expired are passed
over. What meets no one waits, unless it would cross an offer of the same account: then the newer
one, which is the one being placed, is refused, as exchanges that prevent self-trades by "cancel
newest" do.

An offer has expired when its time is over; taking it out of its book may come later.
"""

from collections.abc import Collection
from datetime import datetime, timedelta
from typing import Any

from models.database import Database, Filter, typed
from models.error_codes import ErrorCode
from models.errors import Conflict, Invalid, NotFound, TooManyRequests
from models.events import Publisher
from models.idempotency import Idempotency
from models.identity import Identity
from models.market.book import BID, Book
from models.market.journal import Journal, book_id
from models.market.livebook import LiveBook
from models.market.money import to_decimal
from models.market.orders import Orders
from models.market.products import Products
from models.market.projection import Projection
from models.market.records import CLOSED_BY, EXPIRED, OPEN, offer_json, offer_status
from models.market.reliability import Reliability
from models.market.sales import SaleRecords
from models.market.schema import DEFAULT_DEPTH
from models.market.stored import (
    Decision,
    JournalMatch,
    JournalOffer,
    StoredOffer,
    StoredOrder,
    StoredProduct,
)
from models.market.views import BookView, OfferView
from models.numbers import Numbers
from models.pages import DEFAULT_PAGE, Page, Position, cut, newest_first
from models.times import Clock, now

MAX_OPEN = 500
"""Offers that one account may have waiting in one book: far beyond any trader, and what a match
has to pass over at worst when they are all one's own."""

SWEPT_AT_ONCE = 500
"""Expired offers looked for in one sweep, in books that no one looks at; others wait a minute."""

KEPT_IN_MEMORY = timedelta(minutes=10)
"""For how long after its last use a book stays in memory: followed ones are used every few seconds
and stay, and reading one again costs as much as one query for what waits in it."""

NUMBERS_AT_ONCE = 16
"""Order numbers that a process takes at once: the write is spared in most matches, and a restart
leaves a gap of no more than this."""

_NOT_FOUND: dict[str | None, ErrorCode] = {
    "bid": "bid_not_found",
    "ask": "ask_not_found",
    None: "offer_not_found",
}


class Trading:
    """Places and cancels bids and asks, and shows books."""

    def __init__(
        self,
        database: Database,
        publisher: Publisher,
        products: Products,
        orders: Orders,
        reliability: Reliability,
        clock: Clock = now,
    ) -> None:
        self._database = database
        self._offers = typed(database["market_offers"], StoredOffer)
        self._order_numbers = Numbers(
            database["counters"], "market_orders", at_once=NUMBERS_AT_ONCE
        )
        self._publisher = publisher
        self._products = products
        self._orders = orders
        self._clock = clock
        self._answers = Idempotency(database, clock=clock)
        self._journal = Journal(database, clock)
        self._sales = SaleRecords(database)
        self._reliability = reliability
        self._projection = Projection(database)
        self._books: dict[str, LiveBook] = {}

    async def prepare(self) -> None:
        """Make the indexes, and finish what a crash has left."""
        await self._projection.prepare()
        await self._journal.prepare()
        await self._repair()

    async def place(
        self,
        caller: Identity,
        side: str,
        *,
        product_id: str,
        size: str,
        price: int,
        expires_at: datetime | None = None,
        client_id: str | None = None,
        operation_id: str | None = None,
    ) -> OfferView:
        """Place a bid or an ask, `price` in cents; returns it as it is then, matched or open.

        The same `client_id` or `operation_id` places it once, and gives it again.

        Raises:
            NotFound: no such product.
            Invalid: a size it does not come in, or a time that is over.
            Conflict: code `too_many_open`, or `crosses_own_offer`: it would wait beside an offer of
                the caller on the other side that it meets.
            Invalid: code `key_reused`.
            TooManyRequests: code `too_many_unpaid` or `too_many_cancelled`: matches of the caller.
        """
        content: dict[str, Any] = {
            "product_id": product_id,
            "size": size,
            "price": price,
            "expires_at": expires_at,
        }
        async with self._answers.once(
            caller.account_id,
            f"/api/v1/{side}s",
            client_id=client_id,
            operation_id=operation_id,
            content=content,
        ) as operation:
            if operation.is_done:
                return await self.get(caller, side, operation.id)
            return await self._place(
                caller, side, operation.id, **content, keyed=bool(client_id or operation_id)
            )

    async def _place(
        self,
        caller: Identity,
        side: str,
        offer_id: str,
        *,
        product_id: str,
        size: str,
        price: int,
        expires_at: datetime | None,
        keyed: bool,
    ) -> OfferView:
        product = await self._products.in_size(product_id, size)
        try:
            await self._reliability.check(caller.account_id, side)
        except TooManyRequests:
            if not (keyed and await self._offers.find_one({"_id": offer_id})):
                raise
        offer: JournalOffer = {
            "id": offer_id,
            "account_id": caller.account_id,
            "side": side,
            "price": price,
            "expires_at": expires_at,
        }
        await self._enter(offer, product, size, repeatable=keyed)
        return await self.get(caller, side, offer_id)

    async def _enter(
        self, offer: JournalOffer, product: StoredProduct, size: str, *, repeatable: bool
    ) -> None:
        """Let an offer meet its counterpart, or wait; once for each id if it is `repeatable`."""
        offer_id, account_id, side = offer["id"], offer["account_id"], offer["side"]
        price, expires_at = offer["price"], offer["expires_at"]
        order_id: str | None = None

        async def decide(book: Book) -> Decision | None:
            nonlocal order_id
            if repeatable and await self._offers.find_one({"_id": offer_id}):
                return None
            at = self._clock()
            if expires_at is not None and expires_at <= at:
                raise Invalid(
                    "Some fields are not valid.", fields={"expires_at": ["This is over."]}
                )
            other = book.counterpart(side, account_id, price, at)
            match: JournalMatch | None = None
            if other is not None:
                if order_id is None:
                    order_id = str(await self._order_numbers.next())
                match = {
                    "offer_id": other.id,
                    "account_id": other.account_id,
                    "price": other.price,
                    "order_id": order_id,
                    "product_name": product["name"],
                }
            else:
                _check_may_wait(book, side, account_id, price, at)
            return {"kind": "place", "at": at, "offer": offer, "match": match}

        entry = await self._book(product["_id"], size).place(side, price, decide)
        if entry is not None and entry["match"]:
            await self._orders.finish(entry["match"]["order_id"])

    async def give_back(self, order: StoredOrder, side: str) -> bool:
        """Put the `bid` or `ask` of a cancelled order back into its book; whether it is there.

        A new offer takes the place in time that the former one had, at its price and until its
        expiry; it may meet what has come since. It is not there when its time is over, or when its
        owner has filled the book or waits on the other side of it meanwhile.
        """
        former = await self._offers.find_one({"_id": order["bid_id" if side == BID else "ask_id"]})
        if former is None:
            return False
        product = await self._products.in_size(former["product_id"], former["size"])
        offer_id = f"again-{order['_id']}"
        offer: JournalOffer = {
            "id": offer_id,
            "account_id": former["account_id"],
            "side": side,
            "price": former["price"],
            "expires_at": former["expires_at"],
            "place": former.get("place", former["seq"]),
        }
        try:
            await self._enter(offer, product, former["size"], repeatable=True)
        except (Conflict, Invalid):
            return False
        return True

    async def cancel(self, caller: Identity, side: str | None, offer_id: str) -> OfferView:
        """Take the caller's offer back; returns it. One that is cancelled already stays so.

        Raises:
            NotFound: no such offer of the caller.
            Conflict: code `offer_closed`, it was matched or has expired.
        """
        offer = await self._own(caller, side, offer_id)
        if offer["status"] == OPEN:
            await self.withdraw(offer)
            offer = await self._own(caller, side, offer_id)
        status = offer_status(offer, self._clock())
        if status != CLOSED_BY["cancel"]:
            raise Conflict(f"It is {status} already.", code="offer_closed")
        return offer_json(offer, self._clock())

    async def withdraw(self, offer: StoredOffer) -> None:
        """Take a stored offer out of its book for any caller; one that is gone stays gone."""
        await self._book(offer["product_id"], offer["size"]).take_out(offer["_id"], "cancel")

    async def get(self, caller: Identity, side: str | None, offer_id: str) -> OfferView:
        """Return the caller's bid or ask.

        `id`, `side`, `product_id`, `size`, `price`, `status` (`open`, `matched`, `cancelled`,
        `expired`), `created_at`, `expires_at`, `order_id` and `matched_price` (null unless
        matched).
        """
        return offer_json(await self._own(caller, side, offer_id), self._clock())

    def now(self) -> datetime:
        """Return the time by which offers expire."""
        return self._clock()

    async def mine(
        self,
        caller: Identity,
        side: str,
        *,
        status: str | None = None,
        after: Position | None = None,
        limit: int = DEFAULT_PAGE,
    ) -> Page[OfferView]:
        """Return a page of the caller's bids or asks, newest first."""
        at = self._clock()
        query: dict[str, object] = {"owner": f"{side}:{caller.account_id}", **_standing(status, at)}
        if after:
            query["$and"] = [{"$or": after.following("created_at")}]
        order = newest_first("created_at")
        found = await self._offers.find(query).sort(order).limit(limit + 1).to_list(None)
        shown, following = cut(found, limit, "created_at")
        return {"items": [offer_json(offer, at) for offer in shown], "next": following}

    async def book(self, product_id: str, size: str, *, depth: int = DEFAULT_DEPTH) -> BookView:
        """Return the book with up to `depth` levels of each side.

        What has expired is taken out before, so no level shows what can be met no more.
        """
        await self._products.in_size(product_id, size)
        shown = await self._book(product_id, size).snapshot(depth)
        return {**shown, "last_sale": await self._sales.last(book_id(product_id, size))}

    async def beat(self, product_id: str, size: str) -> None:
        """Publish to a book's subscribers where it stands."""
        await self._book(product_id, size).beat()

    async def expire(self, product_id: str, size: str) -> None:
        """Take out of a book what has expired."""
        await self._book(product_id, size).expire()

    def next_expiry(self, product_id: str, size: str) -> datetime | None:
        """When the next offer of a book that is in memory expires."""
        book = self._books.get(book_id(product_id, size))
        return book.next_expiry if book is not None else None

    async def sweep(self) -> int:
        """Finish what a crash has left and take out what has expired; returns how many.

        Old entries of the journal are deleted.

        Books that no one has used for a while leave memory.
        """
        await self._repair()
        await self._journal.trim()
        self._forget_unused()
        due = self._offers.find({"due_at": {"$lte": self._clock()}}).limit(SWEPT_AT_ONCE)
        books = {(offer["product_id"], offer["size"]) for offer in await due.to_list(None)}
        return sum([await self._sweep_book(*book) for book in sorted(books)])

    async def expire_due(self, product_ids: Collection[str]) -> None:
        """Take out what has expired in the books of products, so that they quote what is open."""
        due = self._offers.find(
            {"due_at": {"$lte": self._clock()}}, only=["product_id", "size"]
        ).limit(SWEPT_AT_ONCE)
        books = {(offer["product_id"], offer["size"]) for offer in await due.to_list(None)}
        for product_id, size in books:
            if product_id in product_ids:
                await self.expire(product_id, size)

    async def _sweep_book(self, product_id: str, size: str) -> int:
        book = self._book(product_id, size)
        taken = await book.expire()
        await book.closed()
        return taken

    async def _repair(self) -> None:
        for book in await self._journal.left_undone():
            product_id, _, size = book.partition(":")
            await self._book(product_id, size).repair()

    async def _own(self, caller: Identity, side: str | None, offer_id: str) -> StoredOffer:
        offer = await self._offers.find_one({"_id": offer_id})
        if (
            offer is None
            or offer["account_id"] != caller.account_id
            or side not in (None, offer["side"])
        ):
            raise NotFound(f"You have no such {side or 'offer'}.", code=_NOT_FOUND[side])
        return offer

    def _forget_unused(self) -> None:
        # Anyone who might still hold one of these took it minutes ago. Should it be at work after
        # all, it and its successor are like two processes: the journal lets one of them decide.
        bound = self._clock() - KEPT_IN_MEMORY
        self._books = {key: book for key, book in self._books.items() if book.used_at > bound}

    def _book(self, product_id: str, size: str) -> LiveBook:
        key = book_id(product_id, size)
        book = self._books.get(key)
        if book is None:
            book = self._books[key] = LiveBook(
                self._database,
                self._publisher,
                self._journal,
                self._projection,
                product_id=product_id,
                size=size,
                clock=self._clock,
            )
        book.used_at = self._clock()
        return book


def _check_may_wait(book: Book, side: str, account_id: str, price: int, at: datetime) -> None:
    own = book.own_crossing(side, account_id, price, at)
    if own is not None:
        raise Conflict(
            f"You have an open {own.side} at {to_decimal(own.price)} here; cancel it first.",
            code="crosses_own_offer",
        )
    if book.open_count(account_id, at, MAX_OPEN) >= MAX_OPEN:
        raise Conflict(
            f"You have {MAX_OPEN} offers waiting here; cancel some.", code="too_many_open"
        )


def _standing(status: str | None, at: datetime) -> Filter:
    """Return the condition under which offers have a status at a time; None is any."""
    if status == OPEN:
        return {"status": OPEN, "$or": [{"due_at": {"$exists": False}}, {"due_at": {"$gt": at}}]}
    if status == EXPIRED:
        return {"$or": [{"status": EXPIRED}, {"status": OPEN, "due_at": {"$lte": at}}]}
    return {} if status is None else {"status": status}
