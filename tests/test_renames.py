"""A person is shown as the account is now, by every transport, and nowhere as it was."""

import json

import pytest

from tests.account_world import VERA, World, signed_up
from tests.live import Server

CHANNEL = "general"


@pytest.fixture
async def server(serve) -> Server:
    return await serve(messages_per_s=1000)


@pytest.fixture
async def world(server):
    """Vera and Bob are contacts, and in a channel."""
    vera = await signed_up(server, **VERA)
    bob = await signed_up(server, email="bob@example.com", name="Bob")
    world = World(server, vera, bob)
    made = await world.call(
        vera, "POST", "/api/v1/conversations", {"participants": ["bob@example.com"]}
    )
    world.direct = made["id"]
    await world.call(bob, "POST", f"/api/v1/conversations/{made['id']}/accept")
    return world


async def connect(world, who, *channels):
    socket = await world.server.socketio(who.token, namespace="/chat")
    for channel in channels:
        assert "data" in await socket.call("join_channel", {"channel_id": channel})
    return socket


async def until(socket, name):
    """Return the next event of a name."""
    while (event := await socket.event())[0] != name:
        pass
    return event[1]


async def rename(world, who, name):
    await world.call(who, "PATCH", "/api/v1/auth/me", {"name": name})


async def say(socket, content, channel=CHANNEL):
    answer = await socket.call("send_message", {"channel_id": channel, "content": content})
    return answer["data"]


async def test_a_rename_reaches_live_connections(world):
    """After a rename both sockets of an account, its presence and its old messages have the new
    name, without connecting again."""
    vera, bob = world.vera, world.bob
    one, two = await connect(world, vera, CHANNEL), await connect(world, vera, CHANNEL)
    listener = await connect(world, bob, CHANNEL)
    old = await say(one, "as Vera")
    await rename(world, vera, "Vera Nováková")
    for socket in (one, two):
        assert (await say(socket, "later"))["author_name"] == "Vera Nováková"
        await socket.call("typing", {"channel_id": CHANNEL})
        assert (await until(listener, "typing"))["user_name"] == "Vera Nováková"
        reacted = {"message_id": old["id"], "emoji": "👍"}
        assert (await socket.call("react", reacted))["data"]["author_name"] == "Vera Nováková"
        assert (await until(listener, "message_reacted"))["user_name"] == "Vera Nováková"
        await socket.call("unreact", reacted)
    snapshot = (await listener.call("join_channel", {"channel_id": CHANNEL}))["data"]
    names = {person["user_id"]: person["user_name"] for person in snapshot["present"]}
    assert names == {vera.id: "Vera Nováková", bob.id: "Bob"}
    assert {message["author_name"] for message in snapshot["messages"]} == {"Vera Nováková"}
    shown = await world.call(bob, "GET", f"/api/v1/conversations/{world.direct}")
    names = {person["user_id"]: person["user_name"] for person in shown["members"]}
    assert names == {vera.id: "Vera Nováková", bob.id: "Bob"}
    # What is told when it goes has the present name, too.
    for socket in (one, two):
        await socket.call("leave_channel", {"channel_id": CHANNEL})
    assert (await until(listener, "channel_left"))["user_name"] == "Vera Nováková"
    assert "Votruba" not in json.dumps(snapshot)


@pytest.mark.parametrize(
    ("name", "called"),
    [
        ("O'Brien", "@O\u2019Brien"),
        ("नमस्ते", "@नमस्ते"),
        ("Hà Nội", "@Ha\u0300N\u00f4\u0323i"),
        ("Zoë", "@ZOË's"),
    ],
)
async def test_only_the_present_name_is_called(world, name, called):
    """`@New` mentions, in any spelling, at once and in every conversation; `@Old` does not."""
    vera, bob = world.vera, world.bob
    hers = await connect(world, vera, CHANNEL)
    his = await connect(world, bob, CHANNEL)
    assert (await say(his, "hi @VeraVotruba"))["mentions"] == [vera.id]
    await rename(world, vera, name)
    assert (await say(his, "hi @VeraVotruba"))["mentions"] == []
    for place in (CHANNEL, world.direct):
        assert (await say(his, f"hi {called}, look", place))["mentions"] == [vera.id]
    assert (await until(hers, "mentioned"))["content"] == "hi @VeraVotruba"
    assert (await until(hers, "mentioned"))["content"] == f"hi {called}, look"


async def test_an_edit_calls_by_the_present_name(world):
    """What an edit adds is looked up as what is sent."""
    his = await connect(world, world.bob, CHANNEL)
    await connect(world, world.vera, CHANNEL)
    sent = await say(his, "hi")
    await rename(world, world.vera, "Nová")
    edit = {"message_id": sent["id"], "content": "hi @Nova\u0301"}
    assert (await his.call("edit_message", edit))["data"]["mentions"] == [world.vera.id]


async def test_a_deleted_account_has_no_name(world):
    """Messages of a deleted account name nobody, and nobody is called by what it was called."""
    hers, his = await connect(world, world.vera, CHANNEL), await connect(world, world.bob, CHANNEL)
    sent = await say(hers, "bye")
    await world.call(world.vera, "DELETE", "/api/v1/auth/me", {"password": "correct horse battery"})
    assert (await say(his, "@VeraVotruba?"))["mentions"] == []
    history = (await his.call("history", {"channel_id": CHANNEL}))["data"]["items"]
    (found,) = [message for message in history if message["id"] == sent["id"]]
    assert (found["author_id"], found["author_name"]) == (world.vera.id, None)


async def test_goals_are_told_by_the_present_name(world):
    """A live connection of the diary acts under the present name as well."""
    socket = await world.server.socketio(world.vera.token, namespace="/diary")
    listener = await world.server.socketio(world.bob.token, namespace="/diary")
    await rename(world, world.vera, "Nová")
    goal = {"title": "Run", "kind": "number", "target": 3, "members": [world.bob.public_id]}
    assert "data" in await socket.call("create_goal", goal)
    told = json.dumps(await listener.event(), ensure_ascii=False)
    assert "Votruba" not in told


async def test_a_new_account_writes_about_its_day(server):
    """Sign-up takes the zone whose dates are the account's; a wrong one is refused by name."""
    zone = {"time_zone": "Asia/Ho_Chi_Minh"}
    sent = {"password": "correct horse battery", "email": "lan@example.com"}
    status, answer = await server.call(None, "POST", "/signup", sent | zone)
    assert (status, answer["user"]["time_zone"]) == (201, "Asia/Ho_Chi_Minh")
    other = sent | {"email": "other@example.com"}
    status, answer = await server.call(None, "POST", "/signup", other | {"time_zone": "Mars/Base"})
    assert (status, [*answer["errors"]]) == (422, ["time_zone"])
    status, answer = await server.call(None, "POST", "/signup", other)
    assert (status, answer["user"]["time_zone"]) == (201, "UTC")
