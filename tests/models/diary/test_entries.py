"""Entries: written about days, found again, told to their owner, and nobody else's business."""

import asyncio
import unicodedata
from datetime import UTC, date, datetime, timedelta

import pytest

from models import quotas
from models.diary.entries import operations
from models.diary.entries.operations import Entries
from models.diary.entries.schema import SearchEntries
from models.diary.zones import Zones
from models.errors import Conflict, Invalid, NotFound
from models.pages import Position
from models.rooms import user_room
from tests.diary_world import ANN, EVE, People
from tests.stories_world import RecordingPublisher, person

MINE = (user_room("1"),)
MINUTE = timedelta(minutes=1)
MISSING_ID = "00000000-0000-4000-8000-000000000000"


@pytest.fixture
def publisher() -> RecordingPublisher:
    return RecordingPublisher()


@pytest.fixture
def people() -> People:
    return People()


@pytest.fixture
async def entries(database, publisher, people, clock) -> Entries:
    made = Entries(database, publisher, Zones(people.find, clock), clock)
    await made.prepare()
    return made


def texts(page) -> list[str]:
    return [entry["text"] for entry in page["items"]]


async def test_written_and_read(entries, publisher):
    """An entry has what was said and today's date, is told once to its owner, and reads back."""
    entry = await entries.create(ANN, text="Saw a heron.", mood=5, tags=["birds"])
    assert entry | {"id": "?"} == {
        "id": "?",
        "text": "Saw a heron.",
        "mood": 5,
        "tags": ["birds"],
        "date": "2026-03-01",
        "created_at": "2026-03-01T12:00:00.000Z",
        "updated_at": "2026-03-01T12:00:00.000Z",
        "version": 1,
    }
    assert publisher.take("entry.created") == [({"entry": entry}, MINE)]
    assert await entries.get(ANN, entry["id"]) == entry
    assert await entries.list(ANN) == {"items": [entry], "next": None}


TODAY = [
    ("UTC", datetime(2026, 3, 28, 23, 30), "2026-03-28"),
    ("Asia/Ho_Chi_Minh", datetime(2026, 3, 28, 16, 59), "2026-03-28"),
    ("Asia/Ho_Chi_Minh", datetime(2026, 3, 28, 17), "2026-03-29"),
    # The day of 23 hours begins at 23:00 UTC and ends at 22:00 UTC.
    ("Europe/Berlin", datetime(2026, 3, 28, 23), "2026-03-29"),
    ("Europe/Berlin", datetime(2026, 3, 29, 21, 59), "2026-03-29"),
    ("Europe/Berlin", datetime(2026, 3, 29, 22), "2026-03-30"),
    # That of 25 hours began at 04:00 UTC.
    ("America/New_York", datetime(2026, 11, 2, 4, 59), "2026-11-01"),
    ("America/New_York", datetime(2026, 11, 2, 5), "2026-11-02"),
]


async def test_today_is_where_the_owner_lives(entries, people, clock):
    """An entry is about the owner's present day, unless it says of which."""
    for zone, moment, today in TODAY:
        people.settle("1", time_zone=zone)
        clock.moment = moment.replace(tzinfo=UTC)
        assert (await entries.create(ANN, text="x"))["date"] == today, (zone, moment)
    earlier = await entries.create(ANN, text="x", date=date(1999, 12, 31))
    assert earlier["date"] == "1999-12-31"


@pytest.mark.parametrize(
    ("moment", "last"),
    [
        # Half past midnight in Hanoi, of an account that has no time zone yet.
        (datetime(2026, 3, 1, 17, 30), "2026-03-02"),
        # The last minute before a day begins in Kiritimati, 14 hours ahead, and its first.
        (datetime(2026, 3, 1, 9, 59), "2026-03-01"),
        (datetime(2026, 3, 1, 10), "2026-03-02"),
    ],
)
async def test_what_is_today_somewhere_is_not_to_come(entries, clock, moment, last):
    """Any date that a calendar on earth shows now is taken, written and changed; none after it."""
    clock.moment = moment.replace(tzinfo=UTC)
    day = date.fromisoformat(last)
    entry = await entries.create(ANN, text="x", date=day)
    assert entry["date"] == last
    assert (await entries.update(ANN, entry["id"], date=day))["date"] == last
    for write in (
        entries.create(ANN, text="x", date=day + timedelta(days=1)),
        entries.update(ANN, entry["id"], date=day + timedelta(days=1)),
    ):
        with pytest.raises(Invalid) as refusal:
            await write
        assert refusal.value.fields.keys() == {"date"}


