"""Raw clients that come back with `?since=`: every frame has a cursor, and nothing is missed."""

import json

import pytest

from app.legacy.registry import dialects
from tests.chat_doors import befriend, conversation_client, email_of
from tests.frames import golden
from tests.network import Network


async def opened(server, name, path, since, **query):
    """Connect as `name`; `{user_id}` of the path is its account."""
    account = await server.account(name)
    query = "".join(f"&channel_id={each}" for each in query.get("channels", ()))
    target = path.replace("{user_id}", account.id)
    return await server.open_at(f"{target}?token={server.issue(account)}&since={since}{query}")


async def caught_up(client):
    """Return the frames up to the one that says that these are all."""
    frames = []
    while True:
        text = await client.text()
        frame = json.loads(text)
        # The last member, so that a client can cut it off.
        assert text.endswith(f',"cursor":{json.dumps(frame["cursor"])}}}')
        if frame.get("type", frame.get("event")) in ("cursor", "gap"):
            return frames, frame
        frames.append(frame)


async def react(server, story_id, *emojis):
    for emoji in emojis:
        path = f"/stories/{story_id}/reactions"
        status, _ = await server.call(await server.token("fan"), "POST", path, {"emoji": emoji})
        assert status == 200


def emojis(frames):
    return [frame["data"]["emoji"] for frame in frames]


EMOJIS = ["❤️", "👍", "🔥", "🎉", "😀"]


async def test_who_comes_back_gets_what_it_has_missed(server):
    """Each frame is the documented one with a cursor behind it; each cursor is a place to go on."""
    story_id = await server.story(await server.token("author"))
    client = await opened(server, "author", "/ws", "")
    (connected,), start = await caught_up(client)
    assert connected["type"] == "connected"
    await react(server, story_id, EMOJIS[0])
    first = await client.frame()
    assert list(first) == ["type", "data", "timestamp", "cursor"]
    await client.socket.close()
    await react(server, story_id, *EMOJIS[1:3])
    client = await opened(server, "author", "/ws", first["cursor"])
    (connected, *missed), end = await caught_up(client)
    assert connected["cursor"] == first["cursor"]
    assert emojis(missed) == EMOJIS[1:3]
    assert missed[-1]["cursor"] == end["cursor"]
    await react(server, story_id, EMOJIS[3])
    assert emojis([await client.frame()]) == EMOJIS[3:4]
    for cursor, expected in (
        (start["cursor"], EMOJIS[:4]),
        (missed[0]["cursor"], EMOJIS[2:4]),
        (connected["cursor"], EMOJIS[1:4]),
    ):
        (_, *missed), _ = await caught_up(await opened(server, "author", "/ws", cursor))
        assert emojis(missed) == expected


async def test_answers_have_the_cursor_too(server):
    """Of the client's own messages, refusals among them."""
    client = await opened(server, "author", "/ws", "")
    _, end = await caught_up(client)
    pong = await client.ask({"type": "ping"})
    assert list(pong) == ["type", "data", "cursor"]
    assert pong["cursor"] == end["cursor"]
    assert list(await client.ask({"type": "nonsense"}))[-1] == "cursor"


async def test_without_it_frames_are_as_documented(server):
    """Beside a client with a cursor, in the same room."""
    story_id = await server.story(await server.token("author"))
    plain = await conversation_client(server, "author")
    raw = await server.raw(await server.token("fan"))
    story = await server.story(await server.token("fan"))
    other = await opened(server, "author", "/ws/{user_id}", "")
    await caught_up(other)
    await react(server, story_id, EMOJIS[0])
    await server.call(await server.token("author"), "POST", f"/stories/{story}/view")
    viewed = await raw.text()
    documented = json.loads(golden("notifications", "story.viewed"))
    assert list(json.loads(viewed)) == list(documented)
    friends = await befriend(server, "author", "fan")
    message = {"conversation_id": friends, "content": "hello"}
    await server.call(await server.token("fan"), "POST", "/api/v1/messages", message)
    shown = None
    while shown is None or shown["event"] != "new_message":
        shown = await plain.frame()
        assert "cursor" not in shown
    told = None
    while told is None or told["event"] != "new_message":
        told = await other.frame()
    assert told == {**shown, "cursor": told["cursor"]}


