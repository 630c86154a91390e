"""One raw connection: what it may send, how it is kept alive, and when it has to go."""

import asyncio
import json
import time

import pytest
from aiohttp import WSMsgType, WSServerHandshakeError

from app.realtime import inbox
from tests.app.legacy.story_events import reacted
from tests.app.realtime.served import until
from tests.frames import golden, spelled
from tests.live import PATIENCE_S

PING = {"type": "ping"}
PONG = golden("notifications", "pong")


async def is_kept(client):
    """Whether the connection still serves."""
    await client.send(PING)
    return spelled(await client.text()) == PONG


async def test_a_ping_is_answered(raw_endpoint):
    """The documented ping gets the documented pong."""
    raw = await raw_endpoint()
    client = await raw.raw("1")
    await client.send(golden("notifications", "ping"))
    assert spelled(await client.text()) == PONG


@pytest.mark.parametrize(
    ("message", "code"),
    [
        ('{"type": "ping"', "not_json"),
        ("", "not_json"),
        ("NaN", "not_json"),
        ('{"type": "\\ud800"}', "not_json"),
        ("[" * 50_000, "not_json"),
        ("[]", "not_an_object"),
        ('"ping"', "not_an_object"),
        ("null", "not_an_object"),
        ('{"type": "subscribe"}', "unknown_type"),
        ("{}", "unknown_type"),
    ],
    ids=lambda value: value[:24],
)
async def test_a_bad_message_gets_an_error_frame(raw_endpoint, message, code):
    """Bad input is answered in the documented shape, and the connection is kept."""
    raw = await raw_endpoint()
    client = await raw.raw("1")
    frame = await client.ask(message)
    shape = json.loads(golden("notifications", "error"))
    assert list(frame) == list(shape)
    assert list(frame["data"]) == list(shape["data"])
    assert (frame["type"], frame["data"]["code"]) == ("error", code)
    assert await is_kept(client)


async def test_a_binary_message_gets_an_error_frame(raw_endpoint):
    """The documents have text only."""
    raw = await raw_endpoint()
    client = await raw.raw("1")
    await client.socket.send_bytes(b'{"type": "ping"}')
    assert (await client.frame())["data"]["code"] == "not_text"
    assert await is_kept(client)


async def test_a_message_beyond_the_limit_ends_the_connection(raw_endpoint):
    """One of the greatest allowed size is read; one byte more is closed with 1009."""
    raw = await raw_endpoint(message_bytes=100)
    client, other = await raw.raw("1"), await raw.raw("2")
    await client.send('{"type": "ping"}' + " " * 84)
    assert spelled(await client.text()) == PONG
    await client.send('{"type": "ping"}' + " " * 85)
    assert await client.closed() == 1009
    assert await is_kept(other)


async def test_messages_beyond_the_burst_wait_for_their_turn(raw_endpoint):
    """All of them are answered, in order, and nobody else waits."""
    raw = await raw_endpoint(messages_per_s=200, messages_burst=10)
    client, other = await raw.raw("1"), await raw.raw("2")
    for _ in range(20):
        await client.send(PING)
        await client.send('{"type": "no such"}')
    assert await is_kept(other)
    kinds = [(await client.frame())["type"] for _ in range(40)]
    assert kinds == ["pong", "error"] * 20


async def test_what_would_wait_too_long_is_refused(raw_endpoint):
    """The error frame says when to come back; other connections go on."""
    raw = await raw_endpoint(messages_per_s=1, messages_burst=12, message_delay_s=0)
    client, other = await raw.raw("1"), await raw.raw("2")
    for _ in range(11):
        await client.send(PING)
    frames = [await client.frame() for _ in range(11)]
    assert [frame["type"] for frame in frames] == ["pong"] * 10 + ["error"]
    assert frames[10]["data"]["code"] == "too_many_requests"
    assert "Try again in " in frames[10]["data"]["message"]
    assert await is_kept(other)


async def test_a_flood_is_closed_with_1008(raw_endpoint):
    """After fifty refusals in a row, each of them answered."""
    raw = await raw_endpoint(messages_per_s=1, messages_burst=2, message_delay_s=0)
    client = await raw.raw("1")
    for _ in range(80):
        await client.send(PING)
    for _ in range(50):
        assert (await client.frame())["data"]["code"] == "too_many_requests"
    message = await client.socket.receive(PATIENCE_S)
    assert (message.data, message.extra) == (1008, "too many refused messages")


async def test_a_peer_that_is_delayed_is_not_dropped(raw_endpoint):
    """While nothing is read no pong can be heard; afterwards it has its time to come."""
    raw = await raw_endpoint(messages_per_s=5, messages_burst=3, ping_interval_s=0.05)
    client = await raw.raw("1")
    for _ in range(5):
        await client.send(PING)
    assert [(await client.frame())["type"] for _ in range(5)] == ["pong"] * 5


