"""What happens to all that an account has, in every domain, when it is handed over or deleted.

When an account is handed over (`models.accounts.handovers`), its new owner gets what was written
under the address; all that gives others a hold on the account, or the account a hold on others,
ends.

A deletion waits for what binds others (orders under way), then removes or anonymises. It can be
interrupted at any place: the account's document says that it is under way, and the sweep goes on.
"""

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any, Protocol

from models.accounts.schema import Account
from models.accounts.stored import StoredAccount
from models.database import Database, typed
from models.errors import NotFound
from models.exports import Slots, Streamed
from models.times import Clock, to_text

ERASED_AGAIN_AFTER = timedelta(minutes=10)
"""A connection may live for `REVOCATION_CHECK_S` longer than its account, and a request that has
begun may still write: what they leave is removed by a second pass."""


EXPORTS_PER_ACCOUNT = 1
EXPORTS_AT_ONCE = 4
"""They walk through whole collections; four keep a database busy enough."""


class AccountData(Protocol):
    """What one domain keeps of accounts. Every method may be repeated after a crash."""

    async def hand_over(self, account_id: str) -> None:
        """End what belongs to the former holder of the account."""

    async def bindings(self, account_id: str) -> list[str]:
        """Withdraw what can be withdrawn, and name what a deletion has to wait for."""

    async def erase(self, account_id: str, pseudonym: str) -> None:
        """Remove what is the account's; what others need stays under `pseudonym` or the bare id."""

    def export(self, account: Account) -> Streamed:
        """Return all that the account has written here, each list as an asynchronous iterator.

        They read the database as they go, and are read once, in their order.
        """


class Lifecycle:
    """Deletes and exports accounts, with the help of every domain."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._accounts = typed(database["accounts"], StoredAccount)
        self._clock = clock
        self._parts: list[AccountData] = []
        self._slots = Slots(EXPORTS_PER_ACCOUNT, EXPORTS_AT_ONCE)

    def add(self, *parts: AccountData) -> None:
        """Have further domains take part."""
        self._parts.extend(parts)

    async def prepare(self) -> None:
        """Make the index by which interrupted work is found."""
        await self._accounts.create_index([("deleting", 1)])

    async def request_deletion(self, account_id: str) -> list[str]:
        """Delete an account, or as soon as nothing binds it; returns what it waits for.

        Raises:
            NotFound: code `account_not_found`.
        """
        await self.schedule_deletion(account_id)
        return await self._delete(account_id)

    async def schedule_deletion(self, account_id: str) -> None:
        """Let a server's next sweep delete an account; raises as `request_deletion`."""
        requested = await self._accounts.update_one(
            {"_id": account_id, "deleted_at": None},
            {"$set": {"deleting": True, "deletion_requested_at": self._clock()}},
        )
        if not requested.matched_count:
            raise NotFound("There is no such account.", code="account_not_found")

    async def withdraw_deletion(self, account_id: str) -> None:
        """Keep an account whose deletion has not begun; others are left as they are."""
        await self._accounts.update_one(
            {"_id": account_id, "deleted_at": None},
            {"$unset": {"deleting": "", "deletion_requested_at": ""}},
        )

    @contextmanager
    def export(self, account: Account) -> Iterator[Streamed]:
        """Open all that the account has written in every domain, to be read once, in order.

        Raises:
            TooManyRequests: code `export_under_way`.
        """
        with self._slots.taken(account.id):
            everything: dict[str, Any] = {
                "exported_at": to_text(self._clock()),
                "account": account.data(),
            }
            for part in self._parts:
                everything |= part.export(account)
            yield everything

    async def sweep(self) -> None:
        """Go on with what waited or was interrupted."""
        async for account in self._accounts.find({"deleting": True}, only=[]):
            await self._delete(account["_id"])

    async def _delete(self, account_id: str) -> list[str]:
        account = await self._accounts.find_one({"_id": account_id})
        if account is None or not account.get("deleting"):
            return []
        if account.get("deleted_at") is None:
            waiting = [name for part in self._parts for name in await part.bindings(account_id)]
            if waiting:
                return waiting
            account = await self._begin(account_id)
            if account is None:
                return []
        pseudonym = account["pseudonym"]
        again_at = account.get("erase_again_at")
        if again_at is not None and again_at > self._clock():
            return []
        for part in self._parts:
            await part.erase(account_id, pseudonym)
        await self._finish(account_id, second=again_at is not None)
        return []

    async def _begin(self, account_id: str) -> StoredAccount | None:
        """Close the account for good; None when its deletion was withdrawn meanwhile."""
        now = self._clock()
        return await self._accounts.find_one_and_update(
            {"_id": account_id, "deleting": True, "deleted_at": None},
            {
                "$set": {
                    "deleted_at": now,
                    "disabled": True,
                    "disabled_at": now,
                    # Leads to no account: no one keeps which one it was.
                    "pseudonym": f"deleted-{secrets.token_hex(8)}",
                }
            },
            return_document=True,
        )

    async def _finish(self, account_id: str, *, second: bool) -> None:
        if second:
            gone = dict.fromkeys(
                ("deleting", "deletion_requested_at", "pseudonym", "erase_again_at"), ""
            )
            await self._accounts.update_one({"_id": account_id}, {"$unset": gone})
        else:
            again_at = self._clock() + ERASED_AGAIN_AFTER
            await self._accounts.update_one(
                {"_id": account_id}, {"$set": {"erase_again_at": again_at}}
            )
