"""Motivation as users meet it: asked for, answered, told, kept, forgotten."""

import asyncio
from datetime import timedelta

import pytest

from models.collections import retention_of
from models.diary.motivation.operations import Motivation
from models.diary.motivation.port import GeneratorFailed, Progress, Prompt
from models.errors import NotFound, TooManyRequests
from models.pages import Position
from models.rooms import user_room
from models.times import to_text
from tests.diary_world import ANN, BEN, People
from tests.stories_world import RecordingPublisher, person

FEATURE = "Working on a difficult feature"
NOBODY = person("100")
RUN = Progress(3, 5, "steps", "Run 10 km")


class Model:
    """A generator that answers as it is told to, and keeps what it was asked."""

    def __init__(self) -> None:
        self.asked: list[Prompt] = []
        self.texts: list[str] = []
        self.error: Exception = GeneratorFailed("no text")

    async def __call__(self, prompt: Prompt) -> str:
        self.asked.append(prompt)
        if self.texts:
            return self.texts.pop(0)
        raise self.error


class Goals:
    """The progress of each account."""

    def __init__(self) -> None:
        self.progress: dict[str, Progress] = {}

    async def line(self, account_id: str) -> Progress | None:
        return self.progress.get(account_id)


@pytest.fixture
def people():
    return People()


@pytest.fixture
def goals():
    return Goals()


@pytest.fixture
def publisher():
    return RecordingPublisher()


@pytest.fixture
def model():
    return Model()


@pytest.fixture
def build(database, publisher, people, goals, clock):
    """Build motivation on the database, as each process does."""

    def made(generator=None, *, per_minute=1_000):
        return Motivation(
            database,
            publisher,
            find_account=people.find,
            progress_of=goals.line,
            generator=generator,
            per_minute=per_minute,
            clock=clock,
        )

    return made


@pytest.fixture
async def motivation(build):
    made = build()
    await made.prepare()
    return made


async def test_an_answer(motivation, publisher, clock):
    """The documented fields come back as they were sent, and the user's devices are told."""
    answer = await motivation.request(ANN, current_challenge=FEATURE, stress_level=7)
    text = answer["motivation_text"]
    assert f"“{FEATURE}”" in text
    assert answer == {
        "id": answer["id"],
        "user_id": "1",
        "motivation_text": text,
        "current_challenge": FEATURE,
        "stress_level": 7,
        "source": "catalogue",
        "created_at": to_text(clock()),
    }
    assert publisher.take("motivation_generated") == [(answer, (user_room("1"),))]
    assert (await motivation.list(ANN))["items"] == [answer]


async def test_the_challenge_comes_back_as_it_was_sent(motivation):
    """Breaks and braces are the user's; in the text they are folded, and never filled in."""
    sent = "  {challenge}\n{why} %s \x00 "
    answer = await motivation.request(ANN, current_challenge=sent)
    assert answer["current_challenge"] == sent
    assert answer["stress_level"] == 5
    assert "“{challenge} {why} %s”" in answer["motivation_text"]
    assert answer["motivation_text"].isprintable()


async def test_the_language_of_the_account(motivation, people):
    """Whoever speaks Vietnamese is answered in it; a language without a catalogue in English."""
    people.settle("1", language="vi")
    people.settle("2", language="fi")
    vietnamese = await motivation.request(ANN, current_challenge="Ôn thi")
    assert "bạn hãy" in vietnamese["motivation_text"]
    english = await motivation.request(BEN, current_challenge="Ôn thi")
    assert "bạn hãy" not in english["motivation_text"]


async def test_own_progress(motivation, goals):
    """The user's progress is told, and nobody else's."""
    goals.progress["1"] = RUN
    mine = await motivation.request(ANN, current_challenge=FEATURE)
    assert "3 of 5 steps of 'Run 10 km' done" in mine["motivation_text"]
    assert "Run 10 km" not in (await motivation.request(BEN))["motivation_text"]


async def test_nothing_comes_twice(build, clock):
    """Asked in turn by two processes, after a restart too, about all and nothing: all different."""
    texts = []
    for _ in range(4):
        for process in (build(), build()):
            for challenge in (FEATURE, "", "My dog died"):
                answer = await process.request(ANN, current_challenge=challenge, stress_level=8)
                texts.append(answer["motivation_text"])
        clock.move(timedelta(days=1))
    assert len(set(texts)) == len(texts) == 24


async def test_two_devices_at_once(build):
    """Devices that ask at the same moment, of two processes, get different texts."""
    first, second = build(), build()
    answers = await asyncio.gather(
        *(process.request(ANN, current_challenge=FEATURE) for process in (first, second) * 5)
    )
    bodies = {answer["motivation_text"].split("”", 1)[1] for answer in answers}
    assert len(bodies) == len(answers)
    assert len((await first.list(ANN))["items"]) == len(answers)


