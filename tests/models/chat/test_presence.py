"""Who is there: with several devices, several processes, and processes that die."""

import asyncio
import time
from datetime import timedelta

import pytest

from models.accounts import person_of
from models.chat import leases
from models.errors import Conflict, Unavailable
from models.rooms import conversation_room
from tests.chat_world import (
    ANN,
    BEN,
    CAT,
    CHANNEL,
    EVE,
    LEASE,
    chat_on,
    open_channel,
    person,
)
from tests.stories_world import HandClock

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
    assert ann.take_names() == ["channel_joined", "member_added", "channel_left"]


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
    assert await database["conversations"].count_documents({}) == 1 + 20
    assert await database["chat_members"].count_documents({}) == 20
    rooms = [room for room in ann.rooms if room.startswith(conversation_room(""))]
    assert sum("@" not in room for room in rooms) == 20


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
    assert [data["user_id"] for data in listener.take("channel_joined")] == ["3"]
    assert await present(chat) == await present(second) == ["1", "2", "3"]
    await end(second, far)
    assert listener.take() == []
    assert await present(second) == ["1", "2", "3"]


async def test_a_dead_process_is_noticed_when_its_lease_ends(chat, second, join, clock):
    """People of a process that died are there until its lease ends, then told as gone, once."""
    await chat.membership.create_conversation(ANN, participants=["2"], title=None)
    listener = await join(BEN)
    await join(ANN, process=second)
    await join(CAT, process=second)
    await join(CAT)
    listener.take()
    clock.move(LEASE - SECOND)
    await chat.presence.sweep()
    assert listener.take() == []
    assert await present(chat) == ["1", "2", "3"]
    clock.move(SECOND)
    assert await present(chat) == ["2", "3"]
    await chat.presence.sweep()
    told = sorted((name, data["user_id"]) for name, data in listener.heard)
    assert told == [("channel_left", "1"), ("user_status_change", "1")]
    listener.take()
    await chat.presence.sweep()
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
    await asyncio.gather(chat.presence.sweep(), second.presence.sweep())
    left = [data["user_id"] for data in listener.take("channel_left")]
    assert sorted(left) == ["1", "3", "9"]


async def test_a_process_that_slept_comes_back(chat, second, join, clock):
    """A process taken for dead tells again, after its next sweep, who is connected to it."""
    listener = await join(BEN)
    asleep = await join(ANN, process=second)
    clock.move(LEASE)
    await chat.presence.sweep()
    listener.take()
    assert await present(chat) == ["2"]
    await second.presence.sweep()
    assert [data["user_id"] for data in listener.take("channel_joined")] == ["1"]
    assert await present(chat) == ["1", "2"]
    await end(second, asleep)
    assert await present(chat) == ["2"]


async def test_a_departure_that_could_not_be_written_is_told_later(chat, join, monkeypatch):
    """While the database is away a connection ends all the same; the next sweep tells it."""
    await chat.membership.create_conversation(ANN, participants=["2"], title=None)
    listener, ann = await join(BEN), await join(ANN)
    listener.take()

    async def away(*_args):
        raise Unavailable("The database is away.")

    with monkeypatch.context() as outage:
        outage.setattr(chat._leases, "depart", away)
        await end(chat, ann)
    assert listener.take() == []
    assert await present(chat) == ["2"]
    await chat.presence.sweep()
    told = sorted((name, data["user_id"]) for name, data in listener.heard)
    assert told == [("channel_left", "1"), ("user_status_change", "1")]


async def test_status_reaches_those_to_whom_one_has_shown_oneself(chat, connect, join):
    """A status goes to the other side of conversations one began, and to no one in a channel."""
    await chat.membership.create_conversation(ANN, participants=["2"], title=None)
    ben, ann = await connect(BEN), await connect(ANN)
    cat, eve = await join(CAT), await connect(EVE)
    await chat.join(ANN, ann, CHANNEL)
    for connection in (ann, ben, cat, eve):
        connection.take()
    await chat.presence.change_status(person_of(ANN), "busy")
    await chat.presence.change_status(person_of(ANN), "busy")
    for connection in (ann, ben):
        told = connection.take()
        assert [(data["user_id"], data["status"]) for data in told] == [("1", "busy")]
    assert cat.take() == eve.take() == []
    await chat.presence.change_status(person_of(BEN), "away")
    assert ann.take() == []


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


async def test_a_follower_is_in_all_channels_of_its_account(chat, join, connect, hall):
    """A connection that follows joins its account's channels, now and when another one joins."""
    await join(ANN, "one")
    follower = await connect(ANN)
    assert await chat.follow(ANN, follower) == ["one"]
    await join(ANN, "two")
    await open_channel(chat, hall, "three")
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


# The grace: a page that is loaded again is no coming and going.

GRACE = timedelta(seconds=8)


