"""The storage contract: what models may ask of a database, and what they may count on.

Each form of filter and update runs through each operation that takes it. A form that is not in
these tables is not proved, and `test_recorder.py` refuses a model that sends it.
"""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pymongo.errors import DuplicateKeyError

from app.storage import Store
from models.database import Collection, Document

NOON = datetime(2026, 3, 1, 12, 0, 0, 123000, tzinfo=UTC)
HOUR = timedelta(hours=1)

DOCUMENTS: list[Document] = [
    {"_id": "a", "n": 1, "at": NOON, "name": "Ann", "tags": ["x", "y"], "by": {"id": "1"}},
    {"_id": "b", "n": 2, "at": NOON + HOUR, "name": None, "tags": ["y"], "by": {"id": "2"}},
    {"_id": "c", "n": 3, "at": NOON + 2 * HOUR, "name": "Čeněk 🎉 '\"", "tags": [], "on": True},
    {"_id": "d", "n": 2**53, "at": None, "name": "dan", "tags": ["z"], "on": False, "by": None},
]

FILTERS: list[tuple[Document, str]] = [
    ({}, "abcd"),
    ({"_id": "a"}, "a"),
    ({"_id": "missing"}, ""),
    ({"name": "Čeněk 🎉 '\""}, "c"),
    ({"n": 2**53}, "d"),
    ({"at": NOON + HOUR}, "b"),
    ({"on": True}, "c"),
    ({"name": None}, "b"),
    ({"on": None}, "ab"),
    ({"by": None}, "cd"),
    ({"by.id": "2"}, "b"),
    ({"by.id": None}, "cd"),
    ({"tags": "y"}, "ab"),
    ({"_id": {"$gt": "b"}}, "cd"),
    ({"_id": {"$gte": "b"}}, "bcd"),
    ({"_id": {"$lt": "b"}}, "a"),
    ({"_id": {"$lte": "b"}}, "ab"),
    ({"n": {"$gt": 2}}, "cd"),
    ({"n": {"$gte": 2}}, "bcd"),
    ({"n": {"$lt": 2}}, "a"),
    ({"n": {"$lte": 2}}, "ab"),
    ({"at": {"$gt": NOON}}, "bc"),
    ({"at": {"$gte": NOON}}, "abc"),
    ({"at": {"$lt": NOON + HOUR}}, "a"),
    ({"at": {"$lte": NOON + HOUR}}, "ab"),
    ({"at": {"$gt": NOON, "$lte": NOON + HOUR}}, "b"),
    ({"at": {"$ne": NOON}}, "bcd"),
    ({"name": {"$ne": "Ann"}}, "bcd"),
    ({"name": {"$ne": None}}, "acd"),
    ({"on": {"$ne": True}}, "abd"),
    ({"tags": {"$ne": "y"}}, "cd"),
    ({"n": {"$in": [1, 3, 99]}}, "ac"),
    ({"name": {"$in": ["Ann", "dan"]}}, "ad"),
    ({"name": {"$nin": ["Ann", "dan"]}}, "bc"),
    ({"tags": {"$in": ["x", "z"]}}, "ad"),
    ({"name": {"$in": []}}, ""),
    ({"tags": {"$all": ["x", "y"]}}, "a"),
    ({"tags": {"$size": 0}}, "c"),
    ({"name": {"$regex": "an"}}, "d"),
    ({"name": {"$regex": "k\\ 🎉"}}, "c"),
    ({"tags": {"$regex": "y"}}, "ab"),
    ({"_id": {"$gte": "b", "$lte": "d"}, "name": {"$regex": "n"}, "tags": {"$ne": "z"}}, "c"),
    ({"on": {"$exists": True}}, "cd"),
    ({"on": {"$exists": False}}, "ab"),
    ({"$or": [{"_id": "a"}, {"n": 3}]}, "ac"),
    ({"$or": [{"at": {"$lt": NOON + HOUR}}, {"at": NOON + HOUR, "_id": {"$lt": "c"}}]}, "ab"),
    ({"$and": [{"n": {"$gt": 1}}, {"$or": [{"_id": "a"}, {"_id": "b"}]}]}, "b"),
    ({"$and": [{"name": {"$regex": "n"}}, {"name": {"$regex": "A"}}]}, "a"),
    ({"at": {"$gt": NOON}, "$and": [{"$or": [{"tags": "y"}, {"tags": "z"}]}]}, "b"),
]

