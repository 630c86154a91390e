"""Reminders of due tasks, on the store that is open."""

import asyncio
import json
import sys
from asyncio.subprocess import PIPE
from datetime import UTC, date, datetime, time, timedelta

import pytest

from models.collections import retention_of
from models.diary.tasks import reminders as module
from models.diary.tasks.operations import Tasks
from models.diary.tasks.reminders import PATIENCE, Reminders
from models.diary.zones import Zones
from models.rooms import user_room
from tests.diary_world import ANN, BEN, People
from tests.models.diary.dying import Died, Dying
from tests.programs import ROOT, START_S
from tests.stories_world import RecordingPublisher

TODAY = date(2026, 3, 1)
"""A Sunday; at noon in UTC."""

DAY = timedelta(days=1)
MINUTE = timedelta(minutes=1)


class Devices:
    """A push service that keeps what it was given."""

    public_key = "a key"

    def __init__(self):
        self.messages = []

    def queue(self, account_id, message, **_):
        self.messages.append((account_id, json.loads(message)))
        return True


@pytest.fixture
def publisher():
    return RecordingPublisher()


@pytest.fixture
def people():
    return People()


@pytest.fixture
def devices():
    return Devices()


@pytest.fixture
async def tasks(database, people, clock):
    made = Tasks(database, RecordingPublisher(), Zones(people.find, clock), clock)
    await made.prepare()
    return made


@pytest.fixture
def open_reminders(database, publisher, people, devices, clock):
    """Return the reminders of a process."""

    def open_reminders(database=database, publisher=publisher):
        return Reminders(database, publisher, devices, Zones(people.find, clock), clock)

    return open_reminders


@pytest.fixture
async def reminders(open_reminders):
    made = open_reminders()
    await made.prepare()
    return made


@pytest.fixture
def due_at(reminders, publisher):
    """Let a minute's turn come; returns when the tasks that it told fell due."""

    async def due_at():
        await reminders.publish_due()
        return [data["due_at"] for data, _ in publisher.take("task.due")]

    return due_at


def at(text):
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


async def test_a_due_task_is_told_once(tasks, reminders, publisher, devices, clock):
    """At its minute the owner is told, live and by push, and then never again."""
    task = await tasks.create(ANN, title="Call 📞", due_date=TODAY, due_time=time(12, 30))
    clock.moment = at("2026-03-01T12:29:59.999")
    await reminders.publish_due()
    assert publisher.published == []
    clock.moment = at("2026-03-01T12:30")
    await reminders.publish_due()
    name = f"{task['id']}:2026-03-01T12:30"
    told = {
        "reminder_id": name,
        "task_id": task["id"],
        "task": task,
        "due_at": "2026-03-01T12:30:00.000Z",
    }
    assert publisher.take("task.due") == [(told, (user_room("1"),))]
    message = {"id": name, "type": "task.due", "title": "Call 📞", "link": ""}
    assert devices.messages == [("1", message | {"message": "2026-03-01 12:30"})]
    for _ in range(3):
        clock.move(DAY)
        await reminders.publish_due()
    assert publisher.published == []


async def test_who_is_not_told(tasks, due_at):
    """Nobody is told of what is done, deleted, put off, or has no date."""
    done, deleted, put_off, undated, _ = [
        await tasks.create(ANN, title=str(n), due_date=due)
        for n, due in enumerate((TODAY, TODAY, TODAY, TODAY, None))
    ]
    await tasks.complete(ANN, done["id"])
    await tasks.delete(ANN, deleted["id"])
    await tasks.update(ANN, put_off["id"], due_date=TODAY + DAY)
    await tasks.update(ANN, undated["id"], due_date=None)
    assert await due_at() == []


async def test_a_new_date_is_told_of_anew(tasks, due_at, clock):
    """A task that is put off is told again then; the same date and time never twice."""
    task = await tasks.create(ANN, title="t", due_date=TODAY)
    assert await due_at() == ["2026-03-01T09:00:00.000Z"]
    await tasks.update(ANN, task["id"], title="changed")
    await tasks.complete(ANN, task["id"])
    await tasks.reopen(ANN, task["id"])
    assert await due_at() == []
    await tasks.update(ANN, task["id"], due_time=time(12, 5))
    clock.move(5 * MINUTE)
    assert await due_at() == ["2026-03-01T12:05:00.000Z"]
    await tasks.update(ANN, task["id"], due_time=None)
    assert await due_at() == []


