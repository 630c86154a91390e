"""The dialect of `/ws/{user_id}`, against the frames of docs/older-apis/conversation-chat.md."""

import json

import pytest

from app.legacy.dialects.conversations import ConversationsDialect
from models.chat import events
from models.chat.schema import MESSAGE_TYPES
from models.identity import Identity
from tests.app.legacy.chat_events import AT, USER, every_event, message
from tests.frames import golden, spelled

WHERE = {"conversation_id": "string", "at": AT, **USER}
DOCUMENTED = [
    events.Typing(**WHERE),
    events.MessageRead(**WHERE, message_id="string", seq=1),
]
UNSPOKEN = [
    event for event in every_event() if ("chat", event.name) not in ConversationsDialect.frames
]


@pytest.fixture
def dialect():
    return ConversationsDialect()


@pytest.mark.parametrize("event", DOCUMENTED, ids=lambda event: event.name)
def test_an_event_has_the_documented_frame(dialect, event):
    """An event with the document's values gives the document's frame, word for word."""
    rendered = dialect.render("chat", event.name, event.data())
    assert spelled(rendered) == golden("conversations", event.name)


@pytest.mark.parametrize("message_type", MESSAGE_TYPES)
def test_a_message_has_the_documented_fields(dialect, message_type):
    """Each documented type of message comes in the documented frame, its time in ISO 8601."""
    documented = json.loads(golden("conversations", "new_message"))
    assert tuple(documented["messageType"].split("|")) == MESSAGE_TYPES
    assert documented["timestamp"] == "ISO-8601 timestamp"
    documented |= {"messageType": message_type, "timestamp": "2024-01-01T12:00:00Z"}
    event = events.NewMessage(**message("string", "string", "string", message_type=message_type))
    assert spelled(dialect.render("chat", event.name, event.data())) == json.dumps(documented)


@pytest.mark.parametrize(("content", "shown"), [("", "/api/v1/uploads/f1"), ("look", "look")])
def test_an_image_without_words_is_shown_by_its_address(dialect, content, shown):
    """The document's clients know of no attachments, and show what they find as content."""
    attachments = [{"id": "f1", "name": "a.png"}, {"id": "f2", "name": "b.png"}]
    event = message("string", "string", content, message_type="image", attachments=attachments)
    assert json.loads(dialect.render("chat", "new_message", event))["content"] == shown


def test_a_status_has_the_documented_fields(dialect):
    """The optional `conversationId` is left out, since a status is the same everywhere."""
    documented = json.loads(golden("conversations", "user_status_change"))
    del documented["conversationId"]
    event = events.UserStatusChanged(status="string", at=AT, **USER)
    assert spelled(dialect.render("chat", event.name, event.data())) == json.dumps(documented)


@pytest.mark.parametrize("event", UNSPOKEN, ids=lambda event: event.name)
def test_an_event_without_a_documented_frame_is_not_told(dialect, event):
    """Clients of this API know no frame for it, so they get none."""
    assert dialect.render("chat", event.name, event.data()) is None


def test_acknowledgements_are_the_documented_ones():
    """A heartbeat and a change of status are answered as printed."""
    answers = {"heartbeat_ack": None, "status_change_ack": {"status": "string"}}
    acks = {
        f"{name}_ack": handler.ack
        for name, handler in ConversationsDialect.receives.items()
        if handler.ack is not None
    }
    assert set(acks) == set(answers)
    for name, answer in answers.items():
        assert json.dumps(acks[name](None, {}, answer)) == golden("conversations", name)


def test_the_error_frame_is_the_documented_one(dialect):
    """A message for people, and nothing else."""
    error = dialect.error(Identity("1", None, "+84912345678"), "code", "string", "about")
    assert spelled(error) == golden("conversations", "error")
    assert dialect.greeting(Identity("1", None, "+84912345678")) is None
