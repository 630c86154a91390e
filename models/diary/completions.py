"""What was completed, and on which day of its owner's calendar.

`diary_completions`: `_id` "<task>:<due date>", or "<task>:once" for a task that does not repeat;
`account_id`, `task_id`, `done` (false once it was taken back), `due_date` (None without one),
`due_until` (the last repetition that was passed over by completing this one late), `date` (the
owner's, of the completing), `completed_at`, `version` (of the task that says so).

The task is the truth about what is completed, and these follow from it: a completion is one
conditional write to the task, which also notes what is to be written here. Writing it again, or
late, changes nothing, because of two writes of one completion that of the higher version stays.
"""

from collections import Counter
from datetime import date

from pymongo.errors import DuplicateKeyError

from models.database import Database, Document
from models.diary.repeats import all_due
from models.events import Json


class Completions:
    """All completions."""

    def __init__(self, database: Database) -> None:
        self._completions = database["diary_completions"]

    async def prepare(self) -> None:
        """Make the indexes."""
        await self._completions.create_index([("account_id", 1), ("date", 1)])
        await self._completions.create_index([("account_id", 1), ("due_until", 1)])

    async def write(self, task: Document) -> None:
        """Write what a task has noted as pending, unless something later is written."""
        pending = task["pending"]
        key = _key(task, pending["key"])
        values = {
            "account_id": task["account_id"],
            "task_id": task["_id"],
            **{name: value for name, value in pending.items() if name != "key"},
        }
        try:
            await self._completions.insert_one({"_id": key} | values)
        except DuplicateKeyError:
            earlier = {"_id": key, "version": {"$lt": pending["version"]}}
            await self._completions.find_one_and_update(earlier, {"$set": values})

    async def remove(self, task: Document) -> None:
        """Remove what a task has noted as pending: its owner deletes everything."""
        await self._completions.delete_one({"_id": _key(task, task["pending"]["key"])})

    async def has(self, task: Document, due_date: str) -> bool:
        """Whether this occurrence of a task was completed."""
        kept = await self._completions.find_one({"_id": _key(task, due_date)})
        return kept is not None and bool(kept["done"])

    async def between(self, account_id: str, from_: date, to: date) -> list[dict[str, Json]]:
        """Give what was completed on the days from `from_` to `to`, both included, in order."""
        days = {"$gte": from_.isoformat(), "$lte": to.isoformat()}
        query = {"account_id": account_id, "date": days, "done": True}
        found = self._completions.find(query).sort([("date", 1), ("completed_at", 1)])
        return [
            {name: kept[name] for name in ("task_id", "date", "due_date")} async for kept in found
        ]

    async def dates(self, account_id: str) -> set[date]:
        """Give the days on which something was completed."""
        query = {"account_id": account_id, "done": True}
        found = self._completions.find(query, only=["date"])
        return {date.fromisoformat(day) for day in {kept["date"] async for kept in found}}

    async def due_between(self, account_id: str, from_: date, to: date) -> Counter[str]:
        """Count by day what had fallen due and was completed, or passed over by completing."""
        query = {
            "account_id": account_id,
            "due_until": {"$gte": from_.isoformat()},
            "done": True,
        }
        days: Counter[str] = Counter()
        async for kept in self._completions.find(query):
            until = min(to, date.fromisoformat(kept["due_until"]))
            passed = all_due(date.fromisoformat(kept["due_date"]), kept["repeat"], from_, until)
            days.update(day.isoformat() for day in passed)
        return days

    async def delete_all(self, account_id: str) -> None:
        """Remove all of an account."""
        await self._completions.delete_many({"account_id": account_id})


def _key(task: Document, key: str) -> str:
    return f"{task['_id']}:{key}"
