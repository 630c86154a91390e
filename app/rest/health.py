"""`GET /health`, as `market-notifications.md` documents it."""

import logging
from collections.abc import Awaitable, Callable
from http import HTTPStatus

from aiohttp import web

from models.errors import Unavailable

logger = logging.getLogger(__name__)


class HealthRoutes:
    """Says whether this process can serve, and how many clients `/ws` has."""

    def __init__(self, ping: Callable[[], Awaitable[None]], count: Callable[[], int]) -> None:
        self._ping = ping
        self._count = count

    def routes(self) -> list[web.RouteDef]:
        """Give the route."""
        return [web.get("/health", self.health)]

    async def health(self, request: web.Request) -> web.Response:
        """200 `healthy`, or 503 `degraded` while the database is away."""
        try:
            await self._ping()
        except Unavailable as error:
            logger.warning("health: %s", error.message)
            status, code = "degraded", HTTPStatus.SERVICE_UNAVAILABLE
        else:
            status, code = "healthy", HTTPStatus.OK
        body = {"status": status, "service": "api-gateway", "ws_connections": self._count()}
        return web.json_response(body, status=code)
