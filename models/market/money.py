"""Money: integer cents inside, decimal text of US dollars outside, never a float."""

import re
from collections.abc import Mapping
from typing import Any, ClassVar

from marshmallow import ValidationError

from models.fields import Scalar

CURRENCY = "usd"

MAX_CENTS = 100_000_000
"""One million dollars: above any sneaker, and far below what JSON numbers hold exactly."""

_DOLLARS = re.compile(r"(?P<whole>0|[1-9][0-9]{0,6})(?:\.(?P<cents>[0-9]{1,2}))?")


def parse(value: object) -> int:
    """Read dollars as text (`"220"`, `"220.5"`, `"220.00"`) or a whole JSON number; returns cents.

    A JSON number with a point is refused even when it is exact: anyone who sends one computes with
    floats.

    Raises:
        ValueError: the message says what is wrong.
    """
    if isinstance(value, float):
        raise ValueError('Send the price as text, like "220.00".')
    if isinstance(value, bool) or not isinstance(value, int | str):
        raise ValueError("Not a price.")
    # Compared before it is written out: thousands of digits take the interpreter long.
    if isinstance(value, int):
        if not 0 < value <= MAX_CENTS // 100:
            raise ValueError(_BOUNDS)
        return value * 100
    match = _DOLLARS.fullmatch(value)
    if match is None:
        raise ValueError('Not a price; write it like "220.00", with two decimals at most.')
    cents = int(match["whole"]) * 100 + int((match["cents"] or "").ljust(2, "0"))
    if not 0 < cents <= MAX_CENTS:
        raise ValueError(_BOUNDS)
    return cents


def to_decimal(cents: int) -> str:
    """Write cents for programs: `220.00`."""
    return f"{cents // 100}.{cents % 100:02d}"


def to_price_tag(cents: int) -> str:
    """Write cents for people, as the document does: `$220`, `$220.50`."""
    return f"${to_decimal(cents).removesuffix('.00')}"


_BOUNDS = f"A price is more than zero and at most {to_decimal(MAX_CENTS)}."


class Price(Scalar[int]):
    """A price as `parse` reads it; loads as cents."""

    takes: ClassVar[Mapping[str, Any]] = {"type": ["string", "integer"]}

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> int:
        try:
            return parse(value)
        except ValueError as error:
            raise ValidationError(str(error)) from None
