"""Reactions: each account may give a message several emoji, each once."""

from models.chat.conversations import rooms_of
from models.chat.events import MessageReacted, MessageUnreacted
from models.chat.messages import Messages, deleted
from models.chat.part import Ground, Part
from models.chat.records import message_json, person_of, place_of, reaction, user_json
from models.database import Document
from models.errors import Conflict
from models.events import Json
from models.identity import Identity
from models.times import to_text

MAX_REACTIONS = 2_000
"""On one message, which holds them all: about 40 KB in every page that shows it."""


class Reactions(Part):
    """Gives and takes back reactions; both raise as `Messages.find`."""

    def __init__(self, ground: Ground, messages: Messages) -> None:
        super().__init__(ground)
        self._messages = messages

    async def react(self, caller: Identity, message_id: str, *, emoji: str) -> dict[str, Json]:
        """Add a reaction; gives the message. Giving it again changes nothing and tells nobody.

        Raises:
            Conflict: code `message_deleted` or `too_many_reactions`.
        """
        async with self._turns.of(_turn(message_id)):
            conversation, message = await self._messages.find(caller, message_id)
            kept = reaction(caller.account_id, emoji)
            if message["deleted_at"] is not None:
                raise deleted()
            if kept in message["reactions"]:
                return message_json(message)
            if len(message["reactions"]) >= MAX_REACTIONS:
                raise Conflict("The message has too many reactions.", code="too_many_reactions")
            changed = await self._changes.write(
                conversation,
                message,
                {"$push": {"reactions": kept}},
                given={"reactions": {"$ne": kept}},
            )
            if changed is not None:
                event = MessageReacted(self._told(caller, changed, emoji))
                await self._publisher.publish(event, *rooms_of(conversation))
            return message_json(changed or message)

    async def unreact(self, caller: Identity, message_id: str, *, emoji: str) -> dict[str, Json]:
        """Take a reaction back; gives the message. Without one nothing happens."""
        async with self._turns.of(_turn(message_id)):
            conversation, message = await self._messages.find(caller, message_id)
            kept = reaction(caller.account_id, emoji)
            if kept not in message["reactions"]:
                return message_json(message)
            changed = await self._changes.write(
                conversation, message, {"$pull": {"reactions": kept}}, given={"reactions": kept}
            )
            if changed is not None:
                event = MessageUnreacted(self._told(caller, changed, emoji))
                await self._publisher.publish(event, *rooms_of(conversation))
            return message_json(changed or message)

    def _told(self, caller: Identity, message: Document, emoji: str) -> dict[str, Json]:
        return {
            "conversation_id": message["conversation_id"],
            "message_id": message["_id"],
            "seq": message["seq"],
            "emoji": emoji,
            "revision": message["revision"],
            "at": to_text(self._clock()),
            **user_json(person_of(caller)),
        }


def _turn(message_id: str) -> str:
    place = place_of(message_id)
    return place[0] if place else message_id
