"""Live clients that come at once, as after a restart, are let in as fast as the others bear.

Letting one in takes up to milliseconds: its token, its rooms, what it has missed. Ten thousand that
come together would keep those that are there already waiting for all of them. So only a few begin
in each short while, and the rest wait their turn. Beyond a bound
they are asked to come again; clients do so after a pause of their own.
"""

import asyncio
from collections import deque

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from app.http.pace import Pace
from app.rest.errors import problem
from app.stopping import opens_connection

AT_ONCE = 8
"""Let in in a tick: some milliseconds of work."""

WAITING = 2_000
"""Requests that wait, of some 30 KB each: at a few hundred in a second, for less time than clients
allow for a connection to open."""

RETRY_AFTER_S = 5


class Admission:
    """Whose turn it is to come in."""

    def __init__(self, pace: Pace | None = None) -> None:
        self._pace = pace or Pace(AT_ONCE)
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._next: asyncio.TimerHandle | None = None

    @property
    def waiting(self) -> int:
        """How many wait."""
        return len(self._waiting)

    async def turn(self) -> bool:
        """Wait for one's turn; False at once if too many do."""
        if not self._waiting and self._pace.take():
            return True
        if len(self._waiting) >= WAITING:
            return False
        loop = asyncio.get_running_loop()
        turn = loop.create_future()
        self._waiting.append(turn)
        if self._next is None:
            self._next = loop.call_later(self._pace.rest_s, self._let_in)
        await turn
        return True

    def _let_in(self) -> None:
        self._next = None
        while self._waiting:
            if self._waiting[0].done():
                # It was given up.
                self._waiting.popleft()
            elif self._pace.take():
                self._waiting.popleft().set_result(None)
            else:
                loop = asyncio.get_running_loop()
                self._next = loop.call_later(self._pace.rest_s, self._let_in)
                return

    def middleware(self) -> Middleware:
        """Make the middleware that has requests wait which open a live connection."""

        @web.middleware
        async def wait(request: web.Request, handler: Handler) -> web.StreamResponse:
            if not opens_connection(request) or await self.turn():
                return await handler(request)
            response = problem(
                "busy",
                "Too many clients come at once; try again.",
                headers={"Retry-After": str(RETRY_AFTER_S)},
            )
            response.force_close()
            return response

        return wait
