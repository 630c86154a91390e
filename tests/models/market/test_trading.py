"""The rules of bids and asks, on the store that is open."""

from datetime import timedelta
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from models.errors import Conflict, Invalid, NotFound
from models.market import trading
from models.pages import Position
from models.rooms import book_room, user_room
from tests.market_world import BUYER, OTHER, SELLER, SIZE, add_shoe, build_market, told
from tests.models.market.reference import REFUSED, ReferenceBook
from tests.stories_world import person

MINUTE = timedelta(minutes=1)


@pytest.fixture
def place(market, shoe):
    """Place an offer for the shoe: side, who, whole dollars."""

    async def place(side, who, dollars, **options):
        where = {"product_id": shoe, "size": SIZE} | options
        return await market.trading.place(who, side, price=dollars * 100, **where)

    return place


async def test_an_offer_that_meets_nobody_waits(market, place, shoe):
    """A bid is open, is read back by its owner, and stands in the book."""
    bid = await place("bid", BUYER, 220)
    assert bid == {
        "id": bid["id"],
        "side": "bid",
        "product_id": shoe,
        "size": SIZE,
        "price": "220.00",
        "status": "open",
        "created_at": "2026-03-01T12:00:00.000Z",
        "expires_at": None,
        "order_id": None,
        "matched_price": None,
    }
    assert await market.trading.get(BUYER, "bid", bid["id"]) == bid
    book = await market.trading.book(shoe, SIZE)
    assert (book["bids"], book["asks"]) == ([{"price": "220.00", "quantity": 1}], [])


@pytest.mark.parametrize(("first", "second"), [("bid", "ask"), ("ask", "bid")])
async def test_the_resting_price_wins(market, place, first, second):
    """Whoever waited gets the price that was asked for, and both offers name the order."""
    dollars = {"bid": 230, "ask": 220}
    waiting = await place(first, SELLER, dollars[first])
    taken = await place(second, BUYER, dollars[second])
    assert taken["status"] == "matched"
    assert taken["matched_price"] == f"{dollars[first]}.00"
    met = await market.trading.get(SELLER, first, waiting["id"])
    assert (met["status"], met["order_id"], met["matched_price"]) == (
        "matched",
        taken["order_id"],
        taken["matched_price"],
    )
    order = await market.orders.get(BUYER, taken["order_id"])
    parties = {"bid": "buyer_id", "ask": "seller_id"}
    assert order["price"] == taken["matched_price"]
    assert (order[parties[first]], order[parties[second]]) == ("1", "2")
    assert (order[f"{first}_id"], order[f"{second}_id"]) == (waiting["id"], taken["id"])


async def test_nobody_trades_with_oneself(market, place):
    """One's own better ask is passed over for the next one, and waits on."""
    own = await place("ask", BUYER, 200)
    other = await place("ask", SELLER, 210)
    bid = await place("bid", BUYER, 220)
    assert bid["matched_price"] == "210.00"
    assert (await market.trading.get(SELLER, "ask", other["id"]))["status"] == "matched"
    assert (await market.trading.get(BUYER, "ask", own["id"]))["status"] == "open"


async def test_the_oldest_of_one_price_comes_first_also_after_a_restart(
    market, place, shoe, database, clock
):
    """Offers of one price are taken in the order in which they came, by a new process too."""
    asks = [await place("ask", person(str(10 + n)), 220) for n in range(12)]
    restarted = build_market(database, clock=clock)
    await restarted.prepare()
    where = {"product_id": shoe, "size": SIZE, "price": 22_000}
    order_ids = []
    for n in range(12):
        process = (market, restarted)[n % 2]
        order_ids.append((await process.trading.place(BUYER, "bid", **where))["order_id"])
    orders = [await market.orders.get(BUYER, order_id) for order_id in order_ids]
    assert [order["ask_id"] for order in orders] == [ask["id"] for ask in asks]


