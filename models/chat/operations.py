"""Chat as a whole: its parts, and what needs several of them."""

import time
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import cast

from models.accounts import person_of
from models.accounts.lookups import Lookups
from models.chat.account_data import ChatAccountData
from models.chat.attachments import Attachments
from models.chat.changes import Changes
from models.chat.conversations import Conversations
from models.chat.events import MemberAdded, Typing
from models.chat.leases import Leases
from models.chat.lists import Lists
from models.chat.members import Members
from models.chat.membership import Membership
from models.chat.messages import Messages
from models.chat.participants import Directory, Participants
from models.chat.people import PeopleSearch
from models.chat.presence import Listener, Presence
from models.chat.reactions import Reactions
from models.chat.reading import Reading
from models.chat.records import CHANNEL, DIRECT, StoredConversation, conversation_view, user_view
from models.chat.requests import HEARD, Requests
from models.chat.schema import DEFAULT_PAGE
from models.chat.sending import Sending
from models.chat.service import ChatContext
from models.chat.showing import Showing
from models.chat.standing import (
    has_shown,
    is_in,
    is_present_to,
    joined_room,
    rooms_of,
)
from models.chat.standings import Blocks, Standings
from models.chat.statuses import Statuses
from models.chat.usage import Quotas
from models.chat.views import EnteredView, LeftChannelView, PresentView, SnapshotView
from models.chat.visibility import Visibility
from models.database import Database
from models.errors import Conflict, Forbidden, NotFound
from models.events import Json, Publisher
from models.idempotency import Idempotency
from models.identity import Identity
from models.keyed_locks import KeyedLocks
from models.oversight.reports import Reports, ReportView
from models.oversight.schema import MESSAGE
from models.rooms import user_room
from models.signals import NoSignals, Signals
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
        upload_quotas: Quotas,
        uploads_per_account: int,
        channels_per_connection: int,
        lease: timedelta,
        lookups: Lookups,
        grace: timedelta = timedelta(),
        process_name: str | None = None,
        signals: Signals | None = None,
        clock: Clock = now,
        elapsed: Callable[[], float] = time.monotonic,
    ) -> None:
        locks = KeyedLocks()
        self._locks = locks
        self._publisher = publisher
        self._clock = clock
        self._conversations = conversations = Conversations(database, clock)
        self._members = members = Members(database, clock)
        people = directory.people
        members.follow(people)
        self._changes = changes = Changes(conversations, Showing(people), clock)
        grace_s = grace.total_seconds()
        self._leases = Leases(database, lease, name=process_name, grace_s=grace_s, elapsed=elapsed)
        self.statuses = Statuses(database, conversations, publisher, clock)
        self._channels_per_connection = channels_per_connection
        self.presence = Presence(
            self._leases,
            self.statuses,
            people,
            publisher,
            locks,
            clock,
            rooms=conversations.presence_rooms,
            signals=signals or NoSignals(),
            channels_per_connection=channels_per_connection,
            grace_s=grace_s,
            elapsed=elapsed,
        )
        self.attachments = Attachments(
            database,
            conversations,
            clock,
            max_bytes=upload_bytes,
            quotas=upload_quotas,
            per_account=uploads_per_account,
        )
        context = ChatContext(people, conversations, members, changes, publisher, locks, clock)
        self._sending = Sending(database, conversations.messages, clock)
        self._requests = Requests(database, conversations, self.presence)
        self._blocks = Blocks(database, clock)
        participants = Participants(directory, conversations, lookups)
        self.people = PeopleSearch(directory, conversations, members, lookups)
        self.standings = Standings(
            context, self.presence, self.statuses, self._requests, self._blocks, directory
        )
        self.messages = Messages(
            context, self._sending, self.attachments, self.presence, self.standings
        )
        self.reading = Reading(context, self.messages)
        self.reactions = Reactions(context, self.messages, self.standings)
        self.membership = Membership(
            context,
            self.presence,
            participants,
            self.standings,
            self._requests,
            self._blocks,
            Idempotency(database, clock=clock),
        )
        self._reports = Reports(database, clock)
        self.lists = Lists(conversations, members, people, self.presence)
        self.account_data = ChatAccountData(database, conversations, self.standings.depart_from_all)

    async def prepare(self) -> None:
        """Make the indexes, and begin this process's lease."""
        await self._conversations.prepare()
        await self._members.prepare()
        await self._blocks.prepare()
        await self._sending.prepare()
        await self.attachments.prepare()
        await self._leases.prepare()

    async def sweep(self) -> None:
        """Remove abandoned uploads and old keys; presence has a shorter time, see `run`."""
        await self.attachments.sweep()
        await self._sending.sweep()

    async def run(self) -> None:
        """Keep presence up to date until cancelled."""
        await self.presence.run()

    async def stop(self) -> None:
        """Let the people of this process come back elsewhere without being published as gone."""
        await self.presence.stop()

    async def report(
        self, caller: Identity, message_id: str, *, reason: str, note: str | None
    ) -> ReportView:
        """Report to the operators what is wrong with a message, once; raises as `messages.find`."""
        _, message = await self.messages.find(caller, message_id)
        return await self._reports.add(
            caller.account_id,
            MESSAGE,
            message_id,
            author_id=message["author"]["id"],
            content=message["content"],
            reason=reason,
            note=note,
        )

    async def join(
        self, caller: Identity, listener: Listener, conversation_id: str
    ) -> SnapshotView:
        """Let a connection receive a channel, or a conversation; returns a snapshot.

        The connection receives exactly the messages after `seq`. Joining again gives a new
        snapshot. A public channel exists from its first join; who joins a channel is a member of
        it.

        Raises:
            NotFound, Forbidden: as `Conversations.joinable`.
            Conflict: code `too_many_channels`, `connection_gone`.
        """
        conversation, entered = await self._enter(caller, listener, conversation_id)
        # The rest need not hold others up: what changes now is heard as well.
        visibility = Visibility.of(conversation, caller.account_id, entered["seq"])
        seqs = visibility.downwards(entered["seq"], DEFAULT_PAGE)
        messages = await self.reading.shown(conversation, visibility, seqs)
        shown = conversation_view(conversation, caller.account_id)
        snapshot = cast(SnapshotView, {"conversation": shown, "messages": messages, **entered})
        if conversation["kind"] != CHANNEL:
            snapshot["members"] = await self.lists.members(caller, conversation)
        return snapshot

    async def _enter(
        self, caller: Identity, listener: Listener, conversation_id: str
    ) -> tuple[StoredConversation, EnteredView]:
        """Join; returns the conversation, and what `join` says of it without its messages."""
        async with self._locks.lock(conversation_id):
            found = await self._conversations.joinable(caller, conversation_id)
            if found["kind"] == CHANNEL:
                # Anyone who joins a channel by its name is in it, asked or not.
                found = await self.standings.engage(caller, found)
            # In a conversation one is seen when one has answered.
            told = await self.presence.join(
                listener,
                conversation_id,
                room=joined_room(found, caller.account_id),
                unseen=not is_in(found, caller.account_id),
            )
            try:
                conversation = await self._conversations.join(caller, conversation_id)
                seq = await self._conversations.newest_seq(conversation)
                member, new = await self._members.ensure(conversation, person_of(caller), seq)
                revision = await self._changes.settled(conversation)
                present = await self._present(caller, conversation)
            except BaseException:
                await self.presence.leave(listener, conversation_id)
                raise
            if new and conversation["kind"] == CHANNEL:
                await self.presence.join_followers(caller.account_id, conversation_id)
            if told:
                await self.presence.publish_joined(conversation_id, caller.account_id)
            if new and conversation["kind"] == CHANNEL:
                await self.membership.publish_member(MemberAdded, conversation, person_of(caller))
        read_seq: int = member["read_seq"]
        visibility = Visibility.of(conversation, caller.account_id, seq)
        return conversation, {
            "seq": visibility.newest(seq),
            "revision": revision,
            **present,
            "read_seq": read_seq,
            "unread": await self._conversations.unread(
                conversation, caller.account_id, read_seq, seq
            ),
            "told": told,
        }

    async def _present(self, caller: Identity, conversation: StoredConversation) -> PresentView:
        def seen(account_id: str) -> bool:
            return account_id == caller.account_id or is_present_to(conversation, account_id)

        if conversation["kind"] != DIRECT:
            return await self.presence.present(conversation["_id"])
        return await self.presence.present(conversation["_id"], seen)

    async def leave(self, listener: Listener, conversation_id: str) -> LeftChannelView:
        """Let a connection leave a channel.

        The account stays a member: `membership.leave` ends that.

        Raises:
            Conflict: code `not_joined`.
        """
        async with self._locks.lock(conversation_id):
            told = await self.presence.leave(listener, conversation_id)
        return {"conversation_id": conversation_id, "told": told}

    async def follow(self, caller: Identity, listener: Listener) -> list[str]:
        """Join the channels of the account, now and when it joins another; returns their names.

        For transports whose clients cannot ask to join. As many as a connection may be in, the
        latest active, with room left for the latest requests: those are heard, and do not know.
        """
        # First of all: else one that another connection joins meanwhile would be missed.
        self.presence.follow(listener)
        members = await self._members.of_account(caller.account_id, CHANNEL)
        channels = await self._conversations.many([each["conversation_id"] for each in members])
        channels.sort(key=lambda channel: (channel["last_at"], channel["_id"]), reverse=True)
        joined = []
        for channel in channels[: max(1, self._channels_per_connection - HEARD)]:
            try:
                await self._enter(caller, listener, channel["_id"])
            except (Conflict, Forbidden) as error:
                if error.code == "too_many_channels":
                    break
            else:
                joined.append(channel["_id"])
        for conversation_id in await self._requests.heard(caller.account_id):
            await self.presence.overhear(caller.account_id, conversation_id)
        return joined

    async def rejoin(
        self, caller: Identity, listener: Listener, places: Json, away_since: datetime
    ) -> bool:
        """Let a connection receive what it had joined before it was away (`Presence.places`).

        False if that is not the same any more: the account was out of a conversation meanwhile, is
        in another one that the connection would have joined, or was asked into one.
        """
        assert isinstance(places, dict)
        joined, follows = places["joined"], places["follows"]
        assert isinstance(joined, dict)
        for conversation_id, place in joined.items():
            assert isinstance(place, list)
            room, unseen = place
            async with self._locks.lock(conversation_id):
                if not await self._rejoin(
                    caller, listener, conversation_id, str(room), bool(unseen), away_since
                ):
                    return False
        if not follows:
            return True
        self.presence.follow(listener)
        heard = await self._requests.heard(caller.account_id)
        members = await self._members.of_account(caller.account_id, CHANNEL)
        newer = [each for each in members if each["joined_at"] >= away_since]
        return not newer and joined.keys() >= set(heard)

    async def _rejoin(
        self,
        caller: Identity,
        listener: Listener,
        conversation_id: str,
        room: str,
        unseen: bool,
        away_since: datetime,
    ) -> bool:
        try:
            conversation = await self._conversations.readable(caller, conversation_id)
            member = await self._members.get(conversation_id, caller.account_id)
            if member is None or member["joined_at"] >= away_since:
                return False
            if room != joined_room(conversation, caller.account_id):
                return False
            if unseen is is_in(conversation, caller.account_id):
                return False
            told = await self.presence.join(listener, conversation_id, room=room, unseen=unseen)
        except (NotFound, Forbidden, Conflict):
            return False
        if told:
            await self.presence.publish_joined(conversation_id, caller.account_id)
        return True

    async def typing(self, caller: Identity, listener: Listener, conversation_id: str) -> None:
        """Publish that the caller is typing; nothing is stored.

        Raises:
            NotFound, Forbidden: as `Conversations.readable`.
            Conflict: code `not_joined`: a channel that the connection has not joined.
        """
        conversation = await self._conversations.readable(caller, conversation_id)
        if conversation["kind"] == CHANNEL:
            self.presence.check_joined(listener, conversation_id)
        event = Typing(
            conversation_id=conversation_id,
            at=to_text(self._clock()),
            **user_view(person_of(caller), email=has_shown(conversation, caller.account_id)),
        )
        rooms = rooms_of(conversation, caller.account_id)
        await self._publisher.publish(event, *rooms, except_room=user_room(caller.account_id))
