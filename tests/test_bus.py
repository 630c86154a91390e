"""Two server processes and one Redis: clients of either hear and see the same."""

import asyncio

import pytest
from redis.asyncio import Redis

from tests.live import HELLO, PATIENCE_S
from tests.redis_server import needs_redis
from tests.test_processes import sign_up

pytestmark = [pytest.mark.fault, needs_redis]


@pytest.fixture
async def pair(start_server, redis):
    """Two programs on one database and one Redis."""
    programs = await asyncio.gather(*(start_server(REDIS_URL=redis.url) for _ in range(2)))
    yield programs
    for program in programs:
        assert not [line for line in program.lines if "Traceback" in line or "ERROR" in line]


async def until_event(client, wanted, **values):
    """Pass over events until one of that name has these values."""
    async with asyncio.timeout(PATIENCE_S):
        while True:
            name, data = await client.event()
            if name == wanted and data | values == data:
                return data


async def until_frame(client, **values):
    async with asyncio.timeout(PATIENCE_S):
        while True:
            frame = await client.frame()
            if frame | values == frame:
                return frame


async def call(client, name, payload):
    answer = await client.call(name, payload)
    assert "data" in answer, answer
    return answer["data"]


async def test_events_reach_clients_of_the_other_process(pair):
    """A story and a reaction reach Socket.IO and raw clients, whichever process they are on."""
    one, two = (program.doors for program in pair)
    (ann, _), (bob, _) = await sign_up(one, "ann"), await sign_up(two, "bob")
    watcher, raw = await two.socketio(bob), await two.raw(ann)
    story_id = await one.story(ann)
    assert (await until_event(watcher, "story.created"))["id"] == story_id
    status, _ = await one.call(bob, "POST", f"/stories/{story_id}/reactions", {"emoji": "👍"})
    assert status in (200, 201)
    frame = await until_frame(raw, type="story.reacted")
    assert frame["payload"]["story_id"] == story_id if "payload" in frame else frame


async def test_members_of_a_private_channel(pair):
    """Who is asked in on one process hears it on the other; who has left hears nothing more."""
    one, two = (program.doors for program in pair)
    (ann, _), (bob, bob_id) = await sign_up(one, "ann"), await sign_up(two, "bob")
    anna = await one.socketio(ann, namespace="/chat")
    bobby = await two.socketio(bob, namespace="/chat")
    await call(anna, "create_channel", {"name": "quiet", "private": True})
    await call(anna, "join_channel", {"channel_id": "quiet"})
    await call(anna, "invite", {"conversation_id": "quiet", "participants": [bob_id]})
    await call(bobby, "join_channel", {"channel_id": "quiet"})
    await call(bobby, "accept_conversation", {"conversation_id": "quiet"})
    said = {"conversation_id": "quiet", "content": "Hello"}
    await call(anna, "send_message", said)
    assert (await until_event(bobby, "new_message"))["content"] == "Hello"
    # By another connection of his, on the other process.
    status, answer = await one.call(bob, "POST", "/api/v1/conversations/quiet/leave")
    assert status in (200, 204), answer
    await until_event(bobby, "channel_left", user_id=bob_id)
    await call(anna, "send_message", said | {"content": "He is gone"})
    await call(anna, "create_channel", {"name": "open"})
    await call(bobby, "join_channel", {"channel_id": "open"})
    await call(anna, "send_message", {"conversation_id": "open", "content": "All"})
    heard = await until_event(bobby, "new_message")
    assert heard["content"] == "All"


async def test_one_connection_for_each_user_of_all_processes(pair):
    """A newer connection at `/ws` takes the place of one that another process has."""
    one, two = (program.doors for program in pair)
    token, _ = await sign_up(one, "ann")
    for here, there in ((one, two), (two, one), (one, two)):
        former = await here.raw(token)
        # Answered when the stream has it, and what this process wrote before: that one is here.
        await here.story(token)
        newer = await there.raw(token)
        assert await former.closed() == 4009
        await newer.send({"type": "ping"})
        assert (await newer.frame())["type"] == "pong"
        await newer.socket.close()
    both = await asyncio.gather(one.raw(token), two.raw(token))
    first = {asyncio.create_task(client.closed()): client for client in both}
    done, pending = await asyncio.wait(
        first, timeout=PATIENCE_S, return_when=asyncio.FIRST_COMPLETED
    )
    assert [task.result() for task in done] == [4009]
    (left,) = pending
    left.cancel()
    await asyncio.wait([left])
    await first[left].send({"type": "ping"})
    assert (await first[left].frame())["type"] == "pong"


async def test_who_leaves_hears_that_it_left(pair):
    """What is told before a room is left is heard by who leaves it."""
    one, _ = (program.doors for program in pair)
    token, account_id = await sign_up(one, "ann")
    client = await one.socketio(token, namespace="/chat")
    await call(client, "create_channel", {"name": "open"})
    for _ in range(5):
        await call(client, "join_channel", {"channel_id": "open"})
        await until_event(client, "channel_joined", user_id=account_id)
        await call(client, "leave_channel", {"channel_id": "open"})
        await until_event(client, "channel_left", user_id=account_id)


