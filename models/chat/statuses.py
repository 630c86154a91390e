"""What people say of themselves (available, away, busy), and who is notified when it changes.

`chat_statuses`: `_id` (account), `status`, `last_active_at`. No one says offline: it is what an
account without a connection is. A status said once holds for the next connection, too.
"""

from datetime import datetime, timedelta

from models.accounts.people import Person
from models.chat.conversations import Conversations
from models.chat.events import OwnStatusChanged, UserStatusChanged
from models.chat.records import user_view
from models.chat.views import StatusView
from models.database import Database
from models.events import Publisher
from models.rooms import user_room
from models.times import Clock, to_text

AVAILABLE = "available"
AWAY = "away"
BUSY = "busy"
OFFLINE = "offline"

ACTIVE_EVERY = timedelta(seconds=20)
"""How often an account's `last_active_at` is written at most, however often its clients beat."""

_MAX_BEATS = 100_000
"""Accounts whose latest beat is remembered: a few megabytes."""


class Statuses:
    """The statuses of all accounts."""

    def __init__(
        self,
        database: Database,
        conversations: Conversations,
        publisher: Publisher,
        clock: Clock,
    ) -> None:
        self._statuses = database["chat_statuses"]
        self._conversations = conversations
        self._publisher = publisher
        self._clock = clock
        self._beats: dict[str, datetime] = {}

    async def get(self, account_id: str) -> str:
        """Return what an account says, connected or not; available when it never said anything."""
        found = await self._statuses.find_one({"_id": account_id})
        return str(found["status"]) if found and found.get("status") else AVAILABLE

    async def last_active(self, account_id: str) -> datetime | None:
        """Return when the account last showed a sign of life, to within `ACTIVE_EVERY`."""
        found = await self._statuses.find_one({"_id": account_id})
        return found.get("last_active_at") if found else None

    async def set(self, account_id: str, status: str) -> bool:
        """Keep what an account says; False when that is what it said before."""
        former = await self._statuses.find_one_and_update(
            {"_id": account_id},
            {"$set": {"status": status, "last_active_at": self._clock()}},
            upsert=True,
        )
        return ((former and former.get("status")) or AVAILABLE) != status

    async def forget(self, account_id: str) -> None:
        """Forget what an account said."""
        self._beats.pop(account_id, None)
        await self._statuses.delete_one({"_id": account_id})

    async def beat(self, account_id: str) -> None:
        """Note a sign of life."""
        now = self._clock()
        latest = self._beats.get(account_id)
        if latest is not None and latest <= now < latest + ACTIVE_EVERY:
            return
        if len(self._beats) >= _MAX_BEATS:
            self._beats.clear()
        self._beats[account_id] = now
        await self._statuses.update_one(
            {"_id": account_id}, {"$set": {"last_active_at": now}}, upsert=True
        )

    async def publish(self, person: Person, status: str) -> None:
        """Publish to the contacts of an account and to its own devices."""
        shown = self.view(person, status)
        own = user_room(person["id"])
        contacts = await self._conversations.contacts(person["id"])
        rooms = [user_room(account_id) for account_id in sorted(contacts)]
        if rooms:
            await self._publisher.publish(UserStatusChanged(**shown), *rooms, except_room=own)
        await self._publisher.publish(OwnStatusChanged(**shown), own)

    async def publish_to(self, account_id: str, person: Person, status: str) -> None:
        """Publish the status of one account to another."""
        event = UserStatusChanged(**self.view(person, status))
        await self._publisher.publish(event, user_room(account_id))

    def view(self, person: Person, status: str) -> StatusView:
        """Return the payload of a status."""
        return {
            "status": status,
            "at": to_text(self._clock()),
            **user_view(person, email=True),
        }
