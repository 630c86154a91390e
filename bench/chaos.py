"""Two processes behind nginx, a Redis, many clients, and everything killed in turn.

    python -m bench.chaos [--clients 1000] [--raw 200] [--seconds 300]

Numbered messages are posted to channels all the while, each again until it is acknowledged. Clients
come back as the stock client does (`pid`, offset, `recovered`), raw ones by their cursor; what they
cannot be sent again they fetch as the documentation says. In the end every client must have every
acknowledged message of its channel, each once; it exits with 1 otherwise. Events of two processes
come out of order where one of them had to wait for Redis: clients put messages in the order of
`seq`.
"""

import argparse
import asyncio
import json
import os
import re
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import aiohttp

from bench.ports import connect, free_port

NGINX = Path(__file__).parent.parent / "docs" / "operations" / "nginx"
CHANNELS = 10
ACCOUNTS = 40
PASSWORD = "password123"
BACK_S = (0.2, 1.0)
"""Clients come back after so long, as the stock client's jitter spreads them."""

SETTLE_S = 60.0

START_S = 60.0
"""For a process that begins on a machine whose cores hundreds of clients keep busy."""

LIMITS = {
    f"LIMIT_{name}": "1000000"
    for name in (
        *("MESSAGES_PER_S", "MESSAGES_BURST", "WRITES_PER_S", "WRITES_BURST", "READS_PER_S"),
        *("READS_BURST", "ANONYMOUS_PER_S", "ANONYMOUS_BURST", "CONNECTS_PER_MINUTE"),
        *("CONNECTIONS_PER_USER", "CONNECTIONS_PER_ACCOUNT", "SIGNUPS_PER_MINUTE"),
    )
}


class Program:
    """A process that is started again and again, with the same command."""

    def __init__(self, *command: str, port: int, environ: dict[str, str] | None = None) -> None:
        self._command = command
        self.port = port
        self._environ = environ
        self._process: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        """Start it, and return when it listens."""
        self._process = await asyncio.create_subprocess_exec(
            *self._command,
            env={**os.environ, **(self._environ or {})},
            stdout=subprocess.DEVNULL,
        )
        _, writer = await connect(self.port, START_S)
        writer.close()

    async def end(self, number: signal.Signals) -> None:
        """End it by a signal."""
        assert self._process is not None
        with suppress(ProcessLookupError):
            self._process.send_signal(number)
        await self._process.wait()

    def send(self, number: signal.Signals) -> None:
        """Send it a signal."""
        assert self._process is not None
        self._process.send_signal(number)


class Client:
    """One reader of a channel, and all that it has heard of it."""

    def __init__(self, url: str, token: str, channel: str) -> None:
        self.url, self.token, self.channel = url, token, channel
        self.times: Counter[str] = Counter()
        """As an event: what was fetched may come as one, too, and changes nothing."""

        self.fetched: set[str] = set()
        self.came: Counter[str] = Counter()
        self.order: dict[str, int] = {}
        self.out_of_order = 0
        self.connects: Counter[str] = Counter()
        self.is_there = asyncio.Event()
        self.connected_at = 0.0

    async def run(self, http: aiohttp.ClientSession) -> None:
        """Stay connected until cancelled."""
        while True:
            # The last is for a close frame in the place of text.
            with suppress(aiohttp.ClientError, OSError, TimeoutError, TypeError):
                await self.stay(http)
            self.is_there.clear()
            low, high = BACK_S
            await asyncio.sleep(low + (high - low) * secrets.randbelow(1000) / 1000)

    async def stay(self, http: aiohttp.ClientSession) -> None:
        """Be connected once."""
        raise NotImplementedError

    def hear(self, content: str) -> None:
        """Note a message that came as an event."""
        writer, number, sent_at = content.split(" ")
        self.times[content] += 1
        self.came["live" if float(sent_at) >= self.connected_at else "recovered"] += 1
        if int(number) <= self.order.get(writer, -1):
            self.out_of_order += 1
        self.order[writer] = int(number)

    async def fetch(self, http: aiohttp.ClientSession) -> None:
        """Get what is there and was not heard."""
        after = 0
        while True:
            answer = await http.get(
                f"{self.url}/api/v1/conversations/{self.channel}/messages",
                params={"after": str(after), "limit": "100"},
                headers={"Authorization": f"Bearer {self.token}"},
            )
            answer.raise_for_status()
            page = await answer.json()
            for message in page["items"]:
                after = max(after, message["seq"])
                if message["content"] not in self.fetched and not self.times[message["content"]]:
                    self.came["caught up"] += 1
                self.fetched.add(message["content"])
            if len(page["items"]) < 100:
                return


