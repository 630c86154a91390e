"""What each user saw lately, so that the next motivation is another one.

`diary_motivation_memories`: `_id` the account, `revision`, `shown` (what each of the last
motivations was made of, oldest first: ids of pieces with blanks between), `updated_at`.

It stands beside the motivations themselves because reading hundreds of texts for each new one
would take longer than all the rest; and because one document can be claimed: of two devices that
ask at the same moment, one finds that the memory has changed, and chooses again.
"""

import hashlib
from collections.abc import Sequence
from datetime import datetime

from pymongo.errors import DuplicateKeyError

from models.collections import retention_of
from models.database import Database
from models.retention import expire
from models.times import Clock

SHOWN_MAX = 450
"""Motivations: 50 a day for nine days. Fewer than there are bodies of any kind and tone."""

NEVER = -1


class Recent:
    """What one user has seen."""

    def __init__(self, account_id: str, shown: Sequence[str] = (), revision: int = 0) -> None:
        self.account_id = account_id
        self.shown = shown
        self.revision = revision
        self._last: dict[str, int] = {}
        for position, pieces in enumerate(shown):
            for piece in pieces.split():
                self._last.update(dict.fromkeys((piece, *piece.split(".")), position))

    def seen(self, piece_id: str) -> int:
        """Return when a piece or a body was seen last, higher for later, or `NEVER`."""
        return self._last.get(piece_id, NEVER)

    def shuffled(self, piece_id: str) -> str:
        """Return the place of a piece in the order in which this user meets what is new."""
        return hashlib.sha256(f"{self.account_id}:{piece_id}".encode()).hexdigest()

    def with_shown(self, pieces: Sequence[str]) -> "Recent":
        """Return what the user has seen after one more motivation."""
        shown = [*self.shown, " ".join(pieces)][-SHOWN_MAX:]
        return Recent(self.account_id, shown, self.revision + 1)


class Memories:
    """What all users have seen."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._memories = database["diary_motivation_memories"]
        self._clock = clock

    async def prepare(self) -> None:
        """Make the index by which old memories are forgotten."""
        await self._memories.create_index([("updated_at", 1)])

    async def of(self, account_id: str) -> Recent:
        """Return what an account has seen."""
        found = await self._memories.find_one({"_id": account_id})
        if found is None:
            return Recent(account_id)
        return Recent(account_id, found["shown"], found["revision"])

    async def add(self, recent: Recent, pieces: Sequence[str]) -> bool:
        """Remember one more motivation; False if another was added since `recent` was read."""
        following = recent.with_shown(pieces)
        values = {
            "shown": list(following.shown),
            "revision": following.revision,
            "updated_at": self._clock(),
        }
        if recent.revision:
            changed = await self._memories.update_one(
                {"_id": recent.account_id, "revision": recent.revision}, {"$set": values}
            )
            return bool(changed.matched_count)
        try:
            await self._memories.insert_one({"_id": recent.account_id, **values})
        except DuplicateKeyError:
            return False
        return True

    async def forget(self, account_id: str) -> None:
        """Forget what an account has seen."""
        await self._memories.delete_many({"_id": account_id})

    async def forget_old(self, now: datetime) -> None:
        """Forget what those have seen who have not asked for long."""
        await expire(self._memories, retention_of("diary_motivation_memories"), now)
