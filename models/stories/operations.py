"""The rules of stories: check, write, then tell once."""

import uuid
from collections.abc import Mapping
from datetime import timedelta
from typing import Final

from pymongo.errors import DuplicateKeyError

from models.database import Collection, Database, Document
from models.errors import Forbidden, NotFound
from models.events import Json, Publisher
from models.identity import Identity
from models.pages import DEFAULT_PAGE, Position, cut, newest_first
from models.rooms import public_stories_room, user_room
from models.stories.events import StoryCreated, StoryDeleted, StoryReacted, StoryViewed
from models.stories.feed import EVERYONE, may_read, newest_readable, readers_of
from models.times import Clock, now, to_text

_RETURN_NEW: Final = True
"""`return_document`: pymongo's `ReturnDocument.AFTER`."""


class Stories:
    """Stories, their views and their reactions.

    Stored as `stories` (`_id` UUID4), `story_views` and `story_reactions` (`_id`
    "<story>:<account>", so that each account counts once however many requests race). Every part
    carries the story's `expires_at`, so purging one needs no look at the others and an interrupted
    delete leaves nothing for good.

    A story that has expired, or that the caller may not see, is `NotFound` in every method.
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

    async def ensure_indexes(self) -> None:
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
        at = self._clock()
        story: Document = {
            "_id": str(uuid.uuid4()),
            "author_id": caller.account_id,
            "text": text,
            "visibility": visibility,
            "audience_user_ids": audience_user_ids,
            "readers": readers_of(caller.account_id, visibility, audience_user_ids),
            "created_at": at,
            "expires_at": at + self._lifetime,
        }
        await self._stories.insert_one(story)
        event = StoryCreated(
            story_id=story["_id"],
            author_id=story["author_id"],
            text=story["text"],
            visibility=story["visibility"],
            created_at=to_text(story["created_at"]),
            expires_at=to_text(story["expires_at"]),
        )
        await self._publisher.publish(event, *_rooms_of_readers(story))
        return await self._shown(caller, story)

    async def get(self, caller: Identity, story_id: str) -> dict[str, Json]:
        """Give a story: `id`, `author_id`, `text`, `visibility`, `created_at`, `expires_at`.

        Its author sees `audience_user_ids`, `view_count` and `reaction_count` too.
        """
        return await self._shown(caller, await self._readable(caller, story_id))

    async def feed(
        self, caller: Identity, *, after: Position | None = None, limit: int = DEFAULT_PAGE
    ) -> dict[str, Json]:
        """Give a page of what the caller may see, newest first: `items`, `next` (or null)."""
        found = await newest_readable(
            self._stories, caller.account_id, at=self._clock(), after=after, limit=limit + 1
        )
        shown, following = cut(found, limit, "created_at")
        return {"items": [await self._shown(caller, story) for story in shown], "next": following}

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
        view: Document = {
            "_id": _key(story_id, caller),
            "story_id": story_id,
            "viewer_id": caller.account_id,
            "viewed_at": self._clock(),
            "expires_at": story["expires_at"],
        }
        try:
            await self._views.insert_one(view)
        except DuplicateKeyError:
            first = await self._views.find_one({"_id": view["_id"]})
            # Gone only if the story was deleted in between.
            return _shown_view(first or view)
        event = StoryViewed(story_id, caller.account_id, to_text(view["viewed_at"]))
        await self._publisher.publish(event, user_room(story["author_id"]))
        return _shown_view(view)

    async def react(self, caller: Identity, story_id: str, *, emoji: str) -> dict[str, Json]:
        """Set the caller's one reaction and tell the author if it changed.

        Gives `story_id`, `user_id`, `emoji`, `reacted_at`.
        """
        story = await self._readable(caller, story_id)
        reaction: Document = {
            "_id": _key(story_id, caller),
            "story_id": story_id,
            "user_id": caller.account_id,
            "emoji": emoji,
            "reacted_at": self._clock(),
            "expires_at": story["expires_at"],
        }
        kept, changed = await self._set_reaction(reaction)
        if changed and not _is_author(caller, story):
            event = StoryReacted(story_id, caller.account_id, emoji, to_text(kept["reacted_at"]))
            await self._publisher.publish(event, user_room(story["author_id"]))
        return {"story_id": story_id, **_shown_reaction(kept)}

    async def unreact(self, caller: Identity, story_id: str) -> None:
        """Take the caller's reaction back, if there is one; nobody is told."""
        await self._readable(caller, story_id)
        await self._reactions.delete_one({"_id": _key(story_id, caller)})

    async def viewers(
        self,
        caller: Identity,
        story_id: str,
        *,
        after: Position | None = None,
        limit: int = DEFAULT_PAGE,
    ) -> dict[str, Json]:
        """Give a page of who saw the caller's story, latest first: `viewer_id`, `viewed_at`.

        Raises:
            Forbidden: somebody else's story.
        """
        await self._own(caller, story_id)
        found = await _latest(self._views, story_id, "viewed_at", after, limit + 1)
        shown, following = cut(found, limit, "viewed_at")
        items: list[Json] = [
            {"viewer_id": view["viewer_id"], "viewed_at": to_text(view["viewed_at"])}
            for view in shown
        ]
        return {"items": items, "next": following}

    async def reactions(
        self,
        caller: Identity,
        story_id: str,
        *,
        after: Position | None = None,
        limit: int = DEFAULT_PAGE,
    ) -> dict[str, Json]:
        """Give a page of reactions to the caller's story, latest first.

        Items are `user_id`, `emoji`, `reacted_at`; one that is replaced moves to the front.

        Raises:
            Forbidden: somebody else's story.
        """
        await self._own(caller, story_id)
        found = await _latest(self._reactions, story_id, "reacted_at", after, limit + 1)
        shown, following = cut(found, limit, "reacted_at")
        return {"items": [_shown_reaction(reaction) for reaction in shown], "next": following}

    async def purge_expired(self) -> int:
        """Remove what has expired, telling nobody; gives the number of stories."""
        expired = {"expires_at": {"$lte": self._clock()}}
        removed = await self._stories.delete_many(expired)
        await self._views.delete_many(expired)
        await self._reactions.delete_many(expired)
        return removed.deleted_count

    async def _readable(self, caller: Identity, story_id: str) -> Document:
        story = await self._stories.find_one({"_id": story_id}) if _is_story_id(story_id) else None
        alive = story is not None and story["expires_at"] > self._clock()
        if story is None or not alive or not may_read(caller.account_id, story):
            raise _not_found()
        return story

    async def _own(self, caller: Identity, story_id: str) -> Document:
        story = await self._readable(caller, story_id)
        if not _is_author(caller, story):
            raise Forbidden("Only the story's author may do this.", code="not_the_author")
        return story

    async def _set_reaction(self, reaction: Document) -> tuple[Document, bool]:
        """Give the reaction that is now kept, and whether this call made it so."""
        change = {"emoji": reaction["emoji"], "reacted_at": reaction["reacted_at"]}
        while True:
            try:
                await self._reactions.insert_one(reaction)
                return reaction, True
            except DuplicateKeyError:
                pass
            changed = await self._reactions.find_one_and_update(
                {"_id": reaction["_id"], "emoji": {"$ne": reaction["emoji"]}},
                {"$set": change},
                return_document=_RETURN_NEW,
            )
            if changed:
                return changed, True
            kept = await self._reactions.find_one({"_id": reaction["_id"]})
            # Otherwise it was taken back or replaced between the two steps: start over.
            if kept and kept["emoji"] == reaction["emoji"]:
                return kept, False

    async def _shown(self, caller: Identity, story: Document) -> dict[str, Json]:
        shown: dict[str, Json] = {
            "id": story["_id"],
            "author_id": story["author_id"],
            "text": story["text"],
            "visibility": story["visibility"],
            "created_at": to_text(story["created_at"]),
            "expires_at": to_text(story["expires_at"]),
        }
        if _is_author(caller, story):
            shown["audience_user_ids"] = story["audience_user_ids"]
            # Counted, not kept as counters: right under concurrency and after a crash.
            of_story = {"story_id": story["_id"]}
            shown["view_count"] = await self._views.count_documents(of_story)
            shown["reaction_count"] = await self._reactions.count_documents(of_story)
        return shown


