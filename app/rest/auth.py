"""REST for accounts: sign up, log in, refresh, log out, and one's own account."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from http import HTTPStatus

from aiohttp import web

from app.http.responses import stream_json
from app.identity.own_jwt import OwnTokens
from app.rest.contract import Content, Credential, contract
from app.rest.devices import client_network, client_of, device_of
from app.rest.requests import body, caller, no_query
from app.settings import Limits
from models.accounts import Account, Accounts, LogIn, Profile, Refresh, Session, SignUp
from models.accounts.attempts import KEY_WAITING_MAX, LoginAttempts
from models.accounts.emails import folded
from models.accounts.queue import CLIENT_WAITING, InProgress
from models.accounts.recovery import Recovery
from models.accounts.schema import (
    Deletion,
    Forgotten,
    NewEmail,
    NewPassword,
    OneTimeToken,
    Reset,
)
from models.accounts.views import (
    AcceptedView,
    EndedSessionsView,
    OwnAccountView,
    SessionView,
    TokensView,
    WaitsForView,
)
from models.errors import Conflict, Forbidden, TooManyRequests, Unauthorized, Unavailable
from models.fields import NoFields
from models.limits import RateLimit, SharedLimit
from models.pages import Page

V1 = "/api/v1/auth"


class AuthRoutes:
    """The routes where a password or a refresh token becomes an access token."""

    def __init__(
        self, accounts: Accounts, tokens: OwnTokens, limits: Limits, recovery: Recovery
    ) -> None:
        self._accounts = accounts
        self._recovery = recovery
        self._tokens = tokens
        self._attempts = LoginAttempts(limits.login_attempts_per_minute)
        self._mails_by_address = RateLimit(limits.mails_per_hour, 3600)
        self._mails_by_account = RateLimit(limits.mails_per_account_hour, 3600)
        self._logging_in = InProgress(KEY_WAITING_MAX)
        self._signing_up = InProgress(CLIENT_WAITING)
        self._signups = RateLimit(limits.signups_per_minute, 60)

    @property
    def limits(self) -> Mapping[str, SharedLimit]:
        """What is counted here, by a name for each."""
        return {
            "attempts": self._attempts,
            "mails by address": self._mails_by_address,
            "mails by account": self._mails_by_account,
            "signups": self._signups,
        }

    def routes(self) -> list[web.RouteDef]:
        """Return the routes, the documented short ones included."""
        return [
            web.post("/signup", self.sign_up),
            web.post("/login", self.log_in),
            web.post(f"{V1}/signup", self.sign_up),
            web.post(f"{V1}/login", self.log_in),
            web.post(f"{V1}/refresh", self.refresh),
            web.post(f"{V1}/logout", self.log_out),
            web.get(f"{V1}/me", self.me),
            web.patch(f"{V1}/me", self.change_me),
            web.delete(f"{V1}/me", self.delete_me),
            web.delete(f"{V1}/me/deletion", self.withdraw_deletion),
            web.get(f"{V1}/me/export", self.export_me),
            web.post(f"{V1}/password", self.change_password),
            web.post(f"{V1}/password/forgot", self.forget_password),
            web.post(f"{V1}/password/reset", self.reset_password),
            web.post(f"{V1}/email", self.change_email),
            web.post(f"{V1}/email/send-verification", self.send_verification),
            web.post(f"{V1}/email/verify", self.verify_email),
            web.get(f"{V1}/sessions", self.sessions),
            web.delete(f"{V1}/sessions/{{session_id}}", self.end_session),
            web.post(f"{V1}/sessions/end-others", self.end_other_sessions),
        ]

    @contract(
        "accounts",
        {201: TokensView},
        credential=Credential.NONE,
        body=SignUp(),
        errors=(
            "email_taken",
            "phone_taken",
            "signup_closed",
            "invite_required",
            "invite_invalid",
            "busy",
        ),
    )
    async def sign_up(self, request: web.Request) -> web.Response:
        """Create an account: 201 and the same body as a login."""
        values = await body(request, SignUp())
        self._signups.check(client_network(request.remote))
        client = client_of(request)
        with self._signing_up.one_of(client):
            account = await self._accounts.sign_up(**values, client=client)
        if self._recovery.sends:
            with suppress(TooManyRequests, Unavailable):
                self._count_mail(request, values["email"])
                self._recovery.request_verification(account)
        return await self.admit(request, account, HTTPStatus.CREATED)

    @contract(
        "accounts",
        {200: TokensView},
        credential=Credential.NONE,
        body=LogIn(),
        errors=("invalid_credentials", "account_disabled", "busy"),
    )
    async def log_in(self, request: web.Request) -> web.Response:
        """Return tokens for an e-mail and its password; only failures count against the limits."""
        values = await body(request, LogIn())
        client = client_of(request)
        with self._logging_in.one_of(client):
            known = await self._accounts.has_signed_in_from(values["email"], client.network)
            name = folded(values["email"])
            async with self._attempts.attempt(name, client.network, known=known):
                account = await self._accounts.log_in(**values, client=client)
        return await self.admit(request, account)

    @contract(
        "accounts",
        {200: TokensView},
        credential=Credential.NONE,
        body=Refresh(),
        errors=("refresh_token_invalid", "account_disabled"),
    )
    async def refresh(self, request: web.Request) -> web.Response:
        """Return the next tokens of a session."""
        values = await body(request, Refresh())
        return self._tokens_of(*await self._accounts.refresh(values["refresh_token"]))

    @contract("accounts", {204: None}, body=Refresh(partial=True))
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

    @contract("accounts", {200: OwnAccountView}, errors=("account_not_found",))
    async def me(self, request: web.Request) -> web.Response:
        """Return the caller's own account."""
        identity = await caller(request)
        await no_query(request)
        account = await self._accounts.get(identity.account_id)
        return web.json_response(account.data())

    @contract("accounts", {200: OwnAccountView}, body=Profile(), errors=("account_not_found",))
    async def change_me(self, request: web.Request) -> web.Response:
        """Change the caller's name, time zone or language: those that are sent."""
        identity = await caller(request)
        values = await body(request, Profile())
        account = await self._accounts.change(identity.account_id, **values)
        return web.json_response(account.data())

    @contract(
        "accounts",
        {202: WaitsForView, 204: None},
        body=Deletion(),
        errors=("account_not_found", "password_wrong", "busy"),
    )
    async def delete_me(self, request: web.Request) -> web.Response:
        """Delete the caller's account: 204, or 202 with what it waits for.

        Open offers are cancelled at once; orders under way are waited for.
        """
        identity = await caller(request)
        values = await body(request, Deletion())
        account = await self._accounts.get(identity.account_id)
        async with self._guessing(request, account):
            await self._recovery.check_deletion(account.id, **values, client=client_of(request))
        waits_for = await self._accounts.lifecycle.request_deletion(account.id)
        if waits_for:
            waiting: WaitsForView = {"waits_for": waits_for}
            return web.json_response(waiting, status=HTTPStatus.ACCEPTED)
        return web.Response(status=HTTPStatus.NO_CONTENT)

    @contract("accounts", {204: None})
    async def withdraw_deletion(self, request: web.Request) -> web.Response:
        """Keep an account whose deletion waits: 204, also when none was asked for."""
        identity = await caller(request)
        await self._accounts.lifecycle.withdraw_deletion(identity.account_id)
        return web.Response(status=HTTPStatus.NO_CONTENT)

    @contract(
        "accounts",
        {200: Content("application/json")},
        errors=("account_not_found", "export_under_way"),
    )
    async def export_me(self, request: web.Request) -> web.StreamResponse:
        """200 with all that the caller has written in every domain, as a file to keep."""
        identity = await caller(request)
        await no_query(request)
        account = await self._accounts.get(identity.account_id)
        headers = {
            "Content-Disposition": 'attachment; filename="account.json"',
            "Cache-Control": "no-store",
        }
        with self._accounts.lifecycle.export(account) as everything:
            return await stream_json(request, everything, headers=headers)

    @contract(
        "accounts",
        {204: None},
        body=NewPassword(),
        errors=(
            "account_not_found",
            "password_wrong",
            "password_changed",
            "password_missing",
            "busy",
        ),
    )
    async def change_password(self, request: web.Request) -> web.Response:
        """Change the caller's password; their other sessions end."""
        identity = await caller(request)
        values = await body(request, NewPassword())
        account = await self._accounts.get(identity.account_id)
        async with self._guessing(request, account):
            await self._recovery.change_password(
                account.id, identity.session_id, **values, client=client_of(request)
            )
        return web.Response(status=HTTPStatus.NO_CONTENT)

    @contract(
        "accounts",
        {202: AcceptedView},
        credential=Credential.NONE,
        body=Forgotten(),
        errors=("mail_not_available",),
    )
    async def forget_password(self, request: web.Request) -> web.Response:
        """Have a link sent, if there is such an account: 202, the same for every e-mail."""
        values = await body(request, Forgotten())
        if self._recovery.sends:
            self._count_mail(request, values["email"])
        self._recovery.request_reset(values["email"])
        return web.json_response({}, status=HTTPStatus.ACCEPTED)

    @contract(
        "accounts",
        {204: None},
        credential=Credential.NONE,
        body=Reset(),
        errors=("link_invalid", "account_disabled", "busy"),
    )
    async def reset_password(self, request: web.Request) -> web.Response:
        """Set a new password by a link; all sessions end, and no one is logged in."""
        values = await body(request, Reset())
        account = await self._recovery.reset(**values, client=client_of(request))
        # The bearer of the link gets in from here, however many guess at the password.
        await self._accounts.networks.remember(account.id, client_network(request.remote))
        return web.Response(status=HTTPStatus.NO_CONTENT)

    @contract(
        "accounts",
        {202: AcceptedView},
        body=NewEmail(),
        errors=(
            "account_not_found",
            "email_taken",
            "email_unchanged",
            "mail_not_available",
            "password_wrong",
            "password_missing",
            "busy",
        ),
    )
    async def change_email(self, request: web.Request) -> web.Response:
        """Have a link sent to another e-mail: 202. The former one stays until the link is used."""
        identity = await caller(request)
        values = await body(request, NewEmail())
        account = await self._accounts.get(identity.account_id)
        async with self._guessing(request, account):
            if self._recovery.sends:
                self._count_mail(request, values["email"])
            await self._recovery.request_email_change(account, **values, client=client_of(request))
        return web.json_response({}, status=HTTPStatus.ACCEPTED)

    @contract(
        "accounts",
        {202: AcceptedView},
        body=NoFields(),
        errors=("account_not_found", "email_missing", "mail_not_available"),
    )
    async def send_verification(self, request: web.Request) -> web.Response:
        """Have a link sent that proves the caller's e-mail: 202, also when it is proved already."""
        identity = await caller(request)
        await body(request, NoFields())
        account = await self._accounts.get(identity.account_id)
        if account.email is None:
            raise Conflict("The account has no e-mail.", code="email_missing")
        if self._recovery.sends:
            self._count_mail(request, account.email)
        self._recovery.request_verification(account)
        return web.json_response({}, status=HTTPStatus.ACCEPTED)

    @contract(
        "accounts",
        {204: None},
        credential=Credential.NONE,
        body=OneTimeToken(),
        errors=("link_invalid", "account_disabled", "email_changed", "email_taken"),
    )
    async def verify_email(self, request: web.Request) -> web.Response:
        """Note that an e-mail is its account's, or make it the account's, by a link."""
        values = await body(request, OneTimeToken())
        await self._recovery.verify(values["token"])
        return web.Response(status=HTTPStatus.NO_CONTENT)

    @contract("accounts", {200: Page[SessionView]})
    async def sessions(self, request: web.Request) -> web.Response:
        """Return the caller's sessions, the latest used first; 100 at most, so one page."""
        identity = await caller(request)
        await no_query(request)
        found = await self._accounts.sessions.of(identity.account_id, identity.session_id)
        page: Page[SessionView] = {"items": found, "next": None}
        return web.json_response(page)

    @contract("accounts", {204: None}, errors=("session_not_found",))
    async def end_session(self, request: web.Request) -> web.Response:
        """End one of the caller's sessions, the present one included."""
        identity = await caller(request)
        await self._accounts.sessions.end(identity.account_id, request.match_info["session_id"])
        return web.Response(status=HTTPStatus.NO_CONTENT)

    @contract("accounts", {200: EndedSessionsView}, body=NoFields())
    async def end_other_sessions(self, request: web.Request) -> web.Response:
        """End the caller's sessions but the present one."""
        identity = await caller(request)
        await body(request, NoFields())
        ended = await self._accounts.sessions.end_others(identity.account_id, identity.session_id)
        answer: EndedSessionsView = {"ended_count": ended}
        return web.json_response(answer)

    @asynccontextmanager
    async def _guessing(self, request: web.Request, account: Account) -> AsyncIterator[None]:
        """Count a wrong password of someone who is logged in as one at the login."""
        network = client_network(request.remote)
        known = await self._accounts.networks.knows(account.id, network)
        name = account.id if account.email is None else folded(account.email)
        async with self._attempts.attempt(name, network, known=known):
            yield

    def _count_mail(self, request: web.Request, email: str) -> None:
        """Count a mail for who asks and for whom it goes to, known or not."""
        network = client_network(request.remote)
        self._mails_by_address.check(network)
        try:
            self._mails_by_account.check(folded(email))
        except TooManyRequests:
            self._mails_by_address.refund(network)
            raise

    async def admit(
        self, request: web.Request, account: Account, status: HTTPStatus = HTTPStatus.OK
    ) -> web.Response:
        """Open a session for an account whose owner has just proved to be it."""
        session = await self._accounts.open_session(account, device_of(request))
        await self._accounts.networks.remember(account.id, client_network(request.remote))
        return self._tokens_of(account, session, status)

    def _tokens_of(
        self, account: Account, session: Session, status: HTTPStatus = HTTPStatus.OK
    ) -> web.Response:
        token = self._tokens.issue(account, session.id)
        answer: TokensView = {
            "token": token,
            "access_token": token,
            "token_type": "Bearer",
            "expires_in": self._tokens.lifetime_s,
            "refresh_token": session.refresh_token,
            "user": account.data(),
        }
        # RFC 6749, 5.1: no cache may keep an answer that holds tokens.
        return web.json_response(answer, status=status, headers={"Cache-Control": "no-store"})
