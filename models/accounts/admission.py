"""Who may make an account: `SIGNUP`, and the operator's invitations."""

import hashlib
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from models.accounts.stored import StoredInvite, StoredSetting
from models.collections import retention_of
from models.database import Database, typed
from models.errors import Forbidden, NotFound
from models.retention import expire, prepare_expiry
from models.times import Clock

CODE_BYTES = 12
"""96 random bits: no one guesses one, and it can still be typed, in hexadecimal digits: a command
line takes what begins with a hyphen for an option."""

SHOWN = 12
"""Characters of a hash by which operators name an invitation."""


_SETTING = "sign_ups"


class SignUpMode(StrEnum):
    """The values of `SIGNUP`."""

    OPEN = "open"
    INVITE = "invite"
    CLOSED = "closed"


@dataclass(frozen=True, slots=True)
class Invite:
    """An invitation as operators see it."""

    id: str
    uses_left: int
    uses: int
    note: str | None
    expires_at: datetime


class Admission:
    """Decides on each new account, whichever transport it comes through."""

    def __init__(self, database: Database, mode: SignUpMode, clock: Clock) -> None:
        self._invites = typed(database["invites"], StoredInvite)
        self._settings = typed(database["operator_settings"], StoredSetting)
        self._default = mode
        self._clock = clock

    async def prepare(self) -> None:
        """Make the index."""
        await prepare_expiry(self._invites, retention_of("invites"))

    async def sweep(self) -> None:
        """Delete invitations that have expired."""
        await expire(self._invites, retention_of("invites"), self._clock())

    async def mode(self) -> SignUpMode:
        """Return who may make an account: what operators have switched to, else `SIGNUP`."""
        found = await self._settings.find_one({"_id": _SETTING})
        return SignUpMode(found["mode"]) if found else self._default

    async def switch(self, mode: SignUpMode | None) -> None:
        """Let operators decide who may make an account, in every process; None is `SIGNUP`."""
        if mode is None:
            await self._settings.delete_one({"_id": _SETTING})
        else:
            await self._settings.update_one(
                {"_id": _SETTING}, {"$set": {"mode": mode.value}}, upsert=True
            )

    async def check(self, code: str | None = None) -> None:
        """Refuse what `take` would refuse; for what costs something before it.

        Raises:
            Forbidden: code `signup_closed`, `invite_required` or `invite_invalid`.
        """
        await self._check(await self.mode(), code)

    async def _check(self, mode: SignUpMode, code: str | None) -> None:
        if mode is SignUpMode.CLOSED:
            raise Forbidden("Sign-up is closed.", code="signup_closed")
        if mode is SignUpMode.OPEN:
            return
        if code is None:
            raise Forbidden("An invitation is needed to sign up.", code="invite_required")
        found = await self._invites.find_one({"_id": _digest(code)})
        if not found or found["uses_left"] < 1 or found["expires_at"] <= self._clock():
            raise _invalid()

    async def take(self, code: str | None) -> None:
        """Use up one use of an invitation, where one is needed; raises as `check`."""
        mode = await self.mode()
        await self._check(mode, code)
        if mode is SignUpMode.OPEN or code is None:
            return
        taken = await self._invites.update_one(
            {
                "_id": _digest(code),
                "uses_left": {"$gt": 0},
                "expires_at": {"$gt": self._clock()},
            },
            {"$inc": {"uses_left": -1}},
        )
        if taken.matched_count == 0:
            raise _invalid()

    async def give_back(self, code: str | None) -> None:
        """Return a use whose account was not made after all."""
        if await self.mode() is SignUpMode.INVITE and code is not None:
            await self._invites.update_one({"_id": _digest(code)}, {"$inc": {"uses_left": 1}})

    async def invite(self, *, uses: int, lifetime: timedelta, note: str | None = None) -> str:
        """Make an invitation for `uses` accounts and return its code, which is stored nowhere."""
        code = secrets.token_hex(CODE_BYTES)
        now = self._clock()
        document: StoredInvite = {
            "_id": _digest(code),
            "uses_left": uses,
            "uses": uses,
            "note": note,
            "created_at": now,
            "expires_at": now + lifetime,
        }
        await self._invites.insert_one(document)
        return code

    async def invites(self) -> list[Invite]:
        """Return the invitations that have not expired, the first to expire first."""
        found = self._invites.find({"expires_at": {"$gt": self._clock()}})
        listed = await found.sort([("expires_at", 1)]).to_list(None)
        return [
            Invite(
                one["_id"][:SHOWN], one["uses_left"], one["uses"], one["note"], one["expires_at"]
            )
            for one in listed
        ]

    async def withdraw(self, invite_id: str) -> None:
        """End an invitation, named by its id or by its code.

        Raises:
            NotFound: code `invite_not_found`.
        """
        found = await self._invites.find({}).to_list(None)
        named = [one["_id"] for one in found if one["_id"][:SHOWN] == invite_id] or [
            _digest(invite_id)
        ]
        if (await self._invites.delete_one({"_id": named[0]})).deleted_count == 0:
            raise NotFound("There is no such invitation.", code="invite_not_found")


def _digest(code: str) -> str:
    return hashlib.sha256(code.encode()).hexdigest()


def _invalid() -> Forbidden:
    message = "The invitation is not valid, or has been used up."
    return Forbidden(message, code="invite_invalid")
