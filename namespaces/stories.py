"""`/stories`: what clients may ask about stories."""

from collections.abc import Iterable
from typing import Any, ClassVar

from models.events import Json
from models.identity import Identity
from models.pages import PageQuery
from models.rooms import public_stories_room, user_room
from models.stories.operations import Stories
from models.stories.schema import CreateStory, ReactToStory, StoryId
from namespaces.base import Caller, Commands, command


class StoriesCommands(Commands):
    """The commands of stories; answers are those of the REST routes."""

    domain: ClassVar[str] = "stories"

    def __init__(self, stories: Stories) -> None:
        self._stories = stories

    def rooms_of(self, identity: Identity) -> Iterable[str]:
        """Name the account's own room and that of public stories."""
        return (user_room(identity.account_id), public_stories_room())

    @command(CreateStory)
    async def create_story(self, caller: Caller, payload: dict[str, Any]) -> dict[str, Json]:
        """Publish a story; gives it."""
        return await self._stories.create(caller.identity, **payload)

    @command(StoryId)
    async def get_story(self, caller: Caller, payload: dict[str, Any]) -> dict[str, Json]:
        """Give a story."""
        return await self._stories.get(caller.identity, **payload)

    @command(PageQuery)
    async def list_stories(self, caller: Caller, payload: dict[str, Any]) -> dict[str, Json]:
        """Give a page of the feed."""
        return await self._stories.feed(caller.identity, **payload)

    @command(StoryId)
    async def delete_story(self, caller: Caller, payload: dict[str, Any]) -> None:
        """Remove an own story."""
        await self._stories.delete(caller.identity, **payload)

    @command(StoryId)
    async def view_story(self, caller: Caller, payload: dict[str, Any]) -> dict[str, Json]:
        """Count the first view; gives it."""
        return await self._stories.view(caller.identity, **payload)

    @command(ReactToStory)
    async def react(self, caller: Caller, payload: dict[str, Any]) -> dict[str, Json]:
        """Set the caller's reaction; gives it."""
        return await self._stories.react(caller.identity, **payload)

    @command(StoryId)
    async def unreact(self, caller: Caller, payload: dict[str, Any]) -> None:
        """Take the caller's reaction back."""
        await self._stories.unreact(caller.identity, **payload)
