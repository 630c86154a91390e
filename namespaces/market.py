"""`/market`: what clients may ask about products, books, bids, asks and orders.

Following a book: `subscribe_book` acks with the book as it stands at `seq`. From then on `book`
events carry each change of a level with `seq` and `prev_seq`; some may come before the ack. A
client keeps them until it has the ack, drops those whose `seq` is not above the book's, and
applies one whose `prev_seq` is the book's `seq`. Where `more_bids` or `more_asks` is true, levels
worse than the last one given are not known, and of events about them it takes the `seq` only.

It fetches the book anew with `get_book` after another `prev_seq`, after a `book_heartbeat` of a
higher `seq`, when it knows fewer than `depth` levels of a side that had more, and when a heartbeat
of the book's `seq` has another checksum than the levels that it knows: the one of `checksums` that
covers as many as it knows, ten at most.
"""

from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any, ClassVar

from models.errors import Conflict, DomainError
from models.events import Json
from models.identity import Identity
from models.market.api import IN_MARKET
from models.market.operations import Market
from models.market.schema import WhichBook
from models.market.views import BookView
from models.rooms import book_room, user_room
from namespaces.base import Caller, Commands, command

MAX_FOLLOWED = 100
"""Books that one connection may follow: more than any page shows."""


class MarketCommands(Commands):
    """The commands of the market and of `/notifications`; answers are those of the REST routes."""

    domain: ClassVar[str] = "market"
    operations = IN_MARKET

    def __init__(self, market: Market) -> None:
        self.model = self._market = market
        self._followed: dict[Caller, set[tuple[str, str]]] = {}

    def rooms_of(self, identity: Identity) -> Iterable[str]:
        """Return the account's own room."""
        return (user_room(identity.account_id),)

    async def arrived(self, caller: Caller) -> Iterable[str]:
        """Remember a connection, so that none that has left can begin to follow."""
        self._followed[caller] = set()
        return ()

    async def left(self, caller: Caller) -> None:
        """Stop counting what the connection followed."""
        for which in self._followed.pop(caller, ()):
            self._market.followed.remove(which)

    def places(self, caller: Caller) -> Json:
        """Return the books that the connection follows."""
        return [[*which] for which in sorted(self._followed.get(caller, ()))]

    async def returned(self, caller: Caller, places: Json, away_since: datetime) -> bool:
        """Follow them again."""
        try:
            for product_id, size in _books(places):
                await self._market.products.in_size(product_id, size)
                self._follow(caller, (product_id, size))
        except DomainError:
            return False
        return True

    def _follow(self, caller: Caller, which: tuple[str, str]) -> None:
        followed = self._followed.get(caller)
        if followed is None or which in followed:
            return
        if len(followed) >= MAX_FOLLOWED:
            raise Conflict(f"You follow {MAX_FOLLOWED} books.", code="too_many_books")
        caller.connection.enter(book_room(*which))
        followed.add(which)
        self._market.followed.add(which)

    @command(WhichBook, errors=("product_not_found", "unknown_size", "too_many_books"))
    async def subscribe_book(self, caller: Caller, payload: dict[str, Any]) -> BookView:
        """Follow a book; returns it as it stands."""
        which = payload["product_id"], payload["size"]
        await self._market.products.in_size(*which)
        # Before the book is read: what changes after that is heard, what changed before is in.
        self._follow(caller, which)
        return await self._market.trading.book(**payload)

    @command(WhichBook)
    async def unsubscribe_book(self, caller: Caller, payload: dict[str, Any]) -> None:
        """Stop following a book."""
        which = payload["product_id"], payload["size"]
        followed = self._followed.get(caller, set())
        if which in followed:
            followed.remove(which)
            self._market.followed.remove(which)
            caller.connection.leave(book_room(*which))


def _books(places: Json) -> Iterator[tuple[str, str]]:
    """Return what `places` has noted."""
    assert isinstance(places, list)
    for each in places:
        assert isinstance(each, list)
        product_id, size = each
        yield str(product_id), str(size)
