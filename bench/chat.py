"""Chat: send and ack, arrival in a channel of 1,000, pages of a long history."""

import asyncio
import random
import time
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import socketio

from app.identity.own_jwt import OwnTokens
from bench.application import Application, application, p50_p99
from bench.load import Crowd, Way
from bench.server import SECRET
from models.accounts import Account, Accounts, Passwords
from models.chat import records
from models.database import Database
from models.times import now

CHANNEL = "bench"
LONG = "long"
MEMBERS = 1000
HISTORY = 100_000
MARKER = b"sent at "
PAGE = 50

BY_SOCKETIO = Way(
    "/socket.io/?EIO=4&transport=websocket",
    "/chat",
    f'["join_channel",{{"channel_id":"{CHANNEL}"}}]',
    MARKER,
)
BY_CHANNEL_DIALECT = Way(f"/api/v1/ws?channel_id={CHANNEL}&token={{token}}", marker=MARKER)


@dataclass(frozen=True)
class ChatFigures:
    """Milliseconds, and deliveries per CPU-second of the whole process, its store included."""

    ack_p50_ms: float
    ack_p99_ms: float
    arrival_p50_ms: float
    arrival_p99_ms: float
    deliveries_per_cpu_s: float
    page_p50_ms: float
    page_p99_ms: float


async def chat(messages: int = 100) -> ChatFigures:
    """Send to an empty channel, then to one of 1,000, on two transports; read 100,000."""
    people: list[Account] = []

    async def fill(database: Database) -> None:
        accounts = Accounts(database, Passwords())
        for number in range(MEMBERS + 1):
            people.append(await accounts.find_or_create_by_email(f"user{number}@example.com"))
        await _write_history(database, people[0])

    async with application(fill) as app:
        issue = OwnTokens(SECRET, timedelta(hours=1)).issue
        tokens = [issue(account) for account in people]
        sender = socketio.AsyncClient()
        auth = {"token": tokens[0], "recovery": False}
        await sender.connect(app.url, auth=auth, namespaces=["/chat"], transports=["websocket"])
        await sender.call("join_channel", {"channel_id": "empty"}, namespace="/chat")
        acks = [await _timed(sender, "send_message", _message("empty")) for _ in range(messages)]
        pages = [await _timed(sender, "history", _page()) for _ in range(messages)]
        arrivals, per_cpu_s = await _to_many(app, sender, tokens[1:], messages)
        await sender.disconnect()
    return ChatFigures(*p50_p99(acks), *p50_p99(arrivals), per_cpu_s, *p50_p99(pages))


async def _to_many(
    app: Application, sender: socketio.AsyncClient, tokens: list[str], messages: int
) -> tuple[list[float], float]:
    half = len(tokens) // 2
    crowds = Crowd(app.port, BY_SOCKETIO), Crowd(app.port, BY_CHANNEL_DIALECT)
    for crowd, some in zip(crowds, (tokens[:half], tokens[half:]), strict=True):
        await crowd.join(some, at_once=8)
    before_s = app.cpu_s()
    for _ in range(messages):
        arrived = [crowd.expect(len(crowd.clients)) for crowd in crowds]
        await sender.call("send_message", _message(CHANNEL), namespace="/chat", timeout=60)
        await asyncio.wait_for(asyncio.gather(*arrived), 60)
    per_cpu_s = messages * len(tokens) / (app.cpu_s() - before_s)
    latencies = [age_s * 1e3 for crowd in crowds for age_s in crowd.latencies_s]
    for crowd in crowds:
        await crowd.leave()
    return latencies, per_cpu_s


def _message(channel: str) -> dict[str, str]:
    return {"channel_id": channel, "content": f"{MARKER.decode()}{time.monotonic():.6f}"}


def _page() -> dict[str, Any]:
    return {"channel_id": LONG, "before": random.randint(PAGE, HISTORY), "limit": PAGE}


async def _timed(client: socketio.AsyncClient, name: str, payload: dict[str, Any]) -> float:
    began = time.perf_counter()
    answer = await client.call(name, payload, namespace="/chat", timeout=60)
    elapsed_ms = (time.perf_counter() - began) * 1e3
    if "error" in answer:
        raise RuntimeError(f"{name}: {answer['error']}")
    return elapsed_ms


async def _write_history(database: Database, author: Account) -> None:
    """Lay out a long channel as the application would have left it."""
    conversation = records.new_conversation(LONG, records.CHANNEL, author.id, now())
    await database["conversations"].insert_one({**conversation, "last_seq": HISTORY})
    batch = []
    # Many at once is what only a benchmark needs, so the store's face does not have it.
    collection = database["chat_messages"]
    for seq in range(1, HISTORY + 1):
        message = records.new_message(
            author.id,
            content=f"message {seq}",
            message_type="text",
            reply_to=None,
            mentions=[],
            attachments=[],
            client_id=None,
            created_at=now(),
        )
        key = {"_id": records.numbered_id(LONG, seq), "conversation_id": LONG, "seq": seq}
        batch.append({**key, **message})
        if len(batch) == 5000:
            await asyncio.gather(*map(collection.insert_one, batch))
            batch = []
