"""Natural keys of accounts: each e-mail, phone and Firebase uid belongs to one account.

`account_keys`: `_id` (`email:<folded>`, `phone:<E.164>`, `firebase:<uid>`), `account_id`,
`claimed_at`, `confirmed`. A key is claimed before its account is written and confirmed after,
so that no two accounts ever share one; a claim whose writer died is taken over after `STALE`.
"""

from datetime import timedelta

from pymongo.errors import DuplicateKeyError

from models.accounts.schema import email_key
from models.database import Database, Document
from models.times import Clock

STALE = timedelta(seconds=60)
"""Far longer than writing an account takes, short enough for a person to try again."""


def keys_of(account: Document) -> list[str]:
    """Give the natural keys that a stored account holds."""
    keys = []
    if account["email"] is not None:
        keys.append(for_email(account["email"]))
    if account["phone"] is not None:
        keys.append(for_phone(account["phone"]))
    if account["firebase_uid"] is not None:
        keys.append(for_firebase(account["firebase_uid"]))
    return keys


def for_email(email: str) -> str:
    """Name the key of an e-mail address, the same for all its spellings."""
    return f"email:{email_key(email)}"


def for_phone(phone: str) -> str:
    """Name the key of a phone number in E.164."""
    return f"phone:{phone}"


def for_firebase(uid: str) -> str:
    """Name the key of a Firebase uid."""
    return f"firebase:{uid}"


class AccountKeys:
    """Claims keys, and finds accounts by them."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._keys = database["account_keys"]
        self._accounts = database["accounts"]
        self._clock = clock

    async def find(self, key: str) -> Document | None:
        """Give the stored account that holds `key`."""
        claim = await self._keys.find_one({"_id": key})
        return await self._holder(claim) if claim else None

    async def claim(self, key: str, account_id: str) -> bool:
        """Take `key` for an account about to be written; False when another one has it."""
        while True:
            now = self._clock()
            claim = {"_id": key, "account_id": account_id, "claimed_at": now, "confirmed": False}
            try:
                await self._keys.insert_one(claim)
            except DuplicateKeyError:
                held = await self._keys.find_one({"_id": key})
            else:
                return True
            if held is None:
                continue
            if held["confirmed"] or held["claimed_at"] > now - STALE:
                return False
            if await self._holder(held) is not None:
                return False
            taken_over = await self._keys.update_one(
                {"_id": key, "account_id": held["account_id"], "confirmed": False},
                {"$set": {"account_id": account_id, "claimed_at": now}},
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
        """Give a key back."""
        await self._keys.delete_one({"_id": key, "account_id": account_id})

    async def _holder(self, claim: Document) -> Document | None:
        account = await self._accounts.find_one({"_id": claim["account_id"]})
        return account if account and claim["_id"] in keys_of(account) else None
