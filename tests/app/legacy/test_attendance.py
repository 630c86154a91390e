"""What a domain is told of raw connections: they come, speak and go, always in this order."""

import asyncio

import pytest

from app.legacy.dialects.notifications import NotificationsDialect
from app.realtime import inbox
from models.errors import Unavailable
from tests.app.legacy.story_events import viewed
from tests.chat_doors import drop
from tests.live import PATIENCE_S

PING = {"type": "ping"}
VIEWED = viewed("550e8400")


class Diary(NotificationsDialect):
    """A dialect that notes what account 1 does, and can be held up while it does."""

    def __init__(self):
        super().__init__()
        self.noted = []
        self.peer = None
        self.begun = asyncio.Event()
        self.go_on = asyncio.Event()
        self.go_on.set()
        self.over = asyncio.Event()
        self.failure = None

    async def arrived(self, peer, query):
        if peer.identity.account_id == "1":
            self.peer = peer
            await self._pause()
            self.noted.append(("arrived", query.get("channel_id")))
            if self.failure is not None:
                raise self.failure

    async def receive(self, peer, message):
        if peer.identity.account_id == "1":
            if message["type"] == "slow":
                await self._pause()
            self.noted.append(("received", message["type"]))
        await super().receive(peer, message)

    async def left(self, peer):
        if peer.identity.account_id == "1":
            self.noted.append(("left", None))
            self.over.set()

    async def _pause(self):
        self.begun.set()
        await self.go_on.wait()


@pytest.fixture
def diary():
    return Diary()


@pytest.fixture
def attended(raw_endpoint, diary):
    """Start an endpoint that tells `diary`; keywords are those of its policy."""

    async def start(**policy):
        return await raw_endpoint(
            dialect=diary, policy={"attendance": diary, **policy}, messages_per_s=1000
        )

    return start


async def happened(event):
    await asyncio.wait_for(event.wait(), PATIENCE_S)


async def test_arrival_comes_before_the_first_message(attended, diary):
    """A message sent while the domain is still noting the arrival waits for it."""
    raw = await attended()
    diary.go_on.clear()
    client = await raw.doors.open_at("/ws?token=1&channel_id=general")
    assert (await client.frame())["type"] == "connected"
    await client.send(PING)
    await happened(diary.begun)
    # A whole connection and its answer: meanwhile the server has read the first one's message.
    assert (await (await raw.raw("2")).ask(PING))["type"] == "pong"
    assert diary.noted == []
    diary.go_on.set()
    assert (await client.frame())["type"] == "pong"
    await client.socket.close()
    await happened(diary.over)
    assert diary.noted == [("arrived", "general"), ("received", "ping"), ("left", None)]


async def test_a_connection_hears_from_its_first_moment(attended, diary):
    """It is in its rooms before the arrival is noted, so nothing is missed in between."""
    raw = await attended()
    diary.go_on.clear()
    client = await raw.raw("1")
    await happened(diary.begun)
    await raw.tell("1", VIEWED)
    assert (await client.frame())["type"] == "story.viewed"


async def test_a_drop_while_arriving_is_told_after_it(attended, diary):
    """The domain never hears of a departure before the arrival."""
    raw = await attended()
    other = await raw.raw("2")
    diary.go_on.clear()
    client = await raw.raw("1")
    await happened(diary.begun)
    await dropped(raw, client, other)
    assert diary.noted == []
    diary.go_on.set()
    await happened(diary.over)
    assert diary.noted == [("arrived", None), ("left", None)]


async def test_a_drop_while_a_message_is_handled_is_told_after_it(attended, diary):
    """What was begun is finished before the departure is told, and enters no room any more."""
    raw = await attended()
    other, client = await raw.raw("2"), await raw.raw("1")
    assert (await client.ask(PING))["type"] == "pong"
    diary.begun.clear()
    diary.go_on.clear()
    await client.send({"type": "slow"})
    await happened(diary.begun)
    await dropped(raw, client, other)
    diary.peer.enter("a room")
    assert "a room" not in raw.manager._peers
    diary.go_on.set()
    await happened(diary.over)
    assert diary.noted[-2:] == [("received", "slow"), ("left", None)]


async def dropped(raw, client, other):
    """Cut a connection, and return when the server knows."""
    drop(client)
    async with asyncio.timeout(PATIENCE_S):
        while len(raw.endpoint) > 1:
            assert (await other.ask(PING))["type"] == "pong"


@pytest.mark.parametrize(
    ("failure", "code"), [(Unavailable("no database"), 1013), (RuntimeError("secret"), 1011)]
)
async def test_a_failed_arrival_ends_the_connection(attended, diary, failure, code):
    """The client may come back; the departure is told, since something may have been noted."""
    raw = await attended()
    diary.failure = failure
    client = await raw.raw("1")
    message = await client.socket.receive(PATIENCE_S)
    assert message.data == code
    assert "secret" not in message.extra
    await happened(diary.over)
    assert diary.noted == [("arrived", None), ("left", None)]
    diary.failure = None
    assert (await (await raw.raw("1")).ask(PING))["type"] == "pong"


async def test_a_refused_connection_is_not_told(attended, diary):
    """One that is closed right after the upgrade was never there."""
    raw = await attended(refuses_by_closing=True)
    for query in ("", "?channel_id=general"):
        assert await (await raw.doors.open_at(f"/ws{query}")).closed() == 4001
    client = await raw.raw("1")
    await client.socket.close()
    await happened(diary.over)
    assert diary.noted == [("arrived", None), ("left", None)]


async def test_one_that_does_not_answer_a_stopping_server_has_left(attended, diary):
    """The domain is told before the server goes on to stop, as of those that did answer."""
    raw = await attended()
    await raw.raw("1", autoclose=False)
    await raw.raw("2")
    await asyncio.wait_for(raw.endpoint.close_all(), PATIENCE_S)
    await inbox.drain(PATIENCE_S)
    assert diary.noted == [("arrived", None), ("left", None)]
    assert len(raw.endpoint) == 0


async def test_one_that_comes_too_late_has_not_arrived(attended, diary):
    """Who connects while the server stops is sent away without the domain noting anything."""
    raw = await attended()
    await raw.endpoint.close_all()
    late = await raw.doors.open_raw("1")
    assert await late.closed() == 1001
    await happened(diary.over)
    assert diary.noted == [("left", None)]


async def test_of_several_connections_the_oldest_gives_way(attended, diary):
    """Where the newest wins and two are allowed, the third takes the place of the first."""
    raw = await attended(connections_per_user=2)
    first, second, third = [await raw.raw("1") for _ in range(3)]
    assert await first.closed() == 4009
    for client in (second, third):
        assert (await client.ask(PING))["type"] == "pong"
    assert len(raw.endpoint) == 2
    assert [peer.identity.account_id for peer in raw.endpoint] == ["1", "1"]
