"""Events of stories; docs/older-apis/stories-events.md has `story.viewed` and `story.reacted`, too.

Times are UTC text with milliseconds.
"""

from dataclasses import dataclass
from typing import ClassVar

from models.accounts.views import PublicUser
from models.events import Event


@dataclass(frozen=True, slots=True, kw_only=True)
class _StoriesEvent(Event):
    domain: ClassVar[str] = "stories"


@dataclass(frozen=True, slots=True, kw_only=True)
class StoryCreated(_StoriesEvent):
    """A story was published; sent to everyone who may see it, the author included.

    The payload is a `ReaderStoryView` as the first reader has it; `story_id` repeats its `id`.
    """

    name: ClassVar[str] = "story.created"

    id: str
    story_id: str
    author_id: str
    author: PublicUser
    text: str
    visibility: str
    created_at: str
    expires_at: str
    version: int
    my_reaction: str | None
    viewed: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class StoryDeleted(_StoriesEvent):
    """The author removed a story before its time; sent to those who could see it."""

    name: ClassVar[str] = "story.deleted"

    story_id: str
    author_id: str
    version: int
    """Above that of the story: a list that still has it, and arrives later, does not count."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StoryViewed(_StoriesEvent):
    """An account saw a story for the first time; sent to its author. A `ViewerView`."""

    name: ClassVar[str] = "story.viewed"

    story_id: str
    viewer_id: str
    viewer: PublicUser
    viewed_at: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StoryReacted(_StoriesEvent):
    """An account reacted, or changed its reaction; sent to the author. A `ReactionView`."""

    name: ClassVar[str] = "story.reacted"

    story_id: str
    user_id: str
    user: PublicUser
    emoji: str
    reacted_at: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StoryUnreacted(_StoriesEvent):
    """An account took its reaction back; sent to the story's author."""

    name: ClassVar[str] = "story.unreacted"

    story_id: str
    user_id: str
