"""What a caller may send about tasks, and within which bounds."""

import re
from datetime import time
from typing import Any

from marshmallow import Schema, ValidationError, fields, validate

from models.diary.fields import DateField, client_id_field, title_field
from models.diary.repeats import NONE, REPEATS
from models.fields import is_text
from models.pages import PageQuery

NORMAL = "normal"
PRIORITIES = ("low", NORMAL, "high")

MAX_NOTES = 5_000
"""Characters: a page; a task is told whole with every change of it."""

_TIME = re.compile(r"(?:[01][0-9]|2[0-3]):[0-5][0-9]")


class TimeField(fields.Field[time]):
    """A time of day on a clock of 24 hours, `"09:00"`."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> time:
        if isinstance(value, str) and _TIME.fullmatch(value):
            return time.fromisoformat(value)
        raise ValidationError('Not a time of day; write it like "09:00".')


def yes_or_no(**options: Any) -> fields.Boolean:
    """Give the field of a boolean, as JSON or as the text that query strings have."""
    return fields.Boolean(truthy={True, "true"}, falsy={False, "false"}, **options)


class CreateTask(Schema):
    """A new task: `title`; optional `notes`, `due_date`, `due_time`, `priority`, `repeat`.

    `priority` is "low", "normal" or "high", `repeat` "none", "daily" or "weekly". With the same
    `client_id` again it is the same task.
    """

    title = title_field(required=True)
    notes = fields.String(load_default="", validate=[validate.Length(max=MAX_NOTES), is_text])
    due_date = DateField(load_default=None, allow_none=True)
    due_time = TimeField(load_default=None, allow_none=True)
    priority = fields.String(load_default=NORMAL, validate=validate.OneOf(PRIORITIES))
    repeat = fields.String(load_default=NONE, validate=validate.OneOf(REPEATS))
    client_id = client_id_field()


class ChangeTask(Schema):
    """What may be changed of a task; what is left out stays as it is."""

    title = title_field()
    notes = fields.String(validate=[validate.Length(max=MAX_NOTES), is_text])
    due_date = DateField(allow_none=True)
    due_time = TimeField(allow_none=True)
    priority = fields.String(validate=validate.OneOf(PRIORITIES))
    repeat = fields.String(validate=validate.OneOf(REPEATS))


class TaskId(Schema):
    """Which task: `task_id`."""

    task_id = fields.String(required=True)


class UpdateTask(TaskId, ChangeTask):
    """A change with the task it is to."""


class Complete(Schema):
    """Which occurrence is done: `due_date`, the one it is due on now if absent."""

    due_date = DateField(load_default=None, allow_none=True)


class CompleteTask(TaskId, Complete):
    """An occurrence with its task: `task_id`, `due_date`."""


class ListTasks(PageQuery):
    """Which tasks: `done`, `due_from` and `due_to` (both included), `priority`; and which page.

    With either bound, tasks without a due date are left out.
    """

    done = yes_or_no(load_default=None, allow_none=True)
    due_from = DateField(load_default=None, allow_none=True)
    due_to = DateField(load_default=None, allow_none=True)
    priority = fields.String(
        load_default=None, allow_none=True, validate=validate.OneOf(PRIORITIES)
    )
