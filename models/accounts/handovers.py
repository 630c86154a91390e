"""End what a former holder had of an account, or of an address, that its verified owner takes."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime, timedelta

from models.accounts import keys
from models.accounts.keys import AccountKeys
from models.accounts.people import People
from models.accounts.revocations import Revocations
from models.accounts.sessions import Sessions
from models.accounts.stored import Address, StoredAccount, verified_at
from models.database import Database, typed
from models.times import Clock

STALE = timedelta(seconds=60)
"""Far longer than the listeners take; after it the process that ran them is taken for dead."""

Listener = Callable[[str], Awaitable[None]]


class Handovers:
    """Hands accounts over. Every step is idempotent, and repeated when a process dies before the
    last one; until then the new owner is not admitted."""

    def __init__(
        self,
        database: Database,
        account_keys: AccountKeys,
        sessions: Sessions,
        revocations: Revocations,
        people: People,
        clock: Clock,
    ) -> None:
        self._accounts = typed(database["accounts"], StoredAccount)
        self._keys = account_keys
        self._sessions = sessions
        self._revocations = revocations
        self._people = people
        self._clock = clock
        self._listeners: list[Listener] = []

    def listen(self, listener: Listener) -> None:
        """Have `listener` called with the id of each account that is handed over."""
        self._listeners.append(listener)

    def begin(self, holder: StoredAccount, values: Mapping[str, object]) -> Mapping[str, object]:
        """Return the update that gives an account `values`, ends the former holder's ways in, and
        marks the handover begun."""
        now = self._clock()
        ended: dict[str, object] = {
            "password_hash": None,
            "known_networks": [],
            "handover_began_at": now,
        }
        if holder.get("phone_verified_at") is None:
            ended |= {"phone": None, "public_id": holder["_id"]}
        return _ending_credentials({**values, **ended}, now)

    async def run(self, account: StoredAccount) -> None:
        """End all credentials, then what listeners know of: now the account is its owner's."""
        account_id, began_at = account["_id"], account.get("handover_began_at")
        if began_at is None:
            return
        try:
            await self._end_credentials(account)
            await self._people.changed(account_id)
            for listener in self._listeners:
                await listener(account_id)
        except (Exception, asyncio.CancelledError):
            # The next request tries again at once.
            await self._move(account_id, began_at, began_at - STALE)
            raise
        await self._move(account_id, began_at, None)

    async def is_finished(self, account: StoredAccount) -> bool:
        """Whether the account is its owner's; repeats what a process that died left undone.

        False while another request is at it.
        """
        began_at = account.get("handover_began_at")
        if began_at is None:
            return True
        now = self._clock()
        if began_at <= now - STALE and await self._move(account["_id"], began_at, now):
            await self.run({**account, "handover_began_at": now})
            return True
        return False

    async def take(self, holder: StoredAccount, field: Address) -> bool:
        """Take a value, `email` or `phone`, from an account that has not verified it.

        False when it has. Its credentials end, since its connections go by the value.
        """
        account_id, value = holder["_id"], holder[field]
        if verified_at(holder, field) is not None:
            return False
        # In development an account that came through a phone number is known by it.
        known_by = {"public_id": account_id} if holder["public_id"] == value else {}
        taken = await self._accounts.find_one_and_update(
            {"_id": account_id, field: value, f"{field}_verified_at": None},
            _ending_credentials({field: None, **known_by}, self._clock()),
            return_document=True,
        )
        if taken is None:
            return False
        for key in keys.of_value(field, value):
            await self._keys.release(key, account_id)
        await self._end_credentials(taken)
        await self._people.changed(account_id)
        return True

    async def _end_credentials(self, account: StoredAccount) -> None:
        await self._sessions.revoke_all(account["_id"])
        await self._revocations.append(account["_id"], version=account["credential_version"])

    async def _move(self, account_id: str, began_at: object, to: object) -> bool:
        moved = await self._accounts.update_one(
            {"_id": account_id, "handover_began_at": began_at},
            {"$set": {"handover_began_at": to}},
        )
        return moved.matched_count == 1


def _ending_credentials(values: Mapping[str, object], at: datetime) -> Mapping[str, object]:
    return {"$inc": {"credential_version": 1}, "$set": {**values, "credentials_ended_at": at}}
