"""Messages of one connection, one after the other."""

import asyncio

import pytest

from app.realtime import inbox
from app.realtime.inbox import HIGH_WATER, Inbox
from tests.app.realtime.served import PATIENCE_S


class Handler:
    """Handles numbers when let; -1 fails, -2 is cancelled from within."""

    def __init__(self, *, let: bool = True) -> None:
        self.handled: list[int] = []
        self.throttled: list[bool] = []
        self.let = asyncio.Event()
        self.inbox: Inbox[int] = Inbox(self.handle, self.throttled.append)
        if let:
            self.let.set()

    async def handle(self, number: int) -> None:
        await self.let.wait()
        if number == -1:
            raise RuntimeError("a mistake")
        if number == -2:
            raise asyncio.CancelledError
        self.handled.append(number)


async def test_messages_are_handled_in_order() -> None:
    """Each waits for the one before, also those that come later."""
    handler = Handler(let=False)
    for number in range(10):
        handler.inbox.put(number)
    await asyncio.sleep(0)
    handler.inbox.put(10)
    handler.let.set()
    await inbox.drain(PATIENCE_S)
    assert handler.handled == list(range(11))


@pytest.mark.parametrize("bad", [-1, -2])
async def test_a_handler_that_fails_does_not_stop_the_next(
    bad: int, caplog: pytest.LogCaptureFixture
) -> None:
    """An error or a cancelled wait inside a handler ends that message only, and is logged."""
    handler = Handler()
    for number in (1, bad, 2):
        handler.inbox.put(number)
    await inbox.drain(PATIENCE_S)
    handler.inbox.put(3)
    await inbox.drain(PATIENCE_S)
    assert handler.handled == [1, 2, 3]
    assert "Traceback" in caplog.text
    caplog.clear()


async def test_the_sender_is_throttled_once_and_let_go_once() -> None:
    """Throttled at the mark, let go at half of it."""
    handler = Handler(let=False)
    for number in range(HIGH_WATER - 1):
        handler.inbox.put(number)
    assert handler.throttled == []
    for number in range(10):
        handler.inbox.put(number)
    assert handler.throttled == [True]
    assert handler.inbox.is_full
    handler.let.set()
    await inbox.drain(PATIENCE_S)
    assert handler.throttled == [True, False]
    assert not handler.inbox.is_full


async def test_clear_forgets_what_has_not_begun() -> None:
    """What is being handled comes to its end, and what comes after is handled."""
    handler = Handler(let=False)
    for number in range(HIGH_WATER):
        handler.inbox.put(number)
    await asyncio.sleep(0)
    handler.inbox.clear()
    handler.inbox.put(99)
    handler.let.set()
    await inbox.drain(PATIENCE_S)
    assert handler.handled == [0, 99]
    assert handler.throttled == [True, False]


async def test_others_have_their_turn_between_two_messages() -> None:
    """Handlers that never wait do not hold the loop for a whole backlog."""
    handler = Handler()
    for number in range(1000):
        handler.inbox.put(number)
    turns = 0
    while len(handler.handled) < 1000:
        await asyncio.sleep(0)
        turns += 1
    assert turns >= 999


async def test_drain_waits_no_longer_than_it_may() -> None:
    """A handler that does not come to its end is left behind."""
    handler = Handler(let=False)
    handler.inbox.put(1)
    await inbox.drain(0.01)
    assert handler.handled == []
    handler.let.set()
    await inbox.drain(PATIENCE_S)
    assert handler.handled == [1]


async def test_an_idle_inbox_has_no_task() -> None:
    """There is a task only while there is something to do."""
    handler = Handler()
    handler.inbox.put(1)
    assert handler.inbox._task is not None
    await inbox.drain(PATIENCE_S)
    assert handler.inbox._task is None


async def test_what_takes_long_is_done_beside_and_drained(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Draining waits for it, and a failure of it is logged and nobody else's."""
    let, done = asyncio.Event(), []

    async def long(number: int) -> None:
        await let.wait()
        if number == 2:
            raise RuntimeError("a mistake")
        done.append(number)

    for number in (1, 2, 3):
        inbox.beside(long(number))
    asyncio.get_running_loop().call_soon(let.set)
    await inbox.drain(PATIENCE_S)
    assert done == [1, 3]
    assert "a mistake" in caplog.text
    caplog.clear()


async def test_what_takes_too_long_beside_is_cancelled() -> None:
    """When draining is over it is at an end, and has had its chance to tidy up."""
    tidied = []

    async def endless() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0)
            tidied.append("tidied")

    inbox.beside(endless())
    await asyncio.sleep(0)
    await inbox.drain(0)
    assert tidied == ["tidied"]
