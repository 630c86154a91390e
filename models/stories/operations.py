"""The rules of stories: check, write, then publish once."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID

from pymongo import ReturnDocument
from pymongo.errors import DuplicateKeyError

from models.accounts.people import Person, missing_person, person_of, public_user
from models.accounts.views import PublicUser
from models.collections import retention_of
from models.database import Database, Document, TypedCollection, typed
from models.errors import Forbidden, NotFound
from models.events import Publisher
from models.idempotency import Idempotency, Operation
from models.identity import Identity
from models.oversight.reports import Reports, ReportView
from models.oversight.schema import STORY
from models.pages import DEFAULT_PAGE, Found, Page, Position, cut, newest_first
from models.retention import expire
from models.rooms import user_room
from models.stories import records
from models.stories.account_data import StoriesAccountData
from models.stories.events import (
    StoryCreated,
    StoryDeleted,
    StoryReacted,
    StoryUnreacted,
    StoryViewed,
)
from models.stories.feed import newest_readable
from models.stories.records import StoredReaction, StoredStory, StoredView
from models.stories.views import (
    ReactionView,
    StoryForCaller,
    StoryView,
    ViewerView,
    ViewForCaller,
)
from models.times import Clock, now

ShowPeople = Callable[[Iterable[str]], Awaitable[dict[str, Person]]]
"""Returns the people behind account ids, as `models.accounts.People.many` does."""


async def unknown_people(account_ids: Iterable[str]) -> dict[str, Person]:
    """Return people without names."""
    return {account_id: missing_person(account_id) for account_id in account_ids}


STORIES = "/stories"
"""The operation of making one, as keys of clients are kept."""


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
        people: ShowPeople = unknown_people,
        clock: Clock = now,
    ) -> None:
        self._people = people
        self._stories = typed(database["stories"], StoredStory)
        self._views = typed(database["story_views"], StoredView)
        self._reactions = typed(database["story_reactions"], StoredReaction)
        self._publisher = publisher
        self._answers = Idempotency(database, clock=clock)
        self._lifetime = lifetime
        self._clock = clock
        self._reports = Reports(database, clock)
        self.account_data = StoriesAccountData(database, publisher)

    async def prepare(self) -> None:
        """Make the indexes that the queries here rely on."""
        await self._stories.create_index([("readers", 1), ("created_at", 1), ("_id", 1)])
        await self._stories.create_index([("created_at", 1), ("_id", 1)])
        await self._views.create_index([("story_id", 1), ("viewed_at", 1), ("_id", 1)])
        await self._reactions.create_index([("story_id", 1), ("reacted_at", 1), ("_id", 1)])
        for collection in (self._stories, self._views, self._reactions):
            await collection.create_index([("expires_at", 1)])

    async def create(
        self,
        caller: Identity,
        *,
        text: str,
        visibility: str,
        audience_user_ids: list[str],
        client_id: str | None = None,
        operation_id: str | None = None,
    ) -> StoryForCaller:
        """Publish a story, values as `CreateStory` loads them; answers as `get` does.

        Raises:
            Invalid: code `key_reused`.
            NotFound: the story of this `client_id` is gone.
        """
        content: dict[str, Any] = {
            "text": text,
            "visibility": visibility,
            "audience_user_ids": audience_user_ids,
        }
        async with self._answers.once(
            caller.account_id,
            STORIES,
            client_id=client_id,
            operation_id=operation_id,
            content=content,
        ) as operation:
            return await self._create(caller, operation, **content)

    async def _create(
        self,
        caller: Identity,
        operation: Operation,
        *,
        text: str,
        visibility: str,
        audience_user_ids: list[str],
    ) -> StoryForCaller:
        story_id = str(UUID(operation.id))
        if operation.is_done:
            return await self._shown(caller, await self._readable(caller, story_id))
        created_at = self._clock()
        story = records.new_story(
            story_id,
            caller.account_id,
            text=text,
            visibility=visibility,
            audience_user_ids=audience_user_ids,
            created_at=created_at,
            expires_at=created_at + self._lifetime,
        )
        try:
            await self._stories.insert_one(story)
        except DuplicateKeyError:
            return await self._shown(caller, await self._readable(caller, story_id))
        shown = _story_view(story, person_of(caller), my_reaction=None)
        event = StoryCreated(**shown, story_id=story["_id"], viewed=False)
        await self._publisher.publish(event, *records.rooms_of_readers(story))
        return await self._shown(caller, story)

    async def get(self, caller: Identity, story_id: str) -> StoryForCaller:
        """Return a story: `id`, `version`, `author_id`, `author`, `text`, `visibility`,
        `created_at`, `expires_at`.

        Besides, what it is to the caller: `my_reaction` (emoji or null), and `viewed` (whether the
        view was counted) for a reader, `audience_user_ids`, `view_count` and `reaction_count` for
        the author.
        """
        return await self._shown(caller, await self._readable(caller, story_id))

    async def feed(
        self, caller: Identity, *, after: Position | None = None, limit: int = DEFAULT_PAGE
    ) -> Page[StoryForCaller]:
        """Return a page of what the caller may see, newest first, each item as `get` gives it."""
        found = await newest_readable(
            self._stories, caller.account_id, at=self._clock(), after=after, limit=limit + 1
        )
        shown, following = cut(found, limit, "created_at")
        return {"items": await self._all_shown(caller, shown), "next": following}

    async def delete(self, caller: Identity, story_id: str) -> None:
        """Remove the caller's story with its views and reactions.

        Raises:
            Forbidden: another account's.
        """
        story = await self._own(caller, story_id)
        removed = await self._stories.delete_one({"_id": story_id})
        if not removed.deleted_count:
            raise _not_found()
        await self._views.delete_many({"story_id": story_id})
        await self._reactions.delete_many({"story_id": story_id})
        event = StoryDeleted(
            story_id=story_id, author_id=caller.account_id, version=records.DELETED_VERSION
        )
        await self._publisher.publish(event, *records.rooms_of_readers(story))

    async def report(
        self, caller: Identity, story_id: str, *, reason: str, note: str | None
    ) -> ReportView:
        """Report to the operators what is wrong with a story; a repeat answers as the first did."""
        story = await self._readable(caller, story_id)
        return await self._reports.add(
            caller.account_id,
            STORY,
            story_id,
            author_id=story["author_id"],
            content=story["text"],
            reason=reason,
            note=note,
        )

    async def view(self, caller: Identity, story_id: str) -> ViewForCaller:
        """Count the caller's first view and notify the author; a repeat answers as the first did.

        Return `story_id`, `viewer_id`, `viewer`, `viewed_at`. An own view is not kept: `viewed_at`
        is null.
        """
        story = await self._readable(caller, story_id)
        viewer = public_user(person_of(caller))
        if _is_author(caller, story):
            own: ViewForCaller = {
                "story_id": story_id,
                "viewer_id": caller.account_id,
                "viewer": viewer,
                "viewed_at": None,
            }
            return own
        view = records.new_view(story, caller.account_id, self._clock())
        try:
            await self._views.insert_one(view)
        except DuplicateKeyError:
            first = await self._views.find_one({"_id": view["_id"]})
            if first is None:  # the story was deleted in between
                raise _not_found() from None
            return _own_view(_viewer_view(first, viewer))
        seen = _viewer_view(view, viewer)
        await self._publisher.publish(StoryViewed(**seen), user_room(story["author_id"]))
        return _own_view(seen)

    async def react(self, caller: Identity, story_id: str, *, emoji: str) -> ReactionView:
        """Make `emoji` the caller's one reaction and notify the author if that changed it.

        Return `story_id`, `user_id`, `user`, `emoji`, `reacted_at`.
        """
        story = await self._readable(caller, story_id)
        user = public_user(person_of(caller))
        wanted = records.new_reaction(story, caller.account_id, emoji, self._clock())
        kept, changed = await self._keep_reaction(wanted)
        reaction = _reaction_view(kept, user)
        if changed and not _is_author(caller, story):
            await self._publisher.publish(StoryReacted(**reaction), user_room(story["author_id"]))
        return reaction

    async def unreact(self, caller: Identity, story_id: str) -> None:
        """Take the caller's reaction back, if there is one, and notify the author."""
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
    ) -> Page[ViewerView]:
        """Return a page of the views of the caller's story, latest first, each as `view` gives it.

        Raises:
            Forbidden: another account's story.
        """
        await self._own(caller, story_id)
        views, following = await _latest(
            self._views, story_id, "viewed_at", after=after, limit=limit
        )
        people = await self._people(view["viewer_id"] for view in views)
        items = [_viewer_view(view, public_user(people[view["viewer_id"]])) for view in views]
        return {"items": items, "next": following}

    async def reactions(
        self,
        caller: Identity,
        story_id: str,
        *,
        after: Position | None = None,
        limit: int = DEFAULT_PAGE,
    ) -> Page[ReactionView]:
        """Return a page of the reactions to the caller's story, latest first, each as `react` does.

        A reaction that is replaced moves to the front of the list.

        Raises:
            Forbidden: another account's story.
        """
        await self._own(caller, story_id)
        given, following = await _latest(
            self._reactions, story_id, "reacted_at", after=after, limit=limit
        )
        people = await self._people(reaction["user_id"] for reaction in given)
        items = [
            _reaction_view(reaction, public_user(people[reaction["user_id"]])) for reaction in given
        ]
        return {"items": items, "next": following}

    async def sweep(self) -> int:
        """Remove what has expired, without an event; returns the number of stories."""
        now = self._clock()
        removed = await expire(self._stories, retention_of("stories"), now)
        await expire(self._views, retention_of("story_views"), now)
        await expire(self._reactions, retention_of("story_reactions"), now)
        return removed

    async def _readable(self, caller: Identity, story_id: str) -> StoredStory:
        story = None
        if records.is_story_id(story_id):
            story = await self._stories.find_one({"_id": story_id})
        if story is None or story["expires_at"] <= self._clock():
            raise _not_found()
        if not records.may_read(caller.account_id, story):
            raise _not_found()
        return story

    async def _own(self, caller: Identity, story_id: str) -> StoredStory:
        story = await self._readable(caller, story_id)
        if not _is_author(caller, story):
            raise Forbidden("Only the story's author may do this.", code="not_the_author")
        return story

    async def _keep_reaction(self, wanted: StoredReaction) -> tuple[StoredReaction, bool]:
        """Return the reaction as it is now kept, and whether this call made it so."""
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

    async def _shown(self, caller: Identity, story: StoredStory) -> StoryForCaller:
        people = await self._people([story["author_id"]])
        own_part = {"_id": records.part_id(story["_id"], caller.account_id)}
        reaction = await self._reactions.find_one(own_part)
        viewed = not _is_author(caller, story) and await self._views.find_one(own_part) is not None
        return await self._shown_with(
            caller, story, people[story["author_id"]], reaction=reaction, viewed=viewed
        )

    async def _all_shown(
        self, caller: Identity, stories: Sequence[StoredStory]
    ) -> list[StoryForCaller]:
        """Return stories as `_shown` does, with one query for the parts of all of them."""
        others = [story for story in stories if not _is_author(caller, story)]
        people, reactions, views = await asyncio.gather(
            self._people(story["author_id"] for story in stories),
            self._reactions.find_ids(_own_parts(caller, stories)),
            self._views.find_ids(_own_parts(caller, others)),
        )
        reaction_to = {reaction["story_id"]: reaction for reaction in reactions}
        viewed = {view["story_id"] for view in views}
        return await asyncio.gather(
            *(
                self._shown_with(
                    caller,
                    story,
                    people[story["author_id"]],
                    reaction=reaction_to.get(story["_id"]),
                    viewed=story["_id"] in viewed,
                )
                for story in stories
            )
        )

    async def _shown_with(
        self,
        caller: Identity,
        story: StoredStory,
        author: Person,
        *,
        reaction: StoredReaction | None,
        viewed: bool,
    ) -> StoryForCaller:
        """Return a story as the caller sees it, who has reacted so, or viewed it."""
        my_reaction = reaction["emoji"] if reaction else None
        whole = _whole(_story_view(story, author, my_reaction=my_reaction))
        if not _is_author(caller, story):
            whole["viewed"] = viewed
            return whole
        # Counted, not kept as counters: right under concurrency and after a crash.
        of_story = {"story_id": story["_id"]}
        whole["audience_user_ids"] = story["audience_user_ids"]
        whole["view_count"] = await self._views.count_documents(of_story)
        whole["reaction_count"] = await self._reactions.count_documents(of_story)
        return whole


