"""Firebase ID tokens: JWT, RS256, signed with keys that Google publishes and rotates.

https://firebase.google.com/docs/auth/admin/verify-id-tokens
"""

import asyncio
import logging
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import aiohttp
import jwt

from app.identity.own_jwt import token_invalid
from models.accounts.naming import is_uid
from models.errors import Unauthorized, Unavailable

logger = logging.getLogger(__name__)

ALGORITHM = "RS256"
LEEWAY_S = 10
"""Google's clock and ours may differ by so much."""

FETCH_TIMEOUT_S = 5
KEYS_MIN_AGE_S = 30
"""An unknown key id fetches again no sooner: invented ids must not become a flood at Google."""

RETRY_S = 5
KEYS_DEFAULT_AGE_S = 3600
KEYS_MAX_AGE_S = 86_400
KEYS_GRACE_S = 86_400
"""Google publishes a key for days; a day without reaching it is an outage of our own."""


@dataclass(frozen=True, slots=True)
class FirebaseUser:
    """What a verified ID token says, word for word: `Accounts` decides what of it is usable."""

    uid: str
    verified_email: str | None
    phone: str | None
    """In E.164; Firebase has sent a code there."""

    name: str | None
    expires_at: float
    """Seconds since the epoch."""


class FirebaseTokens:
    """Verifies ID tokens of one project; `close` it at the end."""

    def __init__(
        self, project_id: str, jwks_url: str, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._project_id = project_id
        self._keys = SigningKeys(jwks_url, clock)

    async def verify(self, token: str) -> FirebaseUser:
        """Check signature, audience, issuer and times.

        Raises:
            Unauthorized: code `token_expired` or `token_invalid`.
            Unavailable: the signing keys cannot be had.
        """
        try:
            key_id = jwt.get_unverified_header(token).get("kid")
            if not isinstance(key_id, str):
                raise token_invalid()
            claims = jwt.decode(
                token,
                await self._keys.get(key_id),
                algorithms=[ALGORITHM],
                audience=self._project_id,
                issuer=f"https://securetoken.google.com/{self._project_id}",
                leeway=LEEWAY_S,
                options={"require": ["exp", "iat", "aud", "iss", "sub"]},
            )
        except jwt.ExpiredSignatureError:
            raise Unauthorized("The token has expired.", code="token_expired") from None
        except (jwt.InvalidTokenError, ValueError, OverflowError):
            raise token_invalid() from None
        return _user(claims)

    async def close(self) -> None:
        """Close the connections that fetched keys."""
        await self._keys.close()


class SigningKeys:
    """The published keys (RFC 7517) by key id, fetched when needed and kept as their headers say.

    Keys past their age are used for `KEYS_GRACE_S` more while the address cannot be reached.
    """

    def __init__(self, url: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._url = url
        self._clock = clock
        self._keys: dict[str, jwt.PyJWK] = {}
        self._fresh_until = float("-inf")
        self._tried_at = float("-inf")
        self._failed = False
        self._fetching = asyncio.Lock()
        self._http: aiohttp.ClientSession | None = None

    async def get(self, key_id: str) -> jwt.PyJWK:
        """Return the key with this id.

        Raises:
            Unauthorized: code `token_invalid`: there is no such key.
            Unavailable: the keys cannot be fetched.
        """
        if key_id not in self._keys or self._clock() >= self._fresh_until:
            async with self._fetching:
                await self._fetch_if_due(key_id)
        key = self._keys.get(key_id)
        if key is not None and self._clock() < self._fresh_until + KEYS_GRACE_S:
            return key
        if self._failed:
            message = "The keys of Firebase cannot be had; try again."
            raise Unavailable(message, retry_after_s=RETRY_S)
        raise token_invalid()

    async def close(self) -> None:
        """Close the HTTP connections."""
        if self._http is not None:
            await self._http.close()

    async def _fetch_if_due(self, key_id: str) -> None:
        now = self._clock()
        known = key_id in self._keys and now < self._fresh_until
        if known or now - self._tried_at < (RETRY_S if self._failed else KEYS_MIN_AGE_S):
            return
        # Until it has succeeded: the request that fetches may be cancelled.
        self._failed = True
        try:
            self._keys, age_s = await self._fetch()
        except (aiohttp.ClientError, TimeoutError, ValueError, jwt.PyJWTError) as error:
            logger.warning("cannot fetch signing keys from %s: %r", self._url, error)
        else:
            self._failed = False
            self._fresh_until = now + age_s
        # By the end, not the beginning: those who waited meanwhile must not each wait once more.
        self._tried_at = self._clock()

    async def _fetch(self) -> tuple[dict[str, jwt.PyJWK], float]:
        if self._http is None:
            timeout = aiohttp.ClientTimeout(total=FETCH_TIMEOUT_S)
            self._http = aiohttp.ClientSession(timeout=timeout, raise_for_status=True)
        async with self._http.get(self._url) as response:
            published = await response.json(content_type=None)
            age_s = _max_age_s(response.headers)
        keys = published.get("keys") if isinstance(published, dict) else None
        if not isinstance(keys, list) or not all(isinstance(key, dict) for key in keys):
            raise ValueError("not a JSON Web Key Set")
        key_set = jwt.PyJWKSet(keys)
        return {key.key_id: key for key in key_set.keys if key.key_id}, age_s


def _max_age_s(headers: Mapping[str, str]) -> float:
    """Read `Cache-Control: max-age` (RFC 9111), within our own bounds."""
    found = re.search(r"max-age=(\d+)", headers.get("Cache-Control", ""))
    age_s = int(found[1]) if found else KEYS_DEFAULT_AGE_S
    return min(max(age_s, KEYS_MIN_AGE_S), KEYS_MAX_AGE_S)


def _user(claims: Mapping[str, Any]) -> FirebaseUser:
    uid = claims["sub"]
    if not isinstance(uid, str) or not is_uid(uid):
        raise token_invalid()
    verified = claims.get("email_verified") is True
    return FirebaseUser(
        uid=uid,
        verified_email=_text(claims, "email") if verified else None,
        phone=_text(claims, "phone_number"),
        name=_text(claims, "name"),
        expires_at=float(claims["exp"]),
    )


def _text(claims: Mapping[str, Any], name: str) -> str | None:
    value = claims.get(name)
    return value if isinstance(value, str) and value else None
