"""The embedded store means what a MongoDB-protocol server means, case by random case.

Runs where `MONGODB_URI` names a server. `DIFFERENTIAL_CASES` says how many cases run; `.ci/run`
wants thousands.
"""

import asyncio
import os
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, given, note, settings
from hypothesis import strategies as st
from pymongo import MongoClient
from pymongo.errors import DuplicateKeyError

from app.settings import Settings
from app.storage import Store, open_store
from app.storage.embedded import filters, planner, scanning
from models.database import Collection
from models.errors import DomainError
from tests.conftest import server_uri
from tests.recorder import RECORDER
from tests.store.scenarios import INDEXES, Step, documents, run, steps

CASES = int(os.environ.get("DIFFERENTIAL_CASES", "100"))

READING = {"find", "find_one", "find_ids", "count_documents"}

ONE_OF_MANY = {"find_one", "update_one", "find_one_and_update", "delete_one"}
"""Operations that choose a document themselves when the filter means several."""


@pytest.fixture(autouse=True)
def proving() -> Iterator[None]:
    """Leave what is asked here out of what the contract suite has proved."""
    RECORDER.into = set()
    yield
    RECORDER.into = RECORDER.sent


@dataclass(frozen=True)
class Bounds:
    """How much the embedded store reads at once, and how many alternatives it looks up apart."""

    batch: int
    merged: int
    points: int
    arms: int

    def apply(self) -> None:
        """Have the embedded store keep to them, so that few documents meet its bounds."""
        scanning.BATCH = scanning.FIRST_BATCH = scanning.SEARCHED = self.batch
        scanning.MERGED_MAX = planner.MERGED_MAX = self.merged
        planner.POINTS_MAX = self.points
        filters.ARMS_MAX = self.arms


USUAL = Bounds(scanning.BATCH, scanning.MERGED_MAX, planner.POINTS_MAX, filters.ARMS_MAX)

bounds = st.one_of(
    st.just(USUAL),
    st.builds(
        Bounds,
        st.integers(1, 3),
        st.sampled_from([1, 2, USUAL.merged]),
        st.sampled_from([1, 2, USUAL.points]),
        st.sampled_from([1, 2, USUAL.arms]),
    ),
)


@dataclass
class Pair:
    """Both stores, and the loop that they run in."""

    runner: asyncio.Runner
    embedded: Store
    server: Store

    def each(self, name: str) -> tuple[Collection, Collection]:
        """Return the collection of this name in both."""
        return self.embedded.database[name], self.server.database[name]


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    """An embedded store and the server, with the collections of `INDEXES`."""
    uri = server_uri()
    if uri is None:
        pytest.skip("MONGODB_URI names no server to compare with; .ci/mongodb starts one")
    name = f"test_{uuid4().hex}"
    base = replace(
        Settings.from_env(),
        data_dir=tmp_path_factory.mktemp("embedded"),
        mongodb_database=name,
        mongodb_uri=None,
    )

    async def opened() -> tuple[Store, Store]:
        both = await open_store(base), await open_store(replace(base, mongodb_uri=uri))
        for store in both:
            for collection, indexes in INDEXES.items():
                for keys in indexes:
                    await store.database[collection].create_index(keys)
        return both

    with asyncio.Runner() as runner:
        pair = Pair(runner, *runner.run(opened()))
        yield pair
        USUAL.apply()
        assert runner.run(pair.embedded.database.check()) == []
        runner.run(pair.embedded.close())
        runner.run(pair.server.close())
    with MongoClient(uri) as client:
        client.drop_database(name)


def exact(value: Any) -> Any:
    """Return a form of a value that is equal for values of the same type only."""
    match value:
        case dict():
            # MongoDB adds new fields in the order of their names, SecantusDB in that of the update.
            return sorted((key, exact(inner)) for key, inner in value.items())
        case list() | tuple():
            return [exact(inner) for inner in value]
        case bool() | None | str() | bytes() | datetime():
            return value, type(value).__name__
        case int():
            return int(value), "int"
        case float():
            return repr(value), "float"
    raise TypeError(f"no document holds a {type(value).__name__}")


async def outcome(collection: Collection, step: Step) -> Any:
    """Return what a step led to: its exact result, or the kind of its error."""
    try:
        return exact(await run(collection, step))
    except DuplicateKeyError:
        return "duplicate key"
    except (DomainError, asyncio.CancelledError):
        raise
    except Exception as error:
        note(f"{type(error).__module__}.{type(error).__name__}: {error}")
        return "refused"


async def contents(collection: Collection) -> Any:
    return exact(await run(collection, Step("find", {}, sort=[("_id", 1)])))


async def narrowed(each: tuple[Collection, Collection], step: Step) -> Step:
    """Return a step that means one document at most, the same one in both stores."""
    if step.operation not in ONE_OF_MANY or isinstance(step.filter.get("_id"), str):
        return step
    for collection in each:
        met = await run(collection, Step("find", step.filter))
        if len(met) > 1:
            only = {"_id": met[0]["_id"]}
            if "_id" in step.filter:
                only = {"$and": [*step.filter.get("$and", ()), only]}
            return replace(step, filter=step.filter | only)
    return step


@settings(
    max_examples=CASES,
    deadline=None,
    print_blob=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
@given(
    st.sampled_from(sorted(INDEXES)),
    bounds,
    st.lists(documents(), max_size=6, unique_by=lambda document: document["_id"]),
    st.lists(steps(), min_size=1, max_size=6),
)
@pytest.mark.timeout(3600)
def test_means_the_same(
    pair: Pair, name: str, bounds: Bounds, present: list[Any], taken: list[Step]
) -> None:
    """Each step has the same outcome in both stores, and leaves the same documents.

    In the end every index has exactly what its documents ask for.
    """
    bounds.apply()

    async def compare() -> None:
        each = pair.each(name)
        for collection in each:
            await collection.delete_many({})
        for step in [*(Step("insert_one", document) for document in present), *taken]:
            one = await narrowed(each, step)
            before = await contents(each[0])
            ours, theirs = [await outcome(collection, one) for collection in each]
            assert ours == theirs, one
            if one.operation in READING:
                continue
            ours, theirs = [await contents(collection) for collection in each]
            if ours == before and one.operation == "update_many":
                # Refused in the middle: MongoDB keeps what it has changed until then.
                return
            assert ours == theirs, one

    pair.runner.run(compare())
