"""The diary as a whole: everything of somebody, gone or taken away, and two devices in step."""

import asyncio
import json
import random
from contextlib import ExitStack, suppress
from datetime import date, timedelta

import pytest

from models.accounts.lookups import Lookups
from models.diary.operations import Diary
from models.errors import Conflict, DomainError, NotFound, TooManyRequests
from models.exports import Slots
from models.idempotency import Answer, Idempotency
from models.notifications.push import NoPush
from tests.chat_world import Hall
from tests.diary_world import ANN, BEN, EVE, People, always
from tests.stories_world import person

MUCH = 1_000_000
MINUTE = timedelta(minutes=1)


@pytest.fixture
def hall():
    return Hall()


@pytest.fixture
def people():
    made = People()
    made.settle("1", time_zone="Europe/Berlin", language="vi")
    return made


@pytest.fixture
async def diary(database, hall, people, clock):
    made = Diary(
        database,
        hall,
        find_account=people.find,
        find_by_public_id=people.find,
        push=NoPush(),
        generator=None,
        motivations_per_minute=1000,
        lookups=Lookups(10_000),
        may_add_at_once=always,
        clock=clock,
    )
    await made.prepare()
    return made


async def live(diary, who, friend):
    """Fill a diary with something of each kind that says whose it is; returns its goals' ids."""
    mark = f"of {who.account_id}"
    entry = await diary.entries.create(who, text=f"kept {mark}", mood=4, tags=[mark])
    gone = await diary.entries.create(who, text=f"gone {mark}", client_id="abc")
    await diary.entries.delete(who, gone["id"])
    daily = await diary.tasks.create(who, title=f"daily {mark}", repeat="daily")
    await diary.tasks.complete(who, daily["id"])
    once = await diary.tasks.create(who, title=f"once {mark}")
    await diary.tasks.complete(who, once["id"])
    await diary.tasks.delete(who, once["id"])
    alone = await diary.goals.create(who, title=f"alone {mark}", kind="number", target=10)
    ours = await diary.goals.create(
        who, title=f"ours {mark}", kind="number", target=10, members=[friend.public_id]
    )
    await diary.motivation.request(who, current_challenge=f"hard {mark}", stress_level=3)
    return {
        "entry": entry["id"],
        "task": daily["id"],
        "alone": alone["id"],
        "ours": ours["id"],
        "completed": [daily["id"], once["id"]],
    }


async def test_export_has_everything(diary):
    """All that the parts show is in one JSON document, completions of deleted tasks included."""
    ann, ben = await live(diary, ANN, BEN), await live(diary, BEN, ANN)
    found = await diary.export(ANN, max_bytes=MUCH)
    assert found.pop("exported_at") == "2026-03-01T12:00:00.000Z"
    assert found.pop("settings") == {"time_zone": "Europe/Berlin", "language": "vi"}
    completions = found.pop("completions")
    assert sorted(done["task_id"] for done in completions) == sorted(ann["completed"])
    assert {done["date"] for done in completions} == {"2026-03-01"}
    goals = found.pop("goals")
    assert {goal["id"] for goal in goals["owned"]} == {ann["alone"], ann["ours"]}
    assert [goal["id"] for goal in goals["shared"]] == [ben["ours"]]
    assert found == {
        "entries": (await diary.entries.list(ANN))["items"],
        "tasks": (await diary.tasks.list(ANN))["items"],
        "motivations": (await diary.motivation.list(ANN))["items"],
    }
    assert [len(part) for part in found.values()] == [1, 1, 1]
    assert "kept of 2" not in json.dumps(found)


async def test_export_of_nothing(diary):
    """An empty diary is a document with empty lists; without an account there is none."""
    found = await diary.export(EVE, max_bytes=MUCH)
    assert found["goals"] == {"owned": [], "shared": [], "invitations": []}
    for part in ("entries", "tasks", "completions", "motivations"):
        assert found[part] == []
    with pytest.raises(NotFound):
        await diary.export(person("nobody"), max_bytes=MUCH)


async def test_an_export_is_bounded(diary):
    """What has more bytes than asked for is not built: reading ends where that is known."""
    await live(diary, ANN, BEN)
    whole = await diary.export(ANN, max_bytes=MUCH)
    size = len(json.dumps(whole, ensure_ascii=False).encode())
    for more in ("a" * 1000, "b" * 1000):
        await diary.entries.create(ANN, text=more)
    with pytest.raises(Conflict) as refused:
        await diary.export(ANN, max_bytes=size)
    assert refused.value.code == "answer_too_long"
    assert len((await diary.export(ANN, max_bytes=MUCH))["entries"]) == 3


