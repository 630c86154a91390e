"""The rules of stories, on the store that is open."""

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest

from models.errors import Forbidden, NotFound
from models.rooms import public_stories_room, user_room
from models.stories.operations import Stories
from models.times import to_text
from tests.stories_world import (
    AUTHOR,
    FRIEND,
    FRIENDS_STORY,
    LIFETIME,
    MISSING_ID,
    OTHER_FRIEND,
    OUTSIDER,
    PUBLIC_STORY,
    RecordingPublisher,
    person,
)

MILLISECOND = timedelta(milliseconds=1)


@pytest.fixture
def publisher():
    return RecordingPublisher()


@pytest.fixture
async def stories(database, publisher, clock):
    made = Stories(database, publisher, lifetime=LIFETIME, clock=clock)
    await made.prepare()
    return made


def shown_as(account_id, name=None):
    return {"id": account_id, "public_id": account_id, "name": name}


async def parts_left(database):
    return {
        name: await database[name].count_documents({})
        for name in ("stories", "story_views", "story_reactions")
    }


async def test_a_new_story_has_its_day(stories, clock):
    """A created story is read back by its author, with its times and empty counts."""
    story = await stories.create(AUTHOR, **FRIENDS_STORY)
    assert story == {
        "id": story["id"],
        "version": 1,
        "author_id": "1",
        "author": shown_as("1"),
        "text": "psst",
        "visibility": "PRIVATE",
        "audience_user_ids": ["2", "3"],
        "created_at": "2026-03-01T12:00:00.000Z",
        "expires_at": "2026-03-02T12:00:00.000Z",
        "view_count": 0,
        "reaction_count": 0,
        "my_reaction": None,
    }
    assert await stories.get(AUTHOR, story["id"]) == story


async def test_the_audience_and_counts_are_the_authors_business(stories):
    """A reader sees the story without its audience and counts, alone and in the feed."""
    story_id = (await stories.create(AUTHOR, **FRIENDS_STORY))["id"]
    seen = await stories.get(FRIEND, story_id)
    shown = {"id", "version", "author_id", "author", "text", "visibility", "created_at"}
    shown |= {"expires_at"}
    assert set(seen) == {*shown, "viewed", "my_reaction"}
    assert (await stories.feed(FRIEND))["items"] == [seen]


async def test_a_reader_sees_what_the_reader_did(stories):
    """A story says to each reader whether the view was counted, and the reader's own reaction."""
    story_id = (await stories.create(AUTHOR, **PUBLIC_STORY))["id"]
    await stories.view(FRIEND, story_id)
    await stories.react(FRIEND, story_id, emoji="🔥")
    for reader, viewed, emoji in ((FRIEND, True, "🔥"), (OTHER_FRIEND, False, None)):
        seen = await stories.get(reader, story_id)
        assert (seen["viewed"], seen["my_reaction"]) == (viewed, emoji)
    await stories.react(AUTHOR, story_id, emoji="👏")
    assert (await stories.get(AUTHOR, story_id))["my_reaction"] == "👏"


async def test_people_are_shown_by_name(database, publisher, clock):
    """Events and lists say who wrote, saw and liked a story; an event has what lists have."""

    async def people(account_ids):
        ids = list(account_ids)
        return {each: {"id": each, "public_id": each, "name": f"Name {each}"} for each in ids}

    stories = Stories(database, publisher, lifetime=LIFETIME, people=people, clock=clock)
    author, friend = [replace(who, name=f"Name {who.account_id}") for who in (AUTHOR, FRIEND)]
    story = await stories.create(author, **PUBLIC_STORY)
    ((told, _),) = publisher.take("story.created")
    assert told == (await stories.feed(friend))["items"][0] | {"story_id": story["id"]}
    assert told["author"] == shown_as("1", "Name 1")
    await stories.view(friend, story["id"])
    await stories.react(friend, story["id"], emoji="🔥")
    (viewed, _), (reacted, _) = publisher.take()
    assert (await stories.viewers(author, story["id"]))["items"] == [viewed]
    assert (await stories.reactions(author, story["id"]))["items"] == [reacted]
    assert viewed["viewer"] == reacted["user"] == shown_as("2", "Name 2")


async def test_a_public_story_is_told_to_everyone(stories, publisher):
    """story.created and story.deleted of a public story go to the public room."""
    story = await stories.create(AUTHOR, **PUBLIC_STORY)
    await stories.delete(AUTHOR, story["id"])
    created, deleted = publisher.published
    assert created[0].name == "story.created"
    assert created[0].data() == {
        "id": story["id"],
        "story_id": story["id"],
        "author_id": "1",
        "author": shown_as("1"),
        "text": "hello",
        "visibility": "PUBLIC",
        "created_at": story["created_at"],
        "expires_at": story["expires_at"],
        "version": 1,
        "my_reaction": None,
        "viewed": False,
    }
    assert created[1] == (public_stories_room(),)
    assert deleted[0].name == "story.deleted"
    assert deleted[0].data() == {"story_id": story["id"], "author_id": "1", "version": 2}
    assert deleted[1] == (public_stories_room(),)


