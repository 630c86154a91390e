"""Write a new account so that no key is ever shared, whoever writes at the same time or dies.

`accounts`: `_id` (decimal counter as text), `number`, `email`, `name`, `phone`, `firebase_uid`,
`public_id`, `password_hash`, `disabled`, `disabled_at`, `created_at`. `counters`: `_id`, `value`.
"""

import asyncio
from typing import Any

from pymongo.errors import DuplicateKeyError

from models.accounts import keys
from models.accounts.keys import AccountKeys
from models.accounts.schema import Account
from models.database import Database, Document
from models.errors import Conflict, Unavailable
from models.numbers import next_number
from models.times import Clock

PROVISION_TRIES = 40
PROVISION_WAIT_S = 0.05
"""Two seconds in all for another request that is writing the same account."""

_TAKEN = {
    "email": ("email_taken", "This e-mail already has an account."),
    "phone": ("phone_taken", "This phone number already has an account."),
    "firebase": ("firebase_uid_taken", "This Firebase user already has an account."),
}


class Creation:
    """Creates accounts."""

    def __init__(self, database: Database, account_keys: AccountKeys, clock: Clock) -> None:
        self._accounts = database["accounts"]
        self._counters = database["counters"]
        self._keys = account_keys
        self._clock = clock

    async def create(
        self,
        *,
        email: str | None = None,
        name: str | None = None,
        phone: str | None = None,
        firebase_uid: str | None = None,
        public_id: str | None = None,
        password_hash: str | None = None,
    ) -> Account:
        """Write an account; without `public_id` it is known by its id.

        Raises:
            Conflict: code `email_taken`, `phone_taken` or `firebase_uid_taken`.
        """
        while True:
            document = self._document(
                await next_number(self._counters, "accounts"),
                email=email,
                name=name,
                phone=phone,
                firebase_uid=firebase_uid,
                public_id=public_id,
                password_hash=password_hash,
            )
            if await self._write(document):
                return Account.of(document)

    async def provide_numbered(self, number: int) -> Account:
        """Give the account with this number; create it, known by nothing else, if there is none.

        The counter passes over it when it comes there.
        """
        document = self._document(number)
        while not await self._write(document):
            found = await self._accounts.find_one({"_id": document["_id"]})
            if found:
                return Account.of(found)
        return Account.of(document)

    async def provide(
        self,
        key: str,
        *,
        email: str | None = None,
        name: str | None = None,
        phone: str | None = None,
        firebase_uid: str | None = None,
        public_id: str | None = None,
    ) -> Account:
        """Give the account that holds `key`, one of the values; create it if there is none.

        Raises:
            Unavailable: code `busy`: another request has been creating it for too long.
        """
        for _ in range(PROVISION_TRIES):
            found = await self._keys.find(key)
            if found:
                return Account.of(found)
            try:
                return await self.create(
                    email=email,
                    name=name,
                    phone=phone,
                    firebase_uid=firebase_uid,
                    public_id=public_id,
                )
            except Conflict:
                await asyncio.sleep(PROVISION_WAIT_S)
        raise Unavailable("The account is being made; try again.", code="busy", retry_after_s=1)

    def _document(self, number: int, *, public_id: str | None = None, **known: Any) -> Document:
        unknown = dict.fromkeys(("email", "name", "phone", "firebase_uid", "password_hash"))
        return {
            **unknown,
            **known,
            "_id": str(number),
            "number": number,
            "public_id": public_id or str(number),
            "disabled": False,
            "disabled_at": None,
            "created_at": self._clock(),
        }

    async def _write(self, document: Document) -> bool:
        """Claim the keys, insert, confirm; False when the number has an account already."""
        account_id: str = document["_id"]
        claimed: list[str] = []
        try:
            for key in keys.keys_of(document):
                if not await self._keys.claim(key, account_id):
                    raise taken(key)
                claimed.append(key)
            await self._accounts.insert_one(document)
        except (Conflict, DuplicateKeyError) as error:
            await self._give_back(claimed, account_id)
            if isinstance(error, Conflict):
                raise
            # A restored backup, an account made under its number, or a counter that a server
            # without atomic changes gave twice.
            return False
        for key in claimed:
            if not await self._keys.confirm(key, account_id):
                # This process slept for so long that another one took the key over.
                await self._accounts.delete_one({"_id": account_id})
                await self._give_back(claimed, account_id)
                raise taken(key)
        return True

    async def _give_back(self, claimed: list[str], account_id: str) -> None:
        for key in claimed:
            await self._keys.release(key, account_id)


def taken(key: str) -> Conflict:
    """Give the error for a natural key that another account holds."""
    code, message = _TAKEN[key.partition(":")[0]]
    return Conflict(message, code=code)
