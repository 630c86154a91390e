"""REST reaction -> frame at the author's two clients, through the whole application."""

import asyncio
import time
from dataclasses import dataclass

import aiohttp
import socketio

from bench.application import application, p50_p99

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
    async with application() as app, aiohttp.ClientSession(app.url) as http:
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
        await client.connect(
            app.url, auth={"token": token, "recovery": False}, namespaces=["/stories"]
        )
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
    return Reaction(*p50_p99(socketio_ms), *p50_p99(raw_ms))


async def _sign_up(http: aiohttp.ClientSession, name: str) -> dict[str, str]:
    body = {"email": f"{name}@example.com", "password": "password123"}
    async with http.post("/signup", json=body) as answer:
        return {"Authorization": f"Bearer {(await answer.json())['token']}"}
