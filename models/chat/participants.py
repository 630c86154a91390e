"""Finding people by what they are called, without revealing who has an account.

Whether a name means anyone is not told: an unknown one is answered as someone who never answers,
and so is someone who cannot be reached. Until they show themselves, people named by an address are
seen under an alias that is made of the address alone.
"""

import asyncio
from dataclasses import dataclass, replace
from typing import Protocol

from models.accounts import Account, People, person_of
from models.accounts.lookups import Lookups
from models.accounts.people import Person
from models.chat.conversations import Conversations
from models.errors import Invalid
from models.identity import Identity


class Directory(Protocol):
    """Where people are found; `models.accounts.Accounts` is one."""

    @property
    def people(self) -> People:
        """How those who are found are shown."""

    async def find_by_phone(self, phone: str) -> Account | None:
        """Return the account with a phone number in E.164."""

    async def resolve_participant(self, name: str) -> Account | None:
        """Return the account that an e-mail, an account id or a public id means."""


UID_MIN = 20
"""Characters: a Firebase uid that its project did not choose itself has 28, so that what is far
shorter, and no number or address, is a slip of the finger rather than a person's id."""


@dataclass(frozen=True, slots=True)
class Named:
    """Whom a name means."""

    person: Person
    exists: bool

    alias: str | None
    """The id under which they are seen at first, where the name was an address."""

    token: str
    """The name in a form that says nothing; each name has one."""

    @property
    def id(self) -> str:
        """The account's id; one that no account has where there is none."""
        account_id: str = self.person["id"]
        return account_id

    def as_unknown(self) -> "Named":
        """Return the same name as one that no account has."""
        person: Person = {"id": self.token, "email": None, "public_id": self.token, "name": None}
        return replace(self, person=person, exists=False)


class Participants:
    """Finds whom the names of participants mean."""

    def __init__(
        self, directory: Directory, conversations: Conversations, lookups: Lookups
    ) -> None:
        self._directory = directory
        self._conversations = conversations
        self._lookups = lookups

    async def find(self, caller: Identity, names: list[str]) -> list[Named]:
        """Return whom the names mean, each person once and the caller left out.

        Raises:
            Invalid: `participants` has what no name can be, at its positions.
            TooManyRequests: code `too_many_lookups`.
        """
        wanted = list(dict.fromkeys(names))
        self._lookups.count(caller.account_id, len(wanted))
        found = await asyncio.gather(*map(self._find, wanted))
        problem = "Not an account id, public id, e-mail address or phone number."
        problems: dict[str, object] = {
            str(names.index(name)): [problem]
            for name, named in zip(wanted, found, strict=True)
            if not named.exists and not _may_be_a_name(name)
        }
        if problems:
            raise Invalid("Some participants are no names.", fields={"participants": problems})
        people = {named.id: named for named in reversed(found)}
        people.pop(caller.account_id, None)
        return list(reversed(people.values()))

    async def _find(self, name: str) -> Named:
        alias = await self._conversations.alias(name.strip().casefold())
        address = "@" in name or name.startswith("+")
        account = await self._directory.resolve_participant(name)
        if account is not None:
            person = person_of(account)
        else:
            own_id = alias if address else name
            person = {"id": own_id, "email": None, "public_id": own_id, "name": None}
        return Named(person, account is not None, alias if address else None, alias)


def _may_be_a_name(text: str) -> bool:
    is_id = text.isascii() and text.isdecimal()
    return is_id or "@" in text or text.startswith("+") or len(text) >= UID_MIN
