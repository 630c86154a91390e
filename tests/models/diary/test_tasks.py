"""The rules of tasks, on the store that is open."""

import asyncio
from datetime import date, time, timedelta
from itertools import product

import pytest

from models import quotas
from models.diary.tasks import operations
from models.diary.tasks.operations import Tasks
from models.diary.zones import Zones
from models.errors import Conflict, Invalid, NotFound
from models.idempotency import KEPT
from models.pages import Position
from models.rooms import user_room
from tests.diary_world import ANN, BEN, People
from tests.models.diary.dying import Died, Dying
from tests.models.diary.following import Follower
from tests.stories_world import MISSING_ID, RecordingPublisher

TODAY = date(2026, 3, 1)
"""A Sunday; at noon in UTC."""

DAY = timedelta(days=1)


@pytest.fixture
def people():
    return People()


@pytest.fixture
def publisher():
    return RecordingPublisher()


@pytest.fixture
def open_tasks(database, publisher, people, clock):
    """Return the tasks as another process would see them."""

    def open_tasks(database=database, publisher=publisher):
        return Tasks(database, publisher, Zones(people.find, clock), clock)

    return open_tasks


@pytest.fixture
async def tasks(open_tasks):
    made = open_tasks()
    await made.prepare()
    return made


async def test_an_account_has_so_many_tasks(open_tasks, publisher, monkeypatch):
    """What is beyond is refused and not written; what is deleted makes room."""
    monkeypatch.setattr(quotas, "UNCOUNTED", 1)
    monkeypatch.setattr(operations, "MAX_TASKS", 3)
    tasks = open_tasks()
    made = [await tasks.create(ANN, title=str(number)) for number in range(3)]
    publisher.published.clear()
    with pytest.raises(Conflict) as refused:
        await tasks.create(ANN, title="one more")
    assert refused.value.code == "too_many_tasks"
    assert publisher.published == []
    await tasks.create(BEN, title="mine")
    await tasks.delete(ANN, made[0]["id"])
    await tasks.create(ANN, title="3")
    with pytest.raises(Conflict, match="up to 3 tasks"):
        await tasks.create(ANN, title="4")
    assert len((await tasks.list(ANN))["items"]) == 3


async def test_a_new_task(tasks, publisher, clock):
    """A task is kept as it was sent, read by its owner, and told to the owner's devices."""
    sent = {"title": "Call", "notes": "At home", "due_date": TODAY, "due_time": time(18, 5)}
    task = await tasks.create(ANN, **sent, priority="high", repeat="weekly")
    assert task == {
        "id": task["id"],
        "title": "Call",
        "notes": "At home",
        "due_date": "2026-03-01",
        "due_time": "18:05",
        "priority": "high",
        "repeat": "weekly",
        "done": False,
        "completed_at": None,
        "created_at": "2026-03-01T12:00:00.000Z",
        "updated_at": "2026-03-01T12:00:00.000Z",
        "version": 1,
    }
    assert await tasks.get(ANN, task["id"]) == task
    [(event, rooms)] = publisher.published
    assert (event.domain, event.name, event.data()) == ("diary", "task.created", {"task": task})
    assert rooms == (user_room("1"),)


async def test_others_tasks_do_not_exist(tasks, publisher):
    """Whatever somebody else does with a task, there is none; the same for one that never was."""
    task = await tasks.create(ANN, title="Mine", repeat="daily")
    publisher.take()
    for caller, task_id in ((BEN, task["id"]), (ANN, MISSING_ID), (ANN, "\0 not an id")):
        for refused in (
            tasks.get(caller, task_id),
            tasks.update(caller, task_id, title="Yours"),
            tasks.complete(caller, task_id),
            tasks.reopen(caller, task_id),
            tasks.delete(caller, task_id),
        ):
            with pytest.raises(NotFound) as caught:
                await refused
            assert caught.value.code == "task_not_found"
    assert (await tasks.list(BEN))["items"] == []
    assert [task async for task in tasks.export("2")] == []
    await tasks.delete_all("2")
    assert await tasks.get(ANN, task["id"]) == task
    assert publisher.published == []


