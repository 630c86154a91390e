"""Write a new account so that no key is ever shared, whichever process writes or dies."""

import asyncio
import secrets
from collections.abc import Callable
from datetime import datetime
from typing import Unpack

from pymongo.errors import DuplicateKeyError

from models.accounts import keys
from models.accounts.admission import Admission
from models.accounts.keys import AccountKeys
from models.accounts.naming import ID_MAX
from models.accounts.schema import Account
from models.accounts.stored import NewAccount, StoredAccount
from models.database import Database, typed
from models.error_codes import ErrorCode
from models.errors import Conflict, Unavailable
from models.times import Clock

PROVISION_TRIES = 40
PROVISION_WAIT_S = 0.05
"""Two seconds in all for another request that is writing the same account."""

ID_MIN = 10**15
"""Ids that the server makes have 16 digits: they cannot be counted through, no phone number has as
many (E.164: 15), and none is an id of a time when accounts were counted."""

NewId = Callable[[], int]

_TAKEN: dict[str, tuple[ErrorCode, str]] = {
    "address": ("email_taken", "This e-mail already has an account."),
    "email": ("email_taken", "This e-mail already has an account."),
    "phone": ("phone_taken", "This phone number already has an account."),
    "firebase": ("firebase_uid_taken", "This Firebase user already has an account."),
}


def random_id() -> int:
    """Return an id for a new account, evenly from `ID_MIN` to 2^53 - 1."""
    return ID_MIN + secrets.randbelow(ID_MAX - ID_MIN + 1)


class Creation:
    """Creates accounts."""

    def __init__(
        self,
        database: Database,
        account_keys: AccountKeys,
        clock: Clock,
        new_id: NewId,
        admission: Admission,
    ) -> None:
        self._accounts = typed(database["accounts"], StoredAccount)
        self._keys = account_keys
        self._clock = clock
        self._new_id = new_id
        self._admission = admission

    async def check(self, invite: str | None = None) -> None:
        """Refuse an account that `create` would refuse to make; raises `Forbidden`."""
        await self._admission.check(invite)

    async def create(
        self, *, number: int | None = None, invite: str | None = None, **values: Unpack[NewAccount]
    ) -> Account:
        """Write an account with these fields; the others are empty.

        It gets the id `number` if that is free, else a random one, and is known by its id where
        there is no `public_id`. A verified value is left out where another account has verified it.

        Raises:
            Conflict: code `email_taken`, `phone_taken` or `firebase_uid_taken`.
            Forbidden: as `Admission.check`.
        """
        while True:
            document = self._document(number or self._new_id(), **values)
            if await self._admit(document, invite):
                return Account.of(document)
            number = None

    async def provide_numbered(self, number: int) -> Account:
        """Return the account with this number; create it, known by nothing else, if needed."""
        document = self._document(number)
        while not await self._admit(document):
            found = await self._accounts.find_one({"_id": document["_id"]})
            if found:
                return Account.of(found)
        return Account.of(document)

    async def provide(self, key: str, **values: Unpack[NewAccount]) -> Account:
        """Return the account that holds `key`, one of the values; create it if there is none.

        Raises:
            Conflict: another one of the values is taken.
            Unavailable: code `busy`: another request has been creating it for too long.
        """
        for _ in range(PROVISION_TRIES):
            found = await self._keys.find(key)
            if found:
                return Account.of(found)
            try:
                return await self.create(**values)
            except Conflict:
                await asyncio.sleep(PROVISION_WAIT_S)
        raise busy()

    def _document(self, number: int, **known: Unpack[NewAccount]) -> StoredAccount:
        document: StoredAccount = {
            "_id": str(number),
            "number": number,
            "email": known.get("email"),
            "email_verified_at": known.get("email_verified_at"),
            "name": known.get("name"),
            "phone": known.get("phone"),
            "phone_verified_at": known.get("phone_verified_at"),
            "firebase_uid": known.get("firebase_uid"),
            "public_id": known.get("public_id") or str(number),
            "password_hash": known.get("password_hash"),
            "disabled": False,
            "disabled_at": None,
            "handover_began_at": None,
            "created_at": self._clock(),
        }
        if "time_zone" in known:
            document["time_zone"] = known["time_zone"]
        return document

    async def _admit(self, document: StoredAccount, invite: str | None = None) -> bool:
        """Write an account if one may be made: every way in passes here; as `_write`."""
        await self._admission.take(invite)
        written = False
        try:
            written = await self._write(document)
        finally:
            if not written:
                await self._admission.give_back(invite)
        return written

    async def _write(self, document: StoredAccount) -> bool:
        """Claim the keys, insert, confirm; False when the number has an account already."""
        account_id = document["_id"]
        claimed: list[str] = []
        try:
            for key in keys.keys_of(document):
                if await self._keys.claim(key, account_id):
                    claimed.append(key)
                elif not is_optional(key, document.get("email_verified_at")):
                    raise taken(key)
            await self._accounts.insert_one(document)
        except (Conflict, DuplicateKeyError) as error:
            await self._release(claimed, account_id)
            if isinstance(error, Conflict):
                raise
            # An account made under its number, or a random number that came twice.
            return False
        for key in claimed:
            if not await self._keys.confirm(key, account_id):
                # This process slept for so long that another one took the key over.
                await self._accounts.delete_one({"_id": account_id})
                await self._release(claimed, account_id)
                raise taken(key)
        return True

    async def _release(self, claimed: list[str], account_id: str) -> None:
        for key in claimed:
            await self._keys.release(key, account_id)


def is_optional(key: str, email_verified_at: datetime | None) -> bool:
    """Whether an account may exist without this key of one of its values."""
    return key.startswith("email:") and email_verified_at is not None


def taken(key: str) -> Conflict:
    """Return the error for a natural key that another account holds."""
    code, message = _TAKEN[key.partition(":")[0]]
    return Conflict(message, code=code)


def busy() -> Unavailable:
    """Return the error for an account that another request has been working on for too long."""
    return Unavailable("The account is being made; try again.", code="busy", retry_after_s=1)
