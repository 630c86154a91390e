"""What becomes of a goal: the values that a change sets, worked out without writing anything."""

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any
from uuid import uuid4

from models.database import Document
from models.diary.fixed_point import MAX_NUMBER, parse
from models.diary.goals.records import StoredGoal, StoredStep, reached
from models.diary.goals.schema import NUMBER, STEPS
from models.errors import Conflict, Invalid, NotFound

COUNTED_MAX = 200
"""Operations that a goal remembers, for their repeats after a crash; those that came to their end
are remembered with their keys."""


def updated(goal: StoredGoal, changed: Mapping[str, Any]) -> Document:
    """Return what a change by the owner sets.

    Raises:
        Invalid: steps or a target that goals of this kind do not have, a step id it does not have.
    """
    values = dict(changed)
    for field, kind in (("steps", STEPS), ("target", NUMBER)):
        if field in values and goal["kind"] != kind:
            raise _invalid(field, f"A goal of this kind has no {field}.")
    if "steps" in values:
        values["steps"] = _steps(goal["steps"], values["steps"])
    if "target" in values:
        values["target"] = thousandths("target", values["target"])
    if isinstance(values.get("due_date"), date):
        values["due_date"] = values["due_date"].isoformat()
    return values


def with_step(goal: StoredGoal, step_id: str, done: bool) -> Document:
    """Return what setting a step sets.

    Raises:
        Conflict: code `not_of_steps`.
        NotFound: code `step_not_found`.
    """
    if goal["kind"] != STEPS:
        raise Conflict("This goal has no steps.", code="not_of_steps")
    if not any(step["id"] == step_id for step in goal["steps"]):
        raise NotFound("The goal has no such step.", code="step_not_found")
    steps = [{**step, "done": done} if step["id"] == step_id else step for step in goal["steps"]]
    return {"steps": steps}


def with_current(goal: StoredGoal, current: int) -> Document:
    """Return what setting a number of thousandths sets; never less than zero.

    Raises:
        Invalid: more than numbers here may be.
    """
    if current > MAX_NUMBER * 1000:
        raise _invalid("amount", f"Must not lead beyond {MAX_NUMBER}.")
    return {"current": max(0, current)}


def counted_in(goal: StoredGoal) -> list[str]:
    """Return the operations that are in what a goal has reached; of goals of before, none."""
    return [*goal.get("counted", ())]


def with_more(goal: StoredGoal, more: int, operation_id: str | None) -> Document:
    """Return what progress by a number of thousandths sets; raises as `with_current`.

    Sums and operations are written together: after a crash either both are there or neither.
    """
    values = with_current(goal, reached(goal)[0] + more)
    if operation_id is not None:
        values["counted"] = [*counted_in(goal), operation_id][-COUNTED_MAX:]
    return values


def check_number(goal: StoredGoal) -> None:
    """Check that a goal has a number to be reached.

    Raises:
        Conflict: code `not_of_number`.
    """
    if goal["kind"] != NUMBER:
        raise Conflict("This goal has no number to reach.", code="not_of_number")


def thousandths(field: str, value: object) -> int:
    """Read a number that a caller sent.

    Raises:
        Invalid: it is none, or has more than three decimals.
    """
    try:
        return parse(value)
    except ValueError as error:
        raise _invalid(field, str(error)) from None


def _steps(present: Sequence[StoredStep], wanted: Sequence[Mapping[str, str]]) -> list[Document]:
    done = {step["id"]: step["done"] for step in present}
    named = [step["id"] for step in wanted if "id" in step]
    if len(named) != len(set(named)):
        raise _invalid("steps", "A step is named twice.")
    if not done.keys() >= set(named):
        raise _invalid("steps", "The goal has no such step; leave the id of a new one out.")
    return [
        {
            "id": step.get("id") or str(uuid4()),
            "title": step["title"],
            "done": done.get(step.get("id", ""), False),
        }
        for step in wanted
    ]


def _invalid(field: str, problem: str) -> Invalid:
    return Invalid("Some fields are not valid.", fields={field: [problem]})
