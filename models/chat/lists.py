"""Lists: the conversations of an account, and the channels there are."""

import asyncio
from collections.abc import Iterable
from datetime import datetime
from typing import cast

from models.accounts import People
from models.accounts.people import Person
from models.chat.conversations import Conversations
from models.chat.members import Members
from models.chat.presence import Presence
from models.chat.records import (
    CHANNEL,
    DIRECT,
    StoredConversation,
    StoredMember,
    conversation_view,
    user_view,
)
from models.chat.schema import Place
from models.chat.showing import Showing
from models.chat.standing import (
    has_shown,
    is_closed_by,
    is_present_to,
    may_read,
    other_party,
)
from models.chat.statuses import OFFLINE
from models.chat.views import (
    ChannelView,
    ListedConversationView,
    MemberView,
    MessageView,
    WholeConversationView,
)
from models.chat.visibility import Visibility
from models.database import Document
from models.identity import Identity
from models.pages import Page, Position, cut

SECTIONS = {"a": "member_ids", "r": "request_ids", "q": "quiet_ids"}
"""The parts of a list of conversations, in this order, and the conversations' lists they are of."""


class Lists:
    """What clients show before a conversation is opened."""

    def __init__(
        self, conversations: Conversations, members: Members, people: People, presence: Presence
    ) -> None:
        self._people = people
        self._showing = Showing(people)
        self._conversations = conversations
        self._members = members
        self._presence = presence

    async def conversations(
        self, caller: Identity, *, after: Place | None, limit: int, request: bool | None = None
    ) -> Page[ListedConversationView]:
        """Return a page of what the caller belongs to, channels included.

        First what it has accepted, the latest active first, then requests, the heard ones first;
        `request` restricts it to one of the two.
        """
        sections = {None: "arq", False: "a", True: "rq"}[request]
        found: list[tuple[str, StoredConversation]] = []
        for section in sections:
            before = None
            if after is not None:
                if sections.find(after.section) > sections.find(section):
                    continue
                if after.section == section:
                    before = (after.position.moment, after.position.id)
            wanted = limit + 1 - len(found)
            if wanted > 0:
                page = await self._section(caller.account_id, section, before, wanted)
                found += [(section, conversation) for conversation in page]
        page = [conversation for _, conversation in found[:limit]]
        ids = [conversation["_id"] for conversation in page]
        members = await self._members.many(ids, caller.account_id)
        items = await asyncio.gather(
            *(self._shown(caller, each, members.get(each["_id"])) for each in page)
        )
        following = None
        if len(found) > limit:
            section, last = found[limit - 1]
            following = Place(section, Position(last["last_at"], last["_id"])).to_text()
        return {"items": list(items), "next": following}

    async def _section(
        self, account_id: str, section: str, before: tuple[datetime, str] | None, limit: int
    ) -> list[StoredConversation]:
        found = await self._conversations.of_account(SECTIONS[section], account_id, before, limit)
        if section == "a":
            # Public channels know no members; an account chose each of its own.
            members = await self._members.of_account(account_id, CHANNEL)
            channels = await self._conversations.many([each["conversation_id"] for each in members])
            found += [
                channel
                for channel in channels
                if channel["listed"]
                and (before is None or (channel["last_at"], channel["_id"]) < before)
            ]
            found.sort(key=lambda each: (each["last_at"], each["_id"]), reverse=True)
        return found[:limit]

    async def get(self, caller: Identity, conversation_id: str) -> WholeConversationView:
        """Return a conversation as the list does, with its `members` where it is no channel.

        Raises as `Conversations.readable`; of a channel that the caller has not joined, everything
        is unread.
        """
        conversation = await self._conversations.readable(caller, conversation_id)
        member = await self._members.get(conversation_id, caller.account_id)
        item = cast(WholeConversationView, await self._shown(caller, conversation, member))
        if conversation["kind"] != CHANNEL:
            item["members"] = await self.members(caller, conversation)
        return item

    async def channels(self, caller: Identity, *, after: str, limit: int) -> Page[ChannelView]:
        """Return a page of public channels and the caller's private ones, by name."""
        public = await self._conversations.listed(after, limit + 1)
        memberships = await self._members.of_account(caller.account_id, CHANNEL)
        names = [
            member["conversation_id"] for member in memberships if member["conversation_id"] > after
        ]
        private = [
            channel
            for channel in await self._conversations.many(names)
            if not channel["listed"] and may_read(channel, caller.account_id)
        ]
        channels = sorted([*public, *private], key=lambda channel: str(channel["_id"]))
        found = await asyncio.gather(*(self._channel(caller, each) for each in channels[:limit]))
        following = channels[limit - 1]["_id"] if len(channels) > limit else None
        return {"items": list(found), "next": following}

    async def public(self, conversation_ids: Iterable[str]) -> set[str]:
        """Return which of these are public channels, whose names anyone may see."""
        found = await self._conversations.many(list(conversation_ids))
        return {channel["_id"] for channel in found if channel["listed"]}

    async def members(self, caller: Identity, conversation: StoredConversation) -> list[MemberView]:
        """Return who is in a conversation that is no channel.

        Both sides of a direct conversation; of a group those who have accepted, and the caller.
        E-mail is shown by contacts, status by them and by who has written, reacted or accepted.
        """
        shown_ids = _shown_ids(caller, conversation)
        stored = await asyncio.gather(
            *(self._members.get(conversation["_id"], account_id) for account_id in shown_ids)
        )
        found = [member for member in stored if member is not None]
        people = await self._people.many(member["account_id"] for member in found)
        known = [(member, people[member["account_id"]]) for member in found]
        if conversation["kind"] == DIRECT:
            return [await self._side(caller, conversation, *each) for each in known]
        contacts = await self._conversations.mutual(caller.account_id)
        contacts.add(caller.account_id)
        return list(
            await asyncio.gather(*(self._member(conversation, *each, contacts) for each in known))
        )

    async def members_page(
        self, caller: Identity, conversation_id: str, *, after: str = "", limit: int
    ) -> Page[MemberView]:
        """Return a page of the members of a conversation or channel, in the order of their ids.

        Raises as `Conversations.readable`. A list kept up to date by `member_added` and
        `member_left` is equal to this one.
        """
        conversation = await self._conversations.readable(caller, conversation_id)
        if conversation["kind"] == CHANNEL:
            found = await self._members.page(conversation, after, limit + 1)
            people = await self._people.many(member["account_id"] for member in found)
            items = [
                _channel_member(member, people[member["account_id"]], caller.account_id)
                for member in found
                if conversation["listed"] or member["account_id"] in conversation["member_ids"]
            ]
        else:
            known = await self.members(caller, conversation)
            behind = [each for each in known if each["user_id"] > after]
            items = sorted(behind, key=lambda each: each["user_id"])
        following = items[limit - 1]["user_id"] if len(items) > limit else None
        return {"items": [*items[:limit]], "next": following}

    async def mentions(
        self, caller: Identity, *, after: Position | None = None, limit: int
    ) -> Page[MessageView]:
        """Return a page of the messages that name the caller, the latest first.

        A page may have few items or none and still have a `next`.
        """
        query: Document = {"mentions": caller.account_id}
        if after:
            query["$or"] = after.following("created_at")
        found = await self._conversations.messages.latest(query, limit + 1)
        page, following = cut(found, limit, "created_at")
        items: list[MessageView] = []
        for message in page:
            conversation = await self._conversations.find(message["conversation_id"])
            if conversation is None or not may_read(conversation, caller.account_id):
                continue
            newest = await self._conversations.newest_seq(conversation)
            if Visibility.of(conversation, caller.account_id, newest).sees(message):
                shown = await self._showing.message(conversation, message, caller.account_id)
                items.append(shown)
        return {"items": items, "next": following}

    async def _member(
        self,
        conversation: StoredConversation,
        member: StoredMember,
        who: Person,
        contacts: set[str],
    ) -> MemberView:
        account_id = member["account_id"]
        known = account_id in contacts
        status = OFFLINE
        if known or is_present_to(conversation, account_id):
            status = await self._presence.status(account_id)
        person = user_view(who, email=known)
        return {**person, "read_seq": member["read_seq"], "status": status}

    async def _side(
        self, caller: Identity, conversation: StoredConversation, member: StoredMember, who: Person
    ) -> MemberView:
        """Return one side of a direct conversation."""
        account_id, read_seq = member["account_id"], member["read_seq"]
        own = account_id == caller.account_id
        shows = own or has_shown(conversation, account_id)
        person = user_view(who, email=shows)
        if account_id in conversation.get("departed_ids", ()):
            # The account has another owner than the one that the other side talked with.
            person["user_name"] = None
        alias = conversation.get("alias")
        if alias and not shows:
            person = {
                "user_id": alias,
                "user_email": person["user_email"],
                "user_public_id": alias,
                "user_name": None,
            }
        status = OFFLINE
        if own or is_present_to(conversation, account_id):
            status = await self._presence.status(account_id)
        if not own:
            newest = await self._conversations.newest_seq(conversation)
            visibility = Visibility.of(conversation, caller.account_id, newest)
            read_seq = visibility.newest(min(read_seq, newest))
            if is_closed_by(conversation, account_id):
                read_seq = min(read_seq, _read_when_closed(conversation, account_id))
        return {**person, "read_seq": read_seq, "status": status}

    async def _shown(
        self, caller: Identity, conversation: StoredConversation, member: StoredMember | None
    ) -> ListedConversationView:
        newest = await self._conversations.newest_seq(conversation)
        visibility = Visibility.of(conversation, caller.account_id, newest)
        seq = visibility.newest(newest)
        last = await self._conversations.messages.get(conversation["_id"], seq)
        read_seq = member["read_seq"] if member else 0
        quiet = caller.account_id in conversation.get("quiet_ids", ())
        account_id = caller.account_id
        item = cast(ListedConversationView, conversation_view(conversation, account_id))
        item["last_message"] = (
            await self._showing.message(conversation, last, account_id) if last else None
        )
        item["seq"] = seq
        item["read_seq"] = read_seq
        item["unread"] = (
            0
            if quiet
            else await self._conversations.unread(conversation, account_id, read_seq, newest)
        )
        if conversation["kind"] != CHANNEL:
            alias = conversation.get("alias")
            item["member_ids"] = [
                alias
                if alias and who != caller.account_id and not has_shown(conversation, who)
                else who
                for who in _shown_ids(caller, conversation)
            ]
        if conversation["kind"] == DIRECT:
            other_id = other_party(conversation, caller.account_id)
            item["status"] = OFFLINE
            if is_present_to(conversation, other_id):
                item["status"] = await self._presence.status(other_id)
        return item

    async def _channel(self, caller: Identity, channel: StoredConversation) -> ChannelView:
        count = len(channel["member_ids"])
        if channel["listed"]:
            count = await self._members.count(channel["_id"])
        return {**conversation_view(channel, caller.account_id), "member_count": count}


def _channel_member(member: StoredMember, who: Person, viewer_id: str) -> MemberView:
    view = cast(MemberView, user_view(who, email=member["account_id"] == viewer_id))
    view["read_seq"] = member["read_seq"]
    return view


def _shown_ids(caller: Identity, conversation: StoredConversation) -> list[str]:
    """Return the accounts that the caller sees in a conversation, its creator first."""
    if conversation["kind"] == DIRECT:
        sides = {caller.account_id, other_party(conversation, caller.account_id)}
        return sorted(sides, key=lambda who: (who != conversation["created_by"], len(who), who))
    member_ids: list[str] = conversation["member_ids"]
    own = [] if caller.account_id in member_ids else [caller.account_id]
    return [*member_ids, *own]


def _read_when_closed(conversation: StoredConversation, account_id: str) -> int:
    """Return how far a side had read when it closed the conversation."""
    read: int = next(
        silence["read_seq"]
        for silence in reversed(conversation["silences"])
        if silence["hidden_from"] == account_id
    )
    return read
