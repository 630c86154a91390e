"""`/ws/{user_id}` of a whole server: conversations as in docs/older-apis/conversation-chat.md."""

import json
import re

import pytest
from aiohttp import WSMsgType

from tests.app.identity.jwks_server import PROJECT, JwksServer
from tests.chat_doors import (
    befriend,
    channel_client,
    conversation_client,
    conversation_of,
    drop,
    send,
    socket_client,
)
from tests.frames import golden, spelled
from tests.live import PATIENCE_S

PHONE = "+84912345678"
HEARTBEAT = golden("conversations", "sent/heartbeat")
HEARTBEAT_ACK = golden("conversations", "heartbeat_ack")


@pytest.fixture
async def jwks():
    """Firebase's keys, and who signs with them."""
    made = JwksServer()
    made.add_key("one")
    await made.server.start_server()
    yield made
    await made.server.close()


def frame_of(name, **values):
    """Return a golden frame with values of its own."""
    frame = json.loads(golden("conversations", name))
    assert values.keys() <= frame.keys()
    return json.dumps(frame | values)


async def is_alive(client):
    """Whether the next frame answers a heartbeat: nothing else was told, and it is kept."""
    await client.send(HEARTBEAT)
    return spelled(await client.text()) == HEARTBEAT_ACK


async def refusal(client):
    """Return the code of a connection that is upgraded, then closed with a reason."""
    message = await client.socket.receive(PATIENCE_S)
    assert message.type is WSMsgType.CLOSE
    assert message.extra
    return message.data


async def friends(server, *names):
    """Return the ids of a new conversation and of its members, and a client for each."""
    conversation_id = await befriend(server, *names)
    if len(names) > 2:
        conversation_id = await conversation_of(server, *names)
    clients = [await conversation_client(server, name) for name in names]
    # Each hears of those who came after.
    for position, client in enumerate(clients):
        for _ in clients[position + 1 :]:
            assert (await client.frame())["event"] == "user_status_change"
    ids = [(await server.account(name)).public_id for name in names]
    return conversation_id, ids, clients


@pytest.mark.parametrize(
    "target",
    [
        f"/ws/{PHONE}?token={PHONE}",
        "/ws/%2B84912345678?token=%2B84912345678",
        "/ws/84912345678?token=84912345678",
        "/ws/0912345678?token=0912345678",
    ],
)
async def test_a_phone_number_is_enough_for_a_developer(server, target):
    """The URL works as printed, and the account is known by its number in E.164."""
    client = await server.open_at(target)
    assert await is_alive(client)
    account = await server.accounts.find_by_phone(PHONE)
    assert account.public_id == PHONE


async def test_the_path_may_name_the_account_in_several_ways(server):
    """By its id, its phone number and its public id, with one token."""
    account = await server.accounts.sign_up("user@example.com", "password123", phone=PHONE)
    assert account.public_id == account.id
    token = server.issue(account)
    for user_id in (account.id, PHONE, "%2B84912345678"):
        assert await is_alive(await server.open_at(f"/ws/{user_id}?token={token}"))
    assert await refusal(await server.open_at(f"/ws/user@example.com?token={token}")) == 4002


async def test_firebase_users_come_in_in_production(serve, jwks):
    """Their ID token is the token, their uid the path and the name by which others know them."""
    server = await serve(
        environment="production", firebase_project_id=PROJECT, firebase_jwks_url=jwks.url
    )
    client = await server.open_at(f"/ws/uid-A?token={jwks.token()}")
    assert await is_alive(client)
    other = await server.accounts.find_or_create_by_firebase("uid-B")
    assert (
        await refusal(await server.open_at(f"/ws/{other.public_id}?token={jwks.token()}")) == 4002
    )
    expired = jwks.token(exp=1_700_000_000)
    assert await refusal(await server.open_at(f"/ws/uid-A?token={expired}")) == 4001


@pytest.mark.parametrize("query", ["", "?token=", "?token=nonsense", "?token=%2B84912345678"])
async def test_no_token_or_a_bad_one_is_closed_with_4001(serve, query):
    """The connection is upgraded and closed; a phone number proves nothing in production."""
    server = await serve(environment="production")
    assert await refusal(await server.open_at(f"/ws/{PHONE}{query}")) == 4001
    assert await server.accounts.find_by_phone(PHONE) is None