UPDATES: list[tuple[Document, Document, Document]] = [
    ({}, {"$set": {"v": "text"}}, {"v": "text"}),
    ({"v": "old"}, {"$set": {"v": None}}, {"v": None}),
    ({"v": None}, {"$set": {"v": NOON}}, {"v": NOON}),
    ({"v": False}, {"$set": {"v": True}}, {"v": True}),
    ({"v": 1}, {"$set": {"v": 2.5, "w": "x"}}, {"v": 2.5, "w": "x"}),
    ({"v": [1]}, {"$set": {"v": ["a", "b"]}}, {"v": ["a", "b"]}),
    ({"v": ["a"]}, {"$set": {"v": []}}, {"v": []}),
    ({"v": 1}, {"$set": {"v": {"x": 1}}}, {"v": {"x": 1}}),
    ({"v": {"x": 1, "y": 2}}, {"$set": {"v.x": 5}}, {"v": {"x": 5, "y": 2}}),
    ({}, {"$set": {"v.x": "deep"}}, {"v": {"x": "deep"}}),
    ({"v": 1, "w": 2}, {"$unset": {"v": ""}}, {"w": 2}),
    ({"v": []}, {"$unset": {"v.x.y": ""}}, {"v": []}),
    ({"v": [{"x": [1]}]}, {"$pull": {"v.x.y": 1}}, {"v": [{"x": [1]}]}),
    ({}, {"$inc": {"v": 1}}, {"v": 1}),
    ({"v": 2**53}, {"$inc": {"v": 2}}, {"v": 2**53 + 2}),
    ({"v": []}, {"$set": {"v": [{"x": 1}, {"x": True}]}}, {"v": [{"x": 1}, {"x": True}]}),
    ({"v": {"x": 1}}, {"$inc": {"v.x": -1}}, {"v": {"x": 0}}),
    ({"v": NOON}, {"$max": {"v": NOON + HOUR}}, {"v": NOON + HOUR}),
    ({"v": NOON}, {"$max": {"v": NOON - HOUR}}, {"v": NOON}),
    ({"v": 5}, {"$max": {"v": 7}}, {"v": 7}),
    ({"v": 5}, {"$min": {"v": 3}}, {"v": 3}),
    ({"v": ["a"]}, {"$push": {"v": "b"}}, {"v": ["a", "b"]}),
    ({}, {"$push": {"v": "b"}}, {"v": ["b"]}),
    ({"v": [{"x": 1}]}, {"$push": {"v": {"x": 2}}}, {"v": [{"x": 1}, {"x": 2}]}),
    ({"v": ["a"]}, {"$addToSet": {"v": "a"}}, {"v": ["a"]}),
    ({"v": ["a"]}, {"$addToSet": {"v": "b"}}, {"v": ["a", "b"]}),
    ({"v": ["a", "b", "a"]}, {"$pull": {"v": "a"}}, {"v": ["b"]}),
    ({"v": [1]}, {"$push": {"v": 2**53}}, {"v": [1, 2**53]}),
    ({"v": [1, 2, 1]}, {"$pull": {"v": 1}}, {"v": [2]}),
    ({"v": [3]}, {"$set": {"v": [1, 2]}, "$inc": {"w": 1}}, {"v": [1, 2], "w": 1}),
    ({"v": 1, "w": 1}, {"$set": {"v": "x"}, "$inc": {"w": 1}}, {"v": "x", "w": 2}),
]


@pytest.fixture
async def things(store: Store) -> Collection:
    """An empty collection."""
    return store.database["things"]


@pytest.fixture(params=["plain", "indexed"])
async def filled(things: Collection, request: pytest.FixtureRequest) -> Collection:
    """The four documents, without and with indexes on what is asked for."""
    if request.param == "indexed":
        for field in ("n", "at", "name", "tags", "by.id", "on"):
            await things.create_index([(field, 1)])
        await things.create_index([("tags", 1), ("at", -1), ("_id", -1)])
        await things.create_index([("n", 1), ("name", 1), ("at", 1), ("_id", 1)])
    await fill(things)
    return things


async def fill(things: Collection) -> None:
    for document in DOCUMENTS:
        await things.insert_one(dict(document))


def ids(documents: list[Document]) -> str:
    return "".join(sorted(document["_id"] for document in documents))


