"""What a caller may send about goals, and within which bounds."""

from collections.abc import Mapping
from typing import Any, ClassVar

from marshmallow import ValidationError, validate, validates_schema

from models.diary.fields import (
    MAX_TITLE,
    DateField,
    title_field,
)
from models.diary.fixed_point import NumberField
from models.fields import (
    SCALAR_MAX,
    Bounded,
    BoundedList,
    Flag,
    Input,
    Text,
    client_id_field,
    id_field,
    one_line,
)
from models.versions import IfVersion

STEPS = "steps"
NUMBER = "number"
KINDS = (STEPS, NUMBER)

MAX_STEPS = 100
"""A goal is sent whole with every step that is taken."""

MAX_UNIT = 20
MAX_MEMBERS = 50
"""Each is a room to which every step is published."""


class StepField(Bounded[dict[str, str]]):
    """A step: its title, or `{"title"}`, with the `id` of one that is there already."""

    takes: ClassVar[Mapping[str, Any]] = {
        "anyOf": [
            {"type": "string"},
            {
                "type": "object",
                "properties": {"id": {"type": "string"}, "title": {"type": "string"}},
                "required": ["title"],
            },
        ]
    }

    def __init__(self, *, known: bool) -> None:
        super().__init__(max_length=MAX_TITLE)
        self._schema = _KnownStep() if known else _NewStep()

    def _deserialize(
        self, value: Any, attr: str | None, data: Any, **kwargs: Any
    ) -> dict[str, str]:
        step: dict[str, str] = self._schema.load(
            {"title": value} if isinstance(value, str) else value
        )
        return step


class _NewStep(Input):
    title = title_field(required=True)


class _KnownStep(_NewStep):
    id = id_field()


def _steps(*, known: bool, at_least: int, **options: Any) -> BoundedList:
    step = StepField(known=known)
    return BoundedList(step, min_length=at_least, max_length=MAX_STEPS, **options)


def _positive(value: float) -> None:
    if value <= 0:
        raise ValidationError("Must be more than zero.")


def _target(**options: Any) -> NumberField:
    return NumberField(validate=_positive, **options)


def _unit(**options: Any) -> Text:
    def valid(text: str) -> None:
        if text:
            one_line(text)

    return Text(MAX_UNIT, validate=valid, **options)


def _members(**options: Any) -> BoundedList:
    return BoundedList(id_field(), max_length=MAX_MEMBERS, **options)


class CreateGoal(Input):
    """A new goal: `title`, `kind`, and what is to be reached.

    Kind "steps": `steps`, 1 to 100, each a title or `{"title"}`. Kind "number": `target`, more
    than zero with three decimals at most, and optionally its `unit`. Optional for both:
    `due_date`, `members` (public ids, 50 at most). With the same `client_id` again it is the same
    goal.
    """

    title = title_field(required=True)
    kind = Text(SCALAR_MAX, required=True, validate=validate.OneOf(KINDS))
    steps = _steps(known=False, at_least=0, load_default=list)
    target = _target(load_default=None, allow_none=True)
    unit = _unit(load_default="")
    due_date = DateField(load_default=None, allow_none=True)
    members = _members(load_default=list)
    client_id = client_id_field()

    @validates_schema
    def _goes_together(self, data: dict[str, Any], **_: Any) -> None:
        needed, other = ("steps", "target") if data["kind"] == STEPS else ("target", "steps")
        if not data[needed]:
            raise ValidationError(f"A goal of this kind has {needed}.", needed)
        if data[other]:
            raise ValidationError(f"A goal of this kind has no {other}.", other)


class ChangeGoal(Input):
    """What its owner may change of a goal; what is left out stays as it is.

    `steps` are all that it is to have then, in order; those named by their `id` stay as far as
    they were.
    """

    title = title_field()
    steps = _steps(known=True, at_least=1)
    target = _target()
    unit = _unit()
    due_date = DateField(allow_none=True)


class GoalId(Input):
    """Which goal: `goal_id`."""

    goal_id = id_field(required=True)


class UpdateGoal(GoalId, ChangeGoal, IfVersion):
    """A change with the goal it is to."""


class DeleteGoal(GoalId, IfVersion):
    """Which goal is to go: `goal_id`."""


class StepDone(Input):
    """Whether a step is `done`."""

    done = Flag(required=True)


class SetStep(GoalId, StepDone):
    """Whether a step is done: `goal_id`, `step_id`, `done`."""

    step_id = id_field(required=True)


class Amount(Input):
    """How much further one has come: `amount`; less than zero takes progress back; with the same
    `client_id` again it counts once."""

    amount = NumberField(required=True)
    client_id = client_id_field()


class AddProgress(GoalId, Amount):
    """Progress with the goal it is to: `goal_id`, `amount`."""


class Value(Input):
    """How far one has come: `value`."""

    value = NumberField(required=True)


class SetProgress(GoalId, Value):
    """Where a goal stands: `goal_id`, `value`."""


class Members(Input):
    """With whom: `members`, their public ids."""

    members = _members(required=True)


class GoalMember(GoalId):
    """Which member of which goal: `goal_id`, `member` (an e-mail or a public id)."""

    member = id_field(required=True)


class ShareGoal(GoalId, Members):
    """A goal and with whom: `goal_id`, `members`."""
