"""What the store costs the domains: `python -m bench.store [--runs 5] [--beside CHECKOUT]`.

Each store is filled once by a process of its own and then asked row by row, in turns: the embedded
store, MongoDB where `MONGODB_URI` is set, and the same stores under the code of another checkout.
CPU is the process's own, with its store's threads, and without that of a MongoDB server.
"""

import argparse
import asyncio
import json
import math
import os
import secrets
import statistics
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import pymongo

from app.demo.loading import build_world
from app.demo.world import World
from app.identity.authenticator import identity_of
from app.settings import Settings
from app.storage import Store, open_store
from models.accounts import Accounts, Passwords
from models.chat.records import CHANNEL, new_conversation, new_message, numbered_id
from models.database import Collection, Document
from models.errors import Unavailable
from models.events import Event
from models.identity import Identity
from models.market.operators import Operators
from models.market.products import Products
from models.stories.schema import PUBLIC
from models.times import now

CALLERS = 8
STORIES = 2_000
LONG, MESSAGES = "long", 20_000
PAGE = 20
AT_ONCE = 1_000
BUSY_S = 0.005
"""How long the event loop is kept from anything else, again and again."""

BESIDE = "beside"
SIZE = "US 9"


@dataclass(frozen=True)
class Figures:
    """Of one row; milliseconds of CPU for one operation, and from its call to its answer."""

    cpu_ms: float
    per_s: float
    p50_ms: float
    p99_ms: float


class Nobody:
    """Publishes to no one: what is measured is the store."""

    async def publish(self, event: Event, *rooms: str, except_room: str | None = None) -> None:
        """Do nothing."""


