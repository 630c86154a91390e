"""Login sessions: refresh tokens that rotate, and the revocation that access tokens obey.

`sessions`: `_id`, `account_id`, `created_at`, `expires_at`, `revoked_at`.
`refresh_tokens`: `_id` (SHA-256 of the token, never the token), `session_id`, `account_id`,
`expires_at`, `used_at`.
"""

import hashlib
import secrets
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from models.database import Database, Document
from models.errors import Unauthorized
from models.times import Clock

TOKEN_BYTES = 32


@dataclass(frozen=True, slots=True)
class Session:
    """A login that lasts as long as its refresh token is handed in for a new one."""

    id: str
    account_id: str
    refresh_token: str = field(repr=False)


class Sessions:
    """Opens, refreshes and revokes sessions; `lifetime` runs from the latest refresh."""

    def __init__(self, database: Database, lifetime: timedelta, clock: Clock) -> None:
        self._sessions = database["sessions"]
        self._tokens = database["refresh_tokens"]
        self._lifetime = lifetime
        self._clock = clock

    async def prepare(self) -> None:
        """Make the indexes."""
        await self._sessions.create_index([("account_id", 1)])
        await self._sessions.create_index([("expires_at", 1)])
        await self._sessions.create_index([("revoked_at", 1)])
        await self._tokens.create_index([("expires_at", 1)])

    async def open(self, account_id: str) -> Session:
        """Begin a session."""
        now = self._clock()
        session_id = secrets.token_urlsafe(16)
        await self._sessions.insert_one(
            {
                "_id": session_id,
                "account_id": account_id,
                "created_at": now,
                "expires_at": now + self._lifetime,
                "revoked_at": None,
            }
        )
        return Session(session_id, account_id, await self._add_token(session_id, account_id))

    async def refresh(self, refresh_token: str) -> Session:
        """Hand in a refresh token for the next one of its session.

        A token handed in twice has been copied, so its session is revoked (RFC 9700, 4.14.2).

        Raises:
            Unauthorized: code `refresh_token_invalid`: unknown, expired, used or revoked.
        """
        now = self._clock()
        old = await self._find_token(refresh_token)
        if old is None or old["expires_at"] <= now:
            raise _invalid()
        session_id, account_id = old["session_id"], old["account_id"]
        if not await self.is_active(session_id, account_id):
            raise _invalid()
        # The next token is written first: a crash here leaves the old one valid.
        token = await self._add_token(session_id, account_id)
        claimed = await self._tokens.update_one(
            {"_id": old["_id"], "used_at": None}, {"$set": {"used_at": now}}
        )
        if claimed.matched_count == 0:
            await self.revoke(session_id)
            await self._tokens.delete_one({"_id": _digest(token)})
            raise _invalid()
        await self._sessions.update_one(
            {"_id": session_id}, {"$set": {"expires_at": now + self._lifetime}}
        )
        return Session(session_id, account_id, token)

    async def is_active(self, session_id: str, account_id: str) -> bool:
        """Tell whether the account's session exists and has not been revoked."""
        found = await self._sessions.find_one(
            {"_id": session_id, "account_id": account_id, "revoked_at": None}
        )
        return found is not None

    async def revoke(self, session_id: str) -> None:
        """End a session with all its tokens; ending an ended one changes nothing."""
        await self._sessions.update_one(
            {"_id": session_id, "revoked_at": None}, {"$set": {"revoked_at": self._clock()}}
        )

    async def revoke_by_token(self, refresh_token: str) -> None:
        """End the session of a refresh token, used or not; an unknown token changes nothing."""
        token = await self._find_token(refresh_token)
        if token is not None:
            await self.revoke(token["session_id"])

    async def revoke_all(self, account_id: str) -> None:
        """End every session of an account."""
        await self._sessions.update_many(
            {"account_id": account_id, "revoked_at": None}, {"$set": {"revoked_at": self._clock()}}
        )

    async def revoked_since(self, moment: datetime) -> set[str]:
        """Give the ids of sessions that were ended after `moment`."""
        found = self._sessions.find({"revoked_at": {"$gt": moment}})
        return {session["_id"] async for session in found}

    async def forget_expired(self) -> int:
        """Delete what can never be used again; give the number of sessions deleted."""
        expired = {"expires_at": {"$lte": self._clock()}}
        await self._tokens.delete_many(expired)
        return (await self._sessions.delete_many(expired)).deleted_count

    async def _add_token(self, session_id: str, account_id: str) -> str:
        token = secrets.token_urlsafe(TOKEN_BYTES)
        await self._tokens.insert_one(
            {
                "_id": _digest(token),
                "session_id": session_id,
                "account_id": account_id,
                "expires_at": self._clock() + self._lifetime,
                "used_at": None,
            }
        )
        return token

    async def _find_token(self, token: str) -> Document | None:
        return await self._tokens.find_one({"_id": _digest(token)})


def _digest(token: str) -> str:
    # The token has 256 random bits: a slow hash would protect nothing more.
    return hashlib.sha256(token.encode()).hexdigest()


def _invalid() -> Unauthorized:
    return Unauthorized("The refresh token is not valid; log in.", code="refresh_token_invalid")
