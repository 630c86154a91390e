"""Events of tasks, for the owner's devices. Times are UTC text with milliseconds.

A task is sent whole, with its `version`: of two the one with the higher version is the later.
"""

from dataclasses import dataclass
from typing import ClassVar

from models.diary.views import TaskView
from models.events import Event


@dataclass(frozen=True, slots=True, kw_only=True)
class _TaskEvent(Event):
    """The payload is the task as it is now."""

    domain: ClassVar[str] = "diary"

    task: TaskView


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskCreated(_TaskEvent):
    """There is a new task."""

    name: ClassVar[str] = "task.created"


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskUpdated(_TaskEvent):
    """A task was changed by hand."""

    name: ClassVar[str] = "task.updated"


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskReopened(_TaskEvent):
    """The latest completion of a task was taken back."""

    name: ClassVar[str] = "task.reopened"


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskCompleted(_TaskEvent):
    """An occurrence of a task was completed; one that repeats is due again."""

    name: ClassVar[str] = "task.completed"

    due_date: str | None
    """When what was completed was due."""

    completed_at: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskDeleted(Event):
    """A task is gone."""

    domain: ClassVar[str] = "diary"
    name: ClassVar[str] = "task.deleted"

    id: str
    version: int
    """Higher than all it has had."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskDue(Event):
    """A task has fallen due; sent once, and after a crash perhaps again as the same reminder."""

    domain: ClassVar[str] = "diary"
    name: ClassVar[str] = "task.due"

    reminder_id: str
    task_id: str
    task: TaskView
    """As it is now."""

    due_at: str
    """Since when it is due."""
