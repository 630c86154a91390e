"""What notifications keep of an account."""

from collections.abc import AsyncIterator

from models.accounts.schema import Account
from models.database import Database, Filter, typed
from models.events import Json, as_json
from models.exports import Streamed
from models.notifications import records
from models.notifications.log import Log
from models.notifications.records import StoredCause, StoredInbox, StoredNotification
from models.notifications.subscriptions import StoredSubscription
from models.times import to_text


class NotificationsAccountData:
    """Fills the port `models.accounts.lifecycle.AccountData`."""

    def __init__(self, database: Database, log: Log) -> None:
        self._entries = typed(database["notifications"], StoredNotification)
        self._causes = typed(database["notification_causes"], StoredCause)
        self._inboxes = typed(database["notification_inboxes"], StoredInbox)
        self._subscriptions = typed(database["push_subscriptions"], StoredSubscription)
        self._log = log

    async def hand_over(self, account_id: str) -> None:
        """End the pushes to the former holder's devices."""
        await self._subscriptions.delete_many({"account_id": account_id})

    async def bindings(self, account_id: str) -> list[str]:
        """Name nothing."""
        return []

    async def erase(self, account_id: str, pseudonym: str) -> None:
        """Remove the inbox with all that was ever in it, and the devices."""
        await self._subscriptions.delete_many({"account_id": account_id})
        of_account = _ids_of(account_id)
        await self._entries.delete_many(of_account)
        await self._causes.delete_many(of_account)
        await self._inboxes.delete_many({"_id": account_id})

    def export(self, account: Account) -> Streamed:
        """Walk through the notifications, the newest last, and the devices."""
        return {
            "notifications": self._own_notifications(account.id),
            "push_subscriptions": self._own_devices(account.id),
        }

    async def _own_notifications(self, account_id: str) -> AsyncIterator[dict[str, Json]]:
        inbox = await self._log.settle(account_id)
        for number in range(records.first(inbox), inbox["last"] + 1):
            entry = await self._log.entry(account_id, number)
            if entry is not None:
                yield as_json(records.entry_view(entry, inbox["unread"]))

    async def _own_devices(self, account_id: str) -> AsyncIterator[dict[str, Json]]:
        async for device in self._subscriptions.find({"account_id": account_id}):
            shown: dict[str, Json] = {
                "endpoint": device["endpoint"],
                "created_at": to_text(device["created_at"]),
            }
            yield shown


def _ids_of(account_id: str) -> Filter:
    # The digits of an account's id end with the colon, which the semicolon follows in ASCII.
    return {"_id": {"$gte": f"{account_id}:", "$lt": f"{account_id};"}}
