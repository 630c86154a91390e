"""Chat as a whole: its parts, and what needs several of them."""

from datetime import timedelta
from typing import Any

from models.chat.attachments import Attachments
from models.chat.changes import Changes
from models.chat.conversations import Conversations, rooms_of
from models.chat.events import Typing
from models.chat.leases import Leases
from models.chat.lists import Lists
from models.chat.members import Members
from models.chat.membership import Directory, Membership
from models.chat.messages import Messages
from models.chat.part import Ground
from models.chat.presence import Listener, Presence
from models.chat.reactions import Reactions
from models.chat.reading import Reading
from models.chat.records import CHANNEL, conversation_json, person_of, user_json
from models.chat.schema import DEFAULT_PAGE
from models.chat.sending import Sending
from models.chat.statuses import Statuses
from models.chat.turns import Turns
from models.database import Database, Document
from models.errors import Conflict, Forbidden
from models.events import Json, Publisher
from models.identity import Identity
from models.rooms import user_room
from models.times import Clock, now, to_text


class Chat:
    """The chat domain. Its parts do the work: `messages`, `reading`, `reactions`, `membership`,
    `lists`, `attachments`, `presence`; whatever changes a conversation takes its turn.
    """

    def __init__(
        self,
        database: Database,
        publisher: Publisher,
        directory: Directory,
        *,
        upload_bytes: int,
        channels_per_connection: int,
        lease: timedelta,
        clock: Clock = now,
    ) -> None:
        turns = Turns()
        self._turns = turns
        self._publisher = publisher
        self._clock = clock
        self._conversations = conversations = Conversations(database, clock)
        self._members = members = Members(database, clock)
        self._changes = changes = Changes(conversations, clock)
        self._leases = Leases(database, lease, clock)
        self.statuses = Statuses(database, conversations, members, publisher, clock)
        self.presence = Presence(
            self._leases,
            self.statuses,
            publisher,
            turns,
            clock,
            channels_per_connection=channels_per_connection,
        )
        self.attachments = Attachments(database, conversations, clock, max_bytes=upload_bytes)
        ground = Ground(conversations, members, changes, publisher, turns, clock)
        sending = Sending(database, conversations.messages)
        self.messages = Messages(ground, sending, self.attachments, self.presence)
        self.reading = Reading(ground, self.messages)
        self.reactions = Reactions(ground, self.messages)
        self.membership = Membership(ground, self.presence, directory)
        self.lists = Lists(conversations, members, self.presence)

    async def prepare(self) -> None:
        """Make the indexes, and begin this process's lease."""
        await self._conversations.prepare()
        await self._members.prepare()
        await self.attachments.prepare()
        await self._leases.prepare()

    async def sweep(self) -> None:
        """Renew the lease, tell who is gone with dead processes, remove abandoned uploads."""
        await self.presence.sweep()
        await self.attachments.sweep()

    async def join(
        self, caller: Identity, listener: Listener, conversation_id: str
    ) -> dict[str, Json]:
        """Let a connection hear a channel, or a conversation; gives a snapshot.

        `conversation`, `messages` (the latest, in order), `seq` and `revision` that they reach,
        `present` and `present_count`, `read_seq` and `unread`, `told` (whether `channel_joined` was
        told: this is the account's first connection there), and `members` of what is no channel.
        The connection hears exactly the messages after `seq`. Joining again gives a new snapshot.

        Raises:
            NotFound, Forbidden: as `Conversations.readable`.
            Conflict: code `too_many_channels`, `connection_gone`.
        """
        conversation, entered = await self._enter(caller, listener, conversation_id)
        # The rest need not hold others up: what changes now is heard as well.
        seq = entered["seq"]
        first = max(1, seq - DEFAULT_PAGE + 1)
        messages = await self.reading.shown(conversation_id, first, seq)
        shown = conversation_json(conversation)
        snapshot: dict[str, Json] = {"conversation": shown, "messages": messages, **entered}
        if conversation["kind"] != CHANNEL:
            snapshot["members"] = await self.lists.members(conversation)
        return snapshot

    async def _enter(
        self, caller: Identity, listener: Listener, conversation_id: str
    ) -> tuple[Document, dict[str, Any]]:
        """Join; gives the conversation, and what `join` says of it without its messages."""
        async with self._turns.of(conversation_id):
            await self._conversations.readable(caller, conversation_id)
            told = await self.presence.join(listener, conversation_id)
            try:
                conversation = await self._conversations.writable(caller, conversation_id)
                seq = await self._conversations.newest_seq(conversation)
                member, new = await self._members.ensure(conversation, person_of(caller), seq)
                revision = await self._changes.settled(conversation)
                present = await self.presence.present(conversation_id)
            except BaseException:
                await self.presence.leave(listener, conversation_id)
                raise
            if new:
                await self.presence.join_followers(caller.account_id, conversation_id)
            if told:
                await self.presence.tell_joined(conversation_id, person_of(caller))
        read_seq: int = member["read_seq"]
        return conversation, {
            "seq": seq,
            "revision": revision,
            **present,
            "read_seq": read_seq,
            "unread": max(0, seq - read_seq),
            "told": told,
        }

    async def leave(self, listener: Listener, conversation_id: str) -> dict[str, Json]:
        """Let a connection hear a channel no more; gives `told`, as `join` does.

        The account stays a member: `membership.leave` ends that.

        Raises:
            Conflict: code `not_joined`.
        """
        async with self._turns.of(conversation_id):
            told = await self.presence.leave(listener, conversation_id)
        return {"conversation_id": conversation_id, "told": told}

    async def follow(self, caller: Identity, listener: Listener) -> list[str]:
        """Join the channels of the account, now and when it joins another; gives their names.

        For doors whose clients cannot ask to join. As many as a connection may be in.
        """
        # First of all: else one that another connection joins meanwhile would be missed.
        self.presence.follow(listener)
        joined = []
        for member in await self._members.of_account(caller.account_id):
            if member["kind"] == CHANNEL:
                try:
                    await self._enter(caller, listener, member["conversation_id"])
                except (Conflict, Forbidden) as error:
                    if error.code == "too_many_channels":
                        break
                else:
                    joined.append(member["conversation_id"])
        return joined

    async def typing(self, caller: Identity, conversation_id: str) -> None:
        """Tell the others that the caller is typing; nothing is stored.

        Raises:
            NotFound, Forbidden: as `Conversations.readable`.
        """
        conversation = await self._conversations.readable(caller, conversation_id)
        event = Typing(
            {
                "conversation_id": conversation_id,
                "at": to_text(self._clock()),
                **user_json(person_of(caller)),
            }
        )
        await self._publisher.publish(
            event, *rooms_of(conversation), except_room=user_room(caller.account_id)
        )