async def test_a_development_server_wants_a_token_as_well(server):
    """The path alone lets nobody in, and numbers of other countries are no tokens."""
    for target in (f"/ws/{PHONE}", "/ws/+441632960961?token=+441632960961", "/ws/1?token=1"):
        assert await refusal(await server.open_at(target)) == 4001


async def test_a_token_of_another_user_is_closed_with_4002(server):
    """The token must be that of the user in the path."""
    user, other = await server.account("user"), await server.account("other")
    for user_id in (other.id, PHONE, "nobody"):
        client = await server.open_at(f"/ws/{user_id}?token={server.issue(user)}")
        assert await refusal(client) == 4002
    assert await refusal(await server.open_at(f"/ws/{user.id}?token={PHONE}")) == 4002


async def test_a_disabled_account_is_closed_with_4003(serve):
    """Both the one that comes and the one that is there."""
    server = await serve(revocation_check_s=0.05)
    account = await server.account("user")
    target = f"/ws/{account.id}?token={server.issue(account)}"
    client = await server.open_at(target)
    assert await is_alive(client)
    await server.accounts.disable(account.id)
    assert await client.closed() == 4003
    assert await refusal(await server.open_at(target)) == 4003


async def test_a_user_has_so_many_connections(serve):
    """One more than the setting is closed with 1008, those that are there go on."""
    server = await serve(connections_per_user=2)
    account = await server.account("user")
    target = f"/ws/{account.id}?token={server.issue(account)}"
    clients = [await server.open_at(target) for _ in range(2)]
    assert await refusal(await server.open_at(target)) == 1008
    for client in clients:
        assert await is_alive(client)
    await clients[0].socket.close()
    # The place is free when the server has read the goodbye, which it answers.
    assert await is_alive(await server.open_at(target))


async def test_a_user_connects_so_often(serve):
    """As often in a minute as it takes to open all connections five times, then 1008."""
    server = await serve(connections_per_user=1, connects_per_minute=2)
    account = await server.account("user")
    target = f"/ws/{account.id}?token={server.issue(account)}"
    for _ in range(2):
        client = await server.open_at(target)
        assert await is_alive(client)
        await client.socket.close()
    assert await refusal(await server.open_at(target)) == 1008


async def test_a_plain_request_is_told_to_upgrade(server):
    """A browser that opens the URL as a page gets 426."""
    assert (await server.call(None, "GET", f"/ws/{PHONE}"))[0] == 426


async def test_a_message_reaches_all_members(server):
    """Also its author, in the documented frame; nobody else hears of it."""
    conversation_id, ids, clients = await friends(server, "ann", "ben")
    stranger = await conversation_client(server, "eve")
    message = await send(server, "ann", conversation_id, "hello")
    expected = frame_of(
        "new_message",
        conversationId=conversation_id,
        messageId=message["id"],
        senderId=ids[0],
        content="hello",
        messageType="text",
        timestamp=f"{message['created_at'][:19]}Z",
    )
    for client in clients:
        assert spelled(await client.text()) == expected
    assert await is_alive(stranger)


async def test_people_are_known_by_their_public_ids(server):
    """Somebody who came by phone is that phone number to others."""
    phone = await server.open_at(f"/ws/{PHONE}?token={PHONE}")
    assert await is_alive(phone)
    body = {"participants": [PHONE], "title": "by phone"}
    token = await server.token("ann")
    _, conversation = await server.call(token, "POST", "/api/v1/conversations", body)
    ann = await conversation_client(server, "ann")
    assert (await phone.frame())["event"] == "user_status_change"
    await phone.send({"event": "typing", "conversationId": conversation["id"]})
    expected = frame_of("typing", conversationId=conversation["id"], userId=PHONE)
    assert spelled(await ann.text()) == expected


async def test_typing_reaches_the_others_only(server):
    """Not the one who types, on no device, and it leaves nothing in the history."""
    conversation_id, ids, (ann, ben, cat) = await friends(server, "ann", "ben", "cat")
    ann_too = await conversation_client(server, "ann")
    await ann.send(
        json.loads(golden("conversations", "sent/typing")) | {"conversationId": conversation_id}
    )
    for client in (ben, cat):
        expected = frame_of("typing", conversationId=conversation_id, userId=ids[0])
        assert spelled(await client.text()) == expected
    assert await is_alive(ann)
    assert await is_alive(ann_too)
    path = f"/api/v1/conversations/{conversation_id}/messages"
    _, history = await server.call(await server.token("ben"), "GET", path)
    assert (history["items"], history["seq"]) == ([], 0)


