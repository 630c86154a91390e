"""Accounts: sign up, log in, find, provision, disable."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import timedelta

from marshmallow import ValidationError, fields

from models.accounts import directory, emails, keys
from models.accounts.account_data import OwnAccountData
from models.accounts.admission import Admission, SignUpMode
from models.accounts.creation import (
    PROVISION_TRIES,
    PROVISION_WAIT_S,
    Creation,
    NewId,
    busy,
    random_id,
    taken,
)
from models.accounts.directory import Directory
from models.accounts.handovers import Handovers
from models.accounts.keys import AccountKeys
from models.accounts.lifecycle import AccountData, Lifecycle
from models.accounts.linking import Linking
from models.accounts.naming import PARTICIPANT_ORDER, PATH_ORDER, Kind, is_account_id, is_uid
from models.accounts.networks import KnownNetworks
from models.accounts.passwords import ANYONE, Passwords
from models.accounts.people import SHOWN, People
from models.accounts.pictures import Pictures
from models.accounts.queue import Client
from models.accounts.revocations import Revocations
from models.accounts.schema import TIME_ZONE, Account, email_field, existing, phone_field
from models.accounts.sessions import UNKNOWN_DEVICE, Device, Session, Sessions
from models.accounts.stored import StoredAccount
from models.database import Database, typed
from models.errors import Conflict, Forbidden, Invalid, Unauthorized
from models.times import Clock, now

PAGE_MAX = 100


class Accounts:
    """All accounts. `sessions` holds their logins; `refresh_lifetime` is how long one lasts;
    `people` knows how others see them, `pictures` has what some show of themselves.
    """

    def __init__(
        self,
        database: Database,
        passwords: Passwords,
        *,
        refresh_lifetime: timedelta = timedelta(days=30),
        clock: Clock = now,
        new_id: NewId = random_id,
        sign_ups: SignUpMode = SignUpMode.OPEN,
    ) -> None:
        self.admission = Admission(database, sign_ups, clock)
        self.revocations = Revocations(database, clock)
        self.sessions = Sessions(database, refresh_lifetime, clock, self.revocations)
        self.networks = KnownNetworks(database, clock)
        self._accounts = typed(database["accounts"], StoredAccount)
        self._keys = AccountKeys(database, clock)
        self._directory = Directory(database, self._keys)
        self._creation = Creation(database, self._keys, clock, new_id, self.admission)
        self.people = People(self.find_many)
        self.pictures = Pictures(database, clock)
        self._handovers = Handovers(
            database, self._keys, self.sessions, self.revocations, self.people, clock
        )
        self._linking = Linking(
            database,
            self._keys,
            self._directory,
            self._creation,
            self._handovers,
            self.people,
            clock,
        )
        self._passwords = passwords
        self._clock = clock
        self.lifecycle = Lifecycle(database, clock)
        self.join_lifecycle(
            OwnAccountData(
                database,
                self._keys,
                self.sessions,
                self.end_credentials,
                self.people,
                self.pictures,
            )
        )
        self._listeners: list[Callable[[str], Awaitable[None]]] = []

    def when_moved(self, listener: Callable[[str], Awaitable[None]]) -> None:
        """Have `listener` called with the id of each account that changes its time zone here."""
        self._listeners.append(listener)

    def join_lifecycle(self, part: AccountData) -> None:
        """Have `part` take part in handing over, deleting and exporting accounts."""
        self.lifecycle.add(part)
        self.when_handed_over(part.hand_over)

    def when_handed_over(self, listener: Callable[[str], Awaitable[None]]) -> None:
        """Have `listener` called with the id of each account that its verified owner takes over.

        Sessions have ended then, and the owner is admitted after the last listener. A listener ends
        what the former holder had, does the same when called again, and may raise: the handover is
        then repeated with the owner's next request.
        """
        self._handovers.listen(listener)

    async def prepare(self) -> None:
        """Make the indexes."""
        await self._accounts.create_index([("number", 1)])
        await self.lifecycle.prepare()
        await self.sessions.prepare()
        await self.revocations.prepare()
        await self.admission.prepare()

    async def sweep(self) -> None:
        """Delete what has ended: sessions, invitations, revocations that every process has seen,
        and accounts whose deletion waited or was interrupted.
        """
        await self.sessions.forget_expired()
        await self.admission.sweep()
        await self.revocations.sweep()
        await self.lifecycle.sweep()

    async def sign_up(
        self,
        email: str,
        password: str,
        name: str | None = None,
        phone: str | None = None,
        *,
        invite: str | None = None,
        time_zone: str | None = None,
        client: Client = ANYONE,
        number: int | None = None,
    ) -> Account:
        """Create an account with a password; values as `SignUp` lets them through.

        Its id is random, or `number` where that is given and free.

        Raises:
            Conflict: code `email_taken` or `phone_taken`.
            Forbidden: as `Admission.check`.
            TooManyRequests, Unavailable: as `Passwords.hash`.
        """
        await self._creation.check(invite)
        # Asked before the hash is made: a taken e-mail should not cost one.
        if await self._directory.of_login(email):
            raise taken("email")
        return await self._creation.create(
            number=number,
            invite=invite,
            email=email,
            name=name,
            phone=phone,
            time_zone=time_zone or TIME_ZONE,
            password_hash=await self._passwords.hash(password, client),
        )

    async def log_in(self, email: str, password: str, *, client: Client = ANYONE) -> Account:
        """Return the account with this e-mail and password.

        An unknown e-mail and a wrong password give the same error after the same work.

        Raises:
            Unauthorized: code `invalid_credentials`.
            Forbidden: code `account_disabled`; only with the right password.
            TooManyRequests, Unavailable: as `Passwords.verify`.
        """
        found = await self._directory.of_login(email)
        password_hash = found["password_hash"] if found else None
        matched = await self._passwords.verify(password_hash, password, client)
        if found is None or password_hash is None or not matched:
            raise Unauthorized("E-mail or password is wrong.", code="invalid_credentials")
        account = _enabled(Account.of(found))
        if self._passwords.outdated(password_hash):
            await self._accounts.update_one(
                {"_id": account.id, "password_hash": password_hash},
                {"$set": {"password_hash": await self._passwords.hash(password, client)}},
            )
        return account

    async def has_signed_in_from(self, email: str, network: str) -> bool:
        """Return whether the owner of the account that logs in by `email` did so from `network`."""
        found = await self._directory.of_login(email)
        return found is not None and await self.networks.knows(found["_id"], network)

    async def open_session(self, account: Account, device: Device = UNKNOWN_DEVICE) -> Session:
        """Begin a session for an account as it was when its owner proved to be it.

        Raises:
            Unauthorized: code `invalid_credentials`: the password or all credentials were changed
                meanwhile.
        """
        session = await self.sessions.open(account.id, device)
        # Ending credentials ends the sessions that are there: look once more after opening.
        if not (await self.get(account.id)).has_credentials_of(account):
            await self.sessions.revoke(session.id)
            raise Unauthorized("Log in again.", code="invalid_credentials")
        return session

    async def refresh(self, refresh_token: str) -> tuple[Account, Session]:
        """Use a refresh token; return the account and the session with its next token.

        Raises:
            Unauthorized: code `refresh_token_invalid`.
            Forbidden: code `account_disabled`.
        """
        session = await self.sessions.refresh(refresh_token)
        return _enabled(await self.get(session.account_id)), session

    async def get(self, account_id: str) -> Account:
        """Return the account with this id.

        Raises:
            NotFound: code `account_not_found`.
        """
        return existing(await self.find(account_id))

    async def find(self, account_id: str) -> Account | None:
        """Return the account with this id, if there is one."""
        return await self.resolve(Kind.ID, account_id)

    async def find_many(self, account_ids: Sequence[str]) -> list[Account]:
        """Return those accounts that there are of some ids, in no certain order; none deleted."""
        return [
            Account.of(found)
            for found in await self._accounts.find_ids(account_ids)
            if found.get("deleted_at") is None
        ]

    async def resolve(self, kind: Kind, name: str) -> Account | None:
        """Return the account that has `name` as a name of this kind, and of no other.

        E-mails are found as people mean them: exactly, or in other letter case, and never because
        they look alike. A name that cannot be of its kind finds no one.
        """
        return _read(await self._directory.find(kind, name))

    async def resolve_participant(self, name: str) -> Account | None:
        """Return whom one of the `participants` of a conversation means (`PARTICIPANT_ORDER`)."""
        return _read(await self._directory.first(PARTICIPANT_ORDER, name))

    async def resolve_path(self, name: str) -> Account | None:
        """Return whom the `user_id` in a path means (`PATH_ORDER`)."""
        return _read(await self._directory.first(PATH_ORDER, name))

    async def find_by_email(self, email: str) -> Account | None:
        """Return the account that people mean by this e-mail."""
        return await self.resolve(Kind.EMAIL, email)

    async def find_by_phone(self, phone: str) -> Account | None:
        """Return the account with this phone number in E.164."""
        return await self.resolve(Kind.PHONE, phone)

    async def find_by_firebase_uid(self, uid: str) -> Account | None:
        """Return the account with this Firebase uid."""
        return await self.resolve(Kind.FIREBASE_UID, uid)

    async def find_by_public_id(self, public_id: str) -> Account | None:
        """Return the account that strangers know by this id."""
        return await self.resolve(Kind.PUBLIC_ID, public_id)

    async def list_after(self, account_id: str = "0", limit: int = PAGE_MAX) -> list[Account]:
        """Return up to `limit` accounts in the order of their ids, those after `account_id`."""
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
        """Refuse the account by every transport and end its sessions.

        Raises:
            NotFound: code `account_not_found`.
        """
        return await self.end_credentials(
            account_id, {"disabled": True, "disabled_at": self._clock()}, disabled=True
        )

    async def end_credentials(
        self, account_id: str, values: Mapping[str, object] | None = None, *, disabled: bool = False
    ) -> Account:
        """End all sessions, tokens and live connections of an account, and set `values` with it.

        Raises:
            NotFound: code `account_not_found`.
        """
        update = {
            "$inc": {"credential_version": 1},
            "$set": {"credentials_ended_at": self._clock(), **(values or {})},
        }
        found = await self._accounts.find_one_and_update(
            {"_id": account_id}, update, return_document=True
        )
        account = Account.of(existing(found))
        await self.sessions.revoke_all(account_id)
        await self.revocations.append(
            account_id, version=account.credential_version, disabled=disabled
        )
        return account

    async def verify_email(self, account_id: str, email: str) -> Account:
        """Note that the account's owner has proved that `email` is theirs, if it still is exactly
        the account's.

        Raises:
            NotFound: code `account_not_found`.
            Conflict: code `email_changed`: the account has another one now.
        """
        account = await self.get(account_id)
        if account.email is None or emails.exact(account.email) != emails.exact(email):
            raise Conflict("The account's e-mail was changed meanwhile.", code="email_changed")
        if account.email_verified_at is not None:
            return account
        return await self._set(account_id, {"email_verified_at": self._clock()})

    async def check_email_free(self, account: Account, email: str) -> None:
        """Check that an account may ask for another e-mail.

        Raises:
            Conflict: code `email_unchanged`, or `email_taken`: another account has proved it.
        """
        if account.email is not None and emails.exact(account.email) == emails.exact(email):
            raise Conflict("This is the account's e-mail already.", code="email_unchanged")
        holder = await self._directory.exactly(email)
        if holder is not None and holder.get("email_verified_at") is not None:
            raise taken("email")

    async def change_email(self, account: Account, email: str) -> Account:
        """Return an account an e-mail that its owner has proved, in place of the former one.

        Raises:
            NotFound: code `account_not_found`.
            Conflict: as `Linking.change_email`.
        """
        found = existing(await self._accounts.find_one({"_id": account.id}))
        if Account.of(found).email != account.email or not account.has_credentials_of(
            Account.of(found)
        ):
            raise Conflict("The account has changed meanwhile.", code="email_changed")
        return Account.of(await self._linking.change_email(found, email))

    async def find_or_create_by_email(self, email: str) -> Account:
        """Return the account with this e-mail; on first sight create one without a password.

        For clients that take an e-mail as proof, which only development mode does.

        Raises:
            Invalid: it is no e-mail address.
            Conflict: code `email_taken`: it looks like another account's.
            Unavailable: code `busy`: another request has been creating it for too long.
        """
        _checked("email", email_field(), email)
        for _ in range(PROVISION_TRIES):
            found = await self._directory.addressed(email)
            if found:
                return Account.of(found)
            try:
                return await self._creation.create(email=email)
            except Conflict:
                alike = await self._directory.of_login(email)
                if alike and not directory.in_other_case(alike, email):
                    raise
            await asyncio.sleep(PROVISION_WAIT_S)
        raise busy()

    async def find_or_create_by_phone(self, phone: str) -> Account:
        """Return the account with this phone number; on first sight create one known by it.

        For clients that take a phone number as proof, which only development mode does: no other
        account is known by its phone number.

        Raises:
            Invalid: it is no phone number in E.164.
            Unavailable: code `busy`: another request has been creating it for too long.
        """
        _checked("phone", phone_field(), phone)
        return await self._creation.provide(keys.for_phone(phone), phone=phone, public_id=phone)

    async def find_or_create_by_id(self, account_id: str) -> Account:
        """Return the account with this id, a decimal number; on first sight create it.

        For clients that take an id as proof, which only development mode does.

        Raises:
            Invalid: it is no number from 1 to 2^53 - 1.
        """
        if not is_account_id(account_id):
            raise Invalid("Some fields are not valid.", fields={"id": ["Not an account id."]})
        return await self._creation.provide_numbered(int(account_id))

    async def find_or_create_by_firebase(
        self,
        uid: str,
        *,
        verified_email: object = None,
        verified_phone: object = None,
        name: object = None,
    ) -> Account:
        """Return the account of a Firebase user; on first sight create one, or hand one over.

        `models.accounts.linking` says what verified values are worth. E-mails and phone numbers
        that Firebase did not verify must not be passed. Values are claims of a token: one that
        sign-up would refuse is left out; a name is cut to its greatest length.

        Raises:
            Invalid: `uid` is none.
            Unavailable: code `busy`: another request has been at it for too long.
        """
        if not is_uid(uid):
            raise Invalid("Some fields are not valid.", fields={"uid": ["Not a Firebase uid."]})
        return await self._linking.find_or_create(uid, verified_email, verified_phone, name)

    async def _set(self, account_id: str, values: Mapping[str, object]) -> Account:
        found = await self._accounts.find_one_and_update(
            {"_id": account_id}, {"$set": values}, return_document=True
        )
        account = Account.of(existing(found))
        if not SHOWN.isdisjoint(values):
            await self.people.changed(account_id)
        return account


def _read(found: StoredAccount | None) -> Account | None:
    return Account.of(found) if found else None


def _checked(name: str, field: fields.String, value: str) -> None:
    try:
        field.deserialize(value)
    except ValidationError as error:
        problems = {name: error.messages}
        raise Invalid("Some fields are not valid.", fields=problems) from None


def _enabled(account: Account) -> Account:
    if account.disabled:
        raise Forbidden("This account is disabled.", code="account_disabled")
    return account
