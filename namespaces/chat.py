"""`/chat`: what clients may ask about channels, conversations and messages."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any, ClassVar

from models.chat import Chat, schema
from models.chat.api import CHAT
from models.chat.views import FollowedChannelsView, LeftChannelView, SnapshotView
from models.events import Json
from models.fields import NoFields
from models.identity import Identity
from models.rooms import user_room
from namespaces.base import Caller, Commands, command

Payload = dict[str, Any]


class ChatCommands(Commands):
    """The commands of chat, for every transport; a `Caller` is a connection, until it has `left`.

    Whatever names a conversation takes `conversation_id` or `channel_id`: both mean the same.
    """

    domain: ClassVar[str] = "chat"
    operations = CHAT

    def __init__(self, chat: Chat) -> None:
        self.model = self._chat = chat

    def rooms_of(self, identity: Identity) -> Iterable[str]:
        """Name the account's own room: what is said in its conversations is published there."""
        return (user_room(identity.account_id),)

    async def arrived(self, caller: Caller) -> Iterable[str]:
        """Note that the account is online; channels are joined by command."""
        connection = caller.connection
        await self._chat.presence.arrived(connection, caller.identity.account_id)
        return ()

    async def left(self, caller: Caller) -> None:
        """Leave every channel, and be offline if this was the last connection."""
        await self._chat.presence.left(caller.connection)

    def places(self, caller: Caller) -> Json:
        """Return the conversations that the connection has joined, and whether it follows."""
        return self._chat.presence.places(caller.connection)

    async def returned(self, caller: Caller, places: Json, away_since: datetime) -> bool:
        """Join them again; no member is made, and no one sees more than its connection."""
        return await self._chat.rejoin(caller.identity, caller.connection, places, away_since)

    async def follow(self, caller: Caller) -> list[str]:
        """Join the account's channels, for transports whose clients cannot: after `arrived`."""
        return await self._chat.follow(caller.identity, caller.connection)

    def joined(self, caller: Caller) -> frozenset[str]:
        """Return the conversations that a connection has joined by name."""
        return self._chat.presence.joined(caller.connection)

    async def public(self, conversation_ids: Iterable[str]) -> list[str]:
        """Return, in order, which of these are public channels."""
        return sorted(await self._chat.lists.public(conversation_ids))

    @command(
        schema.ConversationId,
        errors=(
            "conversation_not_found",
            "channel_private",
            "too_many_channels",
            "connection_gone",
            "not_a_member",
        ),
    )
    async def join_channel(self, caller: Caller, payload: Payload) -> SnapshotView:
        """Receive a channel, or an own conversation; returns a snapshot."""
        return await self._chat.join(caller.identity, caller.connection, **payload)

    @command(NoFields)
    async def follow_channels(self, caller: Caller, payload: Payload) -> FollowedChannelsView:
        """Receive the account's channels on this connection, and those it joins from now on.

        For clients that show what is unread everywhere (see `Chat.follow`).
        """
        return {"channel_ids": await self._chat.follow(caller.identity, caller.connection)}

    @command(schema.ConversationId, errors=("not_joined",))
    async def leave_channel(self, caller: Caller, payload: Payload) -> LeftChannelView:
        """Stop receiving it on this connection."""
        return await self._chat.leave(caller.connection, **payload)

    @command(
        schema.ConversationId,
        errors=("conversation_not_found", "channel_private", "not_a_member", "not_joined"),
    )
    async def typing(self, caller: Caller, payload: Payload) -> None:
        """Publish that the caller is typing; a channel must be joined by the connection."""
        await self._chat.typing(caller.identity, caller.connection, **payload)