def _is_story_id(text: str) -> bool:
    try:
        return str(uuid.UUID(text)) == text
    except ValueError:
        return False


def _not_found() -> NotFound:
    return NotFound("There is no such story.", code="story_not_found")


def _is_author(caller: Identity, story: Mapping[str, object]) -> bool:
    return story["author_id"] == caller.account_id


def _key(story_id: str, caller: Identity) -> str:
    return f"{story_id}:{caller.account_id}"


def _rooms_of_readers(story: Document) -> list[str]:
    return [
        public_stories_room() if reader == EVERYONE else user_room(reader)
        for reader in story["readers"]
    ]


async def _latest(
    collection: Collection, story_id: str, time_field: str, after: Position | None, limit: int
) -> list[Document]:
    query: Document = {"story_id": story_id}
    if after:
        query["$or"] = after.following(time_field)
    return await collection.find(query).sort(newest_first(time_field)).limit(limit).to_list(limit)


def _shown_view(view: Document) -> dict[str, Json]:
    return {
        "story_id": view["story_id"],
        "viewer_id": view["viewer_id"],
        "viewed_at": to_text(view["viewed_at"]),
    }


def _shown_reaction(reaction: Document) -> dict[str, Json]:
    return {
        "user_id": reaction["user_id"],
        "emoji": reaction["emoji"],
        "reacted_at": to_text(reaction["reacted_at"]),
    }
