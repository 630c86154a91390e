"""What is written behind an answer: how far conversations go, and how far authors have read.

A message is durable when its document is. Its number is in its key, so how far a conversation goes
can be found without what is noted here (`Log.newest`); that its author has read it is lost with a
process that dies in these milliseconds, and the author's next message or look says it again.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Any, Generic, TypeVar

from models.errors import Unavailable
from models.finishing import keep

logger = logging.getLogger(__name__)

Value = TypeVar("Value", bound=Any)


class Behind(Generic[Value]):
    """Values by key that only rise. Each is written soon, and only the highest of its time.

    What is noted and not written is at most a key for each author who is being answered.
    """

    def __init__(self, write: Callable[[str, Value], Awaitable[object]]) -> None:
        """`write` writes a value unless a higher one is there."""
        self._write = write
        self._noted: dict[str, Value] = {}
        self._round: asyncio.Task[None] | None = None

    def note(self, key: str, value: Value) -> None:
        """Have a value written."""
        known = self._noted.get(key)
        self._noted[key] = value if known is None else max(known, value)
        if self._round is None or self._round.done():
            self._round = keep(self._write_all())

    def get(self, key: str) -> Value | None:
        """Return the value that is noted and perhaps not written."""
        return self._noted.get(key)

    async def written(self) -> None:
        """Return when all that is noted now is written."""
        for _ in range(2):
            # What was noted while a round is under way may be of the next one.
            if self._round is not None:
                await asyncio.shield(self._round)

    async def _write_all(self) -> None:
        for key, value in tuple(self._noted.items()):
            try:
                await self._write(key, value)
            # In both cases the next value says it again, and it can be done without until then.
            except Unavailable as error:
                logger.warning("what follows from a message was not written: %s", error)
            except Exception:
                logger.exception("what follows from a message could not be written")
            if self._noted[key] == value:
                del self._noted[key]
        self._round = keep(self._write_all()) if self._noted else None
