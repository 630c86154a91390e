"""Stop and kill a server in mid-traffic: `python -m bench.stops [--terms 10] [--kills 10]`.

Each round starts `python -m app` on the same store (embedded, or a database of the run's own at
`MONGODB_URI`), sends messages, bids and stories over
REST, Socket.IO on WebSocket and on long-polling, keeps raw WebSockets busy, ends the server by
SIGTERM or SIGKILL, and starts it again to count. Each thing has a text or price of its own, so that
it is recognised. A round fails when

- something that was acknowledged is not there, or anything is there more than once;
- after SIGTERM, something is there that was not acknowledged, a raw WebSocket was closed with
  another code than 1001, a client was not told `session.ending`, or the process took `STOP_S`.
"""

import argparse
import asyncio
import contextlib
import json
import os
import random
import signal
import sys
import tempfile
import time
from asyncio.subprocess import PIPE, STDOUT, Process
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import uuid4

import aiohttp
import socketio

from bench.ports import connect, free_port

ROOT = Path(__file__).parent.parent
PASSWORD = "password123"
STOP_S = 5.0
"""Within which operators expect a process to be gone."""

START_S = 60.0
PATIENCE = aiohttp.ClientTimeout(total=30)
DEPTH = 4
"""Commands that a Socket.IO client has under way."""

_LIMITS = (
    *("MESSAGES_PER_S", "MESSAGES_BURST", "WRITES_PER_S", "WRITES_BURST"),
    *("READS_PER_S", "READS_BURST"),
)


class RoundFailedError(Exception):
    """What a round has shown to be wrong."""


@dataclass
class Told:
    """What one client has sent and heard, by the text or price of each thing."""

    kind: str
    sent: list[str] = field(default_factory=list)
    acked: set[str] = field(default_factory=set)
    refused: dict[str, Any] = field(default_factory=dict)
    ending: str | None = None
    close_code: int | None = None

    def answer(self, key: str, answer: Any, *, done: bool) -> None:
        """Note the answer to a command."""
        if done:
            self.acked.add(key)
        else:
            self.refused[key] = answer


@dataclass
class Counts:
    """What came of several rounds."""

    rounds: int = 0
    sent: int = 0
    acked: int = 0
    refused: int = 0
    unanswered: int = 0
    unanswered_done: int = 0
    slowest_s: float = 0.0

    def line(self, name: str) -> str:
        """Return a line of the report."""
        return (
            f"{name}: {self.rounds} rounds, {self.sent} commands sent, {self.acked} acknowledged"
            f" and each found once, {self.refused} refused, {self.unanswered} unanswered, of these"
            f" {self.unanswered_done} done; slowest end {self.slowest_s:.2f} s"
        )


class Server:
    """A server process on one store and one port."""

    def __init__(self, folder: Path) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._process: Process | None = None
        self._environment = {
            "PATH": os.environ["PATH"],
            "DATA_DIR": str(folder),
            "PORT": str(self.port),
            "GRPC_PORT": "0",
            "LOG_LEVEL": "WARNING",
            **{f"LIMIT_{name}": "100000" for name in _LIMITS},
        }
        if uri := os.environ.get("MONGODB_URI"):
            # A database of this run's own; without one, the embedded store in `folder`.
            self._environment |= {"MONGODB_URI": uri, "MONGODB_DATABASE": f"stops_{uuid4().hex}"}

    async def start(self) -> None:
        """Start, and wait until it listens."""
        self._process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "app"),
            cwd=ROOT,
            env=self._environment,
            stdout=PIPE,
            stderr=STDOUT,
        )
        deadline = time.monotonic() + START_S
        while True:
            try:
                _, writer = await connect(self.port)
            except TimeoutError:
                if time.monotonic() > deadline:
                    raise
            else:
                writer.close()
                return

    async def end(self, number: signal.Signals) -> float:
        """Send a signal; returns after how many seconds the process was gone.

        Raises:
            RoundFailedError: it has logged an error, or has not ended with status 0 on SIGTERM.
        """
        process = self._process
        assert process is not None
        assert process.stdout is not None
        began = time.monotonic()
        process.send_signal(number)
        logged = (await process.stdout.read()).decode()
        status = await process.wait()
        self._process = None
        if (number is signal.SIGTERM and status) or "Traceback" in logged or "ERROR" in logged:
            raise RoundFailedError(f"status {status}, and it logged: {logged[-2000:]}")
        return time.monotonic() - began

    async def kill(self) -> None:
        """End a server that is still there."""
        if self._process is not None:
            self._process.kill()
            await self._process.communicate()


