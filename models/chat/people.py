"""Search for people among those whom an account knows: its contacts, and who shares a conversation.

Nothing tells whether an e-mail or a phone number of a stranger is anyone's.
"""

from collections.abc import Collection, Iterable

from models.accounts.lookups import Lookups
from models.accounts.people import Person, public_user
from models.accounts.views import PublicUser
from models.chat.conversations import Conversations
from models.chat.members import Members
from models.chat.participants import Directory
from models.chat.records import CHANNEL, GROUP, StoredConversation
from models.chat.standing import may_read
from models.identity import Identity
from models.pages import Page
from models.text import as_handle, fold

SEARCHED_CONVERSATIONS = 200
"""Groups, and channels, whose members are looked at: the latest active ones; more than a person
keeps open in a year."""

CANDIDATES = 500
"""Members whose handles match that are read: among so many, a longer text is the better answer."""


class PeopleSearch:
    """Finds people by their names, and contacts by their whole e-mail address or phone number."""

    def __init__(
        self,
        directory: Directory,
        conversations: Conversations,
        members: Members,
        lookups: Lookups,
    ) -> None:
        self._directory = directory
        self._conversations = conversations
        self._members = members
        self._people = directory.people
        self._lookups = lookups

    async def search(self, caller: Identity, *, q: str, limit: int) -> Page[PublicUser]:
        """Return the people with `q` in their names, contacts first, then by name.

        There is no next page: a longer text finds fewer. Without `q` they are the caller's contacts
        and others it shares conversations with. Whole e-mail addresses and phone numbers find
        contacts only, who have shown theirs.

        Raises:
            TooManyRequests: code `too_many_lookups`.
        """
        self._lookups.count(caller.account_id)
        contacts = await self._conversations.mutual(caller.account_id)
        sharing = await self._sharing(caller.account_id, as_handle(q))
        people = await self._people.many([*contacts, *sharing])
        people.pop(caller.account_id, None)
        reached = await self._reached(q.strip())
        text = " ".join(fold(q).split())
        found = [
            person
            for person in people.values()
            if _is_called(person, text) or (person["id"] == reached and reached in contacts)
        ]
        found.sort(key=lambda who: (who["id"] not in contacts, fold(who["name"] or ""), who["id"]))
        return {"items": [public_user(person) for person in found[:limit]], "next": None}

    async def aliases(self, caller: Identity, ids: Collection[str]) -> set[str]:
        """Return which of some ids stand for people whom the caller has named by an address."""
        return await self._conversations.aliases(caller.account_id, ids) if ids else set()

    async def _reached(self, name: str) -> str | None:
        """Return the account with this whole e-mail address or phone number."""
        if "@" in name:
            account = await self._directory.resolve_participant(name)
        elif name.startswith("+"):
            account = await self._directory.find_by_phone(name)
        else:
            return None
        return account.id if account else None

    async def _sharing(self, account_id: str, handle: str) -> Iterable[str]:
        """Return who shares a group or a channel with an account and may be called so."""
        groups = await self._conversations.of_account(
            "member_ids", account_id, None, SEARCHED_CONVERSATIONS
        )
        members = await self._members.of_account(account_id, CHANNEL)
        channels = await self._conversations.many([each["conversation_id"] for each in members])
        channels.sort(key=lambda each: (each["last_at"], each["_id"]), reverse=True)
        shared = [
            each
            for each in [*groups, *channels[:SEARCHED_CONVERSATIONS]]
            if each["kind"] in (GROUP, CHANNEL) and may_read(each, account_id)
        ]
        found = await self._members.called([each["_id"] for each in shared], handle, CANDIDATES)
        by_id: dict[str, StoredConversation] = {each["_id"]: each for each in shared}
        return dict.fromkeys(
            member["account_id"]
            for member in found
            if may_read(by_id[member["conversation_id"]], member["account_id"])
        )


def _is_called(person: Person, text: str) -> bool:
    return person["name"] is not None and text in " ".join(fold(person["name"]).split())
