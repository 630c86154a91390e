"""The dialect of `/api/v1/ws`, against the frames that `docs/older-apis/channel-chat.md` prints."""

import json

import pytest

from app.legacy.dialects.channels import ChannelsDialect
from models.chat import events
from models.identity import Identity
from tests.app.legacy.chat_events import AT, USER, every_event, message
from tests.frames import golden, spelled

JOINED = {"conversation_id": "channel123", "at": AT, **USER}
DOCUMENTED = [
    events.NewMessage(**message("channel123", "msg123", "Hello world!")),
    events.MessageUpdated(**message("channel123", "msg123", "Updated message", edited_at=AT)),
    events.MessageDeleted(**message("channel123", "msg123", "", deleted_at=AT)),
    events.ChannelJoined(**JOINED),
    events.ChannelLeft(**JOINED),
]
UNSPOKEN = [event for event in every_event() if ("chat", event.name) not in ChannelsDialect.frames]


@pytest.fixture
def dialect():
    return ChannelsDialect()


@pytest.mark.parametrize("event", DOCUMENTED, ids=lambda event: event.name)
def test_an_event_has_the_documented_frame(dialect, event):
    """An event with the document's values gives the document's frame, word for word."""
    rendered = dialect.render("chat", event.name, event.data())
    assert spelled(rendered) == golden("channels", event.name)


@pytest.mark.parametrize("event", UNSPOKEN, ids=lambda event: event.name)
def test_an_event_without_a_documented_frame_is_not_told(dialect, event):
    """Clients of this API know no frame for it, so they get none."""
    assert dialect.render("chat", event.name, event.data()) is None


def test_all_documented_frames_are_looked_at():
    """The two lists above are all events of chat."""
    assert {("chat", event.name) for event in DOCUMENTED} == set(ChannelsDialect.frames)
    assert len(DOCUMENTED) + len(UNSPOKEN) == len(every_event())


@pytest.mark.parametrize(
    ("field", "value"), [("edited_at", "2024-01-01T12:34:56.999Z"), ("deleted_at", AT)]
)
def test_the_timestamp_is_the_time_of_what_happened(dialect, field, value):
    """An update carries the time of the update beside that of the message."""
    changed = message("channel123", "msg123", "", **{field: value})
    name = {"edited_at": "message_updated", "deleted_at": "message_deleted"}[field]
    frame = json.loads(dialect.render("chat", name, changed))
    assert frame["timestamp"] == f"{value[:19]}Z"
    assert frame["data"].get("created_at", "2024-01-01T12:00:00Z") == "2024-01-01T12:00:00Z"


def test_an_account_without_an_email_is_named_by_its_id(dialect):
    """A person who came through a phone number is a string, too, and their number is not shown."""
    data = JOINED | {"user_email": None, "user_public_id": "+84912345678"}
    frame = json.loads(dialect.render("chat", "channel_joined", data))
    assert frame["user_email"] == "1"
    written = message(
        "channel123", "msg123", "Xin chào", author_email=None, author_public_id="+84912345678"
    )
    frame = json.loads(dialect.render("chat", "new_message", written))
    assert frame["data"]["user_email"] == "1"
    assert frame["data"]["content"] == "Xin chào"


def test_the_error_frame_names_the_channel_where_there_is_one(dialect):
    """The frame of docs/older-apis/README.md, with `channel_id` when one was named."""
    identity = Identity("1", "user@example.com", "1")
    expected = json.loads(golden("channels", "error"))
    refusal = (expected["data"]["code"], expected["data"]["message"])
    named = json.loads(dialect.error(identity, *refusal, "channel123"))
    assert list(named) == list(expected)
    assert named | {"timestamp": expected["timestamp"]} == expected
    unnamed = json.loads(dialect.error(identity, *refusal))
    del expected["channel_id"]
    assert unnamed | {"timestamp": expected["timestamp"]} == expected


def test_nobody_is_greeted(dialect):
    """The document has no frame that comes by itself."""
    assert dialect.greeting(Identity("1", "user@example.com", "1")) is None
