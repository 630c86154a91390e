"""How many bytes of uploads an account has, and a conversation.

A counter and a file are two documents. Each change of a counter names the file in the same atomic
update, and the name is taken away when the file is stored, or with the bytes when it is removed. So
after a crash at any point the file, there or not, decides what becomes of a name that is left.
"""

from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta

from pymongo.errors import DuplicateKeyError

from models.chat.records import StoredUpload, StoredUsage, UploadMetadata
from models.database import Database, typed
from models.errors import Conflict
from models.files import Files
from models.times import Clock

SETTLED_AFTER = timedelta(hours=1)
"""A charge whose file is not there by then belonged to a process that died: a file is stored within
seconds after its bytes are charged."""


@dataclass(frozen=True, slots=True)
class Quotas:
    """The most bytes of uploads."""

    of_account: int
    of_conversation: int


@dataclass(frozen=True, slots=True)
class Charge:
    """The bytes of one file, and whose they are; its document has `entry` as `metadata.charge`."""

    account_id: str
    conversation_id: str
    size: int
    entry: str
    """How the counters name it while a change is under way."""

    @classmethod
    def new(
        cls, upload_id: str, account_id: str, conversation_id: str, size: int, at: datetime
    ) -> "Charge":
        """Return the charge of a file that is not stored yet."""
        entry = f"{upload_id}:{size}:{int(at.timestamp())}"
        return cls(account_id, conversation_id, size, entry)

    @classmethod
    def of(cls, file: StoredUpload) -> "Charge | None":
        """Return the charge of a stored file; None for one of before bytes were counted."""
        metadata = file["metadata"]
        entry = metadata.get("charge")
        if entry is None:
            return None
        size = int(entry.split(":")[1])
        return cls(metadata["uploader_id"], metadata["conversation_id"], size, entry)

    @property
    def keys(self) -> tuple[str, str]:
        """The ids of the counters."""
        return f"account|{self.account_id}", f"conversation|{self.conversation_id}"


class Usage:
    """The counters, within their quotas."""

    def __init__(self, database: Database, quotas: Quotas, clock: Clock) -> None:
        self._counters = typed(database["upload_usage"], StoredUsage)
        self._quotas = quotas
        self._clock = clock

    async def prepare(self) -> None:
        """Make the index that `settle` uses."""
        await self._counters.create_index([("open", 1)])

    async def check(self, account_id: str, conversation_id: str) -> None:
        """Check that there is room for one byte at least.

        Raises:
            Conflict: code `upload_quota_exceeded`.
        """
        for key, quota in self._limits(account_id, conversation_id):
            counter = await self._counters.find_one({"_id": key})
            if counter is not None and counter["bytes"] >= quota:
                raise _exceeded(key, quota)

    async def charge(self, charge: Charge) -> None:
        """Count a file that is about to be stored; `stored` or `refund` has to follow.

        Raises:
            Conflict: code `upload_quota_exceeded`; nothing is counted.
        """
        charged: list[str] = []
        for key, quota in self._limits(charge.account_id, charge.conversation_id):
            if not await self._add(key, charge, quota):
                for former in charged:
                    await self._subtract(former, charge.entry, charge.size)
                raise _exceeded(key, quota)
            charged.append(key)

    async def stored(self, charge: Charge) -> None:
        """Note that the file of a charge is stored."""
        for key in charge.keys:
            await self._forget(key, charge.entry)

    async def removing(self, charge: Charge) -> None:
        """Note that the file of a charge is about to be removed; `refund` has to follow."""
        for key in charge.keys:
            await self._counters.update_one(
                {"_id": key, "pending": {"$ne": charge.entry}},
                {"$inc": {"open": 1}, "$push": {"pending": charge.entry}},
            )

    async def refund(self, charge: Charge) -> None:
        """Return the bytes of a charge back, once, now that there is no file."""
        for key in charge.keys:
            await self._subtract(key, charge.entry, charge.size)

    async def settle(self, files: Files[UploadMetadata]) -> None:
        """Finish what processes that died have left; `files` are those that are counted."""
        now = self._clock()
        async for counter in self._counters.find({"open": {"$gt": 0}}):
            for entry in counter["pending"]:
                upload_id, size, seconds = entry.split(":")
                file = await files.files.find_one({"_id": upload_id})
                if now.timestamp() - int(seconds) < SETTLED_AFTER.total_seconds():
                    continue
                if file is None:
                    await self._subtract(counter["_id"], entry, int(size))
                elif file["metadata"].get("removing_at") is None:
                    await self._forget(counter["_id"], entry)

    def _limits(self, account_id: str, conversation_id: str) -> tuple[tuple[str, int], ...]:
        return (
            (f"account|{account_id}", self._quotas.of_account),
            (f"conversation|{conversation_id}", self._quotas.of_conversation),
        )

    async def _add(self, key: str, charge: Charge, quota: int) -> bool:
        for _ in range(2):
            added = await self._counters.update_one(
                {"_id": key, "bytes": {"$lte": quota - charge.size}},
                {"$inc": {"bytes": charge.size, "open": 1}, "$push": {"pending": charge.entry}},
            )
            if added.matched_count:
                return True
            # No counter, or no room: which of them only an update that finds a counter can say.
            with suppress(DuplicateKeyError):
                await self._counters.insert_one({"_id": key, "bytes": 0, "open": 0, "pending": []})
        return False

    async def _subtract(self, key: str, entry: str, size: int) -> None:
        await self._counters.update_one(
            {"_id": key, "pending": entry},
            {"$inc": {"bytes": -size, "open": -1}, "$pull": {"pending": entry}},
        )

    async def _forget(self, key: str, entry: str) -> None:
        await self._counters.update_one(
            {"_id": key, "pending": entry},
            {"$inc": {"open": -1}, "$pull": {"pending": entry}},
        )


def _exceeded(key: str, quota: int) -> Conflict:
    kind, _, _ = key.partition("|")
    whose = "Your uploads" if kind == "account" else "The uploads of this conversation"
    return Conflict(
        f"{whose} may have {quota} bytes together. Delete messages with files to make room.",
        code="upload_quota_exceeded",
    )
