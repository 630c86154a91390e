"""Who is asking: what every credential is turned into."""

from dataclasses import dataclass
from typing import Protocol

TOKEN_MAX = 8192
"""Characters of a token; a Firebase ID token has about 1,200."""


@dataclass(frozen=True, slots=True)
class Identity:
    """An account that proved itself."""

    account_id: str
    """A decimal number below 2^53 as text."""

    email: str | None
    public_id: str
    """The id by which strangers know the account: its Firebase uid, `account_id`, or the phone
    number of an account that came through one in development."""

    name: str | None = None
    session_id: str | None = None
    """The login session behind our own JWT, else None."""

    credential_version: int = 0
    """The account's version when the credential was accepted; a revocation names a higher one."""

    expires_at: float | None = None
    """When the credential ends, seconds since the epoch; None for one that does not."""


class Authenticate(Protocol):
    """Turns a token into an `Identity`, the same for every transport."""

    async def __call__(self, token: str | None) -> Identity:
        """Verify `token`.

        Raises:
            Unauthorized: missing, malformed, expired, revoked or unknown.
            Forbidden: code `account_disabled`.
        """
