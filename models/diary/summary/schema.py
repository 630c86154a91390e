"""What a caller may ask of the summary."""

from marshmallow import validate

from models.diary.fields import DateField
from models.fields import Input, WholeNumber

MAX_WEEKS = 53
"""A year, wherever its weeks begin."""


class SummaryQuery(Input):
    """Which week: that of `date`, today where the account lives if left out.

    `weeks`, 1 to 53 and 1 if left out, is the length of the series of weeks that ends with it.
    """

    date = DateField(load_default=None, allow_none=True)
    weeks = WholeNumber(load_default=1, validate=validate.Range(1, MAX_WEEKS))
