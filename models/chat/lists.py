"""Lists: the conversations of an account, and the channels there are."""

import asyncio
from collections.abc import Iterable
from datetime import datetime

from models.chat.conversations import Conversations, may_read
from models.chat.members import Members
from models.chat.presence import Presence
from models.chat.records import CHANNEL, conversation_json, message_json, user_json
from models.database import Document
from models.events import Json
from models.identity import Identity


class Lists:
    """What clients show before a conversation is opened."""

    def __init__(self, conversations: Conversations, members: Members, presence: Presence) -> None:
        self._conversations = conversations
        self._members = members
        self._presence = presence

    async def conversations(self, caller: Identity) -> dict[str, Json]:
        """Give all that the caller belongs to, channels included, the latest active first.

        `{"items": […]}`, each as `conversation_json` and `last_message`, `seq`, `read_seq`,
        `unread`; the unread counts come from seqs, so deleted messages count until they are read.
        """
        memberships = await self._members.of_account(caller.account_id)
        found = await asyncio.gather(*(self._item(caller, member) for member in memberships))
        items = sorted(
            (item for item in found if item is not None), key=lambda item: item[0], reverse=True
        )
        return {"items": [shown for _, shown in items]}

    async def get(self, caller: Identity, conversation_id: str) -> dict[str, Json]:
        """Give a conversation as the list does, with its `members` where it is no channel.

        Raises as `Conversations.readable`; of a channel that the caller has not joined, everything
        is unread.
        """
        conversation = await self._conversations.readable(caller, conversation_id)
        member = await self._members.get(conversation_id, caller.account_id)
        _, item = await self._shown(conversation, member["read_seq"] if member else 0)
        if conversation["kind"] != CHANNEL:
            item["members"] = await self.members(conversation)
        return item

    async def channels(self, caller: Identity, *, after: str, limit: int) -> dict[str, Json]:
        """Give public channels and the caller's private ones, by name, with `member_count`.

        `{"items": […], "next": the `after` of the next page, or null}`.
        """
        public = await self._conversations.listed(after, limit + 1)
        memberships = await self._members.of_account(caller.account_id)
        names = [
            member["conversation_id"]
            for member in memberships
            if member["kind"] == CHANNEL and member["conversation_id"] > after
        ]
        mine = await asyncio.gather(*map(self._conversations.find, names))
        private = [
            channel
            for channel in mine
            if channel and not channel["listed"] and may_read(channel, caller.account_id)
        ]
        channels = sorted([*public, *private], key=lambda channel: str(channel["_id"]))
        shown = await asyncio.gather(*map(self._channel, channels[:limit]))
        following = channels[limit - 1]["_id"] if len(channels) > limit else None
        return {"items": list(shown), "next": following}

    async def public(self, conversation_ids: Iterable[str]) -> set[str]:
        """Give which of these are public channels, whose names may be told to anyone."""
        found = await asyncio.gather(*map(self._conversations.find, conversation_ids))
        return {channel["_id"] for channel in found if channel and channel["listed"]}

    async def members(self, conversation: Document) -> list[Json]:
        """Give the members of a conversation that is no channel, each with `read_seq`, `status`."""
        shown = await asyncio.gather(
            *(
                self._member(conversation["_id"], account_id)
                for account_id in conversation["member_ids"]
            )
        )
        return [member for member in shown if member is not None]

    async def _item(
        self, caller: Identity, member: Document
    ) -> tuple[datetime, dict[str, Json]] | None:
        conversation = await self._conversations.find(member["conversation_id"])
        if conversation is None or not may_read(conversation, caller.account_id):
            return None
        return await self._shown(conversation, member["read_seq"])

    async def _shown(
        self, conversation: Document, read_seq: int
    ) -> tuple[datetime, dict[str, Json]]:
        seq = await self._conversations.newest_seq(conversation)
        last = await self._conversations.messages.get(conversation["_id"], seq)
        item: dict[str, Json] = {
            **conversation_json(conversation),
            "last_message": message_json(last) if last else None,
            "seq": seq,
            "read_seq": read_seq,
            "unread": max(0, seq - read_seq),
        }
        if conversation["kind"] != CHANNEL:
            item["member_ids"] = list(conversation["member_ids"])
        return last["created_at"] if last else conversation["created_at"], item

    async def _channel(self, channel: Document) -> dict[str, Json]:
        count = await self._members.count(channel["_id"])
        return {**conversation_json(channel), "member_count": count}

    async def _member(self, conversation_id: str, account_id: str) -> dict[str, Json] | None:
        member = await self._members.get(conversation_id, account_id)
        if member is None:
            return None
        return {
            **user_json(member["person"]),
            "read_seq": member["read_seq"],
            "status": await self._presence.status(account_id),
        }
