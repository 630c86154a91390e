"""Events that a command has published and that other processes may not have yet.

A domain publishes inside its lock, so that events leave in the order of their writes, and does not
wait there for the stream that carries them to other processes. The transport waits, then answers.
"""

import asyncio
from collections.abc import Awaitable
from contextvars import ContextVar
from typing import TypeVar

T = TypeVar("T")

_UNSETTLED: ContextVar[list[asyncio.Future[None]] | None] = ContextVar("unsettled", default=None)


def note(publication: asyncio.Future[None]) -> None:
    """Have the transport that the present command came by wait for a publication.

    What no transport waits for, as the work of a sweep, is not noted.
    """
    unsettled = _UNSETTLED.get()
    if unsettled is not None:
        unsettled.append(publication)


async def settled(work: Awaitable[T]) -> T:
    """Return what `work` returns, when all that it has published is settled.

    A publication settles when the stream has it, or when it is known that the stream is away: then
    the database alone has the write. It never fails.
    """
    unsettled: list[asyncio.Future[None]] = []
    token = _UNSETTLED.set(unsettled)
    try:
        result = await work
    finally:
        _UNSETTLED.reset(token)
    for publication in unsettled:
        await asyncio.shield(publication)
    return result
