"""The rules of goals, on the store that is open."""

import asyncio
import math
import random
from datetime import date, timedelta
from fractions import Fraction

import pytest

from models import quotas
from models.diary.goals import operations
from models.diary.goals.operations import Goals
from models.diary.motivation.port import Progress
from models.errors import Conflict, Forbidden, Invalid, NotFound
from models.idempotency import KEPT
from models.pages import Position
from models.rooms import user_room
from tests.diary_world import ANN, BEN, EVE, People, friends
from tests.models.diary.following import Follower
from tests.stories_world import MISSING_ID, RecordingPublisher, person

CIA = person("3")
NUMBER = {"title": "Run", "kind": "number", "target": 10, "unit": "km"}
STEPS = {"title": "Move", "kind": "steps", "steps": [{"title": "pack"}, {"title": "drive"}]}


@pytest.fixture
def publisher():
    return RecordingPublisher()


@pytest.fixture
def open_goals(database, publisher, clock):
    """Return the goals as another process would see them."""
    find = People().find
    return lambda: Goals(database, publisher, friends(find), find, clock)


@pytest.fixture
async def goals(open_goals):
    made = open_goals()
    await made.prepare()
    return made


BY_ANN = {"id": "1", "name": ANN.name}


def names(publisher):
    return [event.name for event, _ in publisher.published]


async def test_an_account_owns_so_many_goals(open_goals, publisher, monkeypatch):
    """What is beyond is refused and not written; what is deleted makes room, others' take none."""
    monkeypatch.setattr(quotas, "UNCOUNTED", 1)
    monkeypatch.setattr(operations, "MAX_GOALS", 2)
    goals = open_goals()
    await goals.create(BEN, **NUMBER, members=["1"])
    made = [await goals.create(ANN, **NUMBER) for _ in range(2)]
    publisher.published.clear()
    with pytest.raises(Conflict) as refused:
        await goals.create(ANN, **NUMBER)
    assert refused.value.code == "too_many_goals"
    assert publisher.published == []
    await goals.delete(ANN, made[0]["id"])
    await goals.create(ANN, **NUMBER)
    with pytest.raises(Conflict, match="up to 2 goals"):
        await goals.create(ANN, **NUMBER)
    assert len((await goals.list(ANN))["items"]) == 3


async def test_a_goal_of_steps(goals, publisher):
    """A goal of steps comes further step by step, and is reached with the last one."""
    goal = await goals.create(ANN, **STEPS, due_date=date(2026, 4, 1))
    first, second = (step["id"] for step in goal["steps"])
    assert goal == {
        "id": goal["id"],
        "title": "Move",
        "kind": "steps",
        "steps": [
            {"id": first, "title": "pack", "done": False},
            {"id": second, "title": "drive", "done": False},
        ],
        "target": None,
        "current": None,
        "unit": "",
        "due_date": "2026-04-01",
        "progress": 0,
        "done": False,
        "completed_at": None,
        "owner": "1",
        "members": [],
        "pending": [],
        "created_at": "2026-03-01T12:00:00.000Z",
        "updated_at": "2026-03-01T12:00:00.000Z",
        "version": 1,
    }
    assert await goals.get(ANN, goal["id"]) == goal
    assert publisher.take("goal.created") == [({"goal": goal}, (user_room("1"),))]
    half = await goals.set_step(ANN, goal["id"], step_id=first, done=True)
    assert (half["progress"], half["done"], half["version"]) == (0.5, False, 2)
    assert await goals.set_step(ANN, goal["id"], step_id=first, done=True) == half
    assert publisher.take() == [({"goal": half, "by": BY_ANN}, (user_room("1"),))]
    whole = await goals.set_step(ANN, goal["id"], step_id=second, done=True)
    assert (whole["progress"], whole["done"]) == (1, True)
    assert whole["completed_at"] == "2026-03-01T12:00:00.000Z"
    assert names(publisher) == ["goal.progress", "goal.completed"]
    assert [data for data, _ in publisher.take()] == [{"goal": whole, "by": BY_ANN}] * 2
    back = await goals.set_step(ANN, goal["id"], step_id=second, done=False)
    assert (back["progress"], back["done"], back["completed_at"]) == (0.5, False, None)
    assert names(publisher) == ["goal.progress"]


