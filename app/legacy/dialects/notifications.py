"""The dialect of `/ws`, which two of the older APIs share.

Their frames: docs/older-apis/stories-events.md and docs/older-apis/market-notifications.md.
"""

import logging
from typing import Any, ClassVar

from app.legacy.credentials import Access, by_token
from app.legacy.dialect import Dialect, Frame, Frames, Receives, Speaker
from app.legacy.handlers import Reply
from app.legacy.times import whole_seconds
from app.realtime.wirejson import dumps
from models.identity import Identity
from models.notifications.schema import DOCUMENTED_TYPES

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


def _notification(data: Data) -> Data | None:
    if data["type"] not in DOCUMENTED_TYPES:
        return None
    # Frames are made only for connections that there are, and `/ws` has one connection of each
    # user, so this is once for each frame sent. Operators search for the line.
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


class NotificationsDialect(Dialect):
    """Stories and market on one connection."""

    name = "notifications"
    pages = ("stories-events", "market-notifications")
    path = "/ws"
    access = Access(by_token, one_per_user=True)
    fetches = (
        "GET /stories/{story_id}/viewers",
        "GET /stories/{story_id}/reactions",
        "GET /api/v1/notifications?after={id}",
    )
    frames: ClassVar[Frames] = {
        ("stories", "story.viewed"): _story_viewed,
        ("stories", "story.reacted"): _story_reacted,
        ("notifications", "notification"): _notification,
    }
    receives: ClassVar[Receives] = {
        "ping": Reply(lambda identity: {"type": "pong", "data": {"status": "ok"}})
    }

    def greeting(self, identity: Identity) -> str:
        """Return the `connected` frame; `user_id` is a number here."""
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

    def error_frame(self, identity: Identity, code: str, message: str, about: str | None) -> Frame:
        """Return the error frame."""
        return {"type": "error", "data": {"code": code, "message": message}}

    def receive_unknown(self, peer: Speaker, message: Frame) -> None:
        """Refuse the message."""
        peer.refuse("unknown_type", 'The only message here is {"type": "ping"}.')
