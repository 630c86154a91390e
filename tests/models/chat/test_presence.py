"""Who is there: with several devices, several processes, and processes that die."""

import asyncio
from datetime import timedelta

import pytest

from models.chat.records import person_of
from models.errors import Conflict, Unavailable
from models.rooms import conversation_room
from tests.chat_world import ANN, BEN, CAT, CHANNEL, EVE, LEASE, chat_on

SECOND = timedelta(seconds=1)


@pytest.fixture
async def second(database, hall, clock):
    """Another process on the same store."""
    made = chat_on(database, hall, clock)
    await made.prepare()
    return made


async def end(process, connection):
    connection.end()
    await process.presence.left(connection)


async def present(process, channel=CHANNEL):
    return [who["user_id"] for who in (await process.presence.present(channel))["present"]]


async def test_the_first_connection_joins_and_the_last_one_leaves(chat, join, connect, hall):
    """With two devices channel_joined is told by the first only, channel_left by the last only."""
    listener = await join(BEN)
    first = await join(ANN)
    assert [data["user_id"] for data in listener.take("channel_joined")] == ["1"]
    telephone = await join(ANN)
    assert listener.take() == []
    assert (await chat.leave(first, CHANNEL))["told"] is False
    assert listener.take() == []
    await end(chat, telephone)
    assert [data["user_id"] for data in listener.take("channel_left")] == ["1"]
    assert await present(chat) == ["2"]


async def test_one_who_joins_and_leaves_hears_it(chat, connect):
    """channel_joined and channel_left go to the one who acts, and nothing of it comes after."""
    ann = await connect(ANN)
    ann.take()
    assert (await chat.join(ANN, ann, CHANNEL))["told"] is True
    assert (await chat.leave(ann, CHANNEL))["told"] is True
    await chat.messages.send(BEN, CHANNEL, content="x", message_type="text")
    assert ann.take_names() == ["channel_joined", "channel_left"]


async def test_joining_again_is_quiet(chat, join, connect):
    """A connection that joins a channel it is in gets a new snapshot, and one leave ends it."""
    listener, ann = await join(BEN), await join(ANN)
    listener.take()
    assert (await chat.join(ANN, ann, CHANNEL))["told"] is False
    await chat.leave(ann, CHANNEL)
    assert listener.take_names() == ["channel_left"]
    with pytest.raises(Conflict) as caught:
        await chat.leave(ann, CHANNEL)
    assert caught.value.code == "not_joined"


async def test_a_connection_joins_so_many_channels(chat, connect, database):
    """Of 1,000 channels at once a connection gets its share; the others are not even made."""
    ann = await connect(ANN)
    results = await asyncio.gather(
        *(chat.join(ANN, ann, f"channel{n}") for n in range(1000)), return_exceptions=True
    )
    refused = [result for result in results if isinstance(result, Conflict)]
    assert len(results) - len(refused) == 20
    assert {error.code for error in refused} == {"too_many_channels"}
    assert await database["conversations"].count_documents({}) == 20
    assert await database["chat_members"].count_documents({}) == 20
    assert sum(room.startswith(conversation_room("")) for room in ann.rooms) == 20


async def test_a_connection_that_has_ended_joins_nothing(chat, connect):
    """A join that was under way when its connection ended leaves nobody behind in the channel."""
    ann = await connect(ANN)
    await end(chat, ann)
    with pytest.raises(Conflict) as caught:
        await chat.join(ANN, ann, CHANNEL)
    assert caught.value.code == "connection_gone"
    assert await present(chat) == []
    assert ann.rooms == set()


async def test_joining_and_ending_at_once(chat, connect, hall):
    """Whichever comes first, joins racing with the end of their connection leave nobody there."""
    for _ in range(5):
        ann = await connect(ANN)
        await asyncio.gather(
            *(chat.join(ANN, ann, f"{CHANNEL}{n}") for n in range(3)),
            end(chat, ann),
            return_exceptions=True,
        )
        for n in range(3):
            assert await present(chat, f"{CHANNEL}{n}") == []
    assert await chat.presence.status("1") == "offline"


async def test_two_processes_see_one_another(chat, second, join, clock):
    """Present is who is connected to any process; the second device on another one is quiet."""
    listener = await join(BEN)
    await join(ANN)
    listener.take()
    clock.move(SECOND)
    far = await join(ANN, process=second)
    await join(CAT, process=second)
    assert [data["user_id"] for data in listener.take()] == ["3"]
    assert await present(chat) == await present(second) == ["1", "2", "3"]
    await end(second, far)
    assert listener.take() == []
    assert await present(second) == ["1", "2", "3"]


async def test_a_dead_process_is_noticed_when_its_lease_ends(chat, second, join, clock):
    """People of a process that died are there until its lease ends, then told as gone, once."""
    listener = await join(BEN)
    await join(ANN, process=second)
    await join(CAT, process=second)
    await join(CAT)
    listener.take()
    clock.move(LEASE - SECOND)
    await chat.sweep()
    assert listener.take() == []
    assert await present(chat) == ["1", "2", "3"]
    clock.move(SECOND)
    assert await present(chat) == ["2", "3"]
    await chat.sweep()
    told = sorted((name, data["user_id"]) for name, data in listener.heard)
    assert told == [("channel_left", "1"), ("user_status_change", "1")]
    listener.take()
    await chat.sweep()
    assert listener.take() == []


