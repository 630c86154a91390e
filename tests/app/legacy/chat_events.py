"""Events of chat with the values that the documents print."""

from models.chat import events
from models.events import payload_fields

AT = "2024-01-01T12:00:00.123Z"
USER = {
    "user_id": "1",
    "user_email": "user@example.com",
    "user_public_id": "string",
    "user_name": "User",
}


def message(conversation_id, message_id, content, **changes):
    """Return a message as `models.chat.records.message_view` shows it."""
    return {
        "id": message_id,
        "conversation_id": conversation_id,
        "seq": 1,
        "author_id": "1",
        "author_email": "user@example.com",
        "author_public_id": "string",
        "author_name": "User",
        "content": content,
        "message_type": "text",
        "reply_to": None,
        "mentions": [],
        "attachments": [],
        "reactions": [],
        "client_id": None,
        "created_at": AT,
        "edited_at": None,
        "deleted_at": None,
        "revision": 0,
        **changes,
    }


def every_event():
    """Return one event of each kind that chat tells."""
    bodies = {
        "conversation_id": "channel123",
        "message_id": "msg123",
        "status": "away",
        "at": AT,
        **USER,
        **message("channel123", "msg123", "Hello world!", edited_at=AT, deleted_at=AT),
    }
    kinds = [
        kind
        for kind in vars(events).values()
        if isinstance(kind, type) and hasattr(kind, "name") and kind.__module__ == events.__name__
    ]
    conversation = {
        "id": "channel123",
        "kind": "channel",
        "private": False,
        "request": False,
        "title": None,
        "created_by": "1",
        "created_at": AT,
    }
    bodies |= {"emoji": "🎉", "read_seq": 1, "unread": 0, "conversation": conversation}
    bodies |= {"answer": "accepted", "blocked_user_id": "2", "blocked": True}
    return [kind(**{name: bodies[name] for name in payload_fields(kind)}) for kind in kinds]
