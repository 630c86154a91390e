"""`/chat`: what clients may ask about channels, conversations and messages."""

from collections import Counter
from collections.abc import Iterable
from itertools import chain
from typing import Any, ClassVar

from marshmallow import Schema

from models.chat import Chat, schema
from models.chat.records import person_of
from models.events import Json
from models.identity import Identity
from models.rooms import user_room
from namespaces.base import Caller, Commands, command

Payload = dict[str, Any]


class ChatCommands(Commands):
    """The commands of chat, for every door; a `Caller` is a connection, until it has `left`.

    Whatever names a conversation takes `conversation_id` or `channel_id`: both mean the same.
    """

    domain: ClassVar[str] = "chat"

    def __init__(self, chat: Chat) -> None:
        self._chat = chat

    def rooms_of(self, identity: Identity) -> Iterable[str]:
        """Name the account's own room: what is said in its conversations is heard there."""
        return (user_room(identity.account_id),)

    async def arrived(self, caller: Caller) -> Iterable[str]:
        """Note that the account is online; channels are joined by command."""
        connection = caller.connection
        await self._chat.presence.arrived(connection, person_of(caller.identity))
        return ()

    async def left(self, caller: Caller) -> None:
        """Leave every channel, and be offline if this was the last connection."""
        await self._chat.presence.left(caller.connection)

    async def follow(self, caller: Caller) -> list[str]:
        """Join the account's channels, for doors whose clients cannot: after `arrived`."""
        return await self._chat.follow(caller.identity, caller.connection)

    async def listeners(self, callers: Iterable[Caller]) -> dict[str, int]:
        """Count, for each public channel, the connections among these that have joined it."""
        joined = (self._chat.presence.joined(caller.connection) for caller in callers)
        counts = Counter(chain.from_iterable(joined))
        public = await self._chat.lists.public(counts)
        return {name: counts[name] for name in sorted(public)}

    @command(schema.ConversationId)
    async def join_channel(self, caller: Caller, payload: Payload) -> dict[str, Json]:
        """Hear a channel, or an own conversation; gives a snapshot (see `Chat.join`)."""
        return await self._chat.join(caller.identity, caller.connection, **payload)

    @command(schema.ConversationId)
    async def leave_channel(self, caller: Caller, payload: Payload) -> dict[str, Json]:
        """Hear it no more on this connection; gives `conversation_id`, `told`."""
        return await self._chat.leave(caller.connection, **payload)

    @command(schema.SendMessage)
    async def send_message(self, caller: Caller, payload: Payload) -> dict[str, Json]:
        """Write; gives the message."""
        return await self._chat.messages.send(caller.identity, **payload)

    @command(schema.EditMessage)
    async def edit_message(self, caller: Caller, payload: Payload) -> dict[str, Json]:
        """Change the text of an own message; gives it."""
        return await self._chat.messages.edit(caller.identity, **payload)

    @command(schema.MessageId)
    async def delete_message(self, caller: Caller, payload: Payload) -> dict[str, Json]:
        """Delete an own message; gives its tombstone."""
        return await self._chat.messages.delete(caller.identity, **payload)

    @command(schema.ReactToMessage)
    async def react(self, caller: Caller, payload: Payload) -> dict[str, Json]:
        """Add a reaction; gives the message."""
        return await self._chat.reactions.react(caller.identity, **payload)

    @command(schema.ReactToMessage)
    async def unreact(self, caller: Caller, payload: Payload) -> dict[str, Json]:
        """Take a reaction back; gives the message."""
        return await self._chat.reactions.unreact(caller.identity, **payload)

    @command(schema.ConversationId)
    async def typing(self, caller: Caller, payload: Payload) -> None:
        """Tell the others that one is typing."""
        await self._chat.typing(caller.identity, **payload)

    @command(schema.ReadMessage)
    async def message_read(self, caller: Caller, payload: Payload) -> dict[str, Json]:
        """Have read up to a message; gives `conversation_id`, `read_seq`, `unread`."""
        return await self._chat.reading.mark(caller.identity, **payload)

    @command(schema.ChangeStatus)
    async def status_change(self, caller: Caller, payload: Payload) -> dict[str, Json]:
        """Say available, away or busy; gives `status`."""
        person = person_of(caller.identity)
        await self._chat.presence.change_status(person, payload["status"])
        return {"status": payload["status"]}

    @command(Schema)
    async def heartbeat(self, caller: Caller, payload: Payload) -> None:
        """Show a sign of life."""
        await self._chat.statuses.beat(caller.identity.account_id)

    @command(schema.HistoryQuery)
    async def history(self, caller: Caller, payload: Payload) -> dict[str, Json]:
        """Give a page of messages (see `Reading.history`)."""
        return await self._chat.reading.history(caller.identity, **payload)

    @command(schema.ChangesQuery)
    async def changes(self, caller: Caller, payload: Payload) -> dict[str, Json]:
        """Give messages that were changed while the client was away (see `Changes.after`)."""
        return await self._chat.reading.changed(caller.identity, **payload)

    @command(schema.SearchQuery)
    async def search(self, caller: Caller, payload: Payload) -> dict[str, Json]:
        """Find messages by text (see `Reading.search`)."""
        return await self._chat.reading.search(caller.identity, **payload)

    @command(schema.CreateChannel)
    async def create_channel(self, caller: Caller, payload: Payload) -> dict[str, Json]:
        """Make a channel; gives it."""
        return await self._chat.membership.create_channel(caller.identity, **payload)

    @command(schema.CreateConversation)
    async def create_conversation(self, caller: Caller, payload: Payload) -> dict[str, Json]:
        """Begin a conversation, or give the direct one of two."""
        return await self._chat.membership.create_conversation(caller.identity, **payload)

    @command(schema.InviteTo)
    async def invite(self, caller: Caller, payload: Payload) -> dict[str, Json]:
        """Let people into a group or a private channel; gives it."""
        return await self._chat.membership.invite(caller.identity, **payload)

    @command(schema.ConversationId)
    async def leave_conversation(self, caller: Caller, payload: Payload) -> None:
        """Be a member no more, of a group or a channel."""
        await self._chat.membership.leave(caller.identity, **payload)

    @command(Schema)
    async def list_conversations(self, caller: Caller, payload: Payload) -> dict[str, Json]:
        """Give the caller's conversations (see `Lists.conversations`)."""
        return await self._chat.lists.conversations(caller.identity)

    @command(schema.ChannelsQuery)
    async def list_channels(self, caller: Caller, payload: Payload) -> dict[str, Json]:
        """Give a page of the channels (see `Lists.channels`)."""
        return await self._chat.lists.channels(caller.identity, **payload)
