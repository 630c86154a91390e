"""What is told about stories. `story.viewed` and `story.reacted` are those of `stories-events.md`.

Times are UTC text with milliseconds.
"""

from dataclasses import dataclass
from typing import ClassVar

from models.events import Event, Json


@dataclass(frozen=True, slots=True)
class StoryCreated(Event):
    """Someone published a story; told to everyone who may see it, the author included."""

    domain: ClassVar[str] = "stories"
    name: ClassVar[str] = "story.created"

    story_id: str
    author_id: str
    text: str
    visibility: str
    created_at: str
    expires_at: str

    def data(self) -> dict[str, Json]:
        """Give what a feed needs to show the story."""
        return {
            "story_id": self.story_id,
            "author_id": self.author_id,
            "text": self.text,
            "visibility": self.visibility,
            "created_at": self.created_at,
            "expires_at": self.expires_at,
        }


@dataclass(frozen=True, slots=True)
class StoryDeleted(Event):
    """The author removed a story before its time; told to those who could see it."""

    domain: ClassVar[str] = "stories"
    name: ClassVar[str] = "story.deleted"

    story_id: str
    author_id: str

    def data(self) -> dict[str, Json]:
        """Give which story is gone."""
        return {"story_id": self.story_id, "author_id": self.author_id}


@dataclass(frozen=True, slots=True)
class StoryViewed(Event):
    """Someone saw a story for the first time; told to its author."""

    domain: ClassVar[str] = "stories"
    name: ClassVar[str] = "story.viewed"

    story_id: str
    viewer_id: str
    viewed_at: str

    def data(self) -> dict[str, Json]:
        """Give the documented fields."""
        return {
            "story_id": self.story_id,
            "viewer_id": self.viewer_id,
            "viewed_at": self.viewed_at,
        }


@dataclass(frozen=True, slots=True)
class StoryReacted(Event):
    """Someone reacted, or changed the reaction; told to the story's author."""

    domain: ClassVar[str] = "stories"
    name: ClassVar[str] = "story.reacted"

    story_id: str
    user_id: str
    emoji: str
    reacted_at: str

    def data(self) -> dict[str, Json]:
        """Give the documented fields."""
        return {
            "story_id": self.story_id,
            "user_id": self.user_id,
            "emoji": self.emoji,
            "reacted_at": self.reacted_at,
        }


@dataclass(frozen=True, slots=True)
class StoryUnreacted(Event):
    """Someone took the reaction back; told to the story's author."""

    domain: ClassVar[str] = "stories"
    name: ClassVar[str] = "story.unreacted"

    story_id: str
    user_id: str

    def data(self) -> dict[str, Json]:
        """Give whose reaction to which story is gone."""
        return {"story_id": self.story_id, "user_id": self.user_id}
