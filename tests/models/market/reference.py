"""The rules of the book once more, as plainly as they can be written: a list, searched through."""

from dataclasses import dataclass

REFUSED = "refused"


@dataclass
class Waiting:
    """An offer in the list."""

    name: object
    side: str
    account: str
    price: int
    ends: int | None


class ReferenceBook:
    """Price-time priority over a list in order of time."""

    def __init__(self):
        self.waiting = []

    def place(self, name, side, account, price, ends, now):
        """Return (name of the other, price) of the trade, None when the offer waits.

        `REFUSED` when it would wait beside an offer of the same account that it meets.
        """
        sign = 1 if side == "bid" else -1
        crossed = [
            other
            for other in self.waiting
            if other.side != side
            and other.price * sign <= price * sign
            and (other.ends is None or other.ends > now)
        ]
        met = [other for other in crossed if other.account != account]
        if crossed and not met:
            return REFUSED
        if not met:
            self.waiting.append(Waiting(name, side, account, price, ends))
            return None
        best = min(met, key=lambda other: other.price * sign)  # the first one of equals
        self.waiting.remove(best)
        return best.name, best.price

    def remove(self, name):
        """Take an offer out; whether it was in."""
        before = len(self.waiting)
        self.waiting = [other for other in self.waiting if other.name != name]
        return len(self.waiting) < before

    def expire(self, now):
        self.waiting = [one for one in self.waiting if one.ends is None or one.ends > now]

    def levels(self, side):
        prices = [other.price for other in self.waiting if other.side == side]
        return [
            (price, prices.count(price)) for price in sorted(set(prices), reverse=side == "bid")
        ]
