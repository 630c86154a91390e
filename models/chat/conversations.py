"""Conversations: which there are, and who may read and write them."""

import uuid

from pymongo.errors import DuplicateKeyError

from models.chat import records
from models.chat.log import Log
from models.chat.records import CHANNEL, DIRECT, GROUP
from models.database import Database, Document
from models.errors import Conflict, Forbidden, NotFound
from models.identity import Identity
from models.rooms import conversation_room, user_room
from models.times import Clock

_DIRECT_IDS = uuid.UUID("0b3f6f0e-6f5c-4d2c-9a53-5d1f8f6d8a10")
"""The namespace (RFC 9562, UUID 5) in which two accounts name their one direct conversation."""


class Conversations:
    """`conversations`: as `records.new_conversation` builds them.

    A public channel exists by being named, so one that is not stored yet reads as empty.
    """

    def __init__(self, database: Database, clock: Clock) -> None:
        self._conversations = database["conversations"]
        self.messages = Log(database["chat_messages"], "seq")
        self.changes = Log(database["chat_changes"], "number")
        self._clock = clock

    async def prepare(self) -> None:
        """Make the index that the list of channels relies on."""
        await self._conversations.create_index([("listed", 1), ("_id", 1)])

    async def find(self, conversation_id: str) -> Document | None:
        """Give a stored conversation."""
        return await self._conversations.find_one({"_id": conversation_id})

    async def readable(self, caller: Identity, conversation_id: str) -> Document:
        """Give a conversation that the caller may read.

        Raises:
            NotFound: code `conversation_not_found`: there is none, or not for the caller.
            Forbidden: code `channel_private`: a channel to which the caller is not invited.
        """
        found = await self.find(conversation_id)
        return self._unwritten(caller, conversation_id) if found is None else _open(caller, found)

    async def writable(self, caller: Identity, conversation_id: str) -> Document:
        """Give a conversation that the caller may read, stored; raises as `readable`."""
        found = await self.find(conversation_id)
        if found is not None:
            return _open(caller, found)
        channel = self._unwritten(caller, conversation_id)
        if await self.keep(channel):
            return channel
        # Somebody named it at the same time, perhaps for a private channel.
        return await self.writable(caller, conversation_id)

    def _unwritten(self, caller: Identity, name: str) -> Document:
        if not records.is_channel_name(name):
            raise not_found()
        return records.new_conversation(name, CHANNEL, caller.account_id, self._clock())

    async def create_channel(
        self, caller: Identity, name: str, *, private: bool, title: str | None
    ) -> Document:
        """Make a channel with the caller as its first member.

        Raises:
            Conflict: code `channel_taken`.
        """
        channel = records.new_conversation(
            name,
            CHANNEL,
            caller.account_id,
            self._clock(),
            member_ids=[caller.account_id] if private else None,
            title=title,
        )
        if not await self.keep(channel):
            raise Conflict("There is a channel of this name.", code="channel_taken")
        return channel

    def new_group(self, caller: Identity, member_ids: list[str], title: str | None) -> Document:
        """Build a conversation of its own for the members, the caller among them."""
        return records.new_conversation(
            f"c-{uuid.uuid4().hex}",
            GROUP,
            caller.account_id,
            self._clock(),
            member_ids=member_ids,
            title=title,
        )

    def new_direct(self, caller: Identity, member_ids: list[str]) -> Document:
        """Build the one conversation of two accounts: the same id whoever begins it."""
        pair = ":".join(sorted(member_ids))
        return records.new_conversation(
            f"c-{uuid.uuid5(_DIRECT_IDS, pair).hex}",
            DIRECT,
            caller.account_id,
            self._clock(),
            member_ids=member_ids,
        )

    async def keep(self, conversation: Document) -> bool:
        """Store a conversation; False when it is there already."""
        try:
            await self._conversations.insert_one(conversation)
        except DuplicateKeyError:
            return False
        return True

    async def add_member(self, conversation_id: str, account_id: str) -> bool:
        """Let an account in; False when it was in already."""
        added = await self._conversations.update_one(
            {"_id": conversation_id, "member_ids": {"$ne": account_id}},
            {"$push": {"member_ids": account_id}},
        )
        return added.matched_count == 1

    async def remove_member(self, conversation_id: str, account_id: str) -> None:
        """Let an account in no more."""
        await self._conversations.update_one(
            {"_id": conversation_id}, {"$pull": {"member_ids": account_id}}
        )

    async def listed(self, after: str, limit: int) -> list[Document]:
        """Give public channels whose names come after `after`, in order of name."""
        query = {"listed": True, "_id": {"$gt": after}}
        return await self._conversations.find(query).sort([("_id", 1)]).limit(limit).to_list(limit)

    async def newest_seq(self, conversation: Document) -> int:
        """Give the seq of the latest message, 0 when there is none."""
        return await self.messages.newest(conversation["_id"], conversation["last_seq"])

    async def note_message(self, message: Document) -> None:
        """Remember how far the messages go at least."""
        await self._conversations.update_one(
            {"_id": message["conversation_id"]},
            {"$max": {"last_seq": message["seq"], "last_at": message["created_at"]}},
        )

    async def note_change(self, conversation_id: str, number: int) -> None:
        """Remember how far the changes go at least."""
        await self._conversations.update_one(
            {"_id": conversation_id}, {"$max": {"revision": number}}
        )


def may_read(conversation: Document, account_id: str) -> bool:
    """Whether an account may read and write in a conversation."""
    return conversation["listed"] or account_id in conversation["member_ids"]


def rooms_of(conversation: Document) -> list[str]:
    """Name the rooms of all who hear what is said in a conversation.

    Members of a direct or group conversation hear it on every connection; a channel, like a
    conversation that a connection has joined by name, is heard by those connections that joined.
    """
    rooms = [conversation_room(conversation["_id"])]
    if conversation["kind"] != CHANNEL:
        rooms += [user_room(account_id) for account_id in conversation["member_ids"]]
    return rooms


def _open(caller: Identity, found: Document) -> Document:
    if may_read(found, caller.account_id):
        return found
    if found["kind"] == CHANNEL:
        raise Forbidden("This channel is private.", code="channel_private")
    raise not_found()


def not_found() -> NotFound:
    """Give the one error for a conversation that is not there, or not for the caller."""
    return NotFound("There is no such conversation.", code="conversation_not_found")
