"""How tasks and their completions stand in the database, and as JSON."""

from collections.abc import Mapping
from datetime import date, datetime, time
from typing import Any, TypedDict, cast
from zoneinfo import ZoneInfo

from models.diary.tasks.repeats import NONE, latest_due, next_due
from models.diary.views import TaskView
from models.diary.zones import local_date, moment_of
from models.times import to_text

ONCE = "once"
"""What a task that does not repeat is done: there can be one completion of it."""

DAY_BEGINS = time(9)
"""When a task without a time of day is due: in the morning, when most people are up."""


class StoredCompletion(TypedDict):
    """What `reopen` would take back."""

    key: str
    due_date: str | None
    date: str


class StoredTask(TypedDict):
    """A document of `diary_tasks`; what is deleted keeps its place, and belongs to no account."""

    _id: str
    account_id: str
    """None in one that is deleted, which no query for an account finds."""

    title: str
    notes: str
    due_date: str | None
    due_time: str | None
    priority: str
    repeat: str
    done: bool
    completed_at: datetime | None
    last_completion: StoredCompletion | None
    pending: Any
    """A completion, or the taking back of one, that is not yet written to where they are kept."""

    unsettled_at: datetime | None
    """Since when."""

    remind_at: datetime | None
    """When to look whether a reminder is due; None when there is none to come."""

    deleted_by: str | None
    forget_at: datetime | None
    created_at: datetime
    updated_at: datetime
    version: int


def new_task(
    task_id: str,
    account_id: str,
    *,
    title: str,
    notes: str,
    due_date: date | None,
    due_time: time | None,
    priority: str,
    repeat: str,
    created_at: datetime,
) -> StoredTask:
    """Build a task."""
    return {
        "_id": task_id,
        "account_id": account_id,
        "title": title,
        "notes": notes,
        "due_date": to_stored(due_date),
        "due_time": to_stored(due_time),
        "priority": priority,
        "repeat": repeat,
        "done": False,
        "completed_at": None,
        "last_completion": None,
        "pending": None,
        "unsettled_at": None,
        "remind_at": None,
        "deleted_by": None,
        "forget_at": None,
        "created_at": created_at,
        "updated_at": created_at,
        "version": 1,
    }


def to_stored(value: Any) -> Any:
    """Return a date as "2026-03-01", a time as "09:00", and anything else as it is."""
    if isinstance(value, time):
        return value.isoformat("minutes")
    return value.isoformat() if isinstance(value, date) else value


def first_reminder(task: StoredTask, zone: ZoneInfo) -> datetime | None:
    """Return when the owner of an open task is to be reminded of its present due date."""
    if task["done"] or task["due_date"] is None:
        return None
    return due_moment(task, date.fromisoformat(task["due_date"]), zone)


def following_reminder(task: StoredTask, zone: ZoneInfo, day: date) -> datetime | None:
    """Return when to remind of the repetition after the one of `day`, if there is one."""
    if task["repeat"] == NONE:
        return None
    return due_moment(task, next_due(day, task["repeat"], day), zone)


def latest_occurrence(task: StoredTask, zone: ZoneInfo, now: datetime) -> date | None:
    """Return the last repetition of an open task that is due at `now`, or None."""
    day = latest_due(due_day(task), task["repeat"], local_date(now, zone))
    if day is not None and due_moment(task, day, zone) > now:
        # Later today: then it is the one before, if there was one.
        day = latest_due(due_day(task), task["repeat"], date.fromordinal(day.toordinal() - 1))
    return day


def with_values(task: StoredTask, values: Mapping[str, object]) -> StoredTask:
    """Return a task with some values set."""
    return cast(StoredTask, {**task, **values})


def due_day(task: StoredTask) -> date:
    """Return the due date of a task that has one."""
    assert task["due_date"] is not None, f"task {task['_id']} has no due date"
    return date.fromisoformat(task["due_date"])


def due_moment(task: StoredTask, day: date, zone: ZoneInfo) -> datetime:
    """Return the moment at which the task is due on a day."""
    at = time.fromisoformat(task["due_time"]) if task["due_time"] else DAY_BEGINS
    return moment_of(day, at, zone)


def reminder_id(task: StoredTask, day: date) -> str:
    """Name the reminder of one occurrence, by the owner's clock: the same in every zone."""
    return f"{task['_id']}:{day.isoformat()}T{task['due_time'] or to_stored(DAY_BEGINS)}"


def task_view(task: StoredTask) -> TaskView:
    """Return a task as its owner sees it."""
    completed_at = task["completed_at"]
    return {
        "id": task["_id"],
        "title": task["title"],
        "notes": task["notes"],
        "due_date": task["due_date"],
        "due_time": task["due_time"],
        "priority": task["priority"],
        "repeat": task["repeat"],
        "done": task["done"],
        "completed_at": to_text(completed_at) if completed_at else None,
        "created_at": to_text(task["created_at"]),
        "updated_at": to_text(task["updated_at"]),
        "version": task["version"],
    }
