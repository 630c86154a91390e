"""Invitations to goals: nothing appears unasked, and the owner learns nothing about anybody."""

import asyncio
from datetime import timedelta

import pytest

from models.accounts.lookups import Lookups
from models.diary.goals.members import People as NamedPeople
from models.diary.goals.operations import Goals
from models.errors import Conflict, Invalid, NotFound, TooManyRequests
from models.pages import Position
from models.rooms import user_room
from tests.diary_world import ANN, BEN, EVE, People
from tests.stories_world import RecordingPublisher, person

CIA = person("3")
STEPS = {"title": "Move", "kind": "steps", "steps": [{"title": "pack"}, {"title": "drive"}]}
NOBODY = "100"
"""A public id that no account has."""


@pytest.fixture
def publisher():
    return RecordingPublisher()


@pytest.fixture
def blocked():
    """Pairs of an owner and of who has blocked the owner."""
    return set()


@pytest.fixture
async def goals(database, publisher, clock, blocked):
    """Goals where accounts 1 and 3 have accepted one another, and nobody else has."""

    async def accepted(owner_id, member_id):
        return {owner_id, member_id} == {"1", "3"}

    async def is_blocked(owner_id, member_id):
        return (owner_id, member_id) in blocked

    find = People().find
    people = NamedPeople(find, may_add_at_once=accepted, is_blocked=is_blocked, lookups=Lookups(60))
    made = Goals(database, publisher, people, find, clock)
    await made.prepare()
    return made


def told(publisher):
    """Return name and rooms of what was published since the last time."""
    events = [(event.name, tuple(rooms)) for event, rooms in publisher.published]
    publisher.published.clear()
    return events


async def invited(goals, who):
    return [each["goal_id"] for each in (await goals.invitations(who))["items"]]


async def test_an_invitation_waits_for_its_answer(goals, publisher):
    """Before it is accepted the goal does not exist for the invited, who hears of nothing else."""
    goal = await goals.create(ANN, **STEPS, members=["2"])
    assert (goal["members"], goal["pending"]) == ([], ["2"])
    expected = {
        "goal_id": goal["id"],
        "title": "Move",
        "owner": {"public_id": "1", "name": None},
        "invited_at": "2026-03-01T12:00:00.000Z",
    }
    assert publisher.take("goal.invited") == [({"invitation": expected}, (user_room("2"),))]
    assert (await goals.invitations(BEN))["items"] == [expected]
    publisher.published.clear()
    step_id = goal["steps"][0]["id"]
    await goals.set_step(ANN, goal["id"], step_id=step_id, done=True)
    await goals.update(ANN, goal["id"], title="Moving")
    assert {rooms for _, rooms in told(publisher)} == {(user_room("1"),)}
    for refused in (
        goals.get(BEN, goal["id"]),
        goals.set_step(BEN, goal["id"], step_id=step_id, done=False),
        goals.leave(BEN, goal["id"]),
        goals.delete(BEN, goal["id"]),
    ):
        with pytest.raises(NotFound):
            await refused
    assert (await goals.list(BEN))["items"] == []
    assert [goal async for goal in goals.export("2", owned=False)] == []
    assert (await goals.invitations(BEN))["items"] == [expected | {"title": "Moving"}]


async def test_accepting(goals, publisher):
    """Who accepts is a member, all are told, and accepting once more changes nothing."""
    goal = await goals.create(ANN, **STEPS, members=["2"])
    publisher.published.clear()
    accepted = await goals.accept(BEN, goal["id"])
    assert (accepted["members"], accepted["pending"]) == (["2"], [])
    assert told(publisher) == [
        ("goal.uninvited", (user_room("2"),)),
        ("goal.updated", (user_room("1"), user_room("2"))),
    ]
    assert await goals.accept(BEN, goal["id"]) == await goals.get(ANN, goal["id"]) == accepted
    assert await invited(goals, BEN) == []
    with pytest.raises(Conflict) as caught:
        await goals.decline(BEN, goal["id"])
    assert caught.value.code == "goal_accepted"
    assert told(publisher) == []
    await goals.leave(BEN, goal["id"])
    with pytest.raises(NotFound):
        await goals.accept(BEN, goal["id"])