async def test_the_limit(build):
    """So many a minute for each user, whatever others do; a refused one leaves nothing."""
    motivation = build(per_minute=2)
    for _ in range(2):
        await motivation.request(ANN)
    with pytest.raises(TooManyRequests) as refused:
        await motivation.request(ANN)
    assert 0 < refused.value.retry_after_s <= 60
    await motivation.request(BEN)
    assert len((await motivation.list(ANN))["items"]) == 2


async def test_nobody(motivation):
    """An account that does not exist gets nothing."""
    with pytest.raises(NotFound) as refused:
        await motivation.request(NOBODY)
    assert refused.value.code == "account_not_found"


async def test_what_a_generator_learns(build, model, people, goals):
    """Challenge, level and language on one line; not even the progress that is told after."""
    people.settle("1", language="vi")
    goals.progress["1"] = RUN
    model.texts = ["Hít một hơi thật sâu."]
    answer = await build(model).request(ANN, current_challenge=" a\n\x00b ", stress_level=3)
    assert model.asked == [Prompt("a b", 3, "vi")]
    assert answer["source"] == "llm"
    text = answer["motivation_text"]
    assert text.startswith("Hít một hơi thật sâu. ")
    assert "đã xong 3/5 bước của 'Run 10 km'" in text


async def test_a_generated_text_at_the_limit(build, model):
    """From 9 on where help is comes from the catalogue, whatever a generator says."""
    model.texts = ["Breathe.", "Breathe slowly."]
    motivation = build(model)
    high = await motivation.request(ANN, current_challenge=FEATURE, stress_level=9)
    assert "help line" in high["motivation_text"]
    low = await motivation.request(ANN, current_challenge=FEATURE, stress_level=8)
    assert low["motivation_text"] == "Breathe slowly."


async def test_words_of_danger_stay_here(build, model):
    """Who speaks of suicide is answered from the catalogue, at whatever level."""
    model.texts = ["Cheer up!"]
    answer = await build(model).request(ANN, current_challenge="I want to die", stress_level=1)
    assert model.asked == []
    assert answer["source"] == "catalogue"


@pytest.mark.parametrize("error", [GeneratorFailed("away"), RuntimeError(FEATURE)])
async def test_a_generator_that_fails(build, model, caplog, error):
    """The catalogue answers, and no log tells what was asked."""
    model.error = error
    answer = await build(model).request(ANN, current_challenge=FEATURE)
    assert answer["source"] == "catalogue"
    assert f"“{FEATURE}”" in answer["motivation_text"]
    assert FEATURE not in caplog.text


async def test_a_generator_that_repeats_itself(build, model):
    """What a user has seen, in whatever spelling, is not shown again: the catalogue answers."""
    model.texts = ["Keep going!", "keep  GOING!", "Keep going!"]
    motivation = build(model)
    sources = [(await motivation.request(user))["source"] for user in (ANN, ANN, BEN)]
    assert sources == ["llm", "catalogue", "llm"]


async def test_pages(motivation, clock):
    """Earlier ones come newest first, page by page, and only one's own."""
    given = []
    for _ in range(5):
        given.append(await motivation.request(ANN, current_challenge=FEATURE))
        clock.move(timedelta(seconds=1))
    await motivation.request(BEN)
    seen, after = [], None
    for size in (2, 2, 1):
        page = await motivation.list(ANN, after=after, limit=2)
        assert len(page["items"]) == size
        seen += page["items"]
        after = Position.from_text(page["next"]) if page["next"] else None
    assert after is None
    assert seen == given[::-1]
    assert [one async for one in motivation.export("1")] == seen


async def test_deleting_all(motivation, database):
    """Nothing of an account is left, and what others have stays."""
    await motivation.request(ANN, current_challenge=FEATURE)
    kept = await motivation.request(BEN, current_challenge=FEATURE)
    await motivation.delete_all("1")
    assert [one async for one in motivation.export("1")] == []
    assert [one async for one in motivation.export("2")] == [kept]
    memories = await database["diary_motivation_memories"].find({}).to_list(None)
    assert [memory["_id"] for memory in memories] == ["2"]


async def test_forgetting(motivation, database, clock):
    """After eight weeks a motivation is gone, and what was seen by those who asked no more."""
    await motivation.request(BEN)
    clock.move(timedelta(weeks=7))
    recent = await motivation.request(ANN)
    clock.move(retention_of("diary_motivations").duration - timedelta(weeks=7))
    await motivation.forget_old()
    assert [one async for one in motivation.export("2")] == []
    assert [one async for one in motivation.export("1")] == [recent]
    memories = await database["diary_motivation_memories"].find({}).to_list(None)
    assert [memory["_id"] for memory in memories] == ["1"]
