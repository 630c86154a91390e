"""The Socket.IO door: who gets in, what is answered, and who is put out."""

import asyncio
import logging
import time

import pytest

from app.realtime import inbox
from namespaces.conduct import SLOW_AT_ONCE
from tests.live import PATIENCE_S


@pytest.mark.parametrize(
    ("auth", "code"),
    [
        (None, "token_missing"),
        ({}, "token_missing"),
        ({"token": None}, "token_missing"),
        ({"token": 7}, "token_missing"),
        ({"token": ["7"]}, "token_missing"),
        ({"Token": "7"}, "token_missing"),
        ({"token": "nobody"}, "token_invalid"),
        ({"token": ""}, "token_invalid"),
        ({"token": "disabled"}, "account_disabled"),
    ],
    ids=str,
)
async def test_a_refused_client_learns_why(one_door, auth, code):
    """`connect_error` has a message for people and `data.code` for programs."""
    door = await one_door()
    client = await door.socketio(auth=auth)
    assert set(client.refusal) == {"message", "data"}
    assert client.refusal["data"] == {"code": code}
    assert client.refusal["message"]


async def test_a_crash_at_the_door_refuses(one_door, caplog):
    """What goes wrong in here keeps a client out and tells it nothing."""
    door = await one_door()
    client = await door.socketio("crash")
    assert client.refusal["data"] == {"code": "internal"}
    assert "secret" not in str(client.refusal)
    assert "secret" in caplog.text


async def test_a_refused_client_is_in_no_room(one_door):
    """A client that was kept out hears nothing, and may try again with a better token."""
    door = await one_door()
    refused = await door.socketio("nobody")
    inside = await door.socketio("7")
    await door.tell(None, "news", {"number": 1})
    assert await inside.event() == ("news", {"number": 1})
    assert list(door.manager.get_participants("/stories", None)) != []
    assert len(list(door.manager.get_participants("/stories", None))) == 1
    again = await door.socketio("8")
    assert refused.refusal
    assert again.refusal is None


async def test_an_account_hears_its_own_room_on_every_connection(one_door):
    """Two devices of one account get each event of it once, another account none."""
    door = await one_door()
    phone, laptop, other = [await door.socketio(account) for account in ("7", "7", "8")]
    for number in (1, 2):
        await door.tell(["user:7"], "news", {"number": number})
    await door.tell(["user:7", "user:8"], "last", {})
    for client in (phone, laptop):
        assert await client.event() == ("news", {"number": 1})
        assert await client.event() == ("news", {"number": 2})
        assert await client.event() == ("last", {})
    assert await other.event() == ("last", {})


async def test_a_command_is_answered_by_its_ack(one_door):
    """The ack is one object: `data`, or `error`."""
    door = await one_door()
    client = await door.socketio("7")
    assert await client.call("double", {"amount": 4}) == {"data": {"amount": 8, "account": "7"}}
    assert (await client.call("conflict", {}))["error"]["code"] == "taken"


async def test_a_command_without_payload_has_an_empty_one(one_door):
    """Clients leave out a payload that has no fields."""
    door = await one_door()
    client = await door.socketio("7")
    assert await client.call("nothing") == {"data": None}
    assert set((await client.call("double"))["error"]["fields"]) == {"amount"}


@pytest.mark.parametrize(
    ("payload", "code"),
    [
        (({}, {}), "invalid"),
        (({}, None), "invalid"),
        ("text", "invalid"),
        ([{}], "invalid"),
        (7, "invalid"),
        (b"bytes", "invalid"),
    ],
    ids=repr,
)
async def test_a_wrong_payload_is_answered(one_door, payload, code):
    """Two payloads, or one that is no object, get an error and not silence."""
    door = await one_door()
    client = await door.socketio("7")
    assert (await client.call("nothing", payload))["error"]["code"] == code


@pytest.mark.parametrize(
    "name", ["no_such_command", "_private", "__init__", "run", "rooms_of", "not_marked", "message"]
)
async def test_what_is_no_command_is_answered(one_door, name):
    """Nothing but a marked method can be reached by an event's name."""
    door = await one_door()
    client = await door.socketio("7")
    assert (await client.call(name, {}))["error"]["code"] == "unknown_command"


async def test_a_crash_is_answered(one_door, caplog):
    """A command that raises is acked with `internal`; the log does not hold the payload."""
    door = await one_door()
    client = await door.socketio("7")
    with caplog.at_level(logging.INFO, logger="namespaces"):
        answer = await client.call("crash", {"amount": 987654321})
    assert answer["error"]["code"] == "internal"
    logged = [record for record in caplog.records if record.name == "namespaces.base"]
    assert [record.levelno for record in logged] == [logging.ERROR]
    assert not any("987654321" in record.getMessage() for record in logged)


async def test_the_eleventh_command_in_a_second_is_refused(one_door):
    """The refusal says after how many seconds the next command will pass."""
    door = await one_door(messages_per_s=10)
    client = await door.socketio("7")
    answers = [await client.call("nothing", {}) for _ in range(11)]
    assert answers[:10] == [{"data": None}] * 10
    assert answers[10]["error"]["code"] == "too_many_requests"
    assert 0 < answers[10]["error"]["retry_after"] <= 1


