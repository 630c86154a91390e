"""Changes that name the version that they are of: of two made at once, one is refused."""

import asyncio

import pytest

from models.diary.entries.operations import Entries
from models.diary.goals.operations import Goals
from models.diary.tasks.operations import Tasks
from models.diary.zones import Zones
from models.errors import NotFound, PreconditionFailed
from tests.diary_world import ANN, People, friends
from tests.stories_world import RecordingPublisher

NEW = {
    "entry": ({"text": "old"}, {"text": "new"}),
    "task": ({"title": "old"}, {"title": "new"}),
    "goal": ({"title": "old", "kind": "number", "target": 3}, {"title": "new"}),
}
"""What things are made of, and a change of each."""


@pytest.fixture
def publisher():
    return RecordingPublisher()


@pytest.fixture
def parts(database, publisher, clock):
    find = People().find
    zones = Zones(find, clock)
    return {
        "entry": Entries(database, publisher, zones, clock),
        "task": Tasks(database, publisher, zones, clock),
        "goal": Goals(database, publisher, friends(find), find, clock),
    }


@pytest.fixture(params=NEW)
async def thing(request, parts, publisher):
    """A part of the diary, a thing of it in its second version, and a change of the thing."""
    part, (made, change) = parts[request.param], NEW[request.param]
    await part.prepare()
    one = await part.create(ANN, **made)
    one = await part.update(ANN, one["id"], **dict.fromkeys(change, "older"))
    publisher.take()
    return part, one["id"], change


def names(publisher):
    return [event.name.partition(".")[2] for event, _ in publisher.published]


async def refused(work):
    with pytest.raises(PreconditionFailed) as caught:
        await work
    assert caught.value.code == "version_conflict"


async def test_another_version_is_refused(thing, publisher):
    """An earlier or a later version changes nothing and tells nobody; the present one does."""
    part, thing_id, change = thing
    before = await part.get(ANN, thing_id)
    for version in (1, 3):
        await refused(part.update(ANN, thing_id, if_version=version, **change))
        await refused(part.delete(ANN, thing_id, if_version=version))
    assert await part.get(ANN, thing_id) == before
    assert names(publisher) == []
    changed = await part.update(ANN, thing_id, if_version=2, **change)
    assert changed["version"] == 3
    await refused(part.delete(ANN, thing_id, if_version=2))
    await part.delete(ANN, thing_id, if_version=3)
    assert names(publisher) == ["updated", "deleted"]
    with pytest.raises(NotFound):
        await part.update(ANN, thing_id, if_version=4, **change)


async def test_a_change_that_changes_nothing_is_refused_as_well(thing):
    """Who names another version has seen something else, whatever is wanted."""
    part, thing_id, change = thing
    await refused(part.update(ANN, thing_id, if_version=1, **dict.fromkeys(change, "older")))


async def test_of_two_at_once_one_is_refused(thing, publisher):
    """Both have seen one version; the other has to look again."""
    part, thing_id, change = thing
    wanted = [{name: f"{value} {n}" for name, value in change.items()} for n in range(5)]
    made = await asyncio.gather(
        *(part.update(ANN, thing_id, if_version=2, **each) for each in wanted),
        return_exceptions=True,
    )
    [done] = [each for each in made if isinstance(each, dict)]
    assert [type(each) for each in made if each is not done] == [PreconditionFailed] * 4
    assert await part.get(ANN, thing_id) == done
    assert names(publisher) == ["updated"]


async def test_of_a_change_and_a_deletion_at_once_one_is_refused(thing):
    """A thing that was changed is not deleted by who has not seen that."""
    part, thing_id, change = thing
    made = await asyncio.gather(
        part.delete(ANN, thing_id, if_version=2),
        part.update(ANN, thing_id, if_version=2, **change),
        return_exceptions=True,
    )
    failed = [each for each in made if isinstance(each, Exception)]
    assert [type(each) for each in failed] in ([PreconditionFailed], [NotFound])