async def test_the_same_client_id_makes_one_task(tasks, publisher, database, clock):
    """A request that is repeated gives the task again, also at once, and never a deleted one."""
    made = await asyncio.gather(
        *(tasks.create(ANN, title="Once", client_id="a-1") for _ in range(5))
    )
    assert all(task == made[0] for task in made)
    assert (await tasks.create(BEN, title="Once", client_id="a-1"))["id"] != made[0]["id"]
    assert [rooms for _, rooms in publisher.take("task.created")] == [
        (user_room("1"),),
        (user_room("2"),),
    ]
    await tasks.delete(ANN, made[0]["id"])
    with pytest.raises(Conflict) as caught:
        await tasks.create(ANN, title="Once", client_id="a-1")
    assert caught.value.code == "task_deleted"
    clock.move(KEPT)
    await tasks.sweep()
    assert await database["diary_tasks"].count_documents({}) == 1


async def test_listing(tasks, clock):
    """Lists are newest first, in pages, and of what was asked for."""
    made = []
    for title, due, priority in (
        ("a", None, "low"),
        ("b", TODAY - DAY, "low"),
        ("c", TODAY, "high"),
        ("d", TODAY + DAY, "low"),
    ):
        made.append(await tasks.create(ANN, title=title, due_date=due, priority=priority))
        clock.move(timedelta(seconds=1))
    await tasks.complete(ANN, made[1]["id"])

    async def titles(**query):
        return "".join(task["title"] for task in (await tasks.list(ANN, **query))["items"])

    assert await titles() == "dcba"
    assert await titles(done=True) == "b"
    assert await titles(done=False) == "dca"
    assert await titles(priority="low") == "dba"
    assert await titles(due_from=TODAY) == "dc"
    assert await titles(due_to=TODAY) == "cb"
    assert await titles(due_from=TODAY, due_to=TODAY, done=False, priority="high") == "c"
    page = await tasks.list(ANN, limit=3)
    after = Position.from_text(page["next"])
    assert [task["title"] for task in page["items"]] == ["d", "c", "b"]
    assert await titles(after=after, limit=3) == "a"


async def test_listing_by_the_day_of_completing(tasks, people, clock):
    """A day of completing is one of the owner's zone, from midnight to midnight."""
    people.settle("1", time_zone="Asia/Ho_Chi_Minh")
    for title in "abc":
        task = await tasks.create(ANN, title=title, due_date=TODAY)
        await tasks.complete(ANN, task["id"])
        clock.move(timedelta(hours=5))
    await tasks.create(ANN, title="open", due_date=TODAY)

    async def titles(**query):
        return "".join(task["title"] for task in (await tasks.list(ANN, **query))["items"])

    # At 19:00, 00:00 and 05:00 there.
    assert await titles(completed_from=TODAY, completed_to=TODAY) == "a"
    assert await titles(completed_from=TODAY + DAY) == "cb"
    assert await titles(completed_to=TODAY + DAY) == "cba"
    assert await titles(completed_to=TODAY - DAY) == ""


async def test_changing(tasks, publisher):
    """A change sets what it names, counts one version, and one that changes nothing is quiet."""
    task = await tasks.create(ANN, title="Old", notes="n", due_date=TODAY, due_time=time(8))
    publisher.take()
    changed = await tasks.update(ANN, task["id"], title="New", due_date=TODAY + DAY)
    assert changed == task | {"title": "New", "due_date": "2026-03-02", "version": 2}
    assert publisher.take() == [({"task": changed}, (user_room("1"),))]
    assert await tasks.update(ANN, task["id"], title="New") == changed
    assert await tasks.update(ANN, task["id"]) == changed
    assert publisher.published == []
    # Without a date there is no time of day either.
    undated = await tasks.update(ANN, task["id"], due_date=None)
    assert (undated["due_date"], undated["due_time"]) == (None, None)


