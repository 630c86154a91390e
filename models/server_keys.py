"""Secret keys of this deployment, kept in its database.

`server_keys`: `_id` (what the key is for), `key` (32 random bytes), `created_at`. Every process
that shares the database shares the keys, and replacing `JWT_SECRET` does not change them.
"""

import secrets

from pymongo.errors import DuplicateKeyError

from models.database import Database
from models.times import Clock, now

KEY_BYTES = 32
"""As long as the digest of HMAC-SHA-256 (RFC 2104, section 3)."""


class ServerKeys:
    """Makes each key on first use and remembers it."""

    def __init__(self, database: Database, clock: Clock = now) -> None:
        self._stored = database["server_keys"]
        self._clock = clock
        self._known: dict[str, bytes] = {}

    async def key(self, purpose: str) -> bytes:
        """Return the key for `purpose`, the same in every process and after every restart."""
        known = self._known.get(purpose)
        if known is not None:
            return known
        found = await self._stored.find_one({"_id": purpose})
        if found is None:
            found = {
                "_id": purpose,
                "key": secrets.token_bytes(KEY_BYTES),
                "created_at": self._clock(),
            }
            try:
                await self._stored.insert_one(found)
            except DuplicateKeyError:
                # Another process was first; its key is the one that counts.
                return await self.key(purpose)
        key = bytes(found["key"])
        self._known[purpose] = key
        return key