async def test_moving_does_not_move_dates(entries, people, clock):
    """Dates stay what they were at writing when their owner moves to another zone."""
    clock.moment = datetime(2026, 3, 1, 20, tzinfo=UTC)
    people.settle("1", time_zone="Asia/Ho_Chi_Minh")
    entry = await entries.create(ANN, text="x")
    people.settle("1", time_zone="America/New_York")
    assert entry["date"] == (await entries.get(ANN, entry["id"]))["date"] == "2026-03-02"
    assert await entries.active_dates("1") == {date(2026, 3, 2)}


async def test_the_same_client_id_is_the_same_entry(entries, publisher):
    """However often and however many at once: one entry, told once; another's is their own."""
    sent = [entries.create(ANN, text="x", client_id="abc") for _ in range(10)]
    answers = await asyncio.gather(*sent)
    assert all(answer == answers[0] for answer in answers)
    assert len(publisher.take("entry.created")) == 1
    await entries.update(ANN, answers[0]["id"], text="y")
    assert (await entries.create(ANN, text="x", client_id="abc"))["text"] == "y"
    assert (await entries.create(EVE, text="z", client_id="abc"))["id"] != answers[0]["id"]
    assert texts(await entries.list(ANN)) == ["y"]


async def test_a_late_repeat_does_not_bring_a_deleted_entry_back(entries, database, clock):
    """For a day the deleted entry's place is held, without anything of what it was."""
    entry = await entries.create(ANN, text="secret", tags=["private"], client_id="abc")
    await entries.delete(ANN, entry["id"])
    with pytest.raises(Conflict) as refusal:
        await entries.create(ANN, text="secret", tags=["private"], client_id="abc")
    assert refusal.value.code == "entry_deleted"
    left = await database["diary_entries"].find({}).to_list(None)
    assert "secret" not in repr(left)
    assert "private" not in repr(left)
    clock.move(timedelta(hours=24) - timedelta(milliseconds=1))
    await entries.sweep()
    assert await database["diary_entries"].count_documents({}) == 1
    clock.move(timedelta(milliseconds=1))
    await entries.sweep()
    assert await database["diary_entries"].count_documents({}) == 0


async def test_changed(entries, publisher, clock):
    """What is named changes, the rest stays; each change is a version, told once and whole."""
    entry = await entries.create(ANN, text="one", mood=2, tags=["a"])
    publisher.take()
    clock.move(MINUTE)
    changed = await entries.update(ANN, entry["id"], mood=None, tags=["b", "c"])
    assert changed == entry | {
        "mood": None,
        "tags": ["b", "c"],
        "updated_at": "2026-03-01T12:01:00.000Z",
        "version": 2,
    }
    moved = await entries.update(ANN, entry["id"], text="two", date=date(2026, 2, 1))
    assert moved == changed | {"text": "two", "date": "2026-02-01", "version": 3}
    told = publisher.take("entry.updated")
    assert told == [({"entry": changed}, MINE), ({"entry": moved}, MINE)]
    assert await entries.get(ANN, entry["id"]) == moved
    assert texts(await entries.search(ANN, text="two")) == ["two"]
    assert texts(await entries.search(ANN, text="one")) == []
    with pytest.raises(Invalid):
        await entries.update(ANN, entry["id"], date=date(2026, 3, 3))


async def test_nothing_changed(entries, publisher):
    """A change to what is there already is none: no version, and nobody is told."""
    entry = await entries.create(ANN, text="one", mood=2, tags=["a"])
    publisher.take()
    same = {"text": "one", "mood": 2, "tags": ["a"], "date": date(2026, 3, 1)}
    assert await entries.update(ANN, entry["id"], **same) == entry
    assert await entries.update(ANN, entry["id"]) == entry
    assert publisher.take() == []


