"""What is told about notifications, to the devices of the one account they are for.

`unread` is the count after the event. Events of two processes may cross on their way: of several
counts the one with the highest `revision` holds.
"""

from dataclasses import dataclass
from typing import ClassVar

from models.events import Event, Json


@dataclass(frozen=True, slots=True)
class Notified(Event):
    """A new notification; `id` counts the account's own from 1 without gaps."""

    domain: ClassVar[str] = "market"
    name: ClassVar[str] = "notification"

    user_id: str
    id: int
    type: str
    title: str
    message: str
    link: str
    created_at: str
    """UTC text with milliseconds."""

    unread: int
    revision: int

    def data(self) -> dict[str, Json]:
        """Give what a device shows."""
        return {
            "user_id": self.user_id,
            "id": self.id,
            "type": self.type,
            "title": self.title,
            "message": self.message,
            "link": self.link,
            "created_at": self.created_at,
            "unread": self.unread,
            "revision": self.revision,
        }


@dataclass(frozen=True, slots=True)
class NotificationsRead(Event):
    """The user has read some, on one device; the others clear them."""

    domain: ClassVar[str] = "market"
    name: ClassVar[str] = "notification.read"

    ranges: tuple[tuple[int, int], ...]
    """First and last id of each stretch, both included."""

    unread: int
    revision: int

    def data(self) -> dict[str, Json]:
        """Give which ones are read now."""
        ranges: list[Json] = [[first, last] for first, last in self.ranges]
        return {"ranges": ranges, "unread": self.unread, "revision": self.revision}


@dataclass(frozen=True, slots=True)
class NotificationArchived(Event):
    """The user has put one away, which also reads it."""

    domain: ClassVar[str] = "market"
    name: ClassVar[str] = "notification.archived"

    id: int
    unread: int
    revision: int

    def data(self) -> dict[str, Json]:
        """Give which one left the inbox."""
        return {"id": self.id, "unread": self.unread, "revision": self.revision}
