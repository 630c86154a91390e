"""The rules of stories: check, write, then tell once."""

import asyncio
from collections.abc import Callable
from datetime import timedelta

from pymongo import ReturnDocument
from pymongo.errors import DuplicateKeyError

from models.database import Collection, Database, Document
from models.errors import Forbidden, NotFound
from models.events import Json, Publisher
from models.identity import Identity
from models.pages import DEFAULT_PAGE, Position, cut, newest_first
from models.rooms import public_stories_room, user_room
from models.stories import records
from models.stories.events import (
    StoryCreated,
    StoryDeleted,
    StoryReacted,
    StoryUnreacted,
    StoryViewed,
)
from models.stories.feed import newest_readable
from models.times import Clock, now, to_text


class Stories:
    """Stories, their views and their reactions.

    Stored as `stories` (`_id` UUID4), `story_views` and `story_reactions` (`_id`
    "<story>:<account>", so that each account counts once however many requests race). Every part
    carries the story's `expires_at`, so purging one needs no look at the others, and what an
    interrupted delete or a view at the last moment leaves behind goes with it.

    A story that has expired, or that the caller may not see, is `NotFound` in every method.
    Pages are `{"items": [...], "next": cursor or null}`.
    """

    def __init__(
        self,
        database: Database,
        publisher: Publisher,
        *,
        lifetime: timedelta,
        clock: Clock = now,
    ) -> None:
        self._stories = database["stories"]
        self._views = database["story_views"]
        self._reactions = database["story_reactions"]
        self._publisher = publisher
        self._lifetime = lifetime
        self._clock = clock

    async def prepare(self) -> None:
        """Make the indexes that the queries here rely on."""
        await self._stories.create_index([("readers", 1), ("created_at", 1), ("_id", 1)])
        await self._stories.create_index([("created_at", 1), ("_id", 1)])
        await self._views.create_index([("story_id", 1), ("viewed_at", 1), ("_id", 1)])
        await self._reactions.create_index([("story_id", 1), ("reacted_at", 1), ("_id", 1)])
        for collection in (self._stories, self._views, self._reactions):
            await collection.create_index([("expires_at", 1)])

    async def create(
        self, caller: Identity, *, text: str, visibility: str, audience_user_ids: list[str]
    ) -> dict[str, Json]:
        """Publish a story, values as `CreateStory` loads them; answers as `get` does."""
        created_at = self._clock()
        story = records.new_story(
            caller.account_id,
            text=text,
            visibility=visibility,
            audience_user_ids=audience_user_ids,
            created_at=created_at,
            expires_at=created_at + self._lifetime,
        )
        await self._stories.insert_one(story)
        event = StoryCreated(
            story_id=story["_id"],
            author_id=caller.account_id,
            text=text,
            visibility=visibility,
            created_at=to_text(story["created_at"]),
            expires_at=to_text(story["expires_at"]),
        )
        await self._publisher.publish(event, *_rooms_of_readers(story))
        return await self._shown(caller, story)

    async def get(self, caller: Identity, story_id: str) -> dict[str, Json]:
        """Give a story: `id`, `author_id`, `text`, `visibility`, `created_at`, `expires_at`.

        Besides, what it is to the caller: `my_reaction` (emoji or null), and `viewed` (whether the
        view was counted) for a reader, `audience_user_ids`, `view_count` and `reaction_count` for
        the author.
        """
        return await self._shown(caller, await self._readable(caller, story_id))

    async def feed(
        self, caller: Identity, *, after: Position | None = None, limit: int = DEFAULT_PAGE
    ) -> dict[str, Json]:
        """Give a page of what the caller may see, newest first, each item as `get` gives it."""
        found = await newest_readable(
            self._stories, caller.account_id, at=self._clock(), after=after, limit=limit + 1
        )
        shown, following = cut(found, limit, "created_at")
        items = await asyncio.gather(*(self._shown(caller, story) for story in shown))
        return {"items": list(items), "next": following}

    async def delete(self, caller: Identity, story_id: str) -> None:
        """Remove the caller's story with its views and reactions.

        Raises:
            Forbidden: somebody else's.
        """
        story = await self._own(caller, story_id)
        removed = await self._stories.delete_one({"_id": story_id})
        if not removed.deleted_count:
            raise _not_found()
        await self._views.delete_many({"story_id": story_id})
        await self._reactions.delete_many({"story_id": story_id})
        event = StoryDeleted(story_id=story_id, author_id=caller.account_id)
        await self._publisher.publish(event, *_rooms_of_readers(story))

    async def view(self, caller: Identity, story_id: str) -> dict[str, Json]:
        """Count the caller's first view and tell the author; a repeat answers as the first did.

        Gives `story_id`, `viewer_id`, `viewed_at`. An own view is not kept: `viewed_at` is null.
        """
        story = await self._readable(caller, story_id)
        if _is_author(caller, story):
            return {"story_id": story_id, "viewer_id": caller.account_id, "viewed_at": None}
        view = records.new_view(story, caller.account_id, self._clock())
        try:
            await self._views.insert_one(view)
        except DuplicateKeyError:
            first = await self._views.find_one({"_id": view["_id"]})
            if first is None:  # the story was deleted in between
                raise _not_found() from None
            return records.view_json(first)
        event = StoryViewed(
            story_id=story_id, viewer_id=caller.account_id, viewed_at=to_text(view["viewed_at"])
        )
        await self._publisher.publish(event, user_room(story["author_id"]))
        return records.view_json(view)

    async def react(self, caller: Identity, story_id: str, *, emoji: str) -> dict[str, Json]:
        """Make `emoji` the caller's one reaction and tell the author if that changed it.

        Gives `story_id`, `user_id`, `emoji`, `reacted_at`.
        """
        story = await self._readable(caller, story_id)
        wanted = records.new_reaction(story, caller.account_id, emoji, self._clock())
        kept, changed = await self._keep_reaction(wanted)
        if changed and not _is_author(caller, story):
            event = StoryReacted(
                story_id=story_id,
                user_id=caller.account_id,
                emoji=emoji,
                reacted_at=to_text(kept["reacted_at"]),
            )
            await self._publisher.publish(event, user_room(story["author_id"]))
        return records.reaction_json(kept)

    async def unreact(self, caller: Identity, story_id: str) -> None:
        """Take the caller's reaction back, if there is one, and tell the author."""
        story = await self._readable(caller, story_id)
        reaction_id = records.part_id(story_id, caller.account_id)
        removed = await self._reactions.delete_one({"_id": reaction_id})
        if removed.deleted_count and not _is_author(caller, story):
            event = StoryUnreacted(story_id=story_id, user_id=caller.account_id)
            await self._publisher.publish(event, user_room(story["author_id"]))

    async def viewers(
        self,
        caller: Identity,
        story_id: str,
        *,
        after: Position | None = None,
        limit: int = DEFAULT_PAGE,
    ) -> dict[str, Json]:
        """Give a page of the views of the caller's story, latest first, each as `view` gives it.

        Raises:
            Forbidden: somebody else's story.
        """
        await self._own(caller, story_id)
        return await _latest(
            self._views, story_id, "viewed_at", records.view_json, after=after, limit=limit
        )

    async def reactions(
        self,
        caller: Identity,
        story_id: str,
        *,
        after: Position | None = None,
        limit: int = DEFAULT_PAGE,
    ) -> dict[str, Json]:
        """Give a page of the reactions to the caller's story, latest first, each as `react` does.

        A reaction that is replaced moves to the front of the list.

        Raises:
            Forbidden: somebody else's story.
        """
        await self._own(caller, story_id)
        return await _latest(
            self._reactions, story_id, "reacted_at", records.reaction_json, after=after, limit=limit
        )

    async def sweep(self) -> int:
        """Remove what has expired, telling nobody; gives the number of stories."""
        expired = {"expires_at": {"$lte": self._clock()}}
        removed = await self._stories.delete_many(expired)
        await self._views.delete_many(expired)
        await self._reactions.delete_many(expired)
        return removed.deleted_count

    async def _readable(self, caller: Identity, story_id: str) -> Document:
        story = None
        if records.is_story_id(story_id):
            story = await self._stories.find_one({"_id": story_id})
        if story is None or story["expires_at"] <= self._clock():
            raise _not_found()
        if not records.may_read(caller.account_id, story):
            raise _not_found()
        return story

    async def _own(self, caller: Identity, story_id: str) -> Document:
        story = await self._readable(caller, story_id)
        if not _is_author(caller, story):
            raise Forbidden("Only the story's author may do this.", code="not_the_author")
        return story

    async def _keep_reaction(self, wanted: Document) -> tuple[Document, bool]:
        """Give the reaction as it is now kept, and whether this call made it so."""
        while True:
            try:
                await self._reactions.insert_one(wanted)
                return wanted, True
            except DuplicateKeyError:
                pass
            changed = await self._reactions.find_one_and_update(
                {"_id": wanted["_id"], "emoji": {"$ne": wanted["emoji"]}},
                {"$set": {"emoji": wanted["emoji"], "reacted_at": wanted["reacted_at"]}},
                return_document=ReturnDocument.AFTER,
            )
            if changed:
                return changed, True
            kept = await self._reactions.find_one({"_id": wanted["_id"]})
            if kept and kept["emoji"] == wanted["emoji"]:
                return kept, False
            # It was taken back or replaced between two of the steps: start over.

    async def _shown(self, caller: Identity, story: Document) -> dict[str, Json]:
        shown = records.story_json(story)
        own_part = {"_id": records.part_id(story["_id"], caller.account_id)}
        reaction = await self._reactions.find_one(own_part)
        shown["my_reaction"] = reaction["emoji"] if reaction else None
        if not _is_author(caller, story):
            shown["viewed"] = await self._views.find_one(own_part) is not None
        else:
            shown["audience_user_ids"] = story["audience_user_ids"]
            # Counted, not kept as counters: right under concurrency and after a crash.
            of_story = {"story_id": story["_id"]}
            shown["view_count"] = await self._views.count_documents(of_story)
            shown["reaction_count"] = await self._reactions.count_documents(of_story)
        return shown


def _not_found() -> NotFound:
    return NotFound("There is no such story.", code="story_not_found")


def _is_author(caller: Identity, story: Document) -> bool:
    return bool(story["author_id"] == caller.account_id)


def _rooms_of_readers(story: Document) -> list[str]:
    return [
        public_stories_room() if reader == records.EVERYONE else user_room(reader)
        for reader in story["readers"]
    ]


async def _latest(
    parts: Collection,
    story_id: str,
    time_field: str,
    render: Callable[[Document], Json],
    *,
    after: Position | None,
    limit: int,
) -> dict[str, Json]:
    query: Document = {"story_id": story_id}
    if after:
        query["$or"] = after.following(time_field)
    found = await parts.find(query).sort(newest_first(time_field)).limit(limit + 1).to_list(None)
    shown, following = cut(found, limit, time_field)
    return {"items": [render(part) for part in shown], "next": following}
