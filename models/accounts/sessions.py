"""Login sessions: refresh tokens that rotate, and the revocation that access tokens obey.

The next token is an HMAC of the one handed in, so that a repeat within `REPEAT` gets the same one
though no token is stored.

A device's push subscription ends with the session in which it was made.
"""

import base64
import hashlib
import hmac
import secrets
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from pymongo.errors import DuplicateKeyError

from models.accounts.revocations import Revocations
from models.accounts.stored import StoredRefreshToken, StoredSession
from models.accounts.views import SessionView
from models.collections import retention_of
from models.database import Database, typed
from models.errors import NotFound, Unauthorized
from models.retention import expire, prepare_expiry
from models.server_keys import ServerKeys
from models.times import Clock, to_text

TOKEN_BYTES = 32

REPEAT = timedelta(seconds=60)
"""How long a used refresh token may be handed in again: two tabs that wake up together, a
duplicated tab, an answer lost on the way and the client's next try. A thief who is as fast shares
the session with its owner until one of them refreshes later, which ends it."""

TOUCH = timedelta(minutes=5)
"""How exact `last_used_at` is: a write for each request would cost more than anyone learns."""

SESSIONS_MAX = 100
"""Of one account; opening one more ends the one that has not been used for longest."""


@dataclass(frozen=True, slots=True)
class Device:
    """Where a session is used, as far as its owner can recognise it."""

    client: str | None = None
    """Family of the browser or program, such as `Firefox on Linux`."""

    network: str | None = None
    """IPv4 address, or the /64 of an IPv6 address."""


UNKNOWN_DEVICE = Device()


@dataclass(frozen=True, slots=True)
class Session:
    """A login that lasts as long as its refresh token is handed in for a new one."""

    id: str
    account_id: str
    refresh_token: str = field(repr=False)


