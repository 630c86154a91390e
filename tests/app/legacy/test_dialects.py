"""Completeness: every event, every dialect and every documented message has its golden frame."""

import inspect
import json
import pkgutil
from importlib import import_module

import app.legacy
import models
from app.domains import DOMAINS
from app.legacy.dialect import Dialect
from app.legacy.notifications import FRAMES as NOTIFICATIONS
from app.legacy.notifications import NotificationsDialect
from models.events import Event
from tests.frames import FRAMES

DIALECTS = {NotificationsDialect: "notifications"}
"""Each dialect and the folder of its golden frames."""

SPOKEN = set(NOTIFICATIONS)
"""Events that at least one dialect has a frame for."""

NEVER_SPOKEN = {
    ("stories", "story.created"): "stories-events.md tells authors of views and reactions only",
    ("stories", "story.deleted"): "stories-events.md tells authors of views and reactions only",
    ("market", "notification.read"): "market-notifications.md has no inbox to clear",
    ("market", "notification.archived"): "market-notifications.md has no inbox to clear",
    **{
        ("chat", name): "the dialects that speak of chat are not open"
        for name in (
            "channel_joined",
            "channel_left",
            "conversation_added",
            "conversation_read",
            "member_added",
            "member_left",
            "mentioned",
            "message_deleted",
            "message_reacted",
            "message_read",
            "message_unreacted",
            "message_updated",
            "new_message",
            "own_status_change",
            "typing",
            "user_status_change",
        )
    },
    ("stories", "story.unreacted"): "stories-events.md tells authors of views and reactions only",
    ("market", "book"): "market-notifications.md has notifications only",
    ("market", "sale"): "market-notifications.md has notifications only",
    ("market", "book_heartbeat"): "market-notifications.md has notifications only",
    ("market", "offer.closed"): "market-notifications.md tells of it as match_created",
    ("market", "order.changed"): "market-notifications.md tells of each step by a notification",
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
}
"""The message types of each API's documents, both directions, and the error frame of READING.md."""


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
        files = {path.stem: path for path in (FRAMES / dialect).iterdir()}
        assert set(files) == types
        for name, path in files.items():
            assert json.loads(path.read_text(encoding="utf-8"))["type"] == name