async def test_a_private_story_is_told_to_its_readers_only(stories, publisher):
    """story.created and story.deleted of a private story go to author and audience, once each."""
    audience = {"text": "psst", "visibility": "PRIVATE", "audience_user_ids": ["1", "2", "3"]}
    story = await stories.create(AUTHOR, **audience)
    await stories.delete(AUTHOR, story["id"])
    rooms = (user_room("1"), user_room("2"), user_room("3"))
    assert [told for _, told in publisher.published] == [rooms, rooms]


async def test_the_first_view_counts_and_tells_the_author(stories, publisher, clock):
    """A first view is counted and told; a repeat is quiet and gives the same answer."""
    story_id = (await stories.create(AUTHOR, **PUBLIC_STORY))["id"]
    publisher.take()
    clock.move(timedelta(minutes=5))
    first = await stories.view(FRIEND, story_id)
    assert first == {
        "story_id": story_id,
        "viewer_id": "2",
        "viewer": shown_as("2"),
        "viewed_at": "2026-03-01T12:05:00.000Z",
    }
    assert publisher.take("story.viewed") == [(first, (user_room("1"),))]
    clock.move(timedelta(minutes=5))
    assert await stories.view(FRIEND, story_id) == first
    assert publisher.take() == []
    assert (await stories.get(AUTHOR, story_id))["view_count"] == 1


async def test_own_views_and_reactions_tell_nobody(stories, publisher):
    """An own view is not counted, an own reaction is kept; neither is told."""
    story_id = (await stories.create(AUTHOR, **PUBLIC_STORY))["id"]
    publisher.take()
    viewed = await stories.view(AUTHOR, story_id)
    reacted = await stories.react(AUTHOR, story_id, emoji="🎉")
    assert (viewed["viewer_id"], viewed["viewed_at"]) == ("1", None)
    assert reacted["emoji"] == "🎉"
    assert publisher.take() == []
    story = await stories.get(AUTHOR, story_id)
    assert (story["view_count"], story["reaction_count"]) == (0, 1)


async def test_a_reaction_replaces_the_former_one(stories, publisher, clock):
    """Another emoji replaces and is told, the same again is quiet and answers as before."""
    story_id = (await stories.create(AUTHOR, **PUBLIC_STORY))["id"]
    publisher.take()
    heart = await stories.react(FRIEND, story_id, emoji="❤️")
    clock.move(MILLISECOND)
    fire = await stories.react(FRIEND, story_id, emoji="🔥")
    clock.move(MILLISECOND)
    assert await stories.react(FRIEND, story_id, emoji="🔥") == fire
    assert fire == {
        "story_id": story_id,
        "user_id": "2",
        "user": shown_as("2"),
        "emoji": "🔥",
        "reacted_at": "2026-03-01T12:00:00.001Z",
    }
    author = (user_room("1"),)
    assert publisher.take("story.reacted") == [(heart, author), (fire, author)]
    assert await stories.reactions(AUTHOR, story_id) == {"items": [fire], "next": None}


async def test_a_reaction_can_be_taken_back(stories, publisher):
    """Taking a reaction back is told once; reacting again afterwards is news."""
    story_id = (await stories.create(AUTHOR, **PUBLIC_STORY))["id"]
    await stories.react(FRIEND, story_id, emoji="🔥")
    await stories.react(OTHER_FRIEND, story_id, emoji="🔥")
    publisher.take()
    await stories.unreact(FRIEND, story_id)
    await stories.unreact(FRIEND, story_id)
    assert publisher.take() == [({"story_id": story_id, "user_id": "2"}, (user_room("1"),))]
    left = await stories.reactions(AUTHOR, story_id)
    assert [reaction["user_id"] for reaction in left["items"]] == ["3"]
    await stories.react(FRIEND, story_id, emoji="🔥")
    assert len(publisher.take("story.reacted")) == 1


CALLS = {
    "get": lambda stories, who, story_id: stories.get(who, story_id),
    "delete": lambda stories, who, story_id: stories.delete(who, story_id),
    "view": lambda stories, who, story_id: stories.view(who, story_id),
    "react": lambda stories, who, story_id: stories.react(who, story_id, emoji="🔥"),
    "unreact": lambda stories, who, story_id: stories.unreact(who, story_id),
    "viewers": lambda stories, who, story_id: stories.viewers(who, story_id),
    "reactions": lambda stories, who, story_id: stories.reactions(who, story_id),
}


