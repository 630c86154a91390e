"""The dialect of `/ws/{user_id}`: the frames of `conversation-chat.md`.

A connection hears the conversations of its account and the channels that the account has joined,
each under its name; people are named by their public ids.
"""

from collections.abc import Callable, Mapping
from typing import Any

from app.legacy.ask import Ask
from app.legacy.contents import content_of
from app.legacy.dialect import Speaker
from app.legacy.times import whole_seconds
from app.realtime.wirejson import dumps
from models.identity import Identity
from namespaces.chat import ChatCommands

Data = dict[str, Any]

ASKS = {
    "typing": Ask("typing", {"conversation_id": "conversationId"}),
    "message_read": Ask(
        "message_read", {"conversation_id": "conversationId", "message_id": "messageId"}
    ),
    "heartbeat": Ask("heartbeat", {}),
    "status_change": Ask("status_change", {"status": "status"}),
}
"""What clients may send."""


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


FRAMES: dict[tuple[str, str], Callable[[Data], Data]] = {
    ("chat", "new_message"): _new_message,
    ("chat", "typing"): _typing,
    ("chat", "message_read"): _message_read,
    ("chat", "user_status_change"): _user_status_change,
}
"""Every event that the document has a frame for."""

ACKS: dict[str, Callable[[Data], Data]] = {
    "heartbeat": lambda _: {"event": "heartbeat_ack"},
    "status_change": lambda data: {"event": "status_change_ack", "status": data["status"]},
}
"""What is answered, made of the command's answer; the other messages have no answer."""


class ConversationsDialect:
    """Conversations by id; also what happens when connections come and go."""

    def __init__(self, chat: ChatCommands) -> None:
        self._chat = chat

    def render(self, domain: str, event: str, data: Data) -> str | None:
        """Give the documented frame of an event, if there is one."""
        frame = FRAMES.get((domain, event))
        return None if frame is None else dumps(frame(data))

    def greeting(self, identity: Identity) -> None:
        """Give none: the document has none."""

    def error(self, identity: Identity, code: str, message: str, about: str | None = None) -> str:
        """Give the documented error frame."""
        return dumps({"event": "error", "message": message})

    async def arrived(self, peer: Speaker, query: Mapping[str, str]) -> None:
        """Note the connection, and join the channels of the account: no message here does."""
        for room in await self._chat.arrived(peer.caller):
            peer.caller.connection.enter(room)
        await self._chat.follow(peer.caller)

    async def left(self, peer: Speaker) -> None:
        """Leave everything; the account is offline if this was its last connection."""
        await self._chat.left(peer.caller)

    async def receive(self, peer: Speaker, message: Data) -> None:
        """Run what a message stands for, and acknowledge it where the document does."""
        event = message.get("event")
        ask = ASKS.get(event) if isinstance(event, str) else None
        if event is None or ask is None:
            peer.refuse("unknown_event", f"Known events: {', '.join(ASKS)}.")
            return
        answer = await self._chat.run(peer.caller, ask.command, ask.payload(message))
        if "error" in answer:
            peer.refuse(answer["error"]["code"], ask.complaint(answer["error"]))
        elif event in ACKS:
            peer.send(dumps(ACKS[event](answer["data"])))
