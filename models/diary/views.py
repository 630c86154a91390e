"""The shapes in which the diary shows its records: answers and events are made of them.

Dates are text such as "2026-03-01", times of day "09:00", moments UTC text with milliseconds. Of
two with one id the one with the higher `version` is the later.
"""

from typing import TypedDict

from models.diary.motivation.views import MotivationView


class EntryView(TypedDict):
    """An entry as its owner sees it."""

    id: str
    text: str
    mood: int | None
    tags: list[str]
    date: str
    """The day it is about, by its owner's calendar."""

    created_at: str
    updated_at: str
    version: int


class TaskView(TypedDict):
    """A task as its owner sees it."""

    id: str
    title: str
    notes: str
    due_date: str | None
    due_time: str | None
    priority: str
    repeat: str
    done: bool
    completed_at: str | None
    created_at: str
    updated_at: str
    version: int


class MoverView(TypedDict):
    """Who came further with a goal, or took that back."""

    id: str
    """Account id."""

    name: str | None


class StepView(TypedDict):
    """A step of a goal."""

    id: str
    title: str
    done: bool


class GoalView(TypedDict):
    """A goal as one of its readers sees it."""

    id: str
    title: str
    kind: str
    steps: list[StepView]
    target: int | float | None
    current: int | float | None
    """Null for a goal of steps, as `target`."""

    unit: str
    due_date: str | None
    progress: float
    """0 to 1, with four decimals."""

    done: bool
    completed_at: str | None
    owner: str
    """Account id."""

    members: list[str]
    """Public ids."""

    pending: list[str]
    """Public ids of those who have not answered; empty for all but the owner."""

    created_at: str
    updated_at: str
    version: int


class OwnerView(TypedDict):
    """The owner of a goal, as an invitation shows them."""

    public_id: str
    name: str | None


class InvitationView(TypedDict):
    """An invitation to a goal as the invited account sees it."""

    goal_id: str
    title: str
    owner: OwnerView
    invited_at: str


class TagView(TypedDict):
    """A tag, and how many entries have it."""

    tag: str
    count: int


class TagsView(TypedDict):
    """The tags of an account, the most used ones first."""

    items: list[TagView]


class CompletionView(TypedDict):
    """A task that was completed, perhaps deleted since."""

    task_id: str
    date: str
    """The day of completing."""

    due_date: str | None


class DayView(TypedDict):
    """A day in numbers."""

    date: str
    entries: int
    mood: float | None
    """The mean of the entries that have one; null without any."""

    tasks_due: int
    tasks_completed: int
    """By the day of completing."""


WeekView = TypedDict(
    "WeekView",
    {
        "from": str,
        "to": str,
        "entries": int,
        "mood": float | None,
        "tasks_due": int,
        "tasks_completed": int,
        "completion_rate": float | None,
    },
)
"""A week in numbers, Monday to Sunday.

`completion_rate` is the part of what was due on days up to today that was completed, early or late;
null when nothing was due.
"""


class StreakView(TypedDict):
    """Days in a row, as of today."""

    current: int
    longest: int


class MovedGoalView(TypedDict):
    """A goal that came further in a week."""

    id: str
    title: str
    progress: float
    done: bool


class SummaryView(TypedDict):
    """What some weeks were like, in numbers that can be plotted as they are."""

    time_zone: str
    days: list[DayView]
    """Seven of each week."""

    week: WeekView
    """The one that was asked for."""

    weeks: list[WeekView]
    """The latest last."""

    streak: StreakView
    goals_moved: list[MovedGoalView]
    """Those that came further last in this week."""


class DiarySettingsView(TypedDict):
    """What the account has chosen."""

    time_zone: str
    language: str


class ExportedGoalsView(TypedDict):
    """The goals of a whole diary."""

    owned: list[GoalView]
    shared: list[GoalView]
    """Of others."""

    invitations: list[InvitationView]


class DiaryView(TypedDict):
    """A whole diary; each part as in the lists."""

    exported_at: str
    settings: DiarySettingsView
    entries: list[EntryView]
    tasks: list[TaskView]
    completions: list[CompletionView]
    goals: ExportedGoalsView
    motivations: list[MotivationView]
