"""What the tasks that work with Redis have in common."""

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Collection
from contextlib import suppress
from typing import Any

from redis.exceptions import RedisError

logger = logging.getLogger(__name__)

LOST = (RedisError, OSError, TimeoutError, RuntimeError)
"""When Redis cannot be asked. The last is uvloop's, on a connection that was reset."""

QUIET_S = 3.0
"""After which a subscription is asked whether it still hears, and has as long to answer."""


RETRY_S = 1.0
"""After work with Redis has failed."""


async def keep(connect: Callable[[], Any], work: Callable[[Any], Awaitable[None]]) -> None:
    """Do work with a client of Redis of its own, again after each failure, until cancelled."""
    while True:
        redis = connect()
        try:
            await work(redis)
        except LOST:
            # The bus says so, and /ready.
            pass
        except Exception:
            logger.exception("%s failed", getattr(work, "__qualname__", work))
        finally:
            with suppress(Exception):
                await redis.aclose()
        await asyncio.sleep(RETRY_S)


async def published(listening: Any) -> AsyncIterator[bytes]:
    """Yield what is published on the channels of a subscription.

    Raises:
        TimeoutError: its connection is dead.
    """
    asked_at: float | None = None
    while True:
        # Nothing comes of a confirmation, too, and at once.
        message = await listening.get_message(timeout=QUIET_S)
        if message is not None:
            asked_at = None
            if message["type"] == "message":
                yield message["data"]
        elif asked_at is None:
            asked_at = time.monotonic()
            await listening.ping()
        elif time.monotonic() - asked_at >= QUIET_S:
            raise TimeoutError


async def end(tasks: Collection[asyncio.Task[None]]) -> None:
    """Cancel tasks, and return when they have ended."""
    # More than once: Python 3.11's `wait_for`, by which redis-py writes, can lose a cancellation.
    while tasks:
        for task in tasks:
            task.cancel()
        _, tasks = await asyncio.wait(tasks, timeout=1.0)
