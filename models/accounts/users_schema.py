"""What clients send to look people up."""

from typing import Any

from marshmallow import ValidationError, validate

from models.fields import ID_MAX, Input, Text, WholeNumber

MAX_IDS = 100
"""People of one request: the authors of a long page."""

_IDS_CHARACTERS = 6_000
"""Room for all of them in a request's line, also for the longer names of accounts that are gone."""

NAME_MAX = 254
"""Characters of a name, an e-mail or a phone number that is searched for: the longest e-mail."""

MAX_FOUND = 50
"""People found at once: a list that a person reads."""

DEFAULT_FOUND = 20


class _Ids(Text):
    """Account ids with commas between them; loads as a list, each id once."""

    def __init__(self, **options: Any) -> None:
        super().__init__(_IDS_CHARACTERS, **options)

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> Any:
        text = super()._deserialize(value, attr, data, **kwargs)
        ids = list(dict.fromkeys(text.split(",")))
        if len(ids) > MAX_IDS:
            raise ValidationError(f"At most {MAX_IDS} ids.")
        if not all(0 < len(each) <= ID_MAX for each in ids):
            raise ValidationError("Not account ids with commas between them.")
        return ids


class UsersQuery(Input):
    """Whom to show: those with the `ids`, or those that a search for `q` finds."""

    ids = _Ids(load_default=None)
    q = Text(NAME_MAX, blank=True, load_default=None)
    limit = WholeNumber(load_default=DEFAULT_FOUND, validate=validate.Range(1, MAX_FOUND))


class PictureQuery(Input):
    """Which version of a picture is meant: with the present one, it may be kept for good."""

    v = Text(ID_MAX, load_default=None)
