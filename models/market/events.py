"""Events of the market. Prices are decimal text, times UTC text with milliseconds.

`book`, `sale` and `book_heartbeat` go to everyone who subscribed to that book; the changes of
orders and offers to the accounts they belong to.
"""

from dataclasses import dataclass
from typing import ClassVar

from models.events import Event


@dataclass(frozen=True, slots=True, kw_only=True)
class _MarketEvent(Event):
    domain: ClassVar[str] = "market"


@dataclass(frozen=True, slots=True, kw_only=True)
class BookChanged(_MarketEvent):
    """One price level has another quantity; 0 removes it."""

    name: ClassVar[str] = "book"

    product_id: str
    size: str
    seq: int
    prev_seq: int
    """The number of the change before, which this one follows."""

    side: str
    price: str
    quantity: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SaleMade(_MarketEvent):
    """A match was paid. A `SaleView`, and the `seq` of the book change which the match caused."""

    name: ClassVar[str] = "sale"

    product_id: str
    size: str
    seq: int
    price: str
    at: str


@dataclass(frozen=True, slots=True, kw_only=True)
class BookHeartbeat(_MarketEvent):
    """Where a book stands, published at intervals: a client that differs fetches the book."""

    name: ClassVar[str] = "book_heartbeat"
    volatile: ClassVar[bool] = True

    product_id: str
    size: str
    seq: int
    """The number of the latest change."""

    checksum: int
    """The last of `checksums`."""

    checksums: list[int]
    """As `models.market.book.checksums` explains them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OfferClosed(_MarketEvent):
    """A bid or an ask was matched, cancelled or has expired; sent to its owner.

    The payload is that part of an `OfferView` which says which one it is, and how it ended.
    """

    name: ClassVar[str] = "offer.closed"

    id: str
    side: str
    product_id: str
    size: str
    status: str
    order_id: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderChanged(_MarketEvent):
    """An order was made, took a step or was complained about; sent to buyer and seller.

    A complaint leaves the `status` as it is. `get_order` returns the rest.
    """

    name: ClassVar[str] = "order.changed"

    order_id: str
    status: str
    at: str
