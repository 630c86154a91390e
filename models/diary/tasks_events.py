"""What is told about tasks, to the owner's devices. Times are UTC text with milliseconds.

A task is told whole, with its `version`: of two the one with the higher version is the later.
"""

from dataclasses import dataclass
from typing import ClassVar

from models.events import Event, Json

TaskJson = dict[str, Json]


@dataclass(frozen=True, slots=True)
class _TaskTold(Event):
    domain: ClassVar[str] = "diary"

    task: TaskJson

    def data(self) -> dict[str, Json]:
        """Give the task as it is now."""
        return {"task": self.task}


@dataclass(frozen=True, slots=True)
class TaskCreated(_TaskTold):
    """There is a new task."""

    name: ClassVar[str] = "task.created"


@dataclass(frozen=True, slots=True)
class TaskUpdated(_TaskTold):
    """A task was changed by hand."""

    name: ClassVar[str] = "task.updated"


@dataclass(frozen=True, slots=True)
class TaskReopened(_TaskTold):
    """The latest completion of a task was taken back."""

    name: ClassVar[str] = "task.reopened"


@dataclass(frozen=True, slots=True)
class TaskCompleted(Event):
    """An occurrence of a task was completed; one that repeats is due again."""

    domain: ClassVar[str] = "diary"
    name: ClassVar[str] = "task.completed"

    task: TaskJson
    due_date: str | None
    completed_at: str

    def data(self) -> dict[str, Json]:
        """Give the task as it is now, and what was completed of it."""
        return {
            "task": self.task,
            "due_date": self.due_date,
            "completed_at": self.completed_at,
        }


@dataclass(frozen=True, slots=True)
class TaskDeleted(Event):
    """A task is gone."""

    domain: ClassVar[str] = "diary"
    name: ClassVar[str] = "task.deleted"

    id: str
    version: int

    def data(self) -> dict[str, Json]:
        """Give which, and a version higher than all it has had."""
        return {"id": self.id, "version": self.version}


@dataclass(frozen=True, slots=True)
class TaskDue(Event):
    """A task has fallen due; told once, and after a crash perhaps again under the same `id`."""

    domain: ClassVar[str] = "diary"
    name: ClassVar[str] = "task.due"

    id: str
    task: TaskJson
    due_at: str

    def data(self) -> dict[str, Json]:
        """Give the reminder's id, the task as it is now, and since when it is due."""
        return {"id": self.id, "task": self.task, "due_at": self.due_at}