async def test_a_book_is_read_while_others_write(market, place, shoe, database, clock):
    """An offer that reading the book missed keeps its place before a later one it did not miss."""
    first, second = [await place("ask", person(str(10 + n)), 220) for n in range(2)]
    # As a reader finds it whose scan came to the first one's place before it was written.
    await database["market_books"].update_one({"_id": f"{shoe}:{SIZE}"}, {"$set": {"done": 0}})
    await database["market_offers"].delete_one({"_id": first["id"]})
    reader = build_market(database, clock=clock)
    bids = [
        await reader.trading.place(BUYER, "bid", product_id=shoe, size=SIZE, price=22_000)
        for _ in range(2)
    ]
    orders = [await reader.orders.get(BUYER, bid["order_id"]) for bid in bids]
    assert [order["ask_id"] for order in orders] == [first["id"], second["id"]]


async def test_an_expired_offer_is_never_met(market, place, clock, publisher):
    """Past its time an ask meets no bid: it goes first, and its owner hears that it has expired."""
    ask = await place("ask", SELLER, 220, expires_at=clock() + MINUTE)
    clock.move(MINUTE)
    publisher.take()
    assert (await place("bid", BUYER, 220))["status"] == "open"
    told = [data for data, _ in publisher.take("book")]
    assert [(data["side"], data["quantity"]) for data in told] == [("ask", 0), ("bid", 1)]
    assert (await market.trading.get(SELLER, "ask", ask["id"]))["status"] == "expired"


async def test_a_sweep_takes_out_what_has_expired(market, place, clock, publisher):
    """The next sweep takes an expired ask out, once, and its owner is told."""
    ask = await place("ask", SELLER, 220, expires_at=clock() + MINUTE)
    clock.move(MINUTE)
    publisher.take()
    assert await market.trading.sweep() == 1
    ended = {"id": ask["id"], "status": "expired"}
    news = [data for data, rooms in publisher.take("offer.closed") if rooms == (user_room("1"),)]
    assert [{key: data[key] for key in ended} for data in news] == [ended]
    assert await market.trading.sweep() == 0


async def test_an_offer_expires_by_time_and_not_by_the_sweep(market, place, clock, monkeypatch):
    """Unswept, it is shown and listed as expired, cannot be cancelled, and counts no more."""
    monkeypatch.setattr(trading, "MAX_OPEN", 2)
    ends = {"expires_at": clock() + MINUTE}
    expiring = [(await place("bid", BUYER, dollars, **ends))["id"] for dollars in (100, 101)]
    with pytest.raises(Conflict) as refused:
        await place("bid", BUYER, 102)
    assert refused.value.code == "too_many_open"
    clock.move(MINUTE)
    for offer_id in expiring:
        assert (await market.trading.get(BUYER, "bid", offer_id))["status"] == "expired"
    with pytest.raises(Conflict) as refused:
        await market.trading.cancel(BUYER, "bid", expiring[0])
    assert (refused.value.code, refused.value.message) == ("offer_closed", "It is expired already.")
    kept = await place("bid", BUYER, 102)
    clock.move(MINUTE)
    await market.trading.withdraw(
        {"_id": expiring[1], "product_id": kept["product_id"], "size": SIZE}
    )
    listed = {}
    for status in ("open", "expired", "cancelled", None):
        page = await market.trading.mine(BUYER, "bid", status=status, limit=2)
        rest = None
        if page["next"]:
            after = Position.from_text(page["next"])
            rest = await market.trading.mine(BUYER, "bid", status=status, after=after)
        items = page["items"] + (rest["items"] if rest else [])
        listed[status] = {offer["id"]: offer["status"] for offer in items}
    expired = dict.fromkeys(expiring, "expired")
    assert listed == {
        "open": {kept["id"]: "open"},
        "expired": expired,
        "cancelled": {},
        None: {kept["id"]: "open", **expired},
    }


async def test_no_book_is_crossed_with_oneself(market, place, shoe, clock):
    """What would wait beside one's own offer that it meets is refused, and nothing changes."""
    own = await place("ask", SELLER, 90)
    before = await market.trading.book(shoe, SIZE)
    for dollars in (90, 100):
        with pytest.raises(Conflict) as refused:
            await place("bid", SELLER, dollars, operation_id=f"bid-{dollars}")
        assert refused.value.code == "crosses_own_offer"
        assert refused.value.message == "You have an open ask at 90.00 here; cancel it first."
    assert await market.trading.book(shoe, SIZE) == before
    assert (await market.trading.mine(SELLER, "bid"))["items"] == []
    assert (await place("bid", SELLER, 89))["status"] == "open"
    await market.trading.cancel(SELLER, "ask", own["id"])
    assert (await place("bid", SELLER, 100, operation_id="bid-100"))["status"] == "open"
    # A bid that a resting one of one's own crosses is the same the other way round.
    with pytest.raises(Conflict):
        await place("ask", SELLER, 100)
    assert (await place("ask", SELLER, 101, expires_at=clock() + MINUTE))["status"] == "open"
    clock.move(MINUTE)
    assert (await place("bid", SELLER, 101))["status"] == "open"


