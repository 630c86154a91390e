"""The examples that `python -m app demo` and the welcome screen load."""

from datetime import timedelta

import pytest

from app.demo import PASSWORD, PEOPLE, load_demo
from models.collections import COLLECTIONS
from tests.models.diary.dying import Died, Dying
from tests.stories_world import RecordingPublisher

DIFFERENT = {
    *("account_keys", "counters", "market_books", "server_keys", "idempotency_keys"),
    *("migrations", "chat_processes"),
    *("notifications", "notification_causes", "chat_changes"),
}
"""What may differ after a crash: claims that are taken over, what a server writes by itself, what
the market's sweep tells of steps whose process died, and changes of messages that were announced
and not made, which are announced once more."""


@pytest.fixture
def load(database, settings, passwords, clock):
    """Load the examples; returns the lines."""

    async def loaded(into=database):
        return await load_demo(into, RecordingPublisher(), settings, passwords, clock)

    return loaded


async def everything(database):
    """Return all that is stored, by collection."""
    return {
        name: sorted([repr(sorted(each.items())) async for each in database[name].find({})])
        for name in COLLECTIONS
    }


async def enter(server, name):
    status, answer = await server.call(None, "POST", "/api/v1/demo/enter", {"name": name})
    assert status == 200
    return answer["token"]


async def items(server, token, path):
    status, answer = await server.call(token, "GET", path)
    assert status == 200, (path, answer)
    return answer["items"]


async def test_the_documents_account_can_log_in(load, accounts):
    """Every example account can log in with the documented password."""
    lines = await load()
    assert any("test@example.com / password123" in line for line in lines)
    assert all(line.startswith("added: ") for line in lines)
    for person in PEOPLE:
        account = await accounts.log_in(person.email, PASSWORD)
        assert (account.id, account.name) == (str(person.number), person.name)


async def test_loading_twice_adds_nothing(load, database):
    """A second run says what is there already and leaves everything as it was."""
    await load()
    before = await everything(database)
    lines = await load()
    assert all(line.startswith("there already: ") for line in lines)
    assert await everything(database) == before


@pytest.mark.fault
@pytest.mark.parametrize("writes", [2, 60, 150, 300, 450, 600])
async def test_an_interrupted_load_is_completed(load, database, clock, writes):
    """Wherever a load dies, the next one adds what is missing and nothing twice."""
    with pytest.raises(Died):
        await load(Dying(database, RecordingPublisher(), after=writes))
    # A claim of an e-mail that a process has left behind holds for a minute.
    clock.move(timedelta(minutes=2))
    await load()
    interrupted = {name: len(found) for name, found in (await everything(database)).items()}
    whole = await counts_of_a_whole_load(load, database)
    for name in DIFFERENT:
        del interrupted[name], whole[name]
    assert interrupted == whole


async def counts_of_a_whole_load(load, database):
    """Return how many documents of each collection an undisturbed load makes."""
    for name in COLLECTIONS:
        await database[name].delete_many({})
    await load()
    return {name: len(found) for name, found in (await everything(database)).items()}


async def test_another_day_has_its_stories_and_its_page_in_the_diary(load, database, clock):
    """Stories live a day and are made again; the diary goes on, the rest stays as it is."""
    await load()
    entries, messages = [
        await database[name].count_documents({}) for name in ("diary_entries", "chat_messages")
    ]
    clock.move(timedelta(days=1))
    lines = await load()
    added = [line for line in lines if line.startswith("added: ")]
    assert [line.partition("added: ")[2].split()[-1] for line in added] == ["reactions", "diary"]
    assert await database["diary_entries"].count_documents({}) == entries + 1
    assert await database["chat_messages"].count_documents({}) == messages


async def test_every_screen_has_something_to_show(server):
    """What the web client's screens list is there, in the states that they draw."""
    test, alice, bob = [await enter(server, name) for name in ("Test", "Alice", "Bob")]

    stories = await items(server, test, "/stories")
    assert {story["visibility"] for story in stories} == {"PUBLIC", "PRIVATE"}
    own = [story for story in stories if "view_count" in story]
    assert own[0]["view_count"] == 2
    assert own[0]["reaction_count"] == 2

    conversations = await items(server, test, "/api/v1/conversations")
    assert {each["kind"] for each in conversations} == {"channel", "direct"}
    assert [each for each in conversations if each["request"]]
    assert any(each["unread"] for each in conversations if not each["request"])
    page = "/api/v1/conversations/general/messages?limit=100"
    messages = await items(server, alice, page)
    assert len({message["created_at"][:10] for message in messages}) >= 6
    assert {message["message_type"] for message in messages} == {"text", "image"}
    for field in ("reply_to", "edited_at", "deleted_at", "mentions", "reactions"):
        assert any(message[field] for message in messages), field
    picture = next(each for each in messages if each["attachments"])["attachments"][0]
    assert picture["content_type"] == "image/png"

    products = await items(server, test, "/api/v1/products?q=jordan")
    jordan = products[0]["id"]
    status, book = await server.call(test, "GET", f"/api/v1/products/{jordan}/book?size=US%209")
    assert status == 200
    assert len(book["bids"]) >= 5
    assert len(book["asks"]) >= 5
    assert book["last_sale"]
    status, sales = await server.call(
        test, "GET", f"/api/v1/products/{jordan}/sales?size=US%209&days=31"
    )
    assert len(sales["daily"]) >= 10
    statuses = set()
    for token in (test, alice, bob):
        statuses |= {order["status"] for order in await items(server, token, "/api/v1/orders")}
    assert statuses >= {"created", "paid", "shipped", "payout_completed", "refunded"}
    assert "payment_failed" in statuses
    assert await items(server, test, "/api/v1/asks?status=open")

    inbox = await items(server, test, "/api/v1/notifications?limit=100")
    assert {entry["read"] for entry in inbox} == {True, False}

    _, summary = await server.call(test, "GET", "/api/v1/diary/summary?weeks=5")
    assert summary["streak"]["current"] >= 5
    assert sum(week["entries"] for week in summary["weeks"]) > 20
    goals = await items(server, test, "/api/v1/diary/goals")
    assert {goal["kind"] for goal in goals} == {"number", "steps"}
    shared = [goal for goal in goals if goal["members"]]
    assert shared
    assert 0 < shared[0]["progress"] < 1
    tasks = await items(server, test, "/api/v1/diary/tasks?done=false")
    assert {task["repeat"] for task in tasks} == {"none", "daily", "weekly"}
    assert await items(server, test, "/api/v1/diary/motivations")
