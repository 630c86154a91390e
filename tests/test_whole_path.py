"""One process, every kind of client, one set of rooms."""

import asyncio
import json

import pytest

from tests.frames import golden
from tests.live import HELLO

EMOJI = "❤️"
POLLING_FIRST = ("polling", "websocket")


def story_of(event):
    name, data = event
    return name, data["story_id"]


async def test_a_reaction_over_rest_is_heard_once_at_every_door(server):
    """The author's raw client, and Socket.IO on each transport, hear it once; the fan does not."""
    author, fan = await server.token("author"), await server.token("fan")
    raw = await server.raw(author)
    clients = [
        await server.socketio(author, transports=transports)
        for transports in (("websocket",), POLLING_FIRST, ("polling",))
    ]
    bystanders = [await server.socketio(fan), await server.raw(fan)]
    story_id = await server.story(
        author, visibility="PRIVATE", audience_user_ids=[(await server.account("fan")).id]
    )
    status, reaction = await server.call(
        fan, "POST", f"/stories/{story_id}/reactions", {"emoji": EMOJI}
    )
    assert status == 200
    again = await server.call(fan, "POST", f"/stories/{story_id}/reactions", {"emoji": EMOJI})
    assert again == (200, reaction)
    status, view = await server.call(fan, "POST", f"/stories/{story_id}/view")
    assert status == 200

    fan_id = (await server.account("fan")).id
    expected = json.loads(golden("notifications", "story.reacted"))
    whole_seconds = reaction["reacted_at"][:19] + "Z"
    expected["data"] |= {"story_id": story_id, "user_id": fan_id, "reacted_at": whole_seconds}
    assert await raw.frame() == expected | {"timestamp": whole_seconds}
    assert (await raw.frame())["type"] == "story.viewed"
    for client in clients:
        assert story_of(await client.event()) == ("story.created", story_id)
        assert await client.event() == ("story.reacted", reaction)
        assert await client.event() == ("story.viewed", view)
    assert story_of(await bystanders[0].event()) == ("story.created", story_id)
    # Had the fan been told of anything before, it would come before this.
    await server.call(author, "DELETE", f"/stories/{story_id}")
    assert story_of(await bystanders[0].event()) == ("story.deleted", story_id)
    assert (await bystanders[1].ask({"type": "ping"}))["type"] == "pong"


async def test_a_command_is_heard_like_a_request(server):
    """It makes no difference to the author by which entry point somebody reacted."""
    author, fan = await server.token("author"), await server.token("fan")
    raw, listener = await server.raw(author), await server.socketio(author)
    caller = await server.socketio(fan)
    created = await listener.call("create_story", HELLO)
    story_id = created["data"]["id"]
    answer = await caller.call("react", {"story_id": story_id, "emoji": EMOJI})
    assert set(answer) == {"data"}
    assert set(answer["data"]) == {"story_id", "user_id", "user", "emoji", "reacted_at"}
    assert story_of(await listener.event()) == ("story.created", story_id)
    assert await listener.event() == ("story.reacted", answer["data"])
    assert (await raw.frame())["data"]["emoji"] == EMOJI


async def test_a_story_is_told_to_those_who_may_see_it_only(server):
    """A private story reaches author and audience; the next public one is all others hear."""
    tokens = {name: await server.token(name) for name in ("author", "friend", "stranger")}
    clients = {name: await server.socketio(token) for name, token in tokens.items()}
    friend_id = (await server.account("friend")).id
    private = await server.story(
        tokens["author"], visibility="PRIVATE", audience_user_ids=[friend_id]
    )
    await server.call(tokens["friend"], "POST", f"/stories/{private}/view")
    await server.call(tokens["author"], "DELETE", f"/stories/{private}")
    public = await server.story(tokens["author"])
    heard = {
        "author": ["story.created", "story.viewed", "story.deleted"],
        "friend": ["story.created", "story.deleted"],
        "stranger": [],
    }
    for name, events in heard.items():
        for event in events:
            assert story_of(await clients[name].event()) == (event, private)
        assert story_of(await clients[name].event()) == ("story.created", public)


