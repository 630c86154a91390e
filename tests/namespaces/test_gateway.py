"""The gateway of a namespace: who gets in, what is answered, and who is disconnected."""

import asyncio
import logging
import time
from datetime import datetime

import pytest

from app.realtime import inbox
from models.accounts.revocations import Revocation
from namespaces.guard import SLOW_AT_ONCE
from tests.app.realtime.served import until
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
async def test_a_refused_client_learns_why(one_namespace, auth, code):
    """`connect_error` has a message for people and `data.code` for programs."""
    served = await one_namespace()
    client = await served.socketio(auth=auth)
    assert set(client.refusal) == {"message", "data"}
    assert client.refusal["data"] == {"code": code}
    assert client.refusal["message"]


async def test_a_crash_at_the_door_refuses(one_namespace, caplog):
    """What goes wrong in here keeps a client out and tells it nothing."""
    served = await one_namespace()
    client = await served.socketio("crash")
    assert client.refusal["data"] == {"code": "internal"}
    assert "secret" not in str(client.refusal)
    assert "secret" in caplog.text


async def test_a_refused_client_is_in_no_room(one_namespace):
    """A client that was kept out hears nothing, and may try again with a better token."""
    served = await one_namespace()
    refused = await served.socketio("nobody")
    inside = await served.socketio("7")
    await served.tell(None, "news", {"number": 1})
    assert await inside.event() == ("news", {"number": 1})
    assert list(served.manager.get_participants("/stories", None)) != []
    assert len(list(served.manager.get_participants("/stories", None))) == 1
    again = await served.socketio("8")
    assert refused.refusal
    assert again.refusal is None


async def test_an_account_hears_its_own_room_on_every_connection(one_namespace):
    """Two devices of one account get each event of it once, another account none."""
    served = await one_namespace()
    phone, laptop, other = [await served.socketio(account) for account in ("7", "7", "8")]
    for number in (1, 2):
        await served.tell(["user:7"], "news", {"number": number})
    await served.tell(["user:7", "user:8"], "last", {})
    for client in (phone, laptop):
        assert await client.event() == ("news", {"number": 1})
        assert await client.event() == ("news", {"number": 2})
        assert await client.event() == ("last", {})
    assert await other.event() == ("last", {})


async def test_a_command_is_answered_by_its_ack(one_namespace):
    """The ack is one object: `data`, or `error`."""
    served = await one_namespace()
    client = await served.socketio("7")
    assert await client.call("double", {"amount": 4}) == {"data": {"amount": 8, "account": "7"}}
    assert (await client.call("conflict", {}))["error"]["code"] == "channel_taken"


async def test_a_command_without_payload_has_an_empty_one(one_namespace):
    """Clients leave out a payload that has no fields."""
    served = await one_namespace()
    client = await served.socketio("7")
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
async def test_a_wrong_payload_is_answered(one_namespace, payload, code):
    """Two payloads, or one that is no object, get an error and not silence."""
    served = await one_namespace()
    client = await served.socketio("7")
    assert (await client.call("nothing", payload))["error"]["code"] == code


@pytest.mark.parametrize(
    "name", ["no_such_command", "_private", "__init__", "run", "rooms_of", "not_marked", "message"]
)
async def test_what_is_no_command_is_answered(one_namespace, name):
    """Nothing but a marked method can be reached by an event's name."""
    served = await one_namespace()
    client = await served.socketio("7")
    assert (await client.call(name, {}))["error"]["code"] == "unknown_command"


async def test_a_crash_is_answered(one_namespace, caplog):
    """A command that raises is acked with `internal`; the log does not hold the payload."""
    served = await one_namespace()
    client = await served.socketio("7")
    with caplog.at_level(logging.INFO, logger="namespaces"):
        answer = await client.call("crash", {"amount": 987654321})
    assert answer["error"]["code"] == "internal"
    logged = [record for record in caplog.records if record.name == "namespaces.base"]
    assert [record.levelno for record in logged] == [logging.ERROR]
    assert not any("987654321" in record.getMessage() for record in logged)


