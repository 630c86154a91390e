"""What a caller may send about stories, and within which bounds."""

import re
import unicodedata
from typing import Any

from marshmallow import Schema, ValidationError, fields, post_load, validate, validates_schema

from models.fields import is_text, not_blank

PUBLIC = "PUBLIC"
PRIVATE = "PRIVATE"

MAX_TEXT = 2_000
"""Characters: what fits on a phone's screen several times over."""

MAX_AUDIENCE = 200
"""Accounts: each is a room to tell and an entry of the readers' index."""

MAX_EMOJI = 16
"""Code points: the longest emoji sequences (families with skin tones) have 11."""

_ACCOUNT_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")
_INT64 = 2**63
_ZERO_WIDTH_JOINER = "\u200d"
_INFORMATION_SOURCE = "\u2139"


def _is_emoji_like(text: str) -> None:
    """Refuse words, blanks, control and invisible characters; keycaps, flags and sequences pass."""
    if not all(_in_emoji(character) for character in text) or not any(map(_seen, text)):
        raise ValidationError("Not an emoji.")


def _in_emoji(character: str) -> bool:
    category = unicodedata.category(character)
    if category == "Cf":
        # The joiner, and the tags that spell the flags of Wales or Scotland.
        return character == _ZERO_WIDTH_JOINER or "\U000e0020" <= character <= "\U000e007f"
    if category.startswith("L"):
        return character == _INFORMATION_SOURCE
    # Not assigned (Cn) may be an emoji younger than this Python's Unicode tables.
    return category == "Cn" or category[0] in "SPMN"


def _seen(character: str) -> bool:
    """Whether it makes a picture by itself, unlike joiners, selectors and ASCII."""
    category = unicodedata.category(character)
    return not character.isascii() and (
        category in ("Cn", "Me") or category[0] in "SP" or character == _INFORMATION_SOURCE
    )


class AccountId(fields.Field[str]):
    """An account id; clients that keep ids as numbers may send them so."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> str:
        if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < _INT64:
            value = str(value)
        if not isinstance(value, str) or not _ACCOUNT_ID.fullmatch(value):
            raise ValidationError("Not an account id.")
        return value


class CreateStory(Schema):
    """A new story: `text`, `visibility` PUBLIC or PRIVATE, `audience_user_ids` (PRIVATE only).

    An audience of a PUBLIC story is an error rather than ignored: whoever sends one believes
    that nobody else will see the story. The author need not be in it. Repeated ids count once.
    """

    text = fields.String(required=True, validate=[validate.Length(1, MAX_TEXT), not_blank, is_text])
    visibility = fields.String(required=True, validate=validate.OneOf((PUBLIC, PRIVATE)))
    audience_user_ids = fields.List(
        AccountId(), load_default=list, validate=validate.Length(max=MAX_AUDIENCE)
    )

    @validates_schema
    def _public_has_no_audience(self, data: dict[str, Any], **_: Any) -> None:
        if data.get("visibility") == PUBLIC and data.get("audience_user_ids"):
            raise ValidationError("A public story has no audience.", "audience_user_ids")

    @post_load
    def _each_once(self, data: dict[str, Any], **_: Any) -> dict[str, Any]:
        return {**data, "audience_user_ids": list(dict.fromkeys(data["audience_user_ids"]))}


class React(Schema):
    """A reaction: `emoji`, one short emoji."""

    emoji = fields.String(required=True, validate=[validate.Length(1, MAX_EMOJI), _is_emoji_like])


class StoryId(Schema):
    """Which story: `story_id`."""

    story_id = fields.String(required=True)


class ReactToStory(StoryId, React):
    """A reaction with the story it is to: `story_id`, `emoji`."""
