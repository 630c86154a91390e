"""What is written behind the answer to a message, and what nobody has to wait for."""

import asyncio
from collections import Counter

import pytest

from app.storage.observed import ObservedDatabase
from models.chat.behind import Behind
from models.finishing import drain
from tests.chat_world import ANN, BEN, CHANNEL, chat_on

TEXT = {"content": "hello", "message_type": "text"}
PATIENCE_S = 10.0


class HeldUpdates:
    """A database whose single updates wait until they are let go."""

    def __init__(self, database):
        self._database = database
        self.let_go = asyncio.Event()
        self.let_go.set()

    def __getitem__(self, name):
        return HeldCollection(self._database[name], self.let_go)


class HeldCollection:
    def __init__(self, collection, let_go):
        self._collection = collection
        self._let_go = let_go

    def __getattr__(self, name):
        return getattr(self._collection, name)

    async def update_one(self, *args, **options):
        await self._let_go.wait()
        return await self._collection.update_one(*args, **options)


@pytest.fixture
def held(database):
    return HeldUpdates(database)


@pytest.fixture
def asked():
    return Counter()


@pytest.fixture
async def process(chat, held, asked, hall, clock):
    """A chat whose operations are counted; Ann is a member of the channel."""

    def count(operation, seconds, *, failed):
        asked[operation] += 1

    made = chat_on(ObservedDatabase(held, count), hall, clock)
    await made.prepare()
    connection = hall.connect(ANN)
    await made.presence.arrived(connection, ANN.account_id)
    await made.join(ANN, connection, CHANNEL)
    await made.messages.send(ANN, CHANNEL, **TEXT)
    await drain(PATIENCE_S)
    return made


async def test_a_message_is_acknowledged_when_it_is_stored(chat, process, held, asked, database):
    """Three operations; the list, the unread count and the next number are right at once."""
    held.let_go.clear()
    for seq in (2, 3):
        asked.clear()
        async with asyncio.timeout(PATIENCE_S):
            sent = await process.messages.send(ANN, CHANNEL, **TEXT)
        assert sent["seq"] == seq
        assert asked == {"find_one": 2, "insert_one": 1}
    assert (await process.lists.get(ANN, CHANNEL))["unread"] == 0
    assert (await database["conversations"].find_one({"_id": CHANNEL}))["last_seq"] == 1
    held.let_go.set()
    listed = await process.lists.conversations(ANN, after=None, limit=10)
    assert [each["unread"] for each in listed["items"]] == [0]
    await drain(PATIENCE_S)
    assert (await database["conversations"].find_one({"_id": CHANNEL}))["last_seq"] == 3
    member = await database["chat_members"].find_one({"_id": f"{CHANNEL}:{ANN.account_id}"})
    assert member["read_seq"] == 3


async def test_what_was_not_written_is_found(chat, process, held):
    """Where a process has died before it, another goes on behind the last message."""
    held.let_go.clear()
    for _ in range(3):
        await process.messages.send(ANN, CHANNEL, **TEXT)
    assert (await chat.messages.send(BEN, CHANNEL, **TEXT))["seq"] == 5
    page = await chat.reading.history(BEN, CHANNEL, limit=10)
    assert [each["seq"] for each in page["items"]] == [1, 2, 3, 4, 5]
    held.let_go.set()


async def test_marking_what_one_wrote_changes_nothing(process, held, hall):
    """The own message counts as read, also while that is not written."""
    held.let_go.clear()
    sent = await process.messages.send(ANN, CHANNEL, **TEXT)
    hall.published.clear()
    state = await process.reading.mark(ANN, sent["id"])
    assert state == {"conversation_id": CHANNEL, "read_seq": 2, "unread": 0}
    assert hall.published == []
    held.let_go.set()


async def test_only_the_highest_of_the_values_that_wait_is_written():
    """One write of a key at a time; what comes meanwhile is written once."""
    written, go_on = [], asyncio.Event()

    async def write(key, value):
        written.append((key, value))
        await go_on.wait()

    behind = Behind(write)
    for value in (1, 3, 2):
        behind.note("a", value)
    behind.note("b", 1)
    await asyncio.sleep(0)
    for value in (4, 6, 5):
        behind.note("a", value)
    assert behind.get("a") == 6
    go_on.set()
    await behind.written()
    assert written == [("a", 3), ("b", 1), ("a", 6)]
    assert behind.get("a") is None


async def test_a_value_that_cannot_be_written_does_not_hold_up_the_others(caplog):
    """It is logged, and forgotten: it is no more than a hint."""
    written = []

    async def write(key, value):
        if key == "bad":
            raise RuntimeError("a mistake")
        written.append((key, value))

    behind = Behind(write)
    behind.note("bad", 1)
    behind.note("good", 1)
    await behind.written()
    assert written == [("good", 1)]
    assert behind.get("bad") is None
    assert "a mistake" in caplog.text
    caplog.clear()
