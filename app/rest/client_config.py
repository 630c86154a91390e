"""What the web client has to know before anyone has signed in."""

from collections.abc import Awaitable, Callable
from typing import TypedDict

from aiohttp import web

from app.demo import NAMES
from app.rest.contract import Credential, contract
from app.rest.requests import no_query
from app.settings import TEST_PAYMENTS, Settings
from models.market.payments import TEST_CARD_DECLINED, TEST_CARD_GOOD

LANGUAGES = ("en", "vi")
"""Those in which the web client speaks; others see English."""


class DemoPersonView(TypedDict):
    """An example person."""

    name: str


class TestCardsView(TypedDict):
    """Card numbers of the test payments."""

    pays: str
    declined: str


_TEST_CARDS: TestCardsView = {"pays": TEST_CARD_GOOD, "declined": TEST_CARD_DECLINED}


class PaymentsView(TypedDict):
    """How orders are paid."""

    provider: str
    test: bool
    test_cards: TestCardsView | None


class LimitsView(TypedDict):
    """What the server takes."""

    upload_bytes: int


class DeploymentView(TypedDict):
    """What a deployment has and allows; the same for everyone."""

    development: bool
    demo_people: list[DemoPersonView]
    sends_mail: bool
    languages: list[str]
    vapid_public_key: str | None
    payments: PaymentsView
    limits: LimitsView


class ClientConfigView(DeploymentView):
    """What a client has to know before anyone has signed in."""

    sign_up: str
    """Who may make an account: `open`, `invite` or `closed`."""


def client_config(settings: Settings, vapid_public_key: str | None) -> DeploymentView:
    """Return what this deployment has and allows; the same for everyone, and no secret."""
    return {
        "development": settings.development,
        "demo_people": [{"name": name} for name in NAMES] if settings.development else [],
        "sends_mail": settings.mail_hook_url is not None,
        "languages": list(LANGUAGES),
        "vapid_public_key": vapid_public_key,
        "payments": {
            "provider": settings.payment_provider,
            "test": settings.payment_provider == TEST_PAYMENTS,
            "test_cards": _TEST_CARDS if settings.payment_provider == TEST_PAYMENTS else None,
        },
        "limits": {"upload_bytes": settings.limits.upload_bytes},
    }


class ClientConfigRoutes:
    """One open route."""

    def __init__(self, config: DeploymentView, sign_ups: Callable[[], Awaitable[str]]) -> None:
        """`sign_ups` says who may make an account at the moment: operators switch it."""
        self._config = config
        self._sign_ups = sign_ups

    def routes(self) -> list[web.RouteDef]:
        """Return the route, to be added to the application."""
        return [web.get("/api/v1/client-config", self.config)]

    @contract("server", {200: ClientConfigView}, credential=Credential.NONE)
    async def config(self, request: web.Request) -> web.Response:
        """Return what the deployment has and allows."""
        await no_query(request)
        config: ClientConfigView = {**self._config, "sign_up": await self._sign_ups()}
        return web.json_response(config)
