"""A language model's endpoint that answers as it is told to, well or badly."""

import asyncio
import json
from collections.abc import Awaitable, Callable

from aiohttp import web

from tests.live import PATIENCE_S

TEXT = "One deep breath, then write the first test."
Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]


def completion(content: object = TEXT, finish_reason: object = "stop") -> dict[str, object]:
    """Return an answer of the chat completions API."""
    message = {"role": "assistant", "content": content}
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1_790_000_000,
        "model": "small",
        "choices": [{"index": 0, "message": message, "finish_reason": finish_reason}],
        "usage": {"prompt_tokens": 9, "completion_tokens": 12, "total_tokens": 21},
    }


def saying(body: object, status: int = 200, **headers: str) -> Answer:
    """Answer with a body: text, bytes, or a value to be written as JSON."""
    raw = body if isinstance(body, bytes) else body.encode() if isinstance(body, str) else None

    async def answer(request: web.Request) -> web.StreamResponse:
        written = json.dumps(body).encode() if raw is None else raw
        return web.Response(status=status, body=written, headers=headers)

    return answer


class Endpoint:
    """Keeps the requests it got, and answers each as `answer` says."""

    def __init__(self) -> None:
        self.url = ""
        self.answer: Answer = saying(completion())
        self.released = asyncio.Event()
        self.requests: list[tuple[str, dict[str, str], dict[str, object]]] = []
        self._came = asyncio.Condition()

    def app(self) -> web.Application:
        app = web.Application()
        app.router.add_post("/{path:.*}", self._take)
        return app

    async def came(self, count: int) -> None:
        """Wait until so many requests have come."""
        async with asyncio.timeout(PATIENCE_S), self._came:
            await self._came.wait_for(lambda: len(self.requests) >= count)

    async def hang(self, request: web.Request) -> web.StreamResponse:
        """Answer nothing until released, then well."""
        await self.released.wait()
        return web.json_response(completion())

    async def hang_half_way(self, request: web.Request) -> web.StreamResponse:
        """Begin well, and never come to the end."""
        response = web.StreamResponse()
        await response.prepare(request)
        await response.write(json.dumps(completion()).encode()[:-20])
        await self.released.wait()
        return response

    async def cut(self, request: web.Request) -> web.StreamResponse:
        """Close the connection without a word."""
        assert request.transport is not None
        request.transport.abort()
        return web.Response()

    async def cut_half_way(self, request: web.Request) -> web.StreamResponse:
        """Close the connection in the middle of an answer."""
        response = web.StreamResponse(headers={"Content-Length": "500"})
        await response.prepare(request)
        await response.write(b'{"choices": [')
        return await self.cut(request)

    async def _take(self, request: web.Request) -> web.StreamResponse:
        async with self._came:
            self.requests.append((request.path_qs, dict(request.headers), await request.json()))
            self._came.notify_all()
        return await self.answer(request)