async def test_own_views_and_reactions_tell_nobody(server):
    """What authors do to their own stories sends nothing (docs/older-apis/stories-events.md)."""
    author, fan = await server.token("author"), await server.token("fan")
    raw, client = await server.raw(author), await server.socketio(author)
    story_id = await server.story(author)
    await server.call(author, "POST", f"/stories/{story_id}/view")
    await server.call(author, "POST", f"/stories/{story_id}/reactions", {"emoji": EMOJI})
    await server.call(fan, "POST", f"/stories/{story_id}/view")
    assert (await raw.frame())["type"] == "story.viewed"
    assert [(await client.event())[0] for _ in range(2)] == ["story.created", "story.viewed"]


async def test_two_devices_of_one_user(server):
    """Each Socket.IO device hears everything; of raw clients the newest one does."""
    author, fan = await server.token("author"), await server.token("fan")
    devices = [await server.socketio(author), await server.socketio(author)]
    old = await server.raw(author)
    new = await server.raw(author)
    assert await old.closed() == 4009
    story_id = await server.story(author)
    await devices[0].client.disconnect()
    await server.call(fan, "POST", f"/stories/{story_id}/view")
    assert (await new.frame())["data"]["story_id"] == story_id
    assert [(await devices[1].event())[0] for _ in range(2)] == ["story.created", "story.viewed"]


async def test_a_bad_client_harms_nobody(server):
    """Clients that are closed for what they send leave the others' news alone."""
    author, fan = await server.token("author"), await server.token("fan")
    raw, client = await server.raw(author), await server.socketio(author)
    flood, bad = await server.raw(fan), await server.raw(await server.token("bad"))
    for _ in range(80):
        await flood.send("{")
    await bad.socket.send_str("x" * (server.settings.limits.message_bytes + 1))
    assert await flood.closed() == 1008
    assert await bad.closed() == 1009
    story_id = await server.story(author)
    await server.call(fan, "POST", f"/stories/{story_id}/view")
    assert (await raw.frame())["data"]["story_id"] == story_id
    assert story_of(await client.event()) == ("story.created", story_id)


@pytest.mark.parametrize("transports", [("websocket",), POLLING_FIRST, ("polling",)], ids=str)
async def test_a_refused_client_learns_why(server, transports):
    """`connect_error` has a code on every transport."""
    account = await server.account("someone")
    await server.accounts.disable(account.id)
    for token, code in (
        ("nonsense", "token_invalid"),
        (server.issue(account, lifetime_s=-1), "token_expired"),
        (server.issue(account), "account_disabled"),
    ):
        client = await server.socketio(token, transports=transports)
        assert client.refusal["data"] == {"code": code}
        assert client.refusal["message"]


async def test_a_hundred_reactions_at_once_are_all_heard(server):
    """Every reaction of a burst arrives once at both kinds of client, in one order."""
    author = await server.token("author")
    fans = [await server.token(f"fan{number}") for number in range(10)]
    raw, client = await server.raw(author), await server.socketio(author)
    stories = [await server.story(author, text=f"story {number}") for number in range(10)]
    for _ in stories:
        assert (await client.event())[0] == "story.created"
    await asyncio.gather(
        *(
            server.call(fan, "POST", f"/stories/{story_id}/reactions", {"emoji": EMOJI})
            for fan in fans
            for story_id in stories
        )
    )
    by_raw = [(await raw.frame())["data"] for _ in range(100)]
    by_socketio = [(await client.event())[1] for _ in range(100)]

    def pairs(heard):
        return [(data["story_id"], data["user_id"]) for data in heard]

    assert pairs(by_raw) == pairs(by_socketio)
    assert len(set(pairs(by_raw))) == 100
