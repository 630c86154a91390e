"""The dialect of `/api/v1/ws`: the frames of `docs/older-apis/channel-chat.md`.

A connection receives the channels and conversations that it has joined; people
are named by e-mail, or by account id where they have none.
"""

import logging
from collections.abc import Callable, Iterable, Mapping
from typing import Any, ClassVar, TypedDict

from aiohttp import web
from multidict import MultiMapping

from app.legacy.chat import ChatDialect
from app.legacy.contents import content_of
from app.legacy.credentials import Access, by_chat_token_or_email
from app.legacy.dialect import Counted, Frame, Frames, Receives, Speaker
from app.legacy.handlers import Reply, Run
from app.legacy.times import now_text, whole_seconds
from app.rest.contract import Credential, contract
from models.identity import Identity

logger = logging.getLogger(__name__)

Data = dict[str, Any]


class StatsOfClients(TypedDict):
    """The connections of this API, to all processes."""

    total_clients: int
    channels: dict[str, int]
    """By public channel."""


class StatsView(TypedDict):
    """The answer of `GET /api/v1/ws/stats`."""

    success: bool
    data: StatsOfClients


def _message(kind: str, data: Data, timestamp: str, **more: str) -> Data:
    channel_id = data["conversation_id"]
    return {
        "type": kind,
        "channel_id": channel_id,
        "timestamp": whole_seconds(timestamp),
        "data": {
            "id": data["id"],
            "channel_id": channel_id,
            "user_email": data["author_email"] or data["author_id"],
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


def _presence_event(kind: str) -> Callable[[Data], Data]:
    def frame(data: Data) -> Data:
        # An account without an e-mail is named by its id: a public id may be a phone number.
        email = data["user_email"] or data["user_id"]
        return _presence(kind, data["conversation_id"], email, whole_seconds(data["at"]))

    return frame


def _acknowledge(outcome: str) -> Callable[[Speaker, Frame, Data], Frame | None]:
    def ack(peer: Speaker, message: Frame, data: Data) -> Frame | None:
        channel_id = message["channel_id"]
        logger.debug("%s: UserID=%s, Channel=%s", outcome, peer.identity.account_id, channel_id)
        if data["told"] and not peer.catching_up:
            return None
        # Another connection of the user is there, so that no event was published, or this one does
        # not receive it yet: this is for it alone.
        who = peer.caller.identity
        return _presence(outcome, channel_id, who.email or who.account_id, now_text())

    return ack


def _run(command: str, outcome: str) -> Run:
    fields = {"conversation_id": "channel_id"}
    return Run(command, fields, _acknowledge(outcome), about="channel_id")


JOIN = _run("join_channel", "channel_joined")


class ChannelsDialect(ChatDialect):
    """Channels by name."""

    name = "channels"
    pages = ("channel-chat",)
    path = "/api/v1/ws"
    access = Access(by_chat_token_or_email)
    fetches = (
        "GET /api/v1/channels",
        "GET /api/v1/messages?channel_id={channel_id}&after={seq}",
        "GET /api/v1/conversations/{channel_id}/changes?after={revision}",
    )
    frames: ClassVar[Frames] = {
        ("chat", "new_message"): _new_message,
        ("chat", "message_updated"): _message_updated,
        ("chat", "message_deleted"): _message_deleted,
        ("chat", "channel_joined"): _presence_event("channel_joined"),
        ("chat", "channel_left"): _presence_event("channel_left"),
    }
    receives: ClassVar[Receives] = {
        "join_channel": JOIN,
        "leave_channel": _run("leave_channel", "channel_left"),
        "ping": Reply(lambda identity: {"type": "pong", "timestamp": now_text()}),
    }

    def error_frame(self, identity: Identity, code: str, message: str, about: str | None) -> Frame:
        """Return the error frame; `about` is the channel that the message named."""
        named = {} if about is None else {"channel_id": about}
        data = {"code": code, "message": message}
        return {"type": "error", **named, "timestamp": now_text(), "data": data}

    def rooms_of(self, identity: Identity) -> Iterable[str]:
        """Return none: channels are joined by name."""
        return ()

    async def arrived(self, peer: Speaker, query: Mapping[str, str]) -> None:
        """Note the connection, and join `channel_id` at once if the URL has one.

        A client that comes back with `since` names all its channels so.
        """
        await super().arrived(peer, query)
        named = query.getall("channel_id", ()) if isinstance(query, MultiMapping) else ()
        for channel_id in named if "since" in query else named[:1]:
            if channel_id:
                await JOIN.run(self, peer, {"channel_id": channel_id})

    def joined(self, peer: Speaker) -> Iterable[str]:
        """Return the channels that a connection receives."""
        return self.chat.joined(peer.caller)

    def routes(self, counted: Counted) -> list[web.RouteDef]:
        """Return `GET /api/v1/ws/stats`."""

        @contract("older APIs", {200: StatsView}, credential=Credential.NONE)
        async def stats(request: web.Request) -> web.Response:
            """The connections of this API, by public channel."""
            # Anyone may ask, so the names of private channels are left out.
            names = await counted.names()
            channels = {name: names[name] for name in await self.chat.public(names)}
            data: StatsOfClients = {"total_clients": counted.connections, "channels": channels}
            answer: StatsView = {"success": True, "data": data}
            return web.json_response(answer)

        return [web.get(f"{self.path}/stats", stats)]
