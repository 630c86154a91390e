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
from collections.abc import AsyncIterator
from datetime import date, datetime
from typing import TypedDict, cast

from pymongo.errors import DuplicateKeyError

from models.database import Database, typed
from models.diary.tasks.records import StoredTask
from models.diary.tasks.repeats import all_due
from models.diary.views import CompletionView
from models.events import Json, as_json

_IN_ORDER = [("date", 1), ("completed_at", 1)]


class StoredDone(TypedDict):
    """A document of `diary_completions`."""

    _id: str
    account_id: str
    task_id: str
    done: bool
    """False once it was taken back."""

    due_date: str | None
    due_until: str | None
    """The last repetition that was passed over by completing this one late."""

    repeat: str
    date: str
    """The owner's day of completing."""

    completed_at: datetime
    version: int
    """Of the task that says so."""


class Completions:
    """All completions."""

    def __init__(self, database: Database) -> None:
        self._completions = typed(database["diary_completions"], StoredDone)

    async def prepare(self) -> None:
        """Make the indexes."""
        await self._completions.create_index([("account_id", 1), ("date", 1)])
        await self._completions.create_index([("account_id", 1), ("due_until", 1)])

    async def write(self, task: StoredTask) -> None:
        """Write what a task has noted as pending, unless something later is written."""
        pending = task["pending"]
        key = _key(task, pending["key"])
        values = {
            "account_id": task["account_id"],
            "task_id": task["_id"],
            **{name: value for name, value in pending.items() if name != "key"},
        }
        try:
            await self._completions.insert_one(cast(StoredDone, {"_id": key, **values}))
        except DuplicateKeyError:
            earlier = {"_id": key, "version": {"$lt": pending["version"]}}
            await self._completions.find_one_and_update(earlier, {"$set": values})

    async def remove(self, task: StoredTask) -> None:
        """Remove what a task has noted as pending: its owner deletes everything."""
        await self._completions.delete_one({"_id": _key(task, task["pending"]["key"])})

    async def has(self, task: StoredTask, due_date: str) -> bool:
        """Whether this occurrence of a task was completed."""
        kept = await self._completions.find_one({"_id": _key(task, due_date)})
        return kept is not None and bool(kept["done"])

    async def between(self, account_id: str, from_: date, to: date) -> list[CompletionView]:
        """Return what was completed on the days from `from_` to `to`, both included, in order."""
        days = {"$gte": from_.isoformat(), "$lte": to.isoformat()}
        query = {"account_id": account_id, "date": days, "done": True}
        found = self._completions.find(query).sort(_IN_ORDER)
        return [_shown(kept) async for kept in found]

    async def export(self, account_id: str) -> AsyncIterator[dict[str, Json]]:
        """Yield everything that was completed, as `between` returns it."""
        query = {"account_id": account_id, "done": True}
        async for kept in self._completions.find(query).sort(_IN_ORDER):
            yield as_json(_shown(kept))

    async def dates(self, account_id: str) -> set[date]:
        """Return the days on which something was completed."""
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
            # None are not in the range of the query.
            first, last = str(kept["due_date"]), str(kept["due_until"])
            until = min(to, date.fromisoformat(last))
            passed = all_due(date.fromisoformat(first), kept["repeat"], from_, until)
            days.update(day.isoformat() for day in passed)
        return days

    async def delete_all(self, account_id: str) -> None:
        """Remove all of an account."""
        await self._completions.delete_many({"account_id": account_id})


def _shown(kept: StoredDone) -> CompletionView:
    return {"task_id": kept["task_id"], "date": kept["date"], "due_date": kept["due_date"]}


def _key(task: StoredTask, key: str) -> str:
    return f"{task['_id']}:{key}"
