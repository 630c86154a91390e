"""The book in memory, against a book that is obviously right."""

import zlib
from collections import Counter
from datetime import UTC, datetime, timedelta
from time import perf_counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.market.book import ASK, BID, Book, checksum, checksums, is_due, levels_of
from tests.models.market.reference import REFUSED, ReferenceBook

START = datetime(2026, 3, 1, tzinfo=UTC)

PLACE = st.tuples(
    st.sampled_from([BID, ASK]),
    st.sampled_from("ABCD"),
    st.integers(1, 6),
    st.none() | st.integers(1, 12),
)
CANCEL = st.tuples(st.just("cancel"), st.integers(1, 20))
WAIT = st.tuples(st.just("wait"), st.integers(1, 4))
EXPIRE = st.tuples(st.just("expire"))
STEP = st.one_of(*[PLACE] * 5, CANCEL, WAIT, EXPIRE)
# By itself hypothesis makes short lists; a failure is shrunk to one that starts short.
STEPS = st.lists(STEP, max_size=20) | st.lists(STEP, min_size=100, max_size=150)


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
        at = self.at(self.minute)
        if other is None and self.book.own_crossing(side, account, price, at):
            return REFUSED
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
        self.enter({"kind": kind, "offer": offer, "match": match})

    def expire(self):
        at = self.at(self.minute)
        due = self.book.due(at)
        every = self.book.offers.values()
        assert {one.id for one in due} == {one.id for one in every if is_due(one, at)}
        if due:
            span = len(levels_of(due))
            self.enter({"kind": "expire", "until": at, "span": span, "offer": None, "match": None})
        return len(due)

    def enter(self, entry):
        before, seq = levels(self.book), self.book.seq
        changes = self.book.apply(entry | {"seq": seq + 1, "at": self.at(self.minute)})
        assert self.book.seq == seq + len(changes)
        # Every change is one level: what was told is all that happened.
        for change in changes:
            told = before[change.side]
            told.pop(change.price, None)
            if change.quantity:
                told[change.price] = change.quantity
        assert levels(self.book) == before


def levels(book):
    return {side: dict(book.levels(side, 1000)) for side in (BID, ASK)}


def play(steps, made):
    """Take the same steps in the book and in the reference, and compare after each of them."""
    real, reference = Driver(), ReferenceBook()
    for name, step in enumerate(steps):
        match step:
            case ("cancel", steps_ago):
                cancelled = real.take_out("cancel", name - steps_ago)
                assert cancelled == reference.remove(name - steps_ago)
                made["cancelled"] += cancelled
            case ("wait", minutes):
                real.minute += minutes
            case ("expire",):
                made["expired"] += real.expire()
                reference.expire(real.minute)
            case (side, account, price, lifetime):
                ends = None if lifetime is None else real.minute + lifetime
                expected = reference.place(name, side, account, price, ends, real.minute)
                assert real.place(name, side, account, price, ends) == expected
                made[side] += 1
                made["trades"] += expected not in (None, REFUSED)
        for side in (BID, ASK):
            assert real.book.levels(side, 100) == reference.levels(side)
            assert real.book.level_count(side) == len(reference.levels(side))
    assert set(real.book.offers) == {one.name for one in reference.waiting}
    assert real.book.open_of.total() == len(reference.waiting)


@pytest.mark.timeout(400)  # a failure takes a while to be made small
def test_the_book_trades_as_the_rules_say():
    """Thousands of bids, asks, cancels and expiries make every trade of the reference book."""
    made = Counter()

    @settings(max_examples=200, deadline=None)
    @given(STEPS)
    def compare(steps):
        play(steps, made)

    compare()
    assert made[BID] + made[ASK] > 2000, made
    assert min(made["trades"], made["cancelled"], made["expired"]) > 100, made


def test_the_checksum_is_that_of_the_documented_text():
    """The checksum is the CRC-32 of the ten best levels of each side, written as documented."""
    bids, asks = [(21_900, 2), (21_850, 1)], [(22_000, 3)]
    text = b"bid:219.00:2|bid:218.50:1|ask:220.00:3"
    assert checksum(bids, asks) == zlib.crc32(text)
    assert checksum([], []) == 0
    deep = [(price, 1) for price in range(1, 30)]
    assert checksum([], deep) == checksum([], deep[:10]) != checksum([], deep[:9])
    sums = checksums(bids, deep)
    assert sums == [checksum(bids[:count], deep[:count]) for count in range(1, 11)]


def test_times_of_offers_that_are_gone_are_forgotten():
    """Offers taken out before their time leave nothing behind; the first of the rest is known."""
    driver = Driver()
    for name in range(1000):
        driver.place(name, ASK, "A", 5, 9)
        driver.take_out("cancel", name)
    driver.place("last", ASK, "A", 5, 3)
    assert len(driver.book._times) < 100
    assert driver.book.first_to_expire().id == "last"
    assert driver.book.due(driver.at(2)) == []
    assert [offer.id for offer in driver.book.due(driver.at(3))] == ["last"]


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
