"""The shapes in which stories show their records: answers and events are made of them.

Times are UTC text with milliseconds.
"""

from typing import NotRequired, TypedDict

from models.accounts.views import PublicUser


class StoryContent(TypedDict):
    """What a story says, which never changes."""

    id: str
    version: int
    """As lists have it: of an id the highest version holds, in whatever order they come."""

    author_id: str
    text: str
    visibility: str
    created_at: str
    expires_at: str


class StoryView(StoryContent):
    """A story as every account sees it that may read it."""

    author: PublicUser
    my_reaction: str | None


class ReaderStoryView(StoryView):
    """A story as its readers see it, the author aside: what `story.created` has."""

    viewed: bool
    """Whether the account's view was counted."""


class StoryForCaller(StoryView):
    """A story as its author or a reader sees it."""

    viewed: NotRequired[bool]
    """To readers: whether the account's view was counted."""

    audience_user_ids: NotRequired[list[str]]
    """This and the counts: to the author."""

    view_count: NotRequired[int]
    reaction_count: NotRequired[int]


class ViewerRecord(TypedDict):
    """That an account saw a story, and when it did first."""

    story_id: str
    viewer_id: str
    viewed_at: str


class ViewerView(ViewerRecord):
    """A view of a story, and whose it is."""

    viewer: PublicUser


class ViewForCaller(TypedDict):
    """The caller's view of a story."""

    story_id: str
    viewer_id: str
    viewer: PublicUser
    viewed_at: str | None
    """Null: an own story, whose view is not kept."""


class ReactionRecord(TypedDict):
    """The one reaction of an account to a story."""

    story_id: str
    user_id: str
    emoji: str
    reacted_at: str


class ReactionView(ReactionRecord):
    """A reaction to a story, and whose it is."""

    user: PublicUser
