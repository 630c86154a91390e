"""An index changes how fast an answer comes, never which one."""

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pymongo.errors import WriteError

from app.storage.embedded import EmbeddedDatabase, open_embedded
from app.storage.embedded.filters import compile_filter
from app.storage.embedded.planner import BY_ID, Plan, make_plan
from models.database import Document

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
INDEXES = (
    ("a",),
    ("b", "c", "_id"),
    ("a", "b", "_id"),
    ("n.x",),
    ("c", "_id"),
    # Not with `a`: no index takes two fields that both have an array.
    ("n.x", "c"),
)

SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-2, 3)
    | st.sampled_from([0.5, 2.0, 2**53, 2**53 + 1, float(2**53)])
    | st.sampled_from(["", "x", "y", "xy"])
    | st.sampled_from([NOON, NOON + timedelta(hours=1)])
)
ONE = SCALARS | st.lists(SCALARS, max_size=3)
INNER = st.fixed_dictionaries({}, optional={"x": ONE, "y": SCALARS})
DOCUMENTS = st.lists(
    st.fixed_dictionaries(
        {},
        optional={
            "a": ONE,
            "b": SCALARS | INNER,
            "c": SCALARS,
            "n": SCALARS | INNER | st.lists(INNER | SCALARS, max_size=2),
        },
    ),
    max_size=9,
)
RANGES = st.dictionaries(
    st.sampled_from(["$gt", "$gte", "$lt", "$lte"]), SCALARS, min_size=1, max_size=2
)
CONDITIONS = (
    ONE
    | INNER
    | RANGES
    | st.fixed_dictionaries({"$in": st.lists(ONE, max_size=3)})
    | st.fixed_dictionaries({"$nin": st.lists(ONE, max_size=2)})
    | st.fixed_dictionaries({"$ne": ONE})
    | st.fixed_dictionaries({"$all": st.lists(SCALARS, max_size=2)})
    | st.fixed_dictionaries({"$exists": st.booleans()})
    | st.fixed_dictionaries({"$regex": st.sampled_from(["x", "xy"])})
)
FIELDS = st.sampled_from(["a", "b", "c", "n.x", "n", "a.0", "n.0.x"])
IDS = st.fixed_dictionaries(
    {"_id": st.sampled_from([*"0123"]) | st.sampled_from([{"$lt": "3"}, {"$gte": "2"}])}
)
PLAIN = st.dictionaries(FIELDS, CONDITIONS, max_size=2) | IDS
FILTERS = st.recursive(
    PLAIN,
    lambda inner: st.builds(
        lambda plain, name, parts: plain | {name: parts},
        PLAIN,
        st.sampled_from(["$or", "$and"]),
        st.lists(inner, min_size=1, max_size=3),
    ),
    max_leaves=5,
)
ORDERS = st.lists(
    st.tuples(st.sampled_from(["a", "b", "c", "n.x"]), st.sampled_from([1, -1])),
    max_size=2,
    unique_by=lambda key: key[0],
)


@pytest.fixture(scope="module")
def loop() -> Iterator[asyncio.AbstractEventLoop]:
    """A loop for all examples."""
    made = asyncio.new_event_loop()
    yield made
    made.close()