async def test_deleted_once(entries, publisher):
    """Of many deletes at once one succeeds and is told, with a version above all others."""
    entry = await entries.create(ANN, text="x")
    await entries.update(ANN, entry["id"], text="y")
    publisher.take()
    deletes = [entries.delete(ANN, entry["id"]) for _ in range(10)]
    results = await asyncio.gather(*deletes, return_exceptions=True)
    assert results.count(None) == 1
    assert sum(isinstance(result, NotFound) for result in results) == 9
    assert publisher.take() == [({"id": entry["id"], "version": 3}, MINE)]
    assert await entries.list(ANN) == {"items": [], "next": None}
    assert await entries.tags(ANN) == {"items": []}
    assert await entries.active_dates("1") == set()
    for refused in (entries.get(ANN, entry["id"]), entries.update(ANN, entry["id"], mood=1)):
        with pytest.raises(NotFound):
            await refused


async def test_two_devices_change_different_things(entries):
    """Changes to different parts at once are all kept, each with a version of its own."""
    entry = await entries.create(ANN, text="x")
    changes = [{"text": "y"}, {"mood": 4}, {"tags": ["z"]}, {"date": date(2026, 2, 2)}]
    answers = await asyncio.gather(*(entries.update(ANN, entry["id"], **c) for c in changes))
    assert sorted(answer["version"] for answer in answers) == [2, 3, 4, 5]
    kept = await entries.get(ANN, entry["id"])
    assert (kept["text"], kept["mood"], kept["tags"], kept["date"], kept["version"]) == (
        "y",
        4,
        ["z"],
        "2026-02-02",
        5,
    )


async def fill(entries, clock):
    """Write six entries on four days, not in the order of their days."""
    for number, (day, mood, tags) in enumerate(
        [
            (date(2026, 2, 27), 1, ["work"]),
            (date(2026, 3, 1), 5, ["home"]),
            (date(1960, 1, 1), None, ["old", "home"]),
            (date(2026, 2, 27), 5, ["work", "home"]),
            (date(2026, 2, 28), None, []),
            (date(2026, 2, 27), 3, []),
        ]
    ):
        await entries.create(ANN, text=str(number), mood=mood, tags=tags, date=day)
        # Two of the same millisecond are told apart by their ids.
        clock.move(MINUTE if number != 3 else timedelta(0))
    await entries.create(EVE, text="not yours", mood=5, tags=["home", "work"])


async def test_listed_by_day(entries, clock):
    """The newest day comes first, within a day what was written last; bounds are included."""
    await fill(entries, clock)
    assert texts(await entries.list(ANN)) == ["1", "4", "5", "3", "0", "2"]
    listed = await entries.list(ANN, from_=date(2026, 2, 27), to=date(2026, 2, 28))
    assert texts(listed) == ["4", "5", "3", "0"]
    assert texts(await entries.list(ANN, from_=date(2026, 2, 28))) == ["1", "4"]
    assert texts(await entries.list(ANN, to=date(2026, 2, 26))) == ["2"]
    assert texts(await entries.list(ANN, tag="home")) == ["1", "3", "2"]
    assert texts(await entries.list(ANN, mood=5)) == ["1", "3"]
    found = await entries.list(ANN, tag="work", mood=5, to=date(2026, 2, 27))
    assert texts(found) == ["3"]
    assert texts(await entries.list(ANN, tag="nothing")) == []


async def test_pages(entries, clock):
    """Pages of any size give each entry once, in order, also when entries come in between."""
    await fill(entries, clock)
    for limit in (1, 2, 6, 5):
        seen, after = [], None
        while True:
            page = await entries.list(ANN, after=after, limit=limit)
            seen += texts(page)
            assert len(page["items"]) <= limit
            if page["next"] is None:
                break
            after = Position.from_text(page["next"])
            if limit == 5:
                await entries.create(ANN, text="in front")
        assert seen == ["1", "4", "5", "3", "0", "2"]


