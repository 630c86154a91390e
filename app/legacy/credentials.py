"""How the older APIs identify a request: by a token, by `User-Email`, by the path.

See *Identification* in docs/older-apis/README.md.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from aiohttp import web

from app.identity.development import vietnamese_phone
from app.rest.requests import AUTHENTICATE, bearer_token, unproved
from models.accounts import Account
from models.errors import Forbidden
from models.identity import Identity

Identify = Callable[[web.Request], Awaitable[Identity]]
"""Returns the account behind a request; raises as `models.identity.Authenticate`."""


@dataclass(frozen=True, slots=True)
class Access:
    """How one endpoint identifies a request, and how many connections a user may have there."""

    identify: Identify
    one_per_user: bool = False
    """Whether a newer connection replaces the older; otherwise a setting limits their number."""


async def by_token(request: web.Request) -> Identity:
    """Take `?token=` or `Authorization: Bearer`."""
    return await request.app[AUTHENTICATE](_token(request))


async def by_chat_token(request: web.Request) -> Identity:
    """Take a token; in development mode also a phone number."""
    token, credentials = _token(request), unproved(request)
    if token and credentials is not None:
        named = await credentials.by_token(token)
        if named is not None:
            return named
    return await request.app[AUTHENTICATE](token)


async def by_chat_token_or_email(request: web.Request) -> Identity:
    """Take a token; in development mode without one the header `User-Email`."""
    email, credentials = request.headers.get("User-Email"), unproved(request)
    if email is not None and credentials is not None and not _token(request):
        return await credentials.by_email(email)
    return await by_chat_token(request)


async def by_token_or_path(request: web.Request) -> Identity:
    """Take a token; in development mode without one the path's `user_id`."""
    credentials = unproved(request)
    if credentials is not None and not _token(request):
        return await credentials.by_path(request.match_info["user_id"])
    return await by_token(request)


class ByPath:
    """Holds a request to the `user_id` in its path: the account's id, phone, Firebase uid or
    public id (`docs/older-apis/README.md`), in the order of `models.accounts.naming.PATH_ORDER`."""

    def __init__(
        self, identify: Identify, resolve: Callable[[str], Awaitable[Account | None]]
    ) -> None:
        self._identify = identify
        self._resolve = resolve

    async def __call__(self, request: web.Request) -> Identity:
        """Return the account; raises as `Identify`, and `Forbidden`
        with code `another_user`."""
        identity = await self._identify(request)
        user_id = request.match_info["user_id"]
        if user_id == identity.account_id:
            return identity
        # A phone number may be written as it is dialled, here as in the token.
        named = await self._resolve(vietnamese_phone(user_id) or user_id)
        if named is None or named.id != identity.account_id:
            raise Forbidden("The token is another user's.", code="another_user")
        return identity


def _token(request: web.Request) -> str | None:
    return request.query.get("token") or bearer_token(request)
