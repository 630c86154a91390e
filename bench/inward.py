"""The way in: commands with acks, a game in small rooms, connections that are accepted.

Clients mask their frames as browsers do. The figures are the server's own CPU time; what the load
client needs beside it is not in them.
"""

import asyncio
import time
from dataclasses import dataclass
from datetime import timedelta

from app.identity.own_jwt import OwnTokens
from bench.application import application, p50_p99
from bench.load import Client, Crowd, Way, masked_text
from bench.peers.control import GROUP
from bench.server import SECRET, Kind, running, tokens
from models.accounts import Account, Accounts, Passwords
from models.database import Database

PATIENCE_S = 60.0
KEYS_PER_S = 5
"""Of a player who types."""

_TICKS = 100
"""Moments of an interval at which players begin: not all press a key at once."""

_SETTLE_S = 0.5
_POLL_S = 0.05
_CHAT = "/socket.io/?EIO=4&transport=websocket"


@dataclass(frozen=True)
class Commands:
    """Commands with an ack, each client's next one sent when the last is acknowledged."""

    per_cpu_s: float
    user_us: float
    """The server's user time for a command, in microseconds."""

    p50_ms: float
    p99_ms: float


@dataclass(frozen=True)
class Game:
    """Rooms of six, whose players send what they type to all of their room."""

    players_per_core: float
    user_us: float
    """The server's user time for a message and its six deliveries, in microseconds."""

    p50_ms: float
    p99_ms: float


@dataclass(frozen=True)
class Accepted:
    """Connections that are let into a namespace with a token."""

    per_cpu_s: float
    user_us: float


@dataclass(frozen=True)
class AcceptedByApplication:
    """Connections to `/chat`, whose account is checked, per CPU-second of the whole process."""

    first_per_cpu_s: float
    """People that the process has not seen before."""

    again_per_cpu_s: float
    """The same people, who come back."""


@dataclass(frozen=True)
class Messages:
    """Chat messages of eight clients in one channel, store and deliveries included."""

    cpu_ms: float
    per_s: float
    ack_p50_ms: float
    ack_p99_ms: float


class _Asker:
    """Sends one command again and again; times each until its ack."""

    def __init__(self, client: Client, frame: bytes, ack: bytes) -> None:
        self.latencies_s: list[float] = []
        self._client = client
        self._frame = frame
        self._ack = ack
        self._left = 0
        self._sent_at = 0.0
        self._done: asyncio.Future[None] | None = None
        client.listener = self._received

    async def ask(self, times: int) -> None:
        """Send `times` commands, one after the other."""
        self._left = times
        self._done = asyncio.get_running_loop().create_future()
        self._send()
        await self._done

    def _send(self) -> None:
        self._sent_at = time.perf_counter()
        self._client.transport.write(self._frame)

    def _received(self, message: bytes) -> None:
        if self._done is None or not message.startswith(self._ack):
            return
        self.latencies_s.append(time.perf_counter() - self._sent_at)
        self._left -= 1
        if b'"error"' in message:
            self._done.set_exception(RuntimeError(message.decode()))
        elif self._left:
            self._send()
        else:
            self._done.set_result(None)


async def _ask_all(askers: list[_Asker], times: int) -> list[float]:
    for asker in askers:
        asker.latencies_s.clear()
    await asyncio.wait_for(asyncio.gather(*(asker.ask(times) for asker in askers)), PATIENCE_S)
    return [latency_s * 1e3 for asker in askers for latency_s in asker.latencies_s]