async def test_dates_go_together(tasks, people, publisher):
    """A time needs a date; what repeats begins on the owner's today, and keeps a date."""
    people.settle("1", time_zone="Pacific/Kiritimati")  # 14 hours ahead: already tomorrow
    with pytest.raises(Invalid) as caught:
        await tasks.create(ANN, title="t", due_time=time(8))
    assert list(caught.value.fields) == ["due_time"]
    daily = await tasks.create(ANN, title="t", repeat="daily")
    assert daily["due_date"] == "2026-03-02"
    with pytest.raises(Invalid) as caught:
        await tasks.update(ANN, daily["id"], due_date=None)
    assert list(caught.value.fields) == ["repeat"]
    once = await tasks.create(ANN, title="t")
    with pytest.raises(Invalid):
        await tasks.update(ANN, once["id"], due_time=time(8))
    begun = await tasks.update(ANN, once["id"], repeat="weekly")
    assert begun["due_date"] == "2026-03-02"
    ended = await tasks.update(ANN, once["id"], repeat="none", due_date=None)
    assert (ended["repeat"], ended["due_date"]) == ("none", None)


async def test_completing_once(tasks, publisher, clock):
    """A task is completed once, told once, and stays as it was completed first."""
    task = await tasks.create(ANN, title="t", due_date=TODAY)
    publisher.take()
    clock.move(DAY)
    done = await tasks.complete(ANN, task["id"])
    at = "2026-03-02T12:00:00.000Z"
    assert done == task | {"done": True, "completed_at": at, "updated_at": at, "version": 2}
    told = {"task": done, "due_date": "2026-03-01", "completed_at": at}
    assert publisher.take("task.completed") == [(told, (user_room("1"),))]
    clock.move(DAY)
    assert await tasks.complete(ANN, task["id"], due_date=TODAY) == done
    assert await tasks.complete(ANN, task["id"]) == done
    assert publisher.published == []
    assert await tasks.completions("1", TODAY, TODAY + 9 * DAY) == [
        {"task_id": task["id"], "date": "2026-03-02", "due_date": "2026-03-01"}
    ]


async def test_what_repeats_moves_on(tasks, publisher, clock):
    """A repeating task is next due after today, on its rhythm, and stays open."""
    task = await tasks.create(ANN, title="t", due_date=TODAY, repeat="weekly")
    clock.move(9 * DAY)
    moved = await tasks.complete(ANN, task["id"], due_date=TODAY)
    assert (moved["due_date"], moved["done"], moved["completed_at"]) == ("2026-03-15", False, None)
    [(told, _)] = publisher.take("task.completed")
    assert told["due_date"] == "2026-03-01"
    # The same occurrence again, by a device that did not know.
    assert await tasks.complete(ANN, task["id"], due_date=TODAY) == moved
    # And without saying which: not the next one on the same day.
    assert await tasks.complete(ANN, task["id"]) == moved
    assert publisher.published == []
    # Early, but on purpose.
    ahead = await tasks.complete(ANN, task["id"], due_date=date(2026, 3, 15))
    assert ahead["due_date"] == "2026-03-22"
    for other in (date(2026, 3, 8), date(2026, 3, 29)):
        with pytest.raises(Conflict) as caught:
            await tasks.complete(ANN, task["id"], due_date=other)
        assert caught.value.code == "not_due_then"


async def test_today_is_where_the_owner_lives(tasks, people):
    """A task done at noon in UTC was done on another day in Kiritimati, which counts."""
    people.settle("1", time_zone="Pacific/Kiritimati")
    task = await tasks.create(ANN, title="t", due_date=TODAY, repeat="daily")
    moved = await tasks.complete(ANN, task["id"])
    assert moved["due_date"] == "2026-03-03"
    assert await tasks.active_dates("1") == {date(2026, 3, 2)}


async def test_many_devices_complete_it_once(tasks, open_tasks, publisher):
    """Of many that complete an occurrence at once, through two processes, one does."""
    both = (tasks, open_tasks())
    for repeat, named in product(("none", "daily"), (TODAY, None)):
        task = await tasks.create(ANN, title="t", due_date=TODAY, repeat=repeat)
        answers = await asyncio.gather(
            *(both[n % 2].complete(ANN, task["id"], due_date=named) for n in range(10))
        )
        assert all(answer == answers[0] for answer in answers)
        assert answers[0]["version"] == 2
        assert len(publisher.take("task.completed")) == 1
    assert len(await tasks.completions("1", TODAY, TODAY)) == 4


