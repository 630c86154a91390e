"""How goals stand in the database, and as JSON."""

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import TypedDict
from uuid import uuid4

from models.database import Document
from models.diary.fixed_point import share_of, to_number
from models.diary.goals.schema import STEPS
from models.diary.motivation.port import Progress
from models.diary.views import GoalView, InvitationView, StepView
from models.identity import Identity
from models.times import to_text


class StoredMember(TypedDict):
    """A member of a goal."""

    account_id: str
    public_id: str


class StoredInvited(TypedDict):
    """Who is asked to be a member."""

    public_id: str
    """As the owner wrote it."""

    account_id: str | None
    """None where the invitation reaches no one, or was declined: the owner cannot tell."""

    at: datetime


class StoredStep(TypedDict):
    """A step of a goal."""

    id: str
    title: str
    done: bool


class StoredGoal(TypedDict):
    """A document of `diary_goals`; what is deleted keeps its place, see `deleted`."""

    _id: str
    account_id: str
    """None in one that is deleted, which no query for an account finds."""

    owner: str
    """Public id."""

    members: list[StoredMember]
    readers: list[str]
    """The accounts that may see it, the owner among them."""

    invited: list[StoredInvited]
    """Who has not answered yet."""

    invitees: list[str]
    """Their accounts."""

    invited_at: datetime | None
    """When the latest was invited."""

    declines: int | None
    """How many declined, None for none."""

    title: str
    kind: str
    steps: list[StoredStep]
    target: int | None
    """In thousandths, as `current`; None for a goal of steps."""

    current: int | None
    unit: str
    due_date: str | None
    counted: list[str]
    """The latest operations in it that have keys."""

    done: bool
    completed_at: datetime | None
    moved_at: datetime | None
    """When someone last came further, None while nothing is reached."""

    deleted_by: str | None
    forget_at: datetime | None
    created_at: datetime
    updated_at: datetime
    version: int


def new_goal(
    goal_id: str,
    owner: Identity,
    *,
    title: str,
    kind: str,
    steps: Sequence[Mapping[str, str]],
    target: int | None,
    unit: str,
    due_date: date | None,
    members: Sequence[StoredMember],
    invited: Sequence[StoredInvited] = (),
    created_at: datetime,
) -> StoredGoal:
    """Build a goal; `target` in thousandths."""
    return {
        "_id": goal_id,
        "account_id": owner.account_id,
        "owner": owner.public_id,
        **with_members(owner.account_id, members),
        **with_invited(invited),
        "declines": None,
        "title": title,
        "kind": kind,
        "steps": [{"id": str(uuid4()), "title": step["title"], "done": False} for step in steps],
        "target": target,
        "current": None if kind == STEPS else 0,
        "unit": unit,
        "due_date": due_date.isoformat() if due_date else None,
        "counted": [],
        "done": False,
        "completed_at": None,
        "moved_at": None,
        "deleted_by": None,
        "forget_at": None,
        "created_at": created_at,
        "updated_at": created_at,
        "version": 1,
    }


class Involved(TypedDict):
    """The values of a goal that say who has to do with it."""

    members: list[StoredMember]
    readers: list[str]


class Asked(TypedDict):
    """The values of a goal that say who is invited."""

    invited: list[StoredInvited]
    invitees: list[str]
    invited_at: datetime | None


def with_members(owner_id: str, members: Sequence[StoredMember]) -> Involved:
    """Return the values of a goal that say who has to do with it."""
    people: list[StoredMember] = [
        {"account_id": person["account_id"], "public_id": person["public_id"]} for person in members
    ]
    return {
        "members": people,
        "readers": [owner_id, *(person["account_id"] for person in people)],
    }


def invited_in(goal: StoredGoal) -> list[StoredInvited]:
    """Return who is invited and has not answered yet; no one in goals of before there were any."""
    return [*goal.get("invited", ())]


def with_invited(invited: Sequence[StoredInvited]) -> Asked:
    """Return the values of a goal that say who is invited."""
    people: list[StoredInvited] = [
        {"public_id": each["public_id"], "account_id": each["account_id"], "at": each["at"]}
        for each in invited
    ]
    reached = [person for person in people if person["account_id"] is not None]
    accounts = (account_id for person in people if (account_id := person["account_id"]))
    return {
        "invited": people,
        "invitees": list(dict.fromkeys(accounts)),
        "invited_at": max((person["at"] for person in reached), default=None),
    }


def invitation_view(goal: StoredGoal, account_id: str, owner_name: str | None) -> InvitationView:
    """Return an invitation for the invited account: what it needs to decide, and no more."""
    at = max(person["at"] for person in invited_in(goal) if person["account_id"] == account_id)
    return {
        "goal_id": goal["_id"],
        "title": goal["title"],
        "owner": {"public_id": goal["owner"], "name": owner_name},
        "invited_at": to_text(at),
    }


def deleted(account_id: str, forget_at: datetime) -> Document:
    """Return what a deleted goal is set to: nothing of what it was, and no one's.

    It keeps its place, so that a late repeat of what made it does not bring it back.
    """
    return {
        "account_id": None,
        "owner": "",
        "members": [],
        "readers": [],
        **with_invited(()),
        "title": "",
        "steps": [],
        "unit": "",
        "moved_at": None,
        "deleted_by": account_id,
        "forget_at": forget_at,
    }


def moved(goal: StoredGoal, at: datetime, *, by_hand: bool) -> Document:
    """Return what follows from how far a goal has come: whether it is reached, and since when.

    `by_hand`: someone came further with it just now, or took that back.
    """
    part, whole = reached(goal)
    done = part >= whole
    moved_at = at if by_hand else goal["moved_at"]
    return {
        "done": done,
        "completed_at": (goal["completed_at"] or at) if done else None,
        "moved_at": moved_at if part else None,
    }


def reached(goal: StoredGoal) -> tuple[int, int]:
    """Return how much of how much is reached: steps, or thousandths."""
    if goal["kind"] == STEPS:
        return sum(step["done"] for step in goal["steps"]), len(goal["steps"])
    current, target = goal["current"], goal["target"]
    assert current is not None, "a goal of numbers has both"
    assert target is not None
    return current, target


def progress_of(goal: StoredGoal) -> Progress:
    """Return how far its owner has come with a goal, to be put into words."""
    part, whole = reached(goal)
    if goal["kind"] == STEPS:
        return Progress(part, whole, STEPS, goal["title"])
    return Progress(to_number(part), to_number(whole), goal["unit"], goal["title"])


def goal_view(goal: StoredGoal, reader_id: str) -> GoalView:
    """Return a goal as one of its readers sees it; who has not answered yet, the owner only."""
    pending = invited_in(goal) if reader_id == goal["account_id"] else []
    current, target = goal["current"], goal["target"]
    completed_at = goal["completed_at"]
    steps: list[StepView] = [
        {"id": step["id"], "title": step["title"], "done": step["done"]} for step in goal["steps"]
    ]
    return {
        "id": goal["_id"],
        "title": goal["title"],
        "kind": goal["kind"],
        "steps": steps,
        "target": None if target is None else to_number(target),
        "current": None if current is None else to_number(current),
        "unit": goal["unit"],
        "due_date": goal["due_date"],
        "progress": share_of(*reached(goal)),
        "done": goal["done"],
        "completed_at": to_text(completed_at) if completed_at else None,
        "owner": goal["account_id"],
        "members": [person["public_id"] for person in goal["members"]],
        "pending": [person["public_id"] for person in pending],
        "created_at": to_text(goal["created_at"]),
        "updated_at": to_text(goal["updated_at"]),
        "version": goal["version"],
    }