class Api:
    """REST calls of one account."""

    def __init__(self, http: aiohttp.ClientSession, url: str, token: str, account_id: str) -> None:
        self.http = http
        self.url = url
        self.token = token
        self.account_id = account_id

    async def call(self, method: str, path: str, body: object = None) -> tuple[int, Any]:
        """Make a request; returns status and JSON."""
        headers = {"Authorization": f"Bearer {self.token}"}
        async with self.http.request(
            method, self.url + path, json=body, headers=headers
        ) as response:
            return response.status, await response.json(content_type=None)


async def sign_up(http: aiohttp.ClientSession, url: str, name: str) -> Api:
    """Make an account."""
    account = {"email": f"{name}@example.com", "password": PASSWORD}
    async with http.post(f"{url}/signup", json=account) as response:
        answer = await response.json()
    return Api(http, url, answer["token"], answer["user"]["id"])


Make = Callable[[str], dict[str, Any]]


async def by_websocket(api: Api, namespace: str, event: str, make: Make, told: Told) -> None:
    """Send commands frame by frame, several under way, until the server closes."""
    url = f"{api.url}/socket.io/?EIO=4&transport=websocket"
    async with api.http.ws_connect(url, autoclose=True) as socket:
        waiting: dict[int, str] = {}
        room = asyncio.Semaphore(DEPTH)
        joined = asyncio.Event()
        await socket.send_str(f"40/{namespace},{json.dumps({'token': api.token})}")

        async def send() -> None:
            await joined.wait()
            for number in range(1_000_000):
                await room.acquire()
                key = waiting[number] = f"{told.kind}-{number}"
                told.sent.append(key)
                command = json.dumps([event, make(key)])
                await socket.send_str(f"42/{namespace},{number}{command}")

        sending = asyncio.ensure_future(send())
        try:
            async for message in socket:
                text = message.data
                if text == "2":
                    await socket.send_str("3")
                elif text.startswith(f"40/{namespace},"):
                    joined.set()
                elif text.startswith(f"43/{namespace},"):
                    head, _, rest = text.removeprefix(f"43/{namespace},").partition("[")
                    (answer,) = json.loads("[" + rest)
                    told.answer(waiting.pop(int(head)), answer, done="data" in answer)
                    room.release()
                elif text.startswith(f'42/{namespace},["session.ending"'):
                    told.ending = json.loads(text.partition(",")[2])[1]["code"]
            told.close_code = socket.close_code
        finally:
            sending.cancel()
            with suppress(asyncio.CancelledError, ConnectionError, aiohttp.ClientError):
                await sending


async def by_polling(api: Api, namespace: str, event: str, make: Make, told: Told) -> None:
    """Send commands with python-socketio's client on long-polling."""
    client = socketio.AsyncClient(reconnection=False, handle_sigint=False)
    gone = asyncio.Event()
    room = asyncio.Semaphore(DEPTH)

    async def ending(data: dict[str, Any]) -> None:
        told.ending = data["code"]

    async def left(*_: object) -> None:
        gone.set()

    client.on("session.ending", ending, f"/{namespace}")
    client.on("disconnect", left, f"/{namespace}")
    await client.connect(
        api.url,
        auth={"token": api.token, "recovery": False},
        namespaces=[f"/{namespace}"],
        transports=["polling"],
        wait_timeout=START_S,
    )

    async def send() -> None:
        for number in range(1_000_000):
            await room.acquire()
            key = f"{told.kind}-{number}"

            def answered(answer: dict[str, Any], key: str = key) -> None:
                told.answer(key, answer, done="data" in answer)
                room.release()

            told.sent.append(key)
            await client.emit(event, make(key), f"/{namespace}", callback=answered)

    sending = asyncio.ensure_future(send())
    await gone.wait()
    sending.cancel()
    with suppress(asyncio.CancelledError, socketio.exceptions.SocketIOError):
        await sending
    await client.shutdown()
    if client.eio.http is not None:
        # The library leaves it open when the server dies.
        await client.eio.http.close()


async def by_rest(api: Api, path: str, make: Make, told: Told) -> None:
    """Send requests one after the other until the server is gone, or says so."""
    with suppress(aiohttp.ClientError):
        for number in range(1_000_000):
            key = f"{told.kind}-{number}"
            told.sent.append(key)
            status, answer = await api.call("POST", path, make(key))
            told.answer(key, answer, done=status in (200, 201))
            if status == 503 and answer["code"] != "unavailable":
                # The server stops; a store that is busy for a moment is no end.
                return


async def by_raw(api: Api, path: str, message: dict[str, Any], told: Told) -> None:
    """Keep a raw WebSocket busy until the server closes it."""
    async with api.http.ws_connect(f"{api.url}{path}") as socket:
        with suppress(ConnectionError):
            await socket.send_json(message)
            async for _ in socket:
                await socket.send_json(message)
        told.close_code = socket.close_code