async def test_commands_beyond_the_burst_wait_for_their_turn(one_namespace):
    """A client that sends its buffer at once gets every answer, in the order of its commands."""
    served = await one_namespace(messages_per_s=500, messages_burst=20)
    client, other = await served.socketio("7"), await served.socketio("8")
    calls = [client.call("double", {"amount": number}) for number in range(60)]
    waiting = asyncio.gather(*calls)
    # Nobody else waits.
    assert await other.call("nothing") == {"data": None}
    assert not waiting.done()
    answers = await waiting
    assert [answer["data"]["amount"] for answer in answers] == [2 * number for number in range(60)]


async def test_what_would_wait_too_long_is_refused(one_namespace):
    """The refusal says after how many seconds a command will pass, and then it does."""
    clock = Clock()
    served = await one_namespace(messages_per_s=10, messages_burst=12, delay_s=0, clock=clock)
    client = await served.socketio("7")
    answers = [await client.call("nothing") for _ in range(11)]
    assert answers[:10] == [{"data": None}] * 10
    assert answers[10]["error"]["code"] == "too_many_requests"
    assert answers[10]["error"]["retry_after"] == pytest.approx(0.1)
    clock.now += answers[10]["error"]["retry_after"]
    assert await client.call("nothing") == {"data": None}


class Clock:
    """Monotonic seconds, moved by hand."""

    now = 1000.0

    def __call__(self):
        return self.now


async def test_all_connections_of_an_account_share_its_messages(one_namespace):
    """A second connection brings no more, nor does another that comes after it has left."""
    served = await one_namespace(messages_per_s=10, messages_burst=8, delay_s=0, clock=Clock())
    one, two = await served.socketio("7"), await served.socketio("7")
    for client in (one, two, one, two):
        assert await client.call("nothing") == {"data": None}
    assert (await one.call("nothing"))["error"]["code"] == "too_many_requests"
    await two.client.disconnect()
    third = await served.socketio("7")
    assert third.refusal["data"]["code"] == "too_many_requests"
    assert third.refusal["data"]["retry_after"] == pytest.approx(0.2)
    other = await served.socketio("8")
    assert await other.call("nothing") == {"data": None}


async def test_slow_commands_wait_for_their_turn_as_well(one_namespace, commands):
    """What is done in the background is not begun in the background."""
    served = await one_namespace(messages_per_s=10, messages_burst=3, delay_s=0, clock=Clock())
    client = await served.socketio("7")
    commands.go_on.set()
    assert await client.call("ponder") == {"data": "an idea"}
    assert (await client.call("ponder"))["error"]["code"] == "too_many_requests"


async def test_a_client_that_goes_while_it_is_delayed_leaves_nothing_behind(one_namespace):
    """Its commands that wait are dropped, and nobody waits for them: neither presence nor stop."""
    served = await one_namespace(messages_per_s=0.01, messages_burst=3, delay_s=3600)
    client = await served.socketio("7")
    answered = asyncio.create_task(client.call("nothing"))
    delayed = [asyncio.create_task(client.call("nothing")) for _ in range(3)]
    assert await answered == {"data": None}
    (session,) = served.namespace.server.eio.sockets.values()
    await until(lambda: session._inbox._delayed)
    session.close("transport close")
    await inbox.drain(PATIENCE_S)
    assert served.namespace._clients == {}
    assert served.namespace._limits._connections == {}
    assert not any(task.done() for task in delayed)
    for task in delayed:
        task.cancel()


async def test_connections_of_an_account_are_bounded(one_namespace):
    """One too many is refused at CONNECT with a code; when one has gone, the next is let in."""
    served = await one_namespace(connections=3)
    clients = [await served.socketio("7") for _ in range(3)]
    refused = await served.socketio("7")
    assert refused.refusal["data"] == {"code": "too_many_connections"}
    assert (await served.socketio("8")).refusal is None
    await clients[0].client.disconnect()
    async with asyncio.timeout(PATIENCE_S):
        while (await served.socketio("7")).refusal is not None:
            pass


