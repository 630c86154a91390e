"""Reading: pages of history by seq, read marks, unread counts, search."""

from models.chat.conversations import rooms_of
from models.chat.events import ConversationRead, MessageRead
from models.chat.messages import Messages, message_not_found
from models.chat.part import Ground, Part
from models.chat.records import message_json, person_of, user_json
from models.database import Document
from models.errors import Forbidden
from models.events import Json
from models.identity import Identity
from models.rooms import user_room
from models.times import to_text

SEARCH_WINDOW = 100
SEARCH_MAX = 2_000
"""Messages that one search looks through before it answers with where to go on."""


class Reading(Part):
    """What readers do."""

    def __init__(self, ground: Ground, messages: Messages) -> None:
        super().__init__(ground)
        self._messages = messages

    async def history(
        self,
        caller: Identity,
        conversation_id: str,
        *,
        before: int | None = None,
        after: int | None = None,
        limit: int,
    ) -> dict[str, Json]:
        """Give a page of messages in the order of `seq`, tombstones included.

        Those just after `after`, else those just before `before`, else the latest:
        `{"items": […], "seq": of the latest message, "revision", "more": whether there are more
        in that direction}`. Raises as `Conversations.readable`.
        """
        conversation = await self._conversations.readable(caller, conversation_id)
        revision = await self._changes.settled(conversation)
        newest = await self._conversations.newest_seq(conversation)
        end = newest if before is None else min(newest, before - 1)
        if after is not None:
            first, last = after + 1, min(end, after + limit)
            more = last < end
        else:
            first, last = max(1, end - limit + 1), end
            more = first > 1
        items = await self.shown(conversation_id, first, last)
        return {"items": items, "seq": newest, "revision": revision, "more": more}

    async def changed(
        self, caller: Identity, conversation_id: str, *, after: int, limit: int
    ) -> dict[str, Json]:
        """Give the messages changed after revision `after`, as `Changes.after` does."""
        conversation = await self._conversations.readable(caller, conversation_id)
        return await self._changes.after(conversation, after, limit)

    async def search(
        self,
        caller: Identity,
        conversation_id: str,
        *,
        text: str,
        before: int | None = None,
        limit: int,
    ) -> dict[str, Json]:
        """Give messages whose content has `text` in any case, latest first.

        `{"items": […], "before": the seq to go on before, null when everything was looked at}`; a
        page may have few items or none and still have a `before`.
        """
        conversation = await self._conversations.readable(caller, conversation_id)
        newest = await self._conversations.newest_seq(conversation)
        last = newest if before is None else min(newest, before - 1)
        wanted, items = text.casefold(), list[Json]()
        stop = max(0, last - SEARCH_MAX)
        while last > stop:
            first = max(stop, last - SEARCH_WINDOW) + 1
            window = await self._conversations.messages.between(conversation_id, first, last)
            for message in reversed(window):
                if wanted in message["content"].casefold():
                    items.append(message_json(message))
                    if len(items) == limit:
                        seq: int = message["seq"]
                        return {"items": items, "before": seq if seq > 1 else None}
            last = first - 1
        return {"items": items, "before": last + 1 if last else None}

    async def mark(
        self, caller: Identity, message_id: str, conversation_id: str | None = None
    ) -> dict[str, Json]:
        """Note that the caller has read everything up to a message; it never goes back.

        Gives `conversation_id`, `read_seq`, `unread`. Tells the others, and the caller's devices.

        Raises:
            NotFound: code `message_not_found`, also when it is in another conversation.
            Forbidden: code `not_a_member`: of a public channel that the caller never joined.
        """
        conversation, message = await self._messages.find(caller, message_id)
        if conversation_id not in (None, conversation["_id"]):
            raise message_not_found()
        conversation_id = conversation["_id"]
        async with self._turns.of(conversation_id):
            await self.member(caller, conversation)
            moved = await self._members.read(conversation_id, caller.account_id, message["seq"])
            state = await self.state(caller, conversation)
            if moved:
                own = user_room(caller.account_id)
                read: dict[str, Json] = {
                    "conversation_id": conversation_id,
                    "message_id": message_id,
                    "seq": message["seq"],
                    "at": to_text(self._clock()),
                    **user_json(person_of(caller)),
                }
                rooms = rooms_of(conversation)
                await self._publisher.publish(MessageRead(read), *rooms, except_room=own)
                await self._publisher.publish(ConversationRead(state), own)
            return state

    async def member(self, caller: Identity, conversation: Document) -> Document:
        """Give the caller's membership, made again when a crash has lost it.

        Raises:
            Forbidden: code `not_a_member`.
        """
        member = await self._members.get(conversation["_id"], caller.account_id)
        if member is not None:
            return member
        if conversation["listed"]:
            raise Forbidden("Join the channel first.", code="not_a_member")
        return (await self._members.ensure(conversation, person_of(caller), 0))[0]

    async def state(self, caller: Identity, conversation: Document) -> dict[str, Json]:
        """Give how far the caller has read: `conversation_id`, `read_seq`, `unread`."""
        member = await self._members.get(conversation["_id"], caller.account_id)
        read_seq: int = member["read_seq"] if member else 0
        newest = await self._conversations.newest_seq(conversation)
        unread = max(0, newest - read_seq)
        return {"conversation_id": conversation["_id"], "read_seq": read_seq, "unread": unread}

    async def shown(self, conversation_id: str, first: int, last: int) -> list[Json]:
        """Give the messages `first` to `last` as JSON."""
        found = await self._conversations.messages.between(conversation_id, first, last)
        return [message_json(message) for message in found]
