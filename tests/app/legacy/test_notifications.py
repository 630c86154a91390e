"""The dialect of `/ws`, against the frames that its documents print."""

import json

import pytest

from app.legacy.dialects.notifications import NotificationsDialect
from models.identity import Identity
from models.notifications.events import NotificationArchived, NotificationsRead, Notified
from models.stories.events import StoryCreated, StoryDeleted, StoryUnreacted
from tests.app.legacy.story_events import PERSON, reacted, viewed
from tests.frames import golden, spelled

STORY_ID = "550e8400-e29b-41d4-a716-446655440000"
AT = "2023-10-01T12:00:00.000Z"

MATCHED = Notified(
    user_id="1",
    id=123,
    type="match_created",
    title="Your bid has been matched!",
    message="Your bid for Nike Air Jordan 1 (US 9) has been matched at $220",
    link="/orders/1",
    created_at="2026-01-15T20:00:00.000Z",
    unread=1,
    revision=1,
)
DOCUMENTED = [
    viewed(STORY_ID),
    reacted(STORY_ID),
    MATCHED,
]
UNSPOKEN = [
    StoryCreated(
        id=STORY_ID,
        story_id=STORY_ID,
        author_id="1",
        text="Hello World",
        visibility="PUBLIC",
        created_at=AT,
        expires_at=AT,
        version=1,
        author=PERSON,
        my_reaction=None,
        viewed=False,
    ),
    StoryUnreacted(story_id=STORY_ID, user_id="user123"),
    StoryDeleted(story_id=STORY_ID, author_id="1", version=2),
    NotificationsRead(ranges=[[123, 123]], unread=0, revision=2),
    NotificationArchived(id=123, unread=0, revision=2),
]


class Listener:
    """A peer that keeps what it is told."""

    def __init__(self):
        self.identity = Identity("1", "user@example.com", "1")
        self.sent = []
        self.refused = []

    def send(self, text):
        self.sent.append(spelled(text))

    def refuse(self, code, message):
        self.refused.append((code, message))


@pytest.fixture
def dialect():
    return NotificationsDialect()


@pytest.mark.parametrize("event", DOCUMENTED, ids=lambda event: event.name)
def test_an_event_has_the_documented_frame(dialect, event):
    """An event with the document's values gives the document's frame, word for word."""
    rendered = dialect.render(event.domain, event.name, event.data())
    assert spelled(rendered) == golden("notifications", event.name)


@pytest.mark.parametrize("event", UNSPOKEN, ids=lambda event: event.name)
def test_an_event_without_a_documented_frame_is_not_told(dialect, event):
    """Clients of this API know no frame for it, so they get none."""
    assert dialect.render(event.domain, event.name, event.data()) is None


def test_the_same_name_in_another_domain_is_another_event(dialect):
    """Frames belong to an event of a domain, not to a name alone."""
    assert dialect.render("stories", "story.viewed", DOCUMENTED[0].data()) is not None
    assert dialect.render("chat", "story.viewed", DOCUMENTED[0].data()) is None


@pytest.mark.parametrize("milliseconds", ["000", "001", "999"])
def test_times_are_cut_to_whole_seconds(dialect, milliseconds):
    """A frame's time is never later than the event's, however near the next second it was."""
    event = viewed(STORY_ID, viewed_at=f"2023-10-01T12:00:00.{milliseconds}Z")
    rendered = dialect.render(event.domain, event.name, event.data())
    assert spelled(rendered) == golden("notifications", "story.viewed")


def test_the_greeting_is_the_documented_one(dialect):
    """The account id is a number in this one frame."""
    greeting = dialect.greeting(Identity("1", "user@example.com", "1"))
    assert spelled(greeting) == golden("notifications", "connected")


def test_an_account_without_email_is_greeted_with_null(dialect):
    """An account that came through a phone number has none to name."""
    greeting = json.loads(dialect.greeting(Identity("7", None, "+84912345678")))
    assert greeting["data"]["email"] is None
    assert greeting["data"]["user_id"] == 7


async def test_a_ping_gets_the_documented_pong(dialect):
    """The one message that clients of this API send is answered as printed."""
    peer = Listener()
    await dialect.receive(peer, json.loads(golden("notifications", "ping")))
    assert peer.sent == [golden("notifications", "pong")]
    assert peer.refused == []


@pytest.mark.parametrize(
    "message",
    [{}, {"type": "pong"}, {"type": "PING"}, {"type": ["ping"]}, {"type": None}, {"ping": 1}],
    ids=str,
)
async def test_any_other_message_is_refused(dialect, message):
    """What is not a ping gets the error frame of a type that is not known."""
    peer = Listener()
    await dialect.receive(peer, message)
    assert peer.sent == []
    (refusal,) = peer.refused
    assert refusal[0] == "unknown_type"
    assert spelled(dialect.error(peer.identity, *refusal)) == golden("notifications", "error")