async def test_abuse_ends_the_connection_with_a_reason(one_namespace):
    """The fiftieth refused command in a row is answered, then the client is told and ended."""
    served = await one_namespace()
    client, other = await served.socketio("7"), await served.socketio("8")
    for _ in range(50):
        assert (await client.call("no_such_command"))["error"]["code"] == "unknown_command"
    name, ending = await client.event()
    assert name == "session.ending"
    assert (ending["code"], ending["reconnect"]) == ("too_many_requests", True)
    await client.gone()
    assert await other.call("nothing") == {"data": None}


async def test_what_a_domain_refuses_ends_nothing(one_namespace):
    """Commands that come too late are answered, a hundred in a row."""
    served = await one_namespace()
    client = await served.socketio("7")
    for _ in range(100):
        assert (await client.call("conflict"))["error"]["code"] == "channel_taken"


async def test_a_flood_is_answered_then_ended_with_a_reason(one_namespace):
    """What fits is done, the rest refused; after fifty refusals the client is told and ended."""
    served = await one_namespace(messages_per_s=10, messages_burst=22, delay_s=0, clock=Clock())
    client = await served.socketio("7")
    answers = []
    for _ in range(200):
        await client.client.emit("nothing", {}, "/stories", callback=answers.append)
    name, ending = await client.event()
    assert (name, ending["code"]) == ("session.ending", "too_many_requests")
    await client.gone()
    assert answers[:20] == [{"data": None}] * 20
    assert [answer["error"]["code"] for answer in answers[20:]] == ["too_many_requests"] * 50
    await until(lambda: not served.namespace._clients)


async def test_good_commands_make_up_for_bad_ones(one_namespace):
    """A client that errs now and then is never put out."""
    served = await one_namespace()
    client = await served.socketio("7")
    for _ in range(60):
        assert "error" in await client.call("no_such_command")
        assert await client.call("nothing") == {"data": None}


async def test_a_token_that_expires_ends_the_membership(one_namespace):
    """At its token's end the client is out of the namespace, not before, and nobody else is."""
    served = await one_namespace()
    expires_at = time.time() + 0.3
    client, other = await served.socketio(f"7@{expires_at}"), await served.socketio("7")
    assert await client.call("nothing") == {"data": None}
    assert (await client.event())[0] == "session.expiring"
    assert (await client.event())[1]["code"] == "token_expired"
    await client.gone()
    assert time.time() >= expires_at
    await served.tell("user:7", "news", {})
    assert await other.event() == ("news", {})
    assert len(list(served.manager.get_participants("/stories", "user:7"))) == 1


async def test_a_token_is_said_to_expire_a_minute_before(one_namespace):
    """With less than a minute left that is at once, with more it is later, and once."""
    served = await one_namespace()
    long, brief = time.time() + 61.0, time.time() + 59.5
    later, soon = await served.socketio(f"7@{long}"), await served.socketio(f"8@{brief}")
    name, data = await soon.event()
    assert (name, data.keys()) == ("session.expiring", {"expires_at"})
    told = datetime.fromisoformat(data["expires_at"]).timestamp()
    assert told == pytest.approx(brief, abs=0.01)
    name, _ = await later.event()
    assert name == "session.expiring"
    assert time.time() == pytest.approx(long - 60, abs=1)


async def test_a_refresh_keeps_the_connection(one_namespace):
    """The new token's expiry, session and version hold; the old ones end nothing any more."""
    served = await one_namespace()
    expires_at = time.time() + 1
    client = await served.socketio(f"7/old@{expires_at}")
    assert (await client.event())[0] == "session.expiring"
    later = time.time() + 3600
    answer = await client.call("refresh_session", {"token": f"7/new@{later}"})
    assert datetime.fromisoformat(answer["data"]["expires_at"]).timestamp() == pytest.approx(
        later, abs=0.01
    )
    old = Revocation(1, "7", version=None, session_ids=frozenset({"old"}), disabled=False)
    served.namespace.close_revoked([old])
    await asyncio.sleep(max(0.0, expires_at + 0.1 - time.time()))
    await served.tell("user:7", "news", {})
    assert await client.event() == ("news", {})
    assert await client.call("nothing") == {"data": None}
    new = Revocation(2, "7", version=None, session_ids=frozenset({"new"}), disabled=False)
    served.namespace.close_revoked([new])
    assert (await client.event())[1]["code"] == "session_ended"