async def test_a_process_that_dies_may_have_kept_events(pair, redis):
    """Clients of the others catch up then: somebody's last command may have reached nobody."""
    one, two = pair
    token, _ = await sign_up(two.doors, "ann")
    client = await two.doors.socketio(token, namespace="/chat")
    raw = await two.doors.raw(token)
    with_cursor = await two.doors.open_at(f"/api/v1/ws?token={token}&since=")
    await one.kill()
    assert (await until_event(client, "session.gap"))["message"]
    # One that knows the documented frames only is let be: it is only possible.
    assert (await raw.ask({"type": "ping"}))["type"] == "pong"
    assert (await until_frame(with_cursor, type="gap"))["fetch"]


async def test_a_process_that_stops_has_kept_nothing(pair, redis):
    """Nobody misses it."""
    one, _ = pair
    asked = Redis.from_url(redis.url)
    (key,) = await asked.keys("realtime:*:processes")
    assert await asked.hlen(key) == 2
    assert await one.stop() == 0
    assert await asked.hlen(key) == 1
    await asked.aclose()


@pytest.mark.timeout(180)
async def test_limits_hold_for_all_processes_together(start_server, redis):
    """Guessed passwords, requests and connections: one limit, whatever process is asked."""
    options = {
        "REDIS_URL": redis.url,
        "LIMIT_LOGIN_ATTEMPTS_PER_MINUTE": "4",
        "LIMIT_CONNECTIONS_PER_ACCOUNT": "3",
        "LIMIT_MESSAGES_BURST": "100000",
        "LIMIT_WRITES_BURST": "20",
        "LIMIT_WRITES_PER_S": "1",
    }
    one, two = await asyncio.gather(*(start_server(**options) for _ in range(2)))
    (ann, _), (ben, _) = await sign_up(one.doors, "ann"), await sign_up(one.doors, "ben")

    async def until(program, *request, status):
        """Ask until that is the answer."""
        async with asyncio.timeout(PATIENCE_S):
            while (await program.doors.call(*request))[0] != status:
                pass

    wrong = {"email": "ann@example.com", "password": "not this one"}
    for _ in range(4):
        assert (await one.doors.call(None, "POST", "/login", wrong))[0] == 401
    await until(two, None, "POST", "/login", wrong, status=429)
    clients = [await one.doors.socketio(ann) for _ in range(2)]
    clients.append(await two.doors.socketio(ann))

    async def until_refused(doors):
        async with asyncio.timeout(PATIENCE_S):
            while True:
                client = await doors.socketio(ann)
                if client.refusal is not None:
                    return client.refusal
                await client.client.disconnect()

    for doors in (one.doors, two.doors):
        assert (await until_refused(doors))["data"]["code"] == "too_many_connections"
    # What a process had that was killed is forgotten.
    await one.kill()
    async with asyncio.timeout(60):
        while (await two.doors.socketio(ann)).refusal is not None:
            pass
    three = await start_server(**options)
    for _ in range(20):
        status, _ = await two.doors.call(ben, "POST", "/stories", HELLO)
        assert status == 201
    await until(three, ben, "POST", "/stories", HELLO, status=429)


async def test_operators_are_told_what_all_processes_know(pair):
    """Where an account is connected, which event reached it there, and how it was cut here."""
    one, two = (program.doors for program in pair)
    (ann, ann_id), (ben, _) = await sign_up(one, "ann"), await sign_up(two, "ben")
    former = await one.raw(ann)
    await former.socket.close()
    client = await two.socketio(ann)
    await one.story(ben)
    await until_event(client, "story.created")
    path = f"/api/v1/admin/explain?user={ann_id}"
    for doors in (one, two):
        async with asyncio.timeout(PATIENCE_S):
            while True:
                status, found = await doors.call(ben, "GET", path)
                assert status == 200, found
                if found["ended"]:
                    break
        (connection,) = found["connections"]
        assert connection["door"] == "socket.io"
        assert f"user:{ann_id}" in connection["rooms"]["/stories"]
        (ended,) = found["ended"]
        assert (ended["door"], ended["code"]) == ("/ws", 1000)
        assert {connection["process"][-5:], ended["process"][-5:]} == {
            one.url[-5:],
            two.url[-5:],
        }
        status, everyone = await doors.call(ben, "GET", "/api/v1/admin/connections")
        assert status == 200
        assert [(each["door"], each["account_id"]) for each in everyone["items"]] == [
            ("socket.io", ann_id)
        ]
        assert (everyone["total"], everyone["silent_processes"]) == (1, 0)
        (event,) = [each for each in found["events"] if each["event"] == "story.created"]
        assert (event["told"], event["missed"]) == (["/stories"], [])
        assert found["silent_processes"] == 0
