"""Events of goals, for the devices of the owner and of all members.

A goal is sent whole, with its `version`: of two the one with the higher version is the later.
"""

from dataclasses import dataclass
from typing import ClassVar

from models.diary.views import GoalView, InvitationView, MoverView
from models.events import Event


@dataclass(frozen=True, slots=True, kw_only=True)
class _GoalEvent(Event):
    """The payload is the goal as it is now."""

    domain: ClassVar[str] = "diary"

    goal: GoalView


@dataclass(frozen=True, slots=True, kw_only=True)
class GoalCreated(_GoalEvent):
    """There is a new goal."""

    name: ClassVar[str] = "goal.created"


@dataclass(frozen=True, slots=True, kw_only=True)
class GoalUpdated(_GoalEvent):
    """The owner changed a goal, or its members changed; new members receive it as well."""

    name: ClassVar[str] = "goal.updated"


@dataclass(frozen=True, slots=True, kw_only=True)
class GoalProgress(_GoalEvent):
    """A reader came further with a goal, or took that back."""

    name: ClassVar[str] = "goal.progress"

    by: MoverView


@dataclass(frozen=True, slots=True, kw_only=True)
class GoalCompleted(_GoalEvent):
    """A goal was reached; published once each time, after what reached it."""

    name: ClassVar[str] = "goal.completed"

    by: MoverView
    """Who reached it, also by changing what is to be reached."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GoalInvited(Event):
    """The account is asked to be a member of a goal; sent to that account alone."""

    domain: ClassVar[str] = "diary"
    name: ClassVar[str] = "goal.invited"

    invitation: InvitationView


@dataclass(frozen=True, slots=True, kw_only=True)
class GoalUninvited(Event):
    """An invitation is no longer open: answered on one of the account's devices, or withdrawn."""

    domain: ClassVar[str] = "diary"
    name: ClassVar[str] = "goal.uninvited"

    goal_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class GoalDeleted(Event):
    """A goal is gone, for all or for the one who is no member of it any more."""

    domain: ClassVar[str] = "diary"
    name: ClassVar[str] = "goal.deleted"

    id: str
    version: int
    """Higher than all that this account has seen of it."""