async def test_a_peer_that_goes_while_it_is_delayed_leaves_nothing(raw_endpoint):
    """A stopping server does not wait for delays."""
    raw = await raw_endpoint(messages_per_s=0.001, messages_burst=3, message_delay_s=3600)
    client = await raw.raw("1")
    for _ in range(3):
        await client.send(PING)
    assert spelled(await client.text()) == PONG
    (peer,) = raw.endpoint
    await until(lambda: peer._inbox._delayed)
    closing = asyncio.create_task(client.closed())
    await raw.endpoint.close_all()
    assert await closing == 1001
    await inbox.drain(PATIENCE_S)
    assert peer._inbox._task is None
    assert raw.endpoint.account_limits._connections == {}


async def test_connections_of_an_account_are_bounded_over_all_endpoints(raw_endpoint):
    """What other doors hold counts; the newest of one user still takes the oldest one's place."""
    raw = await raw_endpoint(connections_per_account=2)
    limits = raw.endpoint.account_limits
    former = await raw.raw("1")
    limits.add_connection("1", "elsewhere")
    await raw.raw("1")
    assert await former.closed() == 4009
    limits.add_connection("2", "elsewhere")
    limits.add_connection("2", "and there")
    with pytest.raises(WSServerHandshakeError) as refused:
        await raw.raw("2")
    assert refused.value.status == 429
    limits.remove_connection("2", "and there")
    assert await is_kept(await raw.raw("2"))


async def test_repeated_abuse_ends_the_connection(raw_endpoint):
    """Fifty bad messages in a row are closed with 1008, and nobody else is disturbed."""
    raw = await raw_endpoint(messages_per_s=1000)
    client, other = await raw.raw("1"), await raw.raw("2")
    for _ in range(49):
        assert (await client.ask("?"))["type"] == "error"
    assert not client.socket.closed
    assert (await client.ask("?"))["type"] == "error"
    assert await client.closed() == 1008
    assert await is_kept(other)


async def test_good_messages_make_up_for_bad_ones(raw_endpoint):
    """A clumsy client that stays for long is not closed: strikes are forgiven one by one."""
    raw = await raw_endpoint(messages_per_s=1000)
    client = await raw.raw("1")
    for _ in range(60):
        assert (await client.ask("?"))["type"] == "error"
        assert await is_kept(client)


async def test_a_token_that_expires_ends_the_live_connection(raw_endpoint):
    """At the token's last moment the connection is closed with 4001, not before."""
    raw = await raw_endpoint(ping_interval_s=2.0)
    expires_at = time.time() + 0.5
    client = await raw.raw(f"1@{expires_at}")
    assert await is_kept(client)
    assert await client.closed() == 4001
    assert time.time() >= expires_at


async def test_a_peer_that_answers_pings_stays(raw_endpoint):
    """The server pings at its interval; each answer keeps the connection for another one."""
    raw = await raw_endpoint(ping_interval_s=0.1)
    client = await raw.raw("1", autoping=False)
    for _ in range(4):
        message = await client.socket.receive(PATIENCE_S)
        assert message.type is WSMsgType.PING
        await client.socket.pong(message.data)
    assert await is_kept_among_pings(client)


async def is_kept_among_pings(client):
    await client.send(PING)
    while (message := await client.socket.receive(PATIENCE_S)).type is WSMsgType.PING:
        await client.socket.pong(message.data)
    return message.type is WSMsgType.TEXT and spelled(message.data) == PONG


async def test_a_peer_that_answers_no_ping_is_dropped(raw_endpoint):
    """A peer that is not there any more is cut off after the second interval, without a close."""
    raw = await raw_endpoint(ping_interval_s=0.1)
    client = await raw.raw("1", autoping=False)
    assert (await client.socket.receive(PATIENCE_S)).type is WSMsgType.PING
    assert await client.closed() == 1006
    assert len(raw.endpoint) == 0


async def test_a_slow_reader_is_closed(raw_endpoint):
    """Who leaves too much unread is closed with 1013; one that reads misses nothing."""
    raw = await raw_endpoint(unsent_bytes=1_000_000)
    slow, quick = await raw.raw("1"), await raw.raw("2")
    heavy = reacted("550e8400-e29b-41d4-a716-446655440000", emoji="❤" * 100_000)
    for _ in range(60):
        await raw.publisher.publish(heavy, "user:1", "user:2")
        assert (await quick.frame())["type"] == "story.reacted"
    assert await slow.closed() == 1013
    assert await is_kept(quick)


async def test_events_and_answers_keep_their_order(raw_endpoint):
    """Frames arrive in the order in which they were written."""
    raw = await raw_endpoint(messages_per_s=1000)
    client = await raw.raw("1")
    for number in range(50):
        await raw.publisher.publish(reacted("story", user_id=str(number)), "user:1")
    seen = [(await client.frame())["data"]["user_id"] for _ in range(50)]
    assert seen == [str(number) for number in range(50)]


async def test_a_client_that_vanishes_is_forgotten(raw_endpoint):
    """A cut connection leaves no member behind in any room."""
    raw = await raw_endpoint(messages_per_s=1000)
    client, other = await raw.raw("1"), await raw.raw("2")
    client.socket._response.connection.transport.abort()
    async with asyncio.timeout(PATIENCE_S):
        while len(raw.endpoint) > 1:
            assert await is_kept(other)
