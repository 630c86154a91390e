"""Let thousands of offers expire at one instant: `python -m bench.expiry [offers]`.

Prints, for the time around that instant, the longest gap between two heartbeats of other books
and the longest that commands on the expiring book waited for their answers.
"""

import asyncio
import sys
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

from app.identity.own_jwt import OwnTokens
from bench.application import application
from bench.follower import Client
from bench.server import SECRET
from models.accounts import Account, Accounts, Passwords
from models.database import Database
from models.identity import Identity
from models.market.book import ASK
from models.market.journal import book_id
from models.market.operators import Operators
from models.market.products import Products
from models.market.projection import new_offer
from models.market.stored import JournalOffer
from models.times import now

PER_OWNER = 100
"""Offers of one account that expire: none may have more than 500 in one book."""

CALM = 8
"""Other books that are followed."""

BUSY_SIZE = "US 9"
LEVELS = 200
AT_ONCE = 500
READY_S = 20.0
"""From filling the store until the instant: for the server to start and the clients to connect."""

AFTER_S = 20.0


class Shop:
    """A book of asks that end at one instant, and others that are calm."""

    def __init__(self, offers: int) -> None:
        self._offers = offers
        self.accounts: list[Account] = []
        self.busy: dict[str, Any] = {}
        self.calm: list[dict[str, Any]] = []
        self.ends = now()

    async def fill(self, database: Database) -> None:
        """Write accounts, a product and the asks."""
        accounts = Accounts(database, Passwords())
        for number in range(max(3, self._offers // PER_OWNER)):
            self.accounts.append(await accounts.find_or_create_by_email(f"u{number}@example.com"))
        operator = self.accounts[0]
        products = Products(database, Operators([operator.id]), now)
        sizes = [BUSY_SIZE, *(f"US {20 + number}" for number in range(CALM))]
        product = await products.create(
            Identity(operator.id, operator.email, operator.public_id),
            name="Shoe",
            sku="S1",
            sizes=sizes,
            operation_id="1",
        )
        where = [{"product_id": str(product["id"]), "size": size} for size in sizes]
        self.busy, self.calm = where[0], where[1:]
        self.ends = now() + timedelta(seconds=READY_S + self._offers / 1_000)
        book = book_id(**self.busy)
        offers = database["market_offers"]
        for first in range(1, self._offers + 1, AT_ONCE):
            seqs = range(first, min(first + AT_ONCE, self._offers + 1))
            await asyncio.gather(*(offers.insert_one(self._ask(book, seq)) for seq in seqs))
        await database["market_books"].insert_one({"_id": book, "done": self._offers})

    def _ask(self, book: str, seq: int) -> dict[str, Any]:
        offer: JournalOffer = {
            "id": f"{book}:{seq}",
            "account_id": self.accounts[seq % len(self.accounts)].id,
            "side": ASK,
            "price": 20_000 + 100 * (seq % LEVELS),
            "expires_at": self.ends,
        }
        return {**new_offer(offer, book=book, seq=seq, at=now(), **self.busy)}


async def _repeat(until: datetime, ask: Callable[[], Awaitable[None]], longest: list[float]) -> int:
    asked = 0
    while now() < until:
        began = time.perf_counter()
        await ask()
        longest[0] = max(longest[0], time.perf_counter() - began)
        asked += 1
    return asked


async def expire(offers: int) -> None:
    """Measure, and print the longest times in milliseconds."""
    shop = Shop(offers)
    async with application(shop.fill) as app:
        issue = OwnTokens(SECRET, timedelta(days=1)).issue
        beats: dict[str, list[float]] = defaultdict(list)
        follower, trader, reader = clients = [Client() for _ in range(3)]
        ended = asyncio.Event()
        seen = 0

        async def hear(name: str, data: dict[str, Any]) -> None:
            nonlocal seen
            if name == "book_heartbeat" and data["size"] != BUSY_SIZE:
                beats[data["size"]].append(time.perf_counter())
            if name == "book" and data["size"] == BUSY_SIZE and data["quantity"] == 0:
                seen += data["side"] == ASK
                if seen == min(LEVELS, offers):
                    ended.set()

        follower.sio.on("*", hear, "/market")
        for client, account in zip(clients, shop.accounts, strict=False):
            await client.open(app, issue(account))
        for which in (shop.busy, *shop.calm):
            await follower.ask("subscribe_book", which | {"depth": 200})

        async def look() -> None:
            book = (await reader.ask("get_book", shop.busy))["data"]
            if now() > shop.ends + timedelta(seconds=1) and book["asks"]:
                raise SystemExit("an expired offer is shown")

        async def trade() -> None:
            placed = await trader.ask("place_bid", shop.busy | {"price": "1.00"})
            await trader.ask("cancel", {"id": placed["data"]["id"]})

        before = max(0.0, (shop.ends - now()).total_seconds() - 0.5)
        await asyncio.sleep(before)
        until = shop.ends + timedelta(seconds=AFTER_S)
        looked, traded = [0.0], [0.0]
        asking = asyncio.gather(_repeat(until, look, looked), _repeat(until, trade, traded))
        await ended.wait()
        over_s = (now() - shop.ends).total_seconds()
        counts = await asking
        gaps = [b - a for times in beats.values() for a, b in pairwise(times)]
        sys.stdout.write(
            f"{offers} offers: followers saw the last level go after {over_s * 1e3:.0f} ms\n"
            f"longest gap between heartbeats of other books: {max(gaps) * 1e3:.0f} ms\n"
            f"longest get_book of {counts[0]}: {looked[0] * 1e3:.0f} ms\n"
            f"longest place and cancel of {counts[1]}: {traded[0] * 1e3:.0f} ms\n"
        )
        for client in clients:
            await client.sio.disconnect()


if __name__ == "__main__":
    asyncio.run(expire(int(sys.argv[1]) if len(sys.argv) > 1 else 2_500))