async def test_two_processes_bury_the_same_dead_one(chat, second, join, database, hall, clock):
    """When all processes notice at once, each one who is gone is told once."""
    third = chat_on(database, hall, clock)
    await third.prepare()
    listener = await join(BEN)
    for who in (ANN, CAT, EVE):
        await join(who, process=third)
    listener.take()
    clock.move(LEASE)
    # Those who live renewed in time.
    await asyncio.gather(chat.presence._leases.renew(), second.presence._leases.renew())
    await asyncio.gather(chat.sweep(), second.sweep())
    left = [data["user_id"] for data in listener.take("channel_left")]
    assert sorted(left) == ["1", "3", "9"]


async def test_a_process_that_slept_comes_back(chat, second, join, clock):
    """A process taken for dead tells again, after its next sweep, who is connected to it."""
    listener = await join(BEN)
    asleep = await join(ANN, process=second)
    clock.move(LEASE)
    await chat.sweep()
    listener.take()
    assert await present(chat) == ["2"]
    await second.sweep()
    assert [data["user_id"] for data in listener.take("channel_joined")] == ["1"]
    assert await present(chat) == ["1", "2"]
    await end(second, asleep)
    assert await present(chat) == ["2"]


async def test_a_departure_that_could_not_be_written_is_told_later(chat, join, monkeypatch):
    """While the database is away a connection ends all the same; the next sweep tells it."""
    listener, ann = await join(BEN), await join(ANN)
    listener.take()

    async def away(*_args):
        raise Unavailable("The database is away.")

    with monkeypatch.context() as outage:
        outage.setattr(chat._leases, "depart", away)
        await end(chat, ann)
    assert listener.take() == []
    assert await present(chat) == ["2"]
    await chat.sweep()
    told = sorted((name, data["user_id"]) for name, data in listener.heard)
    assert told == [("channel_left", "1"), ("user_status_change", "1")]


async def test_status_reaches_those_who_share_a_conversation(chat, connect, join):
    """A status goes to members of common conversations and channels, and to no one else."""
    await chat.membership.create_conversation(ANN, participants=["2"], title=None)
    ben, ann = await connect(BEN), await connect(ANN)
    cat, eve = await join(CAT), await connect(EVE)
    await chat.join(ANN, ann, CHANNEL)
    for connection in (ann, ben, cat, eve):
        connection.take()
    await chat.presence.change_status(person_of(ANN), "busy")
    await chat.presence.change_status(person_of(ANN), "busy")
    for connection in (ann, ben, cat):
        told = connection.take()
        assert [(data["user_id"], data["status"]) for data in told] == [("1", "busy")]
    assert eve.take() == []


async def test_online_and_offline(chat, connect):
    """The first connection tells what one said last, the last one's end tells offline."""
    await chat.membership.create_conversation(ANN, participants=["2"], title=None)
    ben = await connect(BEN)
    ben.take()
    assert await chat.presence.status("1") == "offline"
    desk, telephone = await connect(ANN), await connect(ANN)
    await chat.presence.change_status(person_of(ANN), "away")
    await end(chat, desk)
    assert await chat.presence.status("1") == "away"
    await end(chat, telephone)
    assert await chat.presence.status("1") == "offline"
    await connect(ANN)
    statuses = [data["status"] for data in ben.take("user_status_change")]
    assert statuses == ["available", "away", "offline", "away"]


async def test_heartbeats_write_now_and_then(chat, database, clock):
    """Last-active is right to within its step, and beats in between write nothing."""
    began = clock()
    for _ in range(25):
        await chat.statuses.beat("1")
        clock.move(SECOND)
    assert await chat.statuses.last_active("1") == began + 20 * SECOND
    await database["chat_statuses"].delete_one({"_id": "1"})
    await chat.statuses.beat("1")
    assert await chat.statuses.last_active("1") is None


async def test_a_follower_is_in_all_channels_of_its_account(chat, join, connect):
    """A connection that follows joins its account's channels, now and when another one joins."""
    await join(ANN, "one")
    follower = await connect(ANN)
    assert await chat.follow(ANN, follower) == ["one"]
    await join(ANN, "two")
    follower.take()
    for channel in ("one", "two", "three"):
        await chat.messages.send(BEN, channel, content=channel, message_type="text")
    assert [message["content"] for message in follower.take("new_message")] == ["one", "two"]


async def test_a_follower_hears_a_channel_that_its_account_begins_to_write_in(chat, join, connect):
    """Who writes in a channel joins it: connections that follow hear that and the next message."""
    other = await join(BEN, "general")
    follower = await connect(ANN)
    await chat.follow(ANN, follower)
    other.take()
    await chat.messages.send(ANN, "general", content="hello", message_type="text")
    await chat.messages.send(BEN, "general", content="welcome", message_type="text")
    assert [message["content"] for message in follower.take("new_message")] == ["hello", "welcome"]
    assert [joined["user_id"] for joined in other.take("channel_joined")] == [ANN.account_id]
