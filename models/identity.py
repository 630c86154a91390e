"""Who is asking: what every credential is turned into."""

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Identity:
    """An account that proved itself at a door."""

    account_id: str
    """Decimal counter as text: `"1"`."""

    email: str | None
    public_id: str
    """The id by which other chat users know the account: phone, Firebase uid or `account_id`."""

    name: str | None = None
    session_id: str | None = None
    """The login session behind our own JWT, else None."""

    expires_at: float | None = None
    """When the credential ends, seconds since the epoch; None for one that does not."""


class Authenticate(Protocol):
    """Turns a token into an `Identity`, the same for every door."""

    async def __call__(self, token: str | None) -> Identity:
        """Verify `token`.

        Raises:
            Unauthorized: missing, malformed, expired, revoked or unknown.
            Forbidden: code `account_disabled`.
        """
