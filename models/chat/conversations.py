"""Conversations: which there are, and who may read and write them."""

import hashlib
import hmac
import re
import uuid
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from itertools import count
from typing import Any

from pymongo.errors import DuplicateKeyError

from models.chat import records
from models.chat.behind import Behind
from models.chat.log import Log
from models.chat.records import (
    CHANNEL,
    DIRECT,
    GROUP,
    StoredChange,
    StoredConversation,
    StoredMessage,
    numbered_id,
)
from models.chat.standing import (
    are_contacts,
    is_open,
    is_present_to,
    listeners,
    may_read,
    other_party,
    presence_rooms,
)
from models.chat.visibility import Visibility
from models.database import Database, Document, typed
from models.errors import Conflict, Forbidden, NotFound
from models.identity import Identity
from models.rooms import conversation_room
from models.server_keys import ServerKeys
from models.times import Clock

_OLDER_DIRECT_IDS = uuid.UUID("0b3f6f0e-6f5c-4d2c-9a53-5d1f8f6d8a10")
"""The namespace (RFC 9562, UUID 5) of direct conversations begun before their ids were keyed."""

_SAFE_INTEGERS = 2**53
"""JSON programs keep integers below it exactly; ids of accounts are drawn from below it."""

CONTACTS_TOLD = 500
"""Accounts, of the latest active conversations, that are notified of one's presence: each is a room
of every change of it."""


