"""Answers to requests: accept, decline, block; and what follows from them (see `standing`).

`chat_blocks`: `_id` "<account>|<other>", `account_id`, `other_id`, `named` (the id by which the
account named the other), `at`.
"""

from typing import Any

from pymongo.errors import DuplicateKeyError

from models.accounts import person_of
from models.accounts.people import Person, missing_person
from models.chat.events import (
    BlockChanged,
    ChannelLeft,
    ContactAccepted,
    MemberAdded,
    MemberLeft,
    RequestAnswered,
)
from models.chat.members import INVITED
from models.chat.participants import Directory
from models.chat.presence import Presence
from models.chat.records import (
    CHANNEL,
    DIRECT,
    GROUP,
    StoredConversation,
    StoredMember,
    StoredSilence,
    conversation_view,
    user_view,
)
from models.chat.requests import Requests
from models.chat.service import ChatContext, ChatService
from models.chat.standing import (
    has_shown,
    is_closed_by,
    is_in,
    is_open,
    is_present_to,
    other_party,
)
from models.chat.statuses import OFFLINE, Statuses
from models.chat.views import BlockedUserView, BlockView, ConversationView
from models.database import Database, Document
from models.errors import Conflict, Invalid
from models.identity import Identity
from models.pages import Page, Position, cut, newest_first
from models.rooms import direct_room, user_room
from models.times import Clock, to_text


