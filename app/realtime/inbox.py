"""Messages of one connection, handled one after the other in the order they came.

There is a task only while there is something to do, so an idle connection costs none. What takes
long is done `beside` them.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine
from typing import Generic, TypeVar

logger = logging.getLogger(__name__)

T = TypeVar("T")
HIGH_WATER = 32
"""Messages waiting at which a connection stops being read: its sender then feels TCP's pressure."""

_TASK_NAME = "inbox"
_BESIDE = "beside an inbox"
_KEPT: set[asyncio.Task[None]] = set()
"""Tasks under way beside inboxes: a loop itself does not keep what nothing else refers to."""


class Inbox(Generic[T]):
    """A queue with one worker."""

    __slots__ = ("_handle", "_is_full", "_task", "_throttle", "_waiting")

    def __init__(
        self, handle: Callable[[T], Awaitable[None]], throttle: Callable[[bool], None]
    ) -> None:
        self._handle = handle
        self._throttle = throttle
        self._waiting: deque[T] | None = None
        self._task: asyncio.Task[None] | None = None
        self._is_full = False

    @property
    def is_full(self) -> bool:
        """Whether so much waits that its sender should wait as well."""
        return self._is_full

    def put(self, message: T) -> None:
        """Queue `message`; calls `throttle(True)` when too many wait."""
        if self._waiting is None:
            self._waiting = deque()
        self._waiting.append(message)
        if self._task is None:
            loop = asyncio.get_running_loop()
            self._task = loop.create_task(self._work(self._waiting), name=_TASK_NAME)
        if len(self._waiting) >= HIGH_WATER and not self._is_full:
            self._is_full = True
            self._throttle(True)

    def clear(self) -> None:
        """Forget what has not been begun."""
        if self._waiting:
            self._waiting.clear()

    async def _work(self, waiting: deque[T]) -> None:
        while waiting:
            try:
                await self._handle(waiting.popleft())
            except asyncio.CancelledError:
                if _being_cancelled():
                    raise
                logger.exception("what a message waited for was cancelled")
            except Exception:
                logger.exception("a message could not be handled")
            if self._is_full and len(waiting) < HIGH_WATER // 2:
                self._is_full = False
                self._throttle(False)
            if waiting:
                # Handlers that never wait must not keep the loop from everybody else.
                await asyncio.sleep(0)
        self._task = None
        self._waiting = None


def _being_cancelled() -> bool:
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


def beside(job: Coroutine[object, object, None]) -> None:
    """Do something that takes long while the messages after it are handled."""
    task = asyncio.get_running_loop().create_task(_logged(job), name=_BESIDE)
    _KEPT.add(task)
    task.add_done_callback(_KEPT.discard)


async def _logged(job: Coroutine[object, object, None]) -> None:
    try:
        await job
    except Exception:
        logger.exception("a slow message could not be handled")


async def drain(timeout_s: float) -> None:
    """Wait until every inbox of this loop is empty, but not longer than `timeout_s` seconds.

    What is done beside them has the same time, and is then cancelled.
    """
    working = _named(_TASK_NAME) | _named(_BESIDE)
    if working:
        await asyncio.wait(working, timeout=timeout_s)
    late = _named(_BESIDE)
    for task in late:
        task.cancel()
    await asyncio.gather(*late, return_exceptions=True)


def _named(name: str) -> set[asyncio.Task[None]]:
    return {task for task in asyncio.all_tasks() if task.get_name() == name}
