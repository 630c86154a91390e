"""`/api/v1/ws` of a whole server: channels as `docs/older-apis/channel-chat.md` describes them."""

import json
import re

import pytest
from aiohttp import WSServerHandshakeError

from tests.chat_doors import (
    channel_client,
    conversation_of,
    drop,
    email_of,
    send,
    socket_client,
)
from tests.frames import golden

JOIN = json.loads(golden("channels", "sent/join_channel"))
LEAVE = json.loads(golden("channels", "sent/leave_channel"))
PING = golden("channels", "sent/ping")
CHANNEL = JOIN["channel_id"]
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")


def timeless(frame):
    """Return a frame with the times of the document where it has times of its own."""
    for part in (frame, frame.get("data", {})):
        for name in {"timestamp", "created_at"} & part.keys():
            assert TIME.fullmatch(part[name])
            part[name] = "2024-01-01T12:00:00Z"
    return json.dumps(frame)


def news(kind, name, channel=CHANNEL):
    """Return the golden frame of somebody's coming or going."""
    frame = json.loads(golden("channels", kind))
    return json.dumps(frame | {"channel_id": channel, "user_email": email_of(name)})


async def hears_nothing_more(client):
    return (await client.ask(PING))["type"] == "pong"


async def test_a_header_lets_a_developer_in(server):
    """`User-Email` is enough in development mode, and makes the account at first sight."""
    client = await channel_client(server, "user")
    assert timeless(await client.ask(JOIN)) == golden("channels", "channel_joined")
    assert await server.accounts.find_by_email("user@example.com")


async def test_a_token_lets_in_in_both_modes(serve):
    """Production wants proof: a token in the query or the header, and no mere e-mail."""
    server = await serve(environment="production")
    token = await server.token("user")
    for target, headers in (
        (f"/api/v1/ws?token={token}", {}),
        ("/api/v1/ws", {"Authorization": f"Bearer {token}"}),
        (f"/api/v1/ws?token={token}", {"User-Email": "another@example.com"}),
    ):
        client = await server.open_at(target, headers)
        assert (await client.ask(JOIN))["user_email"] == "user@example.com"
        await client.socket.close()
    for headers in ({}, {"User-Email": "user@example.com"}):
        with pytest.raises(WSServerHandshakeError) as caught:
            await server.open_at("/api/v1/ws", headers)
        assert caught.value.status == 401


@pytest.mark.parametrize(
    ("target", "headers"),
    [
        ("/api/v1/ws", {}),
        ("/api/v1/ws", {"User-Email": ""}),
        ("/api/v1/ws", {"User-Email": "not an address"}),
        ("/api/v1/ws", {"User-Email": f"{'x' * 300}@example.com"}),
        ("/api/v1/ws?token=nonsense", {"User-Email": "user@example.com"}),
    ],
    ids=str,
)
async def test_no_credential_is_401_before_the_upgrade(server, target, headers):
    """Missing and malformed credentials are refused, and a bad token is no reason to look on."""
    with pytest.raises(WSServerHandshakeError) as caught:
        await server.open_at(target, headers)
    assert caught.value.status == 401


async def test_a_disabled_account_is_403(server):
    """Disabled accounts stay outside, whatever they show."""
    account = await server.account("user")
    await server.accounts.disable(account.id)
    with pytest.raises(WSServerHandshakeError) as caught:
        await channel_client(server, "user")
    assert caught.value.status == 403


async def test_a_channel_in_the_url_is_joined_at_once(server):
    """`?channel_id=` needs no message, and the first frame says that it was done."""
    client = await server.open_at(
        f"/api/v1/ws?channel_id={CHANNEL}", {"User-Email": "user@example.com"}
    )
    assert timeless(await client.frame()) == golden("channels", "channel_joined")


async def test_a_ping_is_answered(server):
    """The documented ping gets the documented pong, with the time of day."""
    client = await channel_client(server, "user")
    assert timeless(await client.ask(PING)) == golden("channels", "pong")


async def test_a_message_lives_in_documented_frames(server):
    """Written, changed and deleted over REST, everyone in the channel hears it as printed."""
    clients = [await channel_client(server, "user", CHANNEL)]
    clients.append(await channel_client(server, "other", CHANNEL))
    assert timeless(await clients[0].frame()) == news("channel_joined", "other")
    token = await server.token("user")
    message = await send(server, "user", CHANNEL, "Hello world!")
    path = f"/api/v1/messages/{message['id']}"
    status, _ = await server.call(token, "PUT", path, {"content": "Updated message"})
    assert status == 200
    status, _ = await server.call(token, "DELETE", path)
    assert status == 200
    for client in clients:
        for kind in ("new_message", "message_updated", "message_deleted"):
            expected = json.loads(golden("channels", kind))
            expected["data"]["id"] = message["id"]
            assert timeless(await client.frame()) == json.dumps(expected)