@pytest.mark.parametrize(
    ("payload", "code"),
    [
        ({"token": "8"}, "not_the_account"),
        ({"token": "nobody"}, "token_invalid"),
        ({"token": "disabled"}, "account_disabled"),
        ({"token": 7}, "invalid"),
        ({"token": "7", "more": 1}, "invalid"),
        ({"token": "7" * 8193}, "invalid"),
        ({}, "invalid"),
        ("7", "invalid"),
        (None, "invalid"),
    ],
)
async def test_a_refresh_that_is_refused_changes_nothing(one_namespace, payload, code):
    """Another account's token, and what is no token, leave the connection with the one it has."""
    served = await one_namespace()
    expires_at = time.time() + 1
    client = await served.socketio(f"7@{expires_at}")
    assert (await client.event())[0] == "session.expiring"
    assert (await client.call("refresh_session", payload))["error"]["code"] == code
    assert (await client.event())[1]["code"] == "token_expired"


async def test_a_refresh_with_a_token_that_expires_soon_warns_again(one_namespace):
    """Expiries go both ways: what counts is the token given last."""
    served = await one_namespace()
    client = await served.socketio("7")
    answer = await client.call("refresh_session", {"token": f"7@{time.time() + 0.5}"})
    assert answer["data"]["expires_at"] is not None
    assert (await client.event())[0] == "session.expiring"
    assert await client.call("refresh_session", {"token": "7"}) == {"data": {"expires_at": None}}
    assert await client.call("nothing") == {"data": None}


async def test_revoked_connections_are_closed(one_namespace):
    """Ids of accounts and ids of sessions are not mixed up."""
    served = await one_namespace()
    disabled, logged_out, stays = [
        await served.socketio(token) for token in ("1", "2/laptop", "3/phone")
    ]
    ended = (
        Revocation(1, "1", version=1, session_ids=frozenset(), disabled=True),
        Revocation(2, "2", version=None, session_ids=frozenset({"laptop", "3"}), disabled=False),
    )
    served.namespace.close_revoked(ended)
    for client, code in ((disabled, "account_disabled"), (logged_out, "session_ended")):
        name, ending = await client.event()
        assert (name, ending["code"], ending["reconnect"]) == ("session.ending", code, False)
        await client.gone()
    assert await stays.call("nothing") == {"data": None}


async def test_a_client_that_left_leaves_nothing_behind(one_namespace):
    """Memory and timers of a client end with it."""
    served = await one_namespace()
    client, other = await served.socketio(f"7@{time.time() + 3600}"), await served.socketio("8")
    await client.client.disconnect()
    async with asyncio.timeout(PATIENCE_S):
        while len(list(served.manager.get_participants("/stories", None))) > 1:
            assert await other.call("nothing") == {"data": None}
    assert len(served.namespace._clients) == 1


async def test_rooms_entered_by_a_command_are_heard(one_namespace):
    """`enter` begins and `leave` ends what a client hears of a room."""
    served = await one_namespace()
    client = await served.socketio("7")
    for step, heard in (("enter", True), ("leave", False)):
        assert await client.call(step) == {"data": None}
        await served.tell("a room", step, {})
        await served.tell("user:7", "after", {})
        names = [(await client.event())[0] for _ in range(2 if heard else 1)]
        assert names == ([step, "after"] if heard else ["after"])


async def test_commands_of_one_client_keep_their_order_and_hold_up_nobody(one_namespace, commands):
    """A slow command delays its own client's next one, never another client's."""
    served = await one_namespace()
    slow, other = await served.socketio("7"), await served.socketio("8")
    waiting = asyncio.create_task(slow.call("wait"))
    await asyncio.wait_for(commands.begun.wait(), PATIENCE_S)
    following = asyncio.create_task(slow.call("nothing"))
    assert await other.call("nothing") == {"data": None}
    assert not waiting.done()
    assert not following.done()
    commands.go_on.set()
    assert await waiting == await following == {"data": None}


