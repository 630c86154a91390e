"""The examples that `python -m app demo` loads."""

import pytest

from app.demo import PASSWORD, PEOPLE, load_demo
from models.identity import Identity
from models.stories.operations import Stories
from tests.stories_world import LIFETIME, RecordingPublisher


@pytest.fixture
def stories(database, clock):
    return Stories(database, RecordingPublisher(), lifetime=LIFETIME, clock=clock)


async def feed_of(accounts, stories, email):
    account = await accounts.log_in(email, PASSWORD)
    identity = Identity(account.id, account.email, account.public_id)
    return (await stories.feed(identity))["items"]


async def test_the_documents_account_can_log_in(accounts, stories):
    """Every example account can log in with the documented password, and has something to see."""
    lines = await load_demo(accounts, stories)
    assert any("test@example.com" in line for line in lines)
    assert all(line.startswith("added: ") for line in lines)
    for person in PEOPLE:
        assert len(await feed_of(accounts, stories, person.email)) >= 2


async def test_loading_twice_adds_nothing(accounts, stories):
    """A second run says what is there already and leaves everything as it was."""
    await load_demo(accounts, stories)
    before = [await feed_of(accounts, stories, person.email) for person in PEOPLE]
    assert any(story.get("view_count") for feed in before for story in feed)
    assert any(story.get("reaction_count") for feed in before for story in feed)
    lines = await load_demo(accounts, stories)
    assert all(line.startswith("there already: ") for line in lines)
    assert [await feed_of(accounts, stories, person.email) for person in PEOPLE] == before


async def test_the_stories_come_back_on_another_day(accounts, stories, clock):
    """When the example stories have expired, loading makes them again."""
    await load_demo(accounts, stories)
    clock.move(LIFETIME)
    lines = await load_demo(accounts, stories)
    assert {line.split(":")[0] for line in lines if "account" in line} == {"there already"}
    assert {line.split(":")[0] for line in lines if "story" in line} == {"added"}