async def test_tags_are_counted(entries, clock):
    """Tags come with the number of their entries, the most used first, equals by name."""
    await fill(entries, clock)
    expected = [("home", 3), ("work", 2), ("old", 1)]
    assert (await entries.tags(ANN))["items"] == [{"tag": t, "count": n} for t, n in expected]


async def test_tags_are_those_of_the_newest_entries(entries, monkeypatch):
    """Newest by the day they are about, as in lists."""
    monkeypatch.setattr(operations, "TAGGED_ENTRIES", 2)
    for day, tag in ((3, "c"), (1, "a"), (2, "c")):
        await entries.create(ANN, text="x", tags=[tag], date=date(2026, 2, day))
    assert await entries.tags(ANN) == {"items": [{"tag": "c", "count": 2}]}


SEARCHED = [
    ("Met BEN today", "ben", True),
    ("met ben today", "N TOD", True),
    ("met ben today", "ben  today", False),
    ("Straße", "STRASSE", True),
    ("ΟΔΥΣΣΕΥΣ", "οδυσσευς", True),
    ("N\u0103m m\u1edbi", "na\u0306m mo\u031b\u0301i", True),
    ("thức dậy 5 giờ", "THỨC", True),
    ("ở Hà Nội", unicodedata.normalize("NFD", "hà nội"), True),
    (unicodedata.normalize("NFD", "ở Hà Nội"), "Hà Nội", True),
    ("ở Hà Nội", "Ha Noi", False),
    ("I don\u2019t", "DON'T", True),
    ("line one\nline two", "ONE", True),
    ("100 % (really?)", "% (REALLY?)", True),
    (r"C:\new.*[x]^$|{2}", r"\NEW.*[X]^$|{2}", True),
    ("🎉 party", "🎉", True),
    ("tab", "\\w", False),
    ("anything", ".*", False),
    ("anything", "a|b", False),
    ("x", "(", False),
    ("x", "(?i)X", False),
    ("x", "[", False),
    ("a# b&c~-d", "# B&C~-D", True),
]


async def test_searched_as_it_is_written(entries):
    """A text is found in every case and accent form; nothing in it is taken for a pattern."""
    for number, (written, wanted, found) in enumerate(SEARCHED, 10):
        who = person(str(number))
        await entries.create(who, text=written)
        wanted = SearchEntries().load({"text": wanted})["text"]
        answer = texts(await entries.search(who, text=wanted))
        assert answer == ([written] if found else []), wanted


async def test_searched_among_some(entries, clock):
    """A search finds among the days, the mood and the tag that are asked for, as a list does."""
    for day, mood, tags in ((1, 5, ["sea"]), (2, 5, []), (2, 1, ["sea"]), (3, 5, ["sea"])):
        date_ = date(2026, 2, day)
        await entries.create(ANN, text=f"walk {day}{mood}", mood=mood, tags=tags, date=date_)
        clock.move(MINUTE)

    async def found(**which):
        return texts(await entries.search(ANN, text="walk", **which))

    assert await found() == ["walk 35", "walk 21", "walk 25", "walk 15"]
    assert await found(tag="sea", mood=5) == ["walk 35", "walk 15"]
    assert await found(to=date(2026, 2, 2), mood=5) == ["walk 25", "walk 15"]
    assert await found(from_=date(2026, 2, 2), to=date(2026, 2, 2), tag="sea") == ["walk 21"]
    assert texts(await entries.search(ANN, text="swim", tag="sea")) == []


async def test_searched_by_tag_and_page(entries, clock):
    """An entry with the text as a tag is found, too; pages go through what was found."""
    for number in range(4):
        await entries.create(ANN, text=f"{number} walk", tags=["năm mới"])
        await entries.create(ANN, text="elsewhere", tags=["walk", "walks"] if number else [])
        clock.move(MINUTE)
    await entries.create(EVE, text="my walk", tags=["walk"])
    seen, after = [], None
    while True:
        page = await entries.search(ANN, text=" Walk ", after=after, limit=3)
        seen += texts(page)
        if page["next"] is None:
            break
        after = Position.from_text(page["next"])
    assert sorted(seen) == ["0 walk", "1 walk", "2 walk", "3 walk"] + ["elsewhere"] * 3
    assert len((await entries.search(ANN, text="NĂM MỚI"))["items"]) == 4


