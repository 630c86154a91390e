"""The other workers on this machine, as the engine sees them (`app.realtime.engineio.neighbours`).

The id of a session ends in a dot and the number of its worker. Clients send it back and may send
anything: no more than a number of a worker is taken from it.
"""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, suppress
from pathlib import Path

from aiohttp import web

from app.memory import Budget
from app.realtime.engineio.engine import EngineServer
from app.realtime.finishing import FAREWELL_S
from app.realtime.websocket.upgrade import Upgrade
from app.settings import Limits
from app.workers.forwarding import Forwarding, answering
from app.workers.handover import hand_over, receiving


class Neighbours:
    """The other workers of one supervisor."""

    def __init__(self, number: int, count: int, folder: Path, *, ping_interval_s: float) -> None:
        """Make what worker `number` of 1 to `count` knows of the others."""
        self.sid_suffix = f".{number}"
        self._number = number
        self._folder = folder
        self._known = {str(each): each for each in range(1, count + 1) if each != number}
        self._forwarding = Forwarding(ping_interval_s)

    def owner_of(self, sid: str) -> int | None:
        """Return whose session an id is, if it is another worker's."""
        return self._known.get(sid.rpartition(".")[2])

    async def poll(self, owner: int, request: web.Request) -> web.StreamResponse:
        """Have the owner answer a request of long-polling."""
        return await self._forwarding.poll(self._polls(owner), request)

    async def upgrade(self, owner: int, sid: str, upgrade: Upgrade) -> web.StreamResponse:
        """Hand the connection of an opening handshake over to the owner."""
        return await hand_over(self._upgrades(owner), sid, upgrade)

    async def serve(
        self, engine: EngineServer, limits: Limits, budget: Budget
    ) -> AsyncIterator[None]:
        """Take what the others pass on, for sessions of `engine`, until this is closed."""
        async with AsyncExitStack() as stack:
            stack.push_async_callback(self._forwarding.close)
            polls, upgrades = self._polls(self._number), self._upgrades(self._number)
            _make(self._folder)
            # Also by the last of workers that no supervisor looks after any more.
            stack.callback(_remove_if_empty, self._folder)
            for path in (polls, upgrades):
                # What a predecessor left behind that was killed.
                path.unlink(missing_ok=True)
                stack.callback(path.unlink, missing_ok=True)
            await stack.enter_async_context(answering(polls, engine.go_on_polling, limits, budget))
            await stack.enter_async_context(receiving(upgrades, engine.upgraded_elsewhere))
            yield

    async def stop(self, finish_s: float) -> None:
        """Wait for what the others are asked, who may stop at the same time."""
        await self._forwarding.finish(finish_s + FAREWELL_S)

    def _polls(self, number: int) -> Path:
        return self._folder / f"{number}.polls"

    def _upgrades(self, number: int) -> Path:
        return self._folder / f"{number}.upgrades"


def _make(folder: Path) -> None:
    folder.mkdir(mode=0o700, exist_ok=True)


def _remove_if_empty(folder: Path) -> None:
    with suppress(OSError):
        folder.rmdir()
