"""A week in numbers: of the owner's calendar, of everything that counts, ready to plot."""

from datetime import UTC, date, datetime, time, timedelta

import pytest
from marshmallow import ValidationError

from models.diary.entries.operations import Entries
from models.diary.goals.operations import Goals
from models.diary.summary.figures import Figures
from models.diary.summary.operations import Summary
from models.diary.summary.schema import SummaryQuery
from models.diary.tasks.operations import Tasks
from models.diary.zones import Zones, moment_of
from tests.diary_world import ANN, EVE, People, friends
from tests.stories_world import RecordingPublisher

DAY = timedelta(days=1)


class World:
    """The parts of a diary that a summary is about, and a clock set by local time."""

    def __init__(self, database, clock):
        publisher, people = RecordingPublisher(), People()
        self.people, self.clock = people, clock
        self.zones = Zones(people.find, clock)
        self.entries = Entries(database, publisher, self.zones, clock)
        self.tasks = Tasks(database, publisher, self.zones, clock=clock)
        self.goals = Goals(database, publisher, friends(people.find), people.find, clock)
        self.summary = Summary(self.entries, self.tasks, Figures(database), self.zones, clock)

    async def be(self, day: str, at: str = "12:00"):
        """Let it be this time where Ann lives."""
        zone = await self.zones.zone_of("1")
        self.clock.moment = moment_of(date.fromisoformat(day), time.fromisoformat(at), zone)


@pytest.fixture
async def world(database, clock):
    made = World(database, clock)
    for part in (made.entries, made.tasks, made.goals):
        await part.prepare()
    return made


def column(answer, name):
    return [day[name] for day in answer["days"]]


async def test_an_empty_week_has_seven_days(world):
    """Nothing at all is seven days of zeros, no mood and no rate, from Monday to Sunday."""
    await world.be("2026-03-01")  # a Sunday
    empty = {"entries": 0, "mood": None, "tasks_due": 0, "tasks_completed": 0}
    week = {"from": "2026-02-23", "to": "2026-03-01", "completion_rate": None} | empty
    assert await world.summary.of(ANN) == {
        "time_zone": "UTC",
        "days": [
            {"date": day} | empty
            for day in (
                "2026-02-23",
                "2026-02-24",
                "2026-02-25",
                "2026-02-26",
                "2026-02-27",
                "2026-02-28",
                "2026-03-01",
            )
        ],
        "week": week,
        "weeks": [week],
        "streak": {"current": 0, "longest": 0},
        "goals_moved": [],
    }


async def test_a_week_with_a_change_of_clocks(world):
    """Berlin, 23 to 29 March 2026: the Sunday has 23 hours and is a day like the others."""
    world.people.settle("1", time_zone="Europe/Berlin")
    for day, at, mood in [
        ("2026-03-22", "23:59", 1),
        ("2026-03-23", "00:00", 2),
        ("2026-03-25", "12:00", None),
        ("2026-03-28", "23:30", 5),
        ("2026-03-29", "00:30", 4),
        ("2026-03-29", "03:00", 4),
        ("2026-03-29", "23:59", 3),
        ("2026-03-30", "00:00", 1),
    ]:
        await world.be(day, at)
        await world.entries.create(ANN, text="x", mood=mood)
    await world.entries.create(EVE, text="x", mood=1)
    answer = await world.summary.of(ANN, date=date(2026, 3, 26))
    assert answer["time_zone"] == "Europe/Berlin"
    assert column(answer, "entries") == [1, 0, 1, 0, 0, 1, 3]
    # 11 / 3
    assert column(answer, "mood") == [2.0, None, None, None, None, 5.0, 3.67]
    # Of all moods of the week, 18 / 5, not of the days' means.
    assert (answer["week"]["entries"], answer["week"]["mood"]) == (6, 3.6)
    # 28, 29 and 30 March.
    assert answer["streak"] == {"current": 3, "longest": 3}


async def test_what_was_due_and_what_was_done(world):
    """Each day has what fell due and what was completed on it; the rate asks what was met."""
    await world.be("2026-03-16", "08:00")  # a Monday
    daily = await world.tasks.create(ANN, title="d", due_date=date(2026, 3, 16), repeat="daily")
    once = await world.tasks.create(ANN, title="o", due_date=date(2026, 3, 17))
    late = await world.tasks.create(ANN, title="l", due_date=date(2026, 3, 18))
    await world.tasks.create(ANN, title="never", due_date=date(2026, 3, 18))
    early = await world.tasks.create(ANN, title="e", due_date=date(2026, 3, 21))
    undated = await world.tasks.create(ANN, title="u")
    await world.tasks.create(EVE, title="x", due_date=date(2026, 3, 18))
    await world.tasks.complete(ANN, daily["id"])
    await world.be("2026-03-17")
    for task in (daily, once, early, undated):
        await world.tasks.complete(ANN, task["id"])
    # Wednesday and Thursday of the daily one are passed over: done on Friday, it is Wednesday's.
    await world.be("2026-03-20")
    await world.tasks.complete(ANN, daily["id"])
    await world.tasks.complete(ANN, late["id"])
    answer = await world.summary.of(ANN)
    assert column(answer, "tasks_due") == [1, 2, 3, 1, 1, 2, 1]
    assert column(answer, "tasks_completed") == [1, 4, 0, 0, 2, 0, 0]
    week = answer["week"]
    assert (week["tasks_due"], week["tasks_completed"]) == (11, 7)
    # Up to today, Friday, 8 were due: met are the daily one's three, the one and the late one.
    assert week["completion_rate"] == 0.625
    assert answer["streak"] == {"current": 1, "longest": 2}
    # On Sunday, 11 were due, and the one of Saturday was met on Tuesday.
    await world.be("2026-03-22")
    answer = await world.summary.of(ANN)
    assert answer["week"]["completion_rate"] == round(6 / 11, 4)
    assert answer["streak"] == {"current": 0, "longest": 2}


