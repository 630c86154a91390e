"""What is told about the market. Prices are decimal text, times UTC text with milliseconds.

`book`, `sale` and `book_heartbeat` go to everyone who subscribed to that book; the changes of
orders and offers to the accounts they belong to.
"""

from dataclasses import dataclass
from typing import ClassVar

from models.events import Event, Json


@dataclass(frozen=True, slots=True)
class BookChanged(Event):
    """One price level has another quantity; 0 removes it. `prev_seq` is the change before."""

    domain: ClassVar[str] = "market"
    name: ClassVar[str] = "book"

    product_id: str
    size: str
    seq: int
    side: str
    price: str
    quantity: int

    def data(self) -> dict[str, Json]:
        """Give the change with the number of the one that it follows."""
        return {
            "product_id": self.product_id,
            "size": self.size,
            "seq": self.seq,
            "prev_seq": self.seq - 1,
            "side": self.side,
            "price": self.price,
            "quantity": self.quantity,
        }


@dataclass(frozen=True, slots=True)
class SaleMade(Event):
    """A bid and an ask met. `seq` is that of the book change which it caused."""

    domain: ClassVar[str] = "market"
    name: ClassVar[str] = "sale"

    product_id: str
    size: str
    seq: int
    price: str
    at: str

    def data(self) -> dict[str, Json]:
        """Give the sale without its parties."""
        return {
            "product_id": self.product_id,
            "size": self.size,
            "seq": self.seq,
            "price": self.price,
            "at": self.at,
        }


@dataclass(frozen=True, slots=True)
class BookHeartbeat(Event):
    """Where a book stands, told at intervals: who has another `seq` or `checksum` asks anew."""

    domain: ClassVar[str] = "market"
    name: ClassVar[str] = "book_heartbeat"

    product_id: str
    size: str
    seq: int
    checksum: int

    def data(self) -> dict[str, Json]:
        """Give the number of the latest change and the checksum after it."""
        return {
            "product_id": self.product_id,
            "size": self.size,
            "seq": self.seq,
            "checksum": self.checksum,
        }


@dataclass(frozen=True, slots=True)
class OfferClosed(Event):
    """A bid or an ask was matched, cancelled or has expired; told to its owner."""

    domain: ClassVar[str] = "market"
    name: ClassVar[str] = "offer.closed"

    id: str
    side: str
    product_id: str
    size: str
    status: str
    order_id: str | None

    def data(self) -> dict[str, Json]:
        """Give which one, and how it ended."""
        return {
            "id": self.id,
            "side": self.side,
            "product_id": self.product_id,
            "size": self.size,
            "status": self.status,
            "order_id": self.order_id,
        }


@dataclass(frozen=True, slots=True)
class OrderChanged(Event):
    """An order was made or took a step; told to buyer and seller."""

    domain: ClassVar[str] = "market"
    name: ClassVar[str] = "order.changed"

    order_id: str
    status: str
    at: str

    def data(self) -> dict[str, Json]:
        """Give the step; `get_order` gives the rest."""
        return {"order_id": self.order_id, "status": self.status, "at": self.at}