class Bench:
    """The domains on one filled store, and what is asked of them."""

    def __init__(self, store: Store, world: World, people: list[Identity], product_id: str) -> None:
        self._world = world
        self._people = people
        self._product_id = product_id
        self._things = store.database["bench_things"]
        self.rows: dict[str, tuple[Callable[[int], Awaitable[object]], int]] = {
            "a document read by its `_id`": (self._read, 4_000),
            "a document inserted": (self._insert, 2_000),
            "a document changed with a condition": (self._change, 2_000),
            "a chat message sent": (self._send, 800),
            f"a page of {PAGE} of {MESSAGES:,} messages": (self._history, 400),
            f"a page of {PAGE} of {STORIES:,} public stories": (self._feed, 200),
            f"a search through {MESSAGES:,} messages": (self._search, 24),
            "a match, with both notified": (self._match, 120),
        }

    async def _read(self, number: int) -> None:
        await self._things.find_one({"_id": f"thing-{number % 100}"})

    async def _insert(self, number: int) -> None:
        await self._things.insert_one({"_id": secrets.token_hex(8), "n": number, "at": now()})

    async def _change(self, number: int) -> None:
        this = {"_id": f"thing-{number % 100}", "n": {"$gte": 0}}
        await self._things.update_one(this, {"$inc": {"n": 1}, "$set": {"at": now()}})

    async def _send(self, number: int) -> None:
        caller = self._people[number % CALLERS]
        await self._world.chat.messages.send(
            caller, "bench", content="Hello there", message_type="text"
        )

    async def _history(self, number: int) -> None:
        before = MESSAGES - number * 37 % (MESSAGES - PAGE)
        page = await self._world.chat.reading.history(
            self._people[0], LONG, before=before, limit=PAGE
        )
        assert len(page["items"]) == PAGE

    async def _feed(self, number: int) -> None:
        page = await self._world.stories.feed(self._people[number % CALLERS], limit=PAGE)
        assert len(page["items"]) == PAGE

    async def _search(self, number: int) -> None:
        """Find the oldest message, page by page where one search does not look through all."""
        before: int | None = None
        found = 0
        while before is not None or not found:
            page = await self._world.chat.reading.search(
                self._people[0], LONG, text="MESSAGE 1!", before=before, limit=PAGE
            )
            found += len(page["items"])
            before = page["before"]
        assert found == 1

    async def _match(self, number: int) -> None:
        half = CALLERS // 2
        for side, caller in (("ask", number % half), ("bid", half + number % half)):
            await self._world.market.trading.place(
                self._people[caller],
                side,
                product_id=self._product_id,
                size=SIZE,
                price=20_000,
            )

    async def measure(self, row: str) -> Figures:
        """Let `CALLERS` call, each again when it has its answer."""
        call, times = self.rows[row]
        await self._run(call, times // 4)
        cpu_s, began = time.process_time(), time.perf_counter()
        latencies = await self._run(call, times)
        elapsed_s, cpu_s = time.perf_counter() - began, time.process_time() - cpu_s
        return _figures(latencies, cpu_s, elapsed_s)

    async def measure_busy(self) -> Figures:
        """Insert one by one while the event loop has other work nearly all the time."""
        busy = asyncio.create_task(_keep_busy())
        cpu_s, began = time.process_time(), time.perf_counter()
        latencies = [await _timed(self._insert, number) for number in range(100)]
        elapsed_s, cpu_s = time.perf_counter() - began, time.process_time() - cpu_s
        busy.cancel()
        return _figures(latencies, cpu_s, elapsed_s)

    async def _run(self, call: Callable[[int], Awaitable[object]], times: int) -> list[float]:
        numbers = iter(range(times))
        latencies: list[float] = []

        async def one() -> None:
            for number in numbers:
                latencies.append(await _timed(call, number))

        await asyncio.gather(*(one() for _ in range(CALLERS)))
        return latencies


BUSY = f"a document inserted, the loop busy for {BUSY_S * 1e3:.0f} ms at a time"


async def _keep_busy() -> None:
    while True:
        until = time.perf_counter() + BUSY_S
        while time.perf_counter() < until:
            pass
        await asyncio.sleep(0)


async def _timed(call: Callable[[int], Awaitable[object]], number: int) -> float:
    began = time.perf_counter()
    await call(number)
    return (time.perf_counter() - began) * 1e3


def _figures(latencies: list[float], cpu_s: float, elapsed_s: float) -> Figures:
    count = len(latencies)
    p99 = statistics.quantiles(latencies, n=100)[98]
    return Figures(cpu_s / count * 1e3, count / elapsed_s, statistics.median(latencies), p99)


async def _fill(store: Store, settings: Settings, passwords: Passwords) -> Bench:
    accounts = Accounts(store.database, passwords)
    await accounts.prepare()
    people = [
        identity_of(await accounts.find_or_create_by_email(f"user{number}@example.com"))
        for number in range(CALLERS)
    ]
    world = build_world(store.database, Nobody(), settings, accounts)
    for model in (world.stories, world.chat, world.market):
        await model.prepare()
    author = people[0].account_id
    for name in ("bench", LONG):
        conversation = new_conversation(name, CHANNEL, author, now())
        last_seq = MESSAGES if name == LONG else 0
        await store.database["conversations"].insert_one({**conversation, "last_seq": last_seq})
    await _insert_all(store.database["chat_messages"], _messages(author))
    things = ({"_id": f"thing-{number}", "n": 0, "at": now()} for number in range(100))
    await _insert_all(store.database["bench_things"], things)
    for number in range(STORIES):
        story = {"text": f"Story {number}", "visibility": PUBLIC, "audience_user_ids": []}
        await world.stories.create(people[number % CALLERS], **story)  # type: ignore[arg-type]
    products = Products(store.database, Operators([author], everyone_adds=True), now)
    shoe = await products.create(people[0], name="Shoe", sku="S1", sizes=[SIZE], operation_id="s")
    return Bench(store, world, people, shoe["id"])


def _messages(author: str) -> Iterable[Document]:
    for seq in range(1, MESSAGES + 1):
        message = new_message(
            author,
            content=f"It was a bright cold day in April, said message {seq}!",
            message_type="text",
            reply_to=None,
            mentions=[],
            attachments=[],
            client_id=None,
            created_at=now(),
        )
        yield {"_id": numbered_id(LONG, seq), "conversation_id": LONG, "seq": seq, **message}


async def _insert_all(collection: Collection, documents: Iterable[Document]) -> None:
    batch: list[Document] = []
    for document in documents:
        batch.append(document)
        if len(batch) == AT_ONCE:
            await asyncio.gather(*map(collection.insert_one, batch))
            batch = []
    await asyncio.gather(*map(collection.insert_one, batch))


async def _serve(mongodb_uri: str | None) -> None:
    """Fill a store, then measure the rows that are named on standard input, one a line."""
    name = f"bench_{secrets.token_hex(4)}"
    with tempfile.TemporaryDirectory() as folder:
        settings = replace(
            Settings.from_env(),
            data_dir=Path(folder),
            mongodb_uri=mongodb_uri,
            mongodb_database=name,
        )
        store, passwords = await open_store(settings), Passwords()
        try:
            bench = await _fill(store, settings, passwords)
            sys.stdout.write(json.dumps([*bench.rows, BUSY]) + "\n")
            sys.stdout.flush()
            while row := (await asyncio.to_thread(sys.stdin.readline)).strip():
                try:
                    figures = await (bench.measure_busy() if row == BUSY else bench.measure(row))
                except Unavailable as error:
                    # A server for tests gives up on what it looks at all documents for.
                    sys.stderr.write(f"{row}: {error}\n")
                    figures = Figures(math.nan, math.nan, math.nan, math.nan)
                sys.stdout.write(json.dumps(asdict(figures)) + "\n")
                sys.stdout.flush()
        finally:
            passwords.close()
            await store.close()
            if mongodb_uri:
                with pymongo.MongoClient[Document](mongodb_uri) as client:
                    client.drop_database(name)


class Process:
    """A filled store in a process of its own."""

    def __init__(self, name: str, checkout: Path, mongodb_uri: str | None) -> None:
        self.name = name
        self._checkout = checkout
        self._uri = mongodb_uri

    async def start(self) -> list[str]:
        """Fill the store; returns the rows that it can measure."""
        # -P: the modules of this folder have names that others have, too.
        command = [sys.executable, "-P", __file__, "--serve"]
        # A file that is run takes its code from the first of these folders.
        environ = {**os.environ, "PYTHONPATH": str(self._checkout)}
        environ.pop("MONGODB_URI", None)
        if self._uri:
            environ["MONGODB_URI"] = self._uri
        self._process = await asyncio.create_subprocess_exec(
            *command,
            env=environ,
            cwd=self._checkout,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
        )
        rows: list[str] = await self._answer()
        return rows

    async def measure(self, row: str) -> Figures:
        """Measure a row once."""
        assert self._process.stdin is not None
        self._process.stdin.write(f"{row}\n".encode())
        return Figures(**await self._answer())

    async def stop(self) -> None:
        """Let the process remove what it has made."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        await self._process.wait()

    async def _answer(self) -> Any:
        assert self._process.stdout is not None
        line = await self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"{self.name}: the process has ended")
        return json.loads(line)


async def _measure(runs: int, beside: Path | None, only: str) -> None:
    here, uri = Path(__file__).parents[1], os.environ.get("MONGODB_URI")
    kinds = [("embedded", None), *([("motor", uri)] if uri else [])]
    checkouts = [("", here), *([(f", {BESIDE}", beside)] if beside else [])]
    processes = [
        Process(f"{kind}{suffix}", checkout.absolute(), address)
        for kind, address in kinds
        for suffix, checkout in checkouts
    ]
    try:
        rows, *_ = [await process.start() for process in processes]
        names = [*Figures.__dataclass_fields__]
        for row in rows:
            if only.lower() not in row.lower():
                continue
            measured: dict[str, list[Figures]] = {process.name: [] for process in processes}
            for run in range(runs):
                # In turns, and each in front as often: what else the machine does hits all alike.
                for process in processes if run % 2 else reversed(processes):
                    measured[process.name].append(await process.measure(row))
            print(f"### {row[0].upper()}{row[1:]}\n\n| store | {' | '.join(names)} |")
            print("|---" * (len(names) + 1) + "|")
            for process in processes:
                cells = [_cell(measured, process.name, name) for name in names]
                print(f"| {process.name} | {' | '.join(cells)} |")
            print(flush=True)
    finally:
        for process in processes:
            await process.stop()


def _cell(measured: dict[str, list[Figures]], process: str, name: str) -> str:
    """Return a median; beside another checkout's, how many times that one's figure ours is."""
    theirs = [getattr(each, name) for each in measured[process]]
    if any(map(math.isnan, theirs)):
        return "-"
    text = f"{statistics.median(theirs):,.2f}"
    kind, _, suffix = process.partition(", ")
    if suffix != BESIDE:
        return text
    ours = [getattr(each, name) for each in measured[kind]]
    ratio = statistics.median(mine / other for mine, other in zip(ours, theirs, strict=True))
    return f"{text} (ours: {ratio:.2f} of it)"


def main() -> None:
    """Measure and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--only", default="", help="rows with this in their names")
    parser.add_argument("--beside", type=Path, help="measure this checkout's code in turns, too")
    parser.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.serve:
        asyncio.run(_serve(os.environ.get("MONGODB_URI")))
    else:
        asyncio.run(_measure(args.runs, args.beside, args.only))


if __name__ == "__main__":
    main()
