"""Completeness: every event, every dialect and every documented message has its golden frame."""

import inspect
import json
import pkgutil
from importlib import import_module

import app.legacy
import models
from app.domains import DOMAINS
from app.legacy.channels import FRAMES as CHANNELS
from app.legacy.channels import ChannelsDialect
from app.legacy.conversations import FRAMES as CONVERSATIONS
from app.legacy.conversations import ConversationsDialect
from app.legacy.dialect import Dialect
from app.legacy.diary import FRAMES as DIARY
from app.legacy.diary import DiaryDialect
from app.legacy.notifications import FRAMES as NOTIFICATIONS
from app.legacy.notifications import NotificationsDialect
from models.events import Event
from tests.frames import FRAMES

DIALECTS = {
    NotificationsDialect: "notifications",
    ChannelsDialect: "channels",
    ConversationsDialect: "conversations",
    DiaryDialect: "diary",
}
"""Each dialect and the folder of its golden frames."""

SPOKEN = {*NOTIFICATIONS, *CHANNELS, *CONVERSATIONS, *DIARY}
"""Events that at least one dialect has a frame for."""

NEVER_SPOKEN = {
    ("stories", "story.created"): "stories-events.md tells authors of views and reactions only",
    ("stories", "story.deleted"): "stories-events.md tells authors of views and reactions only",
    ("market", "notification.read"): "market-notifications.md has no inbox to clear",
    ("market", "notification.archived"): "market-notifications.md has no inbox to clear",
    ("chat", "conversation_added"): "both documents of chat are silent on membership",
    ("chat", "conversation_read"): "conversation-chat.md tells of what others have read",
    ("chat", "member_added"): "both documents of chat are silent on membership",
    ("chat", "member_left"): "both documents of chat are silent on membership",
    ("chat", "mentioned"): "the message itself is told as new_message",
    ("chat", "message_reacted"): "channel-chat.md has reactions among its next steps",
    ("chat", "message_unreacted"): "channel-chat.md has reactions among its next steps",
    ("chat", "own_status_change"): "conversation-chat.md answers with status_change_ack",
    ("stories", "story.unreacted"): "stories-events.md tells authors of views and reactions only",
    ("market", "book"): "market-notifications.md has notifications only",
    ("market", "sale"): "market-notifications.md has notifications only",
    ("market", "book_heartbeat"): "market-notifications.md has notifications only",
    ("market", "offer.closed"): "market-notifications.md tells of it as match_created",
    ("market", "order.changed"): "market-notifications.md tells of each step by a notification",
    ("diary", "diary.cleared"): "diary.md has no diary that a client could show",
    ("diary", "entry.created"): "diary.md knows of no entries",
    ("diary", "entry.updated"): "diary.md knows of no entries",
    ("diary", "entry.deleted"): "diary.md knows of no entries",
    ("diary", "task.created"): "diary.md calls news of tasks an extension, and prints no frame",
    ("diary", "task.updated"): "diary.md calls news of tasks an extension, and prints no frame",
    ("diary", "task.completed"): "diary.md calls news of tasks an extension, and prints no frame",
    ("diary", "task.reopened"): "diary.md calls news of tasks an extension, and prints no frame",
    ("diary", "task.deleted"): "diary.md calls news of tasks an extension, and prints no frame",
    ("diary", "task.due"): "diary.md calls news of tasks an extension, and prints no frame",
    ("diary", "goal.created"): "diary.md calls news of goals an extension, and prints no frame",
    ("diary", "goal.updated"): "diary.md calls news of goals an extension, and prints no frame",
    ("diary", "goal.progress"): "diary.md calls news of goals an extension, and prints no frame",
    ("diary", "goal.completed"): "diary.md calls news of goals an extension, and prints no frame",
    ("diary", "goal.deleted"): "diary.md calls news of goals an extension, and prints no frame",
}
"""Events that no document has a frame for, and why that is right."""

DOCUMENTED_TYPES = {
    "notifications": {
        "connected",
        "error",
        "notification",
        "ping",
        "pong",
        "story.reacted",
        "story.viewed",
    },
    "channels": {
        "channel_joined",
        "channel_left",
        "error",
        "message_deleted",
        "message_updated",
        "new_message",
        "pong",
        "sent/join_channel",
        "sent/leave_channel",
        "sent/ping",
    },
    "conversations": {
        "error",
        "heartbeat_ack",
        "message_read",
        "new_message",
        "sent/heartbeat",
        "sent/message_read",
        "sent/status_change",
        "sent/typing",
        "status_change_ack",
        "typing",
        "user_status_change",
    },
    "diary": {
        "echo",
        "error",
        "motivation_generated",
        "pong",
        "sent/custom_message",
        "sent/motivation_requested",
        "sent/ping",
    },
}
"""The message types of each API's documents, both directions (`sent` by clients where a type goes
both ways), and the error frame of READING.md."""


def modules_of(package):
    for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
        yield import_module(module.name)


def events():
    """Give every event class; those with an underscore are what others are made of."""
    for module in modules_of(models):
        for name, found in inspect.getmembers(module, inspect.isclass):
            if issubclass(found, Event) and found is not Event and not name.startswith("_"):
                yield found


def test_every_event_has_a_frame_or_a_reason_for_having_none():
    """An event of a domain that is served goes to the legacy clients, or is kept on purpose."""
    served = {row.commands.domain for row in DOMAINS}
    known = {(event.domain, event.name) for event in events() if event.domain in served}
    assert {domain for domain, _ in known} == served
    assert set(NEVER_SPOKEN) & SPOKEN == set()
    assert known == SPOKEN | set(NEVER_SPOKEN)


def test_an_event_name_is_used_once_in_its_domain():
    """Two classes with one wire name would be told apart by nobody."""
    classes = set(events())
    assert len({(event.domain, event.name) for event in classes}) == len(classes)


def test_every_dialect_has_its_golden_frames():
    """A dialect without golden frames is not held to its document."""
    methods = [name for name in vars(Dialect) if not name.startswith("_")]
    found = {
        candidate
        for module in modules_of(app.legacy)
        for _, candidate in inspect.getmembers(module, inspect.isclass)
        if candidate is not Dialect and all(hasattr(candidate, method) for method in methods)
    }
    assert found == set(DIALECTS)
    folders = {path.name for path in FRAMES.iterdir() if path.is_dir() and path.name[0] != "_"}
    assert folders == set(DIALECTS.values()) == set(DOCUMENTED_TYPES)


def test_every_documented_message_has_its_golden_frame():
    """There is one file for each type of message, named for it, and no other file."""
    for dialect, types in DOCUMENTED_TYPES.items():
        folder = FRAMES / dialect
        files = {
            path.relative_to(folder).with_suffix("").as_posix(): path
            for path in folder.rglob("*.*")
        }
        assert set(files) == types
        for path in files.values():
            frame = json.loads(path.read_text(encoding="utf-8"))
            assert next(iter(frame.items())) in {("type", path.stem), ("event", path.stem)}
