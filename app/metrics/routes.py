"""`GET /metrics`, in the text format of Prometheus."""

import hmac

from aiohttp import web
from prometheus_client import generate_latest
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4

from app.metrics.measures import Metrics
from app.rest.contract import Content, Credential, contract
from app.rest.errors import problems
from app.rest.requests import bearer_token, no_query
from app.settings import Settings
from models.errors import Unauthorized


class MetricsRoutes:
    """Serves the metrics to anyone who has the token, or to everyone where none is set."""

    def __init__(self, metrics: Metrics, token: str | None) -> None:
        self._metrics = metrics
        self._token = token.encode() if token else None

    def routes(self) -> list[web.RouteDef]:
        """Return the route."""
        return [web.get("/metrics", self.metrics)]

    @contract(
        "server",
        {200: Content("text/plain")},
        credential=Credential.NONE,
        errors=("token_invalid",),
    )
    async def metrics(self, request: web.Request) -> web.Response:
        """What this process measures, in the text format of Prometheus."""
        if self._token is not None:
            shown = (bearer_token(request) or "").encode()
            if not hmac.compare_digest(shown, self._token):
                raise Unauthorized("Send METRICS_TOKEN as a bearer token.", code="token_invalid")
        await no_query(request)
        return web.Response(
            body=generate_latest(self._metrics.registry),
            headers={"Content-Type": CONTENT_TYPE_PLAIN_0_0_4},
        )


def is_public(settings: Settings) -> bool:
    """Whether the application itself has the route: in production only behind a token."""
    return settings.development or settings.metrics_token is not None


def metrics_app(metrics: Metrics, settings: Settings) -> web.Application:
    """Build what listens on `METRICS_PORT`."""
    app = web.Application(middlewares=[problems])
    app.add_routes(MetricsRoutes(metrics, settings.metrics_token).routes())
    return app
