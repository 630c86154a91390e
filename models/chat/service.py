"""What the parts of the chat are built on."""

from dataclasses import dataclass

from models.accounts import People
from models.accounts.people import Person
from models.chat.changes import Changes
from models.chat.conversations import Conversations
from models.chat.events import MemberAdded, MemberLeft
from models.chat.members import Members
from models.chat.records import StoredConversation, user_view
from models.chat.standing import rooms_of
from models.events import Publisher
from models.keyed_locks import KeyedLocks
from models.rooms import user_room
from models.times import Clock, to_text


@dataclass(frozen=True, slots=True)
class ChatContext:
    """Conversations, members, how people are shown, the order of changes, who is notified."""

    people: People

    conversations: Conversations
    members: Members
    changes: Changes
    publisher: Publisher
    locks: KeyedLocks
    clock: Clock


class ChatService:
    """One part of the chat: what people do with conversations, in their turns."""

    def __init__(self, context: ChatContext) -> None:
        self._people = context.people
        self._conversations = context.conversations
        self._members = context.members
        self._changes = context.changes
        self._publisher = context.publisher
        self._locks = context.locks
        self._clock = context.clock

    async def publish_member(
        self,
        event: type[MemberAdded | MemberLeft],
        conversation: StoredConversation,
        person: Person,
    ) -> None:
        """Publish a new or former member to the conversation and to the person's own devices.

        Every change of the members is told so: a list kept from these events equals a fresh one.
        """
        told = event(
            conversation_id=conversation["_id"],
            at=to_text(self._clock()),
            **user_view(person),
        )
        rooms = {*rooms_of(conversation, person["id"]), user_room(person["id"])}
        await self._publisher.publish(told, *sorted(rooms))