class Conversations:
    """`conversations`: as `records.new_conversation` builds them (see `standing` for its lists).

    A public channel exists from its first join or its creation: nothing else makes one.
    """

    def __init__(self, database: Database, clock: Clock) -> None:
        self._conversations = typed(database["conversations"], StoredConversation)
        self.messages = Log(typed(database["chat_messages"], StoredMessage), "seq")
        self.changes = Log(typed(database["chat_changes"], StoredChange), "number")
        self._keys = ServerKeys(database, clock)
        self._clock = clock
        self._ends: Behind[tuple[int, datetime]] = Behind(self._write_end)
        """The seq and time of the last message."""

    async def prepare(self) -> None:
        """Make the indexes that the lists rely on."""
        await self._conversations.create_index([("listed", 1), ("_id", 1)])
        mentions = [("mentions", 1), ("created_at", 1), ("_id", 1)]
        await self.messages.collection.create_index(mentions)
        for accounts in ("member_ids", "request_ids", "quiet_ids", "shown_ids"):
            await self._conversations.create_index([(accounts, 1), ("last_at", 1)])
        await self.messages.collection.create_index([("deleted_in", 1), ("seq", 1)])

    async def find(self, conversation_id: str) -> StoredConversation | None:
        """Return a stored conversation."""
        found = await self._conversations.find_one({"_id": conversation_id})
        return None if found is None else self._with_end(found)

    def _with_end(self, found: StoredConversation) -> StoredConversation:
        """Add how far the conversation goes, as far as that is not written yet."""
        end = self._ends.get(found["_id"])
        if end is not None:
            found["last_seq"] = max(found["last_seq"], end[0])
            found["last_at"] = max(found["last_at"], end[1])
        return found

    async def readable(self, caller: Identity, conversation_id: str) -> StoredConversation:
        """Return a conversation that the caller may read.

        Raises:
            NotFound: code `conversation_not_found`: there is none, or not for the caller.
            Forbidden: code `channel_private`: a channel to which the caller is not invited.
        """
        found = await self.find(conversation_id)
        if found is None:
            raise not_found()
        return _open(caller, found)

    async def joinable(self, caller: Identity, conversation_id: str) -> StoredConversation:
        """Return a conversation that the caller may join; a new public channel is not stored yet.

        Raises as `readable`; not found is only what cannot be the name of a channel.
        """
        found = await self.find(conversation_id)
        if found is not None:
            return _open(caller, found)
        if not records.is_channel_name(conversation_id):
            raise not_found()
        return records.new_conversation(conversation_id, CHANNEL, caller.account_id, self._clock())

    async def join(self, caller: Identity, conversation_id: str) -> StoredConversation:
        """Return a conversation that the caller may join, stored; raises as `joinable`."""
        found = await self.find(conversation_id)
        if found is not None:
            return _open(caller, found)
        channel = await self.joinable(caller, conversation_id)
        if await self.keep(channel):
            return channel
        # Someone named it at the same time, perhaps for a private channel.
        return await self.join(caller, conversation_id)

    async def create_channel(
        self,
        caller: Identity,
        name: str,
        *,
        private: bool,
        title: str | None,
        operation_id: str | None = None,
    ) -> StoredConversation:
        """Make a channel with the caller as its first member; the same operation makes it once.

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
        channel["operation_id"] = operation_id
        if not await self.keep(channel):
            found = await self.find(name)
            if found is not None and operation_id and found.get("operation_id") == operation_id:
                return found
            raise Conflict("There is a channel of this name.", code="channel_taken")
        return channel

    def new_group(
        self, caller: Identity, member_ids: list[str], title: str | None, conversation_id: str
    ) -> StoredConversation:
        """Build a conversation of its own for the members, the caller among them."""
        return {
            **records.new_conversation(
                conversation_id,
                GROUP,
                caller.account_id,
                self._clock(),
                member_ids=member_ids,
                title=title,
            ),
            "shown_ids": [caller.account_id],
        }

    async def new_direct(
        self, caller: Identity, other_id: str, alias: str | None
    ) -> StoredConversation:
        """Build the one conversation of two accounts: the same id for both.

        The opener is a member, the other side is asked. The id is a keyed hash of the pair, so that
        who knows both accounts cannot ask whether they talk.
        """
        return {
            **records.new_conversation(
                await self._free_direct_id(caller.account_id, other_id),
                DIRECT,
                caller.account_id,
                self._clock(),
                member_ids=[caller.account_id],
            ),
            "request_ids": [other_id],
            "shown_ids": [caller.account_id],
            "alias": alias,
        }

    async def direct(self, account_id: str, other_id: str) -> StoredConversation | None:
        """Return the direct conversation of two accounts, if there is one."""
        found = await self.find(await self._free_direct_id(account_id, other_id))
        if found is None:
            older = uuid.uuid5(_OLDER_DIRECT_IDS, _pair(account_id, other_id))
            found = await self.find(f"c-{older.hex}")
        return None if found is None or found.get("departed_ids") else found

    async def are_contacts(self, account_id: str, other_id: str) -> bool:
        """Return whether two accounts have accepted one another."""
        return are_contacts(await self.direct(account_id, other_id))

    async def alias(self, name: str) -> str:
        """Return the id that stands for whom a name means, whether or not it means anyone."""
        number = int.from_bytes((await self._digest("chat_aliases", name))[:8])
        return str(number % (_SAFE_INTEGERS - 1) + 1)

    async def aliases(self, account_id: str, ids: Collection[str]) -> set[str]:
        """Return which of these ids are aliases of whom an account has named and not seen yet."""
        named: Document = {"created_by": account_id, "alias": {"$in": list(ids)}}
        # An index has the accounts that have shown themselves, and who opens a conversation has.
        found = await self._conversations.find({"shown_ids": account_id, **named}).to_list(None)
        return {each["alias"] for each in found if each["alias"] and not each.get("answered")}

    async def _free_direct_id(self, account_id: str, other_id: str) -> str:
        """Return the id of the conversation that the present owners of two accounts have."""
        pair = _pair(account_id, other_id)
        for generation in count():
            name = f"{pair}:{generation}" if generation else pair
            digest = await self._digest("direct_conversations", name)
            conversation_id = f"c-{digest.hex()[:32]}"
            found = await self.find(conversation_id)
            if found is None or not found.get("departed_ids"):
                break
        return conversation_id

    async def _digest(self, purpose: str, text: str) -> bytes:
        return hmac.digest(await self._keys.key(purpose), text.encode(), hashlib.sha256)

    async def change(self, conversation_id: str, update: Mapping[str, Mapping[str, Any]]) -> None:
        """Change a stored conversation by database operators, atomically."""
        await self._conversations.update_one({"_id": conversation_id}, update)

    async def of_account(
        self, accounts: str, account_id: str, before: tuple[datetime, str] | None, limit: int
    ) -> list[StoredConversation]:
        """Return conversations whose list `accounts` has the account, the latest active first.

        `before` is the time and id of one that was shown: those after it in this order follow.
        """
        query: Document = {accounts: account_id}
        # The order is that of the database.
        await self._ends.written()
        if before is None:
            return await self._latest(query, limit)
        # In two steps, each of which an index serves: first those of the same millisecond.
        moment, conversation_id = before
        same = {**query, "last_at": moment, "_id": {"$lt": conversation_id}}
        found = await self._latest(same, limit)
        if len(found) < limit:
            found += await self._latest({**query, "last_at": {"$lt": moment}}, limit - len(found))
        return found

    async def _latest(self, query: Document, limit: int) -> list[StoredConversation]:
        found = self._conversations.find(query).sort([("last_at", -1), ("_id", -1)])
        return await found.limit(limit).to_list(limit)

    async def contacts(self, account_id: str) -> set[str]:
        """Return who receives an account's presence: those to whom it has shown itself."""
        shown = await self._latest({"shown_ids": account_id}, CONTACTS_TOLD)
        told: dict[str, None] = {}
        for conversation in shown:
            if is_present_to(conversation, account_id):
                told |= dict.fromkeys(listeners(conversation, account_id))
        told.pop(account_id, None)
        return set(list(told)[:CONTACTS_TOLD])

    async def mutual(self, account_id: str) -> set[str]:
        """Return the account's contacts, of the latest active conversations."""
        shown = await self._latest({"shown_ids": account_id}, CONTACTS_TOLD)
        return {
            other_party(conversation, account_id)
            for conversation in shown
            if are_contacts(conversation) and is_open(conversation)
        }

    async def presence_rooms(self, conversation_id: str, account_id: str) -> list[str]:
        """Return the rooms that are notified when an account joins a conversation or leaves it."""
        if records.is_channel_name(conversation_id):
            return [conversation_room(conversation_id)]
        conversation = await self.find(conversation_id)
        return [] if conversation is None else presence_rooms(conversation, account_id)

    async def many(self, conversation_ids: Sequence[str]) -> list[StoredConversation]:
        """Return those of the conversations that are stored, in no certain order."""
        found = await self._conversations.find_ids(conversation_ids)
        return [self._with_end(each) for each in found]

    async def keep(self, conversation: StoredConversation) -> bool:
        """Store a conversation; False when it is there already."""
        try:
            await self._conversations.insert_one(conversation)
        except DuplicateKeyError:
            return False
        return True

    async def listed(self, after: str, limit: int) -> list[StoredConversation]:
        """Return public channels whose names come after `after`, in order of name."""
        query = {"listed": True, "_id": {"$gt": after}}
        return await self._conversations.find(query).sort([("_id", 1)]).limit(limit).to_list(limit)

    async def newest_seq(self, conversation: StoredConversation) -> int:
        """Return the seq of the latest message, 0 when there is none."""
        return await self.messages.newest(conversation["_id"], conversation["last_seq"])

    async def with_text(
        self,
        conversation_id: str,
        first: int,
        last: int,
        folded: str,
        limit: int,
        *,
        unseen_by: str,
    ) -> list[StoredMessage]:
        """Return up to `limit` messages from seq `first` to `last` with a text, the latest first.

        `folded` is the text as `records.folded_texts` has it; those kept from `unseen_by` are not
        among them.
        """
        query = {
            "_id": {
                "$gte": numbered_id(conversation_id, first),
                "$lte": numbered_id(conversation_id, last),
            },
            "folded": {"$regex": re.escape(folded)},
            "kept_from": {"$ne": unseen_by},
        }
        found = self.messages.collection.find(query).sort([("_id", -1)])
        return await found.limit(limit).to_list(limit)

    async def unread(
        self, conversation: StoredConversation, account_id: str, read_seq: int, newest: int
    ) -> int:
        """Return how many messages after `read_seq` an account sees that are not deleted."""
        visibility = Visibility.of(conversation, account_id, newest)
        count = visibility.count(read_seq, newest)
        if count == 0:
            return 0
        deleted = self.messages.collection.find(
            {"deleted_in": conversation["_id"], "seq": {"$gt": read_seq}}, only=("seq", "kept_from")
        )
        seen = [each for each in await deleted.to_list(None) if visibility.sees(each)]
        return max(0, count - len([each for each in seen if each["seq"] <= newest]))

    def note_message(self, message: StoredMessage) -> None:
        """Remember how far the messages go at least; written behind the answer."""
        self._ends.note(message["conversation_id"], (message["seq"], message["created_at"]))

    async def _write_end(self, conversation_id: str, end: tuple[int, datetime]) -> None:
        last_seq, last_at = end
        await self._conversations.update_one(
            {"_id": conversation_id}, {"$max": {"last_seq": last_seq, "last_at": last_at}}
        )

    async def note_change(self, conversation_id: str, number: int) -> None:
        """Remember how far the changes go at least."""
        await self._conversations.update_one(
            {"_id": conversation_id}, {"$max": {"revision": number}}
        )


def group_id(operation_id: str) -> str:
    """Return the id of the group that an operation makes."""
    return f"c-{operation_id}"


def _pair(account_id: str, other_id: str) -> str:
    return ":".join(sorted((account_id, other_id)))


def _open(caller: Identity, found: StoredConversation) -> StoredConversation:
    if may_read(found, caller.account_id):
        return found
    if found["kind"] == CHANNEL:
        raise Forbidden("This channel is private.", code="channel_private")
    raise not_found()


def not_found() -> NotFound:
    """Return the one error for a conversation that is not there, or not for the caller."""
    return NotFound("There is no such conversation.", code="conversation_not_found")
