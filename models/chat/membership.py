"""Membership: begin conversations and channels, let people in, leave."""

from models.accounts import person_of
from models.chat.conversations import group_id, not_found
from models.chat.events import ConversationAdded, MemberAdded, MemberLeft
from models.chat.members import INVITED
from models.chat.participants import Named, Participants
from models.chat.presence import Presence
from models.chat.records import (
    CHANNEL,
    DIRECT,
    StoredConversation,
    StoredSilence,
    conversation_view,
    user_view,
)
from models.chat.requests import Requests
from models.chat.schema import MAX_MEMBERS
from models.chat.service import ChatContext, ChatService
from models.chat.standing import asked, has_shown, is_in
from models.chat.standings import Blocks, Standings, user_blocked
from models.chat.views import ConversationView
from models.errors import Conflict, Invalid, NotFound
from models.idempotency import Idempotency, Operation
from models.identity import Identity
from models.rooms import user_room

CHANNELS = "/api/v1/channels"
CONVERSATIONS = "/api/v1/conversations"
"""The operations of making them, as keys of clients are kept."""


class Membership(ChatService):
    """Who belongs to which conversation.

    A member's own record is written before the conversation lets the account in, and removed after
    it does no more: what a crash leaves between the two gives no access and is not listed.
    """

    def __init__(
        self,
        context: ChatContext,
        presence: Presence,
        participants: Participants,
        standings: Standings,
        requests: Requests,
        blocks: Blocks,
        answers: Idempotency,
    ) -> None:
        super().__init__(context)
        self._presence = presence
        self._participants = participants
        self._standings = standings
        self._requests = requests
        self._blocks = blocks
        self._answers = answers

    async def create_channel(
        self,
        caller: Identity,
        *,
        name: str,
        private: bool,
        title: str | None,
        client_id: str | None = None,
        operation_id: str | None = None,
    ) -> ConversationView:
        """Make a channel with the caller as a member, values as `CreateChannel` loads them.

        Raises:
            Conflict: code `channel_taken`.
            Invalid: code `key_reused`.
        """
        async with self._answers.once(
            caller.account_id,
            CHANNELS,
            client_id=client_id,
            operation_id=operation_id,
            content={"name": name, "private": private, "title": title},
        ) as operation:
            channel = await self._conversations.create_channel(
                caller, name, private=private, title=title, operation_id=operation.id
            )
            _, new = await self._members.ensure(channel, person_of(caller), 0)
            if new:
                await self.publish_member(MemberAdded, channel, person_of(caller))
            return conversation_view(channel, caller.account_id)

    async def create_conversation(
        self,
        caller: Identity,
        *,
        participants: list[str],
        title: str | None,
        client_id: str | None = None,
        operation_id: str | None = None,
    ) -> ConversationView:
        """Begin a conversation, values as `CreateConversation` loads them.

        Contacts of the caller are members at once, others are asked. No one learns from the answer
        whether a name means anyone. The direct conversation of two is there once: beginning it
        again returns it, and shows the caller to the other side.

        Raises:
            Invalid: `participants` names no one else.
            Conflict: code `user_blocked`: the caller has blocked the one it names.
            TooManyRequests: code `too_many_lookups`.
            NotFound: code `conversation_not_found`: that of this `client_id` is left or gone.
        """
        async with self._answers.once(
            caller.account_id,
            CONVERSATIONS,
            client_id=client_id,
            operation_id=operation_id,
            content={"participants": participants, "title": title},
        ) as operation:
            return await self._create(caller, operation, participants, title)

    async def _create(
        self, caller: Identity, operation: Operation, participants: list[str], title: str | None
    ) -> ConversationView:
        made = await self._conversations.find(group_id(operation.id))
        if made is not None:
            return await self._made_before(caller, made)
        people = await self._participants.find(caller, participants)
        if not people:
            problem = "Name another person."
            raise Invalid(problem, fields={"participants": [problem]})
        if title is None and len(people) == 1:
            return await self._direct(caller, people[0])
        if operation.is_done:
            raise not_found()
        conversation = self._conversations.new_group(
            caller, [caller.account_id], title, group_id(operation.id)
        )
        await self._members.ensure(conversation, person_of(caller), 0)
        added, invited = await self._sorted(caller, conversation, people)
        conversation["member_ids"] += [named.id for named in added]
        conversation["request_ids"] = [named.id for named in invited]
        at_once = {named.token for named in added}
        conversation["asked"] = [who.token for who in people if who.token not in at_once]
        await self._keep_members(conversation, added, invited, 0)
        if not await self._conversations.keep(conversation):
            # A repeat was faster.
            return await self._made_before(caller, conversation)
        await self._welcome(caller, conversation, added, invited)
        await self._publish_own(caller, conversation)
        return conversation_view(conversation, caller.account_id)

    async def _made_before(
        self, caller: Identity, conversation: StoredConversation
    ) -> ConversationView:
        """Return a group that an earlier attempt has made and may not have published.

        Those who are asked have it among their requests then: adding it again changes nothing.
        """
        conversation = await self._conversations.readable(caller, conversation["_id"])
        for account_id in conversation["request_ids"]:
            await self._requests.add(account_id, conversation["_id"])
        return conversation_view(conversation, caller.account_id)

    async def _direct(self, caller: Identity, named: Named) -> ConversationView:
        found = await self._conversations.direct(caller.account_id, named.id)
        blocked, is_blocked = await self._blocks.between(caller.account_id, named.id)
        if blocked:
            raise user_blocked()
        if found is None:
            conversation = await self._conversations.new_direct(caller, named.id, named.alias)
            if is_blocked:
                await self._hold_back(conversation, named.id)
            for person in (person_of(caller), named.person):
                await self._members.ensure(conversation, person, 0)
            if await self._conversations.keep(conversation):
                await self._opened(caller, conversation, named.id)
                return conversation_view(conversation, caller.account_id)
            found = conversation
        async with self._locks.lock(found["_id"]):
            conversation = await self._conversations.find(found["_id"]) or found
            conversation = await self._standings.engage(caller, conversation)
            return conversation_view(conversation, caller.account_id)

    async def _opened(
        self, caller: Identity, conversation: StoredConversation, other_id: str
    ) -> None:
        """Publish a new direct conversation to both sides."""
        await self._publish_own(caller, conversation)
        _, is_blocked = await self._blocks.between(caller.account_id, other_id)
        if is_blocked and not conversation["closed_ids"]:
            # Blocked while it was written.
            await self._hold_back(conversation, other_id)
            changed = {
                "request_ids": conversation["request_ids"],
                "closed_ids": conversation["closed_ids"],
                "silences": conversation["silences"],
            }
            await self._conversations.change(conversation["_id"], {"$set": changed})
        if not conversation["closed_ids"]:
            await self._publish_welcome(caller, conversation, other_id)

    async def _hold_back(self, conversation: StoredConversation, other_id: str) -> None:
        conversation["request_ids"] = []
        conversation["closed_ids"] = [other_id]
        silence: StoredSilence = {"hidden_from": other_id, "first": 1, "last": None, "read_seq": 0}
        conversation["silences"] = [silence]

    async def invite(
        self, caller: Identity, conversation_id: str, *, participants: list[str]
    ) -> ConversationView:
        """Let people into a group or a private channel; any member may. Returns the conversation.

        Contacts of the caller are members at once, others are asked; no one learns from the answer
        whether a name means anyone, nor whether they are asked already.

        Raises:
            NotFound, Forbidden: as `Conversations.readable`.
            Conflict: code `not_by_invitation`, `too_many_members`.
            TooManyRequests: code `too_many_lookups`.
        """
        conversation = await self._conversations.readable(caller, conversation_id)
        if conversation["listed"] or conversation["kind"] == DIRECT:
            raise Conflict("This conversation takes no invitations.", code="not_by_invitation")
        people = await self._participants.find(caller, participants)
        async with self._locks.lock(conversation_id):
            conversation = await self._conversations.readable(caller, conversation_id)
            known = conversation["member_ids"]
            people = [named for named in people if named.id not in known]
            tokens = {*conversation.get("asked", []), *(named.token for named in people)}
            if len(known) + len(tokens) > MAX_MEMBERS:
                raise Conflict(f"{MAX_MEMBERS} members at most.", code="too_many_members")
            conversation = await self._standings.engage(caller, conversation)
            added, invited = await self._sorted(caller, conversation, people)
            seq = await self._conversations.newest_seq(conversation)
            await self._keep_members(conversation, added, invited, seq)
            for named in added:
                lists = ("request_ids", "quiet_ids", "closed_ids")
                left = {**dict.fromkeys(lists, named.id), "asked": named.token}
                update = {"$addToSet": {"member_ids": named.id}, "$pull": left}
                await self._conversations.change(conversation_id, update)
            for named in invited:
                asked_too = {"request_ids": named.id, "asked": named.token}
                await self._conversations.change(conversation_id, {"$addToSet": asked_too})
            conversation = await self._conversations.readable(caller, conversation_id)
            await self._welcome(caller, conversation, added, invited)
            for named in added:
                await self.publish_member(MemberAdded, conversation, named.person)
            return conversation_view(conversation, caller.account_id)

    async def leave(self, caller: Identity, conversation_id: str) -> None:
        """End the membership: the caller's connections leave the channel, others are notified.

        Leaving what one was only asked into is declining it.

        Raises:
            NotFound: code `conversation_not_found`, also when it is there for others;
                `member_not_found`: of a public channel.
            Forbidden: code `channel_private`.
            Conflict: code `direct`: the conversation of two is not left.
        """
        async with self._locks.lock(conversation_id):
            conversation = await self._conversations.find(conversation_id)
            if conversation is None:
                raise not_found()
            conversation = await self._conversations.readable(caller, conversation_id)
            if conversation["kind"] == DIRECT:
                raise Conflict("A direct conversation is not left.", code="direct")
            if not is_in(conversation, caller.account_id):
                await self._standings.refuse(caller.account_id, conversation)
                return
            lists = dict.fromkeys(("member_ids", "shown_ids"), caller.account_id)
            await self._conversations.change(conversation_id, {"$pull": lists})
            await self._presence.expel(caller.account_id, conversation_id)
            removed = await self._members.remove(conversation_id, caller.account_id)
            if not removed and conversation["listed"]:
                raise NotFound("You are no member.", code="member_not_found")
            await self.publish_member(MemberLeft, conversation, person_of(caller))

    async def _sorted(
        self, caller: Identity, conversation: StoredConversation, people: list[Named]
    ) -> tuple[list[Named], list[Named]]:
        """Return who of `people` is added at once, and who is asked.

        Anyone who has declined the conversation before is asked no more. In the place of someone
        who has blocked the caller someone is asked who is no one, as for an unknown name: all of
        them take the same work, so that the time of the answer tells no more than the answer.
        """
        added, invited = [], []
        passed = [*asked(conversation), *conversation.get("closed_ids", [])]
        for named in people:
            blocked, is_blocked = await self._blocks.between(caller.account_id, named.id)
            contacts = await self._conversations.are_contacts(caller.account_id, named.id)
            if blocked:
                continue
            if is_blocked:
                named = named.as_unknown()
            if contacts and not is_blocked:
                added.append(named)
            elif named.id not in passed:
                invited.append(named)
        return added, invited

    async def _keep_members(
        self, conversation: StoredConversation, added: list[Named], invited: list[Named], seq: int
    ) -> None:
        for named in added:
            await self._members.ensure(conversation, named.person, seq)
            await self._members.answered(conversation, named.id)
            await self._requests.remove(named.id, conversation["_id"])
        for named in invited:
            await self._members.ensure(
                conversation, named.person, seq, kind=INVITED, asked_as=named.token
            )

    async def _welcome(
        self,
        caller: Identity,
        conversation: StoredConversation,
        added: list[Named],
        invited: list[Named],
    ) -> None:
        """Notify those who were added or asked, and let their connections receive it."""
        conversation_id = conversation["_id"]
        for named in invited:
            await self._requests.add(named.id, conversation_id)
            if conversation["kind"] == CHANNEL:
                await self._presence.overhear(named.id, conversation_id)
        for named in added:
            if conversation["kind"] == CHANNEL and await self._presence.join_followers(
                named.id, conversation_id
            ):
                await self._presence.publish_joined(conversation_id, named.id)
        for named in (*added, *invited):
            await self._publish_welcome(caller, conversation, named.id)

    async def _publish_own(self, caller: Identity, conversation: StoredConversation) -> None:
        await self._publish_welcome(caller, conversation, caller.account_id)

    async def _publish_welcome(
        self, caller: Identity, conversation: StoredConversation, account_id: str
    ) -> None:
        event = ConversationAdded(
            conversation_id=conversation["_id"],
            conversation=conversation_view(conversation, account_id),
            **user_view(person_of(caller), email=has_shown(conversation, caller.account_id)),
        )
        await self._publisher.publish(event, user_room(account_id))