class Blocks:
    """Who has blocked whom."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._blocks = database["chat_blocks"]
        self._clock = clock

    async def prepare(self) -> None:
        """Make the index of the list."""
        await self._blocks.create_index([("account_id", 1), ("at", 1)])

    async def add(self, account_id: str, other_id: str, named: str) -> bool:
        """Block an account; False when it was blocked already."""
        try:
            await self._blocks.insert_one(
                {
                    "_id": _block_id(account_id, other_id),
                    "account_id": account_id,
                    "other_id": other_id,
                    "named": named,
                    "at": self._clock(),
                }
            )
        except DuplicateKeyError:
            return False
        return True

    async def remove(self, account_id: str, other_id: str) -> bool:
        """Unblock an account; False when it was not blocked."""
        removed = await self._blocks.delete_one({"_id": _block_id(account_id, other_id)})
        return removed.deleted_count == 1

    async def between(self, account_id: str, other_id: str) -> tuple[bool, bool]:
        """Return whether the account has blocked the other, and whether it is blocked by it."""
        mine, theirs = _block_id(account_id, other_id), _block_id(other_id, account_id)
        found = {block["_id"] for block in await self._blocks.find_ids([mine, theirs])}
        return mine in found, theirs in found

    async def page(
        self, account_id: str, after: Position | None, limit: int
    ) -> tuple[list[Document], str | None]:
        """Return whom an account has blocked, the latest first, and the cursor of the next page."""
        query: Document = {"account_id": account_id}
        if after is not None:
            query["$or"] = after.following("at")
        found = self._blocks.find(query).sort(newest_first("at")).limit(limit + 1)
        return cut(await found.to_list(limit + 1), limit, "at")


class Standings(ChatService):
    """How accounts answer, and block one another."""

    def __init__(
        self,
        context: ChatContext,
        presence: Presence,
        statuses: Statuses,
        requests: Requests,
        blocks: Blocks,
        directory: Directory,
    ) -> None:
        super().__init__(context)
        self._presence = presence
        self._statuses = statuses
        self._requests = requests
        self._blocks = blocks
        self._directory = directory

    async def check(self, caller: Identity, conversation: StoredConversation) -> None:
        """Refuse what an account does towards a person it has blocked.

        Raises:
            Conflict: code `user_blocked`.
        """
        if not is_closed_by(conversation, caller.account_id) or conversation["kind"] != DIRECT:
            return
        other_id = other_party(conversation, caller.account_id)
        blocked, _ = await self._blocks.between(caller.account_id, other_id)
        if blocked:
            raise user_blocked()

    async def engage(
        self, caller: Identity, conversation: StoredConversation
    ) -> StoredConversation:
        """Take what an account does in a conversation for its acceptance; in the turn.

        Returns the conversation as it is then.
        """
        account_id, conversation_id = caller.account_id, conversation["_id"]
        if is_in(conversation, account_id):
            if conversation["kind"] == GROUP and account_id not in conversation["shown_ids"]:
                # One whom a contact has added shows itself to the others when it does something.
                shown = {"$addToSet": {"shown_ids": account_id}}
                await self._conversations.change(conversation_id, shown)
            return conversation
        direct = conversation["kind"] == DIRECT
        added: dict[str, Any] = {"member_ids": account_id}
        removed = dict.fromkeys(("request_ids", "quiet_ids", "closed_ids"), account_id)
        update: dict[str, dict[str, Any]] = {"$addToSet": added, "$pull": removed}
        if conversation["kind"] != CHANNEL:
            added["shown_ids"] = account_id
        if direct:
            if is_closed_by(conversation, account_id):
                update["$set"] = {"silences": await self._ended(conversation, account_id)}
        else:
            member = await self._members.get(conversation_id, account_id)
            asked_as = member.get("asked_as") if member is not None else None
            if asked_as:
                removed["asked"] = asked_as
        await self._conversations.change(conversation_id, update)
        conversation = await self._conversations.find(conversation_id) or conversation
        person = person_of(caller)
        if not direct:
            await self._members.ensure(conversation, person, 0)
            await self._members.answered(conversation, account_id)
            await self._requests.remove(account_id, conversation_id)
            await self.publish_member(MemberAdded, conversation, person)
        first = await self._presence.reveal(account_id, conversation_id)
        if conversation["kind"] == CHANNEL:
            first |= await self._presence.join_followers(account_id, conversation_id)
        if first:
            await self._presence.publish_joined(conversation_id, person["id"])
        if direct and is_open(conversation):
            await self._publish_contact(conversation, person)
        await self._publish_answer(caller, conversation_id, "accepted")
        return conversation

    async def accept(self, caller: Identity, conversation_id: str) -> ConversationView:
        """Accept a request: show oneself, and be a member. Doing it again changes nothing.

        Raises:
            NotFound, Forbidden: as `Conversations.readable`.
            Conflict: code `user_blocked`.
        """
        async with self._locks.lock(conversation_id):
            conversation = await self._conversations.readable(caller, conversation_id)
            await self.check(caller, conversation)
            conversation = await self.engage(caller, conversation)
            return conversation_view(conversation, caller.account_id)

    async def decline(self, caller: Identity, conversation_id: str) -> None:
        """Decline a request, or stop receiving a direct conversation; the others do not learn it.

        What the other side of a direct conversation sends from then on is never delivered. Writing,
        reacting or accepting there ends it.

        Raises:
            NotFound, Forbidden: as `Conversations.readable`.
            Conflict: code `request_answered`: it is no request any more; leave it.
        """
        async with self._locks.lock(conversation_id):
            conversation = await self._conversations.readable(caller, conversation_id)
            if conversation["kind"] == DIRECT:
                await self._close(person_of(caller), conversation)
            elif is_in(conversation, caller.account_id):
                raise Conflict("This is no request; leave it.", code="request_answered")
            else:
                await self.refuse(caller.account_id, conversation)
            await self._publish_answer(caller, conversation_id, "declined")

    async def refuse(self, account_id: str, conversation: StoredConversation) -> None:
        """Take one who has not answered out of a group or a private channel; in the turn."""
        conversation_id = conversation["_id"]
        asked = dict.fromkeys(("request_ids", "quiet_ids"), account_id)
        await self._conversations.change(
            conversation_id, {"$addToSet": {"closed_ids": account_id}, "$pull": asked}
        )
        await self._presence.expel(account_id, conversation_id)
        await self._members.remove(conversation_id, account_id)
        await self._requests.remove(account_id, conversation_id)

    async def block(self, caller: Identity, user_id: str) -> BlockView:
        """Block an account: no presence, typing, invitation or message of either reaches the other.

        Whether the id means anyone is not told. Shared groups and channels stay as they are.

        Raises:
            Invalid: it is the caller's own.
        """
        if user_id == caller.account_id:
            problem = "Name another person."
            raise Invalid(problem, fields={"user_id": [problem]})
        other_id = await self._meant(caller, user_id)
        new = await self._blocks.add(caller.account_id, other_id, user_id)
        direct = await self._conversations.direct(caller.account_id, other_id)
        if direct is not None:
            async with self._locks.lock(direct["_id"]):
                direct = await self._conversations.find(direct["_id"]) or direct
                await self._close(person_of(caller), direct)
        for heard in await self._requests.heard(caller.account_id):
            async with self._locks.lock(heard):
                conversation = await self._conversations.find(heard)
                if conversation is not None and conversation["created_by"] == other_id:
                    await self.refuse(caller.account_id, conversation)
        if new:
            await self._publish_block(caller, user_id, blocked=True)
        return {"blocked_user_id": user_id, "blocked": True}

    async def unblock(self, caller: Identity, user_id: str) -> BlockView:
        """Receive from an account again; what it sent meanwhile is not delivered."""
        other_id = await self._meant(caller, user_id)
        if await self._blocks.remove(caller.account_id, other_id):
            direct = await self._conversations.direct(caller.account_id, other_id)
            if direct is not None:
                async with self._locks.lock(direct["_id"]):
                    direct = await self._conversations.find(direct["_id"]) or direct
                    await self._reopen(person_of(caller), direct)
            await self._publish_block(caller, user_id, blocked=False)
        return {"blocked_user_id": user_id, "blocked": False}

    async def blocked(
        self, caller: Identity, *, after: Position | None, limit: int
    ) -> Page[BlockedUserView]:
        """Return a page of the blocked accounts, the latest first."""
        found, following = await self._blocks.page(caller.account_id, after, limit)
        items: list[BlockedUserView] = []
        for block in found:
            person = missing_person(block["named"])
            if block["named"] == block["other_id"]:
                account = await self._directory.resolve_participant(block["other_id"])
                person = person_of(account) if account else person
            shown = user_view(person)
            items.append({**shown, "blocked_at": to_text(block["at"])})
        return {"items": items, "next": following}

    async def depart_from_all(self, account_id: str) -> None:
        """End all memberships and requests of an account, and forget its status.

        Others keep their conversations; in a direct one no one hears them any more. An account that
        was handed over begins direct conversations anew.
        """
        for kind in (DIRECT, GROUP, CHANNEL, INVITED):
            for member in await self._members.of_account(account_id, kind):
                conversation_id = member["conversation_id"]
                async with self._locks.lock(conversation_id):
                    conversation = await self._conversations.find(conversation_id)
                    if conversation is not None:
                        await self._depart(member, conversation)
                    await self._members.remove(conversation_id, account_id)
        await self._requests.forget(account_id)
        await self._statuses.forget(account_id)

    async def _depart(self, member: StoredMember, conversation: StoredConversation) -> None:
        account_id, conversation_id = member["account_id"], conversation["_id"]
        lists = ("member_ids", "request_ids", "quiet_ids", "shown_ids")
        update: dict[str, dict[str, Any]] = {"$pull": dict.fromkeys(lists, account_id)}
        if conversation["kind"] == DIRECT:
            update["$addToSet"] = dict.fromkeys(("closed_ids", "departed_ids"), account_id)
            is_named = conversation.get("alias") and account_id != conversation["created_by"]
            if is_named and has_shown(conversation, account_id):
                update["$set"] = {"answered": True}
        await self._presence.expel(account_id, conversation_id)
        await self._conversations.change(conversation_id, update)
        if conversation["kind"] != DIRECT and is_in(conversation, account_id):
            await self.publish_member(MemberLeft, conversation, await self._people.one(account_id))

    async def _meant(self, caller: Identity, user_id: str) -> str:
        """Return the account that an id means, which may be an alias that the caller sees."""
        before = None
        while True:
            page = await self._conversations.of_account("shown_ids", caller.account_id, before, 100)
            for conversation in page:
                if conversation.get("alias") == user_id:
                    return other_party(conversation, caller.account_id)
            if len(page) < 100:
                return user_id
            before = page[-1]["last_at"], page[-1]["_id"]

    async def _close(self, person: Person, conversation: StoredConversation) -> None:
        """Let one side of a direct conversation receive nothing more of it, and not be seen."""
        account_id, conversation_id = person["id"], conversation["_id"]
        if is_closed_by(conversation, account_id):
            return
        newest = await self._conversations.newest_seq(conversation)
        member = await self._members.get(conversation_id, account_id)
        silence = {
            "hidden_from": account_id,
            "first": newest + 1,
            "last": None,
            "read_seq": member["read_seq"] if member else 0,
        }
        was_seen = is_present_to(conversation, account_id)
        online = was_seen and await self._presence.status(account_id) != OFFLINE
        there = was_seen and await self._presence.is_in(account_id, conversation_id)
        await self._conversations.change(
            conversation_id,
            {
                "$addToSet": {"closed_ids": account_id},
                "$pull": dict.fromkeys(("member_ids", "request_ids"), account_id),
                "$push": {"silences": silence},
            },
        )
        await self._presence.conceal(account_id, conversation_id)
        other_id = other_party(conversation, account_id)
        if there:
            rooms = [direct_room(conversation_id, other_id)]
            await self._presence.publish_to_rooms(ChannelLeft, conversation_id, account_id, rooms)
        if online:
            await self._statuses.publish_to(other_id, person, OFFLINE)

    async def _reopen(self, person: Person, conversation: StoredConversation) -> None:
        account_id, conversation_id = person["id"], conversation["_id"]
        if not is_closed_by(conversation, account_id):
            return
        shown = account_id in conversation.get("shown_ids", ())
        await self._conversations.change(
            conversation_id,
            {
                "$addToSet": {"member_ids" if shown else "request_ids": account_id},
                "$pull": {"closed_ids": account_id},
                "$set": {"silences": await self._ended(conversation, account_id)},
            },
        )
        conversation = await self._conversations.find(conversation_id) or conversation
        if not is_present_to(conversation, account_id):
            return
        if await self._presence.reveal(account_id, conversation_id):
            await self._presence.publish_joined(conversation_id, person["id"])
        status = await self._presence.status(account_id)
        if status != OFFLINE:
            await self._statuses.publish_to(other_party(conversation, account_id), person, status)

    async def _ended(
        self, conversation: StoredConversation, account_id: str
    ) -> list[StoredSilence]:
        """Return the silences of a conversation, with that of the account at its end."""
        newest = await self._conversations.newest_seq(conversation)
        silences = []
        for silence in conversation.get("silences", []):
            if silence["hidden_from"] == account_id and silence["last"] is None:
                silence = {**silence, "last": newest}
            if silence["last"] is None or silence["first"] <= silence["last"]:
                silences.append(silence)
        return silences

    async def _publish_contact(self, conversation: StoredConversation, person: Person) -> None:
        status = await self._presence.status(person["id"])
        event = ContactAccepted(
            conversation_id=conversation["_id"], **self._statuses.view(person, status)
        )
        await self._publisher.publish(event, user_room(other_party(conversation, person["id"])))

    async def _publish_answer(self, caller: Identity, conversation_id: str, answer: str) -> None:
        event = RequestAnswered(
            conversation_id=conversation_id, answer=answer, at=to_text(self._clock())
        )
        await self._publisher.publish(event, user_room(caller.account_id))

    async def _publish_block(self, caller: Identity, user_id: str, *, blocked: bool) -> None:
        event = BlockChanged(blocked_user_id=user_id, blocked=blocked, at=to_text(self._clock()))
        await self._publisher.publish(event, user_room(caller.account_id))


def user_blocked() -> Conflict:
    """Return the error for writing to a person one has blocked."""
    return Conflict("You have blocked this user; unblock them first.", code="user_blocked")


def _block_id(account_id: str, other_id: str) -> str:
    return f"{account_id}|{other_id}"
