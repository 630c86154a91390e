"""Stories over REST, as `stories-events.md` prints them and what such an app needs besides."""

from aiohttp import web

from app.rest.requests import body, caller, query
from models.pages import PageQuery
from models.stories.operations import Stories
from models.stories.schema import CreateStory, React

_CREATE = CreateStory()
_REACT = React()
_PAGE = PageQuery()


class StoriesRest:
    """The routes of stories."""

    def __init__(self, stories: Stories) -> None:
        self._stories = stories

    def routes(self) -> list[web.RouteDef]:
        """Give the routes, to be added to the application."""
        return [
            web.post("/stories", self.create),
            web.get("/stories", self.feed),
            web.get("/stories/{story_id}", self.get),
            web.delete("/stories/{story_id}", self.delete),
            web.post("/stories/{story_id}/view", self.view),
            web.post("/stories/{story_id}/reactions", self.react),
            web.delete("/stories/{story_id}/reactions", self.unreact),
            web.get("/stories/{story_id}/viewers", self.viewers),
            web.get("/stories/{story_id}/reactions", self.reactions),
        ]

    async def create(self, request: web.Request) -> web.Response:
        """201 with the story."""
        identity = await caller(request)
        wanted = await body(request, _CREATE)
        return web.json_response(await self._stories.create(identity, **wanted), status=201)

    async def feed(self, request: web.Request) -> web.Response:
        """200 with `items` and `next`."""
        identity = await caller(request)
        page = await query(request, _PAGE)
        return web.json_response(await self._stories.feed(identity, **page))

    async def get(self, request: web.Request) -> web.Response:
        """200 with the story."""
        identity = await caller(request)
        return web.json_response(await self._stories.get(identity, _story_id(request)))

    async def delete(self, request: web.Request) -> web.Response:
        """204."""
        identity = await caller(request)
        await self._stories.delete(identity, _story_id(request))
        return web.Response(status=204)

    async def view(self, request: web.Request) -> web.Response:
        """200 with the first view; a body is not read."""
        identity = await caller(request)
        return web.json_response(await self._stories.view(identity, _story_id(request)))

    async def react(self, request: web.Request) -> web.Response:
        """200 with the reaction."""
        identity = await caller(request)
        wanted = await body(request, _REACT)
        reaction = await self._stories.react(identity, _story_id(request), **wanted)
        return web.json_response(reaction)

    async def unreact(self, request: web.Request) -> web.Response:
        """204, also when there was no reaction."""
        identity = await caller(request)
        await self._stories.unreact(identity, _story_id(request))
        return web.Response(status=204)

    async def viewers(self, request: web.Request) -> web.Response:
        """200 with `items` and `next`, for the author."""
        identity = await caller(request)
        page = await query(request, _PAGE)
        return web.json_response(await self._stories.viewers(identity, _story_id(request), **page))

    async def reactions(self, request: web.Request) -> web.Response:
        """200 with `items` and `next`, for the author."""
        identity = await caller(request)
        page = await query(request, _PAGE)
        return web.json_response(
            await self._stories.reactions(identity, _story_id(request), **page)
        )


def _story_id(request: web.Request) -> str:
    return request.match_info["story_id"]
