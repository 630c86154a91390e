"""The book of one product in one size, in memory: who waits, in which order, and who comes next.

Nothing here touches a database or a clock. Prices are cents. Each change touches exactly one price
level and makes `seq` one higher; the offers that expire together are one change of each level.
"""

import heapq
import zlib
from bisect import bisect_left, insort
from collections import Counter, OrderedDict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime

from models.market.money import to_decimal
from models.market.stored import JournalEntry

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
    """Its place in time: the `seq` of the change that put it, or an offer that it replaces, into
    the book."""

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
        newest = next(reversed(level.values()), offer)
        level[offer.id] = offer
        if newest.seq > offer.seq:
            # One that returns to its place; all others are the newest of their level.
            for other in sorted(level.values(), key=lambda other: other.seq):
                level.move_to_end(other.id)

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
        """Return the offers that `price` of the other side meets, best first, oldest first."""
        for rank in self._ranks:
            if rank > price * self._sign:
                return
            yield from self._levels[rank * self._sign].values()

    def by_rank(self) -> Iterator[Offer]:
        """Return all offers, best first, oldest first."""
        for rank in self._ranks:
            yield from self._levels[rank * self._sign].values()


class Book:
    """One book as it stood after the change number `seq`."""

    def __init__(self, seq: int = 0) -> None:
        self.seq = seq
        self.offers: dict[str, Offer] = {}
        self.open_of: Counter[str] = Counter()
        """How many offers each account has in this book."""

        self._sides = {BID: _Side(BID), ASK: _Side(ASK)}
        # A heap; an offer that has gone is passed over when its time comes to the top.
        self._times: list[tuple[datetime, str]] = []

    def counterpart(self, side: str, account_id: str, price: int, at: datetime) -> Offer | None:
        """Find whom a new offer meets: best price, then oldest, not one's own, not expired."""
        for offer in self._sides[OPPOSITE[side]].crossing(price):
            if offer.account_id != account_id and not is_due(offer, at):
                return offer
        return None

    def own_crossing(self, side: str, account_id: str, price: int, at: datetime) -> Offer | None:
        """Return the best offer of the account's own that its new offer would cross."""
        for offer in self._sides[OPPOSITE[side]].crossing(price):
            if offer.account_id == account_id and not is_due(offer, at):
                return offer
        return None

    def due_crossing(self, side: str, price: int, at: datetime) -> list[Offer]:
        """Return the offers that a new one would cross and whose time is over."""
        crossing = self._sides[OPPOSITE[side]].crossing(price)
        return [offer for offer in crossing if is_due(offer, at)]

    def crossed_with_own(self) -> Offer | None:
        """Return the newest offer that crosses another one of the same account, if there is one."""
        best: dict[tuple[str, str], Offer] = {}
        for side in (BID, ASK):
            for offer in self._sides[side].by_rank():
                best.setdefault((side, offer.account_id), offer)
        crossing = [
            max(bid, best[ASK, account_id], key=lambda offer: offer.seq)
            for (side, account_id), bid in best.items()
            if side == BID
            and (ASK, account_id) in best
            and best[ASK, account_id].price <= bid.price
        ]
        return max(crossing, key=lambda offer: offer.seq, default=None)

    def open_count(self, account_id: str, at: datetime, limit: int) -> int:
        """Count the account's offers that can still be met, exactly from `limit` on."""
        count = self.open_of[account_id]
        if count < limit:
            return count
        own = (offer for offer in self.offers.values() if offer.account_id == account_id)
        return sum(not is_due(offer, at) for offer in own)

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
        """Return the offer whose time is over first, of those that have one."""
        while self._times:
            offer = self.offers.get(self._times[0][1])
            if offer is not None:
                return offer
            heapq.heappop(self._times)
        return None

    def due(self, at: datetime) -> list[Offer]:
        """Return the offers whose time is over, at the cost of these and not of all."""
        found: list[Offer] = []
        # What follows a place of the heap is not due before it.
        places = [0]
        while places:
            place = places.pop()
            if place < len(self._times) and self._times[place][0] <= at:
                offer = self.offers.get(self._times[place][1])
                if offer is not None:
                    found.append(offer)
                places += (2 * place + 1, 2 * place + 2)
        return found

    def apply(self, entry: JournalEntry) -> list[LevelChange]:
        """Make the changes that an entry of the journal describes; entries come without a gap.

        Return them in the order of their numbers: one, or one for each level of what has expired.
        """
        assert entry["seq"] == self.seq + 1, "an entry of the journal was passed over"
        self.seq = last_seq(entry)
        if "until" in entry:
            return self._expire(entry["until"])
        offer, match = entry["offer"], entry["match"]
        assert offer is not None, "only an entry with `until` has no offer"
        if entry["kind"] != "place":
            self.remove(offer["id"])
            side, price = offer["side"], offer["price"]
        elif match:
            self.remove(match["offer_id"])
            side, price = OPPOSITE[offer["side"]], match["price"]
        else:
            side, price = offer["side"], offer["price"]
            place = offer.get("place") or self.seq
            self.add(
                Offer(offer["id"], offer["account_id"], side, price, place, offer["expires_at"])
            )
        return [LevelChange(side, price, self._sides[side].quantity(price))]

    def _expire(self, until: datetime) -> list[LevelChange]:
        due = self.due(until)
        for offer in due:
            self.remove(offer.id)
        return [
            LevelChange(side, price, self._sides[side].quantity(price))
            for side, price in levels_of(due)
        ]

    def levels(self, side: str, limit: int) -> list[tuple[int, int]]:
        """Return up to `limit` levels as (price, quantity), best first."""
        return self._sides[side].best(limit)

    def level_count(self, side: str) -> int:
        """Count the levels of a side."""
        return len(self._sides[side])


def levels_of(offers: Iterable[Offer]) -> list[tuple[str, int]]:
    """Return side and price of the levels on which offers wait, each once, in a fixed order."""
    return sorted({(offer.side, offer.price) for offer in offers})


def last_seq(entry: JournalEntry) -> int:
    """Return the number of the last change that an entry of the journal makes."""
    return entry["seq"] + entry.get("span", 1) - 1


def is_due(offer: Offer, at: datetime) -> bool:
    """Whether the offer's time is over."""
    return offer.expires_at is not None and offer.expires_at <= at


def checksum(bids: list[tuple[int, int]], asks: list[tuple[int, int]]) -> int:
    """Return the CRC-32 (IEEE, unsigned) of the ten best levels of each side.

    It is over the ASCII text of the levels, best first, bids before asks, each written
    `<side>:<price>:<quantity>` with two decimals and joined by `|`:
    `bid:219.00:2|bid:218.50:1|ask:220.00:3`. An empty book has 0.
    """
    parts = [
        f"{side}:{to_decimal(price)}:{quantity}"
        for side, levels in ((BID, bids), (ASK, asks))
        for price, quantity in levels[:CHECKED_LEVELS]
    ]
    return zlib.crc32("|".join(parts).encode())


def checksums(bids: list[tuple[int, int]], asks: list[tuple[int, int]]) -> list[int]:
    """Return the checksums of the best level, of the two best … of the ten best of each side.

    A client that knows fewer than ten levels compares the one that covers as many as it knows.
    """
    counts = range(1, CHECKED_LEVELS + 1)
    return [checksum(bids[:count], asks[:count]) for count in counts]