async def test_a_goal_of_a_number(goals, publisher, clock):
    """A number never falls below zero, goes beyond the target, and is exact in between."""
    goal = await goals.create(ANN, **NUMBER)
    publisher.take()

    async def add(amount):
        moved = await goals.add_progress(ANN, goal["id"], amount=amount)
        return moved["current"], moved["progress"], moved["done"]

    assert await add(0.1) == (0.1, 0.01, False)
    assert await add(0.2) == (0.3, 0.03, False)
    assert await add(9.699) == (9.999, 0.9999, False)
    assert "goal.completed" not in names(publisher)
    assert await add(0.001) == (10, 1, True)
    clock.move(timedelta(hours=1))
    assert await add(5) == (15, 1, True)
    reached = await goals.get(ANN, goal["id"])
    assert reached["completed_at"] == "2026-03-01T12:00:00.000Z"
    assert len(publisher.take("goal.completed")) == 1
    assert await add(-100) == (0, 0, False)
    assert await add(-1) == (0, 0, False)
    assert names(publisher) == ["goal.progress"]
    again = await goals.set_progress(ANN, goal["id"], value=10)
    assert again["completed_at"] == "2026-03-01T13:00:00.000Z"
    assert len(publisher.take("goal.completed")) == 1
    assert (await goals.set_progress(ANN, goal["id"], value=-3))["current"] == 0


async def test_what_is_no_number(goals, publisher):
    """What is no number with three decimals changes nothing, whichever way it comes."""
    goal = await goals.create(ANN, **NUMBER)
    for amount in (math.nan, math.inf, True, 0.0001, "1", None, 10**13):
        for refused in (
            goals.add_progress(ANN, goal["id"], amount=amount),
            goals.set_progress(ANN, goal["id"], value=amount),
            goals.update(ANN, goal["id"], target=amount),
        ):
            with pytest.raises(Invalid):
                await refused
    assert await goals.get(ANN, goal["id"]) == goal


async def test_a_sum_that_is_too_large(goals):
    """Amounts do not add up to more than a number may be."""
    goal = await goals.create(ANN, **NUMBER)
    await goals.add_progress(ANN, goal["id"], amount=10**12)
    with pytest.raises(Invalid) as caught:
        await goals.add_progress(ANN, goal["id"], amount=0.001)
    assert list(caught.value.fields) == ["amount"]


async def test_many_add_at_once(goals, open_goals, publisher):
    """Fifty amounts added at once through two processes are all there; one of them reaches it."""
    goal = await goals.create(ANN, **NUMBER)
    dice = random.Random(1)
    amounts = [dice.randrange(200, 1000) for _ in range(50)]
    processes = (goals, open_goals())
    await asyncio.gather(
        *(
            processes[n % 2].add_progress(ANN, goal["id"], amount=amount / 1000)
            for n, amount in enumerate(amounts)
        )
    )
    # At least 50 times 0.2 km: they reach the target.
    moved = await goals.get(ANN, goal["id"])
    assert Fraction(str(moved["current"])) == Fraction(sum(amounts), 1000)
    assert moved["version"] == 51
    assert names(publisher).count("goal.progress") == 50
    assert names(publisher).count("goal.completed") == 1


async def test_the_wrong_kind(goals):
    """Steps are set where there are steps, numbers added where there is a number."""
    number = await goals.create(ANN, **NUMBER)
    steps = await goals.create(ANN, **STEPS)
    for refused, error, code in (
        (goals.set_step(ANN, number["id"], step_id="x", done=True), Conflict, "not_of_steps"),
        (goals.add_progress(ANN, steps["id"], amount=1), Conflict, "not_of_number"),
        (goals.set_progress(ANN, steps["id"], value=1), Conflict, "not_of_number"),
        (goals.set_step(ANN, steps["id"], step_id="x", done=True), NotFound, "step_not_found"),
        (goals.update(ANN, number["id"], steps=[{"title": "s"}]), Invalid, "invalid"),
        (goals.update(ANN, steps["id"], target=5), Invalid, "invalid"),
    ):
        with pytest.raises(error) as caught:
            await refused
        assert caught.value.code == code


