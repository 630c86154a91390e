"""What several things in a diary have in common: titles, dates, the ids that clients choose."""

import re
from datetime import date
from typing import Any

from marshmallow import ValidationError, fields, validate

from models.fields import one_line

MAX_TITLE = 200
"""Characters: a line that a phone's notification still shows."""

_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_YEARS = range(1900, 3000)
"""Far from both ends of the calendar, so that no zone and no repetition leads out of it."""


class DateField(fields.Field[date]):
    """A date of the calendar, `"2026-03-01"`, and no other of the forms of ISO 8601."""

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


def title_field(**options: Any) -> fields.String:
    """Give the field of a title: one line."""
    return fields.String(
        validate=[validate.Length(1, MAX_TITLE), one_line],
        **options,
    )


def client_id_field() -> fields.String:
    """Give the field by which a client that sends something again gets the same thing."""
    return fields.String(
        load_default=None,
        allow_none=True,
        validate=validate.Regexp(
            r"\A[A-Za-z0-9_-]{1,64}\Z", error="Letters, digits, - and _ only, 64 at most."
        ),
    )
