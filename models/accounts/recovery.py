"""What owners and operators do about passwords and e-mails: change, reset, verify."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol
from uuid import uuid4

from models.accounts import keys
from models.accounts.keys import AccountKeys
from models.accounts.links import AccountLinks, Link, LinkKind, link_invalid
from models.accounts.operations import Accounts
from models.accounts.passwords import ANYONE, Passwords
from models.accounts.queue import Client, Urgency
from models.accounts.schema import Account
from models.accounts.stored import StoredAccount, StoredLink
from models.database import Database, typed
from models.errors import Conflict, Forbidden, Invalid, Unavailable
from models.events import Json
from models.times import Clock, now, to_text

CONFIRMATION = "delete"
"""What the owner of an account without a password writes to have it deleted."""


class Notice(StrEnum):
    """Mails without a link, which report a change."""

    EMAIL_CHANGE_REQUESTED = "email_change_requested"
    EMAIL_CHANGED = "email_changed"


@dataclass(frozen=True, slots=True)
class Mail:
    """A mail to be written by the operator's mail service: about a link, or a notice."""

    account: Account
    link: Link | None
    public_url: str
    id: str = field(default_factory=lambda: uuid4().hex)
    notice: Notice | None = None
    to: str | None = None
    """Another address than the account's."""

    new_email: str | None = None
    """Which e-mail the account is getting or has got."""

    @property
    def kind(self) -> str:
        """Return what the mail is about."""
        return self.link.kind.value if self.link else self.notice.value if self.notice else ""

    def data(self) -> dict[str, Json]:
        """Return the JSON form; what a mail has nothing of is left out."""
        data: dict[str, Json] = {
            "id": self.id,
            "kind": self.kind,
            "to": self.to or self.account.email,
            "name": self.account.name,
            "language": self.account.language,
        }
        if self.link:
            data["link"] = self.link.url(self.public_url)
            data["token"] = self.link.token
            data["expires_at"] = to_text(self.link.expires_at)
        if self.new_email:
            data["new_email"] = self.new_email
        return data


Prepare = Callable[[], Awaitable[Mail | None]]
"""Makes a mail when its turn has come; None when there is none to send."""


_BY_PASSWORD = (LinkKind.RESET_PASSWORD, LinkKind.CHANGE_EMAIL)
"""Links that anyone who knew the former password may have asked for: they end with it."""


class Mailer(Protocol):
    """Sends mails, some time after `queue` has returned."""

    def queue(self, prepare: Prepare) -> bool:
        """Take a mail to be prepared and sent; never waits. False when too many wait already."""


