"""The notifications' part of `/market`: what clients may ask about their inbox."""

from collections.abc import Iterable
from typing import Any, ClassVar

from models.events import Json
from models.identity import Identity
from models.notifications.operations import Notifications
from models.notifications.schema import (
    InboxQuery,
    NoPayload,
    NotificationId,
    Preferences,
    ReadAll,
)
from models.rooms import user_room
from namespaces.base import Caller, Commands, command


class NotificationCommands(Commands):
    """The commands of the inbox; answers are those of the REST routes."""

    domain: ClassVar[str] = "market"

    def __init__(self, notifications: Notifications) -> None:
        self._inbox = notifications.inbox

    def rooms_of(self, identity: Identity) -> Iterable[str]:
        """Name the account's own room."""
        return (user_room(identity.account_id),)

    @command(InboxQuery)
    async def list_notifications(self, caller: Caller, payload: dict[str, Any]) -> dict[str, Json]:
        """Give a page of the inbox."""
        return await self._inbox.page(caller.identity, **payload)

    @command(NoPayload)
    async def count_unread(self, caller: Caller, payload: dict[str, Any]) -> dict[str, Json]:
        """Give how many are unread."""
        return await self._inbox.unread(caller.identity)

    @command(NotificationId)
    async def read_notification(self, caller: Caller, payload: dict[str, Any]) -> dict[str, Json]:
        """Mark one as read."""
        return await self._inbox.read(caller.identity, **payload)

    @command(ReadAll)
    async def read_all_notifications(
        self, caller: Caller, payload: dict[str, Any]
    ) -> dict[str, Json]:
        """Mark all as read."""
        return await self._inbox.read_all(caller.identity, **payload)

    @command(NotificationId)
    async def archive_notification(
        self, caller: Caller, payload: dict[str, Any]
    ) -> dict[str, Json]:
        """Put one away."""
        return await self._inbox.archive(caller.identity, **payload)

    @command(NoPayload)
    async def get_notification_preferences(
        self, caller: Caller, payload: dict[str, Any]
    ) -> dict[str, Json]:
        """Give which types are wanted."""
        return await self._inbox.preferences(caller.identity)

    @command(Preferences)
    async def set_notification_preferences(
        self, caller: Caller, payload: dict[str, Any]
    ) -> dict[str, Json]:
        """Choose which types are wanted; gives them."""
        return await self._inbox.prefer(caller.identity, payload)
