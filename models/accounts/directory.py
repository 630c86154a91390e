"""Find accounts by declared names."""

from collections.abc import Iterable

from models.accounts import emails, keys
from models.accounts.keys import AccountKeys
from models.accounts.naming import Kind, is_account_id, may_be
from models.accounts.stored import StoredAccount
from models.database import Database, typed


class Directory:
    """Looks up stored accounts."""

    def __init__(self, database: Database, account_keys: AccountKeys) -> None:
        self._accounts = typed(database["accounts"], StoredAccount)
        self._keys = account_keys

    async def find(self, kind: Kind, name: str) -> StoredAccount | None:
        """Return the account that has `name` as a name of this kind, and no other."""
        if not may_be(kind, name):
            return None
        match kind:
            case Kind.ID:
                found = await self._accounts.find_one({"_id": name})
                # Of a deleted account nothing but the id is left, and that names no one.
                return found if found and found.get("deleted_at") is None else None
            case Kind.EMAIL:
                return await self.addressed(name)
            case Kind.PHONE:
                return await self._keys.find(keys.for_phone(name))
            case Kind.FIREBASE_UID:
                return await self._keys.find(keys.for_firebase(name))
            case Kind.PUBLIC_ID:
                return await self._known_as(name)

    async def first(self, order: Iterable[Kind], name: str) -> StoredAccount | None:
        """Return the account that has `name` as the first kind under which there is one."""
        for kind in order:
            found = await self.find(kind, name)
            if found:
                return found
        return None

    async def exactly(self, email: str) -> StoredAccount | None:
        """Return the account with exactly this address: the only one it may be handed over to."""
        found = await self._keys.find(keys.for_address(email))
        if found:
            return found
        # An account that a process of the release before has written holds the other key only.
        alike = await self._keys.find(keys.for_email(email))
        return alike if alike and _has_exactly(alike, email) else None

    async def addressed(self, email: str) -> StoredAccount | None:
        """Return whom people mean by this address: exactly this one, else one in other case.

        Never one that merely looks alike.
        """
        found = await self._keys.find(keys.for_address(email))
        if found:
            return found
        alike = await self._keys.find(keys.for_email(email))
        return alike if alike and in_other_case(alike, email) else None

    async def of_login(self, email: str) -> StoredAccount | None:
        """Return the account of a login, whose password is the proof: exact, else alike."""
        found = await self._keys.find(keys.for_address(email))
        return found or await self._keys.find(keys.for_email(email))

    async def _known_as(self, public_id: str) -> StoredAccount | None:
        if is_account_id(public_id):
            kind = Kind.ID
        elif may_be(Kind.PHONE, public_id):
            kind = Kind.PHONE
        else:
            kind = Kind.FIREBASE_UID
        found = await self.find(kind, public_id)
        return found if found and found["public_id"] == public_id else None


def in_other_case(account: StoredAccount, email: str) -> bool:
    """Whether the account's e-mail is this one but for letter case."""
    return account["email"] is not None and emails.differ_in_case(account["email"], email)


def _has_exactly(account: StoredAccount, email: str) -> bool:
    return account["email"] is not None and emails.exact(account["email"]) == emails.exact(email)
