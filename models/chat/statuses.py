"""What people say of themselves (available, away, busy), and who hears when it changes.

`chat_statuses`: `_id` (account), `status`, `last_active_at`. Nobody says offline: it is what an
account without a connection is. A status said once holds for the next connection, too.
"""

import asyncio
from datetime import datetime, timedelta

from models.chat.conversations import Conversations, may_read, rooms_of
from models.chat.events import OwnStatusChanged, UserStatusChanged
from models.chat.members import Members
from models.chat.records import CHANNEL, user_json
from models.database import Database, Document
from models.events import Publisher
from models.rooms import conversation_room, user_room
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
        members: Members,
        publisher: Publisher,
        clock: Clock,
    ) -> None:
        self._statuses = database["chat_statuses"]
        self._conversations = conversations
        self._members = members
        self._publisher = publisher
        self._clock = clock
        self._beats: dict[str, datetime] = {}

    async def get(self, account_id: str) -> str:
        """Give what an account says, connected or not; available when it never said anything."""
        found = await self._statuses.find_one({"_id": account_id})
        return str(found["status"]) if found and found.get("status") else AVAILABLE

    async def last_active(self, account_id: str) -> datetime | None:
        """Give when the account last showed a sign of life, to within `ACTIVE_EVERY`."""
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

    async def tell(self, person: Document, status: str) -> None:
        """Tell everyone who shares a conversation with somebody, and their own devices."""
        told = {"status": status, "at": to_text(self._clock()), **user_json(person)}
        own = user_room(person["id"])
        rooms = await self._rooms_around(person["id"])
        await self._publisher.publish(UserStatusChanged(told), *rooms, except_room=own)
        await self._publisher.publish(OwnStatusChanged(told), own)

    async def _rooms_around(self, account_id: str) -> list[str]:
        memberships = await self._members.of_account(account_id)
        closed = [found["conversation_id"] for found in memberships if found["kind"] != CHANNEL]
        rooms = {
            conversation_room(found["conversation_id"])
            for found in memberships
            if found["kind"] == CHANNEL
        }
        for conversation in await asyncio.gather(*map(self._conversations.find, closed)):
            if conversation and may_read(conversation, account_id):
                rooms.update(rooms_of(conversation))
        return sorted(rooms)