@pytest.fixture
async def patient(database, hall, clock):
    """A process that gives its people time to come back."""
    made = chat_on(database, hall, clock, grace=GRACE, process_name="web.1")
    await made.prepare()
    return made


@pytest.fixture
async def processes(database):
    """The processes of the database: none at first."""
    for process in await database["chat_processes"].find({}).to_list(None):
        await database["chat_processes"].delete_one({"_id": process["_id"]})
    return database["chat_processes"]


@pytest.fixture
def come(hall):
    """Return a connection that has joined a channel of a process, and has heard nothing yet."""

    async def come(identity, process):
        connection = await arrive(process, hall, identity)
        await process.join(identity, connection, CHANNEL)
        connection.take()
        return connection

    return come


async def process_on(database, hall, clock, **options):
    made = chat_on(database, hall, clock, **({"grace": GRACE, "process_name": "web.2"} | options))
    await made.prepare()
    return made


def told(listener):
    """Take what a connection has heard of people who come and go."""
    heard = [(name, data["user_id"]) for name, data in listener.heard]
    listener.take()
    return sorted(heard)


async def test_a_reload_is_no_coming_and_going(patient, join, clock, chat):
    """Who is back within the grace was never gone; who is not is told as gone when it is over."""
    await chat.membership.create_conversation(ANN, participants=["2"], title=None)
    listener = await join(BEN, process=patient)
    first = await join(ANN, process=patient)
    listener.take()
    await end(patient, first)
    clock.move(GRACE - SECOND)
    await patient.presence.sweep()
    assert await present(patient) == ["1", "2"]
    assert await patient.presence.status("1") == "available"
    again = await join(ANN, process=patient)
    assert told(listener) == []
    clock.move(GRACE)
    await patient.presence.sweep()
    assert (told(listener), await present(patient)) == ([], ["1", "2"])

    await end(patient, again)
    clock.move(GRACE)
    await patient.presence.sweep()
    assert told(listener) == [("channel_left", "1"), ("user_status_change", "1")]
    assert await present(patient) == ["2"]
    assert await patient.presence.status("1") == "offline"


async def test_departures_are_told_without_a_sweep(database, hall, clock, join):
    """The grace has a timer of its own, one for all who leave, however they come and go."""
    grace = timedelta(milliseconds=20)
    quick = chat_on(database, hall, clock, grace=grace, elapsed=time.monotonic)
    await quick.prepare()
    listener = await join(BEN, process=quick)
    gone = asyncio.Event()
    hear = listener.heard.append
    listener.heard = Heard(hear, gone)
    await end(quick, await join(ANN, process=quick))
    await asyncio.wait_for(gone.wait(), 10)
    assert await present(quick) == ["2"]


class Heard(list):
    """What a connection has heard; sets an event at the first departure."""

    def __init__(self, hear, gone):
        super().__init__()
        self._gone = gone

    def append(self, entry):
        super().append(entry)
        if entry[0] == "channel_left":
            self._gone.set()


async def test_leaving_by_command_has_no_grace(patient, join):
    """`leave_channel` and the removal of a member are told at once, also of one in its grace."""
    listener, ann = await join(BEN, process=patient), await join(ANN, process=patient)
    listener.take()
    await patient.leave(ann, CHANNEL)
    assert told(listener) == [("channel_left", "1")]
    await patient.join(ANN, ann, CHANNEL)
    await end(patient, ann)
    listener.take()
    await patient.presence.expel("1", CHANNEL)
    assert told(listener) == [("channel_left", "1")]
    assert await present(patient) == ["2"]


# Stops, starts and crashes.


async def test_a_stop_is_one_write(patient, join, database, monkeypatch):
    """Fifty people whose process stops are one write, and none of them is told as gone."""
    listener = await join(BEN, process=patient)
    people = [await join(person(number), process=patient) for number in range(20, 70)]
    listener.take()
    writes = []
    for name in ("chat_present", "chat_processes"):
        collection = type(database[name])
        for method in ("insert_one", "update_one", "delete_one", "delete_many"):
            stock = getattr(collection, method)

            async def counted(self, *arguments, stock=stock, method=method, **options):
                writes.append(method)
                return await stock(self, *arguments, **options)

            monkeypatch.setattr(collection, method, counted)
        break
    await patient.stop()
    for connection in people:
        await end(patient, connection)
    await patient.presence.sweep()
    assert writes == ["update_one"]
    assert told(listener) == []


async def test_a_deploy_tells_nobody_who_comes_back(
    processes, patient, come, database, hall, clock
):
    """People of a process that stopped have the grace from the start of the next one."""
    watcher = await process_on(database, hall, clock)
    listener = await come(EVE, watcher)
    for who in (ANN, BEN):
        await end(patient, await come(who, patient))
    await patient.stop()
    hall.connections = [listener]
    listener.take()
    clock.move(timedelta(minutes=3))
    following = await process_on(database, hall, clock, process_name="web.1")
    assert await present(following) == ["1", "2", "9"]
    clock.move(GRACE - SECOND)
    assert (await following.join(ANN, await arrive(following, hall, ANN), CHANNEL))["told"] is False
    assert told(listener) == []
    clock.move(SECOND)
    await following.presence.sweep()
    assert told(listener) == [("channel_left", "2")]
    assert await present(following) == ["1", "9"]
    assert await database["chat_present"].count_documents({}) == 4
    assert await processes.count_documents({}) == 2


