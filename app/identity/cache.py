"""Remember for a short time who a token belongs to, so that a warm process asks no database.

What this process ends or changes itself takes effect at once. What another process ends is seen
with the next look at the log of revocations, and in any case after `max_age_s`.
"""

import hashlib
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from app.identity.revocation import OPENING_S
from models.accounts.revocations import Revocation
from models.identity import Authenticate, Identity

REMEMBERED = 10_000
"""Identities kept in memory, about 0.5 KB each: more tokens than one process serves in ten seconds;
of any more, those used longest ago are asked for again."""

MAX_AGE_S = OPENING_S / 2
"""A connection that was opened by a remembered identity must still be there when the log of
revocations is applied for the last time, however rarely the log is read."""


@dataclass(frozen=True, slots=True)
class _Remembered:
    identity: Identity
    until: float


class _Asking:
    """A token that is being verified, and the accounts that have changed since that began."""

    __slots__ = ("changed",)

    def __init__(self) -> None:
        self.changed: set[str] = set()


class IdentityCache:
    """Implements `models.identity.Authenticate`; refusals are not remembered."""

    def __init__(
        self,
        authenticate: Authenticate,
        *,
        max_age_s: float,
        clock: Callable[[], float] = time.monotonic,
        wall_clock: Callable[[], float] = time.time,
    ) -> None:
        """Remember what `authenticate` returns for at most `max_age_s` seconds.

        `wall_clock` is what the expiry of tokens is compared with.
        """
        self._authenticate = authenticate
        self._max_age_s = min(max_age_s, MAX_AGE_S)
        self._clock = clock
        self._wall_clock = wall_clock
        # By the tokens' hashes: whoever reads this memory cannot log in by it.
        self._remembered: OrderedDict[bytes, _Remembered] = OrderedDict()
        self._keys: dict[str, set[bytes]] = {}
        self._asking: set[_Asking] = set()

    def __len__(self) -> int:
        """Return the number of identities kept."""
        return len(self._remembered)

    async def __call__(self, token: str | None) -> Identity:
        """Verify `token`, unless that was done a moment ago; errors are those of `authenticate`."""
        if not token:
            return await self._authenticate(token)
        key = hashlib.sha256(token.encode(errors="surrogatepass")).digest()
        now = self._clock()
        known = self._remembered.get(key)
        if known is not None:
            if now < known.until and not self._has_expired(known.identity):
                self._remembered.move_to_end(key)
                return known.identity
            self._drop(key)
        asking = _Asking()
        self._asking.add(asking)
        try:
            identity = await self._authenticate(token)
        finally:
            self._asking.discard(asking)
        # What was read may be older than a change that came meanwhile.
        if identity.account_id not in asking.changed:
            self._remember(key, _Remembered(identity, now + self._max_age_s))
        return identity

    async def forget(self, account_id: str) -> None:
        """Ask again for all that is known of an account: it has changed, or credentials ended."""
        for asking in self._asking:
            asking.changed.add(account_id)
        for key in [*self._keys.get(account_id, ())]:
            self._drop(key)

    def close_revoked(self, revocations: Sequence[Revocation]) -> None:
        """Forget the identities that `revocations` cover, and do not remember those being read."""
        for entry in revocations:
            for asking in self._asking:
                asking.changed.add(entry.account_id)
            for key in [*self._keys.get(entry.account_id, ())]:
                if entry.covers(self._remembered[key].identity):
                    self._drop(key)

    def _has_expired(self, identity: Identity) -> bool:
        return identity.expires_at is not None and identity.expires_at <= self._wall_clock()

    def _remember(self, key: bytes, known: _Remembered) -> None:
        if key in self._remembered:
            self._drop(key)
        self._remembered[key] = known
        self._keys.setdefault(known.identity.account_id, set()).add(key)
        if len(self._remembered) > REMEMBERED:
            self._drop(next(iter(self._remembered)))

    def _drop(self, key: bytes) -> None:
        account_id = self._remembered.pop(key).identity.account_id
        keys = self._keys[account_id]
        keys.discard(key)
        if not keys:
            del self._keys[account_id]
