"""Messages of one connection, handled one after the other in the order they came.

There is a task only while there is something to wait for, so an idle connection costs none. What
takes long is done `beside` them.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Coroutine
from typing import Any, Generic, TypeVar

from app.realtime.begun import Begun

logger = logging.getLogger(__name__)

T = TypeVar("T")
HIGH_WATER = 32
"""Messages waiting at which a connection stops being read: its sender then feels TCP's pressure."""

HIGH_WATER_BYTES = 262_144
"""The same in bytes: many ordinary messages, a quarter of the longest one. That one still fits, as
reading stops after it."""

SMALL_BYTES = 4096
"""Less than this is part of what a connection costs, and is not counted against the budget."""

AT_ONCE_S = 0.001
"""One message of this time may be handled as it comes; those that come with it wait for their turn,
so that a read of hundreds does not keep the loop from everyone else."""

TASK_NAME = "inbox"
BESIDE = "beside an inbox"
_KEPT: set[asyncio.Task[None]] = set()
"""Tasks under way beside inboxes: a loop itself does not keep what nothing else refers to."""


class Inbox(Generic[T]):
    """A queue with one worker."""

    __slots__ = (
        "_begun_bytes",
        "_beside",
        "_came_at",
        "_delayed",
        "_ended",
        "_handle",
        "_is_beginning",
        "_is_full",
        "_loop",
        "_note",
        "_stopped",
        "_task",
        "_throttle",
        "_waiting",
        "_waiting_bytes",
        "_was_delayed",
    )

    def __init__(
        self,
        handle: Callable[[T], Coroutine[Any, Any, None]],
        throttle: Callable[[bool], None],
        note: Callable[[], None],
    ) -> None:
        """`throttle` pauses the sender or lets it go on; `note` hears that `held_bytes` changed."""
        # Asking for it takes a system call in Python 3.11.
        self._loop = asyncio.get_running_loop()
        self._handle = handle
        self._throttle = throttle
        self._note = note
        self._waiting_bytes = 0
        self._begun_bytes = 0
        self._waiting: deque[tuple[T, int, float]] | None = None
        self._task: asyncio.Task[None] | None = None
        self._is_beginning = False
        self._is_full = False
        self._ended = False
        self._stopped = False
        self._beside: set[asyncio.Task[None]] | None = None
        self._came_at = 0.0
        self._delayed: asyncio.Future[bool] | None = None
        self._was_delayed = False

    @property
    def is_full(self) -> bool:
        """Whether so much waits, or for so long, that its sender is not read."""
        return self._is_full

    @property
    def held_bytes(self) -> int:
        """The size of the messages that have not been handled to the end, if it is not small."""
        size = self._waiting_bytes + self._begun_bytes
        return size if size >= SMALL_BYTES else 0

    def put(self, message: T, size: int) -> None:
        """Queue `message`; calls `throttle(True)` when too many wait.

        `size` is in bytes, and 0 for what the client has not sent.
        """
        if self._stopped and size > 0:
            return
        waiting = self._waiting
        if waiting is None:
            waiting = self._waiting = deque()
        loop = self._loop
        waiting.append((message, size, loop.time()))
        waiting_bytes = self._waiting_bytes = self._waiting_bytes + size
        if self._task is None and not self._is_beginning:
            self._task = loop.create_task(self._work(waiting), name=TASK_NAME)
        if len(waiting) >= HIGH_WATER or waiting_bytes >= HIGH_WATER_BYTES:
            self._fill()
        if waiting_bytes + self._begun_bytes >= SMALL_BYTES:
            self._note()

    def take(self, message: T, size: int) -> None:
        """As `put`, but handle the message at once, as far as it waits for nothing."""
        loop = self._loop
        now = loop.time()
        if (
            self._task is not None
            or self._is_beginning
            or self._stopped
            or size >= SMALL_BYTES
            or now - self._came_at < AT_ONCE_S
            or asyncio.current_task(loop) is not None
        ):
            self.put(message, size)
            return
        self._came_at = now
        begun = Begun(self._begin(message, size))
        self._is_beginning = True
        try:
            is_done = begun.is_done_at_once(loop)
        finally:
            self._is_beginning = False
        if not is_done:
            self._task = begun.go_on(loop, TASK_NAME)
        elif self._waiting:
            self._task = loop.create_task(self._work(self._waiting), name=TASK_NAME)

    def clear(self) -> None:
        """Forget what the client has sent and has not been begun."""
        if self._waiting:
            kept = [waiting for waiting in self._waiting if waiting[1] == 0]
            self._waiting.clear()
            self._waiting.extend(kept)
            self._waiting_bytes = 0
            self._note()

    def _has_room(self) -> bool:
        # Each read brings hundreds of messages: after a delay, none before all are handled.
        enough = 1 if self._was_delayed else HIGH_WATER // 2
        return len(self._waiting or ()) < enough and self._waiting_bytes < HIGH_WATER_BYTES // 2

    def patience_s(self, limit_s: float) -> float:
        """Return for how long the present message may still wait, of `limit_s` since it came.

        It is 0.0 after `end`.
        """
        if self._ended:
            return 0.0
        return max(0.0, self._came_at + limit_s - self._loop.time())

    async def delay(self, seconds: float) -> bool:
        """Hold up the message that is being handled, and with it all after it.

        What is held up was read already; nothing more is read until it has been handled.

        Returns:
            False when `end` was called before the time was over.
        """
        if self._ended:
            return False
        if self._stopped:
            raise asyncio.CancelledError
        self._was_delayed = True
        self._fill()
        self._delayed = self._loop.create_future()
        timer = self._loop.call_later(seconds, _resolve, self._delayed, True)
        try:
            return await self._delayed
        finally:
            timer.cancel()
            self._delayed = None

    def end(self) -> None:
        """Delay no message any more: the connection has ended."""
        self._ended = True
        if self._delayed is not None:
            _resolve(self._delayed, False)

    # The end of the server.

    def stop(self) -> None:
        """Drop what the client has sent and has not begun, now and from now on.

        A message that is delayed has not begun: it is dropped without an answer, so that its sender
        knows that it was not done.
        """
        self._stopped = True
        self.clear()
        if self._delayed is not None:
            self._delayed.cancel()

    @property
    def is_busy(self) -> bool:
        """Whether a message is being handled, or something beside the messages."""
        return self._task is not None or bool(self._beside)

    async def finish(self) -> None:
        """Return when what has begun is done."""
        while working := self._working():
            await asyncio.wait(working)

    def give_up(self) -> None:
        """Cancel what has begun."""
        for task in self._working():
            task.cancel()

    def _working(self) -> set[asyncio.Task[None]]:
        return {*(self._beside or ()), *([self._task] if self._task is not None else ())}

    def beside(self, job: Coroutine[object, object, None]) -> None:
        """Do something that takes long while the messages after it are handled."""
        if self._beside is None:
            self._beside = set()
        task = beside(job)
        self._beside.add(task)
        task.add_done_callback(self._beside.discard)

    def _fill(self) -> None:
        if not self._is_full:
            self._is_full = True
            self._throttle(True)

    def _drain(self) -> None:
        if self._is_full:
            self._is_full = self._was_delayed = False
            self._throttle(False)

    async def _begin(self, message: T, size: int) -> None:
        await self._finish(message, size)
        if self._task is not None:
            await self._work(self._waiting)

    async def _finish(self, message: T, size: int) -> None:
        """Handle a message to its end, and let its sender go on."""
        self._begun_bytes = size
        try:
            await self._handle(message)
        except asyncio.CancelledError:
            if _being_cancelled():
                raise
            if not self._stopped:
                logger.exception("what a message waited for was cancelled")
        except Exception:
            logger.exception("a message could not be handled")
        del message
        self._begun_bytes = 0
        if self._waiting_bytes + size >= SMALL_BYTES:
            self._note()
        if self._is_full and self._has_room():
            self._drain()

    async def _work(self, waiting: deque[tuple[T, int, float]] | None) -> None:
        while waiting:
            message, size, self._came_at = waiting.popleft()
            self._waiting_bytes -= size
            await self._finish(message, size)
            del message
            if waiting:
                # Handlers that never wait must not keep the loop from everyone else.
                await asyncio.sleep(0)
        # What waited may have been cleared meanwhile.
        self._drain()
        self._task = None
        self._waiting = None


def _resolve(future: asyncio.Future[bool], value: bool) -> None:
    if not future.done():
        future.set_result(value)


def _being_cancelled() -> bool:
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


def beside(job: Coroutine[object, object, None]) -> asyncio.Task[None]:
    """Do something that takes long while the messages after it are handled."""
    task = asyncio.get_running_loop().create_task(_logged(job), name=BESIDE)
    _KEPT.add(task)
    task.add_done_callback(_KEPT.discard)
    return task


async def _logged(job: Coroutine[object, object, None]) -> None:
    try:
        await job
    except Exception:
        logger.exception("a slow message could not be handled")


async def drain(timeout_s: float) -> None:
    """Wait until every inbox of this loop is empty, but not longer than `timeout_s` seconds.

    What is done beside them has the same time, and is then cancelled.
    """
    working = _named(TASK_NAME) | _named(BESIDE)
    if working:
        await asyncio.wait(working, timeout=timeout_s)
    late = _named(BESIDE)
    for task in late:
        task.cancel()
    await asyncio.gather(*late, return_exceptions=True)


def _named(name: str) -> set[asyncio.Task[None]]:
    return {task for task in asyncio.all_tasks() if task.get_name() == name}
