"""Our own access tokens: JWT, HS256."""

import base64
import hmac
import secrets
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import jwt
import msgspec
from jwt.types import Options

from models.accounts import Account
from models.accounts.naming import is_account_id
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

    credential_version: int | None
    """The account's when the token was issued; None where the issuer does not know it."""

    issued_at: float | None
    """By the issuer's clock, seconds since the epoch."""

    def are_older_than(self, account: Account) -> bool:
        """Whether all credentials of the account were ended after these were issued."""
        if self.credential_version is not None:
            return self.credential_version < account.credential_version
        if account.credentials_ended_at is None:
            return False
        return self.issued_at is None or self.issued_at <= account.credentials_ended_at.timestamp()


class OwnTokens:
    """Issues and verifies access tokens that last `lifetime`."""

    def __init__(
        self, secrets: str | Sequence[str], lifetime: timedelta, clock: Clock = now
    ) -> None:
        """Sign with the first of `secrets`, and verify what any of them has signed."""
        self._secrets = (secrets,) if isinstance(secrets, str) else tuple(secrets)
        self._keys = tuple(secret.encode() for secret in self._secrets)
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
            "ver": account.credential_version,
            "jti": secrets.token_urlsafe(12),
        }
        if session_id is not None:
            claims["sid"] = session_id
        return jwt.encode(claims, self._secrets[0], ALGORITHM)

    def verify(self, token: str) -> Claims:
        """Check signature and expiry, and read the account from `sub`, else `user_id`.

        Raises:
            Unauthorized: code `token_expired` or `token_invalid`.
        """
        claims = self._claims(token)
        session_id = claims.get("sid")
        if session_id is not None and not (isinstance(session_id, str) and session_id.isascii()):
            raise token_invalid()
        version, issued_at = claims.get("ver"), claims.get("iat")
        return Claims(
            account_id=_account_id(claims),
            session_id=session_id,
            expires_at=float(claims["exp"]),
            credential_version=version if type(version) is int else None,
            issued_at=_seconds(issued_at),
        )

    def _claims(self, token: str) -> dict[str, Any]:
        claims = self._quick_claims(token)
        return self._thorough_claims(token) if claims is None else claims

    def _quick_claims(self, token: str) -> dict[str, Any] | None:
        """Verify a token as this server issues them; None leaves it to the library.

        That reads the header and prepares the key anew for each token, which takes most of its
        time. This only accepts what it accepts, too.
        """
        signed, _, signature = token.rpartition(".")
        head, _, payload = signed.partition(".")
        if head != _HEAD or not token.isascii():
            return None
        message, given = signed.encode(), signature.encode()
        if not any(hmac.compare_digest(_signature(key, message), given) for key in self._keys):
            return None
        try:
            claims = _decode(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
        except ValueError:
            return None
        expires_at = claims.get("exp")
        if type(expires_at) is not int or expires_at <= time.time() or "nbf" in claims:
            return None
        return claims

    def _thorough_claims(self, token: str) -> dict[str, Any]:
        for secret in self._secrets:
            try:
                return jwt.decode(token, secret, algorithms=[ALGORITHM], options=_OPTIONS)
            except jwt.InvalidSignatureError:
                # Perhaps another of them signed it.
                continue
            except jwt.ExpiredSignatureError:
                raise Unauthorized("The token has expired.", code="token_expired") from None
            except (jwt.InvalidTokenError, ValueError, OverflowError):
                break
        raise token_invalid()


def _signature(key: bytes, message: bytes) -> bytes:
    return base64.urlsafe_b64encode(hmac.digest(key, message, "sha256")).rstrip(b"=")


_HEAD = jwt.encode({}, "0" * 32, ALGORITHM).partition(".")[0]
"""The first part of every token that `issue` makes."""

_decode = msgspec.json.Decoder(dict[str, Any]).decode

_OPTIONS: Options = {
    "require": ["exp"],
    # Other issuers with our secret write `sub` as a number and iat by their own clock.
    "verify_sub": False,
    "verify_iat": False,
    "verify_jti": False,
    "verify_aud": False,
    "verify_iss": False,
}


def token_invalid() -> Unauthorized:
    """Return the one error for every token that does not verify."""
    return Unauthorized("The token is not valid.", code="token_invalid")


def _seconds(value: object) -> float | None:
    return float(value) if isinstance(value, int | float) else None


def _account_id(claims: dict[str, Any]) -> str:
    value = claims.get("sub")
    if value is None:
        value = claims.get("user_id")
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    if isinstance(value, str) and is_account_id(value):
        return value
    raise token_invalid()
