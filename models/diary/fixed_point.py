"""Numbers with at most three decimals: whole thousandths inside, JSON numbers outside."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any, ClassVar

from marshmallow import ValidationError

from models.fields import Scalar

MAX_NUMBER = 1_000_000_000_000
"""A million millions: JSON programs still keep every thousandth of it apart."""


def parse(value: object) -> int:
    """Read a JSON number; returns thousandths.

    A number with a point means what is written, not the binary fraction nearest to it.

    Raises:
        ValueError: the message says what is wrong.
    """
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError("Not a number.")
    # Compared before it is written out: thousands of digits take the interpreter long.
    # NaN and the infinities are in no range.
    if not -MAX_NUMBER <= value <= MAX_NUMBER:
        raise ValueError(f"Must be from -{MAX_NUMBER} to {MAX_NUMBER}.")
    thousandths = Decimal(repr(value)) * 1000
    if thousandths != int(thousandths):
        raise ValueError("At most three decimals.")
    return int(thousandths)


def to_number(thousandths: int) -> int | float:
    """Write thousandths as the JSON number that they are."""
    whole, rest = divmod(thousandths, 1000)
    return thousandths / 1000 if rest else whole


def share_of(part: int, whole: int) -> float:
    """Return how much of `whole` is reached: 0 to 1, four decimals, 1 not before all of it is."""
    return min(max(part, 0) * 10_000 // whole, 10_000) / 10_000


class NumberField(Scalar[int | float]):
    """A number that `parse` reads; loads as it is."""

    takes: ClassVar[Mapping[str, Any]] = {
        "type": "number",
        "minimum": -MAX_NUMBER,
        "maximum": MAX_NUMBER,
    }

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> int | float:
        try:
            return to_number(parse(value))
        except ValueError as error:
            raise ValidationError(str(error)) from None
