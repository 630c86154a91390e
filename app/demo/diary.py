"""The diary of the examples: a month of days, tasks with their repetitions, goals, a motivation."""

from dataclasses import dataclass
from datetime import date, time, timedelta

from app.demo.world import World
from models.diary.goals.schema import NUMBER, STEPS
from models.diary.tasks.repeats import DAILY, WEEKLY
from models.diary.tasks.schema import NORMAL
from models.errors import DomainError
from models.identity import Identity

DAYS = 31
_DAY = timedelta(days=1)

_SKIPPED = frozenset({2, 9, 17})
"""Days of the cycle below on which no one wrote: a diary has holes."""

_CYCLE = 28


@dataclass(frozen=True, slots=True)
class _Entry:
    text: str
    mood: int
    tags: tuple[str, ...] = ()


_ENTRIES = (
    _Entry("Long walk along the river, no phone. I should do this more often.", 4, ("walk",)),
    _Entry(
        "The build was red all morning. Found it at last: a clock that went backwards.",
        3,
        ("work",),
    ),
    _Entry("Slept badly. Coffee, then more coffee.", 2, ("sleep",)),
    _Entry("Dinner with Alice and Bob. We laughed until the waiter joined in.", 5, ("friends",)),
    _Entry("Ten kilometres before breakfast!", 5, ("running",)),
    _Entry("Rain. Read half a book under a blanket.", 4, ("books",)),
    _Entry("Too many meetings, and none of them mine.", 2, ("work",)),
    _Entry("Called home. Everybody is well.", 4, ("family",)),
    _Entry("Learned to say thank you in Vietnamese properly: cảm ơn.", 4, ("learning",)),
)

_BEGUN = date(2000, 1, 3)
"""A Monday from which days are counted, so that a day has the same entry whenever it is loaded."""


async def load_days(world: World, through: date | None) -> int:
    """Write Test's entries for the days after `through`, a month at most; return how many."""
    test, today, written = world.people["Test"], world.now.date(), 0
    for ago in range(DAYS - 1, -1, -1):
        day = today - ago * _DAY
        number = (day - _BEGUN).days
        if (through is not None and day <= through) or (number % _CYCLE in _SKIPPED and ago > 6):
            continue
        example = _ENTRIES[number % len(_ENTRIES)]
        world.at(ago, "20:30")
        written += await _entry(world, test, example, day)
    return written


async def _entry(world: World, person: Identity, example: _Entry, day: date) -> bool:
    try:
        await world.diary.entries.create(
            person,
            text=example.text,
            mood=example.mood,
            tags=list(example.tags),
            date=day,
            client_id=f"demo-{day}",
        )
    except DomainError:  # it was deleted
        return False
    return True


async def load_diary(world: World) -> tuple[int, str]:
    """Plan tasks, set goals and come nearer to them; return how many, and what it is."""
    await _tasks(world)
    await _goals(world)
    world.at(1, "21:00")
    await world.diary.motivation.request(
        world.people["Test"],
        current_challenge="The release is due on Friday and I am behind.",
        stress_level=7,
        client_id="demo",
    )
    return 9, "tasks, some of them done every day, goals (one shared by Alice), a motivation"


async def _tasks(world: World) -> None:
    tasks, test, today = world.diary.tasks, world.people["Test"], world.now.date()
    world.at(DAYS - 1, "07:00")
    stretch = await tasks.create(
        test,
        title="Stretch for ten minutes",
        due_date=today - (DAYS - 1) * _DAY,
        due_time=time(7, 30),
        repeat=DAILY,
        client_id="demo-stretch",
    )
    for ago in range(DAYS - 1, 0, -1):
        # On some days it comes to nothing.
        if ago % 6 != 5:
            world.at(ago, "07:45")
            await tasks.complete(test, str(stretch["id"]))
    world.at(21, "07:00")
    week = await tasks.create(
        test,
        title="Water the plants",
        due_date=today - 21 * _DAY,
        repeat=WEEKLY,
        client_id="demo-plants",
    )
    for ago in (21, 14, 7):
        world.at(ago, "18:00")
        await tasks.complete(test, str(week["id"]))
    world.at(2, "10:00")
    for key, title, in_days, at, priority in (
        ("tax", "Send the tax papers", -1, None, "high"),
        ("call", "Call the dentist", 0, time(16), NORMAL),
        ("gift", "A present for Bob", 0, None, "high"),
        ("tent", "Air the tent for Alice", 1, None, "low"),
        ("notes", "Write the release notes", 3, time(11), NORMAL),
    ):
        await tasks.create(
            test,
            title=title,
            due_date=today + in_days * _DAY,
            due_time=at,
            priority=priority,
            client_id=f"demo-{key}",
        )
    done = await tasks.create(test, title="Book the train", client_id="demo-train")
    world.at(1, "12:00")
    await tasks.complete(test, str(done["id"]))


async def _goals(world: World) -> None:
    goals, people, today = world.diary.goals, world.people, world.now.date()
    test, alice = people["Test"], people["Alice"]
    world.at(20, "08:00")
    run = await goals.create(
        test,
        title="Run 100 km",
        kind=NUMBER,
        target=100,
        unit="km",
        due_date=today + 20 * _DAY,
        client_id="demo-run",
    )
    for ago, amount in ((18, 8.5), (14, 10), (9, 12), (5, 10), (3, 10.2), (1, 6)):
        world.at(ago, "09:30")
        await goals.add_progress(test, str(run["id"]), amount=amount, client_id=f"demo-run-{ago}")
    world.at(10, "19:00")
    learn = await goals.create(
        test,
        title="Say ten sentences in Vietnamese",
        kind=STEPS,
        steps=[{"title": f"Sentence {number}"} for number in range(1, 11)],
        client_id="demo-learn",
    )
    steps = learn["steps"]
    assert isinstance(steps, list)
    for number, step in enumerate(steps[:4]):
        assert isinstance(step, dict)
        world.at(8 - 2 * number, "19:30")
        await goals.set_step(test, str(learn["id"]), step_id=str(step["id"]), done=True)
    world.at(2, "12:00")
    shared = await goals.create(
        alice,
        title="Read twelve books together",
        kind=NUMBER,
        target=12,
        unit="books",
        members=[test.public_id],
        client_id="demo-books",
    )
    for ago, who in ((2, alice), (1, test)):
        world.at(ago, "22:00")
        await goals.add_progress(who, str(shared["id"]), amount=2, client_id=f"demo-books-{ago}")
