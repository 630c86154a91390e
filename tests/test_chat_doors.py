"""One conversation, and somebody at each door of it: `/chat`, both legacy dialects, REST."""

import asyncio
import json

import pytest

from tests.chat_doors import (
    channel_client,
    conversation_client,
    conversation_of,
    email_of,
    send,
    socket_client,
)
from tests.frames import golden

EACH = 10


def shape(dialect, name="new_message"):
    """Return the fields of a golden frame, nested ones included."""
    frame = json.loads(golden(dialect, name))
    return [list(frame), list(frame.get("data", {}))]


class Doors:
    """Somebody at each door, in the same conversation."""

    def __init__(self, socket, channel, conversation):
        self.socket = socket
        self.channel = channel
        self.conversation = conversation

    async def messages(self, count):
        """Return what each door tells of the next `count` messages: id, author, content."""
        return [
            [await self._by_socketio() for _ in range(count)],
            [await self._by_channel() for _ in range(count)],
            [await self._by_conversation() for _ in range(count)],
        ]

    async def _by_socketio(self):
        while True:
            name, message = await self.socket.event()
            if name == "new_message":
                # Of our own API nobody in a channel or a group learns an e-mail.
                assert message["author_email"] is None
                return message["id"], message["author_id"], message["content"]

    async def _by_channel(self):
        while (frame := await self.channel.frame())["type"] != "new_message":
            pass
        assert [list(frame), list(frame["data"])] == shape("channels")
        data = frame["data"]
        return data["id"], data["user_email"], data["content"]

    async def _by_conversation(self):
        while (frame := await self.conversation.frame())["event"] != "new_message":
            pass
        assert [list(frame), []] == shape("conversations")
        return frame["messageId"], frame["senderId"], frame["content"]


@pytest.fixture(params=["channel", "conversation"])
async def place(request, serve):
    """A server, and the id of a place that ann, ben and cat belong to."""
    server = await serve(messages_per_s=1000)
    if request.param == "conversation":
        return server, await conversation_of(server, "ann", "ben", "cat")
    for name in ("ann", "ben", "cat"):
        client = await channel_client(server, name, "general")
        await client.socket.close()
    return server, "general"


async def at_each_door(server, place_id):
    """Put ann on Socket.IO, ben on the channel dialect, cat on the conversation dialect."""
    cat = await conversation_client(server, "cat")
    ben = await channel_client(server, "ben", place_id)
    ann = await socket_client(server, "ann")
    assert "data" in await ann.call("join_channel", {"channel_id": place_id})
    return Doors(ann, ben, cat)


async def test_a_message_by_any_door_is_heard_at_all(place):
    """Each door tells it once, in its own frame, in the order of `seq` that history has."""
    server, place_id = place
    doors = await at_each_door(server, place_id)
    ann_token, cat_token = await server.token("ann"), await server.token("cat")

    async def by_socketio():
        for number in range(EACH):
            payload = {"conversation_id": place_id, "content": f"ann {number}"}
            assert "data" in await doors.socket.call("send_message", payload)

    async def by_channel_rest():
        for number in range(EACH):
            await send(server, "ben", place_id, f"ben {number}")

    async def by_conversation_rest():
        for number in range(EACH):
            path = f"/api/v1/conversations/{place_id}/messages"
            body = {"content": f"cat {number}", "messageType": "text"}
            assert (await server.call(cat_token, "POST", path, body))[0] == 201

    heard, *_ = await asyncio.gather(
        doors.messages(3 * EACH), by_socketio(), by_channel_rest(), by_conversation_rest()
    )
    path = f"/api/v1/messages?channel_id={place_id}&limit=100"
    _, history = await server.call(ann_token, "GET", path)
    messages = history["data"]
    assert [message["seq"] for message in messages] == list(range(1, 3 * EACH + 1))
    emails = {(await server.account(name)).id: email_of(name) for name in ("ann", "ben", "cat")}
    by_id = [(message["id"], message["author_id"], message["content"]) for message in messages]
    by_email = [(message_id, emails[author], content) for message_id, author, content in by_id]
    assert heard == [by_id, by_email, by_id]
    own = emails[(await server.account("ann")).id]
    assert {message["user_email"] for message in messages} == {None, own}
    for name in ("ann", "ben", "cat"):
        said = [content for _, _, content in by_email if content.startswith(name)]
        assert said == [f"{name} {number}" for number in range(EACH)]


async def test_a_retry_is_heard_once(place):
    """A message sent again with its `client_id` is told at no door a second time."""
    server, place_id = place
    doors = await at_each_door(server, place_id)
    payload = {"conversation_id": place_id, "content": "once", "client_id": "1"}
    answers = [await doors.socket.call("send_message", payload) for _ in range(3)]
    assert answers[0] == answers[1] == answers[2]
    await send(server, "ben", place_id, "after")
    for heard in await doors.messages(2):
        assert [content for _, _, content in heard] == ["once", "after"]


async def test_typing_and_reading_cross_the_doors(place):
    """What one does on the conversation dialect is an event on Socket.IO, and the other way."""
    server, place_id = place
    doors = await at_each_door(server, place_id)
    message = await send(server, "ben", place_id, "read me")
    for ((message_id, _, _),) in await doors.messages(1):
        assert message_id == message["id"]
    ann, cat = await server.account("ann"), await server.account("cat")
    await doors.conversation.send({"event": "typing", "conversationId": place_id})
    await doors.conversation.send(
        {"event": "message_read", "conversationId": place_id, "messageId": message["id"]}
    )
    heard = {}
    while "message_read" not in heard:
        name, data = await doors.socket.event()
        heard[name] = data
    for name in ("typing", "message_read"):
        assert (heard[name]["conversation_id"], heard[name]["user_id"]) == (place_id, cat.id)
    assert heard["message_read"]["seq"] == 1
    await doors.socket.call("typing", {"conversation_id": place_id})
    await doors.socket.call("message_read", {"message_id": message["id"]})
    expected = [
        {"event": "typing", "conversationId": place_id, "userId": ann.public_id},
        {
            "event": "message_read",
            "conversationId": place_id,
            "messageId": message["id"],
            "userId": ann.public_id,
        },
    ]
    assert [await doors.conversation.frame() for _ in expected] == expected


async def test_who_is_there_is_the_same_at_all_doors(server):
    """The snapshot of `/chat` counts the clients of the channel dialect, and sees them drop."""
    ben = await channel_client(server, "ben", "general")
    ann = await socket_client(server, "ann")
    snapshot = (await ann.call("join_channel", {"channel_id": "general"}))["data"]
    present = [(person["user_id"], person["user_email"]) for person in snapshot["present"]]
    ids = [(await server.account(name)).id for name in ("ann", "ben")]
    assert sorted(present) == sorted((account_id, None) for account_id in ids)
    assert (await ben.frame())["user_email"] == email_of("ann")
    assert [(await ann.event())[0] for _ in range(2)] == ["channel_joined", "member_added"]
    await ben.socket.close()
    name, left = await ann.event()
    assert (name, left["user_id"], left["user_email"]) == ("channel_left", ids[1], None)
