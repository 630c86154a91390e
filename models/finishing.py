"""Work that its caller's end does not end.

A request can be cancelled at any await: its client hangs up, its deadline passes. Between a write
and the events, notifications and pushes that follow from it that would lose them for good, because
a repeat finds the write done. So work that writes runs in a task of its own, and a cancelled caller
merely stops waiting for it.
"""

import asyncio
import logging
from collections.abc import Coroutine
from typing import Any, TypeVar

from models.errors import DomainError

logger = logging.getLogger(__name__)

T = TypeVar("T")

_KEPT: set[asyncio.Task[Any]] = set()
"""An event loop does not keep a task that nothing else refers to."""


async def finish(work: Coroutine[Any, Any, T]) -> T:
    """Return what `work` returns; when the caller is cancelled, `work` still runs to its end."""
    task = keep(work)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        if not task.done():
            task.add_done_callback(_log_failure)
        raise


def keep(work: Coroutine[Any, Any, T]) -> "asyncio.Task[T]":
    """Run `work` in a task that is kept until it is done."""
    task = asyncio.get_running_loop().create_task(work)
    _KEPT.add(task)
    task.add_done_callback(_KEPT.discard)
    return task


async def drain(timeout_s: float) -> None:
    """Wait until the kept work of this loop is done, at most `timeout_s` seconds; cancel the rest.

    Work that begins meanwhile, as the next part of something longer, is waited for, too.
    """
    loop = asyncio.get_running_loop()
    end = loop.time() + timeout_s
    while (kept := _of(loop)) and loop.time() < end:
        await asyncio.wait(kept, timeout=end - loop.time())
    late = _of(loop)
    for task in late:
        task.cancel()
    await asyncio.gather(*late, return_exceptions=True)


def _of(loop: asyncio.AbstractEventLoop) -> set[asyncio.Task[Any]]:
    return {task for task in _KEPT if task.get_loop() is loop}


def _log_failure(task: asyncio.Task[Any]) -> None:
    error = None if task.cancelled() else task.exception()
    # A refusal is an answer that there is no one to send to.
    if error is not None and not isinstance(error, DomainError | ConnectionError):
        logger.error("work failed after its caller had disconnected", exc_info=error)
