"""How stories, views and reactions stand in the database, and as JSON."""

import uuid
from datetime import datetime

from models.database import Document
from models.events import Json
from models.stories.schema import PUBLIC
from models.times import to_text

EVERYONE = "*"
"""The reader of public stories; no account id looks like it."""


def new_story(
    author_id: str,
    *,
    text: str,
    visibility: str,
    audience_user_ids: list[str],
    created_at: datetime,
    expires_at: datetime,
) -> Document:
    """Build a story; `readers` are the accounts that may see it, the author among them."""
    private = dict.fromkeys([author_id, *audience_user_ids])
    return {
        "_id": str(uuid.uuid4()),
        "author_id": author_id,
        "text": text,
        "visibility": visibility,
        "audience_user_ids": audience_user_ids,
        "readers": [EVERYONE] if visibility == PUBLIC else list(private),
        "created_at": created_at,
        "expires_at": expires_at,
    }


def new_view(story: Document, viewer_id: str, viewed_at: datetime) -> Document:
    """Build the view of an account: there can be one, by its `_id`."""
    return {
        "_id": part_id(story["_id"], viewer_id),
        "story_id": story["_id"],
        "viewer_id": viewer_id,
        "viewed_at": viewed_at,
        "expires_at": story["expires_at"],
    }


def new_reaction(story: Document, user_id: str, emoji: str, reacted_at: datetime) -> Document:
    """Build the reaction of an account: there can be one, by its `_id`."""
    return {
        "_id": part_id(story["_id"], user_id),
        "story_id": story["_id"],
        "user_id": user_id,
        "emoji": emoji,
        "reacted_at": reacted_at,
        "expires_at": story["expires_at"],
    }


def part_id(story_id: str, account_id: str) -> str:
    """Give the natural key of an account's view or reaction."""
    return f"{story_id}:{account_id}"


def is_story_id(text: str) -> bool:
    """Whether it is written as story ids are: a UUID in lower case with hyphens."""
    try:
        return str(uuid.UUID(text)) == text
    except ValueError:
        return False


def may_read(account_id: str, story: Document) -> bool:
    """Whether an account may see the story, its age aside."""
    return EVERYONE in story["readers"] or account_id in story["readers"]


def story_json(story: Document) -> dict[str, Json]:
    """Show a story to a reader."""
    return {
        "id": story["_id"],
        "author_id": story["author_id"],
        "text": story["text"],
        "visibility": story["visibility"],
        "created_at": to_text(story["created_at"]),
        "expires_at": to_text(story["expires_at"]),
    }


def view_json(view: Document) -> dict[str, Json]:
    """Show a view."""
    return {
        "story_id": view["story_id"],
        "viewer_id": view["viewer_id"],
        "viewed_at": to_text(view["viewed_at"]),
    }


def reaction_json(reaction: Document) -> dict[str, Json]:
    """Show a reaction."""
    return {
        "story_id": reaction["story_id"],
        "user_id": reaction["user_id"],
        "emoji": reaction["emoji"],
        "reacted_at": to_text(reaction["reacted_at"]),
    }
