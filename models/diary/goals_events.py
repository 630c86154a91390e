"""What is told about goals, to the devices of the owner and of all members.

A goal is told whole, with its `version`: of two the one with the higher version is the later.
"""

from dataclasses import dataclass
from typing import ClassVar

from models.events import Event, Json

GoalJson = dict[str, Json]


@dataclass(frozen=True, slots=True)
class _GoalTold(Event):
    domain: ClassVar[str] = "diary"

    goal: GoalJson

    def data(self) -> dict[str, Json]:
        """Give the goal as it is now."""
        return {"goal": self.goal}


@dataclass(frozen=True, slots=True)
class GoalCreated(_GoalTold):
    """There is a new goal."""

    name: ClassVar[str] = "goal.created"


@dataclass(frozen=True, slots=True)
class GoalUpdated(_GoalTold):
    """The owner changed a goal, or its members changed; new members are told so as well."""

    name: ClassVar[str] = "goal.updated"


@dataclass(frozen=True, slots=True)
class GoalProgress(_GoalTold):
    """Somebody came further with a goal, or took that back."""

    name: ClassVar[str] = "goal.progress"


@dataclass(frozen=True, slots=True)
class GoalCompleted(_GoalTold):
    """A goal was reached; told once each time, after what reached it."""

    name: ClassVar[str] = "goal.completed"


@dataclass(frozen=True, slots=True)
class GoalDeleted(Event):
    """A goal is gone, for all or for the one who is no member of it any more."""

    domain: ClassVar[str] = "diary"
    name: ClassVar[str] = "goal.deleted"

    id: str
    version: int

    def data(self) -> dict[str, Json]:
        """Give which, and a version higher than all that this account has seen of it."""
        return {"id": self.id, "version": self.version}