async def test_everyone_in_the_channel_hears_who_comes_and_goes(server):
    """Also the one who does, whose own `channel_left` is the last frame about that channel."""
    first = await channel_client(server, "first", CHANNEL)
    second = await channel_client(server, "second", CHANNEL)
    assert timeless(await first.frame()) == news("channel_joined", "second")
    assert timeless(await second.ask(LEAVE)) == news("channel_left", "second")
    assert timeless(await first.frame()) == news("channel_left", "second")
    await send(server, "first", CHANNEL, "not for the second")
    assert (await first.frame())["type"] == "new_message"
    assert await hears_nothing_more(second)
    assert timeless(await second.ask(JOIN)) == news("channel_joined", "second")


async def test_a_connection_hears_the_channels_it_joined_only(server):
    """Of two channels and a conversation of its own, one that joined one channel hears that."""
    conversation_id = await conversation_of(server, "user", "other")
    client = await channel_client(server, "user", "joined")
    await channel_client(server, "other", "another")
    for place in ("another", conversation_id, "joined"):
        await send(server, "other", place, f"said in {place}")
    assert (await client.frame())["data"]["content"] == "said in joined"
    assert await hears_nothing_more(client)


async def test_a_conversation_is_joined_by_its_id(server):
    """Its members hear it here as a channel of that name; others get an error frame."""
    conversation_id = await conversation_of(server, "user", "other")
    member = await channel_client(server, "user", conversation_id)
    stranger = await channel_client(server, "stranger")
    refusal = await stranger.ask(JOIN | {"channel_id": conversation_id})
    assert (refusal["type"], refusal["data"]["code"]) == ("error", "conversation_not_found")
    await send(server, "other", conversation_id, "hello")
    frame = await member.frame()
    assert (frame["channel_id"], frame["data"]["channel_id"]) == (conversation_id,) * 2
    assert frame["data"]["user_email"] == "other@example.com"
    assert await hears_nothing_more(stranger)


@pytest.mark.parametrize("by_url", [True, False])
async def test_a_private_channel_refuses_outsiders(server, by_url):
    """They get the error frame, whichever way they ask, and stay connected."""
    owner = await server.token("owner")
    body = {"name": CHANNEL, "private": True}
    assert (await server.call(owner, "POST", "/api/v1/channels", body))[0] == 201
    member = await channel_client(server, "owner", CHANNEL)
    query = f"?channel_id={CHANNEL}" if by_url else ""
    outsider = await server.open_at(f"/api/v1/ws{query}", {"User-Email": "out@example.com"})
    refusal = await (outsider.frame() if by_url else outsider.ask(JOIN))
    assert timeless(refusal) == golden("channels", "error")
    await send(server, "owner", CHANNEL, "among us")
    assert (await member.frame())["type"] == "new_message"
    assert await hears_nothing_more(outsider)


async def test_several_connections_of_a_user_are_one_person(server):
    """Others hear of the first to come and the last to go; each connection of its own doings."""
    watcher = await channel_client(server, "watcher", CHANNEL)
    first = await channel_client(server, "user", CHANNEL)
    assert timeless(await watcher.frame()) == news("channel_joined", "user")
    second = await channel_client(server, "user", CHANNEL)
    assert timeless(await first.ask(LEAVE)) == news("channel_left", "user")
    assert timeless(await first.ask(JOIN)) == news("channel_joined", "user")
    assert timeless(await first.ask(LEAVE)) == news("channel_left", "user")
    await send(server, "user", CHANNEL, "still here")
    for client in (watcher, second):
        assert (await client.frame())["data"]["content"] == "still here"
    assert timeless(await second.ask(LEAVE)) == news("channel_left", "user")
    assert timeless(await watcher.frame()) == news("channel_left", "user")
    assert await hears_nothing_more(first)


@pytest.mark.parametrize("how", ["close", "drop"])
async def test_the_last_connection_to_end_leaves_the_channel(server, how):
    """A user whose two connections end, with or without goodbye, is told to have left once."""
    watcher = await channel_client(server, "watcher", CHANNEL)
    clients = [await channel_client(server, "user", CHANNEL) for _ in range(2)]
    assert timeless(await watcher.frame()) == news("channel_joined", "user")
    for client in clients:
        await client.socket.close() if how == "close" else drop(client)
    assert timeless(await watcher.frame()) == news("channel_left", "user")
    assert await hears_nothing_more(watcher)


async def test_a_join_that_its_connection_does_not_outlive(server):
    """Somebody who joins and is gone at once is told to have come and gone, in this order."""
    watcher = await channel_client(server, "watcher", CHANNEL)
    client = await channel_client(server, "user")
    await client.send(JOIN)
    await client.socket.close()
    assert timeless(await watcher.frame()) == news("channel_joined", "user")
    assert timeless(await watcher.frame()) == news("channel_left", "user")


async def test_leaving_the_channel_for_good_is_heard_here(server):
    """A membership that is ended over REST takes the user's connections out of the channel."""
    watcher = await channel_client(server, "watcher", CHANNEL)
    client = await channel_client(server, "user", CHANNEL)
    assert timeless(await watcher.frame()) == news("channel_joined", "user")
    token = await server.token("user")
    status, _ = await server.call(token, "POST", f"/api/v1/channels/{CHANNEL}/leave")
    assert status == 200
    for listener in (client, watcher):
        assert timeless(await listener.frame()) == news("channel_left", "user")
    refusal = await client.ask(LEAVE)
    assert refusal["data"]["code"] == "not_joined"


