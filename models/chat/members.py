"""Members: who follows which conversation, and how far each has read.

`chat_members`: `_id` "<conversation>:<account>", `conversation_id`, `account_id`, `kind`, `person`,
`handles`, `read_seq`, `joined_at`. Who may read is decided by the conversation itself; a member
that it does not know, left behind by a crash, gives no access.
"""

from pymongo.errors import DuplicateKeyError

from models.database import Database, Document
from models.times import Clock

MAX_CONVERSATIONS = 1_000
"""Memberships of one account that lists and news of its status look at."""


class Members:
    """The members of all conversations."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._members = database["chat_members"]
        self._clock = clock

    async def prepare(self) -> None:
        """Make the indexes."""
        await self._members.create_index([("account_id", 1), ("_id", 1)])
        await self._members.create_index([("conversation_id", 1), ("handles", 1)])

    async def get(self, conversation_id: str, account_id: str) -> Document | None:
        """Give a member."""
        return await self._members.find_one({"_id": _id(conversation_id, account_id)})

    async def ensure(
        self, conversation: Document, person: Document, read_seq: int
    ) -> tuple[Document, bool]:
        """Give the member, and whether this call made it; a new one has read up to `read_seq`."""
        found = await self.get(conversation["_id"], person["id"])
        if found is not None:
            return found, False
        member: Document = {
            "_id": _id(conversation["_id"], person["id"]),
            "conversation_id": conversation["_id"],
            "account_id": person["id"],
            "kind": conversation["kind"],
            "person": person,
            "handles": handles_of(person),
            "read_seq": read_seq,
            "joined_at": self._clock(),
        }
        try:
            await self._members.insert_one(member)
        except DuplicateKeyError:
            return await self.ensure(conversation, person, read_seq)
        return member, True

    async def remove(self, conversation_id: str, account_id: str) -> bool:
        """Remove a member; False when there was none."""
        removed = await self._members.delete_one({"_id": _id(conversation_id, account_id)})
        return removed.deleted_count == 1

    async def read(self, conversation_id: str, account_id: str, seq: int) -> bool:
        """Move the high-water mark up to `seq`; False when it was there already, or no member."""
        changed = await self._members.update_one(
            {"_id": _id(conversation_id, account_id)}, {"$max": {"read_seq": seq}}
        )
        return changed.modified_count == 1

    async def of_account(self, account_id: str) -> list[Document]:
        """Give the memberships of an account."""
        found = self._members.find({"account_id": account_id}).limit(MAX_CONVERSATIONS)
        return await found.to_list(MAX_CONVERSATIONS)

    async def named(self, conversation_id: str, handle: str) -> list[Document]:
        """Give the members whom `@handle` means."""
        query = {"conversation_id": conversation_id, "handles": handle}
        return await self._members.find(query).to_list(None)

    async def count(self, conversation_id: str) -> int:
        """Give the number of members."""
        return await self._members.count_documents({"conversation_id": conversation_id})


def handles_of(person: Document) -> list[str]:
    """Give what may stand after `@` for a person: the name without spaces, e-mail, public id."""
    email = person["email"] or ""
    spelled = [person["name"] or "", email, email.partition("@")[0], person["public_id"]]
    return sorted({folded for text in spelled if (folded := fold("".join(text.split())))})


def fold(handle: str) -> str:
    """Make two spellings of a handle equal."""
    return handle.casefold()


def _id(conversation_id: str, account_id: str) -> str:
    return f"{conversation_id}:{account_id}"
