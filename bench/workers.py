"""Two workers against one: deliveries per CPU-second of all of them, with a Redis between.

    python -m bench.workers [--members 1000] [--messages 200] [--rounds 3]

Chat messages go one after the other to a channel of that many Socket.IO clients, whom the system
divides between the workers. Rounds of one and of two workers take turns; the store's work is in it.
"""

import argparse
import asyncio
import statistics
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import socketio

from app.identity.own_jwt import OwnTokens
from bench.application import application, p50_p99
from bench.chat import BY_SOCKETIO, CHANNEL, MARKER
from bench.load import Crowd
from bench.server import SECRET
from models.accounts import Account, Accounts, Passwords
from models.database import Database


@contextmanager
def redis() -> Iterator[str]:
    """Run a Redis; gives its URL."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "socket"
        command = ["redis-server", "--port", "0", "--unixsocket", str(path), "--save", ""]
        with subprocess.Popen([*command, "--dir", folder], stdout=subprocess.DEVNULL) as process:
            try:
                while not path.exists():
                    time.sleep(0.02)
                yield f"unix://{path}"
            finally:
                process.terminate()


async def measure(workers: int, members: int, messages: int) -> tuple[float, float, float]:
    """Return deliveries per CPU-second, and the milliseconds to the client: median and p99."""
    people: list[Account] = []

    async def fill(database: Database) -> None:
        accounts = Accounts(database, Passwords())
        for number in range(members + 1):
            people.append(await accounts.find_or_create_by_email(f"user{number}@example.com"))

    with redis() as url:
        settings = {"WORKERS": str(workers), "REDIS_URL": url, "DRAIN_S": "0"}
        async with application(fill, **settings) as app:
            # The port opens with the first worker; those to come get their share, too.
            await asyncio.sleep(5)
            issue = OwnTokens(SECRET, timedelta(hours=1)).issue
            tokens = [issue(account) for account in people]
            sender = socketio.AsyncClient()
            auth = {"token": tokens[0], "recovery": False}
            await sender.connect(app.url, auth=auth, namespaces=["/chat"], transports=["websocket"])
            await sender.call("join_channel", {"channel_id": "empty"}, namespace="/chat")
            crowd = Crowd(app.port, BY_SOCKETIO)
            await crowd.join(tokens[1:], at_once=8)
            before_s = app.cpu_s()
            for _ in range(messages):
                arrived = crowd.expect(members)
                content = f"{MARKER.decode()}{time.monotonic():.6f}"
                said = {"channel_id": CHANNEL, "content": content}
                await sender.call("send_message", said, namespace="/chat", timeout=60)
                await asyncio.wait_for(arrived, 60)
            per_cpu_s = messages * members / (app.cpu_s() - before_s)
            p50, p99 = p50_p99([age_s * 1e3 for age_s in crowd.latencies_s])
            await crowd.leave()
            await sender.disconnect()
    return per_cpu_s, p50, p99


async def main() -> None:
    """Measure, and print a line a round."""
    parser = argparse.ArgumentParser(prog="python -m bench.workers")
    parser.add_argument("--members", type=int, default=1000)
    parser.add_argument("--messages", type=int, default=200)
    parser.add_argument("--rounds", type=int, default=3)
    args = parser.parse_args()
    found: dict[int, list[float]] = {1: [], 2: []}
    for _ in range(args.rounds):
        for workers, figures in found.items():
            per_cpu_s, p50, p99 = await measure(workers, args.members, args.messages)
            figures.append(per_cpu_s)
            print(f"{workers} workers: {per_cpu_s:,.0f} per CPU-second, {p50:.1f} / {p99:.1f} ms")
    one, two = (statistics.median(figures) for figures in found.values())
    print(f"two deliver {two / one:.2f} of what one does")


if __name__ == "__main__":
    asyncio.run(main())
