"""How conversations, members and messages stand in the database, and as JSON.

People stand in documents as `{"id", "email", "public_id", "name"}`, as they were at the time.
"""

import re
from datetime import datetime
from typing import Any

from models.accounts import Account
from models.database import Document
from models.events import Json
from models.identity import Identity
from models.times import to_text

CHANNEL = "channel"
DIRECT = "direct"
GROUP = "group"

SEQ_DIGITS = 10
_CHANNEL_NAME = re.compile(r"[A-Za-z0-9_.:-]{1,64}")
_CONVERSATION_ID = re.compile(r"c-[0-9a-f]{32}")


def is_channel_name(text: str) -> bool:
    """Whether a channel may be named so; ids of conversations are kept out of their reach."""
    return bool(_CHANNEL_NAME.fullmatch(text)) and not _CONVERSATION_ID.fullmatch(text)


def numbered_id(conversation_id: str, number: int) -> str:
    """Give the key of the message, or of the change, with this number."""
    return f"{conversation_id}:{number:0{SEQ_DIGITS}d}"


def place_of(message_id: str) -> tuple[str, int] | None:
    """Give the conversation and the seq in a message id; None when it is no such id."""
    conversation_id, _, digits = message_id.rpartition(":")
    if not (conversation_id and digits.isascii() and digits.isdecimal()):
        return None
    seq = int(digits[: SEQ_DIGITS + 1])
    return (conversation_id, seq) if numbered_id(conversation_id, seq) == message_id else None


def person_of(who: Identity | Account) -> Document:
    """Give an account as documents keep it."""
    account_id = who.id if isinstance(who, Account) else who.account_id
    return {"id": account_id, "email": who.email, "public_id": who.public_id, "name": who.name}


def user_json(person: Document) -> dict[str, Json]:
    """Show somebody who did something: `user_id`, `user_email`, `user_public_id`, `user_name`."""
    return {
        "user_id": person["id"],
        "user_email": person["email"],
        "user_public_id": person["public_id"],
        "user_name": person["name"],
    }


def new_conversation(
    conversation_id: str,
    kind: str,
    creator_id: str,
    created_at: datetime,
    *,
    member_ids: list[str] | None = None,
    title: str | None = None,
) -> Document:
    """Build a conversation; without `member_ids` it is a public channel.

    `last_seq` and `revision` may lag behind the messages and changes, and never run ahead.
    """
    return {
        "_id": conversation_id,
        "kind": kind,
        "listed": member_ids is None,
        "member_ids": member_ids or [],
        "title": title,
        "created_by": creator_id,
        "created_at": created_at,
        "last_seq": 0,
        "last_at": created_at,
        "revision": 0,
    }


def conversation_json(conversation: Document) -> dict[str, Json]:
    """Show a conversation to somebody who may read it."""
    return {
        "id": conversation["_id"],
        "kind": conversation["kind"],
        "private": not conversation["listed"],
        "title": conversation["title"],
        "created_by": conversation["created_by"],
        "created_at": to_text(conversation["created_at"]),
    }


def new_message(
    author: Document,
    *,
    content: str,
    message_type: str,
    reply_to: str | None,
    mentions: list[str],
    attachments: list[Document],
    client_id: str | None,
    created_at: datetime,
) -> Document:
    """Build a message that has no number yet."""
    return {
        "author": author,
        "content": content,
        "message_type": message_type,
        "reply_to": reply_to,
        "mentions": mentions,
        "attachments": attachments,
        "reactions": [],
        "client_id": client_id,
        "created_at": created_at,
        "edited_at": None,
        "deleted_at": None,
        "revision": 0,
    }


def message_json(message: Document) -> dict[str, Json]:
    """Show a message, or the tombstone of one: `deleted_at` set and `content` empty.

    `revision` is the number of the latest change to it in its conversation, 0 when there is none.
    `reactions`: `emoji` and the `user_ids` who gave it, in the order of the first.
    """
    author = message["author"]
    return {
        "id": message["_id"],
        "conversation_id": message["conversation_id"],
        "seq": message["seq"],
        "author_id": author["id"],
        "author_email": author["email"],
        "author_public_id": author["public_id"],
        "author_name": author["name"],
        "content": message["content"],
        "message_type": message["message_type"],
        "reply_to": message["reply_to"],
        "mentions": list(message["mentions"]),
        "attachments": [dict(attachment) for attachment in message["attachments"]],
        "reactions": _reactions_json(message["reactions"]),
        "client_id": message["client_id"],
        "created_at": to_text(message["created_at"]),
        "edited_at": _time(message["edited_at"]),
        "deleted_at": _time(message["deleted_at"]),
        "revision": message["revision"],
    }


def reaction(account_id: str, emoji: str) -> str:
    """Give a reaction as messages keep it: one string, which sets of the database can hold."""
    return f"{account_id}:{emoji}"


def _reactions_json(reactions: list[str]) -> list[Json]:
    by_emoji: dict[str, list[Json]] = {}
    for kept in reactions:
        account_id, _, emoji = kept.partition(":")
        by_emoji.setdefault(emoji, []).append(account_id)
    return [{"emoji": emoji, "user_ids": user_ids} for emoji, user_ids in by_emoji.items()]


def _time(moment: Any) -> str | None:
    return None if moment is None else to_text(moment)
