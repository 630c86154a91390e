"""Web Push (RFC 8030): the port to whatever sends, and what is sent."""

import hashlib
import json
from base64 import urlsafe_b64encode
from typing import Protocol

from models.notifications.records import StoredNotification

MESSAGE_BYTES = 3_000
"""RFC 8030 lets push services refuse more than 4,096 bytes; encryption takes some of them."""


NORMAL = "normal"
HIGH = "high"
"""Urgencies (RFC 8030, 5.3): a device that saves its battery may take `high` ones only."""


def topic_of(*parts: str) -> str:
    """Name what a message is about, in the 32 characters that a topic has (RFC 8030, 5.4)."""
    digest = hashlib.sha256("\0".join(parts).encode()).digest()
    return urlsafe_b64encode(digest[:24]).decode()


class Push(Protocol):
    """Sends to an account's subscribed devices, some time after `queue` has returned."""

    @property
    def public_key(self) -> str | None:
        """The VAPID public key (RFC 8292) as browsers take it, or None: there is no push here."""

    def queue(
        self, account_id: str, message: bytes, *, urgency: str = NORMAL, topic: str | None = None
    ) -> bool:
        """Take a message to be sent; never waits. False when too many wait already.

        A device that was off gets, of messages with one `topic`, the last.
        """


class NoPush:
    """Stands where no VAPID key is set."""

    public_key = None

    def queue(
        self, account_id: str, message: bytes, *, urgency: str = NORMAL, topic: str | None = None
    ) -> bool:
        """Send nothing."""
        return False


def message_of(entry: StoredNotification) -> bytes:
    """Write a notification as JSON for a device; a long message is cut, a huge link left out."""
    text, link = entry["message"], entry["link"]
    if len(_json(link)) > MESSAGE_BYTES // 2:
        link = ""
    shown = {"id": entry["number"], "type": entry["type"], "title": entry["title"]}
    while len(written := _json({**shown, "message": text, "link": link})) > MESSAGE_BYTES:
        text = text[: len(text) * 3 // 4] + "…"
    return written


def _json(value: object) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()
