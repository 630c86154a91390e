"""Web Push (RFC 8030): the port to whatever sends, and what is sent."""

import json
from typing import Protocol

from models.database import Document

MESSAGE_BYTES = 3_000
"""RFC 8030 lets push services refuse more than 4,096 bytes; encryption takes some of them."""


class Push(Protocol):
    """Sends to an account's subscribed devices, some time after `queue` has returned."""

    @property
    def public_key(self) -> str | None:
        """The VAPID public key (RFC 8292) as browsers take it, or None: there is no push here."""

    def queue(self, account_id: str, message: bytes) -> bool:
        """Take a message to be sent; never waits. False when too many wait already."""


class NoPush:
    """Stands where no VAPID key is set."""

    public_key = None

    def queue(self, account_id: str, message: bytes) -> bool:
        """Send nothing."""
        return False


def message_of(entry: Document) -> bytes:
    """Write a notification as JSON for a device; a long message is cut, a huge link left out."""
    shown = {name: entry[name] for name in ("type", "title", "message", "link")}
    message = {"id": entry["number"], **shown}
    if len(_json(entry["link"])) > MESSAGE_BYTES // 2:
        message["link"] = ""
    while len(written := _json(message)) > MESSAGE_BYTES:
        text = message["message"]
        message["message"] = text[: len(text) * 3 // 4] + "…"
    return written


def _json(value: object) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()
