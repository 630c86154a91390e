"""What clients may ask about channels, conversations and messages, declared once.

What needs the connection (joining, typing) is in `namespaces/chat.py`.
"""

from collections.abc import Mapping
from functools import partial
from typing import Any

from marshmallow import pre_load

from models.accounts import person_of
from models.chat import Chat, schema
from models.chat.views import StatusSetView
from models.fields import Input, NoFields, id_field
from models.identity import Identity
from models.operation import Form, Once, Operation, Operations, delete, get, patch, post, put
from models.oversight.schema import ReportMessage
from models.pages import PageQuery

MESSAGES = "/api/v1/messages"
MESSAGE = f"{MESSAGES}/{{message_id}}"
CHANNELS = "/api/v1/channels"
CHANNEL = f"{CHANNELS}/{{channel_id}}"
CONVERSATIONS = "/api/v1/conversations"
CONVERSATION = f"{CONVERSATIONS}/{{conversation_id}}"
USER = "/api/v1/users/{user_id}"

BY_NAME = {"channel_id": "conversation_id"}

_ALSO = {
    "messageType": "message_type",
    "messageId": "message_id",
    "replyTo": "reply_to",
    "clientId": "client_id",
}
"""Fields as clients of the conversation dialect write them."""


class _Either:
    """Takes both spellings of a field."""

    @pre_load
    def either(self, data: Any, **_: Any) -> Any:
        """Spell the fields as the domain does."""
        if not isinstance(data, Mapping):
            return data
        return {_ALSO.get(field, field): value for field, value in data.items()}


class ConversationBody(_Either, schema.MessageBody):
    """A message: `content`, `messageType`, `replyTo`, `clientId`, `attachments`."""


class ConversationMessageId(_Either, schema.MessageId):
    """A message by its id: `messageId`."""


class UploadId(Input):
    """Which upload: `upload_id`."""

    upload_id = id_field(required=True)


async def _change_status(chat: Chat, caller: Identity, status: str) -> StatusSetView:
    await chat.presence.change_status(person_of(caller), status)
    return {"status": status}


async def _upload(chat: Chat, caller: Identity, upload_id: str) -> bytes:
    """Stand for the handler that streams."""
    raise NotImplementedError


async def _beat(chat: Chat, caller: Identity) -> None:
    await chat.statuses.beat(caller.account_id)


