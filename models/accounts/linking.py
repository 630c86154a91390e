"""Firebase users and their accounts."""

import asyncio

from models.accounts import keys
from models.accounts.creation import PROVISION_TRIES, PROVISION_WAIT_S, Creation
from models.accounts.keys import AccountKeys
from models.accounts.schema import Account
from models.accounts.sessions import Sessions
from models.database import Database
from models.errors import Unavailable


class Linking:
    """Finds, links or creates the account of a Firebase user."""

    def __init__(
        self,
        database: Database,
        account_keys: AccountKeys,
        creation: Creation,
        sessions: Sessions,
    ) -> None:
        self._accounts = database["accounts"]
        self._keys = account_keys
        self._creation = creation
        self._sessions = sessions

    async def find_or_create(
        self, uid: str, verified_email: str | None, verified_phone: str | None, name: str | None
    ) -> Account:
        """Give the account of the user; see `Accounts.find_or_create_by_firebase`.

        Raises:
            Unavailable: code `busy`: another request has been at it for too long.
        """
        key = keys.for_firebase(uid)
        for _ in range(PROVISION_TRIES):
            found = await self._keys.find(key)
            if found:
                return Account.of(found)
            email_holder = verified_email and await self._keys.find(keys.for_email(verified_email))
            if not email_holder:
                break
            if email_holder["firebase_uid"] is not None:
                # The e-mail moved to another Firebase user; that one's account stays that one's.
                verified_email = None
                break
            if not await self._link(email_holder["_id"], uid):
                await asyncio.sleep(PROVISION_WAIT_S)
        else:
            raise Unavailable("The account is being linked.", code="busy", retry_after_s=1)
        if verified_phone and await self._keys.find(keys.for_phone(verified_phone)):
            verified_phone = None
        return await self._creation.provide(
            key,
            firebase_uid=uid,
            email=verified_email,
            phone=verified_phone,
            name=name,
            # One that could be read as an account id or a phone would let its owner pose as them.
            public_id=None if looks_like_account_id(uid) or uid.startswith("+") else uid,
        )

    async def _link(self, account_id: str, uid: str) -> bool:
        key = keys.for_firebase(uid)
        if not await self._keys.claim(key, account_id):
            return False
        linked = await self._accounts.update_one(
            {"_id": account_id, "firebase_uid": None},
            {"$set": {"firebase_uid": uid, "password_hash": None}},
        )
        if linked.matched_count == 0:
            await self._keys.release(key, account_id)
            return False
        await self._keys.confirm(key, account_id)
        await self._sessions.revoke_all(account_id)
        return True


def looks_like_account_id(text: str) -> bool:
    """Tell whether the text could be an account's id."""
    return text.isascii() and text.isdecimal()
