"""Membership: begin conversations and channels, let people in, leave."""

import asyncio
from typing import Protocol

from models.accounts import Account
from models.chat.conversations import not_found, rooms_of
from models.chat.events import ConversationAdded, MemberAdded, MemberLeft
from models.chat.part import Ground, Part
from models.chat.presence import Presence
from models.chat.records import CHANNEL, DIRECT, conversation_json, person_of, user_json
from models.chat.schema import MAX_MEMBERS
from models.database import Document
from models.errors import Conflict, Invalid, NotFound
from models.events import Json
from models.identity import Identity
from models.rooms import user_room
from models.times import to_text


class Directory(Protocol):
    """Where people are found; `models.accounts.Accounts` is one."""

    async def find(self, account_id: str) -> Account | None:
        """Give the account with this id."""

    async def find_by_email(self, email: str) -> Account | None:
        """Give the account with this e-mail."""

    async def find_by_public_id(self, public_id: str) -> Account | None:
        """Give the account known by this id."""


class Membership(Part):
    """Who belongs to which conversation.

    A member's own record is written before the conversation lets the account in, and removed after
    it does no more: what a crash leaves between the two gives no access and is not listed.
    """

    def __init__(self, ground: Ground, presence: Presence, directory: Directory) -> None:
        super().__init__(ground)
        self._presence = presence
        self._directory = directory

    async def create_channel(
        self, caller: Identity, *, name: str, private: bool, title: str | None
    ) -> dict[str, Json]:
        """Make a channel that the caller follows, values as `CreateChannel` loads them.

        Raises:
            Conflict: code `channel_taken`.
        """
        channel = await self._conversations.create_channel(
            caller, name, private=private, title=title
        )
        await self._members.ensure(channel, person_of(caller), 0)
        return conversation_json(channel)

    async def create_conversation(
        self, caller: Identity, *, participants: list[str], title: str | None
    ) -> dict[str, Json]:
        """Begin a conversation, values as `CreateConversation` loads them, and tell its members.

        The direct conversation of two is there once: beginning it again gives it, and tells nobody.

        Raises:
            Invalid: `participants` names nobody, or nobody else.
        """
        people = await self._people(participants)
        others = [who for who in people if who["id"] != caller.account_id]
        if not others:
            problem = "Name somebody else."
            raise Invalid(problem, fields={"participants": [problem]})
        everyone = [person_of(caller), *others]
        member_ids = [person["id"] for person in everyone]
        if title is None and len(others) == 1:
            conversation = self._conversations.new_direct(caller, member_ids)
        else:
            conversation = self._conversations.new_group(caller, member_ids, title)
        for person in everyone:
            await self._members.ensure(conversation, person, 0)
        if await self._conversations.keep(conversation):
            await self._welcome(caller, conversation, member_ids)
        kept = await self._conversations.find(conversation["_id"])
        return conversation_json(kept or conversation)

    async def invite(
        self, caller: Identity, conversation_id: str, *, participants: list[str]
    ) -> dict[str, Json]:
        """Let people into a group or a private channel; any member may. Gives the conversation.

        Raises:
            NotFound, Forbidden: as `Conversations.readable`.
            Conflict: code `not_by_invitation`, `too_many_members`.
            Invalid: `participants` names nobody.
        """
        people = await self._people(participants)
        async with self._turns.of(conversation_id):
            conversation = await self._conversations.readable(caller, conversation_id)
            if conversation["listed"] or conversation["kind"] == DIRECT:
                raise Conflict("Nobody is invited here.", code="not_by_invitation")
            added = [who for who in people if who["id"] not in conversation["member_ids"]]
            if len(conversation["member_ids"]) + len(added) > MAX_MEMBERS:
                raise Conflict(f"{MAX_MEMBERS} members at most.", code="too_many_members")
            seq = await self._conversations.newest_seq(conversation)
            for person in added:
                await self._members.ensure(conversation, person, seq)
                await self._conversations.add_member(conversation_id, person["id"])
            conversation = await self._conversations.readable(caller, conversation_id)
            await self._welcome(caller, conversation, [person["id"] for person in added])
            for person in added:
                await self._tell(MemberAdded, conversation, person)
            return conversation_json(conversation)

    async def leave(self, caller: Identity, conversation_id: str) -> None:
        """Be a member no more: the caller's connections leave the channel, others are told.

        Connections that other processes hold to a private channel end when they leave it.

        Raises:
            NotFound: code `conversation_not_found`, `not_a_member`.
            Conflict: code `direct`: the conversation of two is not left.
        """
        async with self._turns.of(conversation_id):
            conversation = await self._conversations.find(conversation_id)
            if conversation is None:
                raise not_found()
            if conversation["kind"] == DIRECT:
                raise Conflict("A direct conversation is not left.", code="direct")
            await self._conversations.remove_member(conversation_id, caller.account_id)
            await self._presence.expel(caller.account_id, conversation_id)
            if not await self._members.remove(conversation_id, caller.account_id):
                raise NotFound("You are no member.", code="not_a_member")
            await self._tell(MemberLeft, conversation, person_of(caller))

    async def _people(self, participants: list[str]) -> list[Document]:
        """Find accounts by what they are called; each once."""
        found = await asyncio.gather(*map(self._find, participants))
        unknown = {
            str(position): ["There is no such account."]
            for position, account in enumerate(found)
            if account is None
        }
        if unknown:
            raise Invalid("Some participants are unknown.", fields={"participants": unknown})
        people = [person_of(account) for account in found if account is not None]
        return list({person["id"]: person for person in people}.values())

    async def _find(self, participant: str) -> Account | None:
        if "@" in participant:
            return await self._directory.find_by_email(participant)
        known = await self._directory.find_by_public_id(participant)
        return known or await self._directory.find(participant)

    async def _welcome(
        self, caller: Identity, conversation: Document, account_ids: list[str]
    ) -> None:
        if account_ids:
            event = ConversationAdded(
                {
                    "conversation_id": conversation["_id"],
                    "conversation": conversation_json(conversation),
                    **user_json(person_of(caller)),
                }
            )
            await self._publisher.publish(event, *map(user_room, account_ids))

    async def _tell(
        self, event: type[MemberAdded | MemberLeft], conversation: Document, person: Document
    ) -> None:
        told: dict[str, Json] = {
            "conversation_id": conversation["_id"],
            "at": to_text(self._clock()),
            **user_json(person),
        }
        rooms = {*rooms_of(conversation), user_room(person["id"])}
        if conversation["kind"] == CHANNEL:
            rooms = set(rooms_of(conversation))
        await self._publisher.publish(event(told), *sorted(rooms))
