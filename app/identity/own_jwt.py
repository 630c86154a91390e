"""Our own access tokens: JWT, HS256."""

import secrets
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import jwt

from models.accounts import Account
from models.errors import Unauthorized
from models.times import Clock, now

ALGORITHM = "HS256"


@dataclass(frozen=True, slots=True)
class Claims:
    """What a verified token says."""

    account_id: str
    session_id: str | None
    expires_at: float
    """Seconds since the epoch."""


class OwnTokens:
    """Issues and verifies access tokens that last `lifetime`."""

    def __init__(self, secret: str, lifetime: timedelta, clock: Clock = now) -> None:
        self._secret = secret
        self._lifetime = lifetime
        self._clock = clock

    @property
    def lifetime_s(self) -> int:
        """For how long a token is good, in seconds."""
        return int(self._lifetime.total_seconds())

    def issue(self, account: Account, session_id: str | None = None) -> str:
        """Make a token for the account; with `session_id` it ends with that session."""
        issued_at = int(self._clock().timestamp())
        claims: dict[str, Any] = {
            "sub": account.id,
            "email": account.email,
            "iat": issued_at,
            "exp": issued_at + self.lifetime_s,
            "jti": secrets.token_urlsafe(12),
        }
        if session_id is not None:
            claims["sid"] = session_id
        return jwt.encode(claims, self._secret, ALGORITHM)

    def verify(self, token: str) -> Claims:
        """Check signature and expiry, and read the account from `sub`, else `user_id`.

        Raises:
            Unauthorized: code `token_expired` or `token_invalid`.
        """
        try:
            claims = jwt.decode(
                token,
                self._secret,
                algorithms=[ALGORITHM],
                # Other issuers with our secret write `sub` as a number and iat by their own clock.
                options={
                    "require": ["exp"],
                    "verify_sub": False,
                    "verify_iat": False,
                    "verify_jti": False,
                    "verify_aud": False,
                    "verify_iss": False,
                },
            )
        except jwt.ExpiredSignatureError:
            raise Unauthorized("The token has expired.", code="token_expired") from None
        except (jwt.InvalidTokenError, ValueError, OverflowError):
            raise token_invalid() from None
        session_id = claims.get("sid")
        if session_id is not None and not isinstance(session_id, str):
            raise token_invalid()
        return Claims(_account_id(claims), session_id, float(claims["exp"]))


def token_invalid() -> Unauthorized:
    """Give the one error for every token that does not verify."""
    return Unauthorized("The token is not valid.", code="token_invalid")


def _account_id(claims: dict[str, Any]) -> str:
    value = claims.get("sub")
    if value is None:
        value = claims.get("user_id")
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    if isinstance(value, str) and value:
        return value
    raise token_invalid()
