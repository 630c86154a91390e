"""The rules of bids and asks: price-time priority, and nobody trades with oneself.

A new offer meets the best price on the other side, the oldest offer first, at the price of the
offer that waited. One bid meets one ask. One's own offers and those that have expired are passed
over. What meets nobody waits.
"""

from datetime import datetime, timedelta
from uuid import uuid4

from models.database import Database, Document
from models.errors import Conflict, Invalid, NotFound
from models.events import Json, Publisher
from models.identity import Identity
from models.market.book import Book
from models.market.journal import Journal, book_id
from models.market.livebook import LiveBook
from models.market.orders import Orders
from models.market.products import Products
from models.market.projection import CLOSED_BY, OPEN, Projection
from models.market.records import offer_json
from models.market.schema import DEFAULT_DEPTH
from models.numbers import Numbers
from models.pages import DEFAULT_PAGE, Position, cut, newest_first
from models.times import Clock, now

MAX_OPEN = 500
"""Offers that one account may have waiting in one book: far beyond any trader, and what a match
has to pass over at worst when they are all one's own."""

SWEPT_AT_ONCE = 500
"""Expired offers looked for in one sweep, in books that nobody looks at; others wait a minute."""

KEPT_IN_MEMORY = timedelta(minutes=10)
"""For how long after its last use a book stays in memory: followed ones are used every few seconds
and stay, and reading one again costs as much as one query for what waits in it."""

NUMBERS_AT_ONCE = 16
"""Order numbers that a process takes at once: the write is spared in most matches, and a restart
leaves a gap of no more than this."""