async def test_a_time_that_is_over_is_refused(market, place, clock, shoe):
    """An offer that would have expired already is refused by its field, and leaves nothing."""
    with pytest.raises(Invalid) as refused:
        await place("ask", SELLER, 220, expires_at=clock())
    assert set(refused.value.fields) == {"expires_at"}
    assert (await market.trading.book(shoe, SIZE))["seq"] == 0
    assert (await market.trading.mine(SELLER, "ask"))["items"] == []


async def test_cancelling(market, place, shoe):
    """The owner takes an offer back, once or twice; it is out of the book and meets nobody."""
    ask = await place("ask", SELLER, 220)
    assert (await market.trading.cancel(SELLER, "ask", ask["id"]))["status"] == "cancelled"
    assert (await market.trading.cancel(SELLER, None, ask["id"]))["status"] == "cancelled"
    assert (await place("bid", BUYER, 220))["status"] == "open"
    assert (await market.trading.book(shoe, SIZE))["seq"] == 3


async def test_what_cannot_be_cancelled(market, place):
    """A stranger's offer is not found, nor is a bid among the asks; a matched one is closed."""
    ask = await place("ask", SELLER, 220)
    for who, side in ((BUYER, "ask"), (SELLER, "bid")):
        with pytest.raises(NotFound):
            await market.trading.cancel(who, side, ask["id"])
    await place("bid", BUYER, 220)
    with pytest.raises(Conflict) as refused:
        await market.trading.cancel(SELLER, "ask", ask["id"])
    assert refused.value.code == "offer_closed"


async def test_a_product_or_size_that_is_not_there(market, place):
    """An unknown product is not found, and a size it does not come in is named as wrong."""
    with pytest.raises(NotFound):
        await place("bid", BUYER, 220, product_id="999")
    with pytest.raises(Invalid) as refused:
        await place("bid", BUYER, 220, size="US 99")
    assert refused.value.code == "unknown_size"


async def test_an_operation_is_done_once(market, place, shoe):
    """The same operation again gives the offer that it made, as it is by then."""
    first = await place("ask", SELLER, 220, operation_id="one")
    bid = await place("bid", BUYER, 220)
    again = await place("ask", SELLER, 220, operation_id="one")
    assert (again["id"], again["order_id"]) == (first["id"], bid["order_id"])
    assert (await market.trading.book(shoe, SIZE))["seq"] == 2


async def test_one_account_cannot_fill_a_book(market, place, monkeypatch):
    """Beyond the limit an offer that would wait is refused; one that is met is not."""
    monkeypatch.setattr(trading, "MAX_OPEN", 2)
    await place("bid", BUYER, 100)
    await place("bid", BUYER, 101)
    with pytest.raises(Conflict) as refused:
        await place("bid", BUYER, 102)
    assert refused.value.code == "too_many_open"
    await place("ask", SELLER, 103)
    assert (await place("bid", BUYER, 103))["status"] == "matched"


async def test_mine_comes_in_pages(market, place, clock):
    """One's own bids are listed newest first, by status too, and nobody else's."""
    bids = []
    for dollars in (100, 101, 102):
        bids.append((await place("bid", BUYER, dollars))["id"])
        clock.move(MINUTE)
    await place("bid", OTHER, 99)
    await market.trading.cancel(BUYER, "bid", bids[1])
    first = await market.trading.mine(BUYER, "bid", limit=2)
    second = await market.trading.mine(
        BUYER, "bid", limit=2, after=Position.from_text(first["next"])
    )
    listed = [bid["id"] for bid in first["items"] + second["items"]]
    assert (listed, second["next"]) == (bids[::-1], None)
    still_open = await market.trading.mine(BUYER, "bid", status="open")
    assert [bid["id"] for bid in still_open["items"]] == [bids[2], bids[0]]


