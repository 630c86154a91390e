"""REST reaction -> frame at the author's two clients, through the whole application."""

import asyncio
import os
import socket
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import aiohttp
import socketio

EMOJIS = ("❤️", "👍")


@dataclass(frozen=True)
class Reaction:
    """Milliseconds from sending the request until a client has the frame."""

    socketio_p50_ms: float
    socketio_p99_ms: float
    raw_p50_ms: float
    raw_p99_ms: float


async def reaction(times: int = 300) -> Reaction:
    """React `times` times, each when the last one has arrived at both clients."""
    async with _application() as url, aiohttp.ClientSession(url) as http:
        author, reader = await _sign_up(http, "author"), await _sign_up(http, "reader")
        answer = await http.post(
            "/stories", json={"text": "Hello World", "visibility": "PUBLIC"}, headers=author
        )
        story_id = (await answer.json())["id"]
        raw = await http.ws_connect("/ws", headers=author)
        await raw.receive_json()
        client = socketio.AsyncClient()
        heard: asyncio.Queue[float] = asyncio.Queue()
        client.on("story.reacted", lambda data: heard.put_nowait(time.perf_counter()), "/stories")
        token = author["Authorization"].removeprefix("Bearer ")
        await client.connect(url, auth={"token": token}, namespaces=["/stories"])
        socketio_ms, raw_ms = [], []
        for number in range(times):
            began = time.perf_counter()
            request = asyncio.create_task(
                http.post(
                    f"/stories/{story_id}/reactions",
                    json={"emoji": EMOJIS[number % 2]},
                    headers=reader,
                )
            )
            await raw.receive_str()
            raw_ms.append((time.perf_counter() - began) * 1e3)
            socketio_ms.append((await heard.get() - began) * 1e3)
            (await request).release()
        await client.disconnect()
        await raw.close()
    return Reaction(*_p50_p99(socketio_ms), *_p50_p99(raw_ms))


def _p50_p99(values: list[float]) -> tuple[float, float]:
    return statistics.median(values), statistics.quantiles(values, n=100)[98]


async def _sign_up(http: aiohttp.ClientSession, name: str) -> dict[str, str]:
    body = {"email": f"{name}@example.com", "password": "password123"}
    async with http.post("/signup", json=body) as answer:
        return {"Authorization": f"Bearer {(await answer.json())['token']}"}


@asynccontextmanager
async def _application() -> AsyncIterator[str]:
    """Run `python -m app` on the embedded store in a folder of its own."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with tempfile.TemporaryDirectory() as folder:
        environ = {**os.environ, "PORT": str(port), "DATA_DIR": folder, "LOG_LEVEL": "WARNING"}
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "app", env=environ, stdout=asyncio.subprocess.DEVNULL
        )
        try:
            await _answering(port)
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()
            await process.wait()


async def _answering(port: int) -> None:
    for _ in range(200):
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
        except ConnectionRefusedError:
            await asyncio.sleep(0.05)
        else:
            writer.close()
            return
    raise TimeoutError("the server does not start")
