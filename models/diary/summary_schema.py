"""What a caller may ask of the summary."""

from typing import Any

from marshmallow import Schema, fields, validate

from models.diary.fields import DateField

MAX_WEEKS = 53
"""A year, wherever its weeks begin."""


class _Weeks(fields.Integer):
    """A whole number, as JSON or as the text that query strings have; neither 1.5 nor true."""

    def _validated(self, value: Any) -> int:
        if isinstance(value, (float, bool)):
            raise self.make_error("invalid", input=value)
        return super()._validated(value)


class SummaryQuery(Schema):
    """Which week: that of `date`, today where the account lives if left out.

    `weeks`, 1 to 53 and 1 if left out, is the length of the series of weeks that ends with it.
    """

    date = DateField(load_default=None, allow_none=True)
    weeks = _Weeks(load_default=1, validate=validate.Range(1, MAX_WEEKS))
