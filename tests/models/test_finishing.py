"""Work that its caller's end does not end."""

import asyncio

import pytest

from models import finishing
from models.errors import Conflict


async def test_a_cancelled_caller_does_not_end_its_work():
    """What was begun runs to its end, and a caller that waits gets what it returns or raises."""
    go_on, ended = asyncio.Event(), asyncio.Event()

    async def work():
        await go_on.wait()
        ended.set()
        return 7

    caller = asyncio.create_task(finishing.finish(work()))
    patient = asyncio.create_task(finishing.finish(work()))
    await asyncio.sleep(0)
    caller.cancel()
    with pytest.raises(asyncio.CancelledError):
        await caller
    assert not ended.is_set()
    go_on.set()
    assert await patient == 7
    await finishing.drain(1.0)
    assert ended.is_set()


async def test_a_failure_after_the_caller_has_gone_is_logged_unless_it_is_an_answer(caplog):
    """A refusal is nobody's business any more; anything else is the server's fault."""

    async def work(error):
        await asyncio.sleep(0)
        raise error

    for error in (Conflict("no", code="offer_closed"), RuntimeError("a fault")):
        caller = asyncio.create_task(finishing.finish(work(error)))
        await asyncio.sleep(0)
        caller.cancel()
        with pytest.raises(asyncio.CancelledError):
            await caller
        await finishing.drain(1.0)
    (record,) = caplog.records
    assert str(record.exc_info[1]) == "a fault"


async def test_draining_is_bounded_and_waits_for_what_follows():
    """Kept work may begin more of it; what is late is cancelled."""
    done = []

    async def first():
        await asyncio.sleep(0)
        finishing.keep(second())

    async def second():
        await asyncio.sleep(0)
        done.append("second")

    finishing.keep(first())
    await finishing.drain(5.0)
    assert done == ["second"]
    hanging = finishing.keep(asyncio.Event().wait())
    await finishing.drain(0.01)
    assert hanging.cancelled()
