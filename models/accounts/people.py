"""How accounts are shown to others: the one source of their names, e-mails and public ids.

Nothing keeps a copy of these but what is looked up by them (see `when_changed`). A process asks the
accounts for each person it shows, and remembers the answer for as long as it may take until it sees
what another process has changed.
"""

from collections import OrderedDict
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from time import monotonic
from typing import TypedDict

from models.accounts.schema import Account
from models.accounts.views import PublicUser
from models.identity import Identity

FRESH_S = 2.0
"""Seconds after which a process shows what another one has changed: long enough that a busy
conversation costs no query for each message. Its own changes are shown at once."""

REMEMBERED = 10_000
"""People kept in memory, about 1 KB each: more than one process shows within `FRESH_S`."""

SHOWN = frozenset({"name", "email", "public_id"})
"""The fields of accounts that make a person."""

Listener = Callable[[str], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class _Remembered:
    account: Account
    until: float


class Person(TypedDict):
    """A person as an account has it that may know everything shown of others."""

    id: str
    email: str | None
    public_id: str
    name: str | None
    """None: the account has none, or there is no account."""


class People:
    """The people behind account ids, each as `person_of` returns it."""

    def __init__(
        self,
        find: Callable[[Sequence[str]], Awaitable[Iterable[Account]]],
        clock: Callable[[], float] = monotonic,
    ) -> None:
        """`find` returns those accounts that there are of some ids."""
        self._find = find
        self._clock = clock
        self._remembered: OrderedDict[str, _Remembered] = OrderedDict()
        self._changes = 0
        self._listeners: list[Listener] = []

    def when_changed(self, listener: Listener) -> None:
        """Have `listener` called with the id of each account that is shown differently from now on.

        For what is looked up by name: a listener updates it, and does the same when called again.
        """
        self._listeners.append(listener)

    async def changed(self, account_id: str) -> None:
        """Note that this process has changed how an account is shown, or has deleted it."""
        self._changes += 1
        self._remembered.pop(account_id, None)
        for listener in self._listeners:
            await listener(account_id)

    async def one(self, account_id: str) -> Person:
        """Return the person behind an id; without a name or an address where there is none."""
        return (await self.many([account_id]))[account_id]

    async def many(self, account_ids: Iterable[str]) -> dict[str, Person]:
        """Return the people behind some ids, by id."""
        found = await self.accounts(account_ids)
        return {
            account_id: missing_person(account_id) if account is None else person_of(account)
            for account_id, account in found.items()
        }

    async def current(self, identity: Identity) -> Identity:
        """Return the identity of a live connection with what its account is shown now.

        It stays as it is where its credentials have ended: the account may have another owner.
        """
        account = (await self.accounts([identity.account_id]))[identity.account_id]
        if account is None or account.credential_version != identity.credential_version:
            return identity
        shown = (account.name, account.email, account.public_id)
        if shown == (identity.name, identity.email, identity.public_id):
            return identity
        return replace(
            identity, name=account.name, email=account.email, public_id=account.public_id
        )

    async def accounts(self, account_ids: Iterable[str]) -> dict[str, Account | None]:
        """Return the accounts with some ids, by id; None where there is none, or none any more."""
        now = self._clock()
        known: dict[str, Account | None] = {}
        missing: list[str] = []
        for account_id in dict.fromkeys(account_ids):
            remembered = self._remembered.get(account_id)
            if remembered is not None and now < remembered.until:
                known[account_id] = remembered.account
            else:
                missing.append(account_id)
        if missing:
            changes = self._changes
            found = {account.id: account for account in await self._find(missing)}
            known |= {account_id: found.get(account_id) for account_id in missing}
            # What was read before a change of this process may be older than the change. That there
            # is no account is not remembered: there may be one in the next moment.
            if changes == self._changes:
                for account in found.values():
                    self._remember(account, now + FRESH_S)
        return known

    def _remember(self, account: Account, until: float) -> None:
        self._remembered[account.id] = _Remembered(account, until)
        self._remembered.move_to_end(account.id)
        if len(self._remembered) > REMEMBERED:
            self._remembered.popitem(last=False)


def person_of(who: Identity | Account) -> Person:
    """Return `id`, `email`, `public_id` and `name` of an account."""
    account_id = who.id if isinstance(who, Account) else who.account_id
    return {"id": account_id, "email": who.email, "public_id": who.public_id, "name": who.name}


def public_user(person: Person) -> PublicUser:
    """Return what everybody may know of a person: `id`, `public_id`, `name`."""
    return {"id": person["id"], "public_id": person["public_id"], "name": person["name"]}


def missing_person(account_id: str) -> Person:
    """Return the person of an account that there is not, or not any more."""
    return {"id": account_id, "email": None, "public_id": account_id, "name": None}
