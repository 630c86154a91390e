"""The latest requests of an account: which groups and private channels of strangers it receives.

`chat_requests`: `_id` (account), `heard` (ids of conversations, the latest last). What falls out of
the list is quiet from then on: it is listed, and neither heard nor counted.
"""

from pymongo import ReturnDocument

from models.chat.conversations import Conversations
from models.chat.presence import Presence
from models.database import Database

HEARD = 20
"""Requests that are received: more than a person answers, and few enough that a stranger who adds
someone to hundreds of groups fills a corner of their screen and not all of it."""


class Requests:
    """The received requests of all accounts."""

    def __init__(
        self, database: Database, conversations: Conversations, presence: Presence
    ) -> None:
        self._requests = database["chat_requests"]
        self._conversations = conversations
        self._presence = presence

    async def heard(self, account_id: str) -> list[str]:
        """Return the conversations into which an account is asked and which it receives."""
        found = await self._requests.find_one({"_id": account_id})
        return list(found["heard"]) if found else []

    async def add(self, account_id: str, conversation_id: str) -> None:
        """Let an account receive a request; the oldest beyond `HEARD` falls quiet."""
        known = await self._requests.find_one_and_update(
            {"_id": account_id},
            {"$push": {"heard": conversation_id}},
            upsert=True,
            return_document=ReturnDocument.AFTER,
        )
        assert known is not None  # upserted
        for older in known["heard"][:-HEARD]:
            await self._conversations.change(
                older,
                {"$pull": {"request_ids": account_id}, "$addToSet": {"quiet_ids": account_id}},
            )
            await self.remove(account_id, older)
            await self._presence.expel(account_id, older)

    async def forget(self, account_id: str) -> None:
        """Forget all requests of an account."""
        await self._requests.delete_one({"_id": account_id})

    async def remove(self, account_id: str, conversation_id: str) -> None:
        """Forget a request that was answered."""
        await self._requests.update_one({"_id": account_id}, {"$pull": {"heard": conversation_id}})
