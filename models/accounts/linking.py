"""Firebase users and their accounts: what a provider has verified, and what that is worth.

A verified value beats one that someone merely typed:

* An account with exactly the verified e-mail, which no one had proved to be theirs, is handed over:
  password, sessions, name and unproved phone number of the former holder go, listeners of
  `Handovers` end what else was theirs, and only then is the owner admitted.
* A verified phone number, or the e-mail of an account that is not handed over because its Firebase
  user is another one, is taken from the unproved holder, who keeps the rest of the account.
* A value that another account has verified stays there. An e-mail that only looks like someone
  else's (`models.accounts.emails`) takes nothing and is kept from no one.

An account takes in what its Firebase user verifies later, in place of what was never proved, and
keeps what was.
"""

import asyncio
from collections.abc import Mapping

from models.accounts import emails, keys
from models.accounts.creation import (
    PROVISION_TRIES,
    PROVISION_WAIT_S,
    Creation,
    busy,
    is_optional,
    taken,
)
from models.accounts.directory import Directory
from models.accounts.handovers import Handovers
from models.accounts.keys import AccountKeys
from models.accounts.naming import is_clearly_uid
from models.accounts.people import People
from models.accounts.schema import (
    NAME_MAX,
    Account,
    email_field,
    name_field,
    phone_field,
    usable,
)
from models.accounts.stored import Address, NewAccount, StoredAccount, verified_at
from models.database import Database, Filter, typed
from models.errors import Conflict
from models.times import Clock

_EMAIL, _PHONE, _NAME = email_field(), phone_field(), name_field()


