"""Many who want the same: in one process, in two, and when processes are killed in mid-match."""

import asyncio
import json
import random
import sys
from asyncio.subprocess import PIPE
from collections import Counter
from itertools import chain
from pathlib import Path

import pytest

from models.market.journal import Journal
from tests.market_world import SELLER, SIZE, add_shoe, build_market, told
from tests.stories_world import person

ROOT = Path(__file__).parents[3]

pytestmark = [pytest.mark.fault, pytest.mark.timeout(180)]


async def everything_of(database, name):
    return await database[name].find({}).to_list(None)


async def check_conservation(database, market):
    """Check that offers, orders, sales, books and notices tell one and the same story."""
    offers = {offer["_id"]: offer for offer in await everything_of(database, "market_offers")}
    orders = await everything_of(database, "market_orders")
    sales = await everything_of(database, "market_sales")
    journal = await everything_of(database, "market_journal")
    matches = [entry for entry in journal if entry["match"]]
    assert len(orders) == len(matches)
    assert len(sales) == sum(order["payment_id"] is not None for order in orders)
    assert sum(day["volume"] for day in await everything_of(database, "market_days")) == len(sales)
    sold = Counter(order[side] for order in orders for side in ("bid_id", "ask_id"))
    assert set(sold.values()) <= {1}, "an offer was sold twice"
    assert set(sold) == {key for key, offer in offers.items() if offer["status"] == "matched"}
    for order in orders:
        assert offers[order["bid_id"]]["order_id"] == order["_id"]
        assert offers[order["ask_id"]]["order_id"] == order["_id"]
        assert order["buyer_id"] != order["seller_id"]
        assert (order["unfinished"], order["telling"]) == ([], False)
    assert len(offers) == sum(entry["kind"] == "place" for entry in journal)
    waiting = {key: offer for key, offer in offers.items() if offer["status"] == "open"}
    assert all("resting" in offer for offer in waiting.values())
    assert not any("resting" in offers[key] for key in sold)
    for book in await everything_of(database, "market_books"):
        seqs = sorted(entry["seq"] for entry in journal if entry["book"] == book["_id"])
        assert seqs == [*range(1, book["done"] + 1)], "numbers of a book have gaps"
        product_id, _, size = book["_id"].partition(":")
        shown = await market.trading.book(product_id, size, depth=200)
        for side in ("bid", "ask"):
            quantities = sum(level["quantity"] for level in shown[f"{side}s"])
            assert quantities == sum(
                offer["side"] == side for offer in waiting.values() if offer["book"] == book["_id"]
            )
    expected = Counter()
    for order in orders:
        for party in (order["buyer_id"], order["seller_id"]):
            for kind in ("match_created", "order_created"):
                expected[party, kind, f"/orders/{order['_id']}"] += 1
    notices = Counter()
    for party in {key[0] for key in expected}:
        for notice in await told(market, person(party)):
            notices[party, notice["type"], notice["link"]] += 1
    assert notices == expected
    return orders


async def test_fifty_takers_for_ten_asks(database, market, shoe):
    """Of fifty bids at once ten get one ask each, and forty wait."""
    where = {"product_id": shoe, "size": SIZE, "price": 20_000}
    for n in range(10):
        await market.trading.place(person(str(n + 1)), "ask", **where)
    answers = await asyncio.gather(
        *(market.trading.place(person(str(n + 100)), "bid", **where) for n in range(50))
    )
    assert Counter(offer["status"] for offer in answers) == {"matched": 10, "open": 40}
    assert len(await check_conservation(database, market)) == 10


async def start(environment, *arguments):
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.models.market.trader", *map(str, arguments)),
        cwd=ROOT,
        env=environment,
        stdout=PIPE,
    )


async def outcome(process):
    output, _ = await process.communicate()
    whole = [line for line in output.decode().splitlines(keepends=True) if line.endswith("\n")]
    return [json.loads(line) for line in whole]


async def test_takers_in_two_processes(database, environment):
    """Two processes with 25 bids each on one database take ten asks, each once."""
    market = build_market(database)
    await market.prepare()
    shoe = await add_shoe(market)
    for n in range(10):
        await market.trading.place(
            person(str(n + 1)), "ask", product_id=shoe, size=SIZE, price=20_000
        )
    processes = [await start(environment, name, 25, shoe, "bid") for name in (1, 2)]
    answers = list(chain(*await asyncio.gather(*map(outcome, processes))))
    assert [process.returncode for process in processes] == [0, 0]
    assert Counter(offer["status"] for offer in answers) == {"matched": 10, "open": 40}
    assert len(await check_conservation(database, market)) == 10


async def test_killed_after_each_write_of_a_match(database, environment):
    """After whichever write of a match a process is killed, the next start makes the match whole.

    One ask waits in a book for each write; each bid is placed by a process of its own.
    """
    market = build_market(database)
    await market.prepare()
    shoes = [await add_shoe(market, f"S{n}") for n in range(40)]
    for shoe in shoes:
        await market.trading.place(SELLER, "ask", product_id=shoe, size=SIZE, price=20_000)
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.models.market.dying", *shoes),
        cwd=ROOT,
        env=environment,
        stdout=PIPE,
    )
    output, _ = await process.communicate()
    assert process.returncode == 0
    killed = int(output)
    assert 15 < killed < 40, "not every write of a match was the last one of a process"
    untold = await database["market_orders"].count_documents({"telling": True})
    undone = await Journal(database).left_undone()
    # Killed before the journal's entry, in carrying it out, in telling, and not at all.
    assert len(undone) > 3
    assert untold > 3
    market = build_market(database)
    await market.prepare()
    orders = await check_conservation(database, market)
    assert killed - 2 <= len(orders) <= killed + 1


async def test_processes_killed_in_mid_match(database, environment):
    """Whenever traders are killed, the next start finishes what they began, and loses nothing."""
    market = build_market(database)
    await market.prepare()
    shoe = await add_shoe(market)
    chance = random.Random(4)
    acknowledged, interrupted = [], 0
    for round_number in range(4):
        names = (2 * round_number, 2 * round_number + 1)
        processes = [await start(environment, name, 10_000, shoe) for name in names]
        # Killed after a number of answers, and then somewhere in the middle of the next ones.
        for process in processes:
            for _ in range(chance.randrange(5, 15)):
                acknowledged.append(json.loads(await process.stdout.readline()))
        for process in processes:
            process.kill()
        for process in processes:
            acknowledged += await outcome(process)
        undone = await Journal(database).left_undone()
        untold = await database["market_orders"].count_documents({"telling": True})
        interrupted += bool(undone) + bool(untold)
        market = build_market(database)
        await market.prepare()
        orders = await check_conservation(database, market)
    offers = {offer["_id"] for offer in await everything_of(database, "market_offers")}
    assert {offer["id"] for offer in acknowledged} <= offers
    assert len(orders) > 10
    assert interrupted, "no kill came in between: this run has proved nothing"
