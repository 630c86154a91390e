"""How notifications and inboxes stand in the database, and as JSON."""

from dataclasses import dataclass
from datetime import datetime
from typing import NotRequired, TypedDict

from models.notifications import spans
from models.notifications.views import NotificationContent, NotificationView, UnreadView
from models.times import to_text


@dataclass(frozen=True, slots=True)
class Content:
    """What a notification says."""

    type: str
    title: str
    message: str
    link: str


class StoredNotification(TypedDict):
    """A document of `notifications`."""

    _id: str
    """As `entry_id`."""

    number: int
    """Its id, as readers know it: 1, 2, 3 … in each inbox."""

    account_id: str
    type: str
    title: str
    message: str
    link: str
    cause: str
    """`<account>:<cause>`: what it is about."""

    muted: bool
    """Whether its reader had muted the type: it never was unread."""

    unpushed: bool
    """Whether a push is wanted that no process has claimed."""

    archived: bool
    created_at: datetime
    archived_revision: NotRequired[int]
    """The inbox's revision with which it was archived."""


class StoredCause(TypedDict):
    """A document of `notification_causes`: where the notification of a cause is, or will be."""

    _id: str
    """As `StoredNotification.cause`."""

    number: int
    at: datetime


class StoredInbox(TypedDict):
    """A document of `notification_inboxes`."""

    _id: str
    """The account."""

    last: int
    """The id of the newest notification taken in."""

    unread: spans.Spans
    """Ids."""

    revision: int
    """How many changes `last` and `unread` have had."""

    muted: list[str]
    """Types."""

    first: NotRequired[int]
    """Once older ones were deleted for their age: the lowest id that may be there."""


class InboxChange(TypedDict, total=False):
    """New values of an inbox."""

    last: int
    unread: spans.Spans
    first: int


def new_inbox(account_id: str) -> StoredInbox:
    """Build the inbox of an account that never had a notification."""
    return {"_id": account_id, "last": 0, "unread": [], "revision": 0, "muted": []}


def first(inbox: StoredInbox) -> int:
    """Return the lowest id that a notification of an inbox may have."""
    return inbox.get("first", 1)


def entry_id(account_id: str, number: int) -> str:
    """Return the place of an account's notification: there can be one of each number."""
    return f"{account_id}:{number}"


def new_entry(
    account_id: str,
    number: int,
    content: Content,
    *,
    cause: str,
    muted: bool,
    unpushed: bool,
    created_at: datetime,
) -> StoredNotification:
    """Build a notification for the place `number`."""
    return {
        "_id": entry_id(account_id, number),
        "number": number,
        "account_id": account_id,
        "type": content.type,
        "title": content.title,
        "message": content.message,
        "link": content.link,
        "cause": cause,
        "muted": muted,
        "unpushed": unpushed,
        "archived": False,
        "created_at": created_at,
    }


def moved(entry: StoredNotification, number: int) -> StoredNotification:
    """Return a notification for another place."""
    return {**entry, "_id": entry_id(entry["account_id"], number), "number": number}


def content_of(entry: StoredNotification) -> Content:
    """Return what a stored notification says."""
    return Content(entry["type"], entry["title"], entry["message"], entry["link"])


def content_view(entry: StoredNotification) -> NotificationContent:
    """Return what a notification says, as it is shown."""
    return {
        "id": entry["number"],
        "type": entry["type"],
        "title": entry["title"],
        "message": entry["message"],
        "link": entry["link"],
        "created_at": to_text(entry["created_at"]),
    }


def entry_view(entry: StoredNotification, unread: spans.Spans) -> NotificationView:
    """Return a notification as its reader sees it."""
    return {
        **content_view(entry),
        "read": not spans.contains(unread, entry["number"]),
        "archived": entry["archived"],
    }


def count_view(inbox: StoredInbox) -> UnreadView:
    """Return how many are unread."""
    return {"unread": spans.count(inbox["unread"]), "revision": inbox["revision"]}
