"""Events of stories with the values that docs/older-apis/stories-events.md prints."""

from typing import Any

from models.accounts.views import PublicUser
from models.stories.events import StoryReacted, StoryViewed

AT = "2023-10-01T12:00:00.000Z"
PERSON: PublicUser = {"id": "user123", "public_id": "p123", "name": "Ann"}


def viewed(story_id: str, **changes: Any) -> StoryViewed:
    """Return the first view of a story."""
    values = {"viewer_id": "user123", "viewer": PERSON, "viewed_at": AT} | changes
    return StoryViewed(story_id=story_id, **values)


def reacted(story_id: str, **changes: Any) -> StoryReacted:
    """Return a reaction to a story."""
    values = {"user_id": "user123", "user": PERSON, "emoji": "❤️", "reacted_at": AT} | changes
    return StoryReacted(story_id=story_id, **values)
