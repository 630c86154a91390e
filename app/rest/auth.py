"""REST for accounts: sign up, log in, refresh, log out, and one's own account."""

from http import HTTPStatus
from ipaddress import IPv6Address, ip_address

from aiohttp import web

from app.identity.own_jwt import OwnTokens
from app.rest.requests import body, caller
from app.settings import Limits
from models.accounts import Account, Accounts, LogIn, Profile, Refresh, Session, SignUp
from models.accounts.schema import email_key
from models.errors import Forbidden, Unauthorized
from models.limits import RateLimit

V1 = "/api/v1/auth"


class AuthRoutes:
    """The doors where a password or a refresh token becomes an access token."""

    def __init__(self, accounts: Accounts, tokens: OwnTokens, limits: Limits) -> None:
        self._accounts = accounts
        self._tokens = tokens
        self._failures_by_address = RateLimit(limits.login_attempts_per_minute, 60)
        self._failures_by_email = RateLimit(limits.login_attempts_per_minute, 60)
        self._signups = RateLimit(limits.signups_per_minute, 60)

    def routes(self) -> list[web.RouteDef]:
        """Give the routes, the documented short ones included."""
        return [
            web.post("/signup", self.sign_up),
            web.post("/login", self.log_in),
            web.post(f"{V1}/signup", self.sign_up),
            web.post(f"{V1}/login", self.log_in),
            web.post(f"{V1}/refresh", self.refresh),
            web.post(f"{V1}/logout", self.log_out),
            web.get(f"{V1}/me", self.me),
            web.patch(f"{V1}/me", self.change_me),
        ]

    async def sign_up(self, request: web.Request) -> web.Response:
        """Create an account: 201 and the same body as a login."""
        values = await body(request, SignUp())
        self._signups.check(client_network(request.remote))
        account = await self._accounts.sign_up(**values)
        session = await self._accounts.sessions.open(account.id)
        return self._admit(account, session, HTTPStatus.CREATED)

    async def log_in(self, request: web.Request) -> web.Response:
        """Give tokens for an e-mail and its password; only failures count against the limits."""
        values = await body(request, LogIn())
        address, email = client_network(request.remote), email_key(values["email"])
        self._failures_by_address.check(address)
        self._failures_by_email.check(email)
        account = await self._accounts.log_in(**values)
        self._failures_by_address.refund(address)
        self._failures_by_email.refund(email)
        return self._admit(account, await self._accounts.sessions.open(account.id))

    async def refresh(self, request: web.Request) -> web.Response:
        """Give the next tokens of a session."""
        values = await body(request, Refresh())
        return self._admit(*await self._accounts.refresh(values["refresh_token"]))

    async def log_out(self, request: web.Request) -> web.Response:
        """End the session of the access token, of the refresh token in the body, or of both."""
        values = await body(request, Refresh(partial=True))
        refresh_token = values.get("refresh_token")
        try:
            identity = await caller(request)
        except (Unauthorized, Forbidden):
            # With a refresh token in hand, an access token that has run out is no obstacle.
            if refresh_token is None:
                raise
        else:
            if identity.session_id is not None:
                await self._accounts.sessions.revoke(identity.session_id)
        if refresh_token is not None:
            await self._accounts.sessions.revoke_by_token(refresh_token)
        return web.Response(status=HTTPStatus.NO_CONTENT)

    async def me(self, request: web.Request) -> web.Response:
        """Give the caller's own account."""
        identity = await caller(request)
        account = await self._accounts.get(identity.account_id)
        return web.json_response(account.data())

    async def change_me(self, request: web.Request) -> web.Response:
        """Change the caller's name, time zone or language: those that are sent."""
        identity = await caller(request)
        values = await body(request, Profile())
        account = await self._accounts.change(identity.account_id, **values)
        return web.json_response(account.data())

    def _admit(
        self, account: Account, session: Session, status: HTTPStatus = HTTPStatus.OK
    ) -> web.Response:
        token = self._tokens.issue(account, session.id)
        answer = {
            "token": token,
            "access_token": token,
            "token_type": "Bearer",
            "expires_in": self._tokens.lifetime_s,
            "refresh_token": session.refresh_token,
            "user": account.data(),
        }
        # RFC 6749, 5.1: no cache may keep an answer that holds tokens.
        return web.json_response(answer, status=status, headers={"Cache-Control": "no-store"})


def client_network(address: str | None) -> str:
    """Give what one client cannot change about its address: IPv4 whole, of IPv6 the /64."""
    try:
        parsed = ip_address((address or "").partition("%")[0])
    except ValueError:
        return address or ""
    if isinstance(parsed, IPv6Address):
        if parsed.ipv4_mapped:
            return str(parsed.ipv4_mapped)
        return str(IPv6Address(int(parsed) >> 64 << 64))
    return str(parsed)
