"""Requests of long-polling that came to a worker which is not their session's owner.

The owner answers HTTP on a Unix socket of the workers' folder. The worker that a request came to
has checked it as any other (its origin, its address, the limits), so only what belongs to polling
is passed on: the query, the body and a few headers. The client's address stays where it was seen.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from http import HTTPStatus
from pathlib import Path

from aiohttp import ClientConnectorError, ClientError, ClientSession, ClientTimeout, hdrs, web
from aiohttp.connector import UnixConnector
from yarl import URL

from app.http.runner import build_runner
from app.logs import fields
from app.memory import BUDGET, Budget
from app.realtime.engineio.polling import BODY_S, Refusal, refuse, watching
from app.settings import Limits

logger = logging.getLogger(__name__)

UNDER_WAY = 2_000
"""Requests passed on at the same time. Each holds two connections and some 30 KB; most clients poll
for a second, until their WebSocket is open."""

CONNECT_S = 2.0
"""To an owner on the same machine, which is there or is not."""

SPARE_S = 5.0
"""An owner answers each poll with a ping at the latest; one that is so much later hangs."""

RETRY_AFTER_S = 1

_PATH = "/socket.io/"

_ASKED = (hdrs.CONTENT_TYPE, hdrs.CONTENT_LENGTH, hdrs.ACCEPT_ENCODING)
_ANSWERED = (hdrs.CONTENT_TYPE, hdrs.CONTENT_ENCODING, hdrs.CACHE_CONTROL)

Poll = Callable[[str, web.Request], Awaitable[web.StreamResponse]]


class Forwarding:
    """Passes requests on to the other workers."""

    def __init__(self, ping_interval_s: float) -> None:
        self._total_s = ping_interval_s + BODY_S + SPARE_S
        self._sessions: dict[Path, ClientSession] = {}
        self._under_way: set[asyncio.Task[web.Response]] = set()

    async def poll(self, path: Path, request: web.Request) -> web.Response:
        """Have the owner that listens at `path` answer a request."""
        if len(self._under_way) >= UNDER_WAY:
            logger.warning("too many polls for other workers", extra=fields("polls passed on"))
            return web.Response(
                status=HTTPStatus.SERVICE_UNAVAILABLE, headers={"Retry-After": str(RETRY_AFTER_S)}
            )
        asking = asyncio.create_task(self._ask(path, request))
        self._under_way.add(asking)
        asking.add_done_callback(self._under_way.discard)

        def gone() -> None:
            # The owner learns so by the end of its connection.
            asking.cancel()

        with watching(request, gone):
            try:
                return await asking
            except asyncio.CancelledError:
                asking.cancel()
                current = asyncio.current_task()
                if current is not None and current.cancelling():
                    raise
                return refuse(Refusal.BAD_REQUEST)

    async def _ask(self, path: Path, request: web.Request) -> web.Response:
        url = URL.build(
            scheme="http",
            host="worker",
            path=_PATH,
            query_string=request.rel_url.raw_query_string,
            encoded=True,
        )
        headers = {name: request.headers[name] for name in _ASKED if name in request.headers}
        body = request.content if request.method == hdrs.METH_POST else None
        try:
            async with self._session(path).request(
                request.method, url, headers=headers, data=body
            ) as answer:
                return web.Response(
                    status=answer.status,
                    body=await answer.read(),
                    headers={
                        name: answer.headers[name] for name in _ANSWERED if name in answer.headers
                    },
                )
        except TimeoutError:
            logger.warning("a worker does not answer", extra=fields("worker hangs"))
            return web.Response(status=HTTPStatus.GATEWAY_TIMEOUT)
        except ClientConnectorError:
            # It is gone, and its sessions with it.
            return refuse(Refusal.UNKNOWN_SID)
        except (ClientError, OSError):
            # It has ended meanwhile, or the client does not send the body that it began.
            return refuse(Refusal.BAD_REQUEST)

    def _session(self, path: Path) -> ClientSession:
        session = self._sessions.get(path)
        if session is None:
            session = self._sessions[path] = ClientSession(
                # Bounded by `UNDER_WAY`.
                connector=UnixConnector(str(path), limit=0),
                timeout=ClientTimeout(total=self._total_s, sock_connect=CONNECT_S),
                auto_decompress=False,
                skip_auto_headers=(hdrs.ACCEPT_ENCODING, hdrs.CONTENT_TYPE, hdrs.USER_AGENT),
            )
        return session

    async def finish(self, timeout_s: float) -> None:
        """Wait for the answers of owners, who may stop at the same time."""
        if self._under_way:
            await asyncio.wait(set(self._under_way), timeout=timeout_s)

    async def close(self) -> None:
        """End all connections to other workers."""
        for session in self._sessions.values():
            await session.close()


@asynccontextmanager
async def answering(path: Path, poll: Poll, limits: Limits, budget: Budget) -> AsyncIterator[None]:
    """Answer requests that other workers pass on, by `poll` with the session's id."""

    async def handle(request: web.Request) -> web.StreamResponse:
        return await poll(request.query.get("sid", ""), request)

    app = web.Application()
    app[BUDGET] = budget
    app.router.add_route("*", _PATH, handle)
    runner = build_runner(app, limits, shutdown_timeout=0.1)
    await runner.setup()
    try:
        await web.UnixSite(runner, str(path), backlog=UNDER_WAY).start()
        yield
    finally:
        await runner.cleanup()
