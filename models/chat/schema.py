"""What a caller may send about chat, and within which bounds."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from marshmallow import ValidationError, pre_load, validate, validates_schema

from models.chat.records import is_channel_name
from models.chat.statuses import AVAILABLE, AWAY, BUSY
from models.fields import (
    ID_MAX,
    BoundedList,
    Flag,
    Input,
    Text,
    WholeNumber,
    client_id_field,
    id_field,
    one_line,
)
from models.pages import Position, PositionField
from models.stories.schema import React
from models.text import is_visible

TEXT = "text"
MESSAGE_TYPES = (TEXT, "image", "video", "audio")

MAX_CONTENT = 10_000
"""Characters: a long letter; in any script it fits into a frame of 64 KiB."""

MAX_TITLE = 100
MAX_SEARCHED = 200
MAX_ATTACHMENTS = 10
MAX_MEMBERS = 200
"""Of a conversation or a private channel: each member is a room to which every message is
published."""

MAX_NAMED = 50
"""People named in one request: a class or a team, and no more of a list of guesses than that."""

MAX_PAGE = 100
"""Messages; each is at most 40 KB."""

DEFAULT_PAGE = 50
_SEQ_MAX = 10**10 - 1


def _channel_name(text: str) -> None:
    if not is_channel_name(text):
        raise ValidationError("Letters, digits and _ . : - only, 64 at most.")


def _seq(**options: Any) -> WholeNumber:
    return WholeNumber(validate=validate.Range(0, _SEQ_MAX), **options)


def _limit() -> WholeNumber:
    return WholeNumber(load_default=DEFAULT_PAGE, validate=validate.Range(1, MAX_PAGE))


def _participants() -> BoundedList:
    return BoundedList(id_field(), min_length=1, max_length=MAX_NAMED, required=True)


class ConversationId(Input):
    """Which conversation: `conversation_id`, or `channel_id`, which means the same."""

    conversation_id = id_field(required=True)

    @pre_load
    def _either(self, data: Any, **_: Any) -> Any:
        if isinstance(data, Mapping) and "conversation_id" not in data:
            return {
                "conversation_id" if field == "channel_id" else field: value
                for field, value in data.items()
            }
        return data


class MessageId(Input):
    """Which message: `message_id`."""

    message_id = id_field(required=True)


class MessageBody(Input):
    """A new message without its conversation.

    `content`, `message_type` (text if absent), `reply_to` (a message id), `attachments` (ids of
    uploads, all of the message's type; a text has none), `client_id` (sent again it gives the first
    message). Only a message with attachments may have no content.
    """

    content = Text(MAX_CONTENT, blank=True, load_default="")
    message_type = Text(ID_MAX, load_default=TEXT, validate=validate.OneOf(MESSAGE_TYPES))
    reply_to = id_field(load_default=None, allow_none=True)
    attachments = BoundedList(id_field(), max_length=MAX_ATTACHMENTS, load_default=list)
    client_id = client_id_field()

    @validates_schema
    def _says_something(self, data: dict[str, Any], **_: Any) -> None:
        attachments = data.get("attachments")
        if data.get("message_type") == TEXT and attachments:
            raise ValidationError("A text has no attachments.", "attachments")
        if data.get("message_type") not in (None, TEXT) and not attachments:
            raise ValidationError("Attach what was uploaded.", "attachments")
        if attachments and len(set(attachments)) < len(attachments):
            raise ValidationError("Name each upload once.", "attachments")
        if not attachments and not is_visible(data.get("content", "")):
            raise ValidationError("Write something.", "content")


class SendMessage(ConversationId, MessageBody):
    """A new message with its conversation."""


class MessageEdit(Input):
    """What an author may change: `content`."""

    content = Text(MAX_CONTENT, blank=True, required=True)


class EditMessage(MessageId, MessageEdit):
    """The message and its new `content`."""


class ReadMessage(ConversationId, MessageId):
    """Up to which message: `message_id`; a conversation may be named, and must be the message's."""

    conversation_id = id_field(load_default=None)


class ReactToMessage(MessageId, React):
    """A reaction with its message: `message_id`, `emoji`."""


class ChangeStatus(Input):
    """What to say of oneself: `status` available, away or busy; offline is being away for good."""

    status = Text(ID_MAX, required=True, validate=validate.OneOf((AVAILABLE, AWAY, BUSY)))


class HistoryQuery(ConversationId):
    """Which page: just after the seq `after`, else just before `before`, else around the seq
    `around`, else the latest."""

    before = _seq(load_default=None, allow_none=True)
    after = _seq(load_default=None, allow_none=True)
    around = _seq(load_default=None, allow_none=True)
    limit = _limit()


class ChangesQuery(ConversationId):
    """Changes after the revision `after`, looking at `limit` of them."""

    after = _seq(required=True)
    limit = _limit()


class SearchQuery(ConversationId):
    """Messages with `text`, from those before the seq `before` on, latest first."""

    text = Text(MAX_SEARCHED, min_length=1, required=True)
    before = _seq(load_default=None, allow_none=True)
    limit = _limit()


class CreateChannel(Input):
    """A channel: `name`, `private` (false if absent), `title`; `client_id`, under which it is made
    once."""

    client_id = client_id_field()

    name = Text(ID_MAX, required=True, validate=_channel_name)
    private = Flag(load_default=False)
    title = Text(MAX_TITLE, min_length=1, load_default=None, allow_none=True, validate=one_line)


class CreateConversation(Input):
    """A conversation with `participants`: account ids, public ids or e-mails; `title` if wanted.

    With one other and no title it is the direct conversation of the two. With the same `client_id`
    again it is the same conversation.
    """

    client_id = client_id_field()

    participants = _participants()
    title = Text(MAX_TITLE, min_length=1, load_default=None, allow_none=True, validate=one_line)


class Invite(Input):
    """Whom to let in: `participants`, as in `CreateConversation`."""

    participants = _participants()


class InviteTo(ConversationId, Invite):
    """Whom to let in where."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where an item stands in a list of conversations."""

    section: str
    """`a` accepted, `r` requests that are received, `q` quiet ones: see `Lists.conversations`."""

    position: Position

    def to_text(self) -> str:
        """Write it as an opaque cursor."""
        return f"{self.section}.{self.position.to_text()}"


class _PlaceField(PositionField):
    """A cursor of an earlier page of conversations."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> Any:
        section, dot, rest = value.partition(".") if isinstance(value, str) else ("", "", "")
        if section not in ("a", "r", "q") or not dot:
            raise ValidationError("Not a cursor of this list.")
        return Place(section, super()._deserialize(rest, attr, data, **kwargs))


class ConversationsQuery(Input):
    """Which page of conversations: `after`, `limit`; `request` true or false for only one kind."""

    after = _PlaceField(load_default=None, allow_none=True)
    limit = _limit()
    request = Flag(text=True, load_default=None, allow_none=True)


class UserId(Input):
    """Which account: `user_id`."""

    user_id = id_field(required=True)


class MembersQuery(ConversationId):
    """Which page of the members of which conversation: those whose ids come after `after`."""

    after = Text(ID_MAX, load_default="")
    limit = _limit()


class ChannelsQuery(Input):
    """Which page of channels: those whose names come after `after`."""

    after = Text(ID_MAX, load_default="")
    limit = _limit()
