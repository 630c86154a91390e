"""What a caller may send about goals, and within which bounds."""

from typing import Any

from marshmallow import Schema, ValidationError, fields, validate, validates_schema

from models.diary.fields import (
    DateField,
    client_id_field,
    title_field,
)
from models.diary.thousandths import NumberField
from models.fields import is_text, one_line

STEPS = "steps"
NUMBER = "number"
KINDS = (STEPS, NUMBER)

MAX_STEPS = 100
"""A goal is told whole with every step that is taken."""

MAX_UNIT = 20
MAX_MEMBERS = 50
"""Each is a room to tell of every step."""

MAX_PUBLIC_ID = 128
"""Characters: Firebase uids have up to as many."""


class StepField(fields.Field[dict[str, str]]):
    """A step: its title, or `{"title"}`, with the `id` of one that is there already."""

    def __init__(self, *, known: bool) -> None:
        super().__init__()
        self._schema = _KnownStep() if known else _NewStep()

    def _deserialize(
        self, value: Any, attr: str | None, data: Any, **kwargs: Any
    ) -> dict[str, str]:
        step: dict[str, str] = self._schema.load(
            {"title": value} if isinstance(value, str) else value
        )
        return step


class _NewStep(Schema):
    title = title_field(required=True)


class _KnownStep(_NewStep):
    id = fields.String(validate=validate.Length(1, MAX_PUBLIC_ID))


def _steps(*, known: bool, at_least: int, **options: Any) -> fields.List[Any]:
    size = validate.Length(at_least, MAX_STEPS)
    return fields.List(StepField(known=known), validate=size, **options)


def _positive(value: float) -> None:
    if value <= 0:
        raise ValidationError("Must be more than zero.")


def _target(**options: Any) -> NumberField:
    return NumberField(validate=_positive, **options)


def _unit(**options: Any) -> fields.String:
    def valid(text: str) -> None:
        is_text(text)
        if text:
            one_line(text)

    return fields.String(validate=[validate.Length(max=MAX_UNIT), valid], **options)


def _members(**options: Any) -> fields.List[Any]:
    public_id = fields.String(validate=[validate.Length(1, MAX_PUBLIC_ID), is_text])
    return fields.List(public_id, validate=validate.Length(max=MAX_MEMBERS), **options)


class CreateGoal(Schema):
    """A new goal: `title`, `kind`, and what is to be reached.

    Kind "steps": `steps`, 1 to 100, each a title or `{"title"}`. Kind "number": `target`, more
    than zero with three decimals at most, and optionally its `unit`. Optional for both:
    `due_date`, `members` (public ids, 50 at most). With the same `client_id` again it is the same
    goal.
    """

    title = title_field(required=True)
    kind = fields.String(required=True, validate=validate.OneOf(KINDS))
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


class ChangeGoal(Schema):
    """What its owner may change of a goal; what is left out stays as it is.

    `steps` are all that it is to have then, in order; those named by their `id` stay as far as
    they were.
    """

    title = title_field()
    steps = _steps(known=True, at_least=1)
    target = _target()
    unit = _unit()
    due_date = DateField(allow_none=True)


class GoalId(Schema):
    """Which goal: `goal_id`."""

    goal_id = fields.String(required=True)


class UpdateGoal(GoalId, ChangeGoal):
    """A change with the goal it is to."""


class StepDone(Schema):
    """Whether a step is `done`."""

    done = fields.Boolean(required=True, truthy={True}, falsy={False})


class SetStep(GoalId, StepDone):
    """Whether a step is done: `goal_id`, `step_id`, `done`."""

    step_id = fields.String(required=True)


class Amount(Schema):
    """How much further one has come: `amount`; less than zero takes progress back."""

    amount = NumberField(required=True)


class AddProgress(GoalId, Amount):
    """Progress with the goal it is to: `goal_id`, `amount`."""


class Value(Schema):
    """How far one has come: `value`."""

    value = NumberField(required=True)


class SetProgress(GoalId, Value):
    """Where a goal stands: `goal_id`, `value`."""


class Members(Schema):
    """With whom: `members`, their public ids."""

    members = _members(required=True)


class ShareGoal(GoalId, Members):
    """A goal and with whom: `goal_id`, `members`."""