class TestFilters:
    """Every filter means the same to every operation."""

    @pytest.mark.parametrize("indexed", [False, True])
    @pytest.mark.parametrize(
        ("condition", "found"),
        [
            (False, False),
            ([False], True),
            ({"$in": [False]}, False),
            ({"$gte": False}, False),
            ({"$ne": False}, True),
            ({"$size": 1}, True),
        ],
    )
    async def test_an_array_named_by_its_place_is_only_itself(
        self, things: Collection, indexed: bool, condition: Any, found: bool
    ) -> None:
        if indexed:
            await things.create_index([("v.0", 1)])
        await things.insert_one({"_id": "a", "v": [[False]]})
        assert bool(await things.count_documents({"v.0": condition})) is found

    async def test_reading(self, filled: Collection) -> None:
        """Reading gives exactly the documents that a filter means."""
        for filter, expected in FILTERS:
            assert ids(await filled.find(filter).to_list(None)) == expected, filter
            one = await filled.find_one(filter)
            assert (one["_id"] in expected) if one else not expected, filter
            assert await filled.count_documents(filter) == len(expected), filter

    async def test_updating(self, filled: Collection) -> None:
        """Changing meets exactly the documents that a filter means."""
        total = 0
        for filter, expected in FILTERS:
            one = await filled.update_one(filter, {"$inc": {"seen": 1}})
            assert one.matched_count == one.modified_count == min(1, len(expected)), filter
            many = await filled.update_many(filter, {"$inc": {"seen": 1}})
            assert many.matched_count == many.modified_count == len(expected), filter
            found = await filled.find_one_and_update(filter, {"$inc": {"seen": 1}})
            assert (found["_id"] in expected) if found else not expected, filter
            total += one.modified_count + many.modified_count + (found is not None)
        everything = await filled.find({}).to_list(None)
        assert sum(document["seen"] for document in everything) == total

    async def test_deleting_many(self, filled: Collection) -> None:
        """Deleting many leaves exactly the others."""
        for filter, expected in FILTERS:
            assert (await filled.delete_many(filter)).deleted_count == len(expected), filter
            left = ids(await filled.find({}).to_list(None))
            assert left == "".join(sorted(set("abcd") - set(expected))), filter
            await filled.delete_many({})
            await fill(filled)

    async def test_deleting_one(self, filled: Collection) -> None:
        """Deleting one takes one of those that the filter means."""
        for filter, expected in FILTERS:
            deleted = (await filled.delete_one(filter)).deleted_count
            assert deleted == min(1, len(expected)), filter
            gone = set("abcd") - set(ids(await filled.find({}).to_list(None)))
            assert len(gone) == deleted, filter
            assert gone <= set(expected), filter
            for document in DOCUMENTS:
                if document["_id"] in gone:
                    await filled.insert_one(dict(document))


class TestUpdates:
    """Every update does the same through every operation."""

    async def test_every_form(self, things: Collection) -> None:
        """An update leaves exactly the document that it means, and no other is touched."""
        for before, update, after in UPDATES:
            for name in ("one", "many", "found", "other"):
                await things.insert_one({"_id": name, "key": name} | before)
            await things.update_one({"_id": "one"}, update)
            await things.update_many({"key": "many"}, update)
            former = await things.find_one_and_update({"_id": "found"}, update)
            assert former == {"_id": "found", "key": "found"} | before, update
            for name in ("one", "many", "found"):
                found = await things.find_one({"_id": name})
                assert found == {"_id": name, "key": name} | after, update
            other = await things.find_one({"_id": "other"})
            assert other == {"_id": "other", "key": "other"} | before, update
            await things.delete_many({})

    async def test_return_after(self, things: Collection) -> None:
        """find_one_and_update gives the document as it is when asked for that."""
        await things.insert_one({"_id": "x", "n": 1})
        found = await things.find_one_and_update(
            {"_id": "x"}, {"$inc": {"n": 1}}, return_document=True
        )
        assert found == {"_id": "x", "n": 2}

    async def test_no_match(self, things: Collection) -> None:
        """An update that meets nothing changes nothing and says so."""
        result = await things.update_one({"_id": "x"}, {"$set": {"n": 1}})
        assert (result.matched_count, result.modified_count) == (0, 0)
        assert await things.find_one_and_update({"_id": "x"}, {"$set": {"n": 1}}) is None
        assert await things.count_documents({}) == 0

    async def test_unchanged(self, things: Collection) -> None:
        """Setting what is there already matches without modifying."""
        await things.insert_one({"_id": "x", "n": 1})
        result = await things.update_one({"_id": "x"}, {"$set": {"n": 1}})
        assert (result.matched_count, result.modified_count) == (1, 0)

    async def test_upsert(self, things: Collection) -> None:
        """An upsert makes the document from filter and update, and the next one changes it."""
        first = await things.update_one({"_id": "x"}, {"$set": {"at": NOON}}, upsert=True)
        assert first.matched_count == 0
        again = await things.update_one({"_id": "x"}, {"$set": {"at": NOON + HOUR}}, upsert=True)
        assert again.matched_count == 1
        assert await things.find({}).to_list(None) == [{"_id": "x", "at": NOON + HOUR}]

    async def test_setting_bytes(self, things: Collection) -> None:
        """Bytes come back as bytes, whatever is among them, also after a change."""
        for data in (b"", bytes(range(256)), b"\0after"):
            await things.update_one({"_id": "x"}, {"$set": {"data": data}}, upsert=True)
            assert await things.find({}).to_list(None) == [{"_id": "x", "data": data}]

    async def test_upsert_returning(self, things: Collection) -> None:
        """A counter starts with 1 through an upsert that gives it back."""
        for expected in (1, 2):
            found = await things.find_one_and_update(
                {"_id": "c"}, {"$inc": {"n": 1}}, upsert=True, return_document=True
            )
            assert found == {"_id": "c", "n": expected}

    async def test_upsert_former(self, things: Collection) -> None:
        """An upsert asked for the former document gives None when there was none."""
        update = {"$set": {"n": 1}}
        assert await things.find_one_and_update({"_id": "c"}, update, upsert=True) is None
        former = await things.find_one_and_update({"_id": "c"}, update, upsert=True)
        assert former == {"_id": "c", "n": 1}


