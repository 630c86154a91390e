"""A coroutine whose first step is taken at once, without a task: most commands need no second one.

Tasks themselves can do this since Python 3.12 (`asyncio.eager_task_factory`), uvloop's cannot.
"""

import asyncio
from collections.abc import Coroutine
from contextvars import copy_context
from typing import Any


class Begun(Coroutine[Any, Any, None]):
    """A coroutine that has taken its first step, and what a task needs to take the others.

    During that step it is the current task: who asks for that, as `asyncio.timeout` does, keeps it,
    and later speaks through it to the task that goes on.
    """

    __slots__ = ("__weakref__", "_context", "_is_cancelled", "_task", "_waits_for", "_work")

    def __init__(self, work: Coroutine[Any, Any, None]) -> None:
        self._work = work
        self._context = copy_context()
        self._waits_for: Any = None
        self._task: asyncio.Task[None] | None = None
        self._is_cancelled = False

    def is_done_at_once(self, loop: asyncio.AbstractEventLoop) -> bool:
        """Take the first step, in a context of its own; whether it was the only one.

        What the coroutine raises is raised here. No task of the loop may be running.
        """
        # How tasks other than asyncio's become the current one: "Extending" in its documentation.
        asyncio._enter_task(loop, self)  # type: ignore[arg-type]
        try:
            self._waits_for = self._context.run(self._work.send, None)
        except StopIteration:
            return True
        finally:
            asyncio._leave_task(loop, self)  # type: ignore[arg-type]
        return False

    def go_on(self, loop: asyncio.AbstractEventLoop, name: str) -> "asyncio.Task[None]":
        """Return a task that takes the other steps, in the context of the first."""
        self._task = loop.create_task(self, name=name, context=self._context)
        if self._is_cancelled:
            self._task.cancel()
        return self._task

    # What is asked of the current task.

    def cancel(self, msg: object = None) -> bool:
        """Cancel the task that goes on, or the one that will."""
        if self._task is not None:
            return self._task.cancel(msg)
        self._is_cancelled = True
        return True

    def cancelling(self) -> int:
        """Return how often it was cancelled."""
        return self._task.cancelling() if self._task is not None else int(self._is_cancelled)

    def uncancel(self) -> int:
        """Take back one cancellation."""
        if self._task is not None:
            return self._task.uncancel()
        self._is_cancelled = False
        return 0

    def done(self) -> bool:
        """Whether the task that goes on has ended."""
        return self._task is not None and self._task.done()

    def get_name(self) -> str:
        """Return the name of the task, where there is one."""
        return self._task.get_name() if self._task is not None else type(self).__name__

    # A coroutine that begins with what the first step waits for.

    def __await__(self) -> Any:
        """Return the steps of a coroutine, as only tasks ask for them."""
        return self._work.__await__()

    def send(self, value: Any) -> Any:
        """Take a step; the first one only says what is waited for."""
        if self._waits_for is not _NOTHING:
            waits_for, self._waits_for = self._waits_for, _NOTHING
            return waits_for
        return self._work.send(value)

    def throw(self, *error: Any) -> Any:
        """Raise an error where the coroutine waits."""
        waits_for, self._waits_for = self._waits_for, _NOTHING
        if asyncio.isfuture(waits_for):
            # No task has seen it yet, which else would cancel it.
            waits_for.cancel()
        return self._work.throw(*error)

    def close(self) -> None:
        """Let the coroutine clean up."""
        self._work.close()


_NOTHING = object()
