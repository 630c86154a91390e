"""What the contract does not prove, the embedded store does not do."""

from typing import Any

import pytest
from pymongo.errors import DocumentTooLarge, WriteError

from app.storage.embedded import EmbeddedDatabase
from app.storage.embedded.filters import Unsupported


@pytest.mark.parametrize(
    ("filter", "named"),
    [
        ({"$nor": [{"a": 1}]}, r"\$nor"),
        ({"$text": [{}]}, r"\$text"),
        ({"$expr": {}}, r"\$expr"),
        ({"a": {"$not": {"$gt": 1}}}, r"\$not"),
        ({"a": {"$eq": 1}}, r"\$eq"),
        ({"a": {"$type": "string"}}, r"\$type"),
        ({"a": {"$mod": [2, 0]}}, r"\$mod"),
        ({"a": {"$elemMatch": {"b": 1}}}, r"\$elemMatch"),
        ({"a": {"$regex": "x", "$options": "i"}}, r"\$options"),
        ({"a": {"$regex": "^x"}}, r"\$regex.*\^"),
        ({"a": {"$regex": r"\d"}}, r"\$regex"),
        ({"a": {"$regex": 1}}, r"\$regex"),
        ({"a": {"$gt": [1]}}, r"\$gt"),
        ({"a": {"$lte": {"b": 1}}}, r"\$lte"),
        ({"a": {"$in": 1}}, r"\$in"),
        ({"a": {"$in": [{"$gt": 1}]}}, r"\$in"),
        ({"a": {"$size": 1.5}}, r"\$size"),
        ({"a": {"$exists": 1}}, r"\$exists"),
        ({"$or": []}, r"\$or"),
        ({"$or": [{"a": {"$near": 1}}]}, r"\$near"),
    ],
    ids=str,
)
async def test_filters(embedded: EmbeddedDatabase, filter: dict[str, Any], named: str) -> None:
    """Every operation refuses an operator or operand that it does not know, and names it."""
    things = embedded["things"]
    await things.insert_one({"_id": "x", "a": 1})
    with pytest.raises(Unsupported, match=named):
        await things.find_one(filter)
    with pytest.raises(Unsupported, match=named):
        things.find(filter)
    with pytest.raises(Unsupported, match=named):
        await things.update_one(filter, {"$set": {"a": 2}})
    with pytest.raises(Unsupported, match=named):
        await things.delete_many(filter)
    assert await things.find({}).to_list(None) == [{"_id": "x", "a": 1}]


@pytest.mark.parametrize(
    ("update", "error", "named"),
    [
        ({"$rename": {"a": "b"}}, Unsupported, r"\$rename"),
        ({"$mul": {"a": 2}}, Unsupported, r"\$mul"),
        ({"$currentDate": {"a": True}}, Unsupported, r"\$currentDate"),
        ({"$setOnInsert": {"a": 2}}, Unsupported, r"\$setOnInsert"),
        ({"$pop": {"list": 1}}, Unsupported, r"\$pop"),
        ({"$push": {"list": {"$each": [1]}}}, Unsupported, r"\$each"),
        ({"$addToSet": {"list": {"$each": [1]}}}, Unsupported, r"\$each"),
        ({"$pull": {"list": {"$gt": 1}}}, Unsupported, r"\$pull"),
        ({"$set": {"list.$": 1}}, Unsupported, "positional"),
        ({"$set": {"list.$[]": 1}}, Unsupported, "positional"),
        ({"b": {"c": 2}}, ValueError, r"\$ operators"),
        ({}, ValueError, r"\$ operators"),
        ({"$set": {"a": 2}, "$inc": {"a": 1}}, WriteError, "conflict"),
        ({"$set": {"b": {}, "b.c": 1}}, WriteError, "conflict"),
        ({"$set": {"a.b": 2}}, WriteError, "path"),
        ({"$set": {"nothing.b": 2}}, WriteError, "path"),
        ({"$set": {"list.b": 2}}, WriteError, "path"),
        ({"$set": {"b..c": 2}}, WriteError, "path"),
        ({"$set": {"_id": "y"}}, WriteError, "_id"),
        ({"$unset": {"_id": ""}}, WriteError, "_id"),
        ({"$inc": {"text": 1}}, WriteError, r"\$inc"),
        ({"$inc": {"nothing": 1}}, WriteError, r"\$inc"),
        ({"$inc": {"a": "1"}}, WriteError, r"\$inc"),
        ({"$inc": {"most": 1}}, WriteError, "64 bits"),
        ({"$push": {"a": 1}}, WriteError, r"\$push"),
        ({"$addToSet": {"nothing": 1}}, WriteError, r"\$addToSet"),
        ({"$pull": {"a": 1}}, WriteError, r"\$pull"),
        ({"$set": {"a": 2**63}}, OverflowError, "8-byte"),
        ({"$set": {"list.2000000": 1}}, WriteError, "end of an array"),
    ],
    ids=str,
)
async def test_updates(
    embedded: EmbeddedDatabase, update: dict[str, Any], error: type[Exception], named: str
) -> None:
    """An update that is not known, or cannot be made, leaves the document as it is."""
    things = embedded["things"]
    before = {"_id": "x", "a": 1, "text": "t", "nothing": None, "list": [1], "most": 2**63 - 1}
    await things.insert_one(dict(before))
    with pytest.raises(error, match=named):
        await things.update_one({"_id": "x"}, update)
    with pytest.raises(error, match=named):
        await things.update_many({}, update)
    with pytest.raises(error, match=named):
        await things.find_one_and_update({"_id": "x"}, update)
    assert await things.find({}).to_list(None) == [before]


async def test_documents(embedded: EmbeddedDatabase) -> None:
    """What MongoDB does not take is not taken: too large, an array as `_id`, parallel arrays."""
    things = embedded["things"]
    with pytest.raises(DocumentTooLarge):
        await things.insert_one({"_id": "x", "text": "x" * 2**24})
    with pytest.raises(Unsupported):
        await things.insert_one({"_id": ["x"]})
    with pytest.raises(UnicodeEncodeError):
        await things.insert_one({"_id": "x", "text": "\ud800"})
    await things.insert_one({"_id": "x", "text": "x" * (2**24 - 100)})
    with pytest.raises(WriteError, match="16 MB"):
        await things.update_one({"_id": "x"}, {"$set": {"more": "x" * 100}})
    await things.delete_many({})
    await things.create_index([("a", 1), ("b", 1)])
    with pytest.raises(WriteError, match="parallel arrays"):
        await things.insert_one({"_id": "x", "a": [1], "b": [1]})
    with pytest.raises(WriteError, match="keys in an index"):
        await things.insert_one({"_id": "x", "a": [*range(10_001)]})
    assert await things.count_documents({}) == 0
    assert await things.find_one({}) is None


async def test_parts_of_fields(embedded: EmbeddedDatabase) -> None:
    """Only whole fields can be asked for."""
    with pytest.raises(Unsupported, match="whole fields"):
        embedded["things"].find({}, only=["a.b"])