class Round:
    """The traffic of one round, and what is found of it."""

    def __init__(self, number: int, http: aiohttp.ClientSession, url: str) -> None:
        self.number = number
        self._http = http
        self._url = url
        self._channel = f"round{number}"
        self._told: dict[str, Told] = {}
        self._raw: list[Told] = []
        self._clients: list[asyncio.Future[None]] = []

    def _note(self, kind: str) -> Told:
        told = self._told[kind] = Told(f"{kind}{self.number}")
        return told

    async def begin(self) -> None:
        """Make accounts and a product, and start all clients."""
        self._who = who = await sign_up(self._http, self._url, f"round{self.number}")
        shoe = {"name": "Shoe", "sku": f"R{self.number}", "sizes": ["8", "9"]}
        _, product = await who.call("POST", "/api/v1/products", shoe)

        def message(key: str) -> dict[str, Any]:
            return {"conversation_id": self._channel, "content": key, "message_type": "text"}

        def said(key: str) -> dict[str, Any]:
            return {"content": key, "message_type": "text"}

        def story(key: str) -> dict[str, Any]:
            return {"text": key, "visibility": "PUBLIC", "audience_user_ids": []}

        def bid(size: str) -> Make:
            return lambda key: {
                "product_id": product["id"],
                "size": size,
                "price": _price(key),
            }

        messages = f"/api/v1/conversations/{self._channel}/messages"
        with_channel = await who.call("POST", "/api/v1/channels", {"name": self._channel})
        assert with_channel[0] in (200, 201), with_channel
        start = asyncio.ensure_future
        self._clients = [
            start(by_websocket(who, "chat", "send_message", message, self._note("chat-ws"))),
            start(by_polling(who, "chat", "send_message", message, self._note("chat-poll"))),
            start(by_rest(who, messages, said, self._note("chat-rest"))),
            start(by_websocket(who, "market", "place_bid", bid("8"), self._note("bid-ws"))),
            start(by_rest(who, "/api/v1/bids", bid("9"), self._note("bid-rest"))),
            start(by_websocket(who, "stories", "create_story", story, self._note("story-ws"))),
            start(by_rest(who, "/stories", story, self._note("story-rest"))),
        ]
        for path, sent in (
            (f"/ws?token={who.token}", {"type": "ping"}),
            (f"/ws/{who.account_id}?token={who.token}", {"event": "heartbeat"}),
        ):
            self._raw.append(Told("raw"))
            self._clients.append(start(by_raw(who, path, sent, self._raw[-1])))

    async def under_way(self) -> None:
        """Return when each client has had some answers.

        Raises:
            RoundFailedError: one of them has ended before.
        """
        deadline = time.monotonic() + START_S
        while not all(len(told.acked) >= 3 for told in self._told.values()):
            ended = [client for client in self._clients if client.done()]
            if ended or time.monotonic() > deadline:
                raise RoundFailedError(f"no traffic: {ended or self._told}")
            await asyncio.sleep(0.02)

    async def over(self) -> None:
        """Wait until all clients have heard of the end."""
        await asyncio.wait_for(asyncio.gather(*self._clients), START_S)

    async def verify(self, counts: Counts, *, clean: bool) -> None:
        """Look for everything on the server that was started again.

        Raises:
            RoundFailedError: something is missing, double, or there against what its client heard.
        """
        wrong: list[str] = []
        for kind, found in (
            ("chat", await self._found_messages()),
            ("bid", await self._found_bids()),
            ("story", await self._found_stories()),
        ):
            tolds = [told for name, told in self._told.items() if name.startswith(kind)]
            sent = {key for told in tolds for key in told.sent}
            acked = {key for told in tolds for key in told.acked}
            refused = {key: why for told in tolds for key, why in told.refused.items()}
            done = set(found)
            unanswered = sent - acked - refused.keys()
            wrong += [f"{key} is missing" for key in acked - done]
            wrong += [
                f"{key} was refused and done: {why}"
                for key, why in refused.items()
                if key in done and not _is_open(why)
            ]
            wrong += [f"{key} is there {n} times" for key, n in found.items() if n > 1]
            if clean:
                wrong += [f"{key} was not answered and done" for key in unanswered & done]
            counts.sent += len(sent)
            counts.acked += len(acked)
            counts.refused += len(refused)
            counts.unanswered += len(unanswered)
            counts.unanswered_done += len(unanswered & done)
        if clean:
            wrong += [
                f"{name} was told {told.ending}"
                for name, told in self._told.items()
                if not name.endswith("rest") and told.ending != "server_stopping"
            ]
            wrong += [f"raw: {told.close_code}" for told in self._raw if told.close_code != 1001]
        if wrong:
            raise RoundFailedError("; ".join(wrong[:20]))

    async def _found_messages(self) -> Counter[str]:
        found: Counter[str] = Counter()
        after = 0
        while True:
            path = f"/api/v1/conversations/{self._channel}/messages?after={after}&limit=100"
            _, page = await self._who.call("GET", path)
            items = page.get("items", page.get("messages"))
            found.update(item["content"] for item in items)
            if not items:
                return found
            after = max(item["seq"] for item in items)

    async def _found_bids(self) -> Counter[str]:
        prices = await self._paged("/api/v1/bids", lambda bid: (bid["size"], bid["price"]))
        known = {
            (size, _price(key)): key
            for name, size in (("bid-ws", "8"), ("bid-rest", "9"))
            for key in self._told[name].sent
        }
        return Counter({known[each]: count for each, count in prices.items()})

    async def _found_stories(self) -> Counter[str]:
        mine = [told.kind for name, told in self._told.items() if name.startswith("story")]
        texts = await self._paged("/stories", lambda story: story["text"])
        return Counter({text: n for text, n in texts.items() if text.rpartition("-")[0] in mine})

    async def _paged(self, path: str, key: Callable[[dict[str, Any]], Any]) -> Counter[Any]:
        found: Counter[Any] = Counter()
        after = ""
        while True:
            _, page = await self._who.call("GET", f"{path}?limit=100{after}")
            found.update(key(item) for item in page["items"])
            if page["next"] is None:
                return found
            after = f"&after={page['next']}"