async def arrive(process, hall, identity):
    connection = hall.connect(identity)
    await process.presence.arrived(connection, identity.account_id)
    return connection


@pytest.mark.parametrize("others", [0, 1])
async def test_a_restart_clears_what_a_crash_left(processes, database, hall, clock, come, others):
    """A process that starts after a crash under the same name shows none of its people."""
    crashed = await process_on(database, hall, clock, process_name="web.1")
    await come(ANN, crashed)
    await come(BEN, crashed)
    leases._OURS.discard(crashed.presence._leases.process_id)
    for number in range(others):
        await process_on(database, hall, clock, process_name=f"web.{number + 5}")
    restarted = await process_on(database, hall, clock, process_name="web.1")
    assert await present(restarted) == []
    assert await restarted.presence.status("1") == "offline"
    connection = await arrive(restarted, hall, ANN)
    assert (await restarted.join(ANN, connection, CHANNEL))["told"] is True
    await restarted.presence.sweep()
    assert await present(restarted) == ["1"]
    assert await database["chat_present"].count_documents({}) == 2


async def test_a_namesake_of_another_machine_has_the_grace(processes, database, hall, clock, come):
    """A platform starts the new process while the old one of its name still serves."""
    old = await process_on(database, hall, clock, process_name="web.1")
    await come(ANN, old)
    mine = {"_id": old.presence._leases.process_id}
    await processes.update_one(mine, {"$set": {"host": "another"}})
    new = await process_on(database, hall, clock, process_name="web.1")
    assert await present(new) == ["1"]
    clock.move(GRACE - SECOND)
    await old.presence.sweep()
    clock.move(GRACE)
    assert await present(new) == ["1"]
    await old.stop()
    assert await present(new) == ["1"]
    clock.move(GRACE)
    assert await present(new) == []


@pytest.mark.parametrize("hours", [-3, 3])
async def test_clocks_of_other_machines_do_not_matter(
    processes, database, hall, clock, come, hours
):
    """A process whose clock is hours off is alive while it moves its counter, and dead after."""
    other = HandClock()
    other.move(timedelta(hours=hours))
    here = await process_on(database, hall, clock)
    far = await process_on(database, hall, other, process_name="far")
    listener = await come(BEN, here)
    await come(ANN, far)
    assert await present(here) == await present(far) == ["1", "2"]
    near = await arrive(here, hall, ANN)
    assert (await here.join(ANN, near, CHANNEL))["told"] is False
    await end(here, near)
    for _ in range(3):
        clock.move(LEASE - SECOND)
        await far.presence.sweep()
        await here.presence.sweep()
        assert await present(here) == ["1", "2"]
    listener.take()
    clock.move(LEASE)
    await here.presence.sweep()
    assert told(listener) == [("channel_left", "1")]


async def test_a_process_that_dies_while_it_buries_is_no_end(
    processes, database, hall, clock, come
):
    """What a dead process has begun to bury another one buries, when it is seen to be dead."""
    dead, undertaker, third = [
        await process_on(database, hall, clock, process_name=name) for name in ("a", "b", "c")
    ]
    listener = await come(BEN, third)
    await come(ANN, dead)
    listener.take()
    clock.move(LEASE - SECOND)
    for alive in (undertaker, third):
        await alive.presence._leases.renew()
        await alive.presence._leases.others()
    clock.move(SECOND)
    assert len(await undertaker.presence._leases.dead()) == 1
    await third.presence.sweep()
    assert told(listener) == []
    clock.move(LEASE)
    await third.presence.sweep()
    assert told(listener) == [("channel_left", "1")]
    assert await processes.count_documents({}) == 1


async def test_a_join_does_not_grow_with_the_room(
    processes, chat, second, come, database, monkeypatch
):
    """Of a crowd at another process, each join reads a page at most; the count is right."""
    monkeypatch.setattr(leases, "MAX_READ", 10)
    for number in range(20, 50):
        await come(person(number), second)
    reads = []
    stock = type(database["x"]).find

    def find(self, filter, **options):
        reads.append(filter)
        return stock(self, filter, **options)

    monkeypatch.setattr(type(database["x"]), "find", find)
    for number in range(60, 70):
        await come(person(number), chat)
    snapshot = await chat.presence.present(CHANNEL)
    assert snapshot["present_count"] == len(snapshot["present"]) == 40
    crowd = [filter for filter in reads if filter.get("place") == CHANNEL]
    assert len(crowd) == 1
