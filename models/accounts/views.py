"""The shapes in which people are shown: answers and events of every domain are made of them."""

from typing import TypedDict


class PublicUser(TypedDict):
    """What everyone may know of a person."""

    id: str
    public_id: str
    name: str | None
    """Null: the account has none, or there is none; `kind` of `/api/v1/users?ids=` says which."""


class ShownUser(PublicUser):
    """A person, whether there is one, and their picture."""

    kind: str
    """`account`; `alias` of somebody whom the caller named by an address and who has not shown
    themselves, if there is anybody; `unknown`: the account was deleted, or never was."""

    picture: str | None
    """Its version: the picture is at `/api/v1/users/{id}/picture?v=<version>`. Null without one."""


class OwnAccountView(TypedDict):
    """An account as its owner sees it."""

    id: str
    email: str | None
    name: str | None
    phone: str | None
    public_id: str
    created_at: str
    time_zone: str
    """The IANA name of the zone whose dates are the account's."""

    language: str
    email_verified_at: str | None
    phone_verified_at: str | None


class TokensView(TypedDict):
    """What a login answers."""

    token: str
    """The same as `access_token`."""

    access_token: str
    token_type: str
    expires_in: int
    """Seconds."""

    refresh_token: str
    user: OwnAccountView


class SessionView(TypedDict):
    """A login session as its owner sees it."""

    id: str
    created_at: str
    last_used_at: str
    expires_at: str
    client: str | None
    """Such as `Firefox on Linux`."""

    network: str | None
    current: bool
    """Whether it is the one that asks."""


class WaitsForView(TypedDict):
    """What a deletion waits for."""

    waits_for: list[str]


class EndedSessionsView(TypedDict):
    """How many sessions were ended."""

    ended_count: int


class PictureView(TypedDict):
    """The picture of an account."""

    picture: str
    """Its version."""


class AcceptedView(TypedDict):
    """Nothing: the answer is the same whatever becomes of the request."""
