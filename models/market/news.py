"""The events for an entry of the journal, and their rooms."""

from collections.abc import Iterable, Iterator

from models.events import Event
from models.market.book import OPPOSITE, LevelChange, Offer
from models.market.events import BookChanged, OfferClosed
from models.market.money import to_decimal
from models.market.records import CLOSED_BY, EXPIRED, MATCHED
from models.market.stored import JournalEntry, JournalOffer
from models.rooms import book_room, user_room

EventInRoom = tuple[Event, str]
"""An event and its room."""


def events_for(entry: JournalEntry, levels: Iterable[LevelChange]) -> Iterator[EventInRoom]:
    """Yield the events of an entry that changed `levels`, in their order.

    Whose offers an entry with `until` has closed, `closed_by_time` tells.
    """
    product_id, size = entry["product_id"], entry["size"]
    followers = book_room(product_id, size)
    for seq, level in enumerate(levels, entry["seq"]):
        change = BookChanged(
            product_id=product_id,
            size=size,
            seq=seq,
            prev_seq=seq - 1,
            side=level.side,
            price=to_decimal(level.price),
            quantity=level.quantity,
        )
        yield change, followers
    offer, match = entry["offer"], entry["match"]
    closed: list[JournalOffer] = []
    if offer is not None and match is not None:
        other = offer.copy()
        other["id"], other["account_id"] = match["offer_id"], match["account_id"]
        other["side"] = OPPOSITE[offer["side"]]
        closed = [offer, other]
    elif offer is not None and entry["kind"] != "place":
        closed = [offer]
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


def closed_by_time(product_id: str, size: str, offer: Offer) -> EventInRoom:
    """Return the event for the owner of an offer whose time is over."""
    event = OfferClosed(
        id=offer.id,
        side=offer.side,
        product_id=product_id,
        size=size,
        status=EXPIRED,
        order_id=None,
    )
    return event, user_room(offer.account_id)
