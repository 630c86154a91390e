"""How connections end when the server stops: each by itself, when what it has begun is answered."""

import asyncio
import random
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, Protocol, TypeVar

from app.realtime.inbox import Inbox

FINISH_S = 1.8
"""For commands and requests that have begun. Almost all take milliseconds; operators expect the
process to be gone within 5 s, and farewells, the store and the interpreter want some of it."""

FAREWELL_S = 0.5
"""For peers to answer a close frame, and for polls to fetch the last packets: a round trip."""


class Connection(Protocol):
    """A connection whose messages are handled one after the other."""

    @property
    def is_busy(self) -> bool:
        """Whether a message of it has begun and is not answered."""

    def stop_reading(self) -> None:
        """Drop what the client has sent and has not begun, now and from now on."""

    async def finish(self) -> None:
        """Return when what has begun is answered."""

    def give_up(self) -> None:
        """Cancel what has begun."""


ENDED_PER_S = 250
"""Connections that a draining process ends in a second: what another one lets in beside its other
work, if it is alone in that."""

TICK_S = 0.1

Message = TypeVar("Message")
Each = TypeVar("Each", bound=Connection)


class InboxConnection(Generic[Message]):
    """What `Connection` asks for, of a connection whose messages wait in an inbox.

    The inbox is made with the first message: an idle connection has none.
    """

    __slots__ = ("_deaf", "_inbox")

    def __init__(self) -> None:
        self._deaf = False
        self._inbox: Inbox[Message] | None = None

    @property
    def is_busy(self) -> bool:
        """Whether a message of the client has begun and is not answered."""
        return self._inbox is not None and self._inbox.is_busy

    @property
    def is_held(self) -> bool:
        """Whether the client is not read, so that no pong of it can be heard."""
        return self._inbox is not None and self._inbox.is_full

    @property
    def _queued_bytes(self) -> int:
        return self._inbox.held_bytes if self._inbox is not None else 0

    def stop_reading(self) -> None:
        """Drop what the client has sent and has not begun, now and from now on."""
        self._deaf = True
        if self._inbox is not None:
            self._inbox.stop()

    async def finish(self) -> None:
        """Return when what has begun is answered."""
        if self._inbox is not None:
            await self._inbox.finish()

    def give_up(self) -> None:
        """Cancel what has begun."""
        if self._inbox is not None:
            self._inbox.give_up()

    def _drop_waiting(self) -> None:
        """Drop the messages that have not begun."""
        if self._inbox is not None:
            self._inbox.clear()

    def _end_waiting(self) -> None:
        """Delay no message any more."""
        if self._inbox is not None:
            self._inbox.end()


async def finish_each(
    connections: Sequence[Each], end: Callable[[Each], Awaitable[None]], timeout_s: float
) -> None:
    """End each connection as soon as what it has begun is answered, after `timeout_s` at last."""
    # All of them first: what one finishes must not let another one begin.
    for connection in connections:
        connection.stop_reading()
    busy = [connection for connection in connections if connection.is_busy]
    for connection in connections:
        if not connection.is_busy:
            await end(connection)
    deadline = asyncio.get_running_loop().time() + timeout_s

    async def finish(connection: Each) -> None:
        try:
            async with asyncio.timeout_at(deadline):
                await connection.finish()
        except TimeoutError:
            connection.give_up()
        await end(connection)

    await asyncio.gather(*(finish(connection) for connection in busy))


async def drain_each(
    connections: Sequence[Each],
    end: Callable[[Each], Awaitable[None]],
    *,
    is_there: Callable[[Each], bool],
    within_s: float,
    finish_s: float,
) -> None:
    """End connections a few at a time, each as `finish_each` does; the others work as before.

    Args:
        connections: all that are to end; they do so in an order that nobody knows.
        end: ends one.
        is_there: whether one has not ended by itself meanwhile.
        within_s: the last ones begin to end so many seconds from now, or earlier if they are few.
        finish_s: for what one has begun.
    """
    loop = asyncio.get_running_loop()
    began = loop.time()
    span_s = min(within_s, len(connections) / ENDED_PER_S)
    # By moments of their own: those of one batch would come back as one.
    moments = sorted(random.uniform(0, span_s) for _ in connections)  # noqa: S311 no secret
    waiting = deque(random.sample(connections, len(connections)))
    async with asyncio.TaskGroup() as ending:
        while waiting:
            await asyncio.sleep(TICK_S)
            passed_s = loop.time() - began
            batch = []
            while waiting and moments[-len(waiting)] <= passed_s:
                batch.append(waiting.popleft())
            batch = [each for each in batch if is_there(each)]
            if batch:
                ending.create_task(finish_each(batch, end, finish_s))