async def test_changing_steps(goals, publisher):
    """Steps named by their id stay done, in the new order; without the open one it is reached."""
    goal = await goals.create(ANN, **STEPS)
    first, second = goal["steps"]
    await goals.set_step(ANN, goal["id"], step_id=first["id"], done=True)
    publisher.take()
    wanted = [{"title": "new"}, second, first | {"title": "pack all"}]
    sent = [{name: step[name] for name in ("id", "title") if name in step} for step in wanted]
    changed = await goals.update(ANN, goal["id"], steps=sent)
    assert [(step["title"], step["done"]) for step in changed["steps"]] == [
        ("new", False),
        ("drive", False),
        ("pack all", True),
    ]
    assert [step["id"] for step in changed["steps"][1:]] == [second["id"], first["id"]]
    assert changed["progress"] == 0.3333
    for steps in ([{"id": "unknown", "title": "a"}], [{"id": first["id"], "title": "a"}] * 2):
        with pytest.raises(Invalid):
            await goals.update(ANN, goal["id"], steps=steps)
    publisher.take()
    reached = await goals.update(ANN, goal["id"], steps=[sent[2]])
    assert (reached["done"], reached["progress"]) == (True, 1)
    assert names(publisher) == ["goal.updated", "goal.completed"]


async def test_changing_the_target(goals, publisher):
    """A nearer target can be reached by that, a farther one no longer."""
    goal = await goals.create(ANN, **NUMBER)
    await goals.set_progress(ANN, goal["id"], value=4)
    publisher.take()
    assert (await goals.update(ANN, goal["id"], target=3.999))["done"]
    assert names(publisher) == ["goal.updated", "goal.completed"]
    assert not (await goals.update(ANN, goal["id"], target=4.001))["done"]
    renamed = await goals.update(ANN, goal["id"], title="Walk", unit="", due_date=date(2027, 1, 1))
    assert (renamed["title"], renamed["unit"], renamed["due_date"]) == ("Walk", "", "2027-01-01")
    publisher.take()
    assert await goals.update(ANN, goal["id"], title="Walk") == renamed
    assert publisher.published == []


async def test_the_same_client_id_makes_one_goal(goals, publisher, clock, database):
    """A request that is repeated gives the goal again, never a deleted one."""
    made = await asyncio.gather(
        *(goals.create(ANN, **STEPS, members=["2"], client_id="g") for _ in range(3))
    )
    assert all(goal == made[0] for goal in made)
    assert names(publisher) == ["goal.created"]
    await goals.delete(ANN, made[0]["id"])
    with pytest.raises(Conflict) as caught:
        await goals.create(ANN, **STEPS, members=["2"], client_id="g")
    assert caught.value.code == "goal_deleted"
    assert "pack" not in str(await database["diary_goals"].find({}).to_list(None))
    clock.move(KEPT)
    await goals.sweep()
    assert await database["diary_goals"].count_documents({}) == 0


async def test_members(goals, publisher):
    """Members see a goal and come further with it; all of them are told; the rest is refused."""
    goal = await goals.create(ANN, **NUMBER, members=["2", "2", "3"])
    assert goal["members"] == ["2", "3"]
    rooms = (user_room("1"), user_room("2"), user_room("3"))
    assert publisher.take("goal.created") == [({"goal": goal}, rooms)]
    moved = await goals.add_progress(BEN, goal["id"], amount=10)
    assert await goals.get(CIA, goal["id"]) == moved
    assert (await goals.list(BEN))["items"] == [moved]
    assert [told for _, told in publisher.published] == [rooms, rooms]
    by = {"id": "2", "name": BEN.name}
    assert [event.data()["by"] for event, _ in publisher.published] == [by, by]
    for refused in (
        goals.update(BEN, goal["id"], title="Ours"),
        goals.share(BEN, goal["id"], members=["9"]),
        goals.unshare(BEN, goal["id"], members=["3"]),
        goals.delete(BEN, goal["id"]),
    ):
        with pytest.raises(Forbidden) as caught:
            await refused
        assert caught.value.code == "not_the_owner"
    assert await goals.get(ANN, goal["id"]) == moved


