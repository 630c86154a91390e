"""Who may use what is for operators."""

from aiohttp import web

from app.rest.requests import caller
from app.settings import Settings
from models.identity import Identity
from models.market.operators import Operators


class OperatorAccess:
    """Lets the accounts of `OPERATOR_ACCOUNTS` in; in development, without any, every account."""

    def __init__(self, settings: Settings) -> None:
        self._operators = Operators(settings.operator_accounts)
        self._everyone = settings.development and not settings.operator_accounts

    async def operator(self, request: web.Request) -> Identity:
        """Return the operator behind a request.

        Raises:
            Unauthorized, Forbidden, TooManyRequests: as `app.rest.requests.caller`.
            Forbidden: code `not_an_operator`.
        """
        identity = await caller(request)
        if not self._everyone:
            self._operators.check(identity)
        return identity