async def test_reopening(tasks, publisher, clock):
    """A completion is taken back once, and can be made again."""
    task = await tasks.create(ANN, title="t", due_date=TODAY)
    assert await tasks.reopen(ANN, task["id"]) == task
    await tasks.complete(ANN, task["id"])
    publisher.take()
    reopened = await tasks.reopen(ANN, task["id"])
    assert reopened == task | {"version": 3}
    assert publisher.take("task.reopened") == [({"task": reopened}, (user_room("1"),))]
    assert await tasks.reopen(ANN, task["id"]) == reopened
    assert publisher.published == []
    assert await tasks.completions("1", TODAY, TODAY) == []
    assert await tasks.active_dates("1") == set()
    clock.move(DAY)
    await tasks.complete(ANN, task["id"])
    assert await tasks.active_dates("1") == {TODAY + DAY}
    assert len(publisher.take("task.completed")) == 1


async def test_reopening_what_repeats(tasks):
    """A repeating task is due again when it was before; only the latest completion goes."""
    task = await tasks.create(ANN, title="t", due_date=TODAY, repeat="daily")
    await tasks.complete(ANN, task["id"], due_date=TODAY)
    await tasks.complete(ANN, task["id"], due_date=TODAY + DAY)
    reopened = await tasks.reopen(ANN, task["id"])
    assert reopened["due_date"] == "2026-03-02"
    assert await tasks.reopen(ANN, task["id"]) == reopened
    [kept] = await tasks.completions("1", TODAY, TODAY)
    assert kept["due_date"] == "2026-03-01"


async def test_deleting(tasks, publisher, database):
    """A task is gone with what it said; that it was done still counts."""
    task = await tasks.create(ANN, title="secret words", notes="secret words")
    await tasks.complete(ANN, task["id"])
    publisher.take()
    await tasks.delete(ANN, task["id"])
    told = {"id": task["id"], "version": 3}
    assert publisher.take("task.deleted") == [(told, (user_room("1"),))]
    with pytest.raises(NotFound):
        await tasks.delete(ANN, task["id"])
    assert (await tasks.list(ANN))["items"] == []
    assert "secret" not in str(await database["diary_tasks"].find({}).to_list(None))
    assert await tasks.active_dates("1") == {TODAY}


async def test_deleting_everything(tasks, publisher, database):
    """Nothing of an account is left, told task by task; nothing of others is touched."""
    kept = await tasks.create(BEN, title="t")
    await tasks.complete(BEN, kept["id"])
    left = [await tasks.create(ANN, title=str(n)) for n in range(3)]
    await tasks.complete(ANN, left[0]["id"])
    await tasks.delete(ANN, left[1]["id"])
    publisher.take()
    assert [task["title"] async for task in tasks.export("1")] in (["2", "0"], ["0", "2"])
    await tasks.delete_all("1")
    gone = {data["id"]: data["version"] for data, _ in publisher.take("task.deleted")}
    assert gone == {left[0]["id"]: 3, left[2]["id"]: 2}
    for name in ("diary_tasks", "diary_completions"):
        [document] = await database[name].find({}).to_list(None)
        assert document["account_id"] == "2"


async def test_deleting_everything_while_completing(tasks, open_tasks, database, publisher):
    """A completion that is under way when everything is deleted leaves nothing behind."""
    task = await tasks.create(ANN, title="t")

    class Slow(Dying):  # Replaces one operation; this process does not die.
        def __getitem__(self, name):
            collection = super().__getitem__(name)
            insert = collection.insert_one

            async def after_everything(document):
                await tasks.delete_all("1")
                return await insert(document)

            if name == "diary_completions":
                collection.insert_one = after_everything
            return collection

    await open_tasks(Slow(database, publisher, after=1_000)).complete(ANN, task["id"])
    for name in ("diary_tasks", "diary_completions"):
        assert await database[name].count_documents({}) == 0
    assert publisher.take("task.completed") == []


