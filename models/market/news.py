"""What an entry of the journal tells, and in which rooms."""

from collections.abc import Iterator

from models.database import Document
from models.events import Event
from models.market.book import OPPOSITE, LevelChange
from models.market.events import BookChanged, OfferClosed, SaleMade
from models.market.money import to_decimal
from models.market.projection import CLOSED_BY, MATCHED
from models.rooms import book_room, user_room
from models.times import to_text


def of(entry: Document, level: LevelChange) -> Iterator[tuple[Event, str]]:
    """Give the events of an entry that changed `level`, each with its room, in their order."""
    product_id, size, seq = entry["product_id"], entry["size"], entry["seq"]
    offer, match = entry["offer"], entry["match"]
    followers = book_room(product_id, size)
    price = to_decimal(level.price)
    yield BookChanged(product_id, size, seq, level.side, price, level.quantity), followers
    if match:
        yield SaleMade(product_id, size, seq, price, to_text(entry["at"])), followers
        other = {**offer, "id": match["offer_id"], "account_id": match["account_id"]}
        other["side"] = OPPOSITE[offer["side"]]
        closed = [offer, other]
    else:
        closed = [] if entry["kind"] == "place" else [offer]
    for ended in closed:
        event = OfferClosed(
            id=ended["id"],
            side=ended["side"],
            product_id=product_id,
            size=size,
            status=CLOSED_BY.get(entry["kind"], MATCHED),
            order_id=match["order_id"] if match else None,
        )
        yield event, user_room(ended["account_id"])
