"""The commands of /stories, through the funnel that every transport uses."""

import pytest

from models.rooms import public_stories_room, user_room
from models.stories.operations import Stories
from namespaces.base import Caller
from namespaces.stories import StoriesCommands
from tests.stories_world import (
    AUTHOR,
    FRIEND,
    FRIENDS_STORY,
    LIFETIME,
    MISSING_ID,
    OUTSIDER,
    PUBLIC_STORY,
    HandClock,
    RecordingPublisher,
)


class Nowhere:
    """A connection for commands that enter and leave no room."""

    def enter(self, room):
        raise AssertionError(f"a story command entered {room}")

    def leave(self, room):
        raise AssertionError(f"a story command left {room}")


@pytest.fixture
def publisher():
    return RecordingPublisher()


@pytest.fixture
def run(database, publisher):
    stories = Stories(database, publisher, lifetime=LIFETIME, clock=HandClock())
    commands = StoriesCommands(stories)

    async def run(who, name, payload):
        return await commands.run(Caller(who, Nowhere()), name, payload)

    run.commands = commands
    run.stories = stories
    return run


def test_everyone_hears_public_stories_and_their_own_news(run):
    """A connection is in its account's room and that of public stories from the start."""
    assert set(run.commands.rooms_of(FRIEND)) == {user_room("2"), public_stories_room()}


async def test_the_life_of_a_story(run, publisher):
    """Create, list, get, view, react, unreact and delete, each answered with data."""
    created = await run(AUTHOR, "create_story", FRIENDS_STORY)
    story = created["data"]
    which = {"story_id": story["id"]}
    listed = await run(FRIEND, "list_stories", {"limit": 5})
    assert [item["id"] for item in listed["data"]["items"]] == [story["id"]]
    got = await run(FRIEND, "get_story", which)
    assert got["data"] == listed["data"]["items"][0]
    publisher.take()
    viewed = await run(FRIEND, "view_story", which)
    reacted = await run(FRIEND, "react", {**which, "emoji": "❤️"})
    author = (user_room("1"),)
    assert publisher.take() == [(viewed["data"], author), (reacted["data"], author)]
    assert await run(FRIEND, "unreact", which) == {"data": None}
    counted = await run(AUTHOR, "get_story", which)
    assert (counted["data"]["view_count"], counted["data"]["reaction_count"]) == (1, 0)
    assert await run(AUTHOR, "delete_story", which) == {"data": None}
    assert (await run(AUTHOR, "get_story", which))["error"]["code"] == "story_not_found"


async def test_pages_follow_the_cursor(run):
    """`next` of one page is `after` of the following."""
    for _ in range(3):
        await run.stories.create(AUTHOR, **PUBLIC_STORY)
    first = (await run(FRIEND, "list_stories", {"limit": 2}))["data"]
    second = (await run(FRIEND, "list_stories", {"limit": 2, "after": first["next"]}))["data"]
    ids = [item["id"] for page in (first, second) for item in page["items"]]
    assert ids == sorted(ids, reverse=True)
    assert (len(set(ids)), second["next"]) == (3, None)


@pytest.mark.parametrize("name", ["get_story", "delete_story", "view_story", "react", "unreact"])
async def test_outsiders_find_nothing(run, publisher, name):
    """Outside the audience a story answers as one that never was."""
    story = await run.stories.create(AUTHOR, **FRIENDS_STORY)
    publisher.take()
    more = {"emoji": "❤️"} if name == "react" else {}
    hidden = await run(OUTSIDER, name, {"story_id": story["id"], **more})
    assert hidden == await run(OUTSIDER, name, {"story_id": MISSING_ID, **more})
    assert hidden["error"]["code"] == "story_not_found"
    assert publisher.take() == []


@pytest.mark.parametrize(
    ("name", "payload", "fields"),
    [
        ("create_story", {}, {"text", "visibility"}),
        ("create_story", PUBLIC_STORY | {"mood": 1}, {"mood"}),
        ("list_stories", {"limit": 1.5}, {"limit"}),
        ("list_stories", {"after": "x"}, {"after"}),
        ("get_story", {}, {"story_id"}),
        ("get_story", {"story_id": 5}, {"story_id"}),
        ("view_story", {"story_id": {"$ne": ""}}, {"story_id"}),
        ("react", {"story_id": MISSING_ID}, {"emoji"}),
        ("unreact", {"story_id": MISSING_ID, "emoji": "❤️"}, {"emoji"}),
    ],
)
async def test_bad_payloads_are_refused_by_field(run, publisher, name, payload, fields):
    """A wrong payload is answered with the names of its fields, and nothing happens."""
    error = (await run(AUTHOR, name, payload))["error"]
    assert error["code"] == "invalid"
    assert set(error["fields"]) == fields
    assert publisher.take() == []
    assert (await run(AUTHOR, "list_stories", {}))["data"]["items"] == []
