"""`/market`: what clients may ask about products, books, bids, asks and orders.

Following a book: `subscribe_book` acks with the book as it stands at `seq`. From then on `book`
events tell each change of a level with `seq` and `prev_seq`; some may come before the ack. A
client keeps them until it has the ack, drops those whose `seq` is not above the book's, and
applies one whose `prev_seq` is the book's `seq`. With any other `prev_seq`, or a `book_heartbeat`
of a higher `seq`, or of the same `seq` with another `checksum`, it has missed something and asks
`get_book`. Where `more_bids` or `more_asks` is true, levels worse than the last one given are not
known, and events beyond it are passed over.
"""

from collections.abc import Iterable
from typing import Any, ClassVar
from uuid import uuid4

from models.errors import Conflict
from models.events import Json
from models.market.book import ASK, BID
from models.market.operations import Market
from models.market.schema import (
    MyOffers,
    OfferId,
    OrderId,
    OrdersQuery,
    PayOrder,
    Place,
    ProductId,
    ProductQuery,
    ShipOrder,
    WhichBook,
)
from models.rooms import book_room
from namespaces.base import Caller, command
from namespaces.notifications import NotificationCommands

MAX_FOLLOWED = 100
"""Books that one connection may follow: more than any page shows."""


class MarketCommands(NotificationCommands):
    """The commands of the market and its inbox; answers are those of the REST routes."""

    domain: ClassVar[str] = "market"

    def __init__(self, market: Market) -> None:
        super().__init__(market.notifications)
        self._market = market
        self._followed: dict[Caller, set[tuple[str, str]]] = {}

    async def arrived(self, caller: Caller) -> Iterable[str]:
        """Remember a connection, so that none that has left can begin to follow."""
        self._followed[caller] = set()
        return ()

    async def left(self, caller: Caller) -> None:
        """Stop counting what the connection followed."""
        for which in self._followed.pop(caller, ()):
            self._market.followed.remove(which)

    @command(WhichBook)
    async def subscribe_book(self, caller: Caller, payload: dict[str, Any]) -> dict[str, Json]:
        """Follow a book; gives it as it stands."""
        which = payload["product_id"], payload["size"]
        await self._market.products.in_size(*which)
        followed = self._followed.get(caller)
        if followed is not None and which not in followed:
            if len(followed) >= MAX_FOLLOWED:
                raise Conflict(f"You follow {MAX_FOLLOWED} books.", code="too_many_books")
            # Before the book is read: what changes after that is heard, what changed before is in.
            caller.connection.enter(book_room(*which))
            followed.add(which)
            self._market.followed.add(which)
        return await self._market.trading.book(**payload)

    @command(WhichBook)
    async def unsubscribe_book(self, caller: Caller, payload: dict[str, Any]) -> None:
        """Follow a book no more."""
        which = payload["product_id"], payload["size"]
        followed = self._followed.get(caller, set())
        if which in followed:
            followed.remove(which)
            self._market.followed.remove(which)
            caller.connection.leave(book_room(*which))

    @command(WhichBook)
    async def get_book(self, caller: Caller, payload: dict[str, Any]) -> dict[str, Json]:
        """Give a book as it stands."""
        return await self._market.trading.book(**payload)

    @command(ProductQuery)
    async def list_products(self, caller: Caller, payload: dict[str, Any]) -> dict[str, Json]:
        """Give a page of products."""
        return await self._market.products.search(**payload)

    @command(ProductId)
    async def get_product(self, caller: Caller, payload: dict[str, Any]) -> dict[str, Json]:
        """Give a product."""
        return await self._market.products.get(**payload)

    @command(Place)
    async def place_bid(self, caller: Caller, payload: dict[str, Any]) -> dict[str, Json]:
        """Bid; gives the bid, matched or open."""
        return await self._market.trading.place(caller.identity, BID, **payload)

    @command(Place)
    async def place_ask(self, caller: Caller, payload: dict[str, Any]) -> dict[str, Json]:
        """Ask; gives the ask, matched or open."""
        return await self._market.trading.place(caller.identity, ASK, **payload)

    @command(OfferId)
    async def cancel(self, caller: Caller, payload: dict[str, Any]) -> dict[str, Json]:
        """Take an own bid or ask back; gives it."""
        return await self._market.trading.cancel(caller.identity, None, payload["id"])

    @command(MyOffers)
    async def my_offers(self, caller: Caller, payload: dict[str, Any]) -> dict[str, Json]:
        """Give a page of the caller's bids or asks."""
        return await self._market.trading.mine(caller.identity, **payload)

    @command(OrdersQuery)
    async def my_orders(self, caller: Caller, payload: dict[str, Any]) -> dict[str, Json]:
        """Give a page of the caller's orders."""
        return await self._market.orders.mine(caller.identity, **payload)

    @command(OrderId)
    async def get_order(self, caller: Caller, payload: dict[str, Any]) -> dict[str, Json]:
        """Give an order."""
        return await self._market.orders.get(caller.identity, **payload)

    @command(PayOrder)
    async def pay(self, caller: Caller, payload: dict[str, Any]) -> dict[str, Json]:
        """Pay as the buyer; gives the order."""
        return await self._market.orders.pay(caller.identity, **payload, operation_id=uuid4().hex)

    @command(ShipOrder)
    async def ship(self, caller: Caller, payload: dict[str, Any]) -> dict[str, Json]:
        """Ship as the seller; gives the order."""
        return await self._market.orders.ship(caller.identity, **payload, operation_id=uuid4().hex)

    @command(OrderId)
    async def deliver(self, caller: Caller, payload: dict[str, Any]) -> dict[str, Json]:
        """Confirm the delivery; gives the order."""
        return await self._market.orders.deliver(
            caller.identity, **payload, operation_id=uuid4().hex
        )

    @command(OrderId)
    async def cancel_order(self, caller: Caller, payload: dict[str, Any]) -> dict[str, Json]:
        """Give up an order that is not paid; gives it."""
        return await self._market.orders.cancel(
            caller.identity, **payload, operation_id=uuid4().hex
        )

    @command(OrderId)
    async def refund(self, caller: Caller, payload: dict[str, Any]) -> dict[str, Json]:
        """Give the money back; gives the order."""
        return await self._market.orders.refund(
            caller.identity, **payload, operation_id=uuid4().hex
        )