async def test_repetitions(tasks, due_at, clock):
    """Each repetition is told at its time, done or not; those that were slept through, as one."""
    task = await tasks.create(ANN, title="t", due_date=TODAY, due_time=time(15), repeat="daily")
    for expected in ("2026-03-01T15:00:00.000Z", "2026-03-02T15:00:00.000Z"):
        assert await due_at() == []
        clock.move(timedelta(hours=3))
        assert await due_at() == [expected]
        clock.move(timedelta(hours=21))
    # No process runs for four days and some hours.
    clock.move(4 * DAY)
    assert await due_at() == ["2026-03-06T15:00:00.000Z"]
    await tasks.complete(ANN, task["id"])
    clock.moment = at("2026-03-07T15:00")
    assert await due_at() == []
    clock.moment = at("2026-03-08T15:00")
    assert await due_at() == ["2026-03-08T15:00:00.000Z"]


async def test_in_a_gap_of_the_clocks(tasks, people, due_at, clock):
    """What is due at a time that is skipped is told at the skip; the next day at its own time."""
    people.settle("1", time_zone="Europe/Berlin")
    due = {"due_date": date(2026, 3, 28), "due_time": time(2, 30)}
    await tasks.create(ANN, title="t", **due, repeat="daily")
    for moment, expected in (
        ("2026-03-28T01:29", []),
        ("2026-03-28T01:30", ["2026-03-28T01:30:00.000Z"]),
        ("2026-03-29T00:59", []),
        ("2026-03-29T01:00", ["2026-03-29T01:00:00.000Z"]),
        ("2026-03-30T00:29", []),
        ("2026-03-30T00:30", ["2026-03-30T00:30:00.000Z"]),
    ):
        clock.moment = at(moment)
        assert await due_at() == expected, moment


async def test_a_move_to_another_zone(tasks, people, due_at, clock):
    """Nine o'clock is where the owner is; what was told already is not told again there."""
    due = await tasks.create(ANN, title="t", due_date=TODAY + DAY)
    await tasks.create(ANN, title="told", due_date=TODAY)
    assert await due_at() == ["2026-03-01T09:00:00.000Z"]
    # To the west: without being asked, it is looked at too early and put off.
    people.settle("1", time_zone="America/New_York")
    clock.moment = at("2026-03-02T09:00")
    assert await due_at() == []
    clock.moment = at("2026-03-02T13:00")
    # To the east, where it is nine already.
    people.settle("1", time_zone="Asia/Ho_Chi_Minh")
    await tasks.rezone("1")
    assert await due_at() == ["2026-03-02T02:00:00.000Z"]
    people.settle("1", time_zone="Pacific/Honolulu")
    await tasks.rezone("1")
    clock.move(2 * DAY)
    assert await due_at() == []
    assert (await tasks.get(ANN, due["id"]))["version"] == 1


async def test_a_repetition_and_a_move(tasks, people, due_at, clock):
    """A repetition told in one zone is not told in the next; the following one is, at its time."""
    await tasks.create(ANN, title="t", due_date=TODAY, repeat="daily")
    assert await due_at() == ["2026-03-01T09:00:00.000Z"]
    people.settle("1", time_zone="America/New_York")
    await tasks.rezone("1")
    clock.moment = at("2026-03-01T14:00")
    assert await due_at() == []
    clock.moment = at("2026-03-02T13:59")
    assert await due_at() == []
    clock.moment = at("2026-03-02T14:00")
    assert await due_at() == ["2026-03-02T14:00:00.000Z"]


async def test_processes_side_by_side(tasks, open_reminders, publisher, monkeypatch):
    """Of two that tell at once, one tells each reminder, whatever pages they read."""
    monkeypatch.setattr(module, "_AT_ONCE", 4)
    made = [
        await tasks.create(who, title="t", due_date=TODAY) for who in (ANN, BEN) for _ in range(5)
    ]
    await asyncio.gather(open_reminders().publish_due(), open_reminders().publish_due())
    told = [data["task"]["id"] for data, _ in publisher.take("task.due")]
    assert sorted(told) == sorted(task["id"] for task in made)
    await open_reminders().publish_due()
    assert publisher.published == []


