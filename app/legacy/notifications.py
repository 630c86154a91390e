"""The dialect of `/ws`: the frames of `stories-events.md` and `market-notifications.md`."""

import logging
from collections.abc import Callable
from typing import Any

from app.legacy.dialect import Speaker
from app.legacy.times import whole_seconds
from app.realtime.wirejson import dumps
from models.identity import Identity

logger = logging.getLogger(__name__)

Data = dict[str, Any]


def _story_viewed(data: Data) -> Data:
    at = whole_seconds(data["viewed_at"])
    return {
        "type": "story.viewed",
        "data": {
            "story_id": data["story_id"],
            "viewer_id": data["viewer_id"],
            "viewed_at": at,
        },
        "timestamp": at,
    }


def _story_reacted(data: Data) -> Data:
    at = whole_seconds(data["reacted_at"])
    return {
        "type": "story.reacted",
        "data": {
            "story_id": data["story_id"],
            "user_id": data["user_id"],
            "emoji": data["emoji"],
            "reacted_at": at,
        },
        "timestamp": at,
    }


def _notification(data: Data) -> Data:
    # Frames are made only where somebody is there to get one, and `/ws` has one connection of each
    # user, so this is once for each frame sent. The line is that of `market-notifications.md`.
    logger.info("Sent message to UserID=%s", data["user_id"])
    return {
        "type": "notification",
        "data": {
            "id": data["id"],
            "title": data["title"],
            "message": data["message"],
            "notification_type": data["type"],
            "link": data["link"],
            "timestamp": whole_seconds(data["created_at"]),
        },
    }


FRAMES: dict[tuple[str, str], Callable[[Data], Data]] = {
    ("stories", "story.viewed"): _story_viewed,
    ("stories", "story.reacted"): _story_reacted,
    ("market", "notification"): _notification,
}
"""Every event that the documents have a frame for."""


class NotificationsDialect:
    """Stories and market on one connection."""

    def render(self, domain: str, event: str, data: Data) -> str | None:
        """Give the documented frame of an event, if there is one."""
        frame = FRAMES.get((domain, event))
        return None if frame is None else dumps(frame(data))

    def greeting(self, identity: Identity) -> str:
        """Give the `connected` frame; `user_id` is a number here, as printed."""
        return dumps(
            {
                "type": "connected",
                "data": {
                    "user_id": int(identity.account_id),
                    "email": identity.email,
                    "message": "Connected to notifications",
                },
            }
        )

    def error(self, identity: Identity, code: str, message: str, about: str | None = None) -> str:
        """Give the error frame of `READING.md`."""
        return dumps({"type": "error", "data": {"code": code, "message": message}})

    async def receive(self, peer: Speaker, message: Data) -> None:
        """Answer a ping; the documents have no other message of a client."""
        if message.get("type") == "ping":
            peer.send(dumps({"type": "pong", "data": {"status": "ok"}}))
        else:
            peer.refuse("unknown_type", 'The only message here is {"type": "ping"}.')
