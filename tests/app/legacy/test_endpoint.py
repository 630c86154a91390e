"""`/ws`: who gets in, who takes whose place, and how connections end."""

import asyncio
import json

import pytest
from aiohttp import WSServerHandshakeError

from app.origins import Origins
from app.proxies import forwarded
from models.accounts.revocations import Revocation
from tests.app.legacy.story_events import viewed
from tests.frames import golden, spelled
from tests.live import PATIENCE_S

VIEWED = viewed("550e8400-e29b-41d4-a716-446655440000")


async def refused(opening):
    """Return the refusal of a connection that must not come about."""
    with pytest.raises(WSServerHandshakeError) as caught:
        await opening
    return caught.value


async def test_the_first_frame_is_the_greeting(raw_endpoint):
    """A client that is in gets `connected` with its own account, before anything else."""
    raw = await raw_endpoint()
    client = await raw.doors.open_raw("1")
    greeting = json.loads(golden("notifications", "connected"))
    greeting["data"]["email"] = "user1@example.com"
    assert spelled(await client.text()) == json.dumps(greeting)


async def test_a_token_may_come_in_the_header(raw_endpoint):
    """`Authorization: Bearer` is as good as `?token=`."""
    raw = await raw_endpoint()
    client = await raw.doors.open_raw(None, {"Authorization": "Bearer 7"})
    assert (await client.frame())["data"]["user_id"] == 7


async def test_a_plain_request_is_told_to_upgrade(raw_endpoint):
    """A browser that opens the URL as a page gets 426 and no crash."""
    raw = await raw_endpoint()
    status, problem = await raw.doors.call(None, "GET", "/ws?token=1")
    assert (status, problem["code"]) == (426, "upgrade_required")


async def test_an_event_comes_as_its_documented_frame(raw_endpoint):
    """What is published to a user's room arrives at the user, and at nobody else."""
    raw = await raw_endpoint()
    author, other = await raw.raw("1"), await raw.raw("2")
    await raw.tell("1", VIEWED)
    assert spelled(await author.text()) == golden("notifications", "story.viewed")
    assert (await other.ask({"type": "ping"}))["type"] == "pong"


async def test_the_sixth_connect_in_a_minute_is_refused(raw_endpoint):
    """Five connections a minute are a user's share; the answer says when to come back."""
    raw = await raw_endpoint()
    for _ in range(5):
        await raw.raw("1")
    refusal = await refused(raw.doors.open_raw("1"))
    assert refusal.status == 429
    assert 50 <= int(refusal.headers["Retry-After"]) <= 60
    assert await (await raw.raw("2")).ask({"type": "ping"})


async def test_a_newer_connection_takes_the_place_of_the_older(raw_endpoint):
    """The old one is closed with 4009 and hears no more; the new one gets the events."""
    raw = await raw_endpoint()
    old = await raw.raw("1")
    new = await raw.raw("1")
    await raw.tell("1", VIEWED)
    assert spelled(await new.text()) == golden("notifications", "story.viewed")
    message = await old.socket.receive(PATIENCE_S)
    assert (message.data, message.extra) == (4009, "replaced by a newer connection")
    assert len(raw.endpoint) == 1


async def test_the_end_of_a_replaced_connection_leaves_the_new_one_in(raw_endpoint):
    """The old connection's going takes nothing away from the one that replaced it."""
    raw = await raw_endpoint()
    old = await raw.raw("1")
    new = await raw.raw("1")
    assert await old.closed() == 4009
    await raw.raw("2")
    await raw.tell("1", VIEWED)
    assert (await new.frame())["type"] == "story.viewed"
    assert len(raw.endpoint) == 2


@pytest.mark.parametrize(
    ("origin", "allowed"),
    [
        ("https://app.example.com", True),
        ("https://evil.example.com", False),
        ("http://localhost:3000", False),
        ("null", False),
        ("http://[::1", False),
    ],
)
async def test_pages_of_other_origins_are_refused(raw_endpoint, origin, allowed):
    """In production only listed pages may connect, even with a good token."""
    raw = await raw_endpoint(origins=Origins(("https://app.example.com",), development=False))
    opening = raw.doors.open_raw("1", {"Origin": origin})
    if allowed:
        assert (await (await opening).frame())["type"] == "connected"
    else:
        assert (await refused(opening)).status == 403


async def test_the_page_of_this_server_behind_a_router_may_connect(raw_endpoint):
    """The router ends TLS: the page's origin is https although the request came by http."""
    raw = await raw_endpoint(
        origins=Origins((), development=False), middlewares=[forwarded(trusted=1)]
    )
    host = raw.doors.url.removeprefix("http://")
    routed = {"X-Forwarded-For": "203.0.113.7", "X-Forwarded-Proto": "https"}
    page = await raw.doors.open_raw("1", {"Origin": f"https://{host}", **routed})
    assert (await page.frame())["type"] == "connected"
    refusal = await refused(raw.doors.open_raw("1", {"Origin": f"http://{host}", **routed}))
    assert refusal.status == 403


async def test_revoked_connections_are_closed(raw_endpoint):
    """A disabled account is closed with 4003, a session that was logged out with 4001."""
    raw = await raw_endpoint()
    disabled, logged_out = await raw.raw("1"), await raw.raw("2/laptop")
    same_ids = await raw.raw("3/phone")
    ended = (
        Revocation(1, "1", version=1, session_ids=frozenset(), disabled=True),
        Revocation(2, "2", version=None, session_ids=frozenset({"laptop", "3"}), disabled=False),
    )
    raw.endpoint.close_revoked(ended)
    assert await disabled.closed() == 4003
    assert await logged_out.closed() == 4001
    assert (await same_ids.ask({"type": "ping"}))["type"] == "pong"


async def test_a_stopping_server_says_goodbye(raw_endpoint):
    """All are closed with 1001, and so is one that comes in the last moment."""
    raw = await raw_endpoint()
    clients = [await raw.raw(account_id) for account_id in ("1", "2", "3")]
    closing = asyncio.create_task(raw.endpoint.close_all())
    assert [await client.closed() for client in clients] == [1001, 1001, 1001]
    await asyncio.wait_for(closing, PATIENCE_S)
    assert len(raw.endpoint) == 0
    late = await raw.doors.open_raw("4")
    assert await late.closed() == 1001


async def test_the_goodbye_does_not_wait_for_the_dead(raw_endpoint):
    """A peer that never answers the close frame holds up a stopping server for half a second."""
    raw = await raw_endpoint()
    silent = await raw.raw("1", autoclose=False)
    await asyncio.wait_for(raw.endpoint.close_all(), PATIENCE_S)
    message = await silent.socket.receive(PATIENCE_S)
    assert message.data == 1001
