"""Reactions: each account may give a message several emoji, each once."""

from models.accounts import person_of
from models.chat.events import MessageReacted, MessageUnreacted
from models.chat.messages import Messages, deleted
from models.chat.records import (
    StoredConversation,
    StoredMessage,
    place_of,
    reaction,
    stored_as,
    user_view,
)
from models.chat.service import ChatContext, ChatService
from models.chat.standing import has_shown, rooms_of, unheard_by
from models.chat.standings import Standings
from models.chat.views import MessageView
from models.errors import Conflict
from models.identity import Identity
from models.times import to_text

MAX_REACTIONS = 2_000
"""On one message, which holds them all: about 40 KB in every page that shows it."""

MAX_OF_ACCOUNT = 20
"""Emoji of one account on one message: more than a person means, and a hundredth of the message's,
so that no one takes the others' place."""

MAX_EMOJI = 100
"""Different emoji on one message, of all accounts: clients show each with its count, and another
one of those that are there can always be given."""


class Reactions(ChatService):
    """Adds and takes back reactions; both raise as `Messages.find`."""

    def __init__(self, context: ChatContext, messages: Messages, standings: Standings) -> None:
        super().__init__(context)
        self._standings = standings
        self._messages = messages

    async def react(self, caller: Identity, message_id: str, *, emoji: str) -> MessageView:
        """Add a reaction; returns the message. Adding it again changes and publishes nothing.

        Raises:
            Conflict: code `message_deleted` or `too_many_reactions`.
        """
        async with self._locks.lock(_lock_name(message_id)):
            conversation, message = await self._messages.find(caller, message_id)
            kept = reaction(caller.account_id, emoji)
            if message["deleted_at"] is not None:
                raise deleted()
            given = [*message["reactions"], *message.get("kept_reactions", [])]
            if stored_as(kept, given) is not None:
                return await self._shown(conversation, message, caller.account_id)
            _check_room(given, caller.account_id, emoji)
            await self._standings.check(caller, conversation)
            conversation = await self._standings.engage(caller, conversation)
            unheard = unheard_by(conversation, caller.account_id)
            place = "kept_reactions" if unheard else "reactions"
            changed = await self._changes.write(
                conversation,
                message,
                {"$push": {place: kept}},
                given={place: {"$ne": kept}},
                kept_from=unheard or message.get("kept_from", []),
            )
            if changed is not None:
                await self._publish(MessageReacted, caller, conversation, changed, emoji)
            return await self._shown(conversation, changed or message, caller.account_id)

    async def unreact(self, caller: Identity, message_id: str, *, emoji: str) -> MessageView:
        """Take a reaction back; returns the message. Without one nothing happens."""
        async with self._locks.lock(_lock_name(message_id)):
            conversation, message = await self._messages.find(caller, message_id)
            kept = reaction(caller.account_id, emoji)
            places = {
                "reactions": message["reactions"],
                "kept_reactions": message.get("kept_reactions", []),
            }
            found = (
                (place, stored)
                for place, given in places.items()
                if (stored := stored_as(kept, given)) is not None
            )
            place, stored = next(found, (None, kept))
            if place is None:
                return await self._shown(conversation, message, caller.account_id)
            unheard = unheard_by(conversation, caller.account_id)
            changed = await self._changes.write(
                conversation,
                message,
                {"$pull": {place: stored}},
                given={place: stored},
                kept_from=unheard or message.get("kept_from", []),
            )
            if changed is not None:
                await self._publish(MessageUnreacted, caller, conversation, changed, emoji)
            return await self._shown(conversation, changed or message, caller.account_id)

    async def _shown(
        self, conversation: StoredConversation, message: StoredMessage, viewer_id: str
    ) -> MessageView:
        return await self._messages.showing.message(conversation, message, viewer_id)

    async def _publish(
        self,
        event: type[MessageReacted | MessageUnreacted],
        caller: Identity,
        conversation: StoredConversation,
        message: StoredMessage,
        emoji: str,
    ) -> None:
        email = has_shown(conversation, caller.account_id)
        told = event(
            conversation_id=message["conversation_id"],
            message_id=message["_id"],
            seq=message["seq"],
            emoji=emoji,
            revision=message["revision"],
            at=to_text(self._clock()),
            **user_view(person_of(caller), email=email),
        )
        await self._publisher.publish(told, *rooms_of(conversation, caller.account_id))


def _check_room(given: list[str], account_id: str, emoji: str) -> None:
    """Check that a message can take another reaction.

    Raises:
        Conflict: code `too_many_reactions`.
    """
    own = [each for each in given if each.startswith(reaction(account_id, ""))]
    if len(own) >= MAX_OF_ACCOUNT:
        raise Conflict(
            f"Give a message {MAX_OF_ACCOUNT} reactions at most; take one back first.",
            code="too_many_reactions",
        )
    different = {each.partition(":")[2] for each in given}
    if len(given) >= MAX_REACTIONS or len(different | {emoji}) > MAX_EMOJI:
        raise Conflict("The message has too many reactions.", code="too_many_reactions")


def _lock_name(message_id: str) -> str:
    place = place_of(message_id)
    return place[0] if place else message_id
