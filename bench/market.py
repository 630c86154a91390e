"""The market: matches a second, notice of a match at both parties, deep books."""

import asyncio
import time
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import aiohttp
import socketio

from app.identity.own_jwt import OwnTokens
from bench.application import Application, application, p50_p99
from bench.server import SECRET
from models.accounts import Account, Accounts, Passwords
from models.database import Database, Document
from models.identity import Identity
from models.market.book import ASK
from models.market.journal import book_id
from models.market.operators import Operators
from models.market.products import Products
from models.market.projection import Projection, new_offer
from models.market.stored import JournalOffer
from models.times import now

CLIENTS = 8
NEAR, DEEP, TAKEN = "US 8", "US 9", "US 10"
"""Sizes of the shoe: whose book is empty, deep, and taken from by all clients at once."""

DEPTHS = (100, 1_000, 10_000, 100_000)
BEST = 20_000
LEVELS = 1_000
AT_ONCE = 5_000
PATIENCE = aiohttp.ClientTimeout(total=300)


@dataclass(frozen=True)
class MarketFigures:
    """Matches a second of eight clients on one book; milliseconds for the rest.

    `notified` is from sending the bid until the later one of buyer and seller has its frame on
    `/ws`, `subscribed` from `subscribe_book` to its ack in a book with 10,000 offers.
    """

    matches_per_s: float
    notified_p50_ms: float
    notified_p99_ms: float
    subscribed_p50_ms: float
    subscribed_p99_ms: float


@dataclass(frozen=True)
class DepthFigures:
    """CPU milliseconds of the whole process for a match, by the offers that wait in its book."""

    cpu_ms_at_100: float
    cpu_ms_at_1_000: float
    cpu_ms_at_10_000: float
    cpu_ms_at_100_000: float


async def market(matches: int = 200, depth: int = 10_000) -> MarketFigures:
    """Match from eight clients, then one by one with both parties listening; then subscribe."""
    shop = Shop({DEEP: depth, TAKEN: matches})
    async with application(shop.fill) as app, shop.open(app) as people:
        taken = iter(range(matches))

        async def take(client: Client) -> None:
            for _ in taken:
                await client.match(TAKEN)

        began = time.perf_counter()
        await asyncio.gather(*map(take, people.buyers))
        per_s = matches / (time.perf_counter() - began)
        notified = await _notified(people.buyers[0], people.seller, matches)
        subscribed = await _subscribed(app, people.seller, matches)
    return MarketFigures(per_s, *p50_p99(notified), *p50_p99(subscribed))


async def market_depth(matches: int = 100, depths: Iterable[int] = DEPTHS) -> DepthFigures:
    """Match in books of several depths, each on a server of its own."""
    return DepthFigures(*[await _cpu_ms(depth, matches) for depth in depths])


async def _cpu_ms(depth: int, matches: int) -> float:
    shop = Shop({DEEP: depth + matches + 1})
    async with application(shop.fill) as app, shop.open(app) as people:
        await people.buyers[0].match(DEEP)  # reads the book into memory
        before_s = app.cpu_s()
        for _ in range(matches):
            await people.buyers[0].match(DEEP)
        return (app.cpu_s() - before_s) / matches * 1e3


async def _notified(buyer: "Client", seller: "Client", times: int) -> list[float]:
    sockets = [await client.listen() for client in (buyer, seller)]
    latencies = []
    for _ in range(times):
        await seller.place("asks", NEAR)
        began = time.perf_counter()
        request = asyncio.create_task(buyer.match(NEAR))
        await asyncio.gather(*map(_match_created, sockets))
        latencies.append((time.perf_counter() - began) * 1e3)
        await request
    for socket in sockets:
        await socket.close()
    return latencies


async def _match_created(socket: aiohttp.ClientWebSocketResponse) -> None:
    while True:
        frame = await socket.receive_json(timeout=60)
        if frame["data"].get("notification_type") == "match_created":
            return


