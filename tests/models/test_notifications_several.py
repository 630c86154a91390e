"""Several notifications at once: in order, each once, whatever interrupts them."""

import asyncio

import pytest

from models.notifications.port import Notice
from tests.notifications_world import BUYER, MATCHED, SHIPPED, Cut, CutDatabase, build, everything
from tests.stories_world import RecordingPublisher

NOTICES = [Notice(**MATCHED, key="match:1"), Notice(**SHIPPED, key="order:1")]
TYPES = [notice.type for notice in NOTICES]


@pytest.fixture
def publisher():
    return RecordingPublisher()


@pytest.fixture
async def notifications(database, publisher, clock):
    made = build(database, publisher, clock)
    await made.prepare()
    return made


def told(publisher):
    return [data for data, _ in publisher.take("notification")]


async def test_each_is_told_as_if_it_came_alone(notifications, publisher):
    """Ids, counts and revisions go up one by one; a repeat tells nothing."""
    for _ in range(2):
        await notifications.several("1", NOTICES)
    first, second = told(publisher)
    assert [first["type"], second["type"]] == TYPES
    assert (first["id"], first["unread"], first["revision"]) == (1, 1, 1)
    assert (second["id"], second["unread"], second["revision"]) == (2, 2, 2)


async def test_those_that_are_new_are_told(notifications, publisher):
    """Of several of which one was told before, the other one is."""
    await notifications("1", **SHIPPED, key="order:1")
    await notifications.several("1", NOTICES)
    assert [(data["id"], data["type"]) for data in told(publisher)] == [
        (1, SHIPPED["type"]),
        (2, MATCHED["type"]),
    ]


async def test_a_muted_one_is_passed_over(notifications, publisher):
    """A type that the user does not want is stored as read, and the other one told."""
    await notifications("1", **MATCHED, key="before")
    publisher.take()
    preferences = await notifications.inbox.preferences(BUYER)
    await notifications.inbox.prefer(BUYER, preferences | {MATCHED["type"]: False})
    await notifications.several("1", NOTICES)
    (shipped,) = told(publisher)
    assert (shipped["id"], shipped["unread"], shipped["revision"]) == (3, 2, 3)


async def test_a_process_that_dies_leaves_them_to_the_next(database, publisher, clock):
    """Killed before any of its writes, it has told nothing twice, and its repeat tells the rest."""
    for writes in range(20):
        account_id = str(writes + 1)
        dying = build(CutDatabase(database, writes), publisher, clock)
        try:
            await dying.several(account_id, NOTICES)
        except Cut:
            await build(database, publisher, clock).several(account_id, NOTICES)
            assert [data["type"] for data in told(publisher)] == TYPES
        else:
            assert writes == 6
            break
    else:
        pytest.fail("it never came to an end")


async def test_writers_at_the_same_time(database, notifications, publisher, clock):
    """Two processes that tell one account many things lose none and tell each once."""
    other = build(database, publisher, clock)

    async def write(each, name):
        for n in range(8):
            await each.several(
                "1", [Notice(**MATCHED, key=f"{name}:{n}"), Notice(**SHIPPED, key=f"{name}:{n}")]
            )

    await asyncio.gather(write(notifications, "a"), write(other, "b"), write(other, "b"))
    assert sorted(item["id"] for item in await everything(notifications)) == [*range(1, 33)]
    assert sorted(data["id"] for data in told(publisher)) == [*range(1, 33)]
