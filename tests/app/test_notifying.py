"""Notifications on a whole server: from another service to every device of a user."""

import json

import pytest

from tests.frames import golden, spelled
from tests.notifications_world import MATCHED, SHIPPED

ROOT = "/api/v1/notifications"


@pytest.fixture
async def ann(server):
    return await server.account("ann")


@pytest.fixture
def token(server, ann):
    return server.issue(ann)


async def send(server, account, content=MATCHED):
    status, sent = await server.call(None, "POST", ROOT, {"user_id": account.id, **content})
    assert status == 201
    return sent


async def test_ws_gets_the_documented_frame(server, ann, token, caplog):
    """The frame has the document's fields and types, and the log its line, once."""
    caplog.set_level("INFO")
    client = await server.raw(token)
    await send(server, ann)
    frame = json.loads(text := await client.text())
    printed = json.loads(golden("notifications", "notification"))
    changing = {"id": frame["data"]["id"], "timestamp": frame["data"]["timestamp"]}
    printed["data"] |= changing
    assert spelled(text) == json.dumps(printed)
    assert changing["id"] == 1
    _, page = await server.call(token, "GET", ROOT)
    created_at = page["items"][0]["created_at"]
    assert changing["timestamp"] == f"{created_at[:19]}Z"
    assert [line for line in caplog.messages if "UserID" in line] == [
        f"Client connected: UserID={ann.id}, Total=1",
        f"Sent message to UserID={ann.id}",
    ]


async def test_nobody_there_is_no_line(server, ann, caplog):
    """For a user without a connection to /ws nothing is said to have been sent."""
    caplog.set_level("INFO")
    await send(server, ann)
    assert [line for line in caplog.messages if "UserID" in line] == []


async def test_only_the_user_is_told(server, ann, token):
    """Another user's connections hear nothing of it."""
    bob = await server.account("bob")
    other = await server.raw(server.issue(bob))
    await send(server, ann)
    await send(server, bob, SHIPPED)
    assert (await other.frame())["data"]["notification_type"] == "order_shipped"


async def test_two_devices_and_ws(server, ann, token):
    """Every device is told; reading on one clears the other, and /ws is not bothered."""
    phone = await server.socketio(token, namespace="/market")
    desktop = await server.socketio(token, namespace="/market")
    raw = await server.raw(token)
    await send(server, ann)
    for device in (phone, desktop):
        name, data = await device.event()
        assert name == "notification"
        assert data == {
            "user_id": ann.id,
            "id": 1,
            **MATCHED,
            "created_at": data["created_at"],
            "unread": 1,
            "revision": 1,
        }
    assert (await raw.frame())["data"]["id"] == 1
    assert await phone.call("read_notification", {"id": 1}) == {
        "data": {"unread": 0, "revision": 2}
    }
    assert await desktop.event() == (
        "notification.read",
        {"ranges": [[1, 1]], "unread": 0, "revision": 2},
    )
    assert await phone.call("archive_notification", {"id": 1}) == {
        "data": {"unread": 0, "revision": 3}
    }
    assert await desktop.event() == (
        "notification.archived",
        {"id": 1, "unread": 0, "revision": 3},
    )
    await send(server, ann, SHIPPED)
    assert (await raw.frame())["data"]["id"] == 2


async def test_the_inbox_over_socketio(server, ann, token):
    """The commands answer as the REST routes do."""
    device = await server.socketio(token, namespace="/market")
    for content in (MATCHED, SHIPPED, MATCHED):
        await send(server, ann, content)
    for command, payload, path in (
        ("list_notifications", {"limit": 2}, f"{ROOT}?limit=2"),
        ("list_notifications", {"after": 1, "archived": False}, f"{ROOT}?after=1"),
        ("count_unread", {}, f"{ROOT}/unread-count"),
        ("get_notification_preferences", {}, f"{ROOT}/preferences"),
    ):
        assert await device.call(command, payload) == {
            "data": (await server.call(token, "GET", path))[1]
        }
    read = await device.call("read_all_notifications", {"up_to": 2})
    assert read == {"data": {"unread": 1, "revision": 4}}
    answer = await device.call("update_notification_preferences", {"match_created": False})
    assert answer["data"]["match_created"] is False
    assert (await server.call(token, "GET", f"{ROOT}/preferences"))[1] == answer["data"]


@pytest.mark.parametrize(
    ("command", "payload", "code"),
    [
        ("read_notification", {"id": 1}, "notification_not_found"),
        ("read_notification", {}, "invalid"),
        ("archive_notification", {"id": "x"}, "invalid"),
        ("list_notifications", {"limit": 0}, "invalid"),
        ("count_unread", {"x": 1}, "invalid"),
        ("set_notification_preferences", {"order_paid": 1.5}, "invalid"),
        ("send", {"user_id": 1, **MATCHED}, "unknown_command"),
    ],
)
async def test_refused_commands(server, token, command, payload, code):
    """Bad commands are answered; sending is for services, not for clients."""
    device = await server.socketio(token, namespace="/market")
    assert (await device.call(command, payload))["error"]["code"] == code


async def test_a_reader_that_was_away_loses_nothing(server, ann, token):
    """What was told while nobody listened is read by cursor, then live frames go on from there."""
    client = await server.raw(token)
    await send(server, ann)
    seen = (await client.frame())["data"]["id"]
    await client.socket.close()
    for _ in range(3):
        await send(server, ann, SHIPPED)
    client = await server.raw(token)
    _, page = await server.call(token, "GET", f"{ROOT}?after={seen}")
    assert [item["id"] for item in page["items"]] == [2, 3, 4]
    await send(server, ann)
    assert (await client.frame())["data"]["id"] == 5
