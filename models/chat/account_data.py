"""What the chat keeps of an account."""

from collections.abc import AsyncIterator, Awaitable, Callable

from models.accounts import Account, person_of
from models.chat.conversations import Conversations
from models.chat.records import (
    CHANNEL,
    StoredConversation,
    StoredMember,
    StoredMessage,
    StoredUpload,
    conversation_view,
    message_view,
)
from models.database import Database, typed
from models.events import Json, as_json
from models.exports import Streamed
from models.times import to_text
from models.whole import documents


class ChatAccountData:
    """Fills the port `models.accounts.lifecycle.AccountData`.

    A conversation belongs to all who are in it, so messages stay when their author leaves it.
    """

    def __init__(
        self,
        database: Database,
        conversations: Conversations,
        depart: Callable[[str], Awaitable[None]],
    ) -> None:
        self._database = database
        self._stored = typed(database["conversations"], StoredConversation)
        self._members = typed(database["chat_members"], StoredMember)
        self._messages = typed(database["chat_messages"], StoredMessage)
        self._conversations = conversations
        self._depart = depart

    async def hand_over(self, account_id: str) -> None:
        """Leave what the former holder had joined, and forget its status and requests."""
        await self._depart(account_id)

    async def bindings(self, account_id: str) -> list[str]:
        """Name nothing."""
        return []

    async def erase(self, account_id: str, pseudonym: str) -> None:
        """Leave everything; messages stay, and name nothing but the id."""
        await self._depart(account_id)
        await self._forget_sends(account_id)
        # Messages of earlier releases keep a copy of the author.
        author = {"id": account_id}
        await self._messages.update_many({"author.id": account_id}, {"$set": {"author": author}})
        await self._members.delete_many({"account_id": account_id})
        await self._database["chat_present"].delete_many({"account_id": account_id})
        for side in ("account_id", "other_id"):
            await self._database["chat_blocks"].delete_many({side: account_id})

    def export(self, account: Account) -> Streamed:
        """Walk through conversations, own messages, uploads, the status and whom one blocked."""
        return {
            "conversations": self._own_conversations(account.id),
            "messages": self._own_messages(account),
            "uploads": self._own_uploads(account.id),
            "status": self._own_status(account.id),
            "blocked": self._own_blocks(account.id),
        }

    async def _forget_sends(self, account_id: str) -> None:
        written = self._messages.find({"author.id": account_id}, only=["conversation_id"])
        for conversation_id in {message["conversation_id"] async for message in written}:
            begin = f"{conversation_id}|{account_id}"
            # The curly brace follows the bar in ASCII.
            of_account = {"_id": {"$gte": f"{begin}|", "$lt": f"{begin}}}"}}
            await self._database["chat_sends"].delete_many(of_account)

    async def _own_conversations(self, account_id: str) -> AsyncIterator[dict[str, Json]]:
        for accounts in ("member_ids", "request_ids", "quiet_ids"):
            async for conversation in self._stored.find({accounts: account_id}):
                yield as_json(conversation_view(conversation, account_id))
        followed = self._members.find({"account_id": account_id, "kind": CHANNEL})
        async for member in followed:
            channel = await self._conversations.find(member["conversation_id"])
            if channel is not None and channel["listed"]:
                yield as_json(conversation_view(channel, account_id))

    async def _own_messages(self, account: Account) -> AsyncIterator[dict[str, Json]]:
        def is_own(message: StoredMessage) -> bool:
            return bool(message["author"]["id"] == account.id)

        order = [("created_at", 1), ("_id", 1)]
        query = {"author.id": account.id}
        async for message in documents(self._messages, query, order, is_own):
            yield as_json(
                message_view(message, person_of(account), viewer_id=account.id, email=True)
            )

    async def _own_uploads(self, account_id: str) -> AsyncIterator[dict[str, Json]]:
        files = typed(self._database["uploads.files"], StoredUpload)
        async for file in files.find({"metadata.uploader_id": account_id}):
            yield {
                "id": file["_id"],
                "name": file["filename"],
                "content_type": file["metadata"]["content_type"],
                "size": file["length"],
                "uploaded_at": to_text(file["uploadDate"]),
            }

    async def _own_status(self, account_id: str) -> AsyncIterator[dict[str, Json]]:
        async for found in self._database["chat_statuses"].find({"_id": account_id}):
            yield {"status": found.get("status")}

    async def _own_blocks(self, account_id: str) -> AsyncIterator[dict[str, Json]]:
        async for block in self._database["chat_blocks"].find({"account_id": account_id}):
            yield {"user_id": block["named"], "blocked_at": to_text(block["at"])}