async def test_searching_a_long_diary_takes_several_pages(entries, clock, monkeypatch):
    """A search ends when its time is over; its cursor leads on to all that is to be found."""
    monkeypatch.setattr(operations, "SEARCH_S", 0.0)
    monkeypatch.setattr(operations, "SEARCH_FIRST", 3)
    for number in range(10):
        await entries.create(ANN, text=f"{number} walk" if number % 4 == 0 else "elsewhere")
        clock.move(MINUTE)
    pages, after = [], None
    while True:
        page = await entries.search(ANN, text="walk", after=after)
        pages.append(texts(page))
        if page["next"] is None:
            break
        after = Position.from_text(page["next"])
    assert pages == [["8 walk"], ["4 walk"], [], ["0 walk"]]


async def test_a_diary_has_so_many_entries(database, publisher, people, clock, monkeypatch):
    """What is beyond is refused and not written; what is deleted makes room, repeats need none."""
    monkeypatch.setattr(quotas, "UNCOUNTED", 2)
    monkeypatch.setattr(operations, "MAX_ENTRIES", 5)
    entries = Entries(database, publisher, Zones(people.find, clock), clock)
    made = [await entries.create(ANN, text=str(n), client_id=f"n{n}") for n in range(5)]
    publisher.published.clear()
    for _ in range(2):
        with pytest.raises(Conflict) as refused:
            await entries.create(ANN, text="one more")
        assert refused.value.code == "too_many_entries"
    assert publisher.published == []
    assert await entries.create(ANN, text="4", client_id="n4") == made[4]
    await entries.create(EVE, text="mine")
    await entries.delete(ANN, made[0]["id"])
    await entries.create(ANN, text="5")
    assert sorted(texts(await entries.list(ANN))) == ["1", "2", "3", "4", "5"]
    with pytest.raises(Conflict, match="up to 5 entries"):
        await entries.create(ANN, text="6")


CALLS = {
    "get": lambda entries, who, entry_id: entries.get(who, entry_id),
    "update": lambda entries, who, entry_id: entries.update(who, entry_id, text="mine now"),
    "delete": lambda entries, who, entry_id: entries.delete(who, entry_id),
}


async def test_to_others_an_entry_does_not_exist(entries, publisher):
    """Somebody else's entry is like one that never was, whatever is asked."""
    entry = await entries.create(ANN, text="secret", tags=["private"])
    publisher.take()
    refusals = []
    for call in CALLS.values():
        for wrong in (entry["id"], MISSING_ID, "", "*", "\ud800", "A" * 999, entry["id"].upper()):
            with pytest.raises(NotFound) as refusal:
                await call(entries, EVE, wrong)
            refusals.append(vars(refusal.value))
    assert all(refusal == refusals[0] for refusal in refusals)
    assert publisher.take() == []
    assert await entries.get(ANN, entry["id"]) == entry


async def test_lists_have_the_owners_only(entries, people, clock):
    """No list of any kind has anything of somebody else's entries."""
    await fill(entries, clock)
    nobody = {"items": [], "next": None}
    stranger = person("3")
    for page in (entries.list(stranger), entries.search(stranger, text="0")):
        assert await page == nobody
    assert await entries.tags(stranger) == {"items": []}
    assert await entries.active_dates("3") == set()
    assert [entry async for entry in entries.export("3")] == []
    assert await entries.moods("3", date(1900, 1, 1), date(2100, 1, 1)) == []
    assert texts(await entries.list(EVE)) == ["not yours"]


async def test_delete_all(entries, database, clock):
    """All of one account goes, the traces of what was deleted before, too; others keep theirs."""
    await fill(entries, clock)
    listed = await entries.list(ANN)
    await entries.delete(ANN, listed["items"][0]["id"])
    await entries.delete_all("1")
    assert await database["diary_entries"].count_documents({}) == 1
    assert texts(await entries.list(EVE)) == ["not yours"]
