"""Migrations."""

from datetime import UTC, datetime

import pytest

from models.errors import NotFound
from models.migrations import MIGRATIONS, Migration, Migrations

NOW = datetime(2026, 3, 1, tzinfo=UTC)


def step(number, taken, *, fails=False):
    async def apply(database):
        taken.append(number)
        if fails:
            raise RuntimeError("the step failed")

    return Migration(number, f"Change shape {number}", apply)


@pytest.fixture
async def database(database):
    """A database that has taken no step."""
    await database["migrations"].delete_many({})
    return database


def test_numbers_have_no_gaps():
    """Steps are numbered 1, 2, 3 … and say what they change."""
    assert [migration.number for migration in MIGRATIONS] == [*range(1, len(MIGRATIONS) + 1)]
    assert all(migration.summary for migration in MIGRATIONS)


async def test_each_step_is_taken_once_and_in_order(database):
    """A second run takes only what was added since."""
    taken = []
    steps = [step(1001, taken), step(1002, taken)]
    assert [done.number for done in await Migrations(database, steps).apply()] == [1001, 1002]
    steps.append(step(1003, taken))
    assert [done.number for done in await Migrations(database, steps).pending()] == [1003]
    await Migrations(database, steps).apply()
    assert await Migrations(database, steps).apply() == []
    assert taken == [1001, 1002, 1003]


async def test_a_failing_step_is_taken_again(database):
    """What failed stays pending with all that follows it."""
    taken = []
    with pytest.raises(RuntimeError):
        await Migrations(database, [step(1001, taken), step(1002, taken, fails=True)]).apply()
    await Migrations(database, [step(1001, taken), step(1002, taken), step(1003, taken)]).apply()
    assert taken == [1001, 1002, 1002, 1003]


async def test_a_step_is_taken_again_when_asked_for(database):
    """Only the step asked for is, and one that there is not is refused."""
    taken = []
    migrations = Migrations(database, [step(1001, taken), step(1002, taken)])
    await migrations.apply()
    assert (await migrations.again(1001)).number == 1001
    with pytest.raises(NotFound, match="1003"):
        await migrations.again(1003)
    assert taken == [1001, 1002, 1001]
    assert await migrations.pending() == []


async def test_stored_texts_are_found_in_the_new_form(database):
    """What was folded by the rules of an earlier release is found as what is written now."""
    people = {"email": None, "phone": None, "firebase_uid": None, "disabled": False}
    account = {"_id": "7", "name": "O\u2019Brien", "public_id": "7", "created_at": NOW, **people}
    await database["accounts"].insert_one(account)
    for account_id in ("7", "gone"):
        member = {"_id": f"c:{account_id}", "account_id": account_id, "handles": ["o\u2019brien"]}
        await database["chat_members"].insert_one(member)
    entry = {"_id": "e", "text": "so\u00adft Ha\u0300", "folded": "so\u00adft h\u00e0"}
    await database["diary_entries"].insert_one(entry)
    product = {"_id": "p", "name": "Ha\u0300", "sku": "A1", "search": "ha\u0300 a1"}
    await database["market_products"].insert_one(product)
    (step,) = [migration for migration in MIGRATIONS if migration.apply.__name__ == "_fold_texts"]
    await step.apply(database)
    handles = [member["handles"] async for member in database["chat_members"].find({})]
    assert sorted(handles) == [["7", "o'brien"], ["gone"]]
    assert (await database["diary_entries"].find_one({"_id": "e"}))["folded"] == "soft h\u00e0"
    assert (await database["market_products"].find_one({"_id": "p"}))["search"] == "h\u00e0 a1"


async def test_messages_of_before_are_found(database):
    """What was written, changed for its author only, or deleted before is found as new ones are."""
    messages = database["chat_messages"]
    plain = {"kept_edit": None, "deleted_at": None, "revision": 0}
    edit = {"content": "Ha\u0300", "mentions": [], "edited_at": NOW}
    for name, content, more in (
        ("1", "Straße", {}),
        ("2", "Nội", {"kept_edit": edit}),
        ("3", "", {"deleted_at": NOW}),
        ("4", "new", {"folded": ["stale"], "revision": 3}),
    ):
        await messages.insert_one({"_id": name, "content": content, **plain, **more})
    (step,) = [each for each in MIGRATIONS if each.apply.__name__ == "_fold_messages"]
    for _ in range(2):
        await step.apply(database)
        folded = {each["_id"]: each["folded"] async for each in messages.find({})}
        assert folded == {"1": ["strasse"], "2": ["nội", "h\u00e0"], "3": [], "4": ["new"]}


async def test_a_message_that_is_changed_meanwhile_is_folded_as_it_is_then(database, monkeypatch):
    """A step never writes what belongs to a text that is no longer there."""
    messages = database["chat_messages"]
    message = {"_id": "1", "content": "old", "kept_edit": None, "deleted_at": None, "revision": 0}
    await messages.insert_one(message)
    (step,) = [each for each in MIGRATIONS if each.apply.__name__ == "_fold_messages"]
    kind, edits = type(messages), [{"content": "new", "folded": ["new"], "revision": 1}]
    original = kind.update_one

    async def update_one(self, filter, update, **options):
        if edits:
            await original(self, {"_id": "1"}, {"$set": edits.pop()})
        return await original(self, filter, update, **options)

    monkeypatch.setattr(kind, "update_one", update_one)
    await step.apply(database)
    found = await messages.find_one({"_id": "1"})
    assert (found["content"], found["folded"], edits) == ("new", ["new"], [])


async def test_every_step_can_be_taken_again(database):
    """A step meets its own result without harm: processes of two releases run side by side."""
    for _ in range(2):
        for migration in MIGRATIONS:
            await migration.apply(database)
