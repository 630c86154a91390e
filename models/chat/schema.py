"""What a caller may send about chat, and within which bounds."""

from collections.abc import Mapping
from typing import Any

from marshmallow import Schema, ValidationError, fields, pre_load, validate, validates_schema

from models.chat.records import is_channel_name
from models.chat.statuses import AVAILABLE, AWAY, BUSY
from models.fields import WholeNumber, is_text, one_line
from models.stories.schema import React

TEXT = "text"
MESSAGE_TYPES = (TEXT, "image", "video", "audio")

MAX_CONTENT = 10_000
"""Characters: a long letter; in any script it fits into a frame of 64 KiB."""

MAX_ID = 128
MAX_TITLE = 100
MAX_ATTACHMENTS = 10
MAX_MEMBERS = 200
"""Of a conversation or a private channel: each member is a room to tell of every message."""

MAX_PAGE = 100
"""Messages; each is at most 40 KB."""

DEFAULT_PAGE = 50
_SEQ_MAX = 10**10 - 1


def _channel_name(text: str) -> None:
    if not is_channel_name(text):
        raise ValidationError("Letters, digits and _ . : - only, 64 at most.")


def _id(**options: Any) -> fields.String:
    return fields.String(validate=[validate.Length(1, MAX_ID), is_text], **options)


def _seq(**options: Any) -> fields.Integer:
    return WholeNumber(validate=validate.Range(0, _SEQ_MAX), **options)


def _limit() -> fields.Integer:
    return WholeNumber(load_default=DEFAULT_PAGE, validate=validate.Range(1, MAX_PAGE))


class ConversationId(Schema):
    """Which conversation: `conversation_id`, or `channel_id`, which means the same."""

    conversation_id = _id(required=True)

    @pre_load
    def _either(self, data: Any, **_: Any) -> Any:
        if isinstance(data, Mapping) and "conversation_id" not in data:
            return {
                "conversation_id" if field == "channel_id" else field: value
                for field, value in data.items()
            }
        return data


class MessageId(Schema):
    """Which message: `message_id`."""

    message_id = _id(required=True)


class MessageBody(Schema):
    """A new message without its conversation.

    `content`, `message_type` (text if absent), `reply_to` (a message id), `attachments` (ids of
    uploads, all of the message's type; a text has none), `client_id` (sent again it gives the first
    message). Only a message with attachments may have no content.
    """

    content = fields.String(load_default="", validate=[validate.Length(max=MAX_CONTENT), is_text])
    message_type = fields.String(load_default=TEXT, validate=validate.OneOf(MESSAGE_TYPES))
    reply_to = _id(load_default=None, allow_none=True)
    attachments = fields.List(
        _id(), load_default=list, validate=validate.Length(max=MAX_ATTACHMENTS)
    )
    client_id = fields.String(
        load_default=None,
        allow_none=True,
        validate=[validate.Length(1, MAX_ID), one_line],
    )

    @validates_schema
    def _says_something(self, data: dict[str, Any], **_: Any) -> None:
        attachments = data.get("attachments")
        if data.get("message_type") == TEXT and attachments:
            raise ValidationError("A text has no attachments.", "attachments")
        if attachments and len(set(attachments)) < len(attachments):
            raise ValidationError("Name each upload once.", "attachments")
        if not attachments and not data.get("content", "").strip():
            raise ValidationError("Write something.", "content")


class SendMessage(ConversationId, MessageBody):
    """A new message with its conversation."""


class MessageEdit(Schema):
    """What an author may change: `content`."""

    content = fields.String(required=True, validate=[validate.Length(max=MAX_CONTENT), is_text])


class EditMessage(MessageId, MessageEdit):
    """The message and its new `content`."""


class ReadMessage(ConversationId, MessageId):
    """Up to which message: `message_id`; a conversation may be named, and must be the message's."""

    conversation_id = _id(load_default=None)


class ReactToMessage(MessageId, React):
    """A reaction with its message: `message_id`, `emoji`."""


class ChangeStatus(Schema):
    """What to say of oneself: `status` available, away or busy; offline is being away for good."""

    status = fields.String(required=True, validate=validate.OneOf((AVAILABLE, AWAY, BUSY)))


class HistoryQuery(ConversationId):
    """Which page: just after the seq `after`, else just before `before`, else the latest."""

    before = _seq(load_default=None, allow_none=True)
    after = _seq(load_default=None, allow_none=True)
    limit = _limit()


class ChangesQuery(ConversationId):
    """Changes after the revision `after`, looking at `limit` of them."""

    after = _seq(required=True)
    limit = _limit()


class SearchQuery(ConversationId):
    """Messages with `text`, from those before the seq `before` on, latest first."""

    text = fields.String(required=True, validate=[validate.Length(1, 200), is_text])
    before = _seq(load_default=None, allow_none=True)
    limit = _limit()


class CreateChannel(Schema):
    """A channel: `name`, `private` (false if absent), `title`."""

    name = fields.String(required=True, validate=_channel_name)
    private = fields.Boolean(load_default=False, truthy={True}, falsy={False})
    title = fields.String(
        load_default=None, allow_none=True, validate=[validate.Length(1, MAX_TITLE), one_line]
    )


class CreateConversation(Schema):
    """A conversation with `participants`: account ids, public ids or e-mails; `title` if wanted.

    With one other and no title it is the direct conversation of the two.
    """

    participants = fields.List(_id(), required=True, validate=validate.Length(1, MAX_MEMBERS - 1))
    title = fields.String(
        load_default=None, allow_none=True, validate=[validate.Length(1, MAX_TITLE), one_line]
    )


class Invite(Schema):
    """Whom to let in: `participants`, as in `CreateConversation`."""

    participants = fields.List(_id(), required=True, validate=validate.Length(1, MAX_MEMBERS - 1))


class InviteTo(ConversationId, Invite):
    """Whom to let in where."""


class ChannelsQuery(Schema):
    """Which page of channels: those whose names come after `after`."""

    after = fields.String(load_default="", validate=validate.Length(max=MAX_ID))
    limit = _limit()
