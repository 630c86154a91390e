"""One rule for all that creates: the same account, operation and key is one thing."""

import asyncio
from datetime import timedelta
from uuid import uuid4

import pytest

from models.accounts.lookups import Lookups
from models.diary.operations import Diary
from models.errors import Conflict, DomainError, Invalid
from models.idempotency import CLAIMS_KEPT, Answer, Attempt, Idempotency
from models.notifications.push import NoPush
from models.processes import SILENCE_S, Processes
from models.stories.operations import Stories
from tests.chat_world import ANN, BEN, CHANNEL, Hall, chat_on, open_channel
from tests.diary_world import People
from tests.market_world import SIZE, build_market
from tests.models.diary.dying import Died, Dying

STORY = {"text": "hello", "visibility": "PUBLIC", "audience_user_ids": []}
OTHER = {"text": "other"}
GOAL = {"title": "Run", "kind": "number", "target": 100, "unit": "km"}
SHOE = {"name": "Trainer", "sku": "TR-1", "sizes": [SIZE]}
BID = {"size": SIZE, "price": 20_000}
TEXT = {"content": "hello", "message_type": "text"}


class Domains:
    """What one process has of every domain."""

    def __init__(self, database, hall, clock):
        people = People()
        self.stories = Stories(database, hall, lifetime=timedelta(hours=24), clock=clock)
        self.chat = chat_on(database, hall, clock)
        self.market = build_market(database, hall, clock)
        self.diary = Diary(
            database,
            hall,
            find_account=people.find,
            find_by_public_id=people.find,
            push=NoPush(),
            generator=None,
            lookups=Lookups(1_000),
            motivations_per_minute=1000,
            clock=clock,
        )

    def creating(self, name, goal_id, product_id):
        """Return an operation that creates: it takes keys, and content to send under them."""
        chat, diary, market = self.chat, self.diary, self.market
        return {
            "story": (self.stories.create, (ANN,), STORY, OTHER),
            "entry": (diary.entries.create, (ANN,), {"text": "x"}, OTHER),
            "task": (diary.tasks.create, (ANN,), {"title": "x"}, {"title": "y"}),
            "goal": (diary.goals.create, (ANN,), GOAL, {"title": "Swim"}),
            "progress": (
                diary.goals.add_progress,
                (ANN, goal_id),
                {"amount": 5},
                {"amount": 7},
            ),
            "motivation": (
                diary.motivation.request,
                (ANN,),
                {"current_challenge": "exams"},
                {"stress_level": 9},
            ),
            "bid": (
                market.trading.place,
                (ANN, "bid"),
                BID | {"product_id": product_id},
                {"price": 1},
            ),
            "product": (market.products.create, (ANN,), SHOE, {"sku": "TR-2"}),
            "group": (
                chat.membership.create_conversation,
                (ANN,),
                {"participants": ["2", "3"], "title": "us"},
                {"title": "them"},
            ),
            "channel": (
                chat.membership.create_channel,
                (ANN,),
                {"name": "den", "private": True, "title": None},
                {"title": "Den"},
            ),
            "message": (chat.messages.send, (ANN, CHANNEL), TEXT, {"content": "bye"}),
        }[name]


COLLECTIONS = {
    "story": "stories",
    "entry": "diary_entries",
    "task": "diary_tasks",
    "goal": "diary_goals",
    "motivation": "diary_motivations",
    "bid": "market_offers",
    "product": "market_products",
    "group": "conversations",
    "channel": "conversations",
    "message": "chat_messages",
}
NAMES = [*COLLECTIONS, "progress"]


class World:
    """A goal, a product and a channel for what is created in something else."""

    def __init__(self, database, hall, clock):
        self.database, self.hall, self.clock = database, hall, clock
        self.domains = Domains(database, hall, clock)

    async def prepare(self):
        await open_channel(self.domains.chat, self.hall)
        self.goal_id = (await self.domains.diary.goals.create(ANN, **GOAL))["id"]
        product = await self.domains.market.products.create(ANN, **SHOE | {"sku": "TR-0"})
        self.product_id = product["id"]

    async def send(self, name, *, other=False, dying_after=None, **keys):
        domains = self.domains
        if dying_after is not None:
            dying = Dying(self.database, self.hall, after=dying_after)
            domains = Domains(dying, dying, self.clock)
        create, who, content, different = domains.creating(name, self.goal_id, self.product_id)
        return await create(*who, **(content | different if other else content), **keys)

    async def count(self, name):
        """Return how many there are; of progress how much."""
        if name == "progress":
            return (await self.domains.diary.goals.get(ANN, self.goal_id))["current"]
        return await self.database[COLLECTIONS[name]].count_documents({})


@pytest.fixture
async def world(database, clock):
    made = World(database, Hall(), clock)
    await made.prepare()
    return made


@pytest.mark.parametrize("key", ["client_id", "operation_id"])
@pytest.mark.parametrize("name", NAMES)
async def test_a_thing_is_made_once_wherever_its_process_dies(world, name, key):
    """Killed after any write or event, a repeat under the key makes nothing twice."""
    one = 5 if name == "progress" else 1
    for dying_after in range(1, 40):
        before = await world.count(name)
        keys = {key: uuid4().hex}
        if name in ("channel", "product"):
            await world.database[COLLECTIONS[name]].delete_many({})
            await world.database["market_skus"].delete_many({})
            before = 0
        try:
            answer = await world.send(name, dying_after=dying_after, **keys)
        except Died:
            answer = None
        repeated = await world.send(name, **keys)
        assert await world.count(name) == before + one, dying_after
        assert await world.send(name, **keys) == repeated
        if answer is not None:
            assert answer == repeated
            break
    else:
        pytest.fail("it never came to its end")
    assert dying_after > 1


