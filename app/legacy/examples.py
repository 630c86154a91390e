"""One frame of each type of the older APIs, as the documents show them.

They are the golden frames, which a test compares with these; from their values follow the types of
the fields.
"""

from collections.abc import Mapping

from app.legacy.dialect import Frame

SENT: Mapping[str, Mapping[str, Frame]] = {
    "channels": {
        "channel_joined": {
            "type": "channel_joined",
            "channel_id": "channel123",
            "user_email": "user@example.com",
            "timestamp": "2024-01-01T12:00:00Z",
        },
        "channel_left": {
            "type": "channel_left",
            "channel_id": "channel123",
            "user_email": "user@example.com",
            "timestamp": "2024-01-01T12:00:00Z",
        },
        "error": {
            "type": "error",
            "channel_id": "channel123",
            "timestamp": "2024-01-01T12:00:00Z",
            "data": {"code": "channel_private", "message": "This channel is private."},
        },
        "message_deleted": {
            "type": "message_deleted",
            "channel_id": "channel123",
            "timestamp": "2024-01-01T12:00:00Z",
            "data": {"id": "msg123", "channel_id": "channel123", "user_email": "user@example.com"},
        },
        "message_updated": {
            "type": "message_updated",
            "channel_id": "channel123",
            "timestamp": "2024-01-01T12:00:00Z",
            "data": {
                "id": "msg123",
                "channel_id": "channel123",
                "user_email": "user@example.com",
                "content": "Updated message",
                "created_at": "2024-01-01T12:00:00Z",
            },
        },
        "new_message": {
            "type": "new_message",
            "channel_id": "channel123",
            "timestamp": "2024-01-01T12:00:00Z",
            "data": {
                "id": "msg123",
                "channel_id": "channel123",
                "user_email": "user@example.com",
                "content": "Hello world!",
                "created_at": "2024-01-01T12:00:00Z",
            },
        },
        "pong": {"type": "pong", "timestamp": "2024-01-01T12:00:00Z"},
    },
    "conversations": {
        "error": {"event": "error", "message": "string"},
        "heartbeat_ack": {"event": "heartbeat_ack"},
        "message_read": {
            "event": "message_read",
            "conversationId": "string",
            "messageId": "string",
            "userId": "string",
        },
        "new_message": {
            "event": "new_message",
            "conversationId": "string",
            "messageId": "string",
            "senderId": "string",
            "content": "string",
            "messageType": "text|image|video|audio",
            "timestamp": "ISO-8601 timestamp",
        },
        "status_change_ack": {"event": "status_change_ack", "status": "string"},
        "typing": {"event": "typing", "conversationId": "string", "userId": "string"},
        "user_status_change": {
            "event": "user_status_change",
            "userId": "string",
            "status": "string",
            "conversationId": "string",
        },
    },
    "diary": {
        "echo": {
            "type": "echo",
            "user_id": "123456789",
            "message": 'Received: {"type": "custom_message", "data": "Any custom data"}',
        },
        "error": {
            "type": "error",
            "user_id": "123456789",
            "message": "The message's type is missing.",
        },
        "motivation_generated": {
            "type": "motivation_generated",
            "user_id": "123456789",
            "motivation_text": "You're doing great! Keep pushing forward! 💪",
            "current_challenge": "Working on a difficult feature",
            "stress_level": 7,
        },
        "pong": {"type": "pong", "user_id": "123456789", "message": "Pong!"},
    },
    "notifications": {
        "connected": {
            "type": "connected",
            "data": {
                "user_id": 1,
                "email": "user@example.com",
                "message": "Connected to notifications",
            },
        },
        "error": {
            "type": "error",
            "data": {
                "code": "unknown_type",
                "message": 'The only message here is {"type": "ping"}.',
            },
        },
        "notification": {
            "type": "notification",
            "data": {
                "id": 123,
                "title": "Your bid has been matched!",
                "message": "Your bid for Nike Air Jordan 1 (US 9) has been matched at $220",
                "notification_type": "match_created",
                "link": "/orders/1",
                "timestamp": "2026-01-15T20:00:00Z",
            },
        },
        "pong": {"type": "pong", "data": {"status": "ok"}},
        "story.reacted": {
            "type": "story.reacted",
            "data": {
                "story_id": "550e8400-e29b-41d4-a716-446655440000",
                "user_id": "user123",
                "emoji": "❤️",
                "reacted_at": "2023-10-01T12:00:00Z",
            },
            "timestamp": "2023-10-01T12:00:00Z",
        },
        "story.viewed": {
            "type": "story.viewed",
            "data": {
                "story_id": "550e8400-e29b-41d4-a716-446655440000",
                "viewer_id": "user123",
                "viewed_at": "2023-10-01T12:00:00Z",
            },
            "timestamp": "2023-10-01T12:00:00Z",
        },
    },
}
"""What clients receive, by dialect and type."""

RECEIVED: Mapping[str, Mapping[str, Frame]] = {
    "channels": {
        "join_channel": {"type": "join_channel", "channel_id": "channel123"},
        "leave_channel": {"type": "leave_channel", "channel_id": "channel123"},
        "ping": {"type": "ping"},
    },
    "conversations": {
        "heartbeat": {"event": "heartbeat"},
        "message_read": {
            "event": "message_read",
            "conversationId": "string",
            "messageId": "string",
        },
        "status_change": {"event": "status_change", "status": "string"},
        "typing": {"event": "typing", "conversationId": "string"},
    },
    "diary": {
        "custom_message": {"type": "custom_message", "data": "Any custom data"},
        "motivation_requested": {
            "type": "motivation_requested",
            "current_challenge": "Working on a difficult feature",
            "stress_level": 7,
        },
        "ping": {"type": "ping"},
    },
    "notifications": {"ping": {"type": "ping"}},
}
"""What clients send, by dialect and type."""

NULLABLE = frozenset({"email"})
"""Fields that may be null."""
