"""The commands of /chat, through the funnel that every transport uses."""

import pytest

from models.rooms import conversation_room, user_room
from namespaces.base import Caller
from namespaces.chat import ChatCommands
from tests.chat_world import ANN, BEN, CHANNEL, EVE, Hall, chat_on

WHERE = {"channel_id": CHANNEL}
HELLO = {**WHERE, "content": "hello"}


@pytest.fixture
def hall():
    return Hall()


@pytest.fixture
async def chat(database, hall, clock):
    made = chat_on(database, hall, clock)
    await made.prepare()
    return made


@pytest.fixture
def commands(chat):
    return ChatCommands(chat)


class Client:
    """A caller with its connection, as a door makes them."""

    def __init__(self, commands, connection):
        self.commands = commands
        self.connection = connection
        self.caller = Caller(connection.identity, connection)

    async def call(self, name, /, **payload):
        return await self.commands.run(self.caller, name, payload)

    async def data(self, name, /, **payload):
        answer = await self.call(name, **payload)
        assert "data" in answer, answer
        return answer["data"]

    async def error(self, name, /, **payload):
        return (await self.call(name, **payload))["error"]["code"]


@pytest.fixture
def connect(commands, hall):
    async def connect(identity):
        client = Client(commands, hall.connect(identity))
        for room in await commands.arrived(client.caller):
            client.connection.enter(room)
        client.connection.take()
        return client

    return connect


def test_everyone_is_in_their_own_room(commands):
    """A connection hears what is said in its account's conversations from the start."""
    assert [*commands.rooms_of(BEN)] == [user_room("2")]


async def test_a_day_in_a_channel(connect):
    """Join, send, edit, react, read, type and delete; each is answered and heard as it is named."""
    ann, ben = await connect(ANN), await connect(BEN)
    for client in (ann, ben):
        snapshot = await client.data("join_channel", **WHERE)
        assert (snapshot["seq"], snapshot["messages"], snapshot["unread"]) == (0, [], 0)
    assert [who["user_id"] for who in snapshot["present"]] == ["1", "2"]
    assert conversation_room(CHANNEL) in ben.connection.rooms
    ann.connection.take()
    ben.connection.take()
    sent = await ann.data("send_message", **HELLO, client_id="x")
    which = {"message_id": sent["id"]}
    edited = await ann.data("edit_message", **which, content="bye")
    await ben.data("react", **which, emoji="👍")
    reacted = await ben.data("unreact", **which, emoji="👍")
    assert await ben.data("message_read", **which) == {
        "conversation_id": CHANNEL,
        "read_seq": 1,
        "unread": 0,
    }
    assert await ben.data("typing", **WHERE) is None
    assert await ben.data("status_change", status="busy") == {"status": "busy"}
    assert await ben.data("heartbeat") is None
    assert (await ben.data("history", **WHERE))["items"] == [reacted]
    assert (await ben.data("changes", **WHERE, after=0))["messages"] == [reacted]
    assert (await ben.data("search", **WHERE, text="BYE"))["items"] == [reacted]
    gone = await ann.data("delete_message", **which)
    assert (await ben.data("leave_channel", **WHERE))["told"] is True
    assert edited["content"] == "bye"
    assert gone["content"] == ""
    assert [name for name, _ in ann.connection.heard] == [
        "new_message",
        "message_updated",
        "message_reacted",
        "message_unreacted",
        "message_read",
        "typing",
        "message_deleted",
        "channel_left",
    ]
    assert [name for name, _ in ben.connection.heard] == [
        "new_message",
        "message_updated",
        "message_reacted",
        "message_unreacted",
        "conversation_read",
        "own_status_change",
        "message_deleted",
        "channel_left",
    ]


async def test_a_conversation_and_its_list(connect):
    """Create, list, invite and leave, by commands alone."""
    ann, ben = await connect(ANN), await connect(BEN)
    made = await ann.data("create_conversation", participants=["2"], title="us")
    where = {"conversation_id": made["id"]}
    assert (await ben.data("list_conversations"))["items"][0]["id"] == made["id"]
    assert (await ben.data("invite", **where, participants=["3"]))["id"] == made["id"]
    assert await ben.data("leave_conversation", **where) is None
    assert (await ben.data("list_conversations"))["items"] == []
    channel = await ann.data("create_channel", name="den", private=True)
    assert (await ann.data("list_channels"))["items"] == [{**channel, "member_count": 1}]
    assert (await ben.data("list_channels"))["items"] == []
    assert await ben.error("join_channel", channel_id="den") == "channel_private"


