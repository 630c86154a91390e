"""Stop in good order: what has begun is finished and answered, what has not begun is not done.

`Stop.run` comes first when a server ends, while its keep-alive connections are still served: a
request that comes now is answered 503, and polls fetch what they are owed. See
`app.realtime.finishing` for what becomes of live connections.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from app.realtime import inbox
from app.realtime.finishing import FINISH_S
from app.realtime.websocket.upgrade import wants_websocket
from app.rest.errors import problem

logger = logging.getLogger(__name__)

ENGINE_PATH = "/socket.io/"

NOTE_S = 1.0
"""For noting that this process stops, in a store that may not answer."""

ANSWER_S = 0.2
"""For cancelled requests to be answered, and for the ends of connections to be noted."""

RETRY_AFTER_S = 1

Step = Callable[[], Awaitable[None]]


class Stop:
    """The end of one application."""

    def __init__(self, finish_s: float = FINISH_S, *, drain_s: float = 0.0) -> None:
        """Make an end that waits for `finish_s` for what has begun.

        Live connections end all at once, or spread over `drain_s` seconds before that.
        """
        self.finish_s = finish_s
        self.drain_s = drain_s
        self.is_near = False
        """Whether the process takes no new clients any more."""

        self.has_begun = False
        """Whether it takes no more requests, either."""

        self._hurry = asyncio.Event()
        self._finished = asyncio.Event()
        self._first: Sequence[Step] = ()
        self._drains: Sequence[Callable[[float], Awaitable[None]]] = ()
        self._connections: Sequence[Callable[[float], Awaitable[None]]] = ()
        self._give_up: Callable[[], None] = lambda: None
        self._under_way: set[asyncio.Task[object]] = set()
        self._given_up: set[asyncio.Task[object]] = set()

    def plan(
        self,
        *,
        first: Sequence[Step],
        drains: Sequence[Callable[[float], Awaitable[None]]] = (),
        connections: Sequence[Callable[[float], Awaitable[None]]],
        give_up: Callable[[], None],
    ) -> None:
        """Say what stopping is.

        Args:
            first: notes of models that the process stops; they may take `NOTE_S`.
            drains: each ends live connections, a few at a time within so many seconds.
            connections: each ends live connections, with so many seconds for what has begun.
            give_up: drops work that cannot be cancelled, when its time is over.
        """
        self._first = first
        self._drains = drains
        self._connections = connections
        self._give_up = give_up

    @property
    def middleware(self) -> Middleware:
        """The middleware that counts requests under way and refuses those that come too late."""

        @web.middleware
        async def refuse_late(request: web.Request, handler: Handler) -> web.StreamResponse:
            if request.path == ENGINE_PATH and "sid" in request.query:
                # Part of a live connection, which ends by itself.
                return await handler(request)
            if self.has_begun or (self.is_near and opens_connection(request)):
                return _stopping()
            task = asyncio.current_task()
            assert task is not None
            self._under_way.add(task)
            try:
                response = await handler(request)
                if self.is_near and not response.prepared:
                    # The next one of this client may as well go where it is to stay.
                    response.force_close()
                return response
            except asyncio.CancelledError:
                if task not in self._given_up or request.writer.output_size > 0:
                    raise
                task.uncancel()
                return _stopping()
            finally:
                self._under_way.discard(task)

        return refuse_late

    async def run(self) -> None:
        """Stop, once; anyone who calls it again waits for the end."""
        if self.is_near:
            await self._finished.wait()
            return
        self.is_near = True
        await self._drain()
        self.has_begun = True
        try:
            await asyncio.gather(
                self._note(),
                self._finish_requests(),
                *(_logged(end(self.finish_s)) for end in self._connections),
            )
            await inbox.drain(ANSWER_S)
        finally:
            self._finished.set()

    def hurry(self) -> None:
        """End what is still to be spread at once."""
        self._hurry.set()

    async def _drain(self) -> None:
        if self.drain_s <= 0:
            return
        draining = asyncio.gather(*(_logged(drain(self.drain_s)) for drain in self._drains))
        hurrying = asyncio.ensure_future(self._hurry.wait())
        await asyncio.wait((draining, hurrying), return_when=asyncio.FIRST_COMPLETED)
        # What had begun to end is ended with the rest.
        for each in (draining, hurrying):
            each.cancel()
        await asyncio.gather(draining, hurrying, return_exceptions=True)

    async def _note(self) -> None:
        try:
            async with asyncio.timeout(NOTE_S):
                await asyncio.gather(*(_logged(step()) for step in self._first))
        except TimeoutError:
            logger.warning("the store does not take notes of the end")

    async def _finish_requests(self) -> None:
        # One that asked for the end is not waited for.
        under_way = self._under_way - {asyncio.current_task()}
        if not under_way:
            return
        _, late = await asyncio.wait(under_way, timeout=self.finish_s)
        if not late:
            return
        logger.warning("%d requests are answered 503: they take too long", len(late))
        self._give_up()
        for task in late & self._under_way:
            self._given_up.add(task)
            task.cancel()
        await asyncio.wait(late, timeout=ANSWER_S)


STOP = web.AppKey("stop", Stop)
"""The application's one end."""


def opens_connection(request: web.Request) -> bool:
    """Whether a request begins a live connection, and is no part of one."""
    if request.path == ENGINE_PATH:
        return "sid" not in request.query
    return wants_websocket(request)


def _stopping() -> web.Response:
    response = problem(
        "server_stopping",
        "The server is stopping; try again.",
        headers={"Retry-After": str(RETRY_AFTER_S)},
    )
    response.force_close()
    return response


async def _logged(step: Awaitable[None]) -> None:
    try:
        await step
    except Exception:
        logger.exception("a part of the end failed")
