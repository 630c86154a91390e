"""Coroutines whose first step is taken without a task."""

import asyncio
from collections.abc import Coroutine
from contextlib import suppress
from contextvars import ContextVar
from typing import Any

import pytest

from app.realtime.begun import Begun

variable: ContextVar[str] = ContextVar("variable", default="outside")


async def _run(work: Coroutine[Any, Any, None]) -> asyncio.Task[None] | None:
    """Begin `work` where no task is running; returns the task of what is left."""
    loop = asyncio.get_running_loop()
    found: asyncio.Future[asyncio.Task[None] | None] = loop.create_future()

    def begin() -> None:
        begun = Begun(work)
        try:
            is_done = begun.is_done_at_once(loop)
        except Exception as error:
            found.set_exception(error)
        else:
            found.set_result(None if is_done else begun.go_on(loop, "rest"))

    loop.call_soon(begin)
    return await found


async def test_what_waits_for_nothing_is_done_at_once() -> None:
    """No task is made, and what the work raises is raised."""
    done = []

    async def work() -> None:
        done.append(True)

    async def fail() -> None:
        raise ValueError("a mistake")

    assert await _run(work()) is None
    assert done == [True]
    with pytest.raises(ValueError, match="a mistake"):
        await _run(fail())


async def test_all_steps_have_one_context_of_their_own() -> None:
    """A variable of the first step is known in the others, and can be reset there."""
    seen = []

    async def work() -> None:
        token = variable.set("inside")
        await asyncio.sleep(0)
        seen.append(variable.get())
        variable.reset(token)
        seen.append(variable.get())

    task = await _run(work())
    assert task is not None
    await task
    assert seen == ["inside", "outside"]
    assert variable.get() == "outside"


async def test_a_timeout_of_the_first_step_ends_the_wait() -> None:
    """`asyncio.timeout` finds a task to cancel, and knows its own cancellation again."""
    outcomes = []

    async def work() -> None:
        try:
            async with asyncio.timeout(0.01):
                await asyncio.get_running_loop().create_future()
        except TimeoutError:
            outcomes.append("timeout")
        await asyncio.sleep(0)
        outcomes.append("goes on")

    task = await _run(work())
    assert task is not None
    await task
    assert outcomes == ["timeout", "goes on"]


async def test_what_the_first_step_waits_for_is_cancelled_with_the_task() -> None:
    """Also when the task has not begun to wait for it."""
    waited: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    ended = []

    async def work() -> None:
        try:
            await waited
        finally:
            ended.append(True)

    task = await _run(work())
    assert task is not None
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task
    assert ended == [True]
    assert waited.cancelled()


async def test_the_current_task_of_the_first_step_can_be_cancelled() -> None:
    """The cancellation reaches the task that goes on."""
    reached = []

    async def work() -> None:
        current = asyncio.current_task()
        assert current is not None
        current.cancel()
        assert current.cancelling() == 1
        try:
            await asyncio.sleep(0)
        except asyncio.CancelledError:
            reached.append(True)

    task = await _run(work())
    assert task is not None
    await asyncio.wait([task])
    assert reached == [True]


async def test_a_result_comes_back_to_where_it_is_awaited() -> None:
    """Values and errors of futures pass through the first step and the later ones."""
    first: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    second: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    got: list[object] = []

    async def work() -> None:
        got.append(await first)
        try:
            await second
        except ValueError as error:
            got.append(str(error))

    task = await _run(work())
    assert task is not None
    first.set_result(1)
    second.set_exception(ValueError("a mistake"))
    await task
    assert got == [1, "a mistake"]


async def test_a_group_of_tasks_of_the_first_step_ends_with_the_one_that_fails() -> None:
    """The group finds whom to cancel, and what waits in it waits no longer."""
    outcomes = []

    async def fail() -> None:
        raise ValueError("a mistake")

    async def work() -> None:
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(fail())
                await asyncio.get_running_loop().create_future()
        except* ValueError:
            outcomes.append("failed")
        await asyncio.sleep(0)
        outcomes.append("goes on")

    task = await _run(work())
    assert task is not None
    await task
    assert outcomes == ["failed", "goes on"]
