"""What stories keep of an account."""

from collections.abc import AsyncIterator

from models.accounts.schema import Account
from models.database import Database, typed
from models.events import Json, Publisher, as_json
from models.exports import Streamed
from models.stories import records
from models.stories.events import StoryDeleted
from models.stories.records import StoredReaction, StoredStory, StoredView


class StoriesAccountData:
    """Fills the port `models.accounts.lifecycle.AccountData`.

    Stories live for hours, so these look through whole collections instead of keeping indexes.
    """

    def __init__(self, database: Database, publisher: Publisher) -> None:
        self._stories = typed(database["stories"], StoredStory)
        self._views = typed(database["story_views"], StoredView)
        self._reactions = typed(database["story_reactions"], StoredReaction)
        self._publisher = publisher

    async def hand_over(self, account_id: str) -> None:
        """Change nothing: stories end by themselves, and give no one a hold on the account."""

    async def bindings(self, account_id: str) -> list[str]:
        """Name nothing."""
        return []

    async def erase(self, account_id: str, pseudonym: str) -> None:
        """Remove stories, views and reactions, and the account from others' audiences."""
        async for story in self._stories.find({"author_id": account_id}):
            await self._stories.delete_one({"_id": story["_id"]})
            await self._views.delete_many({"story_id": story["_id"]})
            await self._reactions.delete_many({"story_id": story["_id"]})
            event = StoryDeleted(
                story_id=story["_id"], author_id=account_id, version=records.DELETED_VERSION
            )
            await self._publisher.publish(event, *records.rooms_of_readers(story))
        await self._views.delete_many({"viewer_id": account_id})
        await self._reactions.delete_many({"user_id": account_id})
        await self._stories.update_many(
            {"readers": account_id},
            {"$pull": {"readers": account_id, "audience_user_ids": account_id}},
        )

    def export(self, account: Account) -> Streamed:
        """Walk through own stories, and own views of and reactions to others'."""
        return {
            "stories": self._own_stories(account.id),
            "story_views": self._own_views(account.id),
            "story_reactions": self._own_reactions(account.id),
        }

    async def _own_stories(self, account_id: str) -> AsyncIterator[dict[str, Json]]:
        async for story in self._stories.find({"author_id": account_id}):
            audience: list[Json] = list(story["audience_user_ids"])
            yield as_json(records.story_content(story)) | {"audience_user_ids": audience}

    async def _own_views(self, account_id: str) -> AsyncIterator[dict[str, Json]]:
        async for view in self._views.find({"viewer_id": account_id}):
            yield as_json(records.viewer_record(view))

    async def _own_reactions(self, account_id: str) -> AsyncIterator[dict[str, Json]]:
        async for reaction in self._reactions.find({"user_id": account_id}):
            yield as_json(records.reaction_record(reaction))