async def test_declining_looks_like_silence(goals, publisher):
    """The owner sees the same goal, version and events as for a public id that nobody has."""
    real = await goals.create(ANN, **STEPS, members=["2"])
    unreal = await goals.create(ANN, **STEPS, members=[NOBODY])
    publisher.published.clear()
    await goals.decline(BEN, real["id"])
    assert told(publisher) == [("goal.uninvited", (user_room("2"),))]
    assert await goals.get(ANN, real["id"]) == real
    assert await invited(goals, BEN) == []
    # Asking again changes nothing in either, for either.
    assert await goals.share(ANN, real["id"], members=["2"]) == real
    assert await goals.share(ANN, unreal["id"], members=[NOBODY]) == unreal
    assert told(publisher) == []
    for refused in (goals.accept(BEN, real["id"]), goals.decline(BEN, real["id"])):
        with pytest.raises(NotFound):
            await refused
    assert str(await goals.get(ANN, real["id"])).count("2") == str(real).count("2")


async def test_unknown_and_unreachable_answer_alike(goals, publisher, blocked):
    """An account, one that has blocked the owner, and nobody at all differ in nothing."""
    blocked.add(("1", "4"))
    answers = []
    for public_id in ("2", "4", NOBODY, "no such", "vic@example.com"):
        made = await goals.create(ANN, **STEPS, members=[public_id])
        shared = await goals.share(ANN, made["id"], members=[public_id, "5"])
        owners = [data for data, rooms in publisher.take() if rooms == (user_room("1"),)]
        gone = await goals.unshare(ANN, made["id"], members=[public_id])
        for goal in (made, shared, gone, *(data["goal"] for data in owners)):
            goal["pending"] = ["x" if name == public_id else name for name in goal["pending"]]
            goal |= {"id": "", "steps": []}
        answers.append((made, shared, owners, gone))
        publisher.take()
    assert answers == [answers[0]] * 5
    assert answers[0][1]["pending"] == ["x", "5"]


async def test_a_blocked_owner_is_silent(goals, publisher, blocked):
    """Neither a new invitation nor one from before the block is told or listed."""
    before = await goals.create(ANN, **STEPS, members=["2"])
    blocked.add(("1", "2"))
    assert await invited(goals, BEN) == []
    publisher.published.clear()
    await goals.create(ANN, **STEPS, members=["2"])
    assert {rooms for _, rooms in told(publisher)} == {(user_room("1"),)}
    blocked.clear()
    assert await invited(goals, BEN) == [before["id"]]
    # Somebody who is a contact is asked no more once blocked, and added no more.
    blocked.add(("1", "3"))
    assert (await goals.create(ANN, **STEPS, members=["3"]))["pending"] == ["3"]
    assert await invited(goals, CIA) == []


async def test_who_accepted_the_owner_is_added_at_once(goals, publisher):
    """Contacts need no invitation, and others are asked in the same request."""
    goal = await goals.create(ANN, **STEPS, members=["3", "2"])
    assert (goal["members"], goal["pending"]) == (["3"], ["2"])
    assert told(publisher) == [
        ("goal.created", (user_room("1"),)),
        ("goal.created", (user_room("3"),)),
        ("goal.invited", (user_room("2"),)),
    ]
    # Only the owner sees who has not answered.
    assert (await goals.get(CIA, goal["id"]))["pending"] == []
    assert await goals.get(CIA, goal["id"]) == goal | {"pending": []}
    assert [item["pending"] for item in (await goals.list(CIA))["items"]] == [[]]


async def test_withdrawing(goals, publisher):
    """An invitation that is withdrawn, or whose goal is deleted, is gone at the invited's."""
    goal = await goals.create(ANN, **STEPS, members=["2", NOBODY])
    publisher.published.clear()
    assert (await goals.unshare(ANN, goal["id"], members=["2", "9"]))["pending"] == [NOBODY]
    assert told(publisher)[0] == ("goal.uninvited", (user_room("2"),))
    with pytest.raises(NotFound):
        await goals.accept(BEN, goal["id"])
    await goals.share(ANN, goal["id"], members=["2"])
    assert await invited(goals, BEN) == [goal["id"]]
    publisher.published.clear()
    await goals.delete(ANN, goal["id"])
    assert ("goal.uninvited", (user_room("2"),)) in told(publisher)
    assert await invited(goals, BEN) == []