async def test_following_channels(connect):
    """One command lets a connection hear the account's channels, also those joined later."""
    ann, ben = await connect(ANN), await connect(BEN)
    for client in (ann, ben):
        await client.data("join_channel", **WHERE)
    elsewhere = await connect(BEN)
    assert await elsewhere.data("follow_channels") == {"channel_ids": [CHANNEL]}
    await ann.data("join_channel", channel_id="later")
    await ben.data("join_channel", channel_id="later")
    elsewhere.connection.take()
    for channel_id in (CHANNEL, "later"):
        await ann.data("send_message", **{**HELLO, "channel_id": channel_id})
    heard = elsewhere.connection.take("new_message")
    assert [message["conversation_id"] for message in heard] == [CHANNEL, "later"]


async def test_the_list_shows_how_present_the_other_side_is(connect):
    """The status of the other side of a direct conversation, once it has shown itself."""
    ann, ben = await connect(ANN), await connect(BEN)
    made = await ann.data("create_conversation", participants=["2"])
    await ben.data("status_change", status="busy")

    async def status(client):
        return (await client.data("list_conversations"))["items"][0]["status"]

    assert (await status(ann), await status(ben)) == ("offline", "available")
    await ben.data("accept_conversation", conversation_id=made["id"])
    assert await status(ann) == "busy"


async def test_an_end_without_goodbye(connect, chat):
    """A connection that drops leaves its channels, and is offline when it was the last."""
    ann, ben = await connect(ANN), await connect(BEN)
    for client in (ann, ben):
        await client.data("join_channel", **WHERE)
    ann.connection.take()
    ben.connection.end()
    await ben.commands.left(ben.caller)
    await ben.commands.left(ben.caller)
    assert ann.connection.take_names() == ["channel_left"]
    assert await chat.presence.status("2") == "offline"
    assert await ben.error("join_channel", **WHERE) == "connection_gone"


@pytest.mark.parametrize(
    ("name", "payload", "code"),
    [
        ("dance", {}, "unknown_command"),
        ("follow", {}, "unknown_command"),
        ("join_channel", {}, "invalid"),
        ("join_channel", {"channel_id": 5}, "invalid"),
        ("join_channel", {"channel_id": "a b"}, "conversation_not_found"),
        ("join_channel", {"channel_id": "c-" + "0" * 32}, "conversation_not_found"),
        ("leave_channel", WHERE, "not_joined"),
        ("send_message", HELLO | {"content": "x" * 65_536}, "invalid"),
        ("send_message", HELLO | {"content": "\ud800"}, "invalid"),
        ("send_message", HELLO | {"message_type": "html"}, "invalid"),
        ("send_message", HELLO | {"reply_to": "x"}, "invalid"),
        ("edit_message", {"message_id": "x", "content": "y"}, "message_not_found"),
        ("delete_message", {"message_id": "general:1"}, "message_not_found"),
        ("delete_message", {"message_id": f"{CHANNEL}:{'9' * 100}"}, "message_not_found"),
        ("delete_message", {"message_id": f"{CHANNEL}:²"}, "message_not_found"),
        ("react", {"message_id": "general:0000000007", "emoji": "👍"}, "message_not_found"),
        ("unreact", {"message_id": "?", "emoji": "👍"}, "message_not_found"),
        ("message_read", {"message_id": "?"}, "message_not_found"),
        ("status_change", {"status": "offline"}, "invalid"),
        ("heartbeat", {"x": 1}, "invalid"),
        ("history", {**WHERE, "limit": 1000}, "invalid"),
        ("typing", {"conversation_id": "?"}, "conversation_not_found"),
        ("create_conversation", {"participants": ["nobody"]}, "invalid"),
        ("create_channel", {"name": "?"}, "invalid"),
        ("invite", {**WHERE, "participants": ["2"]}, "not_by_invitation"),
        ("leave_conversation", {"conversation_id": "nowhere"}, "conversation_not_found"),
    ],
)
async def test_bad_input_is_refused_and_does_nothing(connect, database, name, payload, code):
    """A wrong call is answered with its code; nobody hears of it and nothing is written."""
    eve, listener = await connect(EVE), await connect(ANN)
    await listener.data("join_channel", **WHERE)
    listener.connection.take()
    kept = ("conversations", "chat_members", "chat_messages", "chat_changes", "chat_sends")
    before = [await database[name].count_documents({}) for name in kept]
    assert await eve.error(name, **payload) == code
    assert [await database[name].count_documents({}) for name in kept] == before
    assert listener.connection.take() == []
