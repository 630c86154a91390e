"""Nothing grows for ever: each rule of the table acts, and nothing else goes."""

import json
import sqlite3
from contextlib import closing
from datetime import timedelta
from typing import Any

import pytest

from app.domains import Model
from app.main import create_app
from app.storage import embedded_path
from models import retention as module
from models.collections import COLLECTIONS, retention_of
from models.migrations import MIGRATIONS
from models.retention import Rule, after, expire, until
from models.times import now
from tests.notifications_world import BUYER, MATCHED, build, everything
from tests.stories_world import RecordingPublisher

TIMED = {name for name, policy in COLLECTIONS.items() if policy.kept.rule is Rule.TIMED}

MORE: dict[str, dict[str, Any]] = {
    "market_journal": {"book": "7:S", "seq": 1},
    "notifications": {"account_id": "7", "number": 1},
    "revocations": {"number": 1},
}
"""What sweeps read of documents beside the time."""

MINUTE = timedelta(minutes=1)


@pytest.fixture
def publisher():
    return RecordingPublisher()


@pytest.fixture
async def notifications(database, publisher, clock):
    made = build(database, publisher, clock)
    await made.prepare()
    return made


def test_every_rule_is_whole() -> None:
    """Rules that go by time name a field, the others none; each says why."""
    for name, policy in COLLECTIONS.items():
        kept = policy.kept
        assert (kept.rule is Rule.TIMED) is bool(kept.field), name
        assert kept.reason, name
        assert kept.rule is Rule.TIMED or not kept.duration, name


@pytest.mark.parametrize(
    ("kept", "text"),
    [
        (until("a", "why"), "until `a`: why"),
        (after("a", timedelta(days=1), "why"), "1 day after `a`: why"),
        (after("a", timedelta(weeks=8), "why"), "56 days after `a`: why"),
        (after("a", timedelta(hours=36), "why"), "36 hours after `a`: why"),
    ],
)
def test_texts(kept, text):
    """A rule can be read."""
    assert str(kept) == text


async def test_each_rule_acts(settings, store, aiohttp_client, monkeypatch):
    """A sweep of all models deletes what has had its time, and leaves what has not, or no time."""
    models: list[Model] = []

    async def keep_models(all_of_them):
        models.extend(all_of_them)

    monkeypatch.setattr("app.main._sweep", keep_models)
    client = await aiohttp_client(await create_app(settings))
    assert (await client.get("/health")).status == 200
    moment = now()
    for name in TIMED:
        ended = retention_of(name).ended_by(moment)
        for at, _id in ((ended - MINUTE, "7:old"), (ended + 60 * MINUTE, "7:young"), (None, "7:-")):
            time = {retention_of(name).field: at} if at else {}
            await store.database[name].insert_one({"_id": _id, **MORE.get(name, {}), **time})
    await store.database["notification_inboxes"].insert_one(
        {"_id": "7", "last": 1, "unread": [1, 1], "revision": 0, "muted": []}
    )
    await store.database["market_books"].insert_one({"_id": "7:S", "done": 1})
    # The newest revocation stays, whatever its age.
    await store.database["revocations"].insert_one({"_id": "2", "number": 2, "at": moment})
    assert models
    for model in models:
        await model.sweep()
    for name in TIMED:
        left = await store.database[name].find_ids(["7:old", "7:young", "7:-"])
        assert {document["_id"] for document in left} == {"7:young", "7:-"}, name


@pytest.mark.skipif("os.environ.get('MONGODB_URI')", reason="about files; MONGODB_URI is set")
async def test_every_sweep_has_an_index(settings, aiohttp_client):
    """What a sweep looks for, oldest first, is the beginning of an index."""
    await aiohttp_client(await create_app(settings))
    with closing(sqlite3.connect(embedded_path(settings))) as connection:
        rows = connection.execute(
            "SELECT collections.name, fields FROM indexes"
            " JOIN collections ON collections.id = collection"
        ).fetchall()
    first = {(name, json.loads(fields)[0]) for name, fields in rows}
    assert {(name, retention_of(name).field) for name in TIMED} <= first


async def test_bounded_batches(database, monkeypatch):
    """A sweep deletes some at a time, the oldest first, and leaves what is over to the next one."""
    monkeypatch.setattr(module, "BATCH", 3)
    monkeypatch.setattr(module, "BATCHES_MAX", 2)
    things, kept, moment = database["things"], after("at", MINUTE, "a test"), now()
    for n in range(8):
        await things.insert_one({"_id": str(n), "at": moment - (n + 1) * MINUTE, "kind": n % 2})
    await things.insert_one({"_id": "young", "at": moment})
    assert await expire(things, kept, moment) == 6
    assert {one["_id"] for one in await things.find({}).to_list(None)} == {"0", "1", "young"}
    assert await expire(things, kept, moment, only={"kind": 1}) == 1
    assert await expire(things, kept, moment) == 1
    assert await expire(things, kept, moment) == 0


async def test_old_notifications(notifications, publisher, clock):
    """What is old is read for its reader, told so, and gone; ids and pages go on behind it."""
    for key in ("match:1", "match:2"):
        await notifications("1", **MATCHED, key=key)
    await notifications("2", **MATCHED, key="match:1")
    clock.move(timedelta(days=179))
    await notifications("1", **MATCHED, key="match:3")
    clock.move(timedelta(days=1))
    publisher.take()
    await notifications.sweep()
    told = [event for event, _ in publisher.take()]
    assert {key: value for key, value in told[0].items() if key in ("ranges", "unread")} == {
        "ranges": [[1, 2]],
        "unread": 1,
    }
    assert [item["id"] for item in await everything(notifications)] == [3]
    assert (await notifications.inbox.unread(BUYER))["unread"] == 1
    assert (await notifications.inbox.page(BUYER, after=0))["items"][0]["id"] == 3
    before = (await notifications.inbox.unread(BUYER))["revision"]
    await notifications.sweep()
    assert (await notifications.inbox.unread(BUYER))["revision"] == before


async def test_a_cause_outlives_its_notification(notifications, publisher, clock, database):
    """A cause told again after its notification is gone is told no second time, for a year."""
    await notifications("1", **MATCHED, key="match:1")
    clock.move(timedelta(days=180))
    await notifications.sweep()
    publisher.take()
    await notifications("1", **MATCHED, key="match:1")
    assert publisher.take() == []
    assert await everything(notifications) == []
    clock.move(timedelta(days=185))
    await notifications.sweep()
    assert await database["notification_causes"].find({}).to_list(None) == []
    await notifications("1", **MATCHED, key="match:1")
    assert [item["id"] for item in await everything(notifications)] == [2]


async def test_keys_of_before(database):
    """The migration dates keys that have no time, and leaves the others."""
    sends, moment = database["chat_sends"], now() - timedelta(days=3)
    await sends.insert_one({"_id": "old", "seq": 1})
    await sends.insert_one({"_id": "new", "seq": 2, "at": moment.replace(microsecond=0)})
    await database["notification_causes"].insert_one({"_id": "1:x", "number": 1})
    [step] = [each for each in MIGRATIONS if each.number == 9]
    await step.apply(database)
    dated = {one["_id"]: one["at"] for one in await sends.find({}).to_list(None)}
    assert dated["new"] == moment.replace(microsecond=0)
    assert now() - dated["old"] < MINUTE
    [cause] = await database["notification_causes"].find({}).to_list(None)
    assert now() - cause["at"] < MINUTE
