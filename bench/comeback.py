"""Many clients that come back at once, and what those that stayed notice of it.

    python -m bench.comeback [--clients 5000] [--stayed 200]

Chat messages go to those that stayed, 25 a second; meanwhile all the others connect at the same
moment, from a process of their own. Prints the latencies of the messages before and during it.
"""

import argparse
import asyncio
import json
import sys
import time
from contextlib import suppress
from datetime import timedelta

import socketio

from app.identity.own_jwt import OwnTokens
from bench.application import application, p50_p99
from bench.chat import BY_SOCKETIO, CHANNEL, MARKER
from bench.load import Crowd, Way
from bench.server import SECRET
from models.accounts import Account, Accounts, Passwords
from models.database import Database

COMING = Way("/socket.io/?EIO=4&transport=websocket", "/stories")
AGAIN_S = 2.0
"""Who is sent away comes again so much later."""


async def come(port: int, tokens: list[str]) -> None:
    """Connect a client for each token, all at once; returns when all are in."""

    async def one(crowd: Crowd, token: str) -> None:
        while True:
            with suppress(OSError):
                await crowd.join([token])
                return
            await asyncio.sleep(AGAIN_S)

    crowd = Crowd(port, COMING)
    await asyncio.gather(*(one(crowd, token) for token in tokens))
    print("in", flush=True)
    sys.stdin.read()


async def measure(clients: int, stayed: int) -> None:
    """Print what happens."""
    people: list[Account] = []

    async def fill(database: Database) -> None:
        accounts = Accounts(database, Passwords())
        for number in range(stayed + 1000):
            people.append(await accounts.find_or_create_by_email(f"user{number}@example.com"))

    async with application(fill, LIMIT_ANONYMOUS_BURST="1000000") as app:
        issue = OwnTokens(SECRET, timedelta(hours=1)).issue
        tokens = [issue(account) for account in people]
        sender = socketio.AsyncClient()
        auth = {"token": tokens[0], "recovery": False}
        await sender.connect(app.url, auth=auth, namespaces=["/chat"], transports=["websocket"])
        crowd = Crowd(app.port, BY_SOCKETIO)
        await crowd.join(tokens[1 : stayed + 1], at_once=8)

        async def send() -> None:
            while True:
                content = f"{MARKER.decode()}{time.monotonic():.6f}"
                said = {"channel_id": CHANNEL, "content": content}
                await sender.emit("send_message", said, namespace="/chat")
                await asyncio.sleep(0.04)

        sending = asyncio.create_task(send())
        await asyncio.sleep(5)
        _report("before", crowd)
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "bench.comeback", "--come", str(app.port)),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
        )
        assert process.stdin is not None
        assert process.stdout is not None
        coming = [tokens[stayed + number % 1000] for number in range(clients)]
        process.stdin.write(json.dumps(coming).encode() + b"\n")
        began = time.monotonic()
        line = await process.stdout.readline()
        seconds = time.monotonic() - began
        if line.strip() != b"in":
            raise RuntimeError("the clients did not come")
        _report(f"while {clients} came in {seconds:.1f} s", crowd)
        process.stdin.close()
        await process.wait()
        sending.cancel()
        await sender.disconnect()


def _report(when: str, crowd: Crowd) -> None:
    p50, p99 = p50_p99([age_s * 1e3 for age_s in crowd.latencies_s])
    crowd.latencies_s.clear()
    print(f"{when}: {p50:.1f} / {p99:.1f} ms (p50 / p99)", flush=True)


def main() -> None:
    """Measure, or be the clients that come."""
    parser = argparse.ArgumentParser(prog="python -m bench.comeback")
    parser.add_argument("--clients", type=int, default=5000)
    parser.add_argument("--stayed", type=int, default=200)
    parser.add_argument("--come", type=int, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.come:
        asyncio.run(come(args.come, json.loads(sys.stdin.readline())))
    else:
        asyncio.run(measure(args.clients, args.stayed))


if __name__ == "__main__":
    main()
