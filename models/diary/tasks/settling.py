"""Completions carried out to the end, and what they add up to.

Completing a task, or taking that back, is one conditional write to the task: that decides, and it
notes as `pending` what is to be written to `diary_completions`. Anyone who looks at the task to
change it, asks for completions, or sweeps, carries that out and strikes it off. Who struck it off
tells of it: one event, also when a process dies between the writes.
"""

from collections.abc import AsyncIterator
from datetime import UTC, date, datetime

from models.database import Database, Document, typed
from models.diary.tasks.completions import Completions
from models.diary.tasks.events import TaskCompleted, TaskReopened
from models.diary.tasks.records import StoredTask, due_day, task_view
from models.diary.tasks.repeats import all_due
from models.diary.views import CompletionView
from models.events import Json, Publisher
from models.rooms import user_room
from models.times import to_text

_BEGINNING = datetime(1970, 1, 1, tzinfo=UTC)


class Settling:
    """Keeps `diary_completions` in step with `diary_tasks`, and answers from both."""

    def __init__(self, database: Database, publisher: Publisher) -> None:
        self._tasks = typed(database["diary_tasks"], StoredTask)
        self._completions = Completions(database)
        self._publisher = publisher

    async def prepare(self) -> None:
        """Make the indexes."""
        await self._tasks.create_index([("unsettled_at", 1)])
        await self._completions.prepare()

    async def settle(self, task: StoredTask) -> StoredTask:
        """Carry out what the task has noted, if anything; returns the task as it is then."""
        pending = task["pending"]
        if pending is None:
            return task
        await self._completions.write(task)
        struck_off = await self._tasks.find_one_and_update(
            {"_id": task["_id"], "pending.version": pending["version"]},
            {"$set": {"pending": None, "unsettled_at": None}},
        )
        settled = task | {"pending": None, "unsettled_at": None}
        if struck_off is not None:
            await self._publish(settled, pending)
        elif await self._tasks.find_one({"_id": task["_id"]}) is None:
            # All of the account was deleted meanwhile, perhaps before this was written.
            await self._completions.remove(task)
        return settled

    async def settle_all(self, account_id: str | None = None) -> None:
        """Settle what is not, which is next to nothing: of an account, or everyone's."""
        unsettled = await self._tasks.find({"unsettled_at": {"$gt": _BEGINNING}}).to_list(None)
        for task in unsettled:
            if account_id in (None, task["account_id"]):
                await self.settle(task)

    async def has(self, task: StoredTask, due_date: str) -> bool:
        """Whether this occurrence of a task was completed."""
        return await self._completions.has(task, due_date)

    async def completions(self, account_id: str, from_: date, to: date) -> list[CompletionView]:
        """Return what was completed on the owner's days from `from_` to `to`, both included.

        In the order of the days.
        """
        await self.settle_all(account_id)
        return await self._completions.between(account_id, from_, to)

    async def export(self, account_id: str) -> AsyncIterator[dict[str, Json]]:
        """Yield all that an account has ever completed, as `completions` returns it."""
        await self.settle_all(account_id)
        async for completion in self._completions.export(account_id):
            yield completion

    async def active_dates(self, account_id: str) -> set[date]:
        """Return the owner's days on which something was completed."""
        await self.settle_all(account_id)
        return await self._completions.dates(account_id)

    async def due_between(self, account_id: str, from_: date, to: date) -> dict[str, int]:
        """Count by day ("2026-03-01") what fell or falls due from `from_` to `to`, done or not.

        Days on which nothing is due are left out.
        """
        await self.settle_all(account_id)
        days = await self._completions.due_between(account_id, from_, to)
        waiting = {"account_id": account_id, "done": False, "due_date": {"$lte": to.isoformat()}}
        async for task in self._tasks.find(waiting):
            due = all_due(due_day(task), task["repeat"], from_, to)
            days.update(day.isoformat() for day in due)
        return dict(sorted(days.items()))

    async def delete_all(self, account_id: str) -> None:
        """Remove all completions of an account whose tasks are gone."""
        await self._completions.delete_all(account_id)

    async def _publish(self, task: StoredTask, pending: Document) -> None:
        shown = task_view(task)
        if pending["done"]:
            completed_at = to_text(pending["completed_at"])
            event = TaskCompleted(
                task=shown, due_date=pending["due_date"], completed_at=completed_at
            )
            await self._publisher.publish(event, user_room(task["account_id"]))
        else:
            await self._publisher.publish(TaskReopened(task=shown), user_room(task["account_id"]))