async def test_entries_and_tasks_make_one_streak(world):
    """A day with either is a day of the row, and both on one day are one."""
    await world.be("2026-03-16")
    task = await world.tasks.create(ANN, title="x", repeat="daily")
    await world.tasks.complete(ANN, task["id"])
    await world.entries.create(ANN, text="x")
    await world.be("2026-03-17")
    await world.entries.create(ANN, text="x")
    await world.be("2026-03-18")
    await world.tasks.complete(ANN, task["id"])
    await world.be("2026-03-19")
    assert (await world.summary.of(ANN))["streak"] == {"current": 3, "longest": 3}


async def test_weeks_back(world):
    """A series of weeks ends with the one asked for, each with its own numbers."""
    for day, mood in [("2026-03-02", 1), ("2026-03-08", 2), ("2026-03-16", 5), ("2026-03-23", 4)]:
        await world.be(day)
        await world.entries.create(ANN, text="x", mood=mood)
    answer = await world.summary.of(ANN, date=date(2026, 3, 22), weeks=4)
    assert [(week["from"], week["to"]) for week in answer["weeks"]] == [
        ("2026-02-23", "2026-03-01"),
        ("2026-03-02", "2026-03-08"),
        ("2026-03-09", "2026-03-15"),
        ("2026-03-16", "2026-03-22"),
    ]
    assert [week["entries"] for week in answer["weeks"]] == [0, 2, 0, 1]
    assert [week["mood"] for week in answer["weeks"]] == [None, 1.5, None, 5.0]
    assert answer["week"] == answer["weeks"][-1]
    assert column(answer, "date")[0] == "2026-02-23"
    assert column(answer, "date")[-1] == "2026-03-22"
    assert len(column(answer, "date")) == 28
    assert [day for day in answer["days"] if day["entries"]] == [
        {"date": date, "entries": 1, "mood": mood, "tasks_due": 0, "tasks_completed": 0}
        for date, mood in (("2026-03-02", 1.0), ("2026-03-08", 2.0), ("2026-03-16", 5.0))
    ]


async def test_goals_that_moved(world):
    """Own and shared goals that came further within the week's local days, the latest first."""
    world.people.settle("1", time_zone="Asia/Ho_Chi_Minh")
    number = {"kind": "number", "target": 4}
    await world.be("2026-03-15", "23:59")
    before = await world.goals.create(ANN, title="before", **number)
    mine = await world.goals.create(ANN, title="mine", **number)
    ours = await world.goals.create(EVE, title="ours", members=["1"], **number)
    theirs = await world.goals.create(EVE, title="theirs", **number)
    await world.goals.create(ANN, title="still", **number)
    await world.goals.add_progress(ANN, before["id"], amount=1)
    await world.be("2026-03-16", "00:00")
    await world.goals.add_progress(ANN, mine["id"], amount=1)
    await world.be("2026-03-22", "23:59")
    await world.goals.add_progress(EVE, ours["id"], amount=4)
    await world.goals.add_progress(EVE, theirs["id"], amount=4)
    assert (await world.summary.of(ANN))["goals_moved"] == [
        {"id": ours["id"], "title": "ours", "progress": 1, "done": True},
        {"id": mine["id"], "title": "mine", "progress": 0.25, "done": False},
    ]
    await world.be("2026-03-23", "00:00")
    assert (await world.summary.of(ANN))["goals_moved"] == []


async def test_the_present_week_is_where_the_owner_lives(world, clock):
    """On Sunday evening in UTC it is Monday in Saigon, and still Sunday in New York."""
    clock.moment = datetime(2026, 3, 1, 18, tzinfo=UTC)
    for zone, monday in [
        ("UTC", "2026-02-23"),
        ("Asia/Ho_Chi_Minh", "2026-03-02"),
        ("America/New_York", "2026-02-23"),
    ]:
        world.people.settle("1", time_zone=zone)
        assert (await world.summary.of(ANN))["week"]["from"] == monday


def test_query():
    """A week is asked for by a date, a series by a small number."""
    assert SummaryQuery().load({}) == {"date": None, "weeks": 1}
    loaded = SummaryQuery().load({"date": "1900-01-01", "weeks": "53"})
    assert loaded == {"date": date(1900, 1, 1), "weeks": 53}
    for wrong in ({"weeks": 0}, {"weeks": 54}, {"weeks": 1.5}, {"weeks": True}, {"date": "today"}):
        with pytest.raises(ValidationError):
            SummaryQuery().load(wrong)