class SocketClient(Client):
    """As the stock client in the namespace `/chat`."""

    pid: str | None = None
    offset: str | None = None

    async def stay(self, http: aiohttp.ClientSession) -> None:
        """Connect, go on or begin anew, and hear."""
        url = f"{self.url}/socket.io/?EIO=4&transport=websocket"
        async with http.ws_connect(url, timeout=aiohttp.ClientWSTimeout(ws_close=1.0)) as socket:
            await socket.receive_str(timeout=20)
            auth = {"token": self.token}
            if self.pid is not None:
                auth["pid"] = self.pid
                if self.offset is not None:
                    auth["offset"] = self.offset
            await socket.send_str(f"40/chat,{json.dumps(auth)}")
            answer = await socket.receive_str(timeout=20)
            if not answer.startswith("40/chat,"):
                self.connects["refused"] += 1
                return
            pid = json.loads(answer.partition(",")[2])["pid"]
            recovered, self.pid = pid == self.pid, pid
            self.connects["recovered" if recovered else "anew"] += 1
            self.connected_at = time.time()
            if recovered:
                self.is_there.set()
            else:
                self.offset = None
                joining = json.dumps(["join_channel", {"channel_id": self.channel}])
                await socket.send_str(f"42/chat,1{joining}")
            while True:
                text = await socket.receive_str(timeout=60)
                if text == "2":
                    await socket.send_str("3")
                elif text.startswith("43/chat,1["):
                    if '"error"' in text[:20]:
                        return
                    await self.fetch(http)
                    self.is_there.set()
                elif text.startswith("42/chat,["):
                    name, data, *offset = json.loads(text.partition(",")[2])
                    if offset and isinstance(offset[0], str):
                        self.offset = offset[0]
                    if name == "new_message":
                        self.hear(data["content"])
                    elif name == "session.gap":
                        await self.fetch(http)


class RawClient(Client):
    """A plain WebSocket at `/api/v1/ws`, with a cursor."""

    cursor = ""

    async def stay(self, http: aiohttp.ClientSession) -> None:
        """Connect, be sent what was missed, and hear."""
        query = {"token": self.token, "channel_id": self.channel, "since": self.cursor}
        url = f"{self.url}/api/v1/ws"
        async with http.ws_connect(
            url, params=query, timeout=aiohttp.ClientWSTimeout(ws_close=1.0)
        ) as socket:
            is_first = not self.cursor
            self.connected_at = time.time()
            while True:
                frame = json.loads(await socket.receive_str(timeout=120))
                self.cursor = frame.get("cursor", self.cursor)
                if frame["type"] == "new_message":
                    self.hear(frame["data"]["content"])
                elif frame["type"] in ("cursor", "gap") and not self.is_there.is_set():
                    if is_first or frame["type"] == "gap":
                        await self.fetch(http)
                    kind = "anew" if is_first or frame["type"] == "gap" else "recovered"
                    self.connects[kind] += 1
                    self.is_there.set()
                elif frame["type"] == "gap":
                    await self.fetch(http)


class Writer:
    """Posts numbered messages, each until it is acknowledged."""

    def __init__(self, url: str, token: str, channel: str) -> None:
        self.url, self.token, self.channel = url, token, channel
        self.name = secrets.token_hex(3)
        self.acknowledged: list[str] = []
        self.retries = 0
        self.stopping = False

    async def run(self, http: aiohttp.ClientSession, pause_s: float) -> None:
        """Write until `stopping`."""
        while not self.stopping:
            content = f"{self.name} {len(self.acknowledged)} {time.time():.6f}"
            await self._post(http, content)
            self.acknowledged.append(content)
            await asyncio.sleep(pause_s)

    async def _post(self, http: aiohttp.ClientSession, content: str) -> None:
        body = {"channel_id": self.channel, "content": content, "client_id": secrets.token_hex(8)}
        headers = {"Authorization": f"Bearer {self.token}"}
        while True:
            try:
                answer = await http.post(
                    f"{self.url}/api/v1/messages",
                    json=body,
                    headers=headers,
                    timeout=aiohttp.ClientTimeout(total=15),
                )
                if answer.status == 201:
                    return
            except (aiohttp.ClientError, OSError, TimeoutError):
                pass  # asked again
            self.retries += 1
            await asyncio.sleep(0.2)


