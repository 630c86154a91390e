"""`GET /health`, as `docs/older-apis/market-notifications.md` documents it."""

import logging
import math
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import NotRequired, TypedDict

from aiohttp import web

from app.rest.contract import Credential, contract
from models.errors import Unavailable

logger = logging.getLogger(__name__)


PING: web.AppKey[Callable[[], Awaitable[None]]] = web.AppKey("ping")
"""Asks the database for a sign of life; raises `Unavailable` when there is none in time."""


class LiveView(TypedDict):
    """That the process answers."""

    status: str
    """`alive`."""


class ReadyView(TypedDict):
    """Whether the process can serve."""

    status: str
    """`ready` or `unavailable`."""

    reason: NotRequired[str]


class HealthView(TypedDict):
    """Whether the process can serve, and how many clients `/ws` has."""

    status: str
    """`healthy` or `degraded`."""

    service: str
    ws_connections: int
    reason: NotRequired[str]


class HealthRoutes:
    """Says whether this process can serve, and how many clients `/ws` has.

    `/health` is for people and for clients of the older APIs, `/live` and `/ready` for what runs
    processes: one that is not alive is restarted, one that is not ready gets no new clients.
    """

    def __init__(
        self,
        ping: Callable[[], Awaitable[None]],
        count: Callable[[], int],
        bus_problem: Callable[[], str | None] = lambda: None,
        neighbour_problem: Callable[[], str | None] = lambda: None,
        is_stopping: Callable[[], bool] = lambda: False,
    ) -> None:
        """Make the routes.

        Args:
            ping: asks the store.
            count: counts the clients of `/ws`.
            bus_problem: returns what keeps this process from hearing the others, if anything does.
            neighbour_problem: returns which processes cannot hear this one, if there are any.
            is_stopping: whether it takes no new clients, since it ends soon.
        """
        self._bus_problem = bus_problem
        self._neighbour_problem = neighbour_problem
        self._is_stopping = is_stopping
        self._ping = ping
        self._count = count
        self._logged: str | None = None

    def routes(self) -> list[web.RouteDef]:
        """Return the routes."""
        return [
            web.get("/health", self.health),
            web.get("/live", self.live),
            web.get("/ready", self.ready),
        ]

    @contract("server", {200: LiveView}, credential=Credential.NONE)
    async def live(self, request: web.Request) -> web.Response:
        """200 while the process answers at all: no store is asked."""
        answer: LiveView = {"status": "alive"}
        return web.json_response(answer)

    @contract("server", {200: ReadyView, 503: ReadyView}, credential=Credential.NONE)
    async def ready(self, request: web.Request) -> web.Response:
        """200 `ready`, or 503 `unavailable` and `reason`.

        It is not ready while the database fails, while the events of other processes do not come,
        and when it stops.
        """
        reason = self._bus_problem()
        try:
            await self._ping()
        except Unavailable as error:
            reason = error.message
        if self._is_stopping():
            reason = "The server is stopping."
        if reason is not None:
            self._log(reason)
            body: ReadyView = {"status": "unavailable", "reason": reason}
            return web.json_response(body, status=HTTPStatus.SERVICE_UNAVAILABLE)
        return web.json_response(ReadyView(status="ready"))

    @contract("server", {200: HealthView, 503: HealthView}, credential=Credential.NONE)
    async def health(self, request: web.Request) -> web.Response:
        """200 `healthy`, or 503 `degraded`, `reason` and `Retry-After` while the database fails."""
        body: HealthView = {
            "status": "healthy",
            "service": "api-gateway",
            "ws_connections": self._count(),
        }
        try:
            await self._ping()
        except Unavailable as error:
            self._log(error.message)
            headers = {"Retry-After": str(math.ceil(error.retry_after_s or 1))}
            body |= {"status": "degraded", "reason": error.message}
            return web.json_response(body, status=HTTPStatus.SERVICE_UNAVAILABLE, headers=headers)
        reason = self._bus_problem() or self._neighbour_problem()
        if reason is None:
            self._logged = None
            return web.json_response(body)
        # It answers, and says what clients of other processes do not hear.
        self._log(reason)
        body |= {"status": "degraded", "reason": reason}
        return web.json_response(body)

    def _log(self, reason: str) -> None:
        """Routers ask every few seconds: say a reason once until it changes."""
        if reason != self._logged:
            self._logged = reason
            logger.warning("health: %s", reason)
