"""How stories, views and reactions stand in the database, and as JSON."""

import uuid
from datetime import datetime
from typing import TypedDict

from models.rooms import public_stories_room, user_room
from models.stories.schema import PUBLIC
from models.stories.views import ReactionRecord, StoryContent, ViewerRecord
from models.times import to_text

EVERYONE = "*"
"""The reader of public stories; no account id looks like it."""


CREATED_VERSION = 1
"""Of every story: what it says never changes."""

DELETED_VERSION = 2
"""Of its deletion, which is above that of any list or event in which it still stands."""


class StoredStory(TypedDict):
    """A document of `stories`."""

    _id: str
    author_id: str
    text: str
    visibility: str
    audience_user_ids: list[str]
    readers: list[str]
    """The accounts that may see it, the author among them, or `EVERYONE`."""

    created_at: datetime
    expires_at: datetime


class StoredView(TypedDict):
    """A document of `story_views`."""

    _id: str
    """As `part_id`, so that there can be one of an account."""

    story_id: str
    viewer_id: str
    viewed_at: datetime
    expires_at: datetime
    """The story's, as of reactions."""


class StoredReaction(TypedDict):
    """A document of `story_reactions`."""

    _id: str
    story_id: str
    user_id: str
    emoji: str
    reacted_at: datetime
    expires_at: datetime


def new_story(
    story_id: str,
    author_id: str,
    *,
    text: str,
    visibility: str,
    audience_user_ids: list[str],
    created_at: datetime,
    expires_at: datetime,
) -> StoredStory:
    """Build a story."""
    private = dict.fromkeys([author_id, *audience_user_ids])
    return {
        "_id": story_id,
        "author_id": author_id,
        "text": text,
        "visibility": visibility,
        "audience_user_ids": audience_user_ids,
        "readers": [EVERYONE] if visibility == PUBLIC else list(private),
        "created_at": created_at,
        "expires_at": expires_at,
    }


def new_view(story: StoredStory, viewer_id: str, viewed_at: datetime) -> StoredView:
    """Build the view of an account."""
    return {
        "_id": part_id(story["_id"], viewer_id),
        "story_id": story["_id"],
        "viewer_id": viewer_id,
        "viewed_at": viewed_at,
        "expires_at": story["expires_at"],
    }


def new_reaction(
    story: StoredStory, user_id: str, emoji: str, reacted_at: datetime
) -> StoredReaction:
    """Build the reaction of an account."""
    return {
        "_id": part_id(story["_id"], user_id),
        "story_id": story["_id"],
        "user_id": user_id,
        "emoji": emoji,
        "reacted_at": reacted_at,
        "expires_at": story["expires_at"],
    }


def part_id(story_id: str, account_id: str) -> str:
    """Return the natural key of an account's view or reaction."""
    return f"{story_id}:{account_id}"


def is_story_id(text: str) -> bool:
    """Whether it is written as story ids are: a UUID in lower case with hyphens."""
    try:
        return str(uuid.UUID(text)) == text
    except ValueError:
        return False


def may_read(account_id: str, story: StoredStory) -> bool:
    """Whether an account may see the story, its age aside."""
    return EVERYONE in story["readers"] or account_id in story["readers"]


def rooms_of_readers(story: StoredStory) -> list[str]:
    """Name the rooms of all who may see the story."""
    return [
        public_stories_room() if reader == EVERYONE else user_room(reader)
        for reader in story["readers"]
    ]


def story_content(story: StoredStory) -> StoryContent:
    """Return what a story says."""
    return {
        "id": story["_id"],
        "version": CREATED_VERSION,
        "author_id": story["author_id"],
        "text": story["text"],
        "visibility": story["visibility"],
        "created_at": to_text(story["created_at"]),
        "expires_at": to_text(story["expires_at"]),
    }


def viewer_record(view: StoredView) -> ViewerRecord:
    """Return a view as it is shown."""
    return {
        "story_id": view["story_id"],
        "viewer_id": view["viewer_id"],
        "viewed_at": to_text(view["viewed_at"]),
    }


def reaction_record(reaction: StoredReaction) -> ReactionRecord:
    """Return a reaction as it is shown."""
    return {
        "story_id": reaction["story_id"],
        "user_id": reaction["user_id"],
        "emoji": reaction["emoji"],
        "reacted_at": to_text(reaction["reacted_at"]),
    }
