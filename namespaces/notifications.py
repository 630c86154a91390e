"""`/notifications`: the inbox as commands, and its events on every device of the account.

Clients of `/market` have the same commands and receive the same events there.
"""

from collections.abc import Iterable
from typing import ClassVar

from models.identity import Identity
from models.notifications.api import NOTIFICATIONS
from models.notifications.operations import Notifications
from models.rooms import user_room
from namespaces.base import Commands


class NotificationsCommands(Commands):
    """The commands of the inbox; answers are those of the REST routes."""

    domain: ClassVar[str] = "notifications"
    operations = NOTIFICATIONS

    def __init__(self, notifications: Notifications) -> None:
        self.model = notifications

    def rooms_of(self, identity: Identity) -> Iterable[str]:
        """Return the account's own room."""
        return (user_room(identity.account_id),)
