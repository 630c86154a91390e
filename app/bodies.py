"""Bodies of requests, read whole: bounded in size and time, and counted against the budget."""

import asyncio
from collections.abc import Callable

from aiohttp import web

from app.memory import Budget


class ShedError(Exception):
    """The process is short of memory, and this body was the largest thing in it."""


class _Body:
    """What has come of a body (`app.memory.Holder`)."""

    def __init__(self, timeout: asyncio.Timeout, shed: Callable[[], None]) -> None:
        self.bytes = bytearray()
        self.is_shed = False
        self._timeout = timeout
        self._shed = shed

    @property
    def held_bytes(self) -> int:
        return len(self.bytes)

    def shed(self) -> None:
        """Drop what has come, and wait no longer for the rest."""
        self.bytes.clear()
        if not self.is_shed:
            self.is_shed = True
            self._timeout.reschedule(asyncio.get_running_loop().time())
            self._shed()

    abort = shed


async def read_body(
    request: web.BaseRequest,
    budget: Budget,
    *,
    max_bytes: int,
    timeout_s: float,
    shed: Callable[[], None] = lambda: None,
) -> bytes:
    """Read a body; `shed` is called when it is given up for lack of memory.

    Raises:
        ShedError: it was given up.
        TimeoutError: it did not come in `timeout_s` seconds.
        web.HTTPRequestEntityTooLarge: it is longer than `max_bytes`.
        web.RequestPayloadError, ClientPayloadError, OSError: it was cut short or is malformed.
    """
    timeout = asyncio.timeout(timeout_s)
    body = _Body(timeout, shed)
    try:
        async with timeout:
            async for chunk in request.content.iter_any():
                if body.is_shed:
                    break
                body.bytes += chunk
                if len(body.bytes) > max_bytes:
                    raise web.HTTPRequestEntityTooLarge(max_bytes, len(body.bytes))
                budget.update(body)
    except TimeoutError:
        if not body.is_shed:
            raise
    finally:
        budget.forget(body)
    if body.is_shed:
        raise ShedError
    return bytes(body.bytes)