def _is_open(answer: dict[str, Any]) -> bool:
    """Whether an error says nothing about what was done: the store was away in the middle of it."""
    return answer.get("error", answer).get("code") in ("unavailable", "internal")


def _price(key: str) -> str:
    cents = 100 + int(key.rpartition("-")[2])
    return f"{cents // 100}.{cents % 100:02d}"


@asynccontextmanager
async def _store() -> AsyncIterator[Server]:
    with tempfile.TemporaryDirectory() as folder:
        server = Server(Path(folder))
        try:
            await server.start()
            yield server
        finally:
            await server.kill()


async def run(
    terms: int, kills: int, *, seconds: float = 60 * 10, report: Callable[[str], object] = print
) -> dict[str, Counts]:
    """Run rounds of both kinds in turns, no new one after `seconds`; returns counts by signal.

    Raises:
        RoundFailedError: of the first round that fails.
    """
    counts = {"SIGTERM": Counts(), "SIGKILL": Counts()}
    order = ["SIGTERM"] * terms + ["SIGKILL"] * kills
    random.shuffle(order)
    deadline = time.monotonic() + seconds
    async with _store() as server:
        for number, name in enumerate(order):
            if time.monotonic() > deadline:
                report(f"the time is over after {number} rounds")
                break
            count = counts[name]
            async with aiohttp.ClientSession(timeout=PATIENCE) as http:
                traffic = Round(number, http, server.url)
                await traffic.begin()
                await traffic.under_way()
                # Anywhere within what goes on, not always at the same point of it.
                await asyncio.sleep(random.uniform(0, 0.3))
                took_s = await server.end(signal.Signals[name])
                if name == "SIGTERM" and took_s > STOP_S:
                    raise RoundFailedError(f"round {number}: it took {took_s:.1f} s to stop")
                with contextlib.suppress(OSError):
                    await traffic.over()
            await server.start()
            async with aiohttp.ClientSession(timeout=PATIENCE) as http:
                traffic._who.http = http
                await traffic.verify(count, clean=name == "SIGTERM")
            count.rounds += 1
            count.slowest_s = max(count.slowest_s, took_s)
            report(f"round {number}: {name} in {took_s:.2f} s")
    return counts


def main() -> int:
    """Run as a program."""
    parser = argparse.ArgumentParser(prog="python -m bench.stops", description=__doc__)
    parser.add_argument("--terms", type=int, default=10, help="rounds that end by SIGTERM")
    parser.add_argument("--kills", type=int, default=10, help="rounds that end by SIGKILL")
    parser.add_argument("--seconds", type=float, default=600, help="no new round after these")
    options = parser.parse_args()
    try:
        counts = asyncio.run(run(options.terms, options.kills, seconds=options.seconds))
    except RoundFailedError as error:
        sys.stdout.write(f"FAILED: {error}\n")
        return 1
    for name, count in counts.items():
        sys.stdout.write(count.line(name) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
