"""Which parts of the examples a database has, so that loading them again adds nothing.

`demo_parts`: `_id` "<part>:<account ids of the example people>", `note`. People who were deleted
and made anew have other ids, and get theirs again.
"""

from collections.abc import Sequence

from models.database import Database


class Loaded:
    """Marks of the parts that were loaded whole for some people."""

    def __init__(self, database: Database, account_ids: Sequence[str]) -> None:
        self._parts = database["demo_parts"]
        self._people = ":".join(account_ids)

    async def of(self, part: str) -> str | None:
        """Return what was noted of a part, None when it was not loaded whole."""
        found = await self._parts.find_one({"_id": self._key(part)})
        return None if found is None else str(found["note"])

    async def note(self, part: str, note: str) -> None:
        """Mark a part as loaded."""
        await self._parts.update_one(
            {"_id": self._key(part)}, {"$set": {"note": note}}, upsert=True
        )

    def _key(self, part: str) -> str:
        return f"{part}:{self._people}"