class Sessions:
    """Opens, lists, refreshes and revokes sessions; `lifetime` runs from the latest refresh."""

    def __init__(
        self, database: Database, lifetime: timedelta, clock: Clock, revocations: Revocations
    ) -> None:
        self._sessions = typed(database["sessions"], StoredSession)
        self._tokens = typed(database["refresh_tokens"], StoredRefreshToken)
        self._subscriptions = database["push_subscriptions"]
        self._server_keys = ServerKeys(database, clock)
        self._revocations = revocations
        self._lifetime = lifetime
        self._clock = clock

    async def prepare(self) -> None:
        """Make the indexes."""
        await self._sessions.create_index([("account_id", 1)])
        await prepare_expiry(self._sessions, retention_of("sessions"))
        await prepare_expiry(self._tokens, retention_of("refresh_tokens"))
        await self._tokens.create_index([("account_id", 1)])

    async def open(self, account_id: str, device: Device = UNKNOWN_DEVICE) -> Session:
        """Begin a session."""
        await self._make_room(account_id)
        now = self._clock()
        # Operators name sessions in commands, where a hyphen in front would make an option.
        session_id = secrets.token_hex(16)
        await self._sessions.insert_one(
            {
                "_id": session_id,
                "account_id": account_id,
                "created_at": now,
                "last_used_at": now,
                "client": device.client,
                "network": device.network,
                "expires_at": now + self._lifetime,
                "revoked_at": None,
            }
        )
        token = secrets.token_urlsafe(TOKEN_BYTES)
        await self._add_token(token, session_id, account_id)
        return Session(session_id, account_id, token)

    async def refresh(self, refresh_token: str) -> Session:
        """Hand in a refresh token for the next one of its session.

        Used again within `REPEAT`, it gives the same next token. Later it has been copied, so
        its session is revoked (RFC 9700, 4.14.2).

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
        if old["used_at"] is None:
            # The next token is written first: a crash here leaves the old one unused.
            token = await self._add_next(refresh_token, session_id, account_id)
            claimed = await self._tokens.update_one(
                {"_id": old["_id"], "used_at": None}, {"$set": {"used_at": now}}
            )
            if claimed.matched_count:
                await self._sessions.update_one(
                    {"_id": session_id},
                    {"$set": {"expires_at": now + self._lifetime, "last_used_at": now}},
                )
                return Session(session_id, account_id, token)
            old = await self._find_token(refresh_token)
        used_at = old["used_at"] if old is not None else None
        if used_at is None or used_at <= now - REPEAT:
            await self.revoke(session_id)
            raise _invalid()
        return Session(
            session_id, account_id, await self._add_next(refresh_token, session_id, account_id)
        )

    async def is_active(self, session_id: str, account_id: str) -> bool:
        """Return whether the account's session exists and has not been revoked; note its use."""
        found = await self._sessions.find_one(
            {"_id": session_id, "account_id": account_id, "revoked_at": None}
        )
        if found is None:
            return False
        now = self._clock()
        if _last_used(found) <= now - TOUCH:
            await self._sessions.update_one({"_id": session_id}, {"$set": {"last_used_at": now}})
        return True

    async def of(self, account_id: str, current: str | None = None) -> list[SessionView]:
        """Return the account's sessions as shown to their owner, the latest used first.

        `current` is the id of the session that asks.
        """
        return [
            {
                "id": session["_id"],
                "created_at": to_text(session["created_at"]),
                "last_used_at": to_text(_last_used(session)),
                "expires_at": to_text(session["expires_at"]),
                "client": session.get("client"),
                "network": session.get("network"),
                "current": session["_id"] == current,
            }
            for session in await self._active(account_id)
        ]

    async def end(self, account_id: str, session_id: str) -> None:
        """End one session of the account.

        Raises:
            NotFound: code `session_not_found`.
        """
        if not await self.is_active(session_id, account_id):
            raise NotFound("There is no such session.", code="session_not_found")
        await self.revoke(session_id)

    async def end_others(self, account_id: str, current: str | None) -> int:
        """End all sessions of the account but `current`; return how many."""
        ended = [one["_id"] for one in await self._active(account_id) if one["_id"] != current]
        others = {"account_id": account_id, "_id": {"$ne": current or ""}}
        await self._sessions.update_many(
            {**others, "revoked_at": None}, {"$set": {"revoked_at": self._clock()}}
        )
        await self._subscriptions.delete_many(
            {"account_id": account_id, "session_id": {"$ne": current or ""}}
        )
        if ended:
            await self._revocations.append(account_id, session_ids=ended)
        return len(ended)

    async def revoke(self, session_id: str) -> None:
        """End a session with all its tokens; ending an ended one changes nothing."""
        ended = await self._sessions.find_one_and_update(
            {"_id": session_id, "revoked_at": None}, {"$set": {"revoked_at": self._clock()}}
        )
        if ended is not None:
            await self._subscriptions.delete_many(
                {"account_id": ended["account_id"], "session_id": session_id}
            )
            await self._revocations.append(ended["account_id"], session_ids=[session_id])

    async def revoke_by_token(self, refresh_token: str) -> None:
        """End the session of a refresh token, used or not; an unknown token changes nothing."""
        token = await self._find_token(refresh_token)
        if token is not None:
            await self.revoke(token["session_id"])

    async def revoke_all(self, account_id: str) -> None:
        """End every session of an account; its live connections are the caller's to end."""
        await self._sessions.update_many(
            {"account_id": account_id, "revoked_at": None}, {"$set": {"revoked_at": self._clock()}}
        )
        await self._subscriptions.delete_many({"account_id": account_id})

    async def remove_all(self, account_id: str) -> None:
        """Delete every session of an account with its tokens; no one can log in by them any more.

        Live connections are the caller's to end.
        """
        await self._sessions.delete_many({"account_id": account_id})
        await self._tokens.delete_many({"account_id": account_id})
        await self._subscriptions.delete_many({"account_id": account_id})

    async def forget_expired(self) -> int:
        """Delete what can never be used again; return the number of sessions deleted."""
        await expire(self._tokens, retention_of("refresh_tokens"), self._clock())
        return await expire(self._sessions, retention_of("sessions"), self._clock())

    async def _active(self, account_id: str) -> list[StoredSession]:
        """Return the sessions that have not ended, the latest used first."""
        now = self._clock()
        found = await self._sessions.find({"account_id": account_id, "revoked_at": None}).to_list(
            None
        )
        active = [session for session in found if session["expires_at"] > now]
        return sorted(active, key=_last_used, reverse=True)

    async def _make_room(self, account_id: str) -> None:
        open_now = await self._sessions.count_documents(
            {"account_id": account_id, "revoked_at": None}
        )
        if open_now >= SESSIONS_MAX:
            for session in (await self._active(account_id))[SESSIONS_MAX - 1 :]:
                await self.revoke(session["_id"])

    async def _add_next(self, refresh_token: str, session_id: str, account_id: str) -> str:
        """Write the token that follows `refresh_token`, if it is not there, and return it."""
        key = await self._server_keys.key("refresh_tokens")
        digest = hmac.digest(key, refresh_token.encode(), hashlib.sha256)
        token = base64.urlsafe_b64encode(digest).decode().rstrip("=")
        await self._add_token(token, session_id, account_id)
        return token

    async def _add_token(self, token: str, session_id: str, account_id: str) -> None:
        document: StoredRefreshToken = {
            "_id": _digest(token),
            "session_id": session_id,
            "account_id": account_id,
            "expires_at": self._clock() + self._lifetime,
            "used_at": None,
        }
        try:
            await self._tokens.insert_one(document)
        except DuplicateKeyError:
            # A repeat derives the token that is there.
            return

    async def _find_token(self, token: str) -> StoredRefreshToken | None:
        return await self._tokens.find_one({"_id": _digest(token)})


def _last_used(session: StoredSession) -> datetime:
    return session.get("last_used_at") or session["created_at"]


def _digest(token: str) -> str:
    # The token has 256 random bits: a slow hash would protect nothing more.
    return hashlib.sha256(token.encode()).hexdigest()


def _invalid() -> Unauthorized:
    return Unauthorized("The refresh token is not valid; log in.", code="refresh_token_invalid")
