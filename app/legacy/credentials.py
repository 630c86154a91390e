"""How the documents identify a request: by a token, by `User-Email`, by the path."""

from collections.abc import Awaitable, Callable

from aiohttp import web

from app.identity.development import vietnamese_phone
from app.rest.requests import AUTHENTICATE, UNPROVED, bearer_token
from models.accounts import Account
from models.errors import Forbidden
from models.identity import Identity

Identify = Callable[[web.Request], Awaitable[Identity]]
"""Gives the account behind a request; raises as `models.identity.Authenticate`."""


class AnotherUser(Forbidden):
    """The credential is good, and the address is somebody else's."""

    code = "another_user"


async def by_token(request: web.Request) -> Identity:
    """Take `?token=` or `Authorization: Bearer`."""
    return await request.app[AUTHENTICATE](_token(request))


async def by_chat_token(request: web.Request) -> Identity:
    """Take a token; in development mode also a phone number (`conversation-chat.md`)."""
    token = _token(request)
    if token and UNPROVED in request.app:
        named = await request.app[UNPROVED].by_token(token)
        if named is not None:
            return named
    return await request.app[AUTHENTICATE](token)


async def by_chat_token_or_email(request: web.Request) -> Identity:
    """Take a token; in development mode without one the header `User-Email` (`channel-chat.md`)."""
    email = request.headers.get("User-Email")
    if email is not None and UNPROVED in request.app and not _token(request):
        return await request.app[UNPROVED].by_email(email)
    return await by_chat_token(request)


async def by_token_or_path(request: web.Request) -> Identity:
    """Take a token; in development mode without one the path's `user_id` (`diary.md`)."""
    if not _token(request) and UNPROVED in request.app:
        return await request.app[UNPROVED].by_path(request.match_info["user_id"])
    return await by_token(request)


class ByPath:
    """Holds a request to the `user_id` in its path: the account's id, phone, Firebase uid or
    public id (`READING.md`)."""

    def __init__(
        self, identify: Identify, find: Callable[[str], Awaitable[Account | None]]
    ) -> None:
        self._identify = identify
        self._find = find

    async def __call__(self, request: web.Request) -> Identity:
        """Give the account; raises as the other ways, and `AnotherUser`."""
        identity = await self._identify(request)
        user_id = request.match_info["user_id"]
        if user_id in (identity.account_id, identity.public_id):
            return identity
        account = await self._find(identity.account_id)
        names = {account.phone, account.firebase_uid} - {None} if account else set()
        # A phone number may be written as it is dialled, here as in the token.
        if names.isdisjoint({user_id, vietnamese_phone(user_id)}):
            raise AnotherUser("The token is another user's.")
        return identity


def _token(request: web.Request) -> str | None:
    return request.query.get("token") or bearer_token(request)