class TestReading:
    """Order, bounds and values."""

    @pytest.mark.parametrize(
        ("keys", "expected"),
        [
            ([("_id", 1)], "abcdef"),
            ([("_id", -1)], "fedcba"),
            ([("at", 1), ("_id", 1)], "abcdef"),
            ([("at", -1), ("_id", -1)], "fedcba"),
            ([("at", -1), ("_id", 1)], "efcdab"),
            ([("n", 1), ("at", -1), ("_id", -1)], "ecafdb"),
        ],
        ids=str,
    )
    @pytest.mark.parametrize("indexed", [False, True])
    async def test_sort(
        self, things: Collection, keys: list[tuple[str, int]], expected: str, indexed: bool
    ) -> None:
        """Documents come in the order of all keys, with an index and without."""
        if indexed and keys[0][0] != "_id":
            await things.create_index(keys)
        for position, name in enumerate("abcdef"):
            at = NOON + position // 2 * HOUR
            await things.insert_one({"_id": name, "at": at, "n": position % 2})
        found = await things.find({}).sort(keys).to_list(None)
        assert "".join(document["_id"] for document in found) == expected
        page = await things.find({}).sort(keys).limit(2).to_list(2)
        assert "".join(document["_id"] for document in page) == expected[:2]

    @pytest.mark.parametrize("direction", [1, -1])
    async def test_pages_of_a_search(self, things: Collection, direction: int) -> None:
        """Pages have what contains a text in order, each once, however few or many do."""
        for n in range(300):
            texts = [f"no {n}", "every tenth" if n % 10 == 0 else "not"]
            await things.insert_one({"_id": f"c:{n:03d}", "texts": texts})
            await things.insert_one({"_id": f"d:{n:03d}", "texts": texts})
        span = {"$gte": "c:100", "$lte": "c:259"}
        for text, numbers in (
            ("no", range(100, 260)),
            ("every", range(100, 260, 10)),
            ("no 25", range(250, 260)),
            ("no 9", []),
        ):
            expected = [f"c:{n:03d}" for n in [*numbers][::direction]]
            query = {"_id": span, "texts": {"$regex": text}}
            for limit in (1, 7, 50, 500):
                found = await things.find(query).sort([("_id", direction)]).limit(limit).to_list(9)
                assert [each["_id"] for each in found] == expected[: min(9, limit)], text
            walked = things.find(query).sort([("_id", direction)])
            assert [each["_id"] async for each in walked] == expected, text

    async def test_numbers_sort_as_numbers(self, things: Collection) -> None:
        """10 comes after 9."""
        for n in (10, 9, 100):
            await things.insert_one({"_id": str(n), "n": n})
        found = await things.find({"n": {"$gt": 8}}).sort([("n", 1)]).to_list(None)
        assert [document["n"] for document in found] == [9, 10, 100]

    @pytest.mark.parametrize("indexed", [False, True])
    async def test_integers_that_no_double_holds(self, things: Collection, indexed: bool) -> None:
        """Integers of up to 64 bits are found and sorted by their exact value."""
        if indexed:
            await things.create_index([("n", 1)])
        numbers = [-(2**63), -(2**53) - 1, -(2**53), 2**53, 2**53 + 1, 2**53 + 2, 2**63 - 1]
        for n in reversed(numbers):
            await things.insert_one({"_id": str(n), "n": n})
        found = await things.find({}).sort([("n", 1)]).to_list(None)
        assert [document["n"] for document in found] == numbers
        for at, n in enumerate(numbers):
            assert await things.count_documents({"n": n}) == 1
            above = await things.find({"n": {"$gt": n}}).sort([("n", 1)]).to_list(None)
            assert [document["n"] for document in above] == numbers[at + 1 :]

    async def test_iteration(self, filled: Collection) -> None:
        """A cursor can be walked through one by one."""
        assert [document["_id"] async for document in filled.find({}).sort([("_id", 1)])] == [
            *"abcd"
        ]

    async def test_only_some_fields(self, filled: Collection) -> None:
        """Documents read with `only` have those of the fields that they had, and their `_id`."""
        found = filled.find({"n": {"$gt": 1}}, only=["name", "on"]).sort([("at", -1)])
        assert await found.to_list(None) == [
            {"_id": "c", "name": "Čeněk 🎉 '\"", "on": True},
            {"_id": "b", "name": None},
            {"_id": "d", "name": "dan", "on": False},
        ]
        whole = await filled.find({"_id": "a"}, only=[]).to_list(None)
        assert whole == DOCUMENTS[:1]

    async def test_length(self, filled: Collection) -> None:
        """to_list gives no more than it was asked for."""
        assert len(await filled.find({}).to_list(3)) == 3

    async def test_values(self, things: Collection) -> None:
        """Every value that models keep comes back equal and of its type; times are UTC."""
        document = {
            "_id": 'quote " and dot.dot and 🎉',
            "text": "naïve 'text' \" \\ \x00 🎉 العربية",
            "long": "x" * 200_000,
            "truth": True,
            "nothing": None,
            "float": 0.1,
            "small": -1,
            "big": 2**62,
            "at": NOON,
            "nested": {"list": [{"deep": [1, "a", None, NOON]}]},
            "empty": {"list": [], "document": {}},
        }
        await things.insert_one(dict(document))
        found = await things.find_one({"_id": document["_id"]})
        assert found == document
        assert found["at"].utcoffset() == timedelta(0)
        assert isinstance(found["truth"], bool)

    async def test_index_again(self, things: Collection) -> None:
        """Making an index that is there already changes nothing."""
        keys = [("at", -1), ("_id", -1)]
        assert await things.create_index(keys) == await things.create_index(keys)


