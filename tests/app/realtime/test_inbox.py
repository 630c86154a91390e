"""Messages of one connection, one after the other."""

import asyncio

import pytest

from app.realtime import inbox
from app.realtime.inbox import HIGH_WATER, HIGH_WATER_BYTES, Inbox
from tests.app.realtime.served import PATIENCE_S


class Handler:
    """Handles numbers when let; -1 fails, -2 is cancelled from within."""

    def __init__(self, *, let: bool = True) -> None:
        self.handled: list[int] = []
        self.throttled: list[bool] = []
        self.let = asyncio.Event()
        self.inbox: Inbox[int] = Inbox(self.handle, self.throttled.append, lambda: None)
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
        handler.inbox.put(number, 1)
    await asyncio.sleep(0)
    handler.inbox.put(10, 1)
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
        handler.inbox.put(number, 1)
    await inbox.drain(PATIENCE_S)
    handler.inbox.put(3, 1)
    await inbox.drain(PATIENCE_S)
    assert handler.handled == [1, 2, 3]
    assert "Traceback" in caplog.text
    caplog.clear()


async def test_the_sender_is_throttled_once_and_let_go_once() -> None:
    """Throttled at the mark, let go at half of it."""
    handler = Handler(let=False)
    for number in range(HIGH_WATER - 1):
        handler.inbox.put(number, 1)
    assert handler.throttled == []
    for number in range(10):
        handler.inbox.put(number, 1)
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
        handler.inbox.put(number, 1)
    await asyncio.sleep(0)
    handler.inbox.clear()
    handler.inbox.put(99, 1)
    handler.let.set()
    await inbox.drain(PATIENCE_S)
    assert handler.handled == [0, 99]
    assert handler.throttled == [True, False]


class Delaying(Handler):
    """Delays each message by `delay_s` before it handles it; notes what was cut short."""

    def __init__(self, delay_s: float) -> None:
        super().__init__()
        self.delay_s = delay_s
        self.cut_short: list[int] = []

    async def handle(self, number: int) -> None:
        if await self.inbox.delay(self.delay_s):
            await super().handle(number)
        else:
            self.cut_short.append(number)


async def test_nothing_is_read_until_the_delayed_are_handled() -> None:
    """A sender is paused with the first delay, and let go once, when its last message is done."""
    handler = Delaying(0.0001)
    for number in range(10):
        handler.inbox.put(number, 1)
    await asyncio.sleep(0)
    assert handler.inbox.is_full
    assert handler.throttled == [True]
    await inbox.drain(PATIENCE_S)
    assert handler.handled == list(range(10))
    assert handler.throttled == [True, False]


async def test_the_end_waits_for_no_delay() -> None:
    """The message that waits, and each after it, hears that the connection has ended."""
    handler = Delaying(3600)
    for number in range(3):
        handler.inbox.put(number, 1)
    await asyncio.sleep(0)
    assert handler.inbox.patience_s(3600) == pytest.approx(3600, abs=1)
    handler.inbox.end()
    await inbox.drain(PATIENCE_S)
    assert (handler.handled, handler.cut_short) == ([], [0, 1, 2])
    assert handler.inbox.patience_s(3600) == 0.0
    assert not handler.inbox.is_full


async def test_clear_between_two_messages_lets_the_sender_go() -> None:
    """A sender is never left paused when nothing waits any more."""
    handler = Handler()
    for number in range(2 * HIGH_WATER):
        handler.inbox.put(number, 1)
    assert handler.inbox.is_full
    await asyncio.sleep(0)
    handler.inbox.clear()
    await inbox.drain(PATIENCE_S)
    assert handler.handled == [0]
    assert handler.throttled == [True, False]


async def test_others_have_their_turn_between_two_messages() -> None:
    """Handlers that never wait do not hold the loop for a whole backlog."""
    handler = Handler()
    for number in range(1000):
        handler.inbox.put(number, 1)
    turns = 0
    while len(handler.handled) < 1000:
        await asyncio.sleep(0)
        turns += 1
    assert turns >= 999


