"""Documents by their keys, several at once."""

from app.storage import Store


async def test_those_that_are_there(store: Store) -> None:
    """Each document asked for and there comes once, whatever else is asked for or there."""
    things = store.database["things"]
    for name in "abcd":
        await things.insert_one({"_id": name, "bytes": name.encode() * 3 + b"\0\xff"})
    found = await things.find_ids(["b", "missing", "d"])
    assert sorted(document["_id"] for document in found) == ["b", "d"]
    assert {document["bytes"] for document in found} == {b"bbb\0\xff", b"ddd\0\xff"}
    assert await things.find_ids([]) == []
