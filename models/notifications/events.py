"""Events of notifications, for the devices of the one account they are for.

Each has the fields of an `UnreadView`, the count after the event. Events of two processes may
cross on their way: of several counts the one with the highest `revision` holds.
"""

from dataclasses import dataclass
from typing import ClassVar

from models.events import Event


@dataclass(frozen=True, slots=True, kw_only=True)
class _NotificationsEvent(Event):
    domain: ClassVar[str] = "notifications"
    also_in: ClassVar[tuple[str, ...]] = ("market",)


@dataclass(frozen=True, slots=True, kw_only=True)
class Notified(_NotificationsEvent):
    """A new notification; a `NotificationContent`, and the account that it is for."""

    name: ClassVar[str] = "notification"

    user_id: str
    id: int
    type: str
    title: str
    message: str
    link: str
    created_at: str
    unread: int
    revision: int


@dataclass(frozen=True, slots=True, kw_only=True)
class NotificationsRead(_NotificationsEvent):
    """The user has read some, on one device; the others clear them."""

    name: ClassVar[str] = "notification.read"

    ranges: list[list[int]]
    """First and last id of each stretch, both included."""

    unread: int
    revision: int


@dataclass(frozen=True, slots=True, kw_only=True)
class NotificationArchived(_NotificationsEvent):
    """The user has archived one, which also reads it."""

    name: ClassVar[str] = "notification.archived"

    id: int
    unread: int
    revision: int