async def test_reading_moves_the_mark_and_tells_the_others(server):
    """The mark goes up to the message, and not back; each step is told once."""
    conversation_id, ids, (ann, ben) = await friends(server, "ann", "ben")
    messages = [await send(server, "ann", conversation_id, text) for text in "abc"]
    for client in (ann, ben):
        assert [(await client.frame())["content"] for _ in messages] == ["a", "b", "c"]
    read = json.loads(golden("conversations", "sent/message_read"))
    for message in (messages[1], messages[0], messages[2]):
        await ben.send(read | {"conversationId": conversation_id, "messageId": message["id"]})
    for message in (messages[1], messages[2]):
        expected = frame_of(
            "message_read",
            conversationId=conversation_id,
            messageId=message["id"],
            userId=ids[1],
        )
        assert spelled(await ann.text()) == expected
    assert await is_alive(ann)
    assert await is_alive(ben)
    path = f"/api/v1/conversations/{conversation_id}"
    _, shown = await server.call(await server.token("ben"), "GET", path)
    assert (shown["read_seq"], shown["unread"]) == (3, 0)


async def test_a_heartbeat_is_acknowledged_and_noted(server, database):
    """It shows a sign of life."""
    client = await conversation_client(server, "ann")
    assert await is_alive(client)
    account = await server.account("ann")
    status = await database["chat_statuses"].find_one({"_id": account.id})
    assert status["last_active_at"]


@pytest.mark.parametrize("status", ["away", "busy"])
async def test_a_status_reaches_everyone_who_shares_a_conversation(server, status):
    """It is acknowledged to the one who says it; a stranger hears nothing."""
    _, ids, (ann, ben) = await friends(server, "ann", "ben")
    stranger = await conversation_client(server, "eve")
    sent = json.loads(golden("conversations", "sent/status_change")) | {"status": status}
    for _ in range(2):
        assert spelled(json.dumps(await ann.ask(sent))) == frame_of(
            "status_change_ack", status=status
        )
    expected = json.loads(frame_of("user_status_change", userId=ids[0], status=status))
    del expected["conversationId"]
    assert await ben.frame() == expected
    assert await is_alive(ben)
    assert await is_alive(stranger)


async def test_presence_is_right_with_two_devices(server):
    """Available with the first, away on both, offline with the last, however that one ends."""
    await conversation_of(server, "ann", "ben")
    ben = await conversation_client(server, "ben")
    ann_id = (await server.account("ann")).public_id
    devices = [await conversation_client(server, "ann") for _ in range(2)]
    assert await devices[1].ask({"event": "status_change", "status": "away"})
    await devices[1].socket.close()
    drop(devices[0])
    heard = [await ben.frame() for _ in range(3)]
    assert [frame["userId"] for frame in heard] == [ann_id] * 3
    assert [frame["status"] for frame in heard] == ["available", "away", "offline"]
    assert await is_alive(ben)


async def test_a_channel_appears_to_those_who_joined_it(server):
    """Under its name, from the moment they join it by another door until they leave it."""
    ann = await conversation_client(server, "ann")
    await channel_client(server, "ben", "general")
    await send(server, "ben", "general", "before")
    channel = await channel_client(server, "ann", "general")
    await send(server, "ben", "general", "while")
    frame = await ann.frame()
    assert (frame["event"], frame["conversationId"]) == ("new_message", "general")
    assert frame["content"] == "while"
    await channel.socket.close()
    await send(server, "ben", "general", "still a member")
    assert (await ann.frame())["content"] == "still a member"
    later = await conversation_client(server, "ann")
    await send(server, "ben", "general", "again")
    for client in (ann, later):
        assert (await client.frame())["content"] == "again"
    token = await server.token("ann")
    assert (await server.call(token, "POST", "/api/v1/channels/general/leave"))[0] == 200
    await send(server, "ben", "general", "after")
    assert await is_alive(ann)
    assert await is_alive(later)


