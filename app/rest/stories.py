"""Stories over REST, as `stories-events.md` prints them and what such an app needs besides."""

from aiohttp import web

from app.rest.operations import calling
from models.pages import PageQuery
from models.stories.operations import Stories
from models.stories.schema import CreateStory, React


class StoriesRest:
    """The routes of stories; who saw one and how they liked it is for its author."""

    def __init__(self, stories: Stories) -> None:
        self._stories = stories

    def routes(self) -> list[web.RouteDef]:
        """Give the routes, to be added to the application."""
        stories, story, path = self._stories, "/stories/{story_id}", ("story_id",)
        reactions, page = f"{story}/reactions", PageQuery()
        return [
            web.post("/stories", calling(stories.create, body=CreateStory(), status=201)),
            web.get("/stories", calling(stories.feed, query=page)),
            web.get(story, calling(stories.get, path=path)),
            web.delete(story, calling(stories.delete, path=path)),
            web.post(f"{story}/view", calling(stories.view, path=path)),
            web.get(f"{story}/viewers", calling(stories.viewers, path=path, query=page)),
            web.post(reactions, calling(stories.react, path=path, body=React())),
            web.delete(reactions, calling(stories.unreact, path=path)),
            web.get(reactions, calling(stories.reactions, path=path, query=page)),
        ]
