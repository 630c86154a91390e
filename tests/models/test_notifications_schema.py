"""What callers may send about notifications."""

import json

import pytest
from marshmallow import ValidationError

from models.notifications.push import MESSAGE_BYTES, message_of
from models.notifications.schema import (
    DOCUMENTED_TYPES,
    TYPES,
    InboxQuery,
    NotificationId,
    Preferences,
    PushSubscription,
    SendNotification,
    SomePreferences,
)
from tests.notifications_world import ENDPOINT, KEYS

TEST = {
    "user_id": 1,
    "type": "match_created",
    "title": "Test Notification",
    "message": "This is a test!",
    "send_push": True,
}
"""The body of the document's grpcurl line."""

ALL_TYPES = dict.fromkeys(TYPES, True)


def test_the_documented_request():
    """The request that the document prints is read, and what it leaves out is filled in."""
    assert SendNotification().load(TEST) == TEST | {
        "user_id": "1",
        "link": "",
        "idempotency_key": None,
    }


@pytest.mark.parametrize("type", DOCUMENTED_TYPES)
def test_the_eight_types(type):
    """Each type of the document may be sent."""
    assert SendNotification().load(TEST | {"type": type})["type"] == type


@pytest.mark.parametrize(
    "link", ["", "/", "/orders/1?tab=a#b", "https://example.com/orders", "http://localhost:8080/"]
)
def test_links(link):
    """Paths of the client and http addresses may be linked to."""
    assert SendNotification().load(TEST | {"link": link})["link"] == link


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("user_id", 0),
        ("user_id", -1),
        ("user_id", 1.5),
        ("user_id", True),
        ("user_id", None),
        ("user_id", "alice"),
        ("user_id", 2**63),
        ("type", "story_viewed"),
        ("type", ""),
        ("type", ["match_created"]),
        ("title", ""),
        ("title", " \n"),
        ("title", "x" * 201),
        ("title", "x" * 1_000_000),
        ("title", "\ud800"),
        ("title", 7),
        ("message", ""),
        ("message", "x" * 2_001),
        ("message", "\udfff"),
        ("link", "orders/1"),
        ("link", "//evil.example.com/"),
        ("link", "/\\evil.example.com/"),
        ("link", "javascript:alert(1)"),
        ("link", "data:text/html,x"),
        ("link", "https://"),
        ("link", "http://[::1"),
        ("link", "/a b"),
        ("link", "/a\nb"),
        ("link", "/" + "x" * 1_000),
        ("send_push", "yes"),
        ("send_push", None),
        ("idempotency_key", ""),
        ("idempotency_key", "x" * 201),
        ("unknown", 1),
    ],
)
def test_bad_values(field, value):
    """A wrong value is refused under its field's name."""
    with pytest.raises(ValidationError) as caught:
        SendNotification().load(TEST | {field: value})
    assert set(caught.value.messages_dict) == {field}


@pytest.mark.parametrize("missing", ["user_id", "type", "title", "message"])
def test_missing_values(missing):
    """What is needed is asked for by name."""
    with pytest.raises(ValidationError) as caught:
        SendNotification().load({name: TEST[name] for name in TEST if name != missing})
    assert set(caught.value.messages_dict) == {missing}


@pytest.mark.parametrize(
    ("schema", "good", "bad"),
    [
        (InboxQuery, {"after": "0", "before": 3, "limit": "100"}, {"limit": 101}),
        (InboxQuery, {"archived": "true"}, {"after": "x"}),
        (InboxQuery, {}, {"before": -1}),
        (InboxQuery, {"after": None}, {"limit": 0}),
        (NotificationId, {"id": 1}, {"id": 1.5}),
        (NotificationId, {"id": 2**53 - 1}, {"id": 2**53}),
        (Preferences, ALL_TYPES, ALL_TYPES | {"story_viewed": True}),
        (Preferences, ALL_TYPES, ALL_TYPES | {"order_paid": "no"}),
        (SomePreferences, {}, {"story_viewed": True}),
        (SomePreferences, {"order_paid": False}, {"order_paid": "no"}),
    ],
)
def test_other_requests(schema, good, bad):
    """Values in their bounds pass, others are refused under their names."""
    schema().load(good)
    with pytest.raises(ValidationError) as caught:
        schema().load(bad)
    assert set(caught.value.messages_dict) <= set(bad)


def test_preferences_are_whole_or_partial():
    """All of them name every documented type; what is left out stays as it is."""
    with pytest.raises(ValidationError) as caught:
        Preferences().load({"order_paid": False})
    assert set(caught.value.messages_dict) == set(DOCUMENTED_TYPES) - {"order_paid"}
    documented = dict.fromkeys(DOCUMENTED_TYPES, False)
    assert Preferences().load(documented) == documented
    assert SomePreferences().load({"order_paid": False}) == {"order_paid": False}


def test_a_browsers_subscription():
    """What a browser's `toJSON` writes is read; what it adds is passed over."""
    sent = {"endpoint": ENDPOINT, "expirationTime": None, "keys": KEYS}
    assert PushSubscription().load(sent) == {"endpoint": ENDPOINT, "keys": KEYS}
    padded = {"p256dh": KEYS["p256dh"] + "=", "auth": KEYS["auth"] + "=="}
    assert PushSubscription().load(sent | {"keys": padded})["keys"] == KEYS


@pytest.mark.parametrize(
    "keys",
    [
        {},
        {"p256dh": KEYS["p256dh"]},
        KEYS | {"auth": "dG9vIHNob3J0"},
        KEYS | {"auth": "?" * 22},
        KEYS | {"p256dh": KEYS["auth"]},
        KEYS | {"auth": "é" * 22},
        "keys",
        None,
    ],
    ids=str,
)
def test_keys_that_are_none(keys):
    """Keys of a wrong size or alphabet are refused."""
    with pytest.raises(ValidationError) as caught:
        PushSubscription().load({"endpoint": ENDPOINT, "keys": keys})
    assert set(caught.value.messages_dict) == {"keys"}


@pytest.mark.parametrize(
    ("message", "link", "whole"),
    [
        ("short", "/orders/1", True),
        ("x" * 2_000, "", True),
        ("🎉" * 2_000, "", False),
        ("x" * 2_000, "/" + "x" * 999, False),
        ("x", "/" + "é" * 700, True),
        ("x", "/" + "🎉" * 999, True),
    ],
    ids=["short", "long", "long in bytes", "long with a link", "long link", "too long a link"],
)
def test_a_push_message_fits(message, link, whole):
    """A push stays within what push services take; a longer text is cut."""
    entry = {"number": 1, "type": "order_paid", "title": "🎉" * 200, "message": message}
    written = message_of(entry | {"link": link})
    assert len(written) <= MESSAGE_BYTES
    pushed = json.loads(written)
    assert list(pushed) == ["id", "type", "title", "message", "link"]
    kept = pushed["message"].removesuffix("…")
    assert kept
    assert message.startswith(kept)
    assert (pushed["message"] == message) == whole
    assert pushed["link"] == ("" if "🎉" in link else link)