@pytest.fixture(scope="module")
def database(
    loop: asyncio.AbstractEventLoop, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[EmbeddedDatabase]:
    """A database for all examples, each of which has collections of its own."""
    path: Path = tmp_path_factory.mktemp("indexes") / "x.sqlite3"
    opened = loop.run_until_complete(open_embedded(path))
    yield opened
    assert loop.run_until_complete(opened.check()) == []
    loop.run_until_complete(opened.close())


NAMES = count()


@settings(
    max_examples=120,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    DOCUMENTS,
    FILTERS,
    ORDERS,
    st.sampled_from([1, -1]),
    st.integers(0, 4),
    st.booleans(),
    st.lists(st.integers(0, 8), max_size=3),
)
def test_same_answers(
    loop: asyncio.AbstractEventLoop,
    database: EmbeddedDatabase,
    documents: list[Document],
    filter: Document,
    order: list[tuple[str, int]],
    last: int,
    limit: int,
    indexed_later: bool,
    changed: list[int],
) -> None:
    """With and without indexes, made before or after, a query has the same result."""

    async def ask(name: str, fields: tuple[tuple[str, ...], ...]) -> tuple[Any, ...]:
        things = database[name]
        if not indexed_later:
            for index in fields:
                await things.create_index([(field, 1) for field in index])
        numbered = ({"_id": str(n), **document} for n, document in enumerate(documents))
        await database.load(name, numbered)
        if indexed_later:
            for index in fields:
                await things.create_index([(field, 1) for field in index])
        for n in changed:
            await things.update_one({"_id": str(n)}, {"$set": {"c": n}, "$unset": {"n": ""}})
            await things.delete_one({"_id": str(n + 4)})
        found = things.find(filter)
        if order or last < 0:
            found = found.sort([*order, ("_id", last)])
        if limit and order:
            found = found.limit(limit)
        listed = await found.to_list(None)
        return (
            listed if order or last < 0 else sorted(listed, key=lambda each: each["_id"]),
            await things.count_documents(filter),
            sorted([each["_id"] async for each in things.find(filter)]),
            (await things.find_one(filter) is None),
        )

    number = next(NAMES)
    plain = loop.run_until_complete(ask(f"plain{number}", ()))
    assert loop.run_until_complete(ask(f"indexed{number}", INDEXES)) == plain
    if not limit:
        assert len(plain[0]) == plain[1] == len(plain[2])


async def planned(
    embedded: EmbeddedDatabase, filter: Document, order: list[tuple[str, int]]
) -> Plan:
    info = embedded._readers.catalogue.collections["things"]
    paths = [(tuple(field.split(".")), direction) for field, direction in order]
    return make_plan(info, compile_filter(filter), paths)


NEWEST = [("at", -1), ("_id", -1)]
PAGE = {"$or": [{"at": {"$lt": NOON}}, {"at": NOON, "_id": {"$lt": "x"}}]}


@pytest.mark.parametrize(
    ("filter", "order", "fields", "is_ordered"),
    [
        ({"_id": "x", "who": "1"}, [], "_id", False),
        ({"_id": {"$gt": "x"}, "end": None}, [("_id", 1)], "end", False),
        ({"_id": {"$gt": "x"}, "other": 1}, [("_id", 1)], "_id", True),
        ({"who": "1"}, NEWEST, "who at _id", True),
        ({"who": "1", **PAGE}, NEWEST, "who at _id", True),
        (
            {"$or": [{"who": "1"}, {"who": "2"}], "end": {"$gt": NOON}, "$and": [PAGE]},
            NEWEST,
            "who at _id",
            True,
        ),
        ({"who": {"$in": ["1", "2", "3"]}}, NEWEST, "who at _id", True),
        ({"tags": "a"}, NEWEST, "tags at _id", True),
        ({}, NEWEST, "at _id", True),
        (PAGE, NEWEST, "at _id", True),
        ({"at": {"$gte": NOON, "$lt": NOON + timedelta(days=1)}}, [], "at _id", False),
        ({"end": {"$lte": NOON}}, [], "end", False),
        ({"who": "1"}, [("at", -1), ("_id", 1)], "who at _id", False),
        ({"who": "1"}, [("end", 1)], "who at _id", False),
        ({}, [("tags", 1)], "_id", False),
        ({"other": 1}, [], "_id", False),
        ({"$or": [{"who": "1"}, {"other": 1}]}, [], "_id", False),
    ],
    ids=str,
)
async def test_plans(
    embedded: EmbeddedDatabase,
    filter: Document,
    order: list[tuple[str, int]],
    fields: str,
    is_ordered: bool,
) -> None:
    """The index that reads least is chosen, and read in its order where that is the wanted one."""
    things = embedded["things"]
    for index in ("at _id", "end", "who at _id", "tags at _id"):
        await things.create_index([(field, 1) for field in index.split()])
    await things.insert_one({"_id": "x", "tags": ["a", "b"], "at": NOON})
    plan = await planned(embedded, filter, order)
    assert " ".join(".".join(path) for path in plan.index.fields) == fields
    assert (plan.is_ordered and bool(order)) is is_ordered
    assert (plan.index is BY_ID) == (fields == "_id")


async def test_building_beside_writes(embedded: EmbeddedDatabase) -> None:
    """An index that is built step by step has what was written, changed and removed meanwhile."""
    await embedded.load("things", ({"_id": f"{n:05}", "a": n % 10} for n in range(3000)))
    things = embedded["things"]
    building = asyncio.create_task(things.create_index([("a", 1)]))
    for n in range(300):
        await asyncio.gather(
            things.update_one({"_id": f"{n:05}"}, {"$set": {"a": "changed"}}),
            things.delete_one({"_id": f"{2999 - n:05}"}),
            things.insert_one({"_id": f"new{n}", "a": "new"}),
        )
    await building
    assert await embedded.check() == []
    assert await things.count_documents({"a": "changed"}) == 300
    assert await things.count_documents({"a": "new"}) == 300
    assert await things.count_documents({}) == 3000


PARALLEL = {"a": ["x"], "b": ["y"]}


async def test_failed_building_leaves_nothing(embedded: EmbeddedDatabase) -> None:
    """An index that a document cannot be in is undone, so it refuses no documents afterwards."""
    things = embedded["things"]
    await embedded.load("things", ({"_id": f"{n:05}", "a": [n], "b": n} for n in range(1200)))
    await things.insert_one({"_id": "z", **PARALLEL})
    with pytest.raises(WriteError, match="parallel arrays"):
        await things.create_index([("a", 1), ("b", 1)])
    await things.insert_one({"_id": "zz", **PARALLEL})
    assert await embedded.check() == []
    await things.delete_many({"_id": {"$gte": "z"}})
    await things.create_index([("a", 1), ("b", 1)])
    assert await things.count_documents({"a": 7}) == 1
    assert await embedded.check() == []
    with pytest.raises(WriteError, match="parallel arrays"):
        await things.insert_one({"_id": "z", **PARALLEL})


async def test_building_is_finished_after_a_restart(path: Path) -> None:
    """What was left half built by a process that died is built by the next one that asks."""
    database = await open_embedded(path)
    await database.load("things", ({"_id": f"{n:05}", "a": n % 3} for n in range(1200)))
    things = database["things"]
    index = await database._writer.write(lambda writing: writing.add_index("things", ["a"]))
    await database._writer.write(lambda writing: writing.fill_index("things", index, b"", 500))
    await database.close()
    database = await open_embedded(path)
    things = database["things"]
    assert await things.count_documents({"a": 1}) == 400
    await things.update_one({"_id": "00001"}, {"$set": {"a": 2}})
    await things.create_index([("a", 1)])
    assert (await planned(database, {"a": 1}, [])).index is not BY_ID
    assert await things.count_documents({"a": 1}) == 399
    assert await database.check() == []
    await database.close()


async def test_arrays_that_come_while_building(embedded: EmbeddedDatabase) -> None:
    """That a field has arrays is not forgotten when the rest of the documents has others."""
    await embedded.load("things", [{"_id": "5", "a": 5, "b": 5}, {"_id": "6", "a": 6, "b": [6]}])
    things = embedded["things"]
    write = embedded._writer.write
    index = await write(lambda writing: writing.add_index("things", ["a", "b"]))
    last = await write(lambda writing: writing.fill_index("things", index, b"", 1))
    await things.insert_one({"_id": "4", "a": [1, 9], "b": 4})  # where building has been already
    assert await write(lambda writing: writing.fill_index("things", index, last, 9)) is None
    assert await things.count_documents({"a": {"$gt": 8, "$lt": 2}}) == 1
    found = await things.find({}).sort([("a", 1)]).to_list(None)
    assert [each["_id"] for each in found] == ["4", "5", "6"]
