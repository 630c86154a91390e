"""Members: who follows which conversation, and how far each has read.

`chat_members`: `_id` "<conversation>:<account>", `conversation_id`, `account_id`, `kind`,
`handles` (by which `@` finds the account; they follow how it is shown), `asked_as`, `read_seq`,
`joined_at`. Who may read is decided by the conversation itself; a member that it does not know,
left behind by a crash, gives no access.
"""

import re

from pymongo.errors import DuplicateKeyError

from models.accounts import People
from models.accounts.people import Person
from models.chat.behind import Behind
from models.chat.records import StoredConversation, StoredMember
from models.database import Database, Document, typed
from models.text import as_handle
from models.times import Clock

INVITED = "invited"
"""The `kind` of one who is asked into a group or a private channel and has not answered."""


class Members:
    """The members of all conversations."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._members = typed(database["chat_members"], StoredMember)
        self._clock = clock
        self._marks: Behind[int] = Behind(self._write_mark)
        """How far authors have read who have just written."""

    async def prepare(self) -> None:
        """Make the indexes."""
        await self._members.create_index([("account_id", 1), ("kind", 1)])
        await self._members.create_index([("conversation_id", 1), ("handles", 1)])
        await self._members.create_index([("conversation_id", 1), ("account_id", 1)])

    async def get(self, conversation_id: str, account_id: str) -> StoredMember | None:
        """Return a member."""
        found = await self._members.find_one({"_id": _id(conversation_id, account_id)})
        return None if found is None else self._with_mark(found)

    def _with_mark(self, found: StoredMember) -> StoredMember:
        """Add how far the member has read, as far as that is not written yet."""
        found["read_seq"] = max(found["read_seq"], self._marks.get(found["_id"]) or 0)
        return found

    async def ensure(
        self,
        conversation: StoredConversation,
        person: Person,
        read_seq: int,
        *,
        kind: str | None = None,
        asked_as: str | None = None,
    ) -> tuple[StoredMember, bool]:
        """Return the member, and whether this call made it; a new one has read up to `read_seq`.

        `kind` is the conversation's, or `INVITED`; `asked_as` is the name by which it was asked in
        the conversation's list `asked`.
        """
        found = await self.get(conversation["_id"], person["id"])
        handles = handles_of(person)
        if found is not None:
            if found["handles"] != handles:
                # A process has died between a change of name and its handles.
                await self._members.update_one(
                    {"_id": found["_id"]}, {"$set": {"handles": handles}}
                )
            return found, False
        member: StoredMember = {
            "_id": _id(conversation["_id"], person["id"]),
            "conversation_id": conversation["_id"],
            "account_id": person["id"],
            "kind": kind or conversation["kind"],
            "handles": handles,
            "asked_as": asked_as,
            "read_seq": read_seq,
            "joined_at": self._clock(),
        }
        try:
            await self._members.insert_one(member)
        except DuplicateKeyError:
            return await self.ensure(conversation, person, read_seq, kind=kind, asked_as=asked_as)
        return member, True

    async def remove(self, conversation_id: str, account_id: str) -> bool:
        """Remove a member; False when there was none."""
        removed = await self._members.delete_one({"_id": _id(conversation_id, account_id)})
        return removed.deleted_count == 1

    async def read(self, conversation_id: str, account_id: str, seq: int) -> bool:
        """Move the high-water mark up to `seq`; False when it was there already, or no member."""
        key = _id(conversation_id, account_id)
        if seq <= (self._marks.get(key) or 0):
            return False
        return await self._write_mark(key, seq)

    def note_read(self, conversation_id: str, account_id: str, seq: int) -> None:
        """Move the mark of who has written a message up to it; written behind the answer."""
        self._marks.note(_id(conversation_id, account_id), seq)

    async def _write_mark(self, key: str, seq: int) -> bool:
        changed = await self._members.update_one({"_id": key}, {"$max": {"read_seq": seq}})
        return changed.modified_count == 1

    async def answered(self, conversation: StoredConversation, account_id: str) -> None:
        """Make a member of one who was asked."""
        await self._members.update_one(
            {"_id": _id(conversation["_id"], account_id)}, {"$set": {"kind": conversation["kind"]}}
        )

    async def of_account(self, account_id: str, kind: str) -> list[StoredMember]:
        """Return the memberships of an account in conversations of one kind."""
        return await self._members.find({"account_id": account_id, "kind": kind}).to_list(None)

    async def page(
        self, conversation: StoredConversation, after: str, limit: int
    ) -> list[StoredMember]:
        """Return members in the order of their account ids, from behind `after`.

        Those who have not answered are none yet.
        """
        query = {
            "conversation_id": conversation["_id"],
            "account_id": {"$gt": after},
            "kind": conversation["kind"],
        }
        found = self._members.find(query).sort([("account_id", 1)]).limit(limit)
        return [self._with_mark(each) for each in await found.to_list(limit)]

    async def many(self, conversation_ids: list[str], account_id: str) -> dict[str, StoredMember]:
        """Return the memberships of an account in some conversations, by their ids."""
        keys = [_id(conversation_id, account_id) for conversation_id in conversation_ids]
        found = [self._with_mark(each) for each in await self._members.find_ids(keys)]
        return {member["conversation_id"]: member for member in found}

    def follow(self, people: People) -> None:
        """Let `@` find accounts by what they are called from now on, wherever they are members."""

        async def renamed(account_id: str) -> None:
            handles = handles_of(await people.one(account_id))
            await self._members.update_many(
                {"account_id": account_id}, {"$set": {"handles": handles}}
            )

        people.when_changed(renamed)

    async def named(self, conversation_id: str, handle: str) -> list[StoredMember]:
        """Return the members whom `@handle` means."""
        query = {"conversation_id": conversation_id, "handles": handle}
        return await self._members.find(query).to_list(None)

    async def called(
        self, conversation_ids: list[str], handle: str, limit: int
    ) -> list[StoredMember]:
        """Return members of some conversations who have `handle` within one of their handles.

        Those who have not answered are none yet.
        """
        query: Document = {"conversation_id": {"$in": conversation_ids}, "kind": {"$ne": INVITED}}
        if handle:
            query["handles"] = {"$regex": re.escape(handle)}
        return await self._members.find(query).limit(limit).to_list(limit)

    async def count(self, conversation_id: str) -> int:
        """Return the number of members."""
        return await self._members.count_documents({"conversation_id": conversation_id})


def handles_of(person: Person) -> list[str]:
    """Return what may stand after `@` for a person: the name without spaces, e-mail, public id."""
    email = person["email"] or ""
    spelled = (person["name"] or "", email, email.partition("@")[0], person["public_id"])
    return sorted({handle for text in spelled if (handle := as_handle(text))})


def _id(conversation_id: str, account_id: str) -> str:
    return f"{conversation_id}:{account_id}"
