"""The book of one product in one size, in memory: who waits, in which order, and who comes next.

Nothing here touches a database or a clock. Prices are cents. Each change touches exactly one price
level and makes `seq` one higher.
"""

import heapq
import zlib
from bisect import bisect_left, insort
from collections import Counter, OrderedDict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from models.market.money import to_decimal

BID = "bid"
ASK = "ask"
OPPOSITE = {BID: ASK, ASK: BID}

CHECKED_LEVELS = 10
"""How many levels of each side the checksum covers."""

_SPARE_TIMES = 64
"""Times of offers that are gone: above as many as there are offers, and these, they are cleared."""


@dataclass(frozen=True, slots=True)
class Offer:
    """A bid or an ask that waits in the book."""

    id: str
    account_id: str
    side: str
    price: int
    seq: int
    """The `seq` of the change that put it into the book: its place in time."""

    expires_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class LevelChange:
    """What one change did: the quantity that is now on one level."""

    side: str
    price: int
    quantity: int


class _Side:
    """The offers of one side, by price and then by time."""

    def __init__(self, side: str) -> None:
        # Asks are best when low, bids when high: with this sign the best rank is the lowest.
        self._sign = 1 if side == ASK else -1
        self._ranks: list[int] = []
        # Ordered dictionaries: a plain one slows down when it is emptied from the front.
        self._levels: dict[int, OrderedDict[str, Offer]] = {}

    def add(self, offer: Offer) -> None:
        level = self._levels.get(offer.price)
        if level is None:
            level = self._levels[offer.price] = OrderedDict()
            insort(self._ranks, offer.price * self._sign)
        level[offer.id] = offer

    def remove(self, offer: Offer) -> None:
        level = self._levels[offer.price]
        del level[offer.id]
        if not level:
            del self._levels[offer.price]
            del self._ranks[bisect_left(self._ranks, offer.price * self._sign)]

    def quantity(self, price: int) -> int:
        return len(self._levels.get(price, ()))

    def best(self, limit: int) -> list[tuple[int, int]]:
        prices = (rank * self._sign for rank in self._ranks[:limit])
        return [(price, len(self._levels[price])) for price in prices]

    def __len__(self) -> int:
        return len(self._ranks)

    def crossing(self, price: int) -> Iterator[Offer]:
        """Give the offers that `price` of the other side meets, best first, oldest first."""
        for rank in self._ranks:
            if rank > price * self._sign:
                return
            yield from self._levels[rank * self._sign].values()


class Book:
    """One book as it stood after the change number `seq`."""

    def __init__(self, seq: int = 0) -> None:
        self.seq = seq
        self.offers: dict[str, Offer] = {}
        self.open_of: Counter[str] = Counter()
        """How many offers each account has in this book."""

        self.last_sale: dict[str, Any] | None = None
        """`price` in cents, `at`, `seq`."""

        self._sides = {BID: _Side(BID), ASK: _Side(ASK)}
        # A heap; an offer that has gone is passed over when its time comes to the top.
        self._times: list[tuple[datetime, str]] = []

    def counterpart(self, side: str, account_id: str, price: int, at: datetime) -> Offer | None:
        """Find whom a new offer meets: best price, then oldest, not one's own, not expired."""
        for offer in self._sides[OPPOSITE[side]].crossing(price):
            if offer.account_id != account_id and not _is_due(offer, at):
                return offer
        return None

    def add(self, offer: Offer) -> None:
        """Put an offer in, once."""
        if offer.id not in self.offers:
            self.offers[offer.id] = offer
            self._sides[offer.side].add(offer)
            self.open_of[offer.account_id] += 1
            if offer.expires_at is not None:
                heapq.heappush(self._times, (offer.expires_at, offer.id))

    def remove(self, offer_id: str) -> None:
        """Take an offer out, if it is in."""
        offer = self.offers.pop(offer_id, None)
        if offer is not None:
            self._sides[offer.side].remove(offer)
            self.open_of[offer.account_id] -= 1
            if not self.open_of[offer.account_id]:
                del self.open_of[offer.account_id]
            if len(self._times) > 2 * len(self.offers) + _SPARE_TIMES:
                self._times = [time for time in self._times if time[1] in self.offers]
                heapq.heapify(self._times)

    def first_to_expire(self) -> Offer | None:
        """Give the offer whose time is over first, of those that have one."""
        while self._times:
            offer = self.offers.get(self._times[0][1])
            if offer is not None:
                return offer
            heapq.heappop(self._times)
        return None

    def expired(self, at: datetime) -> Offer | None:
        """Give an offer whose time is over."""
        offer = self.first_to_expire()
        return offer if offer is not None and _is_due(offer, at) else None

    def apply(self, entry: Mapping[str, Any]) -> LevelChange:
        """Make the change that an entry of the journal tells; entries come without a gap."""
        assert entry["seq"] == self.seq + 1, "an entry of the journal was passed over"
        self.seq = entry["seq"]
        offer, match = entry["offer"], entry["match"]
        if entry["kind"] != "place":
            self.remove(offer["id"])
            side, price = offer["side"], offer["price"]
        elif match:
            self.remove(match["offer_id"])
            self.last_sale = {"price": match["price"], "at": entry["at"], "seq": self.seq}
            side, price = OPPOSITE[offer["side"]], match["price"]
        else:
            side, price = offer["side"], offer["price"]
            self.add(
                Offer(offer["id"], offer["account_id"], side, price, self.seq, offer["expires_at"])
            )
        return LevelChange(side, price, self._sides[side].quantity(price))

    def levels(self, side: str, limit: int) -> list[tuple[int, int]]:
        """Give up to `limit` levels as (price, quantity), best first."""
        return self._sides[side].best(limit)

    def level_count(self, side: str) -> int:
        """Count the levels of a side."""
        return len(self._sides[side])


def _is_due(offer: Offer, at: datetime) -> bool:
    return offer.expires_at is not None and offer.expires_at <= at


def checksum(bids: list[tuple[int, int]], asks: list[tuple[int, int]]) -> int:
    """Give the CRC-32 (IEEE, unsigned) of the ten best levels of each side.

    Over the ASCII text of the levels, best first, bids before asks, each written
    `<side>:<price>:<quantity>` with two decimals and joined by `|`:
    `bid:219.00:2|bid:218.50:1|ask:220.00:3`. An empty book has 0.
    """
    parts = [
        f"{side}:{to_decimal(price)}:{quantity}"
        for side, levels in ((BID, bids), (ASK, asks))
        for price, quantity in levels[:CHECKED_LEVELS]
    ]
    return zlib.crc32("|".join(parts).encode())
