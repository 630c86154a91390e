"""Follow one book at several depths under random traffic: `python -m bench.follower [seconds]`.

The followers are `tests.book_follower.BookFollower`, over Socket.IO. Traders place and cancel at
random; now and then they pause, a heartbeat comes, and every follower's view must be what a fresh
snapshot of its depth shows. A difference ends the run with an error.
"""

import asyncio
import random
import sys
import time
from collections import Counter
from datetime import timedelta
from typing import Any

import socketio

from app.identity.own_jwt import OwnTokens
from bench.application import Application, application
from bench.server import SECRET
from models.accounts import Account, Accounts, Passwords
from models.database import Database
from models.identity import Identity
from models.market.operators import Operators
from models.market.products import Products
from models.times import now, to_text
from tests.book_follower import BookFollower

DEPTHS = (1, 5, 10, 12, 200)
TRADERS = 6
SIZE = "US 9"
BURST = 150
"""Offers and cancels between two pauses."""

BEAT_S = 6.0
"""Longer than a heartbeat's interval."""


class Shop:
    """A product and the accounts that trade it."""

    def __init__(self) -> None:
        self.accounts: list[Account] = []
        self.product_id = ""

    async def fill(self, database: Database) -> None:
        """Write the accounts and the product."""
        accounts = Accounts(database, Passwords())
        for number in range(TRADERS):
            self.accounts.append(await accounts.find_or_create_by_email(f"u{number}@example.com"))
        operator = self.accounts[0]
        products = Products(database, Operators([operator.id]), now)
        product = await products.create(
            Identity(operator.id, operator.email, operator.public_id),
            name="Shoe",
            sku="S1",
            sizes=[SIZE],
            operation_id="1",
        )
        self.product_id = str(product["id"])


class Client:
    """One Socket.IO connection to `/market`."""

    def __init__(self) -> None:
        self.sio = socketio.AsyncClient()

    async def open(self, app: Application, token: str) -> None:
        """Connect."""
        await self.sio.connect(
            app.url,
            auth={"token": token, "recovery": False},
            namespaces=["/market"],
            transports=["websocket"],
        )

    async def ask(self, name: str, payload: dict[str, Any]) -> dict[str, Any]:
        """Send a command and return its answer."""
        answer: dict[str, Any] = await self.sio.call(name, payload, "/market", timeout=60)
        return answer


class Watcher(Client):
    """A follower on a connection."""

    def __init__(self, depth: int, which: dict[str, Any]) -> None:
        super().__init__()
        self.follower = BookFollower(depth)
        self.which = which | {"depth": depth}
        self.beat = asyncio.Event()
        self.failure: AssertionError | None = None
        self._wanted = asyncio.Event()
        self.sio.on("*", self._hear, "/market")

    async def follow(self) -> None:
        """Subscribe, and fetch the book whenever the follower has to."""
        command = "subscribe_book"
        while True:
            self._wanted.clear()
            if self.follower.must_fetch:
                self.follower.take((await self.ask(command, self.which))["data"])
                command = "get_book"
            else:
                await self._wanted.wait()

    def begin_anew(self) -> None:
        """Fetch the book, so that only levels of this depth are known."""
        self.follower.must_fetch = True
        self._wanted.set()

    async def _hear(self, name: str, data: dict[str, Any]) -> None:
        try:
            self.follower.hear(name, data)
        except AssertionError as error:
            self.failure = error
        if self.follower.must_fetch:
            self._wanted.set()
        if name == "book_heartbeat":
            self.beat.set()


async def trade(client: Client, which: dict[str, Any], mine: list[str], done: Counter[str]) -> None:
    """Place or cancel one offer."""
    if mine and random.random() < 0.4:
        name, payload = "cancel", {"id": mine.pop(random.randrange(len(mine)))}
    else:
        side = random.choice(("bid", "ask"))
        away = random.randrange(-8, 25) * (1 if side == "ask" else -1)
        name, payload = f"place_{side}", which | {"price": f"{200 + away}.00"}
        if random.random() < 0.2:
            ends = now() + timedelta(seconds=random.uniform(0.5, 20))
            payload["expires_at"] = to_text(ends)
    answer = await client.ask(name, payload)
    if "data" in answer:
        done[answer["data"]["status"]] += 1
        if answer["data"]["status"] == "open":
            mine.append(answer["data"]["id"])
    else:
        done[answer["error"]["code"]] += 1


async def compare(watchers: list[Watcher], trader: Client, which: dict[str, Any]) -> None:
    """Wait for a heartbeat in the quiet, and compare all views with a fresh snapshot."""
    for watcher in watchers:
        watcher.beat.clear()
    async with asyncio.timeout(10 * BEAT_S):
        await asyncio.gather(*(watcher.beat.wait() for watcher in watchers))
        while True:
            fresh = (await trader.ask("get_book", which | {"depth": 200}))["data"]
            # An offer may expire between the snapshot and this look.
            if all(watcher.follower.seq == fresh["seq"] for watcher in watchers):
                break
            await asyncio.sleep(0.05)
    tops = [float(fresh[side][0]["price"]) for side in ("bids", "asks") if fresh[side]]
    if len(tops) == 2 and tops[0] >= tops[1]:
        raise SystemExit(f"the book is crossed: {tops}")
    for watcher in watchers:
        if watcher.failure is not None:
            raise watcher.failure
        depth = watcher.follower.depth
        shown = {side: fresh[side][:depth] for side in ("bids", "asks")}
        if not watcher.follower.must_fetch and watcher.follower.view() != shown:
            raise SystemExit(f"depth {depth} differs at seq {fresh['seq']}")


async def follow(seconds: float) -> None:
    """Trade and compare for so long, then print the counts."""
    shop, done, compared = Shop(), Counter[str](), 0
    async with application(shop.fill) as app:
        issue = OwnTokens(SECRET, timedelta(days=1)).issue
        which = {"product_id": shop.product_id, "size": SIZE}
        traders = [Client() for _ in shop.accounts]
        watchers = [Watcher(depth, which) for depth in DEPTHS]
        for client, account in zip(traders, shop.accounts, strict=True):
            await client.open(app, issue(account))
        for watcher in watchers:
            await watcher.open(app, issue(shop.accounts[0]))
        following = [asyncio.create_task(watcher.follow()) for watcher in watchers]
        offers: dict[Client, list[str]] = {client: [] for client in traders}
        end = time.monotonic() + seconds

        async def some(client: Client) -> None:
            for _ in range(BURST // TRADERS):
                await trade(client, which, offers[client], done)

        while time.monotonic() < end:
            await asyncio.gather(*map(some, traders))
            await compare(watchers, traders[0], which)
            compared += 1
            for watcher in watchers:
                watcher.begin_anew()
        for task in following:
            task.cancel()
        for client in (*traders, *watchers):
            await client.sio.disconnect()
    sys.stdout.write(f"{compared} comparisons in the quiet; {dict(done)}\n")
    for watcher in watchers:
        follower = watcher.follower
        sys.stdout.write(
            f"depth {follower.depth}: equal; {follower.compared} heartbeats compared,"
            f" {follower.fetches} fetches\n"
        )


if __name__ == "__main__":
    asyncio.run(follow(float(sys.argv[1]) if len(sys.argv) > 1 else 60.0))
