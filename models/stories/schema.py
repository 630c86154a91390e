"""What a caller may send about stories, and within which bounds."""

import re
from collections.abc import Mapping
from typing import Any, ClassVar

from marshmallow import ValidationError, post_load, validate, validates_schema

from models.fields import (
    SCALAR_MAX,
    BoundedList,
    Emoji,
    Input,
    Scalar,
    Text,
    client_id_field,
    id_field,
)
from models.pages import PageQuery

PUBLIC = "PUBLIC"
PRIVATE = "PRIVATE"

MAX_TEXT = 2_000
"""Characters: what fits on a phone's screen several times over."""

MAX_AUDIENCE = 200
"""Accounts: each is a room to publish to and an entry of the readers' index."""

_ACCOUNT_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")
_INT64 = 2**63


class AccountId(Scalar[str]):
    """An account id; clients that keep ids as numbers may send them so."""

    takes: ClassVar[Mapping[str, Any]] = {"type": ["string", "integer"]}

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> str:
        if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < _INT64:
            value = str(value)
        if not isinstance(value, str) or not _ACCOUNT_ID.fullmatch(value):
            raise ValidationError("Not an account id.")
        return value


class CreateStory(Input):
    """A new story: `text`, `visibility` PUBLIC or PRIVATE, `audience_user_ids` (PRIVATE only).

    An audience of a PUBLIC story is an error rather than ignored: anyone who sends one believes
    that no one else will see the story. So is a PRIVATE story without one, which no one would ever
    see. The author need not be in it. Repeated ids count once.
    With the same `client_id` again it is the same story.
    """

    text = Text(MAX_TEXT, min_length=1, required=True)
    visibility = Text(SCALAR_MAX, required=True, validate=validate.OneOf((PUBLIC, PRIVATE)))
    audience_user_ids = BoundedList(AccountId(), max_length=MAX_AUDIENCE, load_default=list)
    client_id = client_id_field()

    @validates_schema
    def _only_private_has_an_audience(self, data: dict[str, Any], **_: Any) -> None:
        if data.get("visibility") == PUBLIC and data.get("audience_user_ids"):
            raise ValidationError("A public story has no audience.", "audience_user_ids")
        if data.get("visibility") == PRIVATE and not data.get("audience_user_ids"):
            raise ValidationError("Choose who may see it.", "audience_user_ids")

    @post_load
    def _each_once(self, data: dict[str, Any], **_: Any) -> dict[str, Any]:
        return {**data, "audience_user_ids": list(dict.fromkeys(data["audience_user_ids"]))}


class React(Input):
    """A reaction: `emoji`, exactly one; it loads in its normal form."""

    emoji = Emoji(required=True)


class StoryId(Input):
    """Which story: `story_id`."""

    story_id = id_field(required=True)


class ReactToStory(StoryId, React):
    """A reaction with the story it is to: `story_id`, `emoji`."""


class StoryPageQuery(StoryId, PageQuery):
    """A page of what belongs to a story: `story_id`, `after`, `limit`."""