@pytest.mark.parametrize("call", CALLS)
async def test_outsiders_find_nothing(stories, publisher, database, call):
    """Outside the audience a story does not exist, and nothing is written or told."""
    story_id = (await stories.create(AUTHOR, **FRIENDS_STORY))["id"]
    publisher.take()
    with pytest.raises(NotFound) as outside:
        await CALLS[call](stories, OUTSIDER, story_id)
    with pytest.raises(NotFound) as missing:
        await CALLS[call](stories, OUTSIDER, MISSING_ID)
    # Nothing in the answer tells the hidden story from one that never was.
    assert vars(outside.value) == vars(missing.value)
    assert publisher.take() == []
    assert await parts_left(database) == {"stories": 1, "story_views": 0, "story_reactions": 0}


@pytest.mark.parametrize("call", CALLS)
async def test_a_malformed_id_is_not_found(stories, call):
    """An id that no story can have is a story that does not exist."""
    for story_id in ("", "1", "*", "\ud800", f"{MISSING_ID} ", "A" * 9999):
        with pytest.raises(NotFound):
            await CALLS[call](stories, AUTHOR, story_id)


@pytest.mark.parametrize("call", ["delete", "viewers", "reactions"])
@pytest.mark.parametrize("content", [PUBLIC_STORY, FRIENDS_STORY], ids=["public", "private"])
async def test_readers_are_not_authors(stories, call, content):
    """Who may see a story and did not write it may not delete it or see its lists."""
    story = await stories.create(AUTHOR, **content)
    with pytest.raises(Forbidden):
        await CALLS[call](stories, FRIEND, story["id"])
    assert await stories.get(AUTHOR, story["id"]) == story


@pytest.mark.parametrize("call", CALLS)
async def test_a_story_is_gone_when_its_day_is_over(stories, publisher, clock, call):
    """Up to a millisecond before expiry it can be read; at expiry nobody finds it."""
    story_id = (await stories.create(AUTHOR, **PUBLIC_STORY))["id"]
    clock.move(LIFETIME - MILLISECOND)
    assert (await stories.get(FRIEND, story_id))["id"] == story_id
    assert len((await stories.feed(FRIEND))["items"]) == 1
    publisher.take()
    clock.move(MILLISECOND)
    for who in (AUTHOR, FRIEND):
        with pytest.raises(NotFound):
            await CALLS[call](stories, who, story_id)
        assert await stories.feed(who) == {"items": [], "next": None}
    assert publisher.take() == []


async def test_purging_removes_all_parts_of_what_expired(stories, database, publisher, clock):
    """A purge removes expired stories with views and reactions, keeps the rest, tells nobody."""
    for _ in range(2):
        story_id = (await stories.create(AUTHOR, **PUBLIC_STORY))["id"]
        for who in (FRIEND, OTHER_FRIEND):
            await stories.view(who, story_id)
            await stories.react(who, story_id, emoji="🔥")
        clock.move(LIFETIME - MILLISECOND)
    clock.move(-(LIFETIME - MILLISECOND))
    publisher.take()
    assert await stories.sweep() == 0
    clock.move(MILLISECOND)
    assert await stories.sweep() == 1
    assert await stories.sweep() == 0
    assert await parts_left(database) == {"stories": 1, "story_views": 2, "story_reactions": 2}
    assert (await stories.get(AUTHOR, story_id))["view_count"] == 2
    assert publisher.take() == []


async def test_deleting_removes_all_parts(stories, database):
    """A deleted story takes its views and reactions along and leaves other stories' alone."""
    ids = [(await stories.create(AUTHOR, **PUBLIC_STORY))["id"] for _ in range(2)]
    for story_id in ids:
        await stories.view(FRIEND, story_id)
        await stories.react(FRIEND, story_id, emoji="🔥")
    await stories.delete(AUTHOR, ids[0])
    assert await parts_left(database) == {"stories": 1, "story_views": 1, "story_reactions": 1}
    with pytest.raises(NotFound):
        await stories.get(FRIEND, ids[0])


async def test_a_story_is_deleted_once(stories, publisher):
    """Of many deletes at once one succeeds and is told; the others find nothing."""
    story_id = (await stories.create(AUTHOR, **PUBLIC_STORY))["id"]
    publisher.take()
    results = await asyncio.gather(
        *(stories.delete(AUTHOR, story_id) for _ in range(20)), return_exceptions=True
    )
    assert results.count(None) == 1
    assert sum(isinstance(result, NotFound) for result in results) == 19
    assert len(publisher.take("story.deleted")) == 1


