"""The dialect of `/api/v1/ws`: the frames of `channel-chat.md`.

A connection hears the channels that it has joined, and conversations joined by their id; people
are named by e-mail.
"""

import logging
from collections.abc import Callable, Mapping
from typing import Any

from app.legacy.ask import Ask
from app.legacy.contents import content_of
from app.legacy.dialect import Speaker
from app.legacy.times import now_text, whole_seconds
from app.realtime.wirejson import dumps
from models.identity import Identity
from namespaces.chat import ChatCommands

logger = logging.getLogger(__name__)

Data = dict[str, Any]

JOIN = Ask("join_channel", {"conversation_id": "channel_id"})
LEAVE = Ask("leave_channel", {"conversation_id": "channel_id"})

MAX_NAMED = 128
"""Characters of a channel's name that an error frame repeats: any name that there can be."""


def _message(kind: str, data: Data, timestamp: str, **more: str) -> Data:
    channel_id = data["conversation_id"]
    return {
        "type": kind,
        "channel_id": channel_id,
        "timestamp": whole_seconds(timestamp),
        "data": {
            "id": data["id"],
            "channel_id": channel_id,
            "user_email": data["author_email"] or data["author_public_id"],
            **more,
        },
    }


def _with_content(kind: str, data: Data, timestamp: str) -> Data:
    created_at = whole_seconds(data["created_at"])
    return _message(kind, data, timestamp, content=content_of(data), created_at=created_at)


def _new_message(data: Data) -> Data:
    return _with_content("new_message", data, data["created_at"])


def _message_updated(data: Data) -> Data:
    return _with_content("message_updated", data, data["edited_at"])


def _message_deleted(data: Data) -> Data:
    return _message("message_deleted", data, data["deleted_at"])


def _presence(kind: str, channel_id: str, email: str, at: str) -> Data:
    return {"type": kind, "channel_id": channel_id, "user_email": email, "timestamp": at}


def _told_presence(kind: str) -> Callable[[Data], Data]:
    def frame(data: Data) -> Data:
        # Accounts that came through a phone number or Firebase may have no e-mail.
        email = data["user_email"] or data["user_public_id"]
        return _presence(kind, data["conversation_id"], email, whole_seconds(data["at"]))

    return frame


FRAMES: dict[tuple[str, str], Callable[[Data], Data]] = {
    ("chat", "new_message"): _new_message,
    ("chat", "message_updated"): _message_updated,
    ("chat", "message_deleted"): _message_deleted,
    ("chat", "channel_joined"): _told_presence("channel_joined"),
    ("chat", "channel_left"): _told_presence("channel_left"),
}
"""Every event that the document has a frame for."""


class ChannelsDialect:
    """Channels by name; also what happens when connections come and go."""

    def __init__(self, chat: ChatCommands) -> None:
        self._chat = chat

    def render(self, domain: str, event: str, data: Data) -> str | None:
        """Give the documented frame of an event, if there is one."""
        frame = FRAMES.get((domain, event))
        return None if frame is None else dumps(frame(data))

    def greeting(self, identity: Identity) -> None:
        """Give none: the document has none."""

    def error(self, identity: Identity, code: str, message: str, about: str | None = None) -> str:
        """Give the error frame of `READING.md`; `about` is the channel that was named."""
        named = {} if about is None else {"channel_id": about}
        data = {"code": code, "message": message}
        return dumps({"type": "error", **named, "timestamp": now_text(), "data": data})

    async def arrived(self, peer: Speaker, query: Mapping[str, str]) -> None:
        """Note the connection, and join `channel_id` at once if the URL has one."""
        for room in await self._chat.arrived(peer.caller):
            peer.caller.connection.enter(room)
        if query.get("channel_id"):
            await self._ask(peer, JOIN, "channel_joined", {"channel_id": query["channel_id"]})

    async def left(self, peer: Speaker) -> None:
        """Leave every channel."""
        await self._chat.left(peer.caller)

    async def receive(self, peer: Speaker, message: Data) -> None:
        """Answer a ping, join or leave."""
        match message.get("type"):
            case "ping":
                peer.send(dumps({"type": "pong", "timestamp": now_text()}))
            case "join_channel":
                await self._ask(peer, JOIN, "channel_joined", message)
            case "leave_channel":
                await self._ask(peer, LEAVE, "channel_left", message)
            case _:
                peer.refuse("unknown_type", "Known types: join_channel, leave_channel, ping.")

    async def _ask(self, peer: Speaker, ask: Ask, outcome: str, message: Data) -> None:
        answer = await self._chat.run(peer.caller, ask.command, ask.payload(message))
        channel_id = message.get("channel_id")
        if "error" in answer:
            named = isinstance(channel_id, str) and len(channel_id) <= MAX_NAMED
            error = answer["error"]
            peer.refuse(error["code"], ask.complaint(error), channel_id if named else None)
            return
        logger.debug("%s: UserID=%s, Channel=%s", outcome, peer.identity.account_id, channel_id)
        if not answer["data"]["told"]:
            # Another connection of the user is there: nobody was told, so this one is.
            who = peer.identity
            email = who.email or who.public_id
            peer.send(dumps(_presence(outcome, str(channel_id), email, now_text())))
