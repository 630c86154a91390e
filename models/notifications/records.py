"""How notifications and inboxes stand in the database, and as JSON."""

from dataclasses import dataclass
from datetime import datetime

from models.database import Document
from models.events import Json
from models.notifications import spans
from models.times import to_text


@dataclass(frozen=True, slots=True)
class Content:
    """What a notification says."""

    type: str
    title: str
    message: str
    link: str


def new_inbox(account_id: str) -> Document:
    """Build the inbox of an account that was never told anything.

    `last`: the id of the newest notification taken in. `unread`: ids, as `spans` keeps them.
    `revision`: changes of these two so far. `muted`: types.
    """
    return {"_id": account_id, "last": 0, "unread": [], "revision": 0, "muted": []}


def entry_id(account_id: str, number: int) -> str:
    """Give the place of an account's notification: there can be one of each number."""
    return f"{account_id}:{number}"


def new_entry(
    account_id: str, content: Content, *, cause: str, muted: bool, created_at: datetime
) -> Document:
    """Build a notification that has no place yet; `cause` names what it is about."""
    return {
        "account_id": account_id,
        "type": content.type,
        "title": content.title,
        "message": content.message,
        "link": content.link,
        "cause": cause,
        "muted": muted,
        "archived": False,
        "created_at": created_at,
    }


def content_of(entry: Document) -> Content:
    """Give what a stored notification says."""
    return Content(entry["type"], entry["title"], entry["message"], entry["link"])


def entry_json(entry: Document, unread: spans.Spans) -> dict[str, Json]:
    """Show a notification to its reader."""
    return {
        "id": entry["number"],
        "type": entry["type"],
        "title": entry["title"],
        "message": entry["message"],
        "link": entry["link"],
        "created_at": to_text(entry["created_at"]),
        "read": not spans.contains(unread, entry["number"]),
        "archived": entry["archived"],
    }


def count_json(inbox: Document) -> dict[str, Json]:
    """Show how many are unread."""
    return {"unread": spans.count(inbox["unread"]), "revision": inbox["revision"]}
