"""One raw connection: what it may send, how it is kept alive, and when it has to go."""

import asyncio
import json
import time

import pytest
from aiohttp import WSMsgType

from models.stories.events import StoryReacted
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
    """Bad input is answered in the shape of READING.md, and the connection is kept."""
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


async def test_the_eleventh_message_in_a_second_is_refused(raw_endpoint):
    """Ten messages a second are answered, the next gets an error frame, and all goes on."""
    raw = await raw_endpoint()
    client = await raw.raw("1")
    for _ in range(11):
        await client.send(PING)
    frames = [await client.frame() for _ in range(11)]
    assert [frame["type"] for frame in frames].count("pong") == 10
    (error,) = [frame for frame in frames if frame["type"] == "error"]
    assert error["data"]["code"] == "too_many_requests"
    assert not client.socket.closed


async def test_another_connection_has_its_own_messages(raw_endpoint):
    """One client's flood takes nothing from another's share."""
    raw = await raw_endpoint(messages_per_s=1)
    flood, other = await raw.raw("1"), await raw.raw("2")
    assert (await flood.ask(PING))["type"] == "pong"
    assert (await flood.ask(PING))["type"] == "error"
    assert (await other.ask(PING))["type"] == "pong"


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
    heavy = StoryReacted(
        story_id="550e8400-e29b-41d4-a716-446655440000",
        user_id="user123",
        emoji="❤" * 100_000,
        reacted_at="2023-10-01T12:00:00.000Z",
    )
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
        await raw.publisher.publish(
            StoryReacted("story", str(number), "❤️", "2023-10-01T12:00:00.000Z"), "user:1"
        )
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