async def test_others_goals_do_not_exist(goals):
    """For whoever is not a member, for one who is no more, and for ids of nothing."""
    goal = await goals.create(ANN, **NUMBER, members=["2"])
    await goals.leave(BEN, goal["id"])
    for caller, goal_id in ((BEN, goal["id"]), (EVE, goal["id"]), (ANN, MISSING_ID), (ANN, "\0")):
        for refused in (
            goals.get(caller, goal_id),
            goals.update(caller, goal_id, title="x"),
            goals.add_progress(caller, goal_id, amount=1),
            goals.set_progress(caller, goal_id, value=1),
            goals.set_step(caller, goal_id, step_id="x", done=True),
            goals.share(caller, goal_id, members=["nobody"]),
            goals.unshare(caller, goal_id, members=["2"]),
            goals.leave(caller, goal_id),
            goals.delete(caller, goal_id),
        ):
            with pytest.raises(NotFound) as caught:
                await refused
            assert caught.value.code == "goal_not_found"
    assert (await goals.list(EVE))["items"] == []
    assert [goal async for goal in goals.export("9", owned=True)] == []


async def test_sharing(goals, publisher):
    """New members are told the goal, former ones that it is gone, the others both."""
    goal = await goals.create(ANN, **STEPS)
    publisher.take()
    shared = await goals.share(ANN, goal["id"], members=["2", "3"])
    assert await goals.share(ANN, goal["id"], members=["3"]) == shared
    everybody = (user_room("1"), user_room("2"), user_room("3"))
    assert publisher.take("goal.updated") == [({"goal": shared}, everybody)]
    unshared = await goals.unshare(ANN, goal["id"], members=["2", "9"])
    assert unshared["members"] == ["3"]
    assert publisher.take() == [
        ({"id": goal["id"], "version": 3}, (user_room("2"),)),
        ({"goal": unshared}, (user_room("1"), user_room("3"))),
    ]
    await goals.leave(CIA, goal["id"])
    assert names(publisher) == ["goal.deleted", "goal.updated"]
    with pytest.raises(Conflict) as caught:
        await goals.leave(ANN, goal["id"])
    assert caught.value.code == "own_goal"


async def test_who_cannot_be_a_member(goals):
    """The owner is refused by position, and so are more than fifty."""
    goal = await goals.create(ANN, **STEPS)
    for members, wrong in ((["1", "2"], ["0"]), (["x", "1", "1"], ["1", "2"])):
        for refused in (
            goals.share(ANN, goal["id"], members=members),
            goals.create(ANN, **STEPS, members=members),
        ):
            with pytest.raises(Invalid) as caught:
                await refused
            assert list(caught.value.fields["members"]) == wrong
    await goals.share(ANN, goal["id"], members=[str(n) for n in range(2, 42)])
    with pytest.raises(Invalid):
        await goals.share(ANN, goal["id"], members=[str(n) for n in range(30, 60)])
    assert len((await goals.get(ANN, goal["id"]))["members"]) == 40


async def test_deleting(goals, publisher):
    """A goal is gone for its members as well, and they are told."""
    goal = await goals.create(ANN, **STEPS, members=["2"])
    publisher.take()
    await goals.delete(ANN, goal["id"])
    told = {"id": goal["id"], "version": 2}
    assert publisher.take() == [(told, (user_room("1"), user_room("2")))]
    assert (await goals.list(BEN))["items"] == []