async def test_many_invitations_hide_nothing(goals, clock):
    """However many strangers ask, goals stay listed, and every invitation is on some page."""
    own = await goals.create(BEN, **STEPS)
    asked = []
    for number in range(10, 40):
        stranger = person(str(number))
        clock.move(timedelta(seconds=1))
        asked.append((await goals.create(stranger, **STEPS, members=["2"]))["id"])
    assert (await goals.list(BEN))["items"] == [own]
    found, after = [], None
    while True:
        page = await goals.invitations(BEN, after=after, limit=7)
        found += [item["goal_id"] for item in page["items"]]
        if page["next"] is None:
            break
        after = Position.from_text(page["next"])
    assert found == asked[::-1]


async def test_bounds(goals):
    """Invited people count as members, and people may be looked for so often in a minute."""
    goal = await goals.create(ANN, **STEPS, members=[f"x{n}" for n in range(49)])
    with pytest.raises(Invalid):
        await goals.share(ANN, goal["id"], members=["3", "y"])
    with pytest.raises(TooManyRequests) as caught:
        await goals.share(ANN, goal["id"], members=[f"z{n}" for n in range(10)])
    assert caught.value.code == "too_many_lookups"
    assert 0 < caught.value.retry_after_s <= 60
    assert len((await goals.get(ANN, goal["id"]))["pending"]) == 49
    # Everybody else may go on.
    await goals.create(EVE, **STEPS, members=["2"])


async def test_answers_and_changes_at_once(goals, database):
    """A silent answer is not lost to a change of the owner's that was decided before it."""
    goal = await goals.create(ANN, **STEPS, members=["2", "4"])
    await asyncio.gather(
        goals.decline(BEN, goal["id"]),
        *(goals.update(ANN, goal["id"], title=f"t{n}") for n in range(10)),
        goals.accept(person("4"), goal["id"]),
    )
    assert await invited(goals, BEN) == []
    left = await goals.get(ANN, goal["id"])
    assert (left["members"], left["pending"], left["version"]) == (["4"], ["2"], 12)


async def test_deleting_everything_ends_invitations(goals, database, publisher):
    """Nothing names the account any more, and the owner sees no difference."""
    goal = await goals.create(ANN, **STEPS, members=["2"])
    publisher.published.clear()
    left = [each["goal_id"] async for each in goals.export_invitations(BEN)]
    assert left == [goal["id"]]
    await goals.delete_all("2")
    assert await goals.get(ANN, goal["id"]) == goal
    assert told(publisher) == [("goal.uninvited", (user_room("2"),))]
    stored = await database["diary_goals"].find_one({"_id": goal["id"]})
    assert (stored["invitees"], stored["invited"][0]["account_id"]) == ([], None)


async def test_a_handed_over_account_shares_nothing(goals, publisher):
    """What the former holder shared ends on both sides; the account's own goals stay its own."""
    own = await goals.create(CIA, **STEPS, members=["1", "2"])
    theirs = await goals.create(ANN, **STEPS, members=["3", "2"])
    asked = await goals.create(BEN, **STEPS, members=["3"])
    await goals.accept(BEN, theirs["id"])
    publisher.published.clear()
    await goals.end_sharing("3")
    left = await goals.get(CIA, own["id"])
    assert (left["members"], left["pending"]) == ([], [])
    assert [goal["id"] for goal in (await goals.list(CIA))["items"]] == [own["id"]]
    assert await invited(goals, CIA) == await invited(goals, BEN) == []
    assert (await goals.get(ANN, theirs["id"]))["members"] == ["2"]
    assert await goals.get(BEN, asked["id"]) == asked
    assert ("goal.deleted", (user_room("1"),)) in told(publisher)
    await goals.end_sharing("3")
    assert told(publisher) == []


async def test_a_goal_of_before_there_were_invitations(goals, database):
    """Its members count as accepted, and it can be shared, answered and left as any other."""
    goal = await goals.create(ANN, **STEPS, members=["3"])
    older = await database["diary_goals"].find_one({"_id": goal["id"]})
    for name in ("invited", "invitees", "invited_at", "declines"):
        del older[name]
    await database["diary_goals"].delete_one({"_id": goal["id"]})
    await database["diary_goals"].insert_one(older)
    assert await goals.get(ANN, goal["id"]) == goal
    assert (await goals.update(ANN, goal["id"], title="x"))["members"] == ["3"]
    await goals.share(ANN, goal["id"], members=["2"])
    await goals.decline(BEN, goal["id"])
    await goals.leave(CIA, goal["id"])
    assert (await goals.get(ANN, goal["id"]))["pending"] == ["2"]