async def test_a_match_is_told(market, place, shoe, publisher):
    """The book's room hears of the level, both parties of the order, and each gets two notices."""
    await place("ask", SELLER, 220)
    publisher.take()
    order_id = (await place("bid", BUYER, 230))["order_id"]
    news = [(event.name, rooms) for event, rooms in publisher.published]
    room = (book_room(shoe, SIZE),)
    assert [part for part in news if part[1] == room] == [("book", room)]
    assert ("order.changed", (user_room("2"), user_room("1"))) in news
    for who, side in ((BUYER, "bid"), (SELLER, "ask")):
        matched, created = await told(market, who)
        assert matched["type"] == "match_created"
        assert matched["title"] == f"Your {side} has been matched!"
        assert matched["message"] == (
            f"Your {side} for Nike Air Jordan 1 (US 9) has been matched at $220"
        )
        assert matched["link"] == created["link"] == f"/orders/{order_id}"
        assert created["type"] == "order_created"


OFFERS = st.tuples(
    st.sampled_from(["bid", "ask"]),
    st.sampled_from("123"),
    st.integers(1, 4),
    st.none() | st.integers(1, 6),
)
STEPS = st.lists(
    st.one_of(
        *[OFFERS] * 4,
        st.tuples(st.just("cancel"), st.integers(1, 8)),
        st.tuples(st.just("wait"), st.integers(1, 3)),
        st.tuples(st.sampled_from(["sweep", "look"])),
        st.tuples(st.just("restart")),
    ),
    min_size=8,
    max_size=24,
)


async def check_levels(process, product_id, reference):
    book = await process.trading.book(product_id, SIZE)
    for side in ("bid", "ask"):
        levels = [(level["price"], level["quantity"]) for level in book[f"{side}s"]]
        assert levels == [(f"0.0{price}", n) for price, n in reference.levels(side)]


@pytest.mark.timeout(400)  # a failure takes a while to be made small
@settings(
    max_examples=40,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(steps=STEPS)
async def test_the_stored_book_trades_as_the_rules_say(market, database, clock, steps):
    """Any sequence makes the reference's trades, whichever process a step goes through."""
    product_id = await add_shoe(market, uuid4().hex)
    processes = [market, build_market(database, clock=clock)]
    reference, placed, began = ReferenceBook(), {}, clock()
    for name, step in enumerate(steps):
        process = processes[name % 2]
        minute = (clock() - began) // MINUTE
        match step:
            case ("cancel", steps_ago):
                target = name - steps_ago
                if target in placed:
                    who, offer_id = placed[target]
                    reference.expire(minute)
                    if reference.remove(target):
                        await process.trading.cancel(who, None, offer_id)
            case ("wait", minutes):
                clock.move(minutes * MINUTE)
            case ("sweep",):
                await process.trading.sweep()
                reference.expire(minute)
            case ("look",):
                reference.expire(minute)
                await check_levels(process, product_id, reference)
            case ("restart",):
                processes[name % 2] = build_market(database, clock=clock)
                await processes[name % 2].prepare()
            case (side, account, price, lifetime):
                who, ends = person(account), None if lifetime is None else minute + lifetime
                placing = process.trading.place(
                    who,
                    side,
                    product_id=product_id,
                    size=SIZE,
                    price=price,
                    expires_at=None if ends is None else began + ends * MINUTE,
                )
                expected = reference.place(name, side, account, price, ends, minute)
                if expected == REFUSED:
                    with pytest.raises(Conflict) as refused:
                        await placing
                    assert refused.value.code == "crosses_own_offer"
                    continue
                offer = await placing
                placed[name] = who, offer["id"]
                assert (offer["status"] == "matched") == (expected is not None)
                if expected:
                    other, price = expected
                    order = await process.orders.get(who, offer["order_id"])
                    assert order["price"] == f"0.0{price}"
                    ids = {offer["id"], placed[other][1]}
                    assert {order["bid_id"], order["ask_id"]} == ids
    reference.expire((clock() - began) // MINUTE)
    for process in processes:
        await check_levels(process, product_id, reference)
