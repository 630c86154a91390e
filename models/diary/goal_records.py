"""How goals stand in the database, and as JSON."""

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from uuid import uuid4

from models.database import Document
from models.diary.goals_schema import STEPS
from models.diary.motivation.port import Progress
from models.diary.thousandths import share_of, to_number
from models.events import Json
from models.identity import Identity
from models.times import to_text

Person = Mapping[str, str]
"""A member: `account_id`, `public_id`."""


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
    members: Sequence[Person],
    created_at: datetime,
) -> Document:
    """Build a goal; `target` in thousandths.

    `readers`: the accounts that may see it, the owner among them. `current`: thousandths reached,
    None for steps. `moved_at`: when somebody last came further, None while nothing is reached.
    `deleted_by`, `forget_at`: of one that is deleted.
    """
    return {
        "_id": goal_id,
        "account_id": owner.account_id,
        "owner": owner.public_id,
        **with_members(owner.account_id, members),
        "title": title,
        "kind": kind,
        "steps": [{"id": str(uuid4()), "title": step["title"], "done": False} for step in steps],
        "target": target,
        "current": None if kind == STEPS else 0,
        "unit": unit,
        "due_date": due_date.isoformat() if due_date else None,
        "done": False,
        "completed_at": None,
        "moved_at": None,
        "deleted_by": None,
        "forget_at": None,
        "created_at": created_at,
        "updated_at": created_at,
        "version": 1,
    }


def with_members(owner_id: str, members: Sequence[Person]) -> Document:
    """Give the values of a goal that say who has to do with it."""
    people = [{name: person[name] for name in ("account_id", "public_id")} for person in members]
    return {
        "members": people,
        "readers": [owner_id, *(person["account_id"] for person in people)],
    }


def deleted(account_id: str, forget_at: datetime) -> Document:
    """Give what a deleted goal is set to: nothing of what it was, and nobody's.

    It keeps its place, so that a late repeat of what made it does not bring it back.
    """
    return {
        "account_id": None,
        "owner": "",
        "members": [],
        "readers": [],
        "title": "",
        "steps": [],
        "unit": "",
        "moved_at": None,
        "deleted_by": account_id,
        "forget_at": forget_at,
    }


def moved(goal: Document, at: datetime, *, by_hand: bool) -> Document:
    """Give what follows from how far a goal has come: whether it is reached, and since when.

    `by_hand`: somebody came further with it just now, or took that back.
    """
    part, whole = reached(goal)
    done = part >= whole
    moved_at = at if by_hand else goal["moved_at"]
    return {
        "done": done,
        "completed_at": (goal["completed_at"] or at) if done else None,
        "moved_at": moved_at if part else None,
    }


def reached(goal: Document) -> tuple[int, int]:
    """Give how much of how much is reached: steps, or thousandths."""
    if goal["kind"] == STEPS:
        return sum(step["done"] for step in goal["steps"]), len(goal["steps"])
    return goal["current"], goal["target"]


def progress_of(goal: Document) -> Progress:
    """Give how far its owner has come with a goal, to be put into words."""
    part, whole = reached(goal)
    if goal["kind"] == STEPS:
        return Progress(part, whole, STEPS, goal["title"])
    return Progress(to_number(part), to_number(whole), goal["unit"], goal["title"])


def goal_json(goal: Document) -> dict[str, Json]:
    """Show a goal to its owner and its members, to all in the same way."""
    current, target = goal["current"], goal["target"]
    completed_at = goal["completed_at"]
    return {
        "id": goal["_id"],
        "title": goal["title"],
        "kind": goal["kind"],
        "steps": [dict(step) for step in goal["steps"]],
        "target": None if target is None else to_number(target),
        "current": None if current is None else to_number(current),
        "unit": goal["unit"],
        "due_date": goal["due_date"],
        "progress": share_of(*reached(goal)),
        "done": goal["done"],
        "completed_at": to_text(completed_at) if completed_at else None,
        "owner": goal["owner"],
        "members": [person["public_id"] for person in goal["members"]],
        "created_at": to_text(goal["created_at"]),
        "updated_at": to_text(goal["updated_at"]),
        "version": goal["version"],
    }