async def _subscribed(app: Application, client: "Client", times: int) -> list[float]:
    follower = socketio.AsyncClient()
    auth = {"token": client.token, "recovery": False}
    await follower.connect(app.url, auth=auth, namespaces=["/market"], transports=["websocket"])
    which = {"product_id": client.product_id, "size": DEEP}
    latencies = []
    for number in range(times + 1):
        began = time.perf_counter()
        answer = await follower.call("subscribe_book", which, namespace="/market", timeout=300)
        if number:  # the first one reads the book into memory
            latencies.append((time.perf_counter() - began) * 1e3)
        if "error" in answer:
            raise RuntimeError(f"subscribe_book: {answer['error']}")
        await follower.call("unsubscribe_book", which, namespace="/market", timeout=60)
    await follower.disconnect()
    return latencies


class Client:
    """One who trades over REST."""

    def __init__(self, http: aiohttp.ClientSession, token: str, product_id: str) -> None:
        self.token = token
        self.product_id = product_id
        self._http = http
        self._headers = {"Authorization": f"Bearer {token}"}

    async def match(self, size: str) -> None:
        """Bid what the best ask wants, and more."""
        answer = await self.place("bids", size, price=f"{(BEST + LEVELS) // 50}.00")
        if answer["status"] != "matched":
            raise RuntimeError("the bid has met nobody")

    async def place(self, path: str, size: str, price: str = "200.00") -> dict[str, Any]:
        """Bid or ask; returns the offer."""
        offer = {"product_id": self.product_id, "size": size, "price": price}
        url = f"/api/v1/{path}"
        async with self._http.post(url, json=offer, headers=self._headers) as response:
            response.raise_for_status()
            answer: dict[str, Any] = await response.json()
            return answer

    async def listen(self) -> aiohttp.ClientWebSocketResponse:
        """Connect to `/ws`."""
        socket = await self._http.ws_connect("/ws", headers=self._headers)
        await socket.receive_json()
        return socket


class People:
    """The clients of one server, while they are there."""

    def __init__(self, app: Application, tokens: list[str], product_id: str) -> None:
        self._http = aiohttp.ClientSession(app.url, timeout=PATIENCE)
        self.seller, *self.buyers = [Client(self._http, token, product_id) for token in tokens]

    async def __aenter__(self) -> "People":
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._http.close()


class Shop:
    """A shoe, those who trade it, and books of so many asks in some of its sizes."""

    def __init__(self, depths: dict[str, int]) -> None:
        self._depths = depths
        self._people: list[Account] = []
        self._product_id = ""

    def open(self, app: Application) -> People:
        """Let the people in."""
        issue = OwnTokens(SECRET, timedelta(hours=1)).issue
        return People(app, [issue(account) for account in self._people], self._product_id)

    async def fill(self, database: Database) -> None:
        """Write what a server would have left; the journal is read from its last number on."""
        accounts = Accounts(database, Passwords())
        for number in range(CLIENTS + 1):
            self._people.append(await accounts.find_or_create_by_email(f"u{number}@example.com"))
        operator = self._people[0]
        products = Products(database, Operators([operator.id]), now)
        product = await products.create(
            Identity(operator.id, operator.email, operator.public_id),
            name="Nike Air Jordan 1",
            sku="AJ1",
            sizes=[NEAR, DEEP, TAKEN],
            operation_id="bench",
        )
        self._product_id = str(product["id"])
        for size, depth in self._depths.items():
            await self._write_book(database, size, depth)
        # After the documents: one index for all of them costs less than one entry for each.
        await Projection(database).prepare()

    async def _write_book(self, database: Database, size: str, depth: int) -> None:
        book = book_id(self._product_id, size)
        offers = database["market_offers"]
        for first in range(1, depth + 1, AT_ONCE):
            seqs = range(first, min(first + AT_ONCE, depth + 1))
            await asyncio.gather(*(offers.insert_one(self._ask(book, size, seq)) for seq in seqs))
        await database["market_books"].insert_one({"_id": book, "done": depth})

    def _ask(self, book: str, size: str, seq: int) -> Document:
        offer: JournalOffer = {
            "id": f"{book}:{seq}",
            "account_id": self._people[0].id,
            "side": ASK,
            "price": BEST + seq % LEVELS,
            "expires_at": None,
        }
        where = {"book": book, "product_id": self._product_id, "size": size}
        return {**new_offer(offer, **where, seq=seq, at=now())}