class Recovery:
    """Passwords and e-mails of accounts. Without a `mailer` only operators make links."""

    def __init__(
        self,
        database: Database,
        accounts: Accounts,
        passwords: Passwords,
        *,
        public_url: str,
        mailer: Mailer | None = None,
        clock: Clock = now,
    ) -> None:
        self.links = AccountLinks(database, clock)
        self._stored = typed(database["accounts"], StoredAccount)
        self._keys = AccountKeys(database, clock)
        self._accounts = accounts
        self._passwords = passwords
        self._public_url = public_url
        self._mailer = mailer

    @property
    def sends(self) -> bool:
        """Whether mails are sent at all."""
        return self._mailer is not None

    async def prepare(self) -> None:
        """Make the indexes."""
        await self.links.prepare()

    async def sweep(self) -> None:
        """Delete links that have expired."""
        await self.links.sweep()

    async def change_password(
        self,
        account_id: str,
        session_id: str | None,
        *,
        current_password: str,
        new_password: str,
        client: Client = ANYONE,
    ) -> None:
        """Change the owner's password; their other sessions end, `session_id` goes on.

        Raises:
            Forbidden: code `password_wrong`.
            Conflict: code `password_missing`: there is none to be changed, only to be reset;
                `password_changed`: it was changed in the same moment.
            TooManyRequests, Unavailable: as `Passwords.hash`.
        """
        password_hash = await self._check_password(account_id, current_password, client)
        new_hash = await self._passwords.hash(new_password, client, Urgency.LOGIN)
        changed = await self._stored.update_one(
            {"_id": account_id, "password_hash": password_hash},
            {"$set": {"password_hash": new_hash}, "$inc": {"password_version": 1}},
        )
        if changed.matched_count == 0:
            raise Conflict("The password was changed meanwhile.", code="password_changed")
        await self._accounts.sessions.end_others(account_id, session_id)
        await self.links.forget(account_id, *_BY_PASSWORD)

    async def _check_password(self, account_id: str, password: str, client: Client) -> str:
        """Return the hash of the account's password, which `password` is."""
        found = await self._stored.find_one({"_id": account_id})
        password_hash = found["password_hash"] if found else None
        if password_hash is None:
            raise Conflict("The account has no password; reset it.", code="password_missing")
        if not await self._passwords.verify(password_hash, password, client):
            raise Forbidden("The present password is wrong.", code="password_wrong")
        return password_hash

    async def check_deletion(
        self, account_id: str, *, password: str | None, confirm: str | None, client: Client = ANYONE
    ) -> None:
        """Let the owner prove to be it by the password; without one, that this is meant.

        Raises:
            Forbidden: code `password_wrong`.
            Invalid: `confirm` is not `CONFIRMATION`.
            TooManyRequests, Unavailable: as `Passwords.verify`.
        """
        found = await self._stored.find_one({"_id": account_id})
        password_hash = found["password_hash"] if found else None
        if password_hash is None:
            if confirm != CONFIRMATION:
                problem = f"Write {CONFIRMATION}."
                raise Invalid(problem, fields={"confirm": [problem]})
        elif not await self._passwords.verify(password_hash, password or "", client):
            raise Forbidden("The password is wrong.", code="password_wrong")

    async def set_password(self, account_id: str, password: str) -> Account:
        """Set an account's password for its owner, and end all its credentials.

        Raises:
            NotFound: code `account_not_found`.
        """
        await self._accounts.get(account_id)
        password_hash = await self._passwords.hash(password)
        await self.links.forget(account_id, *_BY_PASSWORD)
        return await self._accounts.end_credentials(account_id, {"password_hash": password_hash})

    def request_reset(self, email: str) -> None:
        """Have a link sent to the account that people mean by `email`, if there is one.

        Everything that depends on the account happens later, in the mailer's own time.

        Raises:
            Unavailable: code `mail_not_available`: no mails are sent here; `busy`: too many wait.
        """

        async def prepare() -> Mail | None:
            account = await self._accounts.find_by_email(email)
            if account is None or account.disabled:
                return None
            return await self._mail(LinkKind.RESET_PASSWORD, account)

        self._queue(prepare)

    def request_verification(self, account: Account) -> None:
        """Have a link sent by which the account's owner proves the e-mail; raises as above."""

        async def prepare() -> Mail | None:
            if account.email is None or account.email_verified_at is not None:
                return None
            return await self._mail(LinkKind.VERIFY_EMAIL, account)

        self._queue(prepare)

    async def reset(self, token: str, password: str, client: Client = ANYONE) -> Account:
        """Set a new password by a link, and end everything that the former one has opened.

        Raises:
            Forbidden: code `link_invalid` or `account_disabled`.
            TooManyRequests, Unavailable: as `Passwords.hash`.
        """
        link = await self.links.find(token, LinkKind.RESET_PASSWORD)
        account = await self._linked(link)
        # Before the link is used: a busy server does not cost it.
        password_hash = await self._passwords.hash(password, client, Urgency.LOGIN)
        await self.links.use(link)
        values: dict[str, object] = {"password_hash": password_hash, "known_networks": []}
        unproved = None
        if link["mailed"] and account.email_verified_at is None and not account.phone_verified_at:
            # Anyone who signed up with another account's address keeps no other name to come in by.
            unproved = account.phone
            values["phone"] = None
        account = await self._accounts.end_credentials(account.id, values)
        if unproved is not None:
            await self._keys.release(keys.for_phone(unproved), account.id)
        await self.links.forget(account.id, *_BY_PASSWORD)
        if link["mailed"]:
            account = await self._accounts.verify_email(account.id, _proved(link["email"]))
        return account

    async def request_email_change(
        self, account: Account, *, email: str, password: str, client: Client = ANYONE
    ) -> None:
        """Have a link sent to another e-mail, which becomes the account's when the link is used.

        Until then the former one stays in use; its owner is notified now and then.

        Raises:
            Forbidden: code `password_wrong`.
            Conflict: code `password_missing`; or as `Accounts.check_email_free`.
            Unavailable: code `mail_not_available`, `busy`.
            TooManyRequests, Unavailable: as `Passwords.verify`.
        """
        await self._check_password(account.id, password, client)
        await self._accounts.check_email_free(account, email)

        async def prepare() -> Mail | None:
            kind = LinkKind.CHANGE_EMAIL
            link = await self.links.make(kind, account, mailed=True, new_email=email)
            self._notify(Notice.EMAIL_CHANGE_REQUESTED, account, email)
            return Mail(account, link, self._public_url, to=email, new_email=email)

        self._queue(prepare)

    async def change_email(self, account: Account, email: str) -> Account:
        """Change an account's e-mail to one known to be its owner's; the former one is notified.

        Raises:
            Conflict: as `Accounts.change_email`.
        """
        changed = await self._accounts.change_email(account, email)
        await self.links.forget(account.id, *LinkKind)
        self._notify(Notice.EMAIL_CHANGED, account, email)
        return changed

    async def email_change_link(self, account: Account, email: str) -> str:
        """Make a link for an operator to hand out, which changes the e-mail; return its address.

        Raises:
            Conflict: as `Accounts.check_email_free`.
        """
        await self._accounts.check_email_free(account, email)
        kind = LinkKind.CHANGE_EMAIL
        link = await self.links.make(kind, account, mailed=False, new_email=email)
        return link.url(self._public_url)

    def _notify(self, notice: Notice, account: Account, new_email: str) -> None:
        """Notify the present e-mail of an account; what cannot be sent is not worth an error."""
        if self._mailer is None or account.email is None:
            return

        async def prepare() -> Mail | None:
            return Mail(account, None, self._public_url, notice=notice, new_email=new_email)

        self._mailer.queue(prepare)

    async def verify(self, token: str) -> Account:
        """Note that an e-mail is its account's owner's, by a link: the account's, or a new one.

        Raises:
            Forbidden: code `link_invalid` or `account_disabled`.
            Conflict: as `Accounts.change_email`.
        """
        link = await self.links.find(token, LinkKind.VERIFY_EMAIL, LinkKind.CHANGE_EMAIL)
        account = await self._linked(link)
        await self.links.use(link)
        if link["kind"] == LinkKind.CHANGE_EMAIL:
            return await self.change_email(account, _proved(link["new_email"]))
        return await self._accounts.verify_email(account.id, _proved(link["email"]))

    async def link(self, kind: LinkKind, account: Account) -> str:
        """Make a link for an operator to hand out; return its address.

        Raises:
            Conflict: code `email_missing`: the account has no e-mail to be verified.
        """
        if kind is LinkKind.VERIFY_EMAIL and account.email is None:
            raise Conflict("The account has no e-mail.", code="email_missing")
        return (await self.links.make(kind, account, mailed=False)).url(self._public_url)

    async def _linked(self, link: StoredLink) -> Account:
        """Return the account of a link, if it is still as it was when the link was made."""
        account = await self._accounts.find(link["account_id"])
        if account is None or account.email != link["email"]:
            raise link_invalid()
        if account.disabled:
            raise Forbidden("This account is disabled.", code="account_disabled")
        if account.credential_version != link["credential_version"]:
            raise link_invalid()
        asked_with = link.get("password_version", account.password_version)
        if link["kind"] == LinkKind.CHANGE_EMAIL and account.password_version != asked_with:
            raise link_invalid()
        return account

    async def _mail(self, kind: LinkKind, account: Account) -> Mail:
        link = await self.links.make(kind, account, mailed=True)
        return Mail(account, link, self._public_url)

    def _queue(self, prepare: Prepare) -> None:
        if self._mailer is None:
            raise Unavailable(
                "This server sends no mails; ask its operator for a link.",
                code="mail_not_available",
            )
        if not self._mailer.queue(prepare):
            raise Unavailable("Too many mails are waiting.", code="busy", retry_after_s=30)


def _proved(email: str | None) -> str:
    """Return the e-mail that a link proves."""
    assert email is not None, "links that prove an e-mail are made for one"
    return email
