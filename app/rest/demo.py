"""In development: enter as one of the example people, who need no password there.

Production has no such route.
"""

from collections.abc import Awaitable, Callable
from http import HTTPStatus

from aiohttp import web
from marshmallow import validate

from app.demo import NAMES
from app.origins import ORIGINS
from app.rest.auth import AuthRoutes
from app.rest.contract import Credential, contract
from app.rest.requests import body
from models.accounts import Account
from models.accounts.views import TokensView
from models.errors import Forbidden
from models.fields import Input, Text

Enter = Callable[[str], Awaitable[Account]]
"""Returns the account of an example person, after loading what is missing of the examples."""


class EnterDemo(Input):
    """As whom."""

    name = Text(max(map(len, NAMES)), required=True, validate=validate.OneOf(NAMES))


class DemoRoutes:
    """The buttons of the welcome screen."""

    def __init__(self, auth: AuthRoutes, enter: Enter) -> None:
        self._auth = auth
        self._enter = enter

    def routes(self) -> list[web.RouteDef]:
        """Return the route, to be added to a development server only."""
        return [web.post("/api/v1/demo/enter", self.enter)]

    @contract(
        "accounts",
        {200: TokensView},
        credential=Credential.NONE,
        body=EnterDemo(),
        errors=("account_disabled",),
    )
    async def enter(self, request: web.Request) -> web.Response:
        """Answer as a login of the example person with this `name`."""
        if not request.app[ORIGINS].trusts(request):
            # As for all credentials that prove nothing: not for frames without an origin.
            raise Forbidden("Pages of this origin may not enter.", code="origin_not_allowed")
        values = await body(request, EnterDemo())
        account = await self._enter(values["name"])
        return await self._auth.admit(request, account, HTTPStatus.OK)