async def test_drain_waits_no_longer_than_it_may() -> None:
    """A handler that does not come to its end is left behind."""
    handler = Handler(let=False)
    handler.inbox.put(1, 1)
    await inbox.drain(0.01)
    assert handler.handled == []
    handler.let.set()
    await inbox.drain(PATIENCE_S)
    assert handler.handled == [1]


async def test_an_idle_inbox_has_no_task() -> None:
    """There is a task only while there is something to do."""
    handler = Handler()
    handler.inbox.put(1, 1)
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


async def test_bytes_throttle_as_numbers_do() -> None:
    """What waits is counted, not what is being handled; let go at half of the mark."""
    handler = Handler(let=False)
    handler.inbox.put(0, HIGH_WATER_BYTES - 1)
    await asyncio.sleep(0)
    for number in (1, 2):
        handler.inbox.put(number, HIGH_WATER_BYTES - 1)
        assert handler.throttled == ([True] if number == 2 else [])
    handler.let.set()
    await inbox.drain(PATIENCE_S)
    assert handler.throttled == [True, False]
    assert handler.inbox.held_bytes == 0


async def test_clear_keeps_what_the_client_has_not_sent() -> None:
    """The end of a connection, of no size, is handled whatever is dropped before it."""
    handler = Handler(let=False)
    for number, size in ((1, 5000), (2, 5000), (3, 0), (4, 5000)):
        handler.inbox.put(number, size)
    await asyncio.sleep(0)
    handler.inbox.clear()
    assert handler.inbox.held_bytes == 5000
    handler.let.set()
    await inbox.drain(PATIENCE_S)
    assert handler.handled == [1, 3]


async def test_a_message_that_need_not_wait_is_handled_as_it_comes() -> None:
    """Without a task; those that come with it have their turn after it."""
    handler = Handler()
    seen: list[list[int]] = []

    def come() -> None:
        handler.inbox.take(1, 1)
        seen.append(list(handler.handled))
        assert not handler.inbox.is_busy
        for number in (2, 3):
            handler.inbox.take(number, 1)
        seen.append(list(handler.handled))

    asyncio.get_running_loop().call_soon(come)
    await asyncio.sleep(0)
    await inbox.drain(PATIENCE_S)
    assert seen == [[1], [1]]
    assert handler.handled == [1, 2, 3]


async def test_a_message_that_waits_holds_up_the_next() -> None:
    """What has begun is busy until its end, and what comes after it is handled after it."""
    handler = Handler(let=False)

    def come() -> None:
        handler.inbox.take(1, 1)
        handler.inbox.take(2, 1)

    asyncio.get_running_loop().call_soon(come)
    await asyncio.sleep(0)
    assert handler.inbox.is_busy
    assert handler.handled == []
    handler.let.set()
    await inbox.drain(PATIENCE_S)
    assert handler.handled == [1, 2]
    assert not handler.inbox.is_busy


async def test_what_a_message_brings_about_waits_for_its_end() -> None:
    """A message that is put while another is begun does not overtake the rest of that one."""
    handled: list[str] = []
    let = asyncio.Event()

    async def handle(message: str) -> None:
        if message == "first":
            box.put("second", 1)
            await let.wait()
        handled.append(message)

    box: Inbox[str] = Inbox(handle, lambda pause: None, lambda: None)
    asyncio.get_running_loop().call_soon(box.take, "first", 1)
    await asyncio.sleep(0)
    let.set()
    await inbox.drain(PATIENCE_S)
    assert handled == ["first", "second"]


@pytest.mark.parametrize("bad", [-1, -2])
async def test_one_that_fails_at_once_does_not_stop_the_next(
    bad: int, caplog: pytest.LogCaptureFixture
) -> None:
    """Its error is logged."""
    handler = Handler()

    def come() -> None:
        handler.inbox.take(bad, 1)
        handler.inbox.put(1, 1)

    asyncio.get_running_loop().call_soon(come)
    await asyncio.sleep(0)
    await inbox.drain(PATIENCE_S)
    assert handler.handled == [1]
    assert "Traceback" in caplog.text
    caplog.clear()