class World:
    """All the programs."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        redis_port, port = free_port(), free_port()
        self.redis = Program(
            *("redis-server", "--port", str(redis_port), "--bind", "127.0.0.1"),
            *("--dir", str(folder), "--appendonly", "yes", "--save", ""),
            port=redis_port,
        )
        environ = {
            **LIMITS,
            "REDIS_URL": f"redis://127.0.0.1:{redis_port}",
            "DATA_DIR": str(folder / "data"),
            "GRPC_PORT": "0",
            "LOG_LEVEL": "ERROR",
            "TRUSTED_PROXIES": "1",
        }
        self.servers = []
        for _ in range(2):
            own = free_port()
            variables = {**environ, "PORT": str(own)}
            self.servers.append(Program(sys.executable, "-m", "app", port=own, environ=variables))
        self._write_nginx(port)
        configuration = str(folder / "nginx.conf")
        self.nginx = Program("nginx", "-p", str(folder), "-c", configuration, port=port)
        self.url = f"http://127.0.0.1:{port}"

    def _write_nginx(self, port: int) -> None:
        servers = "".join(
            f"    server 127.0.0.1:{each.port} max_fails=1 fail_timeout=1s;\n"
            for each in self.servers
        )
        site = (NGINX / "site.conf").read_text().replace("listen 80;", f"listen 127.0.0.1:{port};")
        site = re.sub(r"access_log [^;]+;", "access_log off;", site)
        (self.folder / "site.conf").write_text(site)
        (self.folder / "proxy.conf").write_text((NGINX / "proxy.conf").read_text())
        paths = "".join(
            f"    {name}_temp_path {self.folder}/{name};\n"
            for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
        )
        (self.folder / "nginx.conf").write_text(
            f"daemon off;\nworker_processes 1;\npid {self.folder}/nginx.pid;\n"
            f"error_log {self.folder}/error.log crit;\n"
            "worker_rlimit_nofile 20000;\nevents { worker_connections 8192; }\n"
            f"http {{\n{paths}    upstream realtime {{\n{servers}    }}\n"
            f"    include {self.folder}/site.conf;\n}}\n"
        )

    async def start(self) -> None:
        """Start everything."""
        await self.redis.start()
        for server in self.servers:
            await server.start()
        await self.nginx.start()

    async def stop(self) -> None:
        """End everything."""
        for program in (self.nginx, *self.servers, self.redis):
            with suppress(AssertionError):
                await program.end(signal.SIGKILL)

    # What happens to them.

    async def kill_a_server(self, which: int) -> None:
        """Kill -9."""
        await self.servers[which].end(signal.SIGKILL)
        await asyncio.sleep(2)
        await self.servers[which].start()

    async def replace_a_server(self, which: int) -> None:
        """As a deploy does it."""
        await self.servers[which].end(signal.SIGTERM)
        await self.servers[which].start()

    async def kill_both(self) -> None:
        """At once."""
        await asyncio.gather(*(each.end(signal.SIGKILL) for each in self.servers))
        await asyncio.gather(*(each.start() for each in self.servers))

    async def restart_redis(self) -> None:
        """With its data."""
        await self.redis.end(signal.SIGTERM)
        await asyncio.sleep(1)
        await self.redis.start()

    async def pause_redis(self) -> None:
        """For ten seconds."""
        self.redis.send(signal.SIGSTOP)
        await asyncio.sleep(10)
        self.redis.send(signal.SIGCONT)

    async def restart_nginx(self) -> None:
        """All connections at once."""
        await self.nginx.end(signal.SIGTERM)
        await self.nginx.start()


async def _until(what: str, condition: Any, seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            print(f"   {what}: not within {seconds:.0f} s")
            return False
        await asyncio.sleep(0.1)
    return True


async def _sign_up(http: aiohttp.ClientSession, url: str, number: int) -> str:
    account = {"email": f"person{number}@example.com", "password": PASSWORD}
    answer = await http.post(f"{url}/signup", json=account)
    answer.raise_for_status()
    return str((await answer.json())["token"])


async def chaos(clients: int, raw: int, seconds: float) -> bool:
    """Run it all; whether nothing is missing."""
    folder = Path(tempfile.mkdtemp(prefix="chaos-"))
    world = World(folder)
    tasks: list[asyncio.Task[None]] = []
    writing: list[asyncio.Task[None]] = []
    connector = aiohttp.TCPConnector(limit=0)
    try:
        await world.start()
        async with aiohttp.ClientSession(
            connector=connector, timeout=aiohttp.ClientTimeout(total=30)
        ) as http:
            tokens = [await _sign_up(http, world.url, number) for number in range(ACCOUNTS)]
            readers: list[Client] = []
            for number in range(clients + raw):
                kind = SocketClient if number < clients else RawClient
                token, channel = tokens[number % ACCOUNTS], f"channel-{number % CHANNELS}"
                readers.append(kind(world.url, token, channel))
            for reader in readers:
                tasks.append(asyncio.create_task(reader.run(http)))
                await asyncio.sleep(0.005)
            await _until("everyone is there", lambda: all(r.is_there.is_set() for r in readers), 60)
            writers = [Writer(world.url, tokens[n], f"channel-{n}") for n in range(CHANNELS)]
            writing = [asyncio.create_task(each.run(http, 0.5)) for each in writers]
            print(f"{clients} Socket.IO clients, {raw} raw clients, {len(writers)} writers")
            await _happen(world, readers, seconds)
            for writer in writers:
                writer.stopping = True
            await asyncio.gather(*writing)
            return await _judge(readers, writers)
    finally:
        tasks += writing
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await world.stop()
        shutil.rmtree(folder, ignore_errors=True)


async def _happen(world: World, readers: list[Client], seconds: float) -> None:
    faults: list[tuple[str, Callable[[], Awaitable[None]]]] = [
        ("one server is killed", lambda: world.kill_a_server(0)),
        ("the other is replaced as in a deploy", lambda: world.replace_a_server(1)),
        ("Redis is restarted with its data", world.restart_redis),
        ("Redis is paused for 10 s", world.pause_redis),
        ("nginx is restarted", world.restart_nginx),
        ("both servers are killed", world.kill_both),
    ]
    deadline, number = time.monotonic() + seconds, 0
    while time.monotonic() < deadline or number < len(faults):
        title, fault = faults[number % len(faults)]
        number += 1
        began = time.monotonic()
        await fault()
        await asyncio.sleep(1)
        well = await _until(title, lambda: all(each.is_there.is_set() for each in readers), 60)
        print(f"   {title}: all are there after {time.monotonic() - began:.1f} s" if well else "")
        await asyncio.sleep(3)


async def _judge(readers: list[Client], writers: list[Writer]) -> bool:
    acknowledged = {writer.channel: writer.acknowledged for writer in writers}

    def missing() -> int:
        return sum(
            not reader.times[content] and content not in reader.fetched
            for reader in readers
            for content in acknowledged[reader.channel]
        )

    await _until("everything has come", lambda: not missing(), SETTLE_S)
    came, connects = Counter[str](), Counter[str]()
    for reader in readers:
        came += reader.came
        connects += reader.connects
    twice = sum(count - 1 for reader in readers for count in reader.times.values() if count > 1)
    disorder = sum(reader.out_of_order for reader in readers)
    total = sum(len(each) for each in acknowledged.values())
    retries = sum(writer.retries for writer in writers)
    print(f"messages acknowledged: {total}, sent again by their writers: {retries}")
    print(
        "connections: " + ", ".join(f"{count} {kind}" for kind, count in sorted(connects.items()))
    )
    print("came: " + ", ".join(f"{count} {kind}" for kind, count in sorted(came.items())))
    print(f"missing: {missing()}, heard twice: {twice}, out of order: {disorder}")
    return not (missing() or twice)


def main() -> None:
    """Run it from the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clients", type=int, default=1000)
    parser.add_argument("--raw", type=int, default=200)
    parser.add_argument("--seconds", type=float, default=300.0)
    options = parser.parse_args()
    sys.exit(0 if asyncio.run(chaos(options.clients, options.raw, options.seconds)) else 1)


if __name__ == "__main__":
    main()
