"""What several things in a diary have in common: titles and dates."""

import re
from collections.abc import Mapping
from datetime import date
from typing import Any, ClassVar

from marshmallow import ValidationError

from models.fields import Scalar, Text, one_line

MAX_TITLE = 200
"""Characters: a line that a phone's notification still shows."""

_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_YEARS = range(1900, 3000)
"""Far from both ends of the calendar, so that no zone and no repetition leads out of it."""


class DateField(Scalar[date]):
    """A date of the calendar, `"2026-03-01"`, and no other of the forms of ISO 8601."""

    takes: ClassVar[Mapping[str, Any]] = {"type": "string", "format": "date"}

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> date:
        if isinstance(value, str) and _DATE.fullmatch(value):
            try:
                day = date.fromisoformat(value)
            except ValueError as error:
                raise ValidationError("There is no such day.") from error
            if day.year in _YEARS:
                return day
            raise ValidationError(f"Must be in the years {_YEARS[0]} to {_YEARS[-1]}.")
        raise ValidationError('Not a date; write it like "2026-03-01".')


def title_field(**options: Any) -> Text:
    """Return the field of a title: one line."""
    return Text(MAX_TITLE, min_length=1, validate=one_line, **options)