async def test_a_cut_network_loses_nothing(server, listening):
    """Connections are reset while events go out; frame by frame the client remembers its place."""
    network = await Network(server.url).start()
    try:
        story_id = await server.story(await server.token("author"))
        token = await server.token("author")
        cursor, heard = "", []
        for round_number in range(5):
            client = await listening.doors(network.url).open_at(f"/ws?token={token}&since={cursor}")
            frames, end = await caught_up(client)
            heard += frames
            cursor = end["cursor"]
            await react(server, story_id, EMOJIS[round_number])
            if round_number % 2:
                # Read before the cut; in the other rounds it is lost on the way.
                frame = await client.frame()
                heard.append(frame)
                cursor = frame["cursor"]
            network.cut()
        frames, _ = await caught_up(await opened(server, "author", "/ws", cursor))
        heard += frames
        assert emojis(frame for frame in heard if frame["type"] == "story.reacted") == EMOJIS
    finally:
        await network.stop()


async def test_channels_named_in_the_url_are_caught_up_with(server):
    """A client that has joined several names them all when it comes back."""
    ben = await server.token("ben")

    async def post(channel, text):
        message = {"channel_id": channel, "content": text}
        assert (await server.call(ben, "POST", "/api/v1/messages", message))[0] == 201

    client = await opened(server, "ann", "/api/v1/ws", "", channels=["one", "two"])
    joined, end = await caught_up(client)
    assert [frame["channel_id"] for frame in joined] == ["one", "two"]
    await client.socket.close()
    for channel, text in (("one", "a"), ("two", "b"), ("three", "c"), ("one", "d")):
        if channel == "three":
            await server.socketio(ben, namespace="/chat")
            await server.call(ben, "POST", "/api/v1/channels", {"name": channel})
        await post(channel, text)
    client = await opened(server, "ann", "/api/v1/ws", end["cursor"], channels=["one", "two"])
    frames, _ = await caught_up(client)
    messages = [frame for frame in frames if frame["type"] == "new_message"]
    assert [(each["channel_id"], each["data"]["content"]) for each in messages] == [
        ("one", "a"), ("two", "b"), ("one", "d"),
    ]  # fmt: skip
    assert messages[0]["data"]["user_email"] == email_of("ben")


async def test_a_conversation_is_caught_up_with(server):
    """The rooms of an account's channels are entered before what was missed is sent."""
    friends = await befriend(server, "ann", "ben")
    ann, ben = await server.token("ann"), await server.token("ben")
    await server.call(ann, "POST", "/api/v1/channels", {"name": "lobby"})
    client = await opened(server, "ann", "/ws/{user_id}", "")
    _, end = await caught_up(client)
    await client.socket.close()
    for name, text in ((friends, "direct"), ("lobby", "in the channel")):
        message = {"conversation_id": name, "content": text}
        assert (await server.call(ben, "POST", "/api/v1/messages", message))[0] == 201
    frames, _ = await caught_up(await opened(server, "ann", "/ws/{user_id}", end["cursor"]))
    contents = [frame["content"] for frame in frames if frame["event"] == "new_message"]
    assert contents == ["direct", "in the channel"]


@pytest.mark.parametrize("dialect", dialects(), ids=lambda dialect: dialect.name)
@pytest.mark.parametrize("since", ["nonsense", "0123456789ab-7", "-1", "%22%7D"])
async def test_what_cannot_be_filled_is_announced(server, dialect, since):
    """With what to fetch, and the cursor to go on with."""
    path = dialect.path
    client = await opened(server, "ann", path, since)
    _, gap = await caught_up(client)
    assert gap[dialect.type_field] == "gap"
    assert gap["fetch"] == list(dialect.fetches) != []
    again = await opened(server, "ann", path, gap["cursor"])
    _, end = await caught_up(again)
    assert end[dialect.type_field] == "cursor"


async def test_more_than_is_kept_is_a_gap(serve):
    """The history is bounded; so is what is sent at once."""
    server = await serve(history_bytes=5000)
    author = await server.token("author")
    client = await opened(server, "author", "/ws", "")
    _, end = await caught_up(client)
    await client.socket.close()
    for _ in range(10):
        await server.story(author)
    _, gap = await caught_up(await opened(server, "author", "/ws", end["cursor"]))
    assert gap["type"] == "gap"


async def test_an_idle_client_is_told_how_far_it_is(serve):
    """Else its cursor would be older than what is kept, though it has missed nothing."""
    server = await serve(raw_ping_interval_s=0.1)
    client = await opened(server, "author", "/ws", "")
    _, end = await caught_up(client)
    # Events that the dialect has no frame for.
    await server.story(await server.token("author"))
    frame = await client.frame()
    assert (frame["type"], list(frame)) == ("cursor", ["type", "cursor"])
    while frame["cursor"] == end["cursor"]:
        frame = await client.frame()
