"""Reading: pages of history by seq, read marks, unread counts, search."""

import time
from collections.abc import Iterable

from models.accounts import person_of
from models.chat.events import ConversationRead, MessageRead
from models.chat.messages import Messages, message_not_found
from models.chat.records import StoredConversation, StoredMember, StoredMessage, user_view
from models.chat.service import ChatContext, ChatService
from models.chat.standing import has_shown, rooms_of
from models.chat.views import ChangesView, HistoryView, MessageView, ReadState, SearchView
from models.chat.visibility import Visibility
from models.errors import Forbidden
from models.identity import Identity
from models.rooms import user_room
from models.text import fold
from models.times import to_text

SEARCH_MAX = 20_000
"""Messages that one search looks through before it answers with where to go on."""

SEARCH_S = 0.05
"""After so long a search answers with where to go on. 20,000 usual messages take 20 ms; as many of
the longest would keep the database busy for seconds."""

SEARCH_FIRST = 500
"""Messages that a search looks through at once; then twice as many each time."""


class Reading(ChatService):
    """What readers do."""

    def __init__(self, context: ChatContext, messages: Messages) -> None:
        super().__init__(context)
        self._messages = messages

    async def history(
        self,
        caller: Identity,
        conversation_id: str,
        *,
        before: int | None = None,
        after: int | None = None,
        around: int | None = None,
        limit: int,
    ) -> HistoryView:
        """Return a page of messages in the order of `seq`, tombstones included.

        Those just after `after`, else those just before `before`, else as many before as after
        `around`, with that one in the middle, else the latest. Raises as `Conversations.readable`.
        """
        conversation = await self._conversations.readable(caller, conversation_id)
        revision = await self._changes.settled(conversation)
        newest = await self._conversations.newest_seq(conversation)
        visibility = Visibility.of(conversation, caller.account_id, newest)
        end = newest if before is None else min(newest, before - 1)
        if after is not None:
            seqs = visibility.upwards(after, end, limit)
        elif before is None and around is not None:
            older = visibility.downwards(min(around, newest), limit // 2 + 1)
            seqs = [*older, *visibility.upwards(around, newest, limit - len(older))][-limit:]
        else:
            seqs = visibility.downwards(end, limit)
        more_before = bool(seqs) and visibility.count(0, seqs[0] - 1) > 0
        more_after = bool(seqs) and visibility.count(seqs[-1], newest) > 0
        if after is not None:
            more = bool(seqs) and visibility.count(seqs[-1], end) > 0
        else:
            more = more_before or (before is None and more_after)
        return {
            "items": await self.shown(conversation, visibility, seqs),
            "seq": visibility.newest(newest),
            "revision": revision,
            "more": more,
            "more_before": more_before,
            "more_after": more_after,
        }

    async def changed(
        self, caller: Identity, conversation_id: str, *, after: int, limit: int
    ) -> ChangesView:
        """Return the messages changed after revision `after`, as `Changes.after` does."""
        conversation = await self._conversations.readable(caller, conversation_id)
        newest = await self._conversations.newest_seq(conversation)
        visibility = Visibility.of(conversation, caller.account_id, newest)
        return await self._changes.after(conversation, after, limit, visibility)

    async def search(
        self,
        caller: Identity,
        conversation_id: str,
        *,
        text: str,
        before: int | None = None,
        limit: int,
    ) -> SearchView:
        """Return messages whose content has `text`, however it is spelled, the latest first.

        A page may have fewer than `limit` and still a `before`, where the search goes on.
        """
        conversation = await self._conversations.readable(caller, conversation_id)
        newest = await self._conversations.newest_seq(conversation)
        visibility = Visibility.of(conversation, caller.account_id, newest)
        last = newest if before is None else min(newest, before - 1)
        wanted = fold(text)
        found, first = await self._find(caller, conversation_id, wanted, last, limit)
        seen = [message for message in found if visibility.sees(message)]
        shown = await self._messages.showing.messages(conversation, seen, caller.account_id)
        items = [
            view
            for message, view in zip(seen, shown, strict=True)
            # A message with two texts is found by that which the caller does not see, too.
            if message.get("kept_edit") is None or wanted in fold(view["content"])
        ]
        reached = found[-1]["seq"] if len(found) == limit else first
        return {"items": items, "before": reached if reached > 1 else None}

    async def _find(
        self, caller: Identity, conversation_id: str, wanted: str, last: int, limit: int
    ) -> tuple[list[StoredMessage], int]:
        """Return messages up to seq `last`, and the first seq that was looked at."""
        ends, stop = time.monotonic() + SEARCH_S, max(1, last - SEARCH_MAX + 1)
        found: list[StoredMessage] = []
        count = SEARCH_FIRST
        while True:
            first = max(stop, last - count + 1)
            found += await self._conversations.with_text(
                conversation_id,
                first,
                last,
                wanted,
                limit - len(found),
                unseen_by=caller.account_id,
            )
            if len(found) == limit or first == stop or time.monotonic() > ends:
                return found, first
            last, count = first - 1, 2 * count

    async def mark(
        self, caller: Identity, message_id: str, conversation_id: str | None = None
    ) -> ReadState:
        """Note that the caller has read everything up to a message; it never goes back.

        Returns `conversation_id`, `read_seq`, `unread`. Tells the others, and the caller's devices.

        Raises:
            NotFound: code `message_not_found`, also when it is in another conversation.
            Forbidden: code `not_a_member`: of a public channel that the caller never joined.
        """
        conversation, message = await self._messages.find(caller, message_id)
        if conversation_id not in (None, conversation["_id"]):
            raise message_not_found()
        conversation_id = conversation["_id"]
        async with self._locks.lock(conversation_id):
            conversation = await self._conversations.find(conversation_id) or conversation
            await self.member(caller, conversation)
            moved = await self._members.read(conversation_id, caller.account_id, message["seq"])
            state = await self.state(caller, conversation)
            if moved:
                own = user_room(caller.account_id)
                read = MessageRead(
                    conversation_id=conversation_id,
                    message_id=message_id,
                    seq=message["seq"],
                    at=to_text(self._clock()),
                    **user_view(
                        person_of(caller), email=has_shown(conversation, caller.account_id)
                    ),
                )
                rooms = rooms_of(conversation, caller.account_id)
                await self._publisher.publish(read, *rooms, except_room=own)
                await self._publisher.publish(ConversationRead(**state), own)
            return state

    async def member(self, caller: Identity, conversation: StoredConversation) -> StoredMember:
        """Return the caller's membership, made again when a crash has lost it.

        Raises:
            Forbidden: code `not_a_member`.
        """
        member = await self._members.get(conversation["_id"], caller.account_id)
        if member is not None:
            return member
        if conversation["listed"]:
            raise Forbidden("Join the channel first.", code="not_a_member")
        return (await self._members.ensure(conversation, person_of(caller), 0))[0]

    async def state(self, caller: Identity, conversation: StoredConversation) -> ReadState:
        """Return how far the caller has read: `conversation_id`, `read_seq`, `unread`."""
        member = await self._members.get(conversation["_id"], caller.account_id)
        read_seq: int = member["read_seq"] if member else 0
        newest = await self._conversations.newest_seq(conversation)
        unread = await self._conversations.unread(conversation, caller.account_id, read_seq, newest)
        return {"conversation_id": conversation["_id"], "read_seq": read_seq, "unread": unread}

    async def shown(
        self, conversation: StoredConversation, visibility: Visibility, seqs: Iterable[int]
    ) -> list[MessageView]:
        """Return the messages with these seqs as one account sees them."""
        found = await self._conversations.messages.at(conversation["_id"], seqs)
        seen = [message for message in found if visibility.sees(message)]
        return await self._messages.showing.messages(conversation, seen, visibility.account_id)
