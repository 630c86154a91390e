"""Paging: pages together are exactly what the reader may see, in order."""

import random
from datetime import timedelta
from functools import partial

import pytest

from models.pages import Position
from models.stories.operations import Stories
from tests.stories_world import (
    AUTHOR,
    FRIEND,
    LIFETIME,
    OUTSIDER,
    PUBLIC_STORY,
    RecordingPublisher,
    person,
)

ACCOUNTS = [person(str(number)) for number in range(1, 6)]
# No step, the same millisecond; others cross each window that the feed looks through.
STEPS = [timedelta(milliseconds=ms) for ms in (0, 0, 0, 1, 20_000, 300_000, 1_800_000, 9_000_000)]


@pytest.fixture
async def stories(database, clock):
    made = Stories(database, RecordingPublisher(), lifetime=LIFETIME, clock=clock)
    await made.prepare()
    return made


async def publish_one(stories, dice):
    author = dice.choice(ACCOUNTS)
    public = dice.random() < 0.4
    audience = (
        [] if public else [who.account_id for who in dice.sample(ACCOUNTS, dice.randint(0, 3))]
    )
    return await stories.create(
        author,
        text="x",
        visibility="PUBLIC" if public else "PRIVATE",
        audience_user_ids=audience,
    )


def may_see(reader, story):
    """The rule in its plainest form, to compare with."""
    return (
        story["visibility"] == "PUBLIC"
        or story["author_id"] == reader.account_id
        or reader.account_id in story["audience_user_ids"]
    )


def order(story):
    return (story["created_at"], story["id"])


async def pages(read, limit, between=None):
    """Follow `next` to the end; returns all items."""
    items, after = [], None
    while True:
        page = await read(after=after, limit=limit)
        assert len(page["items"]) <= limit
        items += page["items"]
        if page["next"] is None:
            return items
        assert len(page["items"]) == limit
        after = Position.from_text(page["next"])
        if between:
            await between()


@pytest.mark.parametrize("seed", range(4))
async def test_pages_are_what_the_reader_may_see(stories, clock, seed):
    """For each reader and page size the pages together are the living readable stories in order."""
    dice = random.Random(seed)
    made = []
    for _ in range(40):
        clock.move(dice.choice(STEPS))
        made.append((clock(), await publish_one(stories, dice)))
    alive = [story for at, story in made if at + LIFETIME > clock()]
    for reader in (*ACCOUNTS, OUTSIDER):
        expected = sorted(
            (story for story in alive if may_see(reader, story)), key=order, reverse=True
        )
        for limit in (dice.randint(1, 4), len(expected) or 1, 100):
            items = await pages(partial(stories.feed, reader), limit)
            assert [item["id"] for item in items] == [story["id"] for story in expected]


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("step", [timedelta(0), timedelta(milliseconds=1)], ids=["tie", "later"])
async def test_stories_created_meanwhile_disturb_no_page(stories, clock, seed, step):
    """What stood there before the first page is shown once and in order while others arrive."""
    dice = random.Random(seed)
    made = []
    for _ in range(20):
        clock.move(dice.choice(STEPS[:6]))
        made.append(await publish_one(stories, dice))
    reader = ACCOUNTS[seed % len(ACCOUNTS)]
    before = {story["id"] for story in made if may_see(reader, story)}

    async def meanwhile():
        clock.move(step)
        made.extend([await publish_one(stories, dice) for _ in range(2)])

    items = await pages(partial(stories.feed, reader), 3, meanwhile)
    ids = [item["id"] for item in items]
    assert before <= set(ids) <= {story["id"] for story in made if may_see(reader, story)}
    assert len(set(ids)) == len(ids)
    assert [order(item) for item in items] == sorted(map(order, items), reverse=True)


async def test_a_page_goes_on_after_its_last_story_is_deleted(stories, clock):
    """A cursor stays good when the story it points at is gone."""
    ids = []
    for _ in range(5):
        ids.append((await stories.create(AUTHOR, **PUBLIC_STORY))["id"])
        clock.move(timedelta(seconds=1))
    first = await stories.feed(FRIEND, limit=2)
    await stories.delete(AUTHOR, first["items"][-1]["id"])
    rest = await stories.feed(FRIEND, after=Position.from_text(first["next"]), limit=10)
    assert [item["id"] for item in rest["items"]] == ids[2::-1]


async def test_a_cursor_of_someone_else_opens_nothing(stories):
    """A cursor says where, not who: another reader's shows only what one may see oneself."""
    for _ in range(4):
        await stories.create(AUTHOR, text="x", visibility="PRIVATE", audience_user_ids=["2"])
    friends = await stories.feed(FRIEND, limit=1)
    page = await stories.feed(OUTSIDER, after=Position.from_text(friends["next"]))
    assert page == {"items": [], "next": None}


async def test_a_story_from_a_clock_ahead_is_shown(stories, clock):
    """A story written by a process whose clock is ahead is on the first page, and first."""
    clock.move(timedelta(seconds=5))
    ahead = await stories.create(AUTHOR, **PUBLIC_STORY)
    clock.move(-timedelta(seconds=5))
    behind = await stories.create(AUTHOR, **PUBLIC_STORY)
    items = await pages(partial(stories.feed, FRIEND), 1)
    assert [item["id"] for item in items] == [ahead["id"], behind["id"]]


@pytest.mark.parametrize("limit", [1, 2, 7, 100])
async def test_lists_of_views_and_reactions_page_alike(stories, clock, limit):
    """Viewers and reactions are listed latest first, each once, whatever the page size."""
    story_id = (await stories.create(AUTHOR, **PUBLIC_STORY))["id"]
    readers = [str(number) for number in range(20, 33)]
    for count, reader in enumerate(readers):
        await stories.view(person(reader), story_id)
        await stories.react(person(reader), story_id, emoji="🔥")
        # Some share a millisecond; then the account id decides.
        clock.move(timedelta(milliseconds=count % 3 // 2))
    views = await pages(partial(stories.viewers, AUTHOR, story_id), limit)
    reactions = await pages(partial(stories.reactions, AUTHOR, story_id), limit)
    assert [view["viewer_id"] for view in views] == readers[::-1]
    assert [reaction["user_id"] for reaction in reactions] == readers[::-1]