async def echo(kind: Kind, clients: int = 100, *, times: int = 300) -> Commands:
    """Have each client say something tiny `times` times; ours checks it by a schema."""
    async with running(kind) as server:
        crowd = Crowd(server.port, kind.way)
        await crowd.join(tokens(clients))
        text = b'42/bench,7["echo",{"text":"hello hello hello hello"}]'
        askers = [_Asker(client, masked_text(text), b"43/bench,7[") for client in crowd.clients]
        await _ask_all(askers, times // 5)
        before = await server.settled()
        latencies = await _ask_all(askers, times)
        after = await server.stats()
        await crowd.leave()
    commands = clients * times
    return Commands(
        commands / (after.cpu_s - before.cpu_s),
        (after.user_s - before.user_s) / commands * 1e6,
        *p50_p99(latencies),
    )


async def game(kind: Kind, players: int, *, seconds: float = 6.0) -> Game:
    """Let `players` type for some seconds; everyone sees what their room types."""
    async with running(kind) as server:
        crowd = Crowd(server.port, kind.way)
        await crowd.join(tokens(players))
        latencies: list[float] = []

        def seen(message: bytes) -> None:
            at = message.find(b'"text":"')
            if at > 0:
                typed_at = float(message[at + 8 : message.index(b'"', at + 8)])
                latencies.append((time.perf_counter() - typed_at) * 1e3)

        for client in crowd.clients:
            client.listener = seen
        await _all_seen(latencies, await _type(crowd.clients, 1.0))
        latencies.clear()
        before = await server.settled()
        sent = await _type(crowd.clients, seconds)
        await _all_seen(latencies, sent)
        after = await server.stats()
        await crowd.leave()
    return Game(
        sent / (after.cpu_s - before.cpu_s) / KEYS_PER_S,
        (after.user_s - before.user_s) / sent * 1e6,
        *p50_p99(latencies),
    )


async def _all_seen(latencies: list[float], messages: int) -> None:
    for _ in range(int(PATIENCE_S / _POLL_S)):
        if len(latencies) >= messages * GROUP:
            return
        await asyncio.sleep(_POLL_S)
    raise TimeoutError("not all have seen what was typed")


async def _type(clients: list[Client], seconds: float) -> int:
    """Have all clients type `KEYS_PER_S`; returns how many messages they sent."""
    loop = asyncio.get_running_loop()
    began, sent = loop.time(), 0
    for tick in range(int(seconds * KEYS_PER_S * _TICKS)):
        await asyncio.sleep(max(0.0, began + tick / _TICKS / KEYS_PER_S - loop.time()))
        for client in clients[tick % _TICKS :: _TICKS]:
            text = b'42/bench,["key",{"text":"%.6f"}]' % time.perf_counter()
            client.transport.write(masked_text(text))
            sent += 1
    return sent


async def accepted(kind: Kind, connections: int = 1500) -> Accepted:
    """Connect clients with a token each, none of which the server has seen before."""
    async with running(kind) as server:
        everyone = tokens(connections + 100)
        # What the first clients make the process load is not theirs.
        known, crowd = Crowd(server.port, kind.way), Crowd(server.port, kind.way)
        await known.join(everyone[:100])
        before = await server.settled()
        await crowd.join(everyone[100:])
        after = await server.stats()
        await crowd.leave()
        await known.leave()
    return Accepted(
        connections / (after.cpu_s - before.cpu_s),
        (after.user_s - before.user_s) / connections * 1e6,
    )


async def accepted_by_application(connections: int = 1500) -> AcceptedByApplication:
    """Connect to `/chat` with tokens of sessions, leave, and come back."""
    own = OwnTokens(SECRET, timedelta(hours=1))
    everyone: list[str] = []

    async def fill(database: Database) -> None:
        accounts = Accounts(database, Passwords())
        for account in await _people(database, connections + 100):
            session = await accounts.sessions.open(account.id)
            everyone.append(own.issue(account, session.id))

    async with application(fill) as app:
        way = Way(_CHAT, "/chat")
        known = Crowd(app.port, way)
        await known.join(everyone[:100])
        per_cpu_s = []
        for _ in range(2):
            crowd, before_s = Crowd(app.port, way), app.cpu_s()
            await crowd.join(everyone[100:])
            per_cpu_s.append(connections / (app.cpu_s() - before_s))
            await crowd.leave()
            await asyncio.sleep(_SETTLE_S)
        await known.leave()
    return AcceptedByApplication(*per_cpu_s)


async def messages(clients: int = 8, times: int = 250) -> Messages:
    """Have clients send to one channel, each the next message when the last is acknowledged."""
    people: list[Account] = []

    async def fill(database: Database) -> None:
        people.extend(await _people(database, clients))

    async with application(fill) as app:
        own = OwnTokens(SECRET, timedelta(hours=1))
        join = '["join_channel",{"channel_id":"bench"}]'
        # The marker keeps the notices of those who join from being counted.
        crowd = Crowd(app.port, Way(_CHAT, "/chat", join, marker=b"Hello"))
        await crowd.join([own.issue(account) for account in people])
        text = b'42/chat,7["send_message",{"channel_id":"bench","content":"Hello there"}]'
        askers = [_Asker(client, masked_text(text), b"43/chat,7[") for client in crowd.clients]
        await _ask_all(askers, times // 5)
        before_s, began = app.cpu_s(), time.perf_counter()
        latencies = await _ask_all(askers, times)
        elapsed_s, cpu_s = time.perf_counter() - began, app.cpu_s() - before_s
        await crowd.leave()
    sent = clients * times
    return Messages(cpu_s / sent * 1e3, sent / elapsed_s, *p50_p99(latencies))


async def _people(database: Database, count: int) -> list[Account]:
    accounts = Accounts(database, Passwords())
    return [
        await accounts.find_or_create_by_email(f"user{number}@example.com")
        for number in range(count)
    ]
