"""A gapless log of what has ended: credentials of accounts, and sessions.

Processes learn what others ended by reading on from the last number they know, so no two machines'
clocks are ever compared. A number is taken only when the one before it is there: anyone who has
read up to a number has missed nothing.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from pymongo.errors import DuplicateKeyError

from models.accounts.stored import StoredRevocation
from models.collections import retention_of
from models.database import Database, typed
from models.identity import Identity
from models.retention import expire, prepare_expiry
from models.times import Clock


@dataclass(frozen=True, slots=True)
class Revocation:
    """One entry of the log."""

    number: int
    account_id: str
    version: int | None
    session_ids: frozenset[str]
    disabled: bool

    def covers(self, identity: Identity) -> bool:
        """Whether the credential behind `identity` has ended with this."""
        if identity.account_id != self.account_id:
            return False
        if identity.session_id in self.session_ids:
            return True
        return self.version is not None and identity.credential_version < self.version


class Revocations:
    """Writes the log, and reads it from a number on."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._entries = typed(database["revocations"], StoredRevocation)
        self._clock = clock
        self._listeners: list[Callable[[str], Awaitable[None]]] = []

    def when_appended(self, listener: Callable[[str], Awaitable[None]]) -> None:
        """Have `listener` called with the account of each entry of this process, when it is there.

        Whoever ends a credential waits for it: by then what it ends has been forgotten.
        """
        self._listeners.append(listener)

    async def prepare(self) -> None:
        """Make the indexes."""
        await self._entries.create_index([("number", 1)])
        await prepare_expiry(self._entries, retention_of("revocations"))

    async def newest(self) -> int:
        """Return the number of the latest entry, 0 when there is none."""
        found = await self._entries.find({}).sort([("number", -1)]).limit(1).to_list(1)
        return found[0]["number"] if found else 0

    async def append(
        self,
        account_id: str,
        *,
        version: int | None = None,
        session_ids: Sequence[str] = (),
        disabled: bool = False,
    ) -> None:
        """Note that identities below `version`, or those of sessions, have ended."""
        while True:
            number = await self.newest() + 1
            entry: StoredRevocation = {
                "_id": str(number),
                "number": number,
                "account_id": account_id,
                "version": version,
                "session_ids": list(session_ids),
                "disabled": disabled,
                "at": self._clock(),
            }
            try:
                await self._entries.insert_one(entry)
            except DuplicateKeyError:
                continue
            break
        for listener in self._listeners:
            await listener(account_id)

    async def after(self, number: int) -> list[Revocation]:
        """Return the entries after `number`, in their order."""
        found = self._entries.find({"number": {"$gt": number}}).sort([("number", 1)])
        return [_read(entry) async for entry in found]

    async def sweep(self) -> None:
        """Forget old entries; the newest stays, so that numbers go on from it."""
        newest = await self.newest()
        older = {"number": {"$lt": newest}}
        await expire(self._entries, retention_of("revocations"), self._clock(), only=older)


def _read(entry: StoredRevocation) -> Revocation:
    return Revocation(
        number=entry["number"],
        account_id=entry["account_id"],
        version=entry["version"],
        session_ids=frozenset(entry["session_ids"]),
        disabled=entry["disabled"],
    )
