"""People by their ids and by their names."""

import asyncio
from collections.abc import Collection
from typing import Protocol

from aiohttp import ETag, web

from app.http.assets import is_known
from app.http.protections import INERT
from app.rest.contract import Content, contract
from app.rest.requests import caller, no_query, query, raw_body
from models.accounts import Accounts
from models.accounts.naming import is_account_id
from models.accounts.people import missing_person, person_of, public_user
from models.accounts.users_schema import PictureQuery, UsersQuery
from models.accounts.views import PictureView, PublicUser, ShownUser
from models.errors import Invalid
from models.identity import Identity
from models.pages import Page


class Finder(Protocol):
    """What chat knows of people; `models.chat.people.PeopleSearch` is one."""

    async def search(self, caller: Identity, *, q: str, limit: int) -> Page[PublicUser]:
        """Return the people with `q` in their names, among those whom the caller knows."""

    async def aliases(self, caller: Identity, ids: Collection[str]) -> set[str]:
        """Return which of some ids stand for people whom the caller has named by an address."""


ACCOUNT, ALIAS, UNKNOWN = "account", "alias", "unknown"
"""The kinds of `ShownUser`."""

_QUERY = UsersQuery()
_PICTURE = PictureQuery()


class UsersRest:
    """The public records of accounts."""

    def __init__(self, accounts: Accounts, finder: Finder) -> None:
        self._accounts = accounts
        self._finder = finder

    def routes(self) -> list[web.RouteDef]:
        """Return the routes, to be added to the application."""
        mine = "/api/v1/auth/me/picture"
        return [
            web.get("/api/v1/users", self.users),
            web.get("/api/v1/users/{user_id}/picture", self.picture),
            web.put(mine, self.set_picture),
            web.delete(mine, self.remove_picture),
        ]

    @contract(
        "users",
        {200: Page[ShownUser]},
        query=_QUERY,
        errors=("too_many_lookups",),
    )
    async def users(self, request: web.Request) -> web.Response:
        """Return the people with some ids, in their order, or those that a search finds.

        Of a deleted account, and of an id that is no account's, the `name` is null and the `kind`
        is `unknown`; that of an `alias`, and of an account without a name, is null as well.
        """
        identity = await caller(request)
        values = await query(request, _QUERY)
        if (values["ids"] is None) == (values["q"] is None):
            problem = "Send either ids or q."
            raise Invalid(problem, fields={"ids": [problem]})
        if values["ids"] is None:
            found = await self._finder.search(identity, q=values["q"], limit=values["limit"])
            users = [(user, ACCOUNT) for user in found["items"]]
        else:
            users = await self._named(identity, values["ids"])
        pictures = await self._accounts.pictures.versions(user["id"] for user, _ in users)
        items: list[ShownUser] = [
            {**user, "kind": kind, "picture": pictures.get(user["id"])} for user, kind in users
        ]
        page: Page[ShownUser] = {"items": items, "next": None}
        return web.json_response(page)

    @contract(
        "users",
        {200: Content("image/*"), 304: None},
        query=_PICTURE,
        errors=("not_found",),
        headers=("If-None-Match",),
    )
    async def picture(self, request: web.Request) -> web.Response:
        """200 with the picture, or 304; kept by browsers as long as its version (`v`) is asked for.

        For every account, as names are.
        """
        await caller(request)
        wanted = await query(request, _PICTURE)
        found = await self._accounts.pictures.of(request.match_info["user_id"])
        version: str = found["version"]
        kept = "max-age=31536000, immutable" if wanted["v"] == version else "no-cache"
        known = is_known(request, version)
        response = web.Response(
            status=304 if known else 200,
            body=None if known else found["content"],
            content_type=None if known else found["content_type"],
            headers={"Cache-Control": f"private, {kept}", **INERT},
        )
        response.etag = ETag(version)
        return response

    @contract(
        "users",
        {200: PictureView},
        body=Content("image/*"),
        errors=("media_type_refused", "media_unreadable"),
    )
    async def set_picture(self, request: web.Request) -> web.Response:
        """200 with `picture`, its version; the body is a JPEG or PNG, a square."""
        identity = await caller(request)
        content = await raw_body(request)
        version = await self._accounts.pictures.put(identity.account_id, content)
        answer: PictureView = {"picture": version}
        return web.json_response(answer)

    @contract("users", {204: None})
    async def remove_picture(self, request: web.Request) -> web.Response:
        """204, also where there was none."""
        identity = await caller(request)
        await no_query(request)
        await self._accounts.pictures.remove(identity.account_id)
        return web.Response(status=204)

    async def _named(self, caller: Identity, names: list[str]) -> list[tuple[PublicUser, str]]:
        """Return the people with these account ids or public ids, and of which kind each is."""
        others = [name for name in names if not is_account_id(name)]
        found = await asyncio.gather(*map(self._accounts.find_by_public_id, others))
        ids = {name: account.id for name, account in zip(others, found, strict=True) if account}
        accounts = await self._accounts.people.accounts(ids.get(name, name) for name in names)
        gone = [name for name, account in accounts.items() if account is None]
        aliases = await self._finder.aliases(caller, [each for each in gone if is_account_id(each)])
        users = []
        for name in names:
            account = accounts[ids.get(name, name)]
            if account is not None:
                users.append((public_user(person_of(account)), ACCOUNT))
            else:
                users.append(
                    (public_user(missing_person(name)), ALIAS if name in aliases else UNKNOWN)
                )
        return users