class Trading:
    """Places and cancels bids and asks, and shows books."""

    def __init__(
        self,
        database: Database,
        publisher: Publisher,
        products: Products,
        orders: Orders,
        clock: Clock = now,
    ) -> None:
        self._database = database
        self._offers = database["market_offers"]
        self._order_numbers = Numbers(
            database["counters"], "market_orders", at_once=NUMBERS_AT_ONCE
        )
        self._publisher = publisher
        self._products = products
        self._orders = orders
        self._clock = clock
        self._journal = Journal(database)
        self._projection = Projection(database, self._journal)
        self._books: dict[str, LiveBook] = {}

    async def prepare(self) -> None:
        """Make the indexes, and finish what a crash has left."""
        await self._projection.prepare()
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
        operation_id: str | None = None,
    ) -> dict[str, Json]:
        """Place a bid or an ask, `price` in cents; gives it as it is then, matched or open.

        The same `operation_id` places it once, and gives it again.

        Raises:
            NotFound: no such product.
            Invalid: a size it does not come in, or a time that is over.
            Conflict: code `too_many_open`.
        """
        product = await self._products.in_size(product_id, size)
        offer_id = operation_id or uuid4().hex
        offer = {
            "id": offer_id,
            "account_id": caller.account_id,
            "side": side,
            "price": price,
            "expires_at": expires_at,
        }
        order_id: str | None = None

        async def decide(book: Book) -> Document | None:
            nonlocal order_id
            if operation_id and await self._offers.find_one({"_id": offer_id}):
                return None
            at = self._clock()
            if expires_at is not None and expires_at <= at:
                raise Invalid("Some fields are not valid.", fields={"expires_at": ["Is over."]})
            other = book.counterpart(side, caller.account_id, price, at)
            match = None
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
            elif book.open_of[caller.account_id] >= MAX_OPEN:
                raise Conflict(
                    f"You have {MAX_OPEN} offers waiting here; cancel some.", code="too_many_open"
                )
            return {"kind": "place", "at": at, "offer": offer, "match": match}

        entry = await self._book(product_id, size).change(decide)
        if entry is not None and entry["match"]:
            await self._orders.finish(entry["match"]["order_id"])
        return await self.get(caller, side, offer_id)

    async def cancel(self, caller: Identity, side: str | None, offer_id: str) -> dict[str, Json]:
        """Take the caller's offer back; gives it. One that is cancelled already stays so.

        Raises:
            NotFound: no such offer of the caller.
            Conflict: code `offer_closed`, it was matched or has expired.
        """
        offer = await self._own(caller, side, offer_id)
        if offer["status"] == OPEN:
            await self._book(offer["product_id"], offer["size"]).take_out(offer["_id"], "cancel")
            offer = await self._own(caller, side, offer_id)
        if offer["status"] != CLOSED_BY["cancel"]:
            raise Conflict(f"It is {offer['status']} already.", code="offer_closed")
        return offer_json(offer)

    async def get(self, caller: Identity, side: str | None, offer_id: str) -> dict[str, Json]:
        """Give the caller's bid or ask.

        `id`, `side`, `product_id`, `size`, `price`, `status` (`open`, `matched`, `cancelled`,
        `expired`), `created_at`, `expires_at`, `order_id` and `matched_price` (null unless
        matched).
        """
        return offer_json(await self._own(caller, side, offer_id))

    async def mine(
        self,
        caller: Identity,
        side: str,
        *,
        status: str | None = None,
        after: Position | None = None,
        limit: int = DEFAULT_PAGE,
    ) -> dict[str, Json]:
        """Give a page of the caller's bids or asks, newest first."""
        query: Document = {"owner": f"{side}:{caller.account_id}"}
        if status is not None:
            query["status"] = status
        if after:
            query["$or"] = after.following("created_at")
        order = newest_first("created_at")
        found = await self._offers.find(query).sort(order).limit(limit + 1).to_list(None)
        shown, following = cut(found, limit, "created_at")
        return {"items": [offer_json(offer) for offer in shown], "next": following}

    async def book(
        self, product_id: str, size: str, *, depth: int = DEFAULT_DEPTH
    ) -> dict[str, Json]:
        """Give the book: `seq`, up to `depth` levels of `bids` and `asks`, best first.

        What has expired is taken out before, so no level shows what can be met no more.
        Besides, `more_bids` and `more_asks` (whether there are levels beyond), `last_sale`
        (`price`, `at`, or null) and `checksum` (as `models.market.book.checksum` has it).
        """
        await self._products.in_size(product_id, size)
        return await self._book(product_id, size).snapshot(depth)

    async def beat(self, product_id: str, size: str) -> None:
        """Tell a book's subscribers where it stands."""
        await self._book(product_id, size).beat()

    async def expire(self, product_id: str, size: str) -> None:
        """Take out of a book what has expired."""
        await self._book(product_id, size).expire()

    def next_expiry(self, product_id: str, size: str) -> datetime | None:
        """When the next offer of a book that is in memory expires."""
        book = self._books.get(book_id(product_id, size))
        return book.next_expiry if book is not None else None

    async def sweep(self) -> int:
        """Finish what a crash has left and take out what has expired; gives how many.

        Books that nobody has used for a while leave memory.
        """
        await self._repair()
        self._forget_unused()
        due = self._offers.find({"due_at": {"$lte": self._clock()}}).limit(SWEPT_AT_ONCE)
        books = {(offer["product_id"], offer["size"]) for offer in await due.to_list(None)}
        return sum([await self._book(*book).expire() for book in sorted(books)])

    async def _repair(self) -> None:
        for book in await self._journal.left_undone():
            product_id, _, size = book.partition(":")
            await self._book(product_id, size).repair()

    async def _own(self, caller: Identity, side: str | None, offer_id: str) -> Document:
        offer = await self._offers.find_one({"_id": offer_id})
        if (
            offer is None
            or offer["account_id"] != caller.account_id
            or side not in (None, offer["side"])
        ):
            raise NotFound(
                f"You have no such {side or 'offer'}.", code=f"{side or 'offer'}_not_found"
            )
        return offer

    def _forget_unused(self) -> None:
        # Whoever might still hold one of these took it minutes ago. Should it be at work after all,
        # it and its successor are like two processes: the journal lets one of them decide.
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
