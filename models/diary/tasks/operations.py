"""The rules of tasks: check, write, then publish once.

Whatever changes a task is one write, on the condition that the task still has the version that
was looked at; when it has another, it is looked at again. So of two devices that complete one
occurrence at once, the second finds it completed.

Completing takes two writes; `task_settling` says how both come to be done, and told of once.
"""

from collections.abc import Awaitable, Callable
from datetime import date, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from pymongo.errors import DuplicateKeyError

from models.collections import retention_of
from models.database import Database, Document, typed
from models.diary.ids import id_of, is_id
from models.diary.tasks.events import TaskCreated, TaskDeleted, TaskUpdated
from models.diary.tasks.moves import check_due, completed, deleted, reopened, updated
from models.diary.tasks.records import (
    StoredTask,
    due_day,
    first_reminder,
    new_task,
    task_view,
    to_stored,
)
from models.diary.tasks.repeats import NONE
from models.diary.tasks.schema import NORMAL
from models.diary.tasks.settling import Settling
from models.diary.tasks.wholes import WholeTasks
from models.diary.views import TaskView
from models.diary.zones import Zones, local_date, moment_of
from models.errors import Conflict, NotFound
from models.events import Event, Publisher
from models.idempotency import KEPT, Idempotency, Operation
from models.identity import Identity
from models.keyed_locks import KeyedLocks
from models.pages import DEFAULT_PAGE, Page, Position, cut, newest_first
from models.quotas import Quota
from models.retention import expire
from models.rooms import user_room
from models.times import Clock, now
from models.versions import check_version

Decide = Callable[[StoredTask], Awaitable[Document | None]]
"""Returns what to set in a task as it is now, or None: it is as wanted already."""

MAX_TASKS = 20_000
"""Of an account, done ones too: five a day for ten years. The summary reads all of them."""

TASKS = "/api/v1/diary/tasks"
"""The operation of making one, as keys of clients are kept."""


