"""What a caller may send about tasks, and within which bounds."""

import re
from collections.abc import Mapping
from datetime import time
from typing import Any, ClassVar

from marshmallow import ValidationError, validate

from models.diary.fields import DateField, title_field
from models.diary.tasks.repeats import NONE, REPEATS
from models.fields import SCALAR_MAX, Flag, Input, Scalar, Text, client_id_field, id_field
from models.pages import PageQuery
from models.versions import IfVersion

NORMAL = "normal"
PRIORITIES = ("low", NORMAL, "high")

MAX_NOTES = 5_000
"""Characters: a page; a task is sent whole with every change of it."""

_TIME = re.compile(r"(?:[01][0-9]|2[0-3]):[0-5][0-9]")


class TimeField(Scalar[time]):
    """A time of day on a clock of 24 hours, `"09:00"`."""

    takes: ClassVar[Mapping[str, Any]] = {
        "type": "string",
        "pattern": f"^{_TIME.pattern}$",
    }

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> time:
        if isinstance(value, str) and _TIME.fullmatch(value):
            return time.fromisoformat(value)
        raise ValidationError('Not a time of day; write it like "09:00".')


class CreateTask(Input):
    """A new task: `title`; optional `notes`, `due_date`, `due_time`, `priority`, `repeat`.

    `priority` is "low", "normal" or "high", `repeat` "none", "daily" or "weekly". With the same
    `client_id` again it is the same task.
    """

    title = title_field(required=True)
    notes = Text(MAX_NOTES, blank=True, load_default="")
    due_date = DateField(load_default=None, allow_none=True)
    due_time = TimeField(load_default=None, allow_none=True)
    priority = Text(SCALAR_MAX, load_default=NORMAL, validate=validate.OneOf(PRIORITIES))
    repeat = Text(SCALAR_MAX, load_default=NONE, validate=validate.OneOf(REPEATS))
    client_id = client_id_field()


class ChangeTask(Input):
    """What may be changed of a task; what is left out stays as it is."""

    title = title_field()
    notes = Text(MAX_NOTES, blank=True)
    due_date = DateField(allow_none=True)
    due_time = TimeField(allow_none=True)
    priority = Text(SCALAR_MAX, validate=validate.OneOf(PRIORITIES))
    repeat = Text(SCALAR_MAX, validate=validate.OneOf(REPEATS))


class TaskId(Input):
    """Which task: `task_id`."""

    task_id = id_field(required=True)


class UpdateTask(TaskId, ChangeTask, IfVersion):
    """A change with the task it is to."""


class DeleteTask(TaskId, IfVersion):
    """Which task is to go: `task_id`."""


class Complete(Input):
    """Which occurrence is done: `due_date`, the one it is due on now if absent."""

    due_date = DateField(load_default=None, allow_none=True)


class CompleteTask(TaskId, Complete):
    """An occurrence with its task: `task_id`, `due_date`."""


class ListTasks(PageQuery):
    """Which tasks: `done`, `due_from` and `due_to`, `completed_from` and `completed_to` (dates,
    both included), `priority`; and which page.

    With a bound of either kind, tasks without a due date, or not done, are left out. The day of
    completing is that of the account's time zone now.
    """

    done = Flag(text=True, load_default=None, allow_none=True)
    due_from = DateField(load_default=None, allow_none=True)
    due_to = DateField(load_default=None, allow_none=True)
    completed_from = DateField(load_default=None, allow_none=True)
    completed_to = DateField(load_default=None, allow_none=True)
    priority = Text(
        SCALAR_MAX, load_default=None, allow_none=True, validate=validate.OneOf(PRIORITIES)
    )
