"""How accounts, and what opens them, stand in the database: a type for each collection's documents.

Tokens and codes are never stored, only their SHA-256. Keys that are not required are those of
documents of earlier releases, or in one state alone.
"""

from datetime import datetime
from typing import Literal, NotRequired, TypedDict

Address = Literal["email", "phone"]
"""The fields of what an account's owner can prove to be theirs."""


class NewAccount(TypedDict, total=False):
    """What may be known of an account when it is made; the rest of a `StoredAccount` is empty."""

    email: str | None
    email_verified_at: datetime | None
    name: str | None
    phone: str | None
    phone_verified_at: datetime | None
    firebase_uid: str | None
    public_id: str | None
    password_hash: str | None
    time_zone: str


class StoredAccount(TypedDict):
    """A document of `accounts`."""

    _id: str
    """`number` as text."""

    number: int
    email: str | None
    email_verified_at: NotRequired[datetime | None]
    name: str | None
    phone: str | None
    phone_verified_at: NotRequired[datetime | None]
    firebase_uid: str | None
    public_id: str
    password_hash: str | None
    password_version: NotRequired[int]
    """Counts the changes of the password."""

    disabled: bool
    disabled_at: NotRequired[datetime | None]
    credential_version: NotRequired[int]
    """Counts how often all credentials have been ended at once."""

    credentials_ended_at: NotRequired[datetime]
    handover_began_at: NotRequired[datetime | None]
    """While it is handed over, see `models.accounts.handovers`."""

    created_at: datetime
    time_zone: NotRequired[str]
    language: NotRequired[str]
    known_networks: NotRequired[list[str]]
    """See `models.accounts.networks`."""

    deleting: NotRequired[bool]
    """While its deletion is under way, see `models.accounts.lifecycle`; as what follows, except
    `deleted_at`, which stays."""

    deletion_requested_at: NotRequired[datetime]
    deleted_at: NotRequired[datetime | None]
    pseudonym: NotRequired[str]
    erase_again_at: NotRequired[datetime]


class StoredKey(TypedDict):
    """A document of `account_keys`."""

    _id: str
    """`address:<exact>` or `email:<folded>` of an e-mail, `phone:<E.164>`, `firebase:<uid>`."""

    account_id: str
    claimed_at: datetime
    confirmed: bool


class StoredSession(TypedDict):
    """A document of `sessions`."""

    _id: str
    account_id: str
    created_at: datetime
    last_used_at: NotRequired[datetime]
    client: NotRequired[str | None]
    network: NotRequired[str | None]
    expires_at: datetime
    revoked_at: datetime | None


class StoredRefreshToken(TypedDict):
    """A document of `refresh_tokens`."""

    _id: str
    """The token's hash."""

    session_id: str
    account_id: str
    expires_at: datetime
    used_at: datetime | None


class StoredRevocation(TypedDict):
    """A document of `revocations`."""

    _id: str
    """`number` as text."""

    number: int
    """1, 2, 3 …, of all accounts."""

    account_id: str
    version: int | None
    """Identities of the account below it have ended; None where only sessions have."""

    session_ids: list[str]
    disabled: bool
    """Whether the account is refused altogether."""

    at: datetime


class StoredLink(TypedDict):
    """A document of `account_links`; a used link is deleted."""

    _id: str
    """The token's hash."""

    kind: str
    account_id: str
    email: str | None
    """The account's when the link was made."""

    credential_version: int
    """Of that time: a link ends with the other credentials."""

    password_version: NotRequired[int]
    """Likewise, of a change of the e-mail."""

    new_email: NotRequired[str | None]
    """Which such a change proves."""

    mailed: bool
    """Whether it was sent to that e-mail, which the link then proves."""

    created_at: datetime
    expires_at: datetime


class StoredInvite(TypedDict):
    """A document of `invites`."""

    _id: str
    """The code's hash."""

    uses_left: int
    uses: int
    note: str | None
    created_at: datetime
    expires_at: datetime


class StoredSetting(TypedDict):
    """A document of `operator_settings`: `sign_ups`, where operators chose another mode."""

    _id: str
    mode: str


class StoredPicture(TypedDict):
    """A document of `account_pictures`."""

    _id: str
    """The account."""

    content: bytes
    """Without metadata."""

    content_type: str
    version: str
    """Of the content: with it a client may keep the picture permanently."""

    updated_at: datetime


def verified_at(account: StoredAccount, address: Address) -> datetime | None:
    """Return when the owner proved that the e-mail or the phone number is theirs."""
    if address == "email":
        return account.get("email_verified_at")
    return account.get("phone_verified_at")
