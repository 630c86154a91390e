"""What answers may keep unsent while their clients do not read: how much, and for how long.

aiohttp hands a whole body to the transport and then waits without an end for the client to take
it. `Writer` hands over a piece, and the next one when the client has taken the last. The client
a certain time for each piece; `Unsent` counts what all answers of this process hold meanwhile.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from typing import Any, Protocol

from aiohttp import hdrs, web
from aiohttp.base_protocol import BaseProtocol
from aiohttp.http_writer import StreamWriter
from multidict import CIMultiDict

PIECE_BYTES = 65_536
"""Handed to the transport at once, and what a transport holds before it asks for a pause."""

STREAMED_BYTES = 16_384
"""Collected of a streamed document before they are sent: one write for many small items."""


class Waiting(Protocol):
    """What a writer reports to its connection."""

    @property
    def writing_paused(self) -> bool:
        """Whether the transport holds as much as it should."""

    def wait_begins(self, body_bytes: int) -> None:
        """Mind the time that the client has for a piece, and what is held of its answer.

        `body_bytes` are those of the body in memory, beside what the transport holds.
        """

    def wait_ends(self) -> None:
        """Mind neither."""


class Writer(StreamWriter):
    """Writes one answer, piece by piece, at the pace of its client."""

    def __init__(
        self, protocol: BaseProtocol, loop: asyncio.AbstractEventLoop, connection: Waiting
    ) -> None:
        super().__init__(protocol, loop)
        self._connection = connection
        self._body_bytes = 0

    async def write_headers(self, status_line: str, headers: "CIMultiDict[str]") -> None:
        """Write the head, without the names and versions of libraries that aiohttp puts there."""
        headers.popall(hdrs.SERVER, None)
        await super().write_headers(status_line, headers)

    async def write(self, chunk: Any, *, drain: bool = True, LIMIT: int = PIECE_BYTES) -> None:  # noqa: N803 (aiohttp's name)
        """Write a part of the body."""
        if len(chunk) <= PIECE_BYTES:
            await super().write(chunk, drain=drain, LIMIT=LIMIT)
            return
        # All of it stays in memory until its last piece is written.
        self._body_bytes = len(chunk)
        view = memoryview(chunk)
        for at in range(0, len(view), PIECE_BYTES):
            await super().write(view[at : at + PIECE_BYTES], drain=False)
            await self.drain()
        self._body_bytes = 0

    async def write_eof(self, chunk: bytes = b"") -> None:
        """Write the last part of the body, which may be all of it."""
        # A compressor wants to see its input whole, and its output is short.
        if len(chunk) > PIECE_BYTES and self._compress is None:
            await self.write(chunk)
            chunk = b""
        await super().write_eof(chunk)

    async def drain(self) -> None:
        """Wait until the client has taken most of what was written, for as long as it may."""
        if self.transport is None or not self._connection.writing_paused:
            return
        self._connection.wait_begins(self._body_bytes)
        try:
            await super().drain()
        finally:
            self._connection.wait_ends()


Streamed = Any
"""JSON in which any value may be an `AsyncIterator` of such values: an array, read as it is sent,
and any mapping may be nested around it."""


async def json_text(value: Streamed) -> AsyncIterator[str]:
    """Write a document as `json.dumps` would, without ever having all of it."""
    if isinstance(value, Mapping):
        opening = "{"
        for key, item in value.items():
            yield f"{opening}{json.dumps(key)}: "
            async for text in json_text(item):
                yield text
            opening = ", "
        yield "}" if value else "{}"
    elif isinstance(value, AsyncIterator):
        opening = "["
        async for item in value:
            yield opening + json.dumps(item)
            opening = ", "
        yield "]" if opening != "[" else "[]"
    else:
        yield json.dumps(value)


async def stream_json(
    request: web.Request, value: Streamed, *, headers: Mapping[str, str]
) -> web.StreamResponse:
    """Answer 200 with a document that is read while it is sent."""
    response = web.StreamResponse(headers=headers)
    response.content_type, response.charset = "application/json", "utf-8"
    return await stream(request, response, _collected(json_text(value)))


async def stream(
    request: web.Request, response: web.StreamResponse, body: AsyncIterator[bytes]
) -> web.StreamResponse:
    """Send `response` with a body that is read while it is sent; HEAD gets none of it.

    A failure after the head was sent cuts the connection (`app.rest.errors.problems`), which is how
    a client learns that what it has is not all. The first part is read before anything is sent, so
    what fails there can still be answered.
    """
    if request.method == "HEAD":
        await response.prepare(request)
        return response
    first = await anext(body, b"")
    await response.prepare(request)
    await response.write(first)
    async for part in body:
        await response.write(part)
    await response.write_eof()
    return response


async def _collected(texts: AsyncIterator[str]) -> AsyncIterator[bytes]:
    waiting: list[str] = []
    size = 0
    async for text in texts:
        waiting.append(text)
        size += len(text)
        if size >= STREAMED_BYTES:
            yield "".join(waiting).encode()
            waiting, size = [], 0
    yield "".join(waiting).encode()
