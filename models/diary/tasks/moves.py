"""What becomes of a task: the values that a change sets, worked out without writing anything."""

from collections.abc import Mapping
from datetime import date, datetime
from typing import Any
from zoneinfo import ZoneInfo

from models.database import Document
from models.diary.tasks.records import (
    ONCE,
    StoredTask,
    due_day,
    first_reminder,
    to_stored,
    with_values,
)
from models.diary.tasks.repeats import NONE, next_due
from models.errors import Invalid


def check_due(task: StoredTask) -> None:
    """Check that what is said of a task's due date goes together.

    Raises:
        Invalid: a time without a date, or a repetition without one.
    """
    if task["due_date"] is not None:
        return
    for field in ("due_time", "repeat"):
        if task[field] not in (None, NONE):
            problem = f"Without a due_date there is no {field}."
            raise Invalid(problem, fields={field: [problem]})


def updated(
    task: StoredTask, changed: Mapping[str, Any], *, today: date, zone: ZoneInfo
) -> Document | None:
    """Return what a change by hand sets, or None: all of it is so already.

    Raises:
        Invalid: as `check_due`.
    """
    values = {name: to_stored(value) for name, value in changed.items()}
    dated = values["due_date"] if "due_date" in values else task["due_date"]
    if dated is None and "due_date" in values:
        values.setdefault("due_time", None)
    elif dated is None and values.get("repeat", NONE) != NONE:
        values["due_date"] = today.isoformat()
    values = {name: value for name, value in values.items() if value != task.get(name)}
    if not values:
        return None
    check_due(with_values(task, values))
    if values.keys() & {"due_date", "due_time", "repeat"}:
        values["remind_at"] = first_reminder(with_values(task, values), zone)
        if not task["done"]:
            # What was completed of the former dates cannot be taken back any more.
            values["last_completion"] = None
    return values


def completed(task: StoredTask, *, at: datetime, today: date, zone: ZoneInfo) -> Document:
    """Return what completing the occurrence that is due now sets."""
    if task["repeat"] == NONE:
        values: Document = {"done": True, "completed_at": at, "remind_at": None}
        key: str = ONCE
        until = task["due_date"]
    else:
        due = due_day(task)
        following = next_due(due, task["repeat"], today)
        values = {"due_date": following.isoformat()}
        values["remind_at"] = first_reminder(with_values(task, values), zone)
        step = next_due(due, task["repeat"], due) - due
        key, until = due.isoformat(), (following - step).isoformat()
    last = {
        "key": key,
        "repeat": task["repeat"],
        "due_date": task["due_date"],
        "due_until": until,
        "date": today.isoformat(),
    }
    pending = {"done": True, "completed_at": at}
    return values | {"last_completion": last} | _noted(task, last | pending, at)


def reopened(task: StoredTask, *, at: datetime, zone: ZoneInfo) -> Document | None:
    """Return what taking the latest completion back sets, or None: there is none."""
    last = task["last_completion"]
    if last is None:
        return None
    values: Document = {"done": False, "completed_at": None, "last_completion": None}
    if not task["done"]:
        values["due_date"] = last["due_date"]
    values["remind_at"] = first_reminder(with_values(task, values), zone)
    return values | _noted(task, last | {"done": False, "completed_at": None}, at)


def deleted(account_id: str, forget_at: datetime) -> Document:
    """Return what a deleted task is set to: nothing of what it was, and no one's.

    It keeps its place, so that a late repeat of what made it does not bring it back.
    """
    return {
        "account_id": None,
        "title": "",
        "notes": "",
        "due_date": None,
        "due_time": None,
        "last_completion": None,
        "remind_at": None,
        "deleted_by": account_id,
        "forget_at": forget_at,
    }


def _noted(task: StoredTask, pending: Document, at: datetime) -> Document:
    return {"pending": pending | {"version": task["version"] + 1}, "unsettled_at": at}