class Tasks:
    """Everyone's tasks; each is its owner's alone, and `NotFound` for all others.

    `diary_tasks`: see `task_records.new_task`. Pages are `{"items", "next"}`, newest first.
    """

    def __init__(
        self, database: Database, publisher: Publisher, zones: Zones, clock: Clock = now
    ) -> None:
        self._tasks = typed(database["diary_tasks"], StoredTask)
        self._quota = Quota(
            self._tasks,
            MAX_TASKS,
            code="too_many_tasks",
            message=f"A diary has up to {MAX_TASKS:,} tasks; delete some.",
        )
        self._settling = settling = Settling(database, publisher)
        # Asked by the summary of the diary.
        self.completions = settling.completions
        self.active_dates = settling.active_dates
        self.due_between = settling.due_between
        whole = WholeTasks(database, publisher, zones, settling, clock)
        self.rezone = whole.rezone
        self.export = whole.export
        self.export_completions = settling.export
        self.delete_all = whole.delete_all
        self._publisher = publisher
        self._zones = zones
        self._clock = clock
        self._locks = KeyedLocks()
        self._answers = Idempotency(database, clock=clock)

    async def prepare(self) -> None:
        """Make the indexes."""
        await self._tasks.create_index([("account_id", 1), ("created_at", 1), ("_id", 1)])
        for field in ("remind_at", "forget_at", "deleted_by"):
            await self._tasks.create_index([(field, 1)])
        await self._settling.prepare()

    async def sweep(self) -> None:
        """Finish what a crash interrupted, and forget what was deleted long ago."""
        await self._settling.settle_all()
        await expire(self._tasks, retention_of("diary_tasks"), self._clock())

    async def create(
        self,
        identity: Identity,
        *,
        title: str,
        notes: str = "",
        due_date: date | None = None,
        due_time: time | None = None,
        priority: str = NORMAL,
        repeat: str = NONE,
        client_id: str | None = None,
        operation_id: str | None = None,
    ) -> TaskView:
        """Add a task, values as `CreateTask` loads them; answers as `get` does.

        One that repeats and has no due date is due today.

        Raises:
            Invalid: a time without a date; code `key_reused`.
            Conflict: code `task_deleted`: the task of this `client_id` is gone; code
                `too_many_tasks`.
        """
        content: dict[str, Any] = {
            "title": title,
            "notes": notes,
            "due_date": due_date,
            "due_time": due_time,
            "priority": priority,
            "repeat": repeat,
        }
        async with self._answers.once(
            identity.account_id,
            TASKS,
            client_id=client_id,
            operation_id=operation_id,
            content=content,
        ) as operation:
            return await self._create(identity.account_id, operation, **content)

    async def _create(
        self,
        account_id: str,
        operation: Operation,
        *,
        title: str,
        notes: str,
        due_date: date | None,
        due_time: time | None,
        priority: str,
        repeat: str,
    ) -> TaskView:
        task_id = id_of(operation.id)
        if operation.is_done:
            return await self._made_before(task_id)
        await self._quota.use(account_id)
        if due_date is None and repeat != NONE:
            due_date = await self._zones.today(account_id)
        task = new_task(
            task_id,
            account_id,
            title=title,
            notes=notes,
            due_date=due_date,
            due_time=due_time,
            priority=priority,
            repeat=repeat,
            created_at=self._clock(),
        )
        check_due(task)
        task["remind_at"] = first_reminder(task, await self._zones.zone_of(account_id))
        try:
            await self._tasks.insert_one(task)
        except DuplicateKeyError:
            return await self._made_before(task_id)
        await self._publish(TaskCreated(task=task_view(task)), account_id)
        return task_view(task)

    async def get(self, identity: Identity, task_id: str) -> TaskView:
        """Return a task.

        `id`, `title`, `notes`, `due_date` and `due_time` (text or null), `priority`, `repeat`,
        `done`, `completed_at`, `created_at`, `updated_at`, `version`.

        Raises:
            NotFound: code `task_not_found`; this and all methods that name a task.
        """
        return task_view(await self._own(identity, task_id))

    async def list(
        self,
        identity: Identity,
        *,
        done: bool | None = None,
        due_from: date | None = None,
        due_to: date | None = None,
        completed_from: date | None = None,
        completed_to: date | None = None,
        priority: str | None = None,
        after: Position | None = None,
        limit: int = DEFAULT_PAGE,
    ) -> Page[TaskView]:
        """Return a page of the caller's tasks, as `ListTasks` describes them."""
        query: Document = {"account_id": identity.account_id}
        if done is not None:
            query["done"] = done
        if priority is not None:
            query["priority"] = priority
        if days := _between(due_from, due_to):
            query["due_date"] = days
        if completed_from is not None or completed_to is not None:
            zone = await self._zones.zone_of(identity.account_id)
            query["completed_at"] = _completed(completed_from, completed_to, zone)
        if after:
            query["$or"] = after.following("created_at")
        order = newest_first("created_at")
        found = await self._tasks.find(query).sort(order).limit(limit + 1).to_list(None)
        shown, following = cut(found, limit, "created_at")
        return {"items": [task_view(task) for task in shown], "next": following}

    async def update(
        self, identity: Identity, task_id: str, *, if_version: int | None = None, **changed: Any
    ) -> TaskView:
        """Change a task, values as `ChangeTask` loads them; answers as `get` does.

        A task that loses its date loses its time, unless that is sent; one that begins to repeat
        and has no date is due today.

        Raises:
            Invalid: a time without a date, a repetition without one.
            PreconditionFailed: code `version_conflict`: it has not the version `if_version`.
        """
        zone = await self._zones.zone_of(identity.account_id)
        today = local_date(self._clock(), zone)

        async def decide(task: StoredTask) -> Document | None:
            return updated(task, changed, today=today, zone=zone)

        task, changed_now = await self._change(identity, task_id, decide, if_version)
        if changed_now:
            await self._publish(TaskUpdated(task=task_view(task)), identity.account_id)
        return task_view(task)

    async def complete(
        self, identity: Identity, task_id: str, *, due_date: date | None = None
    ) -> TaskView:
        """Complete the occurrence of a task that is due on `due_date`; answers as `get` does.

        A task that repeats moves on to its next due date after today. What is completed already
        stays as it is. Without `due_date` it is the occurrence that is due now; the next one is
        not completed on the same day then, for a repeated request would do that.

        Raises:
            Conflict: code `not_due_then`: no occurrence of the task is due on `due_date`.
        """
        at = self._clock()
        zone = await self._zones.zone_of(identity.account_id)
        today = local_date(at, zone)
        wanted = to_stored(due_date)

        async def decide(task: StoredTask) -> Document | None:
            nonlocal wanted
            if task["done"]:
                return None
            if wanted is None and task["repeat"] != NONE:
                last = task["last_completion"]
                if last and last["date"] == today.isoformat() < due_day(task).isoformat():
                    return None
                wanted = task["due_date"]
            if wanted not in (None, task["due_date"]):
                if await self._settling.has(task, wanted):
                    return None
                raise Conflict("The task is due on another date.", code="not_due_then")
            return completed(task, at=at, today=today, zone=zone)

        return task_view((await self._change(identity, task_id, decide))[0])

    async def reopen(self, identity: Identity, task_id: str) -> TaskView:
        """Take the latest completion of a task back, if there is one; answers as `get` does.

        A task that repeats is then due when it was due before.
        """
        zone = await self._zones.zone_of(identity.account_id)

        async def decide(task: StoredTask) -> Document | None:
            return reopened(task, at=self._clock(), zone=zone)

        return task_view((await self._change(identity, task_id, decide))[0])

    async def delete(
        self, identity: Identity, task_id: str, *, if_version: int | None = None
    ) -> None:
        """Remove a task; that it was completed, if it was, still counts.

        Raises:
            PreconditionFailed: code `version_conflict`: it has not the version `if_version`.
        """

        async def decide(task: StoredTask) -> Document:
            return deleted(identity.account_id, self._clock() + KEPT)

        task, _ = await self._change(identity, task_id, decide, if_version)
        event = TaskDeleted(id=task["_id"], version=task["version"])
        await self._publish(event, identity.account_id)

    async def _own(self, identity: Identity, task_id: str) -> StoredTask:
        task = await self._tasks.find_one({"_id": task_id}) if is_id(task_id) else None
        if task is None or task["account_id"] != identity.account_id:
            raise NotFound("There is no such task.", code="task_not_found")
        return task

    async def _made_before(self, task_id: str) -> TaskView:
        task = await self._tasks.find_one({"_id": task_id})
        if task is None or task["account_id"] is None:
            raise Conflict("This task was deleted.", code="task_deleted")
        return task_view(task)

    async def _change(
        self, identity: Identity, task_id: str, decide: Decide, if_version: int | None = None
    ) -> tuple[StoredTask, bool]:
        """Set what `decide` gives, and settle it; returns the task, and whether it was changed.

        The write has the version that was seen as its condition, which is `if_version` if given.
        """
        async with self._locks.lock(task_id):
            while True:
                task = await self._settling.settle(await self._own(identity, task_id))
                check_version(task["version"], if_version)
                values = await decide(task)
                if values is None:
                    return task, False
                changed = await self._tasks.find_one_and_update(
                    {"_id": task_id, "version": task["version"]},
                    {"$set": {"updated_at": self._clock()} | values, "$inc": {"version": 1}},
                    return_document=True,
                )
                if changed is not None:
                    return await self._settling.settle(changed), True

    async def _publish(self, event: Event, account_id: str) -> None:
        await self._publisher.publish(event, user_room(account_id))


def _completed(from_: date | None, to: date | None, zone: ZoneInfo) -> Document:
    """Return the moments of days: a day ends where the next one begins."""
    bounds: Document = {}
    if from_ is not None:
        bounds["$gte"] = moment_of(from_, time.min, zone)
    if to is not None:
        bounds["$lt"] = moment_of(to + timedelta(days=1), time.min, zone)
    return bounds


def _between(from_: date | None, to: date | None) -> Document:
    bounds = {}
    if from_ is not None:
        bounds["$gte"] = from_.isoformat()
    if to is not None:
        bounds["$lte"] = to.isoformat()
    return bounds