async def test_a_hundred_viewers_at_once(stories, publisher):
    """100 viewers at once make exactly 100 views, each told once."""
    story_id = (await stories.create(AUTHOR, **PUBLIC_STORY))["id"]
    publisher.take()
    viewers = [str(number) for number in range(100, 200)]
    await asyncio.gather(*(stories.view(person(viewer), story_id) for viewer in viewers))
    assert (await stories.get(AUTHOR, story_id))["view_count"] == 100
    told = publisher.take("story.viewed")
    assert sorted(data["viewer_id"] for data, _ in told) == viewers
    listed = await stories.viewers(AUTHOR, story_id, limit=100)
    assert sorted(view["viewer_id"] for view in listed["items"]) == viewers


async def test_one_viewer_a_hundred_times_at_once(stories, publisher):
    """100 views of one viewer at once are one view, told once, and all answer the same."""
    story_id = (await stories.create(AUTHOR, **PUBLIC_STORY))["id"]
    publisher.take()
    answers = await asyncio.gather(*(stories.view(FRIEND, story_id) for _ in range(100)))
    assert all(answer == answers[0] for answer in answers)
    assert publisher.take() == [(answers[0], (user_room("1"),))]
    assert (await stories.get(AUTHOR, story_id))["view_count"] == 1


async def test_one_reaction_a_hundred_times_at_once(stories, publisher):
    """The same reaction 100 times at once is one reaction, told once."""
    story_id = (await stories.create(AUTHOR, **PUBLIC_STORY))["id"]
    publisher.take()
    await asyncio.gather(*(stories.react(FRIEND, story_id, emoji="🔥") for _ in range(100)))
    assert len(publisher.take()) == 1
    assert (await stories.get(AUTHOR, story_id))["reaction_count"] == 1


async def test_racing_reactions_leave_one(stories, publisher):
    """Different reactions and their withdrawal racing leave at most the last one told of."""
    story_id = (await stories.create(AUTHOR, **PUBLIC_STORY))["id"]
    publisher.take()
    await asyncio.gather(
        *(stories.react(FRIEND, story_id, emoji=emoji) for emoji in "🔥🎉😀" * 10),
        *(stories.unreact(FRIEND, story_id) for _ in range(10)),
    )
    await stories.react(FRIEND, story_id, emoji="👍")
    told = publisher.take("story.reacted")
    listed = await stories.reactions(AUTHOR, story_id)
    assert [reaction["emoji"] for reaction in listed["items"]] == ["👍"]
    assert told[-1][0] == listed["items"][0]


async def test_news_comes_after_the_write(database, clock):
    """Whoever hears of a view, a reaction or a story can already read it."""
    seen = {}

    class Reader(RecordingPublisher):
        async def publish(self, event, *rooms):
            story = await stories.get(AUTHOR, event.data()["story_id"])
            seen[event.name] = (story["view_count"], story["reaction_count"])

    stories = Stories(database, Reader(), lifetime=LIFETIME, clock=clock)
    story_id = (await stories.create(AUTHOR, **PUBLIC_STORY))["id"]
    await stories.view(FRIEND, story_id)
    await stories.react(FRIEND, story_id, emoji="🔥")
    assert seen == {"story.created": (0, 0), "story.viewed": (1, 0), "story.reacted": (1, 1)}


async def test_failed_writes_are_not_told(database, publisher, clock):
    """When the database refuses a write, nobody hears of it."""

    class Broken:
        def __init__(self, collection):
            self._collection = collection

        def __getattr__(self, name):
            return getattr(self._collection, name)

        async def insert_one(self, document):
            raise ConnectionError

    class BrokenViews:
        def __getitem__(self, name):
            return Broken(database[name]) if name == "story_views" else database[name]

    stories = Stories(BrokenViews(), publisher, lifetime=LIFETIME, clock=clock)
    story_id = (await stories.create(AUTHOR, **PUBLIC_STORY))["id"]
    publisher.take()
    with pytest.raises(ConnectionError):
        await stories.view(FRIEND, story_id)
    assert publisher.take() == []


async def test_what_was_written_is_there_after_reopening(stories, database, publisher, clock):
    """Another instance on the same database sees the same story, views and reactions."""
    story_id = (await stories.create(AUTHOR, **PUBLIC_STORY))["id"]
    await stories.view(FRIEND, story_id)
    await stories.react(FRIEND, story_id, emoji="❤️")
    again = Stories(database, publisher, lifetime=LIFETIME, clock=clock)
    assert await again.get(AUTHOR, story_id) == await stories.get(AUTHOR, story_id)
    publisher.take()
    await again.view(FRIEND, story_id)
    await again.react(FRIEND, story_id, emoji="❤️")
    assert publisher.take() == []
    assert (await again.viewers(AUTHOR, story_id))["items"][0]["viewed_at"] == to_text(clock())
