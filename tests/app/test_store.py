"""Opening the store, outages, and what is promised about writes."""

import asyncio
import os
import socket
from collections.abc import Awaitable, Callable
from dataclasses import replace

import pytest
from pymongo.errors import DuplicateKeyError

from app.settings import Settings
from app.storage import Store, mongodb, open_store
from models.database import Collection
from models.errors import Unavailable
from tests.conftest import server_uri


@pytest.fixture
async def nobody(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Store:
    """A store whose server does not answer."""
    for option in ("serverSelectionTimeoutMS", "connectTimeoutMS"):
        monkeypatch.setitem(mongodb.MOTOR_OPTIONS, option, 50)
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = listener.getsockname()[1]
    return await open_store(replace(settings, mongodb_uri=f"mongodb://127.0.0.1:{port}/"))


async def walk(things: Collection) -> None:
    async for _ in things.find({}):
        pytest.fail("a document from nowhere")


OPERATIONS: list[Callable[[Collection], Awaitable[object]]] = [
    lambda things: things.insert_one({"_id": "x"}),
    lambda things: things.find_one({}),
    lambda things: things.find({}).sort([("_id", 1)]).limit(1).to_list(1),
    walk,
    lambda things: things.update_one({}, {"$set": {"a": 1}}),
    lambda things: things.update_many({}, {"$set": {"a": 1}}),
    lambda things: things.find_one_and_update({}, {"$set": {"a": 1}}),
    lambda things: things.delete_one({}),
    lambda things: things.delete_many({}),
    lambda things: things.count_documents({}),
    lambda things: things.create_index([("a", 1)]),
]


async def test_outage(nobody: Store) -> None:
    """Without a database every operation and the ping say `Unavailable`, and when to come back."""
    results = await asyncio.gather(
        nobody.ping(),
        *(operation(nobody.database["things"]) for operation in OPERATIONS),
        return_exceptions=True,
    )
    assert [type(result) for result in results] == [Unavailable] * len(results)
    assert all(result.retry_after_s for result in results if isinstance(result, Unavailable))
    await nobody.close()


async def test_ping(store: Store) -> None:
    """A store that is there answers the ping."""
    await store.ping()


async def test_refusals_pass(store: Store) -> None:
    """An error that is no outage reaches the model as it is."""
    await store.database["things"].insert_one({"_id": "x"})
    with pytest.raises(DuplicateKeyError):
        await store.database["things"].insert_one({"_id": "x"})


async def test_data_stays(settings: Settings) -> None:
    """What was written is there when the store is opened again."""
    store = await open_store(settings)
    await store.database["things"].insert_one({"_id": "x", "n": 1})
    await store.close()
    store = await open_store(settings)
    assert await store.database["things"].find_one({"_id": "x"}) == {"_id": "x", "n": 1}
    await store.close()


async def test_write_concern(nobody: Store) -> None:
    """MongoDB acknowledges a write when a majority has it in its journal."""
    collection = nobody.database["things"]._collection
    assert collection.write_concern.document == {"w": "majority", "j": True, "wtimeout": 10_000}
    assert collection.codec_options.tz_aware
    await nobody.close()


@pytest.mark.skipif(not os.environ.get("MONGODB_URI"), reason="needs a server: MONGODB_URI")
async def test_database_in_the_address(settings: Settings) -> None:
    """A database named in the address is the one used."""
    uri = f"{server_uri()}{settings.mongodb_database}"
    named = await open_store(replace(settings, mongodb_uri=uri, mongodb_database="other"))
    await named.database["things"].insert_one({"_id": "x"})
    await named.close()
    plain = await open_store(settings)
    assert await plain.database["things"].find_one({"_id": "x"})
    await plain.close()