async def test_abuse_ends_in_a_disconnect(one_door):
    """The fiftieth refused command in a row is answered, then the client is put out."""
    door = await one_door()
    client, other = await door.socketio("7"), await door.socketio("8")
    for _ in range(50):
        assert (await client.call("no_such_command"))["error"]["code"] == "unknown_command"
    await client.gone()
    assert await other.call("nothing") == {"data": None}


async def test_good_commands_make_up_for_bad_ones(one_door):
    """A client that errs now and then is never put out."""
    door = await one_door()
    client = await door.socketio("7")
    for _ in range(60):
        assert "error" in await client.call("no_such_command")
        assert await client.call("nothing") == {"data": None}


async def test_a_token_that_expires_ends_the_membership(one_door):
    """At its token's end the client is out of the namespace, not before, and nobody else is."""
    door = await one_door()
    expires_at = time.time() + 0.3
    client, other = await door.socketio(f"7@{expires_at}"), await door.socketio("7")
    assert await client.call("nothing") == {"data": None}
    await client.gone()
    assert time.time() >= expires_at
    await door.tell("user:7", "news", {})
    assert await other.event() == ("news", {})
    assert len(list(door.manager.get_participants("/stories", "user:7"))) == 1


async def test_whose_account_or_session_ended_is_turned_out(one_door):
    """Ids of accounts and ids of sessions are not mixed up."""
    door = await one_door()
    disabled, logged_out, stays = [
        await door.socketio(token) for token in ("1", "2/laptop", "3/phone")
    ]
    door.door.turn_out({"1"}, {"laptop", "3"})
    await disabled.gone()
    await logged_out.gone()
    assert await stays.call("nothing") == {"data": None}


async def test_a_client_that_left_leaves_nothing_behind(one_door):
    """Memory and timers of a client end with it."""
    door = await one_door()
    client, other = await door.socketio(f"7@{time.time() + 3600}"), await door.socketio("8")
    await client.client.disconnect()
    async with asyncio.timeout(PATIENCE_S):
        while len(list(door.manager.get_participants("/stories", None))) > 1:
            assert await other.call("nothing") == {"data": None}
    assert len(door.door._guests) == 1


async def test_rooms_entered_by_a_command_are_heard(one_door):
    """`enter` begins and `leave` ends what a client hears of a room."""
    door = await one_door()
    client = await door.socketio("7")
    for step, heard in (("enter", True), ("leave", False)):
        assert await client.call(step) == {"data": None}
        await door.tell("a room", step, {})
        await door.tell("user:7", "after", {})
        names = [(await client.event())[0] for _ in range(2 if heard else 1)]
        assert names == ([step, "after"] if heard else ["after"])


async def test_commands_of_one_client_keep_their_order_and_hold_up_nobody(one_door, commands):
    """A slow command delays its own client's next one, never another client's."""
    door = await one_door()
    slow, other = await door.socketio("7"), await door.socketio("8")
    waiting = asyncio.create_task(slow.call("wait"))
    await asyncio.wait_for(commands.begun.wait(), PATIENCE_S)
    following = asyncio.create_task(slow.call("nothing"))
    assert await other.call("nothing") == {"data": None}
    assert not waiting.done()
    assert not following.done()
    commands.go_on.set()
    assert await waiting == await following == {"data": None}


async def test_a_slow_command_holds_up_nothing(one_door, commands):
    """What comes after a command that is marked as slow is answered before it; so many at once."""
    door = await one_door()
    client = await door.socketio("7")
    slow = [asyncio.create_task(client.call("ponder")) for _ in range(SLOW_AT_ONCE)]
    await asyncio.wait_for(commands.begun.wait(), PATIENCE_S)
    assert await client.call("nothing") == {"data": None}
    assert (await client.call("ponder"))["error"]["code"] == "busy"
    assert not any(task.done() for task in slow)
    commands.go_on.set()
    assert await asyncio.gather(*slow) == [{"data": "an idea"}] * SLOW_AT_ONCE
    assert await client.call("ponder") == {"data": "an idea"}


async def test_a_client_that_goes_leaves_its_slow_command_to_its_end(one_door, commands, caplog):
    """It is finished for nobody, without an error, and the others hear nothing of it."""
    door = await one_door()
    client, other = await door.socketio("7"), await door.socketio("8")
    pondering = asyncio.create_task(client.call("ponder"))
    await asyncio.wait_for(commands.begun.wait(), PATIENCE_S)
    await client.client.disconnect()
    async with asyncio.timeout(PATIENCE_S):
        while len(list(door.manager.get_participants("/stories", None))) > 1:
            assert await other.call("nothing") == {"data": None}
    pondering.cancel()
    commands.go_on.set()
    await inbox.drain(PATIENCE_S)
    assert await other.call("nothing") == {"data": None}
    assert caplog.records == []
