"""Changes to messages, numbered per conversation: how a client that was away learns of them.

`chat_changes`: `_id` "<conversation>:<number>", `conversation_id`, `number`, `seq` (of the message
changed), `at`, `kept_from` (accounts that do not see the change). A change is announced here first
and then written into the message with its number as `revision`, so none is missed after a crash
between the two; readers wait at one that is announced and not written yet.
"""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from pymongo import ReturnDocument

from models.chat.conversations import Conversations
from models.chat.records import StoredConversation, StoredMessage
from models.chat.showing import Showing
from models.chat.views import ChangesView
from models.chat.visibility import Visibility
from models.times import Clock

WRITING = timedelta(seconds=10)
"""After so long an announced change is not going to be written: its writer died."""

_MAX_KNOWN = 10_000
"""Conversations of which this process remembers how far the changes are written."""


class Changes:
    """Writes and lists changes."""

    def __init__(self, conversations: Conversations, showing: Showing, clock: Clock) -> None:
        self._showing = showing
        self._conversations = conversations
        self._messages = conversations.messages
        self._log = conversations.changes
        self._clock = clock
        self._settled: dict[str, int] = {}

    async def write(
        self,
        conversation: StoredConversation,
        message: StoredMessage,
        update: Mapping[str, Mapping[str, Any]],
        *,
        given: Mapping[str, Any],
        kept_from: list[str],
    ) -> StoredMessage | None:
        """Announce a change and apply `update` to the message; returns it as it is then.

        None when the message is deleted or does not meet `given`. `kept_from` are accounts to which
        the change is not listed.
        """
        conversation_id = conversation["_id"]
        number = conversation["revision"]
        while True:
            announced = await self._log.append(
                conversation_id,
                number,
                {"seq": message["seq"], "at": self._clock(), "kept_from": kept_from},
            )
            number = announced["number"]
            # A message takes its changes in the order of their numbers only: else a reader that
            # has seen the later one would miss the earlier.
            this = {"_id": message["_id"], "revision": {"$lt": number}}
            changed = await self._messages.collection.find_one_and_update(
                {**this, "deleted_at": None, **given},
                {**update, "$set": {**update.get("$set", {}), "revision": number}},
                return_document=ReturnDocument.AFTER,
            )
            if changed is None:
                passed_over = await self._messages.collection.update_one(
                    this, {"$set": {"revision": number}}
                )
                if passed_over.matched_count == 0:
                    # Another process took a later number and was earlier with its change.
                    continue
            await self._conversations.note_change(conversation_id, number)
            return changed

    async def after(
        self, conversation: StoredConversation, revision: int, limit: int, visibility: Visibility
    ) -> ChangesView:
        """Return the messages changed after `revision`, each once, as they are now.

        `{"messages": […], "revision": to go on from, "more": whether there is more at once}`.
        """
        conversation_id = conversation["_id"]
        newest = await self.settled(conversation)
        last = min(revision + limit, newest)
        found = await self._log.between(conversation_id, revision + 1, last)
        messages: list[StoredMessage] = []
        account_id = visibility.account_id
        seen = {c["seq"] for c in found if account_id not in c.get("kept_from", ())}
        for seq in sorted(seen):
            message = await self._messages.get(conversation_id, seq)
            if message is not None and visibility.sees(message):
                messages.append(message)
        shown = await self._showing.messages(conversation, messages, account_id)
        return {"messages": [*shown], "revision": max(revision, last), "more": last < newest}

    async def settled(self, conversation: StoredConversation) -> int:
        """Return the number up to which all changes are in their messages."""
        conversation_id = conversation["_id"]
        known = self._settled.get(conversation_id, 0)
        number = await self._log.newest(conversation_id, max(known, conversation["revision"]))
        settled = number
        while number > known:
            change = await self._log.get(conversation_id, number)
            if change is None or change["at"] < self._clock() - WRITING:
                break
            message = await self._messages.get(conversation_id, change["seq"])
            if message is not None and message["revision"] < number:
                settled = number - 1
            number -= 1
        if len(self._settled) >= _MAX_KNOWN:
            self._settled.clear()
        self._settled[conversation_id] = settled
        return settled
