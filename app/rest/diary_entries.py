"""Entries of the diary over REST."""

from aiohttp import web

from app.rest.requests import body, caller, query
from models.diary.entries import Entries
from models.diary.entries_schema import ChangeEntry, CreateEntry, ListEntries, SearchEntries

_CREATE = CreateEntry()
_CHANGE = ChangeEntry()
_LIST = ListEntries()
_SEARCH = SearchEntries()


class EntriesRest:
    """The routes of entries; those of others do not exist."""

    def __init__(self, entries: Entries) -> None:
        self._entries = entries

    def routes(self) -> list[web.RouteDef]:
        """Give the routes, to be added to the application."""
        root = "/api/v1/diary/entries"
        one = f"{root}/{{entry_id}}"
        return [
            web.post(root, self.create),
            web.get(root, self.page),
            web.get(f"{root}/search", self.search),
            web.get(one, self.get),
            web.patch(one, self.update),
            web.delete(one, self.delete),
            web.get("/api/v1/diary/tags", self.tags),
        ]

    async def create(self, request: web.Request) -> web.Response:
        """201 with the entry."""
        identity = await caller(request)
        wanted = await body(request, _CREATE)
        return web.json_response(await self._entries.create(identity, **wanted), status=201)

    async def page(self, request: web.Request) -> web.Response:
        """200 with `items` and `next`; `?from=`, `?to=`, `?tag=`, `?mood=`."""
        identity = await caller(request)
        wanted = await query(request, _LIST)
        return web.json_response(await self._entries.list(identity, **wanted))

    async def search(self, request: web.Request) -> web.Response:
        """200 with `items` and `next` of what has `?text=`."""
        identity = await caller(request)
        wanted = await query(request, _SEARCH)
        return web.json_response(await self._entries.search(identity, **wanted))

    async def tags(self, request: web.Request) -> web.Response:
        """200 with `items`: each `tag` with its `count`."""
        return web.json_response(await self._entries.tags(await caller(request)))

    async def get(self, request: web.Request) -> web.Response:
        """200 with the entry."""
        identity = await caller(request)
        return web.json_response(await self._entries.get(identity, _entry_id(request)))

    async def update(self, request: web.Request) -> web.Response:
        """200 with the entry; what is left out stays as it is."""
        identity = await caller(request)
        changed = await body(request, _CHANGE)
        entry = await self._entries.update(identity, _entry_id(request), **changed)
        return web.json_response(entry)

    async def delete(self, request: web.Request) -> web.Response:
        """204."""
        identity = await caller(request)
        await self._entries.delete(identity, _entry_id(request))
        return web.Response(status=204)


def _entry_id(request: web.Request) -> str:
    return request.match_info["entry_id"]
