"""Accounts: sign up, log in, find, provision, disable."""

from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta

from models.accounts import keys
from models.accounts.creation import Creation, taken
from models.accounts.keys import AccountKeys
from models.accounts.linking import Linking, looks_like_account_id
from models.accounts.passwords import Passwords
from models.accounts.schema import Account, existing
from models.accounts.sessions import Session, Sessions
from models.database import Database, Document
from models.errors import Forbidden, Unauthorized
from models.times import Clock, now

PAGE_MAX = 100


class Accounts:
    """All accounts. `sessions` holds their logins; `refresh_lifetime` is how long one lasts."""

    def __init__(
        self,
        database: Database,
        passwords: Passwords,
        *,
        refresh_lifetime: timedelta = timedelta(days=30),
        clock: Clock = now,
    ) -> None:
        self.sessions = Sessions(database, refresh_lifetime, clock)
        self._accounts = database["accounts"]
        self._keys = AccountKeys(database, clock)
        self._creation = Creation(database, self._keys, clock)
        self._linking = Linking(database, self._keys, self._creation, self.sessions)
        self._passwords = passwords
        self._clock = clock
        self._listeners: list[Callable[[str], Awaitable[None]]] = []

    def when_moved(self, listener: Callable[[str], Awaitable[None]]) -> None:
        """Have `listener` called with the id of each account that changes its time zone here."""
        self._listeners.append(listener)

    async def prepare(self) -> None:
        """Make the indexes."""
        await self._accounts.create_index([("number", 1)])
        await self._accounts.create_index([("disabled_at", 1)])
        await self.sessions.prepare()

    async def sweep(self) -> None:
        """Delete sessions that have ended."""
        await self.sessions.forget_expired()

    async def sign_up(
        self, email: str, password: str, name: str | None = None, phone: str | None = None
    ) -> Account:
        """Create an account with a password; values as `SignUp` lets them through.

        Raises:
            Conflict: code `email_taken` or `phone_taken`.
        """
        # Asked before the hash is made: a taken e-mail should not cost one.
        if await self._keys.find(keys.for_email(email)):
            raise taken("email")
        return await self._creation.create(
            email=email,
            name=name,
            phone=phone,
            password_hash=await self._passwords.hash(password),
        )

    async def log_in(self, email: str, password: str) -> Account:
        """Give the account with this e-mail and password.

        An unknown e-mail and a wrong password give the same error after the same work.

        Raises:
            Unauthorized: code `invalid_credentials`.
            Forbidden: code `account_disabled`; only with the right password.
        """
        found = await self._keys.find(keys.for_email(email))
        password_hash: str | None = found["password_hash"] if found else None
        matched = await self._passwords.verify(password_hash, password)
        if found is None or password_hash is None or not matched:
            raise Unauthorized("E-mail or password is wrong.", code="invalid_credentials")
        account = _enabled(Account.of(found))
        if self._passwords.outdated(password_hash):
            await self._accounts.update_one(
                {"_id": account.id, "password_hash": password_hash},
                {"$set": {"password_hash": await self._passwords.hash(password)}},
            )
        return account

    async def refresh(self, refresh_token: str) -> tuple[Account, Session]:
        """Hand in a refresh token; give the account and the session with its next token.

        Raises:
            Unauthorized: code `refresh_token_invalid`.
            Forbidden: code `account_disabled`.
        """
        session = await self.sessions.refresh(refresh_token)
        return _enabled(await self.get(session.account_id)), session

    async def get(self, account_id: str) -> Account:
        """Give the account with this id.

        Raises:
            NotFound: code `account_not_found`.
        """
        found = await self._accounts.find_one({"_id": account_id})
        return Account.of(existing(found))

    async def find(self, account_id: str) -> Account | None:
        """Give the account with this id, if there is one."""
        found = await self._accounts.find_one({"_id": account_id})
        return Account.of(found) if found else None

    async def find_by_email(self, email: str) -> Account | None:
        """Give the account with this e-mail in any spelling."""
        return await self._find_by(keys.for_email(email))

    async def find_by_phone(self, phone: str) -> Account | None:
        """Give the account with this phone number in E.164."""
        return await self._find_by(keys.for_phone(phone))

    async def find_by_firebase_uid(self, uid: str) -> Account | None:
        """Give the account with this Firebase uid."""
        return await self._find_by(keys.for_firebase(uid))

    async def find_by_public_id(self, public_id: str) -> Account | None:
        """Give the account that other chat users know by this id."""
        if looks_like_account_id(public_id):
            found = await self.find(public_id)
        elif public_id.startswith("+"):
            found = await self.find_by_phone(public_id)
        else:
            found = await self.find_by_firebase_uid(public_id)
        return found if found and found.public_id == public_id else None

    async def list_after(self, account_id: str = "0", limit: int = PAGE_MAX) -> list[Account]:
        """Give up to `limit` accounts in the order of their ids, those after `account_id`."""
        page = self._accounts.find({"number": {"$gt": int(account_id)}}).sort([("number", 1)])
        return [Account.of(found) for found in await page.limit(limit).to_list(limit)]

    async def change(self, account_id: str, **values: str | None) -> Account:
        """Change what `Profile` names, at least one of it, and leave the rest.

        Raises:
            NotFound: code `account_not_found`.
        """
        account = await self._set(account_id, values)
        if "time_zone" in values:
            for listener in self._listeners:
                await listener(account_id)
        return account

    async def enable(self, account_id: str) -> Account:
        """Let the account in again.

        Raises:
            NotFound: code `account_not_found`.
        """
        return await self._set(account_id, {"disabled": False, "disabled_at": None})

    async def disable(self, account_id: str) -> Account:
        """Refuse the account at every door and end its sessions.

        Raises:
            NotFound: code `account_not_found`.
        """
        values = {"disabled": True, "disabled_at": self._clock()}
        account = await self._set(account_id, values)
        await self.sessions.revoke_all(account_id)
        return account

    async def disabled_since(self, moment: datetime) -> set[str]:
        """Give the ids of accounts that were disabled after `moment` and still are."""
        found = self._accounts.find({"disabled_at": {"$gt": moment}})
        return {account["_id"] async for account in found}

    async def find_or_create_by_email(self, email: str) -> Account:
        """Give the account with this e-mail; on first sight create one without a password.

        For doors that take an e-mail as proof, which only development mode does.
        """
        return await self._creation.provide(keys.for_email(email), email=email)

    async def find_or_create_by_phone(self, phone: str) -> Account:
        """Give the account with this phone number; on first sight create one known by it.

        For doors that take a phone number as proof, which only development mode does.
        """
        return await self._creation.provide(keys.for_phone(phone), phone=phone, public_id=phone)

    async def find_or_create_by_id(self, account_id: str) -> Account:
        """Give the account with this id, a decimal number; on first sight create it.

        For doors that take an id as proof, which only development mode does.
        """
        return await self._creation.provide_numbered(int(account_id))

    async def find_or_create_by_firebase(
        self,
        uid: str,
        *,
        verified_email: str | None = None,
        verified_phone: str | None = None,
        name: str | None = None,
    ) -> Account:
        """Give the account of a Firebase user; on first sight create or link one.

        An existing account with the verified e-mail is linked, and loses its password and
        sessions: nobody proved before that the e-mail was theirs. E-mails and phone numbers that
        Firebase did not verify must not be passed.
        """
        return await self._linking.find_or_create(uid, verified_email, verified_phone, name)

    async def _find_by(self, key: str) -> Account | None:
        found = await self._keys.find(key)
        return Account.of(found) if found else None

    async def _set(self, account_id: str, values: Document) -> Account:
        found = await self._accounts.find_one_and_update(
            {"_id": account_id}, {"$set": values}, return_document=True
        )
        return Account.of(existing(found))


def _enabled(account: Account) -> Account:
    if account.disabled:
        raise Forbidden("This account is disabled.", code="account_disabled")
    return account