async def test_two_real_processes(environment, tasks):
    """Two processes that start at once tell each reminder in one of them."""
    made = [await tasks.create(ANN, title=str(n), due_date=TODAY) for n in range(12)]

    async def run():
        program = (sys.executable, "-m", "tests.models.diary.reminding")
        process = await asyncio.create_subprocess_exec(
            *program, cwd=ROOT, env=environment, stdout=PIPE
        )
        output, _ = await asyncio.wait_for(process.communicate(), START_S)
        assert process.returncode == 0
        return output.decode().split()

    told = await asyncio.gather(run(), run())
    expected = [f"{task['id']}:2026-03-01T09:00" for task in made]
    assert sorted([*told[0], *told[1]]) == sorted(expected)


async def test_a_process_that_dies(tasks, reminders, open_reminders, database, publisher, clock):
    """Wherever telling is cut off, it is told a minute later, at worst again under the same id."""
    finished = False
    step = 0
    while not finished:
        step += 1
        task = await tasks.create(ANN, title=str(step), due_date=TODAY)
        dying = Dying(database, publisher, after=step)
        try:
            await open_reminders(dying, dying).publish_due()
            finished = True
        except Died:
            pass
        before = [data["reminder_id"] for data, _ in publisher.take("task.due")]
        await reminders.publish_due()
        assert publisher.published == [], "nobody takes over at once: it may be under way"
        clock.move(PATIENCE)
        await reminders.publish_due()
        later = [data["reminder_id"] for data, _ in publisher.take("task.due")]
        name = f"{task['id']}:2026-03-01T09:00"
        # Claimed; told; noted as told; moved on.
        assert (before, later) == {1: ([], [name]), 2: ([name], [name])}.get(step, ([name], []))
        clock.move(PATIENCE)
        await reminders.publish_due()
        assert publisher.published == []
    assert step == 5


async def test_completed_while_it_is_claimed(tasks, open_reminders, database, publisher):
    """A task that is completed between finding it and telling is not told."""
    task = await tasks.create(ANN, title="t", due_date=TODAY)

    class Completing(Dying):
        def __getitem__(self, name):
            collection = super().__getitem__(name)
            insert = collection.insert_one

            async def meanwhile(document):
                await insert(document)
                await tasks.complete(ANN, task["id"])

            if name == "diary_reminders":
                collection.insert_one = meanwhile
            return collection

    await open_reminders(Completing(database, publisher, after=1_000)).publish_due()
    assert publisher.published == []
    # And when it is opened again, it is.
    await tasks.reopen(ANN, task["id"])
    await open_reminders().publish_due()
    assert len(publisher.take("task.due")) == 1


async def test_one_that_cannot_be_told(tasks, open_reminders, database, publisher, caplog):
    """It is tried again later, and the others are told meanwhile."""
    made = [await tasks.create(ANN, title=title, due_date=TODAY) for title in ("bad", "good")]

    class Choosy(RecordingPublisher):
        async def publish(self, event, *rooms):
            if event.task["title"] == "bad":
                raise RuntimeError("too long for the bus")
            await super().publish(event, *rooms)

    choosy = Choosy()
    await open_reminders(publisher=choosy).publish_due()
    assert [data["task"] for data, _ in choosy.take()] == [made[1]]
    assert "bad" not in caplog.text, "the log is no place for a diary"


async def test_forgetting(tasks, reminders, database, clock):
    """What was told is forgotten after a while, and everything with the account's diary."""
    await tasks.create(ANN, title="t", due_date=TODAY)
    await reminders.sweep()
    assert await database["diary_reminders"].count_documents({}) == 1
    clock.move(retention_of("diary_reminders").duration)
    await tasks.create(BEN, title="t", due_date=TODAY)
    await reminders.sweep()
    [kept] = await database["diary_reminders"].find({}).to_list(None)
    assert kept["account_id"] == "2"
    await tasks.delete_all("2")
    assert await database["diary_reminders"].count_documents({}) == 0
