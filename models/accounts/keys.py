"""Natural keys of accounts: each e-mail, phone and Firebase uid belongs to one account.

A key is claimed before its account is written and confirmed after, so that no two accounts ever
share one. A claim whose writer died is taken over after `STALE`, and a key whose account no longer
has the value at once.

A sign-up needs both keys of its e-mail. A verified e-mail needs the exact one only: another
account's address that merely looks alike cannot keep it from its owner.
"""

from datetime import timedelta

from pymongo.errors import DuplicateKeyError

from models.accounts import emails
from models.accounts.stored import StoredAccount, StoredKey
from models.database import Database, typed
from models.times import Clock

STALE = timedelta(seconds=60)
"""Far longer than writing an account takes, short enough for a person to try again."""


def keys_of(account: StoredAccount) -> list[str]:
    """Return the natural keys of what a stored account has."""
    return [
        *of_value("email", account["email"]),
        *of_value("phone", account["phone"]),
        *of_value("firebase_uid", account["firebase_uid"]),
    ]


def of_value(field: str, value: str | None) -> list[str]:
    """Return the keys of one field's value."""
    if value is None:
        return []
    match field:
        case "email":
            return [for_address(value), for_email(value)]
        case "phone":
            return [for_phone(value)]
        case _:
            return [for_firebase(value)]


def for_address(email: str) -> str:
    """Return the key of exactly this address."""
    return f"address:{emails.exact(email)}"


def for_email(email: str) -> str:
    """Return the key of an address and of all that look like it."""
    return f"email:{emails.folded(email)}"


def for_phone(phone: str) -> str:
    """Return the key of a phone number in E.164."""
    return f"phone:{phone}"


def for_firebase(uid: str) -> str:
    """Return the key of a Firebase uid."""
    return f"firebase:{uid}"


class AccountKeys:
    """Claims keys, and finds accounts by them."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._keys = typed(database["account_keys"], StoredKey)
        self._accounts = typed(database["accounts"], StoredAccount)
        self._clock = clock

    async def find(self, key: str) -> StoredAccount | None:
        """Return the stored account that holds `key`."""
        claim = await self._keys.find_one({"_id": key})
        return await self._holder(claim) if claim else None

    async def claim(self, key: str, account_id: str) -> bool:
        """Take `key` for an account about to be written; False when another one has it."""
        while True:
            now = self._clock()
            claim: StoredKey = {
                "_id": key,
                "account_id": account_id,
                "claimed_at": now,
                "confirmed": False,
            }
            try:
                await self._keys.insert_one(claim)
            except DuplicateKeyError:
                held = await self._keys.find_one({"_id": key})
            else:
                return True
            if held is None:
                continue
            if not held["confirmed"] and held["claimed_at"] > now - STALE:
                return False
            if await self._holder(held) is not None:
                return False
            taken_over = await self._keys.update_one(
                {
                    "_id": key,
                    "account_id": held["account_id"],
                    "confirmed": held["confirmed"],
                },
                {"$set": {"account_id": account_id, "claimed_at": now, "confirmed": False}},
            )
            if taken_over.matched_count:
                return True

    async def confirm(self, key: str, account_id: str) -> bool:
        """Keep a claimed key for good; False when it was taken over in the meantime."""
        confirmed = await self._keys.update_one(
            {"_id": key, "account_id": account_id}, {"$set": {"confirmed": True}}
        )
        return confirmed.matched_count == 1

    async def release(self, key: str, account_id: str) -> None:
        """Release a key."""
        await self._keys.delete_one({"_id": key, "account_id": account_id})

    async def _holder(self, claim: StoredKey) -> StoredAccount | None:
        account = await self._accounts.find_one({"_id": claim["account_id"]})
        return account if account and claim["_id"] in keys_of(account) else None