async def test_exports_at_the_same_time(diary):
    """One for each account; the place is free again however the reading ends."""
    await live(diary, ANN, BEN)
    async with diary.reading(ANN) as reading:
        assert [entry async for entry in reading["entries"]]
        with pytest.raises(TooManyRequests) as refused:
            await diary.export(ANN, max_bytes=MUCH)
        assert (refused.value.code, refused.value.retry_after_s) == ("export_under_way", 5.0)
        await diary.export(BEN, max_bytes=MUCH)
    with pytest.raises(Conflict):
        await diary.export(ANN, max_bytes=1)
    assert await diary.export(ANN, max_bytes=MUCH)


def test_slots_of_all():
    """The places of all accounts together are bounded, too, and nothing is kept of those left."""
    slots = Slots(2, 3)
    with ExitStack() as stack:
        for account_id in ("1", "1", "2"):
            stack.enter_context(slots.taken(account_id))
        for account_id in ("1", "3"):
            with pytest.raises(TooManyRequests), slots.taken(account_id):
                pass
    with slots.taken("3"):
        pass
    assert slots.total == 0


async def test_nothing_is_left(diary, database, hall, clock):
    """Nothing of the account is in any collection; others keep theirs and are told of goals."""
    ann, ben = await live(diary, ANN, BEN), await live(diary, BEN, ANN)
    shared_before = await diary.goals.get(BEN, ben["ours"])
    bens = {
        "entries": await diary.entries.list(BEN),
        "tasks": await diary.tasks.list(BEN),
        "motivations": await diary.motivation.list(BEN),
    }
    answers = Idempotency(database, clock=clock)
    for who in (ANN, BEN):
        said = Answer(201, f'{{"text": "kept of {who.account_id}"}}', "application/json")
        path = "/api/v1/diary/entries"
        await answers.keep(await answers.begin(who.account_id, "key", "print", path), said)
    phone, friend, stranger = hall.connect(ANN), hall.connect(BEN), hall.connect(EVE)
    await diary.delete_everything(ANN)
    for name in (
        "diary_entries",
        "diary_tasks",
        "diary_completions",
        "diary_goals",
        "diary_reminders",
        "diary_motivations",
        "diary_motivation_memories",
        "idempotency_keys",
    ):
        for document in await database[name].find({}).to_list(None):
            text = repr(document)
            assert "of 1" not in text, name
            assert "1" not in (document["_id"], document.get("account_id")), name
            assert document.get("deleted_by") != "1", name
            assert "1" not in document.get("readers", ()), name
    # One's own devices are told last that all is gone; a member, of the one goal that was shared.
    assert phone.heard[-1] == ("diary.cleared", {"at": "2026-03-01T12:00:00.000Z"})
    assert ("goal.deleted", {"id": ann["ours"], "version": 2}) in friend.heard
    left = await diary.goals.get(BEN, ben["ours"])
    assert left["members"] == []
    assert left["version"] == shared_before["version"] + 1
    assert ("goal.updated", {"goal": left}) in friend.heard
    assert {name for name, _ in friend.heard} == {"goal.deleted", "goal.updated"}
    assert stranger.heard == []
    assert bens == {
        "entries": await diary.entries.list(BEN),
        "tasks": await diary.tasks.list(BEN),
        "motivations": await diary.motivation.list(BEN),
    }
    answer = await diary.summary.of(ANN)
    assert answer["streak"] == {"current": 0, "longest": 0}
    # It can be begun anew.
    assert (await diary.entries.create(ANN, text="anew", client_id="abc"))["version"] == 1


async def test_moving_moves_reminders(diary, people, database):
    """What the diary is told of a move reaches the reminders that are still to come."""
    task = await diary.tasks.create(ANN, title="x", due_date=date(2026, 3, 2))
    before = await database["diary_tasks"].find_one({"_id": task["id"]})
    people.settle("1", time_zone="Asia/Ho_Chi_Minh")
    await diary.moved("1")
    after = await database["diary_tasks"].find_one({"_id": task["id"]})
    # Berlin is an hour ahead of UTC in March, Saigon seven.
    assert after["remind_at"] == before["remind_at"] - timedelta(hours=6)


class Device:
    """What a device shows that keeps of each id what has the highest version."""

    def __init__(self, snapshot):
        self.kept = {
            (kind, thing["id"]): (thing["version"], thing)
            for kind, things in snapshot.items()
            for thing in things
        }

    def hear(self, name, data):
        kind = name.partition(".")[0]
        thing = data.get(kind)
        known = thing or data
        if known["version"] > self.kept.get((kind, known["id"]), (0, None))[0]:
            self.kept[kind, known["id"]] = (known["version"], thing)

    def shown(self):
        return {key: thing for key, (_, thing) in self.kept.items() if thing is not None}


async def snapshot_of(diary, who):
    return {
        "entry": (await diary.entries.list(who, limit=100))["items"],
        "task": (await diary.tasks.list(who, limit=100))["items"],
        "goal": (await diary.goals.list(who, limit=100))["items"],
    }


