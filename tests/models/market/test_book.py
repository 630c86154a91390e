"""The book in memory, against a book that is obviously right."""

import zlib
from datetime import UTC, datetime, timedelta
from time import perf_counter

from hypothesis import given, settings
from hypothesis import strategies as st

from models.market.book import ASK, BID, Book, checksum
from tests.models.market.reference import ReferenceBook

START = datetime(2026, 3, 1, tzinfo=UTC)

PLACE = st.tuples(
    st.sampled_from([BID, ASK]),
    st.sampled_from("ABCD"),
    st.integers(1, 6),
    st.none() | st.integers(1, 12),
)
CANCEL = st.tuples(st.just("cancel"), st.integers(0, 60))
WAIT = st.tuples(st.just("wait"), st.integers(1, 4))
SWEEP = st.tuples(st.just("sweep"))
STEPS = st.lists(st.one_of(PLACE, PLACE, PLACE, PLACE, CANCEL, WAIT, SWEEP), max_size=60)


class Driver:
    """Makes the entries that trading writes, without a journal."""

    def __init__(self):
        self.book = Book()
        self.minute = 0
        self.trades = []

    def at(self, minute):
        return START + timedelta(minutes=minute)

    def place(self, name, side, account, price, ends):
        other = self.book.counterpart(side, account, price, self.at(self.minute))
        offer = {
            "id": name,
            "account_id": account,
            "side": side,
            "price": price,
            "expires_at": None if ends is None else self.at(ends),
        }
        match = other and {"offer_id": other.id, "price": other.price}
        self.apply("place", offer, match)
        return other and (other.id, other.price)

    def take_out(self, kind, name):
        offer = self.book.offers.get(name)
        if offer is None:
            return False
        taken = {"id": name, "side": offer.side, "price": offer.price}
        self.apply(kind, taken, None)
        return True

    def apply(self, kind, offer, match):
        before = levels(self.book)
        entry = {"kind": kind, "seq": self.book.seq + 1, "offer": offer, "match": match}
        change = self.book.apply(entry | {"at": self.at(self.minute)})
        # Every change is one level: what was told is all that happened.
        told = before[change.side]
        told.pop(change.price, None)
        if change.quantity:
            told[change.price] = change.quantity
        assert levels(self.book) == before


def levels(book):
    return {side: dict(book.levels(side, 1000)) for side in (BID, ASK)}


@settings(max_examples=400, deadline=None)
@given(STEPS)
def test_the_book_trades_as_the_rules_say(steps):
    """Any sequence of bids, asks, cancels and expiries makes the trades of the reference book."""
    real, reference = Driver(), ReferenceBook()
    for name, step in enumerate(steps):
        match step:
            case ("cancel", target):
                assert real.take_out("cancel", target) == reference.remove(target)
            case ("wait", minutes):
                real.minute += minutes
            case ("sweep",):
                due = [
                    offer.id
                    for offer in real.book.offers.values()
                    if offer.expires_at and offer.expires_at <= real.at(real.minute)
                ]
                assert all(real.take_out("expire", offer_id) for offer_id in due)
                reference.expire(real.minute)
            case (side, account, price, lifetime):
                ends = None if lifetime is None else real.minute + lifetime
                expected = reference.place(name, side, account, price, ends, real.minute)
                assert real.place(name, side, account, price, ends) == expected
        for side in (BID, ASK):
            assert real.book.levels(side, 100) == reference.levels(side)
            assert real.book.level_count(side) == len(reference.levels(side))
    assert set(real.book.offers) == {one.name for one in reference.waiting}
    assert real.book.open_of.total() == len(reference.waiting)


def test_the_checksum_is_that_of_the_documented_text():
    """The checksum is the CRC-32 of the ten best levels of each side, written as documented."""
    bids, asks = [(21_900, 2), (21_850, 1)], [(22_000, 3)]
    text = b"bid:219.00:2|bid:218.50:1|ask:220.00:3"
    assert checksum(bids, asks) == zlib.crc32(text)
    assert checksum([], []) == 0
    deep = [(price, 1) for price in range(1, 30)]
    assert checksum([], deep) == checksum([], deep[:10]) != checksum([], deep[:9])


def test_times_of_offers_that_are_gone_are_forgotten():
    """Offers taken out before their time leave nothing behind; the first of the rest is known."""
    driver = Driver()
    for name in range(1000):
        driver.place(name, ASK, "A", 5, 9)
        driver.take_out("cancel", name)
    driver.place("last", ASK, "A", 5, 3)
    assert len(driver.book._times) < 100
    assert driver.book.first_to_expire().id == "last"
    assert driver.book.expired(driver.at(2)) is None
    assert driver.book.expired(driver.at(3)).id == "last"


def test_a_match_costs_the_same_in_a_deep_book():
    """Emptying one level of 100,000 offers from the front takes no longer at its end."""
    driver = Driver()
    for name in range(100_000):
        offer = {"id": name, "account_id": str(name), "side": ASK, "price": 5, "expires_at": None}
        entry = {"kind": "place", "seq": name + 1, "offer": offer, "match": None, "at": START}
        driver.book.apply(entry)
    times = []
    for _ in range(2):
        began = perf_counter()
        for _ in range(5_000):
            other = driver.book.counterpart(BID, "x", 5, START)
            driver.book.remove(other.id)
        times.append(perf_counter() - began)
        for offer_id in list(driver.book.offers)[:85_000]:
            driver.book.remove(offer_id)
    # With a plain dictionary the second round takes more than a hundred times as long.
    assert times[1] < times[0] * 10
