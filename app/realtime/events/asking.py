"""Questions that one process asks all others, and their answers.

    asked            (channel) a JSON array of `FORMAT`, the asker, a number, the question, its data
    answers:ASKER    (channel) a JSON array of `FORMAT`, the number, the answer or null

For what operators want to know now and then; nothing is kept of either. Redis says how many were
reached by a question, so the asker waits for no one who is not there, and not for long for others.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any

import msgspec

from app.realtime.events import redis_work
from models.errors import Unavailable

logger = logging.getLogger(__name__)

FORMAT = 1

ANSWER_S = 3.0
"""For the answers of all; those that come later are not waited for."""

MAX_ANSWER_BYTES = 1_000_000
"""Of one process; a longer one counts as none."""

MAX_ANSWERING = 16
"""Questions that a process answers at once; further ones have no answer."""

Answering = Callable[[Any], Awaitable[Any]]

_encode = msgspec.json.Encoder().encode
_decode_question = msgspec.json.Decoder(tuple[int, str, int, str, Any]).decode
_decode_answer = msgspec.json.Decoder(tuple[int, int, Any]).decode


class _Open:
    """A question whose answers are still waited for."""

    def __init__(self) -> None:
        self.answers: list[Any] = []
        self.count = 0
        self.wanted: int | None = None
        self.complete = asyncio.Event()

    def check(self) -> None:
        if self.wanted is not None and self.count >= self.wanted:
            self.complete.set()


class Asking:
    """Asks the other processes, and answers them."""

    def __init__(self, connect: Callable[[], Any], name: str, process: str) -> None:
        """Make one that answers nothing yet; `running` connects it.

        Args:
            connect: makes a client of Redis.
            name: of the application.
            process: this one's name, new at each start.
        """
        self._connect = connect
        self._questions = f"{name}:asked"
        self._answers_of = f"{name}:answers:{{}}".format
        self._process = process
        self._known: dict[str, Answering] = {}
        self._open: dict[int, _Open] = {}
        self._number = 0
        self._answering: set[asyncio.Task[None]] = set()
        self._is_listening = False
        self._asked: Any = None

    def answer(self, question: str, answering: Answering) -> None:
        """Answer questions of this name: `answering` gets their data and returns what is JSON."""
        self._known[question] = answering

    async def ask(self, question: str, data: Any) -> tuple[list[Any], int]:
        """Ask all other processes.

        Returns:
            Their answers, and how many have not answered in time.

        Raises:
            Unavailable: Redis cannot be asked.
        """
        if not self._is_listening:
            raise Unavailable("Redis cannot be reached: other processes cannot be asked.")
        self._number += 1
        number, opened = self._number, _Open()
        self._open[number] = opened
        try:
            async with asyncio.timeout(ANSWER_S):
                message = _encode((FORMAT, self._process, number, question, data))
                # This process is among those that are reached.
                opened.wanted = await self._asked.publish(self._questions, message) - 1
            opened.check()
            with suppress(TimeoutError):
                async with asyncio.timeout(ANSWER_S):
                    await opened.complete.wait()
        except redis_work.LOST:
            raise Unavailable("Redis cannot be reached: other processes cannot be asked.") from None
        finally:
            del self._open[number]
        return opened.answers, max(0, opened.wanted - len(opened.answers))

    async def carrying(self, app: object) -> AsyncIterator[None]:
        """Ask and answer while an application runs."""
        async with self.running():
            yield

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Ask and answer for as long as the context lasts."""
        self._asked = self._connect()
        listening = asyncio.create_task(redis_work.keep(self._connect, self._listen))
        try:
            yield
        finally:
            await redis_work.end([listening, *self._answering])
            await self._asked.aclose()

    async def _listen(self, redis: Any) -> None:
        try:
            async with redis.pubsub(ignore_subscribe_messages=True) as listening:
                await listening.subscribe(self._questions, self._answers_of(self._process))
                self._is_listening = True
                async for message in redis_work.published(listening):
                    self._hear(message)
        finally:
            self._is_listening = False

    def _hear(self, message: bytes) -> None:
        with suppress(msgspec.DecodeError):
            form, number, answer = _decode_answer(message)
            self._take(form, number, answer)
            return
        try:
            form, asker, number, question, data = _decode_question(message)
        except msgspec.DecodeError:
            return
        if form != FORMAT or asker == self._process:
            return
        if len(self._answering) < MAX_ANSWERING:
            task = asyncio.create_task(self._answer(asker, number, question, data))
            self._answering.add(task)
            task.add_done_callback(self._answering.discard)

    def _take(self, form: int, number: int, answer: Any) -> None:
        opened = self._open.get(number)
        if form != FORMAT or opened is None:
            return
        opened.count += 1
        if answer is not None:
            opened.answers.append(answer)
        opened.check()

    async def _answer(self, asker: str, number: int, question: str, data: Any) -> None:
        answering, answer = self._known.get(question), None
        try:
            if answering is not None:
                answer = await answering(data)
        except Unavailable as error:
            logger.warning("asked for %s: %s", question, error.message)
        except Exception:
            logger.exception("asked for %s", question)
        encoded = _encode((FORMAT, number, answer))
        if len(encoded) > MAX_ANSWER_BYTES:
            encoded = _encode((FORMAT, number, None))
        with suppress(*redis_work.LOST):
            async with asyncio.timeout(ANSWER_S):
                await self._asked.publish(self._answers_of(asker), encoded)