async def test_a_slow_command_holds_up_nothing(one_namespace, commands):
    """What comes after a command that is marked as slow is answered before it; so many at once."""
    served = await one_namespace()
    client = await served.socketio("7")
    slow = [asyncio.create_task(client.call("ponder")) for _ in range(SLOW_AT_ONCE)]
    await asyncio.wait_for(commands.begun.wait(), PATIENCE_S)
    assert await client.call("nothing") == {"data": None}
    assert (await client.call("ponder"))["error"]["code"] == "too_many_slow_commands"
    assert not any(task.done() for task in slow)
    commands.go_on.set()
    assert await asyncio.gather(*slow) == [{"data": "an idea"}] * SLOW_AT_ONCE
    assert await client.call("ponder") == {"data": "an idea"}


async def test_a_client_that_goes_leaves_its_slow_command_to_its_end(
    one_namespace, commands, caplog
):
    """It is finished for nobody, without an error, and the others hear nothing of it."""
    served = await one_namespace()
    client, other = await served.socketio("7"), await served.socketio("8")
    pondering = asyncio.create_task(client.call("ponder"))
    await asyncio.wait_for(commands.begun.wait(), PATIENCE_S)
    await client.client.disconnect()
    async with asyncio.timeout(PATIENCE_S):
        while len(list(served.manager.get_participants("/stories", None))) > 1:
            assert await other.call("nothing") == {"data": None}
    pondering.cancel()
    commands.go_on.set()
    await inbox.drain(PATIENCE_S)
    assert await other.call("nothing") == {"data": None}
    assert caplog.records == []


@pytest.mark.parametrize("transport", ["websocket", "polling"])
async def test_a_stop_answers_what_has_begun_and_drops_the_rest(one_namespace, commands, transport):
    """The answer comes, then the reason, then the end; what waits behind is not done."""
    served = await one_namespace()
    client = await served.socketio("7", transports=(transport,))
    answers = []

    async def ask(name):
        async def answered(answer):
            answers.append((name, answer))

        await client.client.emit(name, {}, "/stories", callback=answered)

    await ask("wait")
    await asyncio.wait_for(commands.begun.wait(), PATIENCE_S)
    await ask("enter")
    stopping = asyncio.create_task(served.namespace.server.stop())
    await until(
        lambda: all(session.is_busy for session in served.namespace.server.eio.sockets.values())
    )
    await asyncio.sleep(0)
    commands.go_on.set()
    name, ending = await client.event()
    assert (name, ending["code"], ending["reconnect"]) == (
        "session.ending",
        "server_stopping",
        True,
    )
    await client.gone()
    await asyncio.wait_for(stopping, PATIENCE_S)
    assert answers == [("wait", {"data": None})]
    assert list(served.manager.get_participants("/stories", "a room")) == []


async def test_a_stop_does_not_wait_for_ever(one_namespace, commands):
    """A command that does not end is cancelled in time; its client is told the reason."""
    served = await one_namespace()
    client = await served.socketio("7")
    await client.client.emit("wait", {}, "/stories")
    await asyncio.wait_for(commands.begun.wait(), PATIENCE_S)
    await asyncio.wait_for(served.namespace.server.stop(finish_s=0.01), PATIENCE_S)
    assert (await client.event())[1]["code"] == "server_stopping"
    await client.gone()


async def test_a_delayed_command_has_not_begun(one_namespace, commands):
    """What waits for its turn at a stop is dropped without an answer: its client sends it again."""
    served = await one_namespace(messages_per_s=0.01, messages_burst=3, delay_s=3600)
    client = await served.socketio("7")
    answers = []

    async def answered(answer):
        answers.append(answer)

    assert await client.call("nothing") == {"data": None}
    await client.client.emit("enter", {}, "/stories", callback=answered)
    sessions = served.namespace.server.eio.sockets.values()
    await until(lambda: all(session.is_busy for session in sessions))
    await asyncio.wait_for(served.namespace.server.stop(), PATIENCE_S)
    assert (await client.event())[1]["code"] == "server_stopping"
    await client.gone()
    assert answers == []