async def test_deleting_everything(goals, publisher, database):
    """Own goals are gone for all, others' are left, and nothing names the account any more."""
    own = await goals.create(ANN, **STEPS, members=["2"])
    other = await goals.create(BEN, **NUMBER, members=["1", "3"])
    await goals.delete(ANN, (await goals.create(ANN, **STEPS))["id"])
    publisher.take()
    for goal, owned in ((own, True), (other, False)):
        found = [found["id"] async for found in goals.export("1", owned=owned)]
        assert found == [goal["id"]]
    await goals.delete_all("1")
    told = {(data["id"], rooms) for data, rooms in publisher.take() if "id" in data}
    assert told == {
        (own["id"], (user_room("1"), user_room("2"))),
        (other["id"], (user_room("1"),)),
    }
    [left] = await database["diary_goals"].find({}).to_list(None)
    assert (left["_id"], left["readers"]) == (other["id"], ["2", "3"])


async def test_pages(goals, clock):
    """A list is newest first, own and shared goals together, page by page."""
    made = []
    for owner, members in ((ANN, []), (BEN, ["1"]), (BEN, []), (ANN, ["2"])):
        made.append((await goals.create(owner, **STEPS, members=members))["id"])
        clock.move(timedelta(seconds=1))
    page = await goals.list(ANN, limit=2)
    assert [goal["id"] for goal in page["items"]] == [made[3], made[1]]
    rest = await goals.list(ANN, after=Position.from_text(page["next"]), limit=2)
    assert [goal["id"] for goal in rest["items"]] == [made[0]]
    assert rest["next"] is None


async def test_what_motivation_may_say(goals, clock):
    """It is how far one has come with one's own goal that moved last and is not yet reached."""
    assert await goals.line_for_motivation("1") is None
    number = await goals.create(ANN, **NUMBER)
    steps = await goals.create(ANN, **STEPS)
    theirs = await goals.create(BEN, **NUMBER, members=["1"])
    assert await goals.line_for_motivation("1") is None
    await goals.set_step(ANN, steps["id"], step_id=steps["steps"][0]["id"], done=True)
    clock.move(timedelta(seconds=1))
    await goals.add_progress(ANN, number["id"], amount=2.5)
    clock.move(timedelta(seconds=1))
    await goals.add_progress(ANN, theirs["id"], amount=1)
    await goals.update(ANN, steps["id"], title="Moving house")
    assert await goals.line_for_motivation("1") == Progress(2.5, 10, "km", "Run")
    await goals.add_progress(ANN, number["id"], amount=-2.5)
    assert await goals.line_for_motivation("1") == Progress(1, 2, "steps", "Moving house")
    await goals.set_step(ANN, steps["id"], step_id=steps["steps"][1]["id"], done=True)
    assert await goals.line_for_motivation("1") is None


async def test_snapshot_and_events(goals, publisher):
    """Owner and member each hear what brings an old list to the present one, in any order."""
    goal = await goals.create(ANN, **NUMBER, members=["2"])
    brief = await goals.create(ANN, **STEPS, members=["2"])
    followers = {who: Follower("goal", (await goals.list(who))["items"]) for who in (ANN, BEN)}
    publisher.take()
    await goals.add_progress(BEN, goal["id"], amount=10)
    await goals.unshare(ANN, goal["id"], members=["2"])
    await goals.add_progress(ANN, goal["id"], amount=-1)
    await goals.share(ANN, goal["id"], members=["2"])
    await goals.leave(BEN, brief["id"])
    await goals.update(ANN, brief["id"], title="renamed")
    await goals.create(BEN, **STEPS, members=["1"])
    await goals.delete(ANN, (await goals.create(ANN, **STEPS))["id"])
    told = publisher.take()
    for who, follower in followers.items():
        follower.hear([data for data, rooms in told if user_room(who.account_id) in rooms])
        fresh = (await goals.list(who))["items"]
        assert follower.items() == {item["id"]: item for item in fresh}