@pytest.mark.parametrize("name", NAMES)
async def test_other_content_under_a_key_is_refused_everywhere(world, name):
    """It is the one error `key_reused`, nothing is made or told; other accounts have own keys."""
    await world.send(name, client_id="k")
    count = await world.count(name)
    world.hall.take()
    with pytest.raises(Invalid) as caught:
        await world.send(name, other=True, client_id="k")
    assert caught.value.code == "key_reused"
    assert (await world.count(name), world.hall.take()) == (count, [])


@pytest.mark.parametrize("name", NAMES)
async def test_repeats_at_the_same_time_make_one_thing(world, name):
    """Ten at once under one key make one thing, and all are answered with it."""
    before = await world.count(name)
    answers = await asyncio.gather(*(world.send(name, client_id="k") for _ in range(10)))
    assert await world.count(name) == before + (5 if name == "progress" else 1)
    assert all(answer == answers[0] for answer in answers)


@pytest.mark.parametrize("name", NAMES)
async def test_without_a_key_each_is_a_thing_of_its_own(world, name):
    """What is sent twice without a key counts twice, where names do not forbid it."""
    await world.send(name)
    count = await world.count(name)
    if name in ("channel", "product"):
        with pytest.raises(Conflict):
            await world.send(name)
    else:
        await world.send(name)
        assert await world.count(name) > count


async def test_a_deleted_thing_is_not_made_again(world):
    """A late repeat of what was deleted since says so, and brings nothing back."""
    diary, stories = world.domains.diary, world.domains.stories
    for name, delete, code in [
        ("story", stories.delete, "story_not_found"),
        ("entry", diary.entries.delete, "entry_deleted"),
        ("task", diary.tasks.delete, "task_deleted"),
        ("goal", diary.goals.delete, "goal_deleted"),
    ]:
        made = await world.send(name, client_id="k")
        await delete(ANN, made["id"])
        world.hall.take()
        world.clock.move(timedelta(days=2))
        await diary.sweep()
        for _ in range(2):
            with pytest.raises(DomainError) as caught:
                await world.send(name, client_id="k")
            assert caught.value.code == code
        assert world.hall.take() == []


async def test_a_refused_operation_leaves_its_key_to_the_corrected_one(world):
    """A client that corrects what it sent needs no other key, and then holds it."""
    entries = world.domains.diary.entries
    tomorrow = (world.clock() + timedelta(days=2)).date()
    for _ in range(2):
        with pytest.raises(Invalid) as caught:
            await entries.create(ANN, text="x", date=tomorrow, client_id="k")
        assert set(caught.value.fields) == {"date"}
    made = await entries.create(ANN, text="x", client_id="k")
    assert await entries.create(ANN, text="x", client_id="k") == made
    with pytest.raises(Invalid) as caught:
        await entries.create(ANN, text="x", date=tomorrow, client_id="k")
    assert caught.value.code == "key_reused"


async def test_keys_hold_within_account_and_operation(world):
    """One key for two operations, or of two accounts, names two things."""
    entry = await world.send("entry", client_id="k")
    task = await world.send("task", client_id="k")
    bens = await world.domains.diary.entries.create(BEN, text="x", client_id="k")
    assert len({entry["id"], task["id"], bens["id"]}) == 3
    world.clock.move(CLAIMS_KEPT)
    assert (await world.send("entry", client_id="k"))["id"] != entry["id"]


async def test_a_key_is_in_flight_as_long_as_its_process_lives(database, clock):
    """It ends when the process stops or is silent, at once for its successor; one takes over."""
    seconds = 0.0
    first, watcher = (
        Processes(database, name, monotonic=lambda: seconds) for name in ("one", "two")
    )
    await first.start()
    await watcher.start()
    holder, keys = (
        Idempotency(database, processes=process, clock=clock) for process in (first, watcher)
    )
    held = await holder.begin("1", "k", "print")

    async def in_flight():
        with pytest.raises(Conflict) as caught:
            await keys.begin("1", "k", "print")
        assert caught.value.code == "idempotency_in_flight"

    for _ in range(3):  # alive, whatever time has passed, also on other machines' clocks
        await in_flight()
        seconds += SILENCE_S
        clock.move(timedelta(minutes=5))
        await first.beat()
    await in_flight()
    seconds += SILENCE_S / 2
    await in_flight()
    first._beating.cancel()  # as SIGKILL does it
    seconds += SILENCE_S / 2
    begun = await asyncio.gather(
        *(keys.begin("1", "k", "print") for _ in range(5)), return_exceptions=True
    )
    (second,) = [attempt for attempt in begun if isinstance(attempt, Attempt)]
    assert second.operation_id == held.operation_id
    await holder.keep(held, Answer(500, "late", "text/plain"))
    await keys.keep(second, Answer(201, "{}", "application/json"))
    assert (await keys.begin("1", "k", "print")).status == 201
    # A successor of the same name, and an orderly stop, need no time at all.
    third = Processes(database, "three", monotonic=lambda: seconds)
    for end in ("succeeded", "stopped"):
        await third.start()
        await Idempotency(database, processes=third, clock=clock).begin("1", end, "print")
        if end == "stopped":
            await third.stop()
        else:
            third._beating.cancel()
            successor = Processes(database, "three")
            await successor.start()
            await successor.stop()
        assert isinstance(await keys.begin("1", end, "print"), Attempt)
    await watcher.stop()