class Linking:
    """Finds, links or creates the account of a Firebase user."""

    def __init__(
        self,
        database: Database,
        account_keys: AccountKeys,
        directory: Directory,
        creation: Creation,
        handovers: Handovers,
        people: People,
        clock: Clock,
    ) -> None:
        self._accounts = typed(database["accounts"], StoredAccount)
        self._keys = account_keys
        self._directory = directory
        self._creation = creation
        self._handovers = handovers
        self._people = people
        self._clock = clock

    async def find_or_create(
        self, uid: str, verified_email: object, verified_phone: object, name: object
    ) -> Account:
        """Return the account of the user; see `Accounts.find_or_create_by_firebase`.

        Raises:
            Unavailable: code `busy`: another request has been at it for too long.
        """
        email, phone = usable(_EMAIL, verified_email), usable(_PHONE, verified_phone)
        name = usable(_NAME, name[:NAME_MAX]) if isinstance(name, str) else None
        key = keys.for_firebase(uid)
        for _ in range(PROVISION_TRIES):
            try:
                found = await self._keys.find(key)
                if found is None:
                    found = await self._first_seen(uid, email, phone, name)
                if found is not None and await self._handovers.is_finished(found):
                    return Account.of(await self._take_in(found, email, phone))
            except Conflict:
                # Someone claimed one of the values in the same moment.
                pass
            await asyncio.sleep(PROVISION_WAIT_S)
        raise busy()

    async def change_email(self, account: StoredAccount, email: str) -> StoredAccount:
        """Return an account an e-mail that its owner has proved, in place of the former one.

        An account that only typed the address loses it, as to a Firebase user who proves it.

        Raises:
            Conflict: code `email_taken`: another account has proved it; `email_changed`: the
                account has got another one, or other credentials, in the same moment.
        """
        holder = await self._directory.exactly(email)
        if holder is not None and holder["_id"] == account["_id"]:
            return await self._set(account, {"email_verified_at": self._clock()})
        values = await self._free("email", email)
        if not values:
            raise taken("email")
        as_read: dict[str, object] = {"email": account["email"]}
        if "credential_version" in account:
            as_read["credential_version"] = account["credential_version"]
        return await self._replace(account, "email", values, only_if=as_read)

    async def _first_seen(
        self, uid: str, email: str | None, phone: str | None, name: str | None
    ) -> StoredAccount | None:
        """Link or create the account of an unknown user; None when that is to be tried again."""
        holder = await self._directory.exactly(email) if email else None
        if holder is not None and holder["firebase_uid"] is None:
            return await self._link(holder, uid, name)
        # Before anything is taken from an unproved holder.
        await self._creation.check()
        values: NewAccount = {"firebase_uid": uid, "name": name}
        if is_clearly_uid(uid):
            values["public_id"] = uid
        values.update(await self._free("email", email))
        values.update(await self._free("phone", phone))
        await self._creation.create(**values)
        return await self._keys.find(keys.for_firebase(uid))

    async def _link(
        self, holder: StoredAccount, uid: str, name: str | None
    ) -> StoredAccount | None:
        account_id, key = holder["_id"], keys.for_firebase(uid)
        if not await self._keys.claim(key, account_id):
            return None
        proved = holder.get("email_verified_at")
        values = {"firebase_uid": uid, "email_verified_at": self._clock()}
        update: Mapping[str, object] = {"$set": values}
        if proved is None:
            update = self._handovers.begin(holder, {**values, "name": name})
        linked = await self._accounts.find_one_and_update(
            {
                "_id": account_id,
                "firebase_uid": None,
                "email": holder["email"],
                "email_verified_at": proved,
            },
            update,
            return_document=True,
        )
        if linked is None:
            await self._keys.release(key, account_id)
            return None
        await self._keys.confirm(key, account_id)
        if proved is None:
            if linked["phone"] is None and holder["phone"] is not None:
                await self._keys.release(keys.for_phone(holder["phone"]), account_id)
            await self._handovers.run(linked)
        return await self._keys.find(key)

    async def _take_in(
        self, account: StoredAccount, email: str | None, phone: str | None
    ) -> StoredAccount:
        """Add verified values where the account has none, or one that was never proved."""
        verified: tuple[tuple[Address, str | None], ...] = (("email", email), ("phone", phone))
        for field, value in verified:
            if value is None or verified_at(account, field) is not None:
                continue
            present = account[field]
            if present is not None and _same(field, present, value):
                account = await self._set(account, {f"{field}_verified_at": self._clock()})
            elif free := await self._free(field, value):
                account = await self._replace(account, field, free)
        return account

    async def _free(self, field: Address, value: str | None) -> NewAccount:
        """Return the fields that set a verified value, taken from an unproved holder if need be.

        None of them when there is no value, or another account has verified it.
        """
        if value is None:
            return {}
        if field == "email":
            holder = await self._directory.exactly(value)
        else:
            holder = await self._keys.find(keys.for_phone(value))
        if holder is not None and not await self._handovers.take(holder, field):
            return {}
        at = self._clock()
        if field == "email":
            return {"email": value, "email_verified_at": at}
        return {"phone": value, "phone_verified_at": at}

    async def _replace(
        self,
        account: StoredAccount,
        field: Address,
        values: NewAccount,
        *,
        only_if: Filter | None = None,
    ) -> StoredAccount:
        account_id, email_verified_at = account["_id"], values.get("email_verified_at")
        wanted = keys.of_value(field, values[field])
        claimed = []
        for key in wanted:
            if await self._keys.claim(key, account_id):
                claimed.append(key)
            elif not is_optional(key, email_verified_at):
                await self._release(claimed, account_id)
                raise taken(key)
        replaced = await self._accounts.find_one_and_update(
            {"_id": account_id, **(only_if or {})}, {"$set": values}, return_document=True
        )
        if replaced is None:
            await self._release(claimed, account_id)
            if only_if is None:
                return account
            raise Conflict("The account has changed in the same moment.", code="email_changed")
        for key in claimed:
            await self._keys.confirm(key, account_id)
        for key in keys.of_value(field, account[field]):
            if key not in wanted:
                await self._keys.release(key, account_id)
        await self._people.changed(account_id)
        return replaced

    async def _release(self, claimed: list[str], account_id: str) -> None:
        for key in claimed:
            await self._keys.release(key, account_id)

    async def _set(self, account: StoredAccount, values: Mapping[str, object]) -> StoredAccount:
        changed = await self._accounts.find_one_and_update(
            {"_id": account["_id"]}, {"$set": values}, return_document=True
        )
        return account if changed is None else changed


def _same(field: str, one: str, other: str) -> bool:
    return emails.exact(one) == emails.exact(other) if field == "email" else one == other
