"""One-time links, each of which proves that its bearer was given it."""

import hashlib
import secrets
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

from models.accounts.schema import Account
from models.accounts.stored import StoredLink
from models.collections import retention_of
from models.database import Database, typed
from models.errors import Forbidden
from models.retention import expire, prepare_expiry
from models.times import Clock

TOKEN_BYTES = 32


class LinkKind(StrEnum):
    """What a link is for."""

    VERIFY_EMAIL = "verify_email"
    RESET_PASSWORD = "reset_password"  # noqa: S105 the name of a kind
    CHANGE_EMAIL = "change_email"


LIFETIMES = {
    LinkKind.VERIFY_EMAIL: timedelta(days=7),
    LinkKind.RESET_PASSWORD: timedelta(hours=1),
    LinkKind.CHANGE_EMAIL: timedelta(days=1),
}
"""A verification may lie in a mailbox over a holiday; a reset opens the account, and is asked for
by someone who waits for it; so is another e-mail, whose mailbox may have to be opened first."""

_PATHS = {
    LinkKind.VERIFY_EMAIL: "verify",
    LinkKind.RESET_PASSWORD: "reset",
    LinkKind.CHANGE_EMAIL: "verify",
}


@dataclass(frozen=True, slots=True)
class Link:
    """A link that has been made; the only place where its token is."""

    kind: LinkKind
    token: str = field(repr=False)
    expires_at: datetime

    def url(self, public_url: str) -> str:
        """Return the address to open. The token is in the fragment, which no server logs."""
        return f"{public_url}/#/{_PATHS[self.kind]}/{self.token}"


class AccountLinks:
    """Makes links and takes them back once."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._links = typed(database["account_links"], StoredLink)
        self._clock = clock

    async def prepare(self) -> None:
        """Make the indexes."""
        await self._links.create_index([("account_id", 1)])
        await prepare_expiry(self._links, retention_of("account_links"))

    async def sweep(self) -> None:
        """Delete links that have expired."""
        await expire(self._links, retention_of("account_links"), self._clock())

    async def make(
        self, kind: LinkKind, account: Account, *, mailed: bool, new_email: str | None = None
    ) -> Link:
        """Make a link for the account."""
        now = self._clock()
        link = Link(kind, secrets.token_urlsafe(TOKEN_BYTES), now + LIFETIMES[kind])
        await self._links.insert_one(
            {
                "_id": _digest(link.token),
                "kind": kind.value,
                "account_id": account.id,
                "email": account.email,
                "credential_version": account.credential_version,
                "password_version": account.password_version,
                "new_email": new_email,
                "mailed": mailed,
                "created_at": now,
                "expires_at": link.expires_at,
            }
        )
        return link

    async def find(self, token: str, *kinds: LinkKind) -> StoredLink:
        """Return the stored link of a token, of one of these kinds.

        Raises:
            Forbidden: code `link_invalid`: unknown, used, expired, or of another kind.
        """
        found = await self._links.find_one({"_id": _digest(token)})
        if found is None or found["kind"] not in kinds or found["expires_at"] <= self._clock():
            raise link_invalid()
        return found

    async def use(self, link: StoredLink) -> None:
        """Use a link that `find` returned; it works once.

        Raises:
            Forbidden: code `link_invalid`: another person was first.
        """
        if (await self._links.delete_one({"_id": link["_id"]})).deleted_count == 0:
            raise link_invalid()

    async def forget(self, account_id: str, *kinds: LinkKind) -> None:
        """End all links of these kinds that the account has."""
        await self._links.delete_many(
            {"account_id": account_id, "kind": {"$in": [kind.value for kind in kinds]}}
        )


def link_invalid() -> Forbidden:
    """Return the error for a link that opens nothing."""
    message = "This link is not valid, or not any more; ask for a new one."
    return Forbidden(message, code="link_invalid")


def _digest(token: str) -> str:
    # The token has 256 random bits: a slow hash would protect nothing more.
    return hashlib.sha256(token.encode()).hexdigest()