async def test_statistics_are_real(server):
    """Anyone may ask who is there, in the documented envelope; private names are kept."""
    owner = await server.token("owner")
    await server.call(owner, "POST", "/api/v1/channels", {"name": "secret", "private": True})
    await channel_client(server, "owner", "secret")
    for name in ("a", "b", "b"):
        client = await channel_client(server, name, "channel123")
    await client.ask(JOIN | {"channel_id": "channel456"})
    await channel_client(server, "idle")
    assert await server.call(None, "GET", "/api/v1/ws/stats") == (
        200,
        {
            "success": True,
            "data": {"total_clients": 5, "channels": {"channel123": 3, "channel456": 1}},
        },
    )


async def test_statistics_forget_who_is_gone(server):
    """When everybody has left, there are no clients and no channels."""
    watcher = await socket_client(server, "watcher")
    await watcher.call("join_channel", {"channel_id": CHANNEL})
    assert [(await watcher.event())[0] for _ in range(2)] == ["channel_joined", "member_added"]
    drop(await channel_client(server, "user", CHANNEL))
    names = [(await watcher.event())[0] for _ in range(3)]
    assert names == ["channel_joined", "member_added", "channel_left"]
    _, stats = await server.call(None, "GET", "/api/v1/ws/stats")
    assert stats["data"] == {"total_clients": 0, "channels": {}}


@pytest.mark.parametrize(
    ("message", "code"),
    [
        ("{", "not_json"),
        ("[]", "not_an_object"),
        ({}, "unknown_type"),
        ({"type": "send_message", "channel_id": CHANNEL}, "unknown_type"),
        ({"type": ["ping"]}, "unknown_type"),
        ({"type": "join_channel"}, "invalid"),
        ({"type": "join_channel", "channel_id": 7}, "invalid"),
        ({"type": "join_channel", "channel_id": None}, "invalid"),
        ({"type": "join_channel", "channel_id": {"$gt": ""}}, "invalid"),
        ({"type": "join_channel", "channel_id": ""}, "invalid"),
        ({"type": "join_channel", "channel_id": "x" * 60_000}, "invalid"),
        ({"type": "join_channel", "channel_id": "no spaces"}, "conversation_not_found"),
        ({"type": "join_channel", "channel_id": "x" * 65}, "conversation_not_found"),
        ({"type": "leave_channel", "channel_id": "elsewhere"}, "not_joined"),
        ({"type": "leave_channel"}, "invalid"),
    ],
    ids=lambda value: str(value)[:60],
)
async def test_a_bad_message_gets_an_error_frame(server, message, code):
    """It says what is wrong in the documented shape, and the connection goes on."""
    client = await channel_client(server, "user", CHANNEL)
    error = await client.ask(message)
    assert (error["type"], error["data"]["code"]) == ("error", code)
    shape = json.loads(golden("channels", "error"))
    assert set(shape) - set(error) <= {"channel_id"}
    assert set(error["data"]) == set(shape["data"])
    named = message.get("channel_id") if isinstance(message, dict) else None
    if code != "unknown_type" and isinstance(named, str) and len(named) <= 128:
        assert error["channel_id"] == named
    else:
        assert "channel_id" not in error
    await send(server, "user", CHANNEL, "all well")
    assert (await client.frame())["data"]["content"] == "all well"


async def test_an_error_speaks_of_the_documents_fields(server):
    """What was wrong with a field is said under the name that the client knows."""
    client = await channel_client(server, "user")
    error = await client.ask({"type": "join_channel", "channel_id": 7})
    assert "channel_id: Not a valid string." in error["data"]["message"]
    assert "conversation" not in error["data"]["message"]


async def test_a_connection_joins_so_many_channels(serve):
    """Beyond the setting each further join is refused, and those joined before stay."""
    server = await serve(channels_per_connection=3, messages_per_s=100)
    client = await channel_client(server, "user")
    kinds = [(await client.ask(JOIN | {"channel_id": f"c{n}"}))["type"] for n in range(5)]
    assert kinds == ["channel_joined"] * 3 + ["error"] * 2
    _, stats = await server.call(None, "GET", "/api/v1/ws/stats")
    assert stats["data"]["channels"] == {"c0": 1, "c1": 1, "c2": 1}


async def test_a_user_has_so_many_connections(serve):
    """One more than the setting is refused with 429; others' connections do not count."""
    server = await serve(connections_per_user=2)
    clients = [await channel_client(server, "user", CHANNEL) for _ in range(2)]
    with pytest.raises(WSServerHandshakeError) as caught:
        await channel_client(server, "user")
    assert caught.value.status == 429
    assert await channel_client(server, "other")
    for client in clients:
        assert await hears_nothing_more(client)