def _own_parts(caller: Identity, stories: Iterable[StoredStory]) -> list[str]:
    return [records.part_id(story["_id"], caller.account_id) for story in stories]


def _story_view(story: StoredStory, author: Person, *, my_reaction: str | None) -> StoryView:
    content = records.story_content(story)
    return {**content, "author": public_user(author), "my_reaction": my_reaction}


def _viewer_view(view: StoredView, viewer: PublicUser) -> ViewerView:
    return {**records.viewer_record(view), "viewer": viewer}


def _reaction_view(reaction: StoredReaction, user: PublicUser) -> ReactionView:
    return {**records.reaction_record(reaction), "user": user}


def _not_found() -> NotFound:
    return NotFound("There is no such story.", code="story_not_found")


def _is_author(caller: Identity, story: StoredStory) -> bool:
    return story["author_id"] == caller.account_id


async def _latest(
    parts: TypedCollection[Found],
    story_id: str,
    time_field: str,
    *,
    after: Position | None,
    limit: int,
) -> tuple[list[Found], str | None]:
    """Return a page of the views or reactions of a story, and the cursor of the next one."""
    query: Document = {"story_id": story_id}
    if after:
        query["$or"] = after.following(time_field)
    found = await parts.find(query).sort(newest_first(time_field)).limit(limit + 1).to_list(None)
    return cut(found, limit, time_field)


def _own_view(view: ViewerView) -> ViewForCaller:
    return {
        "story_id": view["story_id"],
        "viewer_id": view["viewer_id"],
        "viewer": view["viewer"],
        "viewed_at": view["viewed_at"],
    }


def _whole(story: StoryView) -> StoryForCaller:
    """Return what every reader sees, without what depends on the caller."""
    return {
        "id": story["id"],
        "version": story["version"],
        "author_id": story["author_id"],
        "author": story["author"],
        "text": story["text"],
        "visibility": story["visibility"],
        "created_at": story["created_at"],
        "expires_at": story["expires_at"],
        "my_reaction": story["my_reaction"],
    }