class Life:
    """Two people at their devices, who do at random whatever the diary lets them do."""

    def __init__(self, diary, dice):
        self.diary, self.dice = diary, dice
        self.ids = {"entry": [], "task": [], "goal": []}

    async def act(self):
        """Do one thing; what the domain refuses changes nothing."""
        kind = self.dice.choice(["entry", "task", "goal"])
        doing = self.dice.choice(
            ["make", "make", "change", "change", "change", "further", "remove"]
        )
        if doing == "make" or not self.ids[kind]:
            made = await getattr(self, f"_make_{kind}")(str(self.dice.random()))
            self.ids[kind].append(made["id"])
            return
        chosen = self.dice.choice(self.ids[kind])
        with suppress(DomainError):
            await getattr(self, f"_{doing}_{kind}")(chosen, str(self.dice.random()))

    async def act_once_each(self):
        """Do what chance may have left out."""
        diary = self.diary
        for remains in (False, True):
            entry = await diary.entries.create(ANN, text="x")
            await diary.entries.update(ANN, entry["id"], text="y")
            task = await diary.tasks.create(ANN, title="x")
            await diary.tasks.update(ANN, task["id"], title="y")
            await diary.tasks.complete(ANN, task["id"])
            goal = await diary.goals.create(
                BEN, title="x", kind="steps", steps=[{"title": "one"}], members=["1"]
            )
            await diary.goals.update(BEN, goal["id"], title="y")
            step_id = goal["steps"][0]["id"]
            await diary.goals.set_step(ANN, goal["id"], step_id=step_id, done=True)
            if not remains:
                await diary.entries.delete(ANN, entry["id"])
                await diary.tasks.delete(ANN, task["id"])
                await diary.goals.delete(BEN, goal["id"])

    def _make_entry(self, text):
        return self.diary.entries.create(ANN, text=text)

    def _make_task(self, title):
        return self.diary.tasks.create(ANN, title=title, repeat=self.dice.choice(["none", "daily"]))

    def _make_goal(self, title):
        owner, other = self.dice.sample([ANN, BEN], 2)
        steps = [{"title": "one"}, {"title": "two"}]
        members = self.dice.choice([[], [other.public_id]])
        return self.diary.goals.create(
            owner, title=title, kind="steps", steps=steps, members=members
        )

    def _change_entry(self, entry_id, text):
        return self.diary.entries.update(ANN, entry_id, text=text, mood=self.dice.choice([1, None]))

    def _change_task(self, task_id, title):
        return self.diary.tasks.update(ANN, task_id, title=title)

    def _change_goal(self, goal_id, title):
        who = self.dice.choice([ANN, BEN])
        if self.dice.random() < 0.5:
            return self.diary.goals.update(who, goal_id, title=title)
        do = self.dice.choice([self.diary.goals.share, self.diary.goals.unshare])
        return do(who, goal_id, members=[(BEN if who is ANN else ANN).public_id])

    def _further_entry(self, entry_id, text):
        return self.diary.entries.update(ANN, entry_id, tags=[text])

    def _further_task(self, task_id, title):
        do = self.dice.choice([self.diary.tasks.complete, self.diary.tasks.reopen])
        return do(ANN, task_id)

    async def _further_goal(self, goal_id, title):
        who = self.dice.choice([ANN, BEN])
        step = self.dice.choice((await self.diary.goals.get(who, goal_id))["steps"])
        done = self.dice.random() < 0.7
        await self.diary.goals.set_step(who, goal_id, step_id=step["id"], done=done)

    def _remove_entry(self, entry_id, text):
        return self.diary.entries.delete(ANN, entry_id)

    def _remove_task(self, task_id, title):
        return self.diary.tasks.delete(ANN, task_id)

    def _remove_goal(self, goal_id, title):
        who = self.dice.choice([ANN, BEN])
        if self.dice.random() < 0.5:
            return self.diary.goals.leave(who, goal_id)
        return self.diary.goals.delete(who, goal_id)


@pytest.mark.parametrize("seed", range(2))
async def test_snapshot_and_events_are_a_fresh_snapshot(diary, hall, clock, seed):
    """A listing from any moment, with what was told since in whatever order, is a fresh one."""
    dice = random.Random(seed)
    life = Life(diary, dice)
    devices = []
    for _ in range(8):
        clock.move(MINUTE)
        for who in (ANN, BEN):
            # Connected first, then listed, while others are at it: so some of it comes twice.
            connection = hall.connect(who)
            snapshot, *_ = await asyncio.gather(
                snapshot_of(diary, who), *(life.act() for _ in range(4))
            )
            devices.append((who, connection, Device(snapshot)))
    await life.act_once_each()
    names = set()
    for who, connection, device in devices:
        for name, data in dice.sample(connection.heard, len(connection.heard)):
            names.add(name)
            device.hear(name, data)
        assert device.shown() == Device(await snapshot_of(diary, who)).shown()
    kinds = ("entry", "task", "goal")
    told = {f"{kind}.{what}" for kind in kinds for what in ("created", "updated", "deleted")}
    assert names >= told | {"task.completed", "goal.progress", "goal.completed"}