CHAT: Operations[Chat] = (
    Operation(
        name="send_message",
        summary="Send a message; returns it.",
        call=lambda chat: chat.messages.send,
        request=schema.SendMessage(),
        errors=(
            "conversation_not_found",
            "channel_private",
            "not_a_member",
            "message_not_found",
            "message_deleted",
            "upload_not_found",
            "attachment_used",
            "user_blocked",
            "too_many_members",
        ),
        once=Once.KEYED,
        routes=(
            post(MESSAGES, 201, form=Form.CHANNEL_CHAT),
            post(f"{CONVERSATION}/messages", 201, reads=ConversationBody(), form=Form.CHAT),
        ),
    ),
    Operation(
        name="history",
        summary="Return a page of messages.",
        call=lambda chat: chat.reading.history,
        request=schema.HistoryQuery(),
        errors=(
            "conversation_not_found",
            "channel_private",
            "not_a_member",
        ),
        routes=(
            get(MESSAGES, form=Form.CHANNEL_CHAT),
            get(f"{CONVERSATION}/messages", form=Form.CHAT),
        ),
    ),
    Operation(
        name="get_message",
        summary="Return a message, or its tombstone.",
        call=lambda chat: chat.messages.get,
        request=schema.MessageId(),
        errors=(
            "conversation_not_found",
            "channel_private",
            "not_a_member",
            "message_not_found",
        ),
        command=False,
        routes=(get(MESSAGE, form=Form.CHANNEL_CHAT),),
    ),
    Operation(
        name="report_message",
        summary="Report a message to the operators; returns the report.",
        call=lambda chat: chat.report,
        request=ReportMessage(),
        errors=(
            "conversation_not_found",
            "channel_private",
            "not_a_member",
            "message_not_found",
        ),
        routes=(post(f"{MESSAGE}/report", form=Form.CHAT),),
    ),
    Operation(
        name="edit_message",
        summary="Change the text of an own message; returns it.",
        call=lambda chat: chat.messages.edit,
        request=schema.EditMessage(),
        errors=(
            "conversation_not_found",
            "channel_private",
            "not_a_member",
            "message_not_found",
            "message_deleted",
            "not_the_author",
            "user_blocked",
        ),
        routes=(
            put(MESSAGE, form=Form.CHANNEL_CHAT),
            patch(MESSAGE, form=Form.CHANNEL_CHAT),
        ),
    ),
    Operation(
        name="delete_message",
        summary="Delete an own message; returns its tombstone.",
        call=lambda chat: chat.messages.delete,
        request=schema.MessageId(),
        errors=(
            "conversation_not_found",
            "channel_private",
            "not_a_member",
            "message_not_found",
            "not_the_author",
        ),
        routes=(delete(MESSAGE, form=Form.CHANNEL_CHAT),),
    ),
    Operation(
        name="react",
        summary="Add a reaction; returns the message.",
        call=lambda chat: chat.reactions.react,
        request=schema.ReactToMessage(),
        errors=(
            "conversation_not_found",
            "channel_private",
            "not_a_member",
            "message_not_found",
            "message_deleted",
            "too_many_reactions",
            "user_blocked",
        ),
        routes=(post(f"{MESSAGE}/reactions", form=Form.CHANNEL_CHAT),),
    ),
    Operation(
        name="unreact",
        summary="Take a reaction back; returns the message.",
        call=lambda chat: chat.reactions.unreact,
        request=schema.ReactToMessage(),
        errors=(
            "conversation_not_found",
            "channel_private",
            "not_a_member",
            "message_not_found",
            "message_deleted",
            "too_many_reactions",
            "user_blocked",
        ),
        routes=(delete(f"{MESSAGE}/reactions", form=Form.CHANNEL_CHAT),),
    ),
    Operation(
        name="message_read",
        summary="Have read up to a message; returns `conversation_id`, `read_seq`, `unread`.",
        call=lambda chat: chat.reading.mark,
        request=schema.ReadMessage(),
        errors=(
            "conversation_not_found",
            "channel_private",
            "not_a_member",
            "message_not_found",
        ),
        routes=(
            post(f"{MESSAGE}/read", body=False, form=Form.CHANNEL_CHAT),
            post(f"{CONVERSATION}/read", reads=ConversationMessageId(), form=Form.CHAT),
        ),
    ),
    Operation(
        name="changes",
        summary="Return messages that were changed while the client was away.",
        call=lambda chat: chat.reading.changed,
        request=schema.ChangesQuery(),
        errors=(
            "conversation_not_found",
            "channel_private",
            "not_a_member",
        ),
        routes=(get(f"{CONVERSATION}/changes", form=Form.CHAT),),
    ),
    Operation(
        name="search",
        summary="Find messages by text.",
        call=lambda chat: chat.reading.search,
        request=schema.SearchQuery(),
        errors=(
            "conversation_not_found",
            "channel_private",
            "not_a_member",
        ),
        routes=(get(f"{CONVERSATION}/search", form=Form.CHAT),),
    ),
    Operation(
        name="list_members",
        summary="Return a page of the members of a conversation or channel.",
        call=lambda chat: chat.lists.members_page,
        request=schema.MembersQuery(),
        errors=(
            "conversation_not_found",
            "channel_private",
            "not_a_member",
        ),
        routes=(get(f"{CONVERSATION}/members", form=Form.CHAT),),
    ),
    Operation(
        name="list_mentions",
        summary="Return a page of the messages that name the caller.",
        call=lambda chat: chat.lists.mentions,
        request=PageQuery(),
        routes=(get("/api/v1/mentions", form=Form.CHAT),),
    ),
    Operation(
        name="create_channel",
        summary="Create a channel; returns it.",
        call=lambda chat: chat.membership.create_channel,
        request=schema.CreateChannel(),
        errors=(
            "channel_taken",
            "conversation_not_found",
        ),
        once=Once.KEYED,
        routes=(post(CHANNELS, 201, form=Form.CHANNEL_CHAT),),
    ),
    Operation(
        name="list_channels",
        summary="Return a page of the channels.",
        call=lambda chat: chat.lists.channels,
        request=schema.ChannelsQuery(),
        routes=(get(CHANNELS, form=Form.CHANNEL_CHAT),),
    ),
    Operation(
        name="create_conversation",
        summary="Begin a conversation, or return the direct one of two.",
        call=lambda chat: chat.membership.create_conversation,
        request=schema.CreateConversation(),
        errors=(
            "member_not_found",
            "account_not_found",
            "too_many_members",
            "too_many_lookups",
            "user_blocked",
            "email_ambiguous",
            "conversation_not_found",
        ),
        once=Once.KEYED,
        routes=(post(CONVERSATIONS, 201, form=Form.CHAT),),
    ),
    Operation(
        name="list_conversations",
        summary="Return a page of the caller's conversations.",
        call=lambda chat: chat.lists.conversations,
        request=schema.ConversationsQuery(),
        routes=(get(CONVERSATIONS, form=Form.CHAT),),
    ),
    Operation(
        name="get_conversation",
        summary="Return a conversation.",
        call=lambda chat: chat.lists.get,
        request=schema.ConversationId(),
        errors=(
            "conversation_not_found",
            "channel_private",
            "not_a_member",
        ),
        command=False,
        routes=(get(CONVERSATION, form=Form.CHAT),),
    ),
    Operation(
        name="invite",
        summary="Add people to a group or a private channel; returns it.",
        call=lambda chat: chat.membership.invite,
        request=schema.InviteTo(),
        errors=(
            "conversation_not_found",
            "channel_private",
            "not_a_member",
            "not_by_invitation",
            "member_not_found",
            "account_not_found",
            "too_many_members",
            "too_many_lookups",
            "user_blocked",
            "email_ambiguous",
        ),
        routes=(
            post(f"{CHANNEL}/invite", rename=BY_NAME, form=Form.CHANNEL_CHAT),
            post(f"{CONVERSATION}/participants", form=Form.CHAT),
        ),
    ),
    Operation(
        name="leave_conversation",
        summary="Stop being a member of a group or a channel.",
        call=lambda chat: chat.membership.leave,
        request=schema.ConversationId(),
        errors=(
            "conversation_not_found",
            "channel_private",
            "not_a_member",
            "direct",
            "member_not_found",
        ),
        routes=(
            post(f"{CHANNEL}/leave", rename=BY_NAME, form=Form.CHANNEL_CHAT),
            post(f"{CONVERSATION}/leave", form=Form.CHAT),
        ),
    ),
    Operation(
        name="accept_conversation",
        summary="Accept a request; returns the conversation.",
        call=lambda chat: chat.standings.accept,
        request=schema.ConversationId(),
        errors=(
            "conversation_not_found",
            "channel_private",
            "not_a_member",
            "request_answered",
            "user_blocked",
        ),
        routes=(post(f"{CONVERSATION}/accept", form=Form.CHAT),),
    ),
    Operation(
        name="decline_conversation",
        summary="Decline a request, without the other side learning of it.",
        call=lambda chat: chat.standings.decline,
        request=schema.ConversationId(),
        errors=(
            "conversation_not_found",
            "channel_private",
            "not_a_member",
            "request_answered",
        ),
        routes=(post(f"{CONVERSATION}/decline", form=Form.CHAT),),
    ),
    Operation(
        name="block_user",
        summary="Block an account; returns `blocked_user_id`, `blocked`.",
        call=lambda chat: chat.standings.block,
        request=schema.UserId(),
        errors=("account_not_found",),
        routes=(post(f"{USER}/block", checked=True, form=Form.CHAT),),
    ),
    Operation(
        name="unblock_user",
        summary="Unblock an account; returns `blocked_user_id`, `blocked`.",
        call=lambda chat: chat.standings.unblock,
        request=schema.UserId(),
        errors=("account_not_found",),
        routes=(post(f"{USER}/unblock", checked=True, form=Form.CHAT),),
    ),
    Operation(
        name="list_blocked",
        summary="Return a page of the accounts that the caller has blocked.",
        call=lambda chat: chat.standings.blocked,
        request=PageQuery(),
        routes=(get("/api/v1/blocked-users", form=Form.CHAT),),
    ),
    Operation(
        name="status_change",
        summary="Set one's status to available, away or busy; returns `status`.",
        call=lambda chat: partial(_change_status, chat),
        request=schema.ChangeStatus(),
    ),
    Operation(
        name="heartbeat",
        summary="Show a sign of life.",
        call=lambda chat: partial(_beat, chat),
        request=NoFields(),
    ),
    Operation(
        name="upload_file",
        summary="Upload a file for a message, as a form with `file`; returns its record.",
        call=lambda chat: chat.attachments.upload,
        request=NoFields(),
        errors=(
            "conversation_not_found",
            "channel_private",
            "not_a_member",
            "media_type_refused",
            "media_unreadable",
            "too_many_uploads",
            "upload_quota_exceeded",
        ),
        command=False,
        routes=(post("/api/v1/uploads", 201, form=Form.CHAT, special=True),),
    ),
    Operation(
        name="get_upload",
        summary="Return the content of a file, or a range of it.",
        call=lambda chat: partial(_upload, chat),
        request=UploadId(),
        errors=("upload_not_found",),
        command=False,
        routes=(get("/api/v1/uploads/{upload_id}", form=Form.CHAT, special=True),),
    ),
)