@pytest.mark.parametrize("undo", [False, True])
async def test_a_process_that_dies(tasks, open_tasks, database, publisher, undo):
    """Wherever completing or reopening is cut off, it is done whole or not at all, told once."""

    def act(process, task):
        if undo:
            return process.reopen(ANN, task["id"])
        return process.complete(ANN, task["id"], due_date=TODAY)

    repairs = {
        "sweep": lambda task: tasks.sweep(),
        "summary": lambda task: tasks.active_dates("1"),
        "again": lambda task: act(tasks, task),
    }
    # Written to the task; written to the completions; struck off; told; not cut off at all.
    for step, repair in product(range(1, 6), repairs):
        task = await tasks.create(ANN, title=repair, due_date=TODAY, repeat="daily")
        if undo:
            await tasks.complete(ANN, task["id"], due_date=TODAY)
        publisher.take()
        dying = Dying(database, publisher, after=step)
        cut_off = False
        try:
            await act(open_tasks(dying, dying), task)
        except Died:
            cut_off = True
        assert cut_off == (step < 5)
        await repairs[repair](task)
        there = [kept["task_id"] for kept in await tasks.completions("1", TODAY, TODAY)]
        assert there.count(task["id"]) == (0 if undo else 1)
        seen = await tasks.get(ANN, task["id"])
        assert seen["due_date"] == ("2026-03-01" if undo else "2026-03-02")
        told = publisher.take("task.reopened" if undo else "task.completed")
        # Between the last write and telling, news may be lost; they are never told twice.
        assert len(told) == (0 if step == 3 else 1)
        assert all(data["task"] == seen for data, _ in told)


async def test_what_falls_due(tasks, clock):
    """Each day counts what is due on it: open, done, repeated, and passed over."""
    once = await tasks.create(ANN, title="done", due_date=TODAY)
    await tasks.complete(ANN, once["id"])
    await tasks.create(ANN, title="open", due_date=TODAY + DAY)
    await tasks.create(ANN, title="never due")
    await tasks.create(ANN, title="weekly", due_date=TODAY - 3 * DAY, repeat="weekly")
    daily = await tasks.create(ANN, title="daily", due_date=TODAY, repeat="daily")
    clock.move(2 * DAY)
    await tasks.complete(ANN, daily["id"])
    assert await tasks.due_between("1", TODAY, TODAY + 5 * DAY) == {
        "2026-03-01": 2,  # done, daily
        "2026-03-02": 2,  # open, daily (passed over)
        "2026-03-03": 1,  # daily (passed over)
        "2026-03-04": 1,  # daily, which has moved there
        "2026-03-05": 2,  # daily, weekly
        "2026-03-06": 1,
    }
    assert await tasks.due_between("1", TODAY, TODAY) == {"2026-03-01": 2}
    assert await tasks.due_between("2", TODAY, TODAY) == {}


async def test_snapshot_and_events(tasks, publisher):
    """A list and the events since then, in whatever order, give the list of now."""
    made = [
        await tasks.create(ANN, title=str(n), due_date=TODAY, repeat=repeat)
        for n, repeat in enumerate(("none", "daily", "none", "weekly", "none"))
    ]
    ids = [task["id"] for task in made]
    follower = Follower("task", (await tasks.list(ANN))["items"])
    publisher.take()
    await tasks.complete(ANN, ids[0])
    await tasks.update(ANN, ids[0], title="changed")
    await tasks.reopen(ANN, ids[0])
    await tasks.complete(ANN, ids[1], due_date=TODAY)
    await tasks.complete(ANN, ids[1], due_date=TODAY + DAY)
    await tasks.delete(ANN, ids[2])
    await tasks.update(ANN, ids[3], priority="high")
    await tasks.delete(ANN, (await tasks.create(ANN, title="short"))["id"])
    await tasks.create(ANN, title="new")
    follower.hear([data for data, _ in publisher.take()])
    assert follower.items() == {task["id"]: task for task in (await tasks.list(ANN))["items"]}