async def test_a_new_member_hears_at_once(server):
    """Somebody invited to a conversation hears it without connecting anew."""
    token = await server.token("ann")
    await server.account("ben")
    body = {"participants": ["ben@example.com"], "title": "a group"}
    _, group = await server.call(token, "POST", "/api/v1/conversations", body)
    cat = await conversation_client(server, "cat")
    await send(server, "ann", group["id"], "without cat")
    path = f"/api/v1/conversations/{group['id']}/participants"
    assert (await server.call(token, "POST", path, {"participants": ["cat@example.com"]}))[0] == 200
    await send(server, "ann", group["id"], "with cat")
    assert (await cat.frame())["content"] == "with cat"


async def test_changes_of_messages_have_no_frame(server):
    """What the document has no word for is not told, and what follows is."""
    conversation_id, _, (_, ben) = await friends(server, "ann", "ben")
    token = await server.token("ann")
    message = await send(server, "ann", conversation_id, "first")
    path = f"/api/v1/messages/{message['id']}"
    await server.call(token, "PUT", path, {"content": "changed"})
    await server.call(token, "POST", f"{path}/reactions", {"emoji": "❤️"})
    await server.call(token, "DELETE", path)
    await send(server, "ann", conversation_id, "second")
    assert [(await ben.frame())["content"] for _ in range(2)] == ["first", "second"]


@pytest.mark.parametrize(
    ("message", "pattern"),
    [
        ("{", "JSON"),
        ("[]", "object"),
        ({}, "Known events: typing, message_read, heartbeat, status_change"),
        ({"event": "new_message", "content": "x"}, "Known events"),
        ({"event": {"$gt": ""}}, "Known events"),
        ({"type": "heartbeat"}, "Known events"),
        ({"event": "typing"}, "conversationId: Missing"),
        ({"event": "typing", "conversationId": 7}, "conversationId: Not a valid string"),
        ({"event": "typing", "conversationId": f"c-{'0' * 32}"}, "no such conversation"),
        ({"event": "message_read", "conversationId": "general"}, "messageId: Missing"),
        (
            {"event": "message_read", "conversationId": "general", "messageId": "nonsense"},
            "no such message",
        ),
        ({"event": "status_change"}, "status: Missing"),
        ({"event": "status_change", "status": "offline"}, "status: Must be one of"),
        ({"event": "status_change", "status": ["away"]}, "status: Not a valid string"),
    ],
    ids=lambda value: str(value)[:60],
)
async def test_a_bad_message_gets_the_error_frame(server, message, pattern):
    """It says what is wrong in the document's own words, and the connection is kept."""
    client = await conversation_client(server, "ann")
    error = await client.ask(message)
    assert error.keys() == json.loads(golden("conversations", "error")).keys()
    assert error["event"] == "error"
    assert re.search(pattern, error["message"])
    assert await is_alive(client)


async def test_outsiders_do_nothing_to_a_conversation(server):
    """They can neither type nor read in it, and its members hear nothing of the attempt."""
    conversation_id, _, (ann, _) = await friends(server, "ann", "ben")
    message = await send(server, "ben", conversation_id, "hello")
    assert (await ann.frame())["content"] == "hello"
    eve = await conversation_client(server, "eve")
    for attempt in (
        {"event": "typing", "conversationId": conversation_id},
        {"event": "message_read", "conversationId": conversation_id, "messageId": message["id"]},
    ):
        assert (await eve.ask(attempt))["event"] == "error"
    assert await is_alive(ann)


async def test_binary_and_repeated_rubbish(serve):
    """Binary gets the error frame; who goes on with rubbish is closed with 1008 in the end."""
    server = await serve(messages_per_s=1000)
    client = await conversation_client(server, "ann")
    await client.socket.send_bytes(HEARTBEAT.encode())
    assert (await client.frame())["event"] == "error"
    assert await is_alive(client)
    for _ in range(60):
        await client.send("?")
    assert await client.closed() == 1008


async def test_somebody_on_socketio_is_there_for_these_clients(server):
    """Presence is one for all doors: coming by `/chat` makes available, going offline."""
    _, ids, (ann, ben) = await friends(server, "ann", "ben")
    await ben.socket.close()
    assert (await ann.frame())["status"] == "offline"
    other = await socket_client(server, "ben")
    again = await ann.frame()
    assert (again["userId"], again["status"]) == (ids[1], "available")
    await other.client.disconnect()
    assert (await ann.frame())["status"] == "offline"
