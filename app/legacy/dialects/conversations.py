"""The dialect of `/ws/{user_id}`: the frames of `docs/older-apis/conversation-chat.md`.

A connection receives the conversations of its account and the channels that it has joined,
each under its name; people are named by their public ids.
"""

from collections.abc import Mapping
from typing import Any, ClassVar

from app.legacy.chat import ChatDialect
from app.legacy.contents import content_of
from app.legacy.credentials import Access, by_chat_token
from app.legacy.dialect import Frame, Frames, Receives, Speaker
from app.legacy.handlers import Run
from app.legacy.times import whole_seconds
from models.identity import Identity

Data = dict[str, Any]


def _new_message(data: Data) -> Data:
    return {
        "event": "new_message",
        "conversationId": data["conversation_id"],
        "messageId": data["id"],
        "senderId": data["author_public_id"],
        "content": content_of(data),
        "messageType": data["message_type"],
        "timestamp": whole_seconds(data["created_at"]),
    }


def _typing(data: Data) -> Data:
    return {
        "event": "typing",
        "conversationId": data["conversation_id"],
        "userId": data["user_public_id"],
    }


def _message_read(data: Data) -> Data:
    return {
        "event": "message_read",
        "conversationId": data["conversation_id"],
        "messageId": data["message_id"],
        "userId": data["user_public_id"],
    }


def _user_status_change(data: Data) -> Data:
    # Its optional `conversationId` is left out: a status is the same in all conversations.
    return {
        "event": "user_status_change",
        "userId": data["user_public_id"],
        "status": data["status"],
    }


def _heartbeat_ack(peer: Speaker, message: Frame, data: Data) -> Frame:
    return {"event": "heartbeat_ack"}


def _status_change_ack(peer: Speaker, message: Frame, data: Data) -> Frame:
    return {"event": "status_change_ack", "status": data["status"]}


class ConversationsDialect(ChatDialect):
    """Conversations by id."""

    name = "conversations"
    pages = ("conversation-chat",)
    path = "/ws/{user_id}"
    access = Access(by_chat_token)
    fetches = (
        "GET /api/v1/conversations",
        "GET /api/v1/conversations/{conversation_id}/messages?after={seq}",
        "GET /api/v1/conversations/{conversation_id}/changes?after={revision}",
    )
    type_field = "event"
    unknown_code = "unknown_event"
    frames: ClassVar[Frames] = {
        ("chat", "new_message"): _new_message,
        ("chat", "typing"): _typing,
        ("chat", "message_read"): _message_read,
        ("chat", "user_status_change"): _user_status_change,
    }
    receives: ClassVar[Receives] = {
        "typing": Run("typing", {"conversation_id": "conversationId"}),
        "message_read": Run(
            "message_read", {"conversation_id": "conversationId", "message_id": "messageId"}
        ),
        "heartbeat": Run("heartbeat", ack=_heartbeat_ack),
        "status_change": Run("status_change", {"status": "status"}, _status_change_ack),
    }

    def error_frame(self, identity: Identity, code: str, message: str, about: str | None) -> Frame:
        """Return the error frame, which has no code."""
        return {"event": "error", "message": message}

    async def arrived(self, peer: Speaker, query: Mapping[str, str]) -> None:
        """Note the connection, and join the channels of the account: no message here does."""
        await super().arrived(peer, query)
        await self.chat.follow(peer.caller)
