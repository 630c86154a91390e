"""What one process asks the others, between parts that stand for them, on a real Redis."""

import asyncio
from contextlib import AsyncExitStack, asynccontextmanager

import pytest
from redis.asyncio import Redis

from app.realtime.events import asking
from app.realtime.events.asking import Asking
from models.errors import Unavailable
from tests.redis_server import needs_redis

pytestmark = [pytest.mark.fault, needs_redis]

PATIENCE_S = 30.0


async def until_reachable(parts):
    """Return when each of them reaches all others."""
    async with asyncio.timeout(PATIENCE_S):
        for part in parts:
            heard = None
            while heard is None or len(heard[0]) < len(parts) - 1:
                try:
                    heard = await part.ask("name", None)
                except Unavailable:
                    await asyncio.sleep(0.01)


@asynccontextmanager
async def running(redis, *names):
    async with AsyncExitStack() as stack:
        parts = [Asking(lambda: Redis.from_url(redis.url), "test", name) for name in names]
        for name, part in zip(names, parts, strict=True):

            async def answer(data, name=name):
                return {"name": name, "data": data}

            part.answer("name", answer)
            await stack.enter_async_context(part.running())
        await until_reachable(parts)
        yield parts


async def test_all_others_answer(redis):
    """Each with its own; the asker does not hear itself, and waits for nobody else."""
    async with running(redis, "one", "two", "three") as (one, two, _):
        answers, silent = await one.ask("name", ["a", 1])
        assert sorted(each["name"] for each in answers) == ["three", "two"]
        assert all(each["data"] == ["a", 1] for each in answers)
        assert silent == 0
        answers, _ = await two.ask("name", None)
        assert sorted(each["name"] for each in answers) == ["one", "three"]


async def test_one_that_is_alone(redis):
    async with running(redis, "one") as (one,):
        assert await one.ask("name", None) == ([], 0)


async def test_one_that_does_not_answer_in_time(redis, monkeypatch):
    """It is counted as silent, and its answer is not waited for."""
    monkeypatch.setattr(asking, "ANSWER_S", 0.3)
    async with running(redis, "one", "two", "three") as (one, two, _):
        held = asyncio.Event()

        async def never(data):
            await held.wait()

        two.answer("name", never)
        answers, silent = await one.ask("name", None)
        assert ([each["name"] for each in answers], silent) == (["three"], 1)
        held.set()


async def test_one_that_cannot_answer(redis, caplog, monkeypatch):
    """Unknown questions, errors and answers that are too long are told from silence at once."""
    monkeypatch.setattr(asking, "MAX_ANSWER_BYTES", 100)
    async with running(redis, "one", "two") as (one, two):

        async def fails(data):
            raise Unavailable("the store is away")

        async def is_long(data):
            return "x" * 101

        two.answer("fails", fails)
        two.answer("long", is_long)
        for question in ("unknown", "fails", "long"):
            began = asyncio.get_running_loop().time()
            assert await one.ask(question, None) == ([], 1)
            assert asyncio.get_running_loop().time() - began < asking.ANSWER_S
        assert len((await one.ask("name", None))[0]) == 1


async def test_redis_is_away(redis):
    """That is an error, not an answer of nobody; afterwards all is as before."""
    async with running(redis, "one", "two") as parts:
        redis.stop()
        with pytest.raises(Unavailable):
            await parts[0].ask("name", None)
        redis.start()
        await until_reachable(parts)


async def test_other_messages_are_passed_over(redis):
    async with running(redis, "one", "two") as (one, _):
        writer = Redis.from_url(redis.url)
        for message in (b"", b"[]", b'[2,"x",1,"name",null]', b'[1,999,"late"]', b'{"a":1}'):
            await writer.publish("test:asked", message)
            await writer.publish("test:answers:one", message)
        await writer.aclose()
        answers, silent = await one.ask("name", None)
        assert (len(answers), silent) == (1, 0)