class TestUniqueness:
    """The `_id` is the one unique key."""

    async def test_duplicate(self, things: Collection) -> None:
        """A second document with an `_id` is refused, and the first stays."""
        await things.insert_one({"_id": "x", "n": 1})
        with pytest.raises(DuplicateKeyError):
            await things.insert_one({"_id": "x", "n": 2})
        assert await things.find_one({"_id": "x"}) == {"_id": "x", "n": 1}

    async def test_racing_inserts(self, things: Collection) -> None:
        """Of fifty racing for one `_id`, exactly one wins and its document is the one kept."""

        async def insert(n: int) -> int | None:
            try:
                await things.insert_one({"_id": "x", "n": n})
            except DuplicateKeyError:
                return None
            return n

        won = [n for n in await asyncio.gather(*map(insert, range(50))) if n is not None]
        assert [await things.find_one({"_id": "x"})] == [{"_id": "x", "n": n} for n in won]


class TestAtomicity:
    """A change to one document is whole, whoever else is at it."""

    async def test_counter(self, things: Collection) -> None:
        """A hundred racing increments give a hundred different numbers."""
        await things.insert_one({"_id": "c", "n": 0})

        async def take() -> Any:
            found = await things.find_one_and_update(
                {"_id": "c"}, {"$inc": {"n": 1}}, return_document=True
            )
            return found and found["n"]

        assert sorted(await asyncio.gather(*(take() for _ in range(100)))) == [*range(1, 101)]

    async def test_claim(self, things: Collection) -> None:
        """Of fifty that change a document on a condition, one meets it."""
        await things.insert_one({"_id": "x", "owner": None})

        async def claim(n: int) -> int:
            result = await things.update_one({"_id": "x", "owner": None}, {"$set": {"owner": n}})
            return result.matched_count

        assert sum(await asyncio.gather(*map(claim, range(50)))) == 1

    async def test_guarded_push(self, things: Collection) -> None:
        """A member is added and counted once, however many add it at the same time."""
        await things.insert_one({"_id": "x", "members": [], "count": 0})

        async def add(member: str) -> None:
            await things.update_one(
                {"_id": "x", "members": {"$ne": member}},
                {"$push": {"members": member}, "$inc": {"count": 1}},
            )

        await asyncio.gather(*(add(str(n % 10)) for n in range(50)))
        found = await things.find_one({"_id": "x"})
        assert found is not None
        assert sorted(found["members"]) == [*"0123456789"]
        assert found["count"] == 10
