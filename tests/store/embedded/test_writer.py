"""Many writes in one commit, each by itself."""

import asyncio
import itertools
import os
import sqlite3
import threading
from contextlib import closing, suppress
from pathlib import Path

import pytest
from pymongo.errors import DuplicateKeyError, WriteError

from app.storage.embedded import EmbeddedDatabase, open_embedded, writer
from app.storage.embedded.file import BUSY_S
from app.storage.embedded.transaction import Transaction
from app.storage.faults import FORKED, Closed, Unclear, WalFull
from models.errors import Unavailable


class Held:
    """Keeps the writer busy with one change, so that others wait together behind it."""

    def __init__(self, database: EmbeddedDatabase) -> None:
        self._database = database
        self._go = threading.Event()
        self.commits = 0

    async def __aenter__(self) -> "Held":
        begun = threading.Event()

        def wait(writing: Transaction) -> None:
            begun.set()
            self._go.wait()

        self._holding = asyncio.create_task(self._database._writer.write(wait))
        await asyncio.to_thread(begun.wait)
        transaction = self._database._writer._transaction
        commit = transaction.commit

        def counted() -> None:
            self.commits += 1
            commit()

        transaction.commit = counted  # type: ignore[method-assign]
        return self

    async def go(self) -> None:
        """Let the writer go on with what waits."""
        self._go.set()
        await self._holding

    async def __aexit__(self, *_: object) -> None:
        self._go.set()


async def test_one_commit(embedded: EmbeddedDatabase) -> None:
    """A hundred writes that wait are made in one commit; the one that held them had its own."""
    async with Held(embedded) as held:
        writes = [
            asyncio.create_task(embedded["things"].insert_one({"_id": f"{n}"})) for n in range(100)
        ]
        await asyncio.sleep(0)
        await held.go()
        await asyncio.gather(*writes)
        assert held.commits == 2
    assert await embedded["things"].count_documents({}) == 100


async def test_what_one_turn_of_the_loop_asks_for(embedded: EmbeddedDatabase) -> None:
    """It is one commit, also when nothing else is under way; what is beyond the bound follows."""
    things = embedded["things"]
    for count, commits in ((8, 1), (writer.BATCH + 1, 2)):
        async with Held(embedded) as held:
            await held.go()
            before = held.commits
            await asyncio.gather(*(things.insert_one({"n": n}) for n in range(count)))
            assert held.commits - before == commits
            await things.delete_many({})


async def test_closing_makes_what_was_asked_for_just_now(path: Path) -> None:
    """A write that the loop has not handed over yet is made before the file is closed."""
    database = await open_embedded(path)
    writing = asyncio.ensure_future(database["things"].insert_one({"_id": "x"}))
    asyncio.get_running_loop().call_soon(database._writer.close)
    await writing
    database._readers.close()
    again = await open_embedded(path)
    assert await again["things"].find_one({"_id": "x"}) == {"_id": "x"}
    await again.close()


async def test_failing_alone(embedded: EmbeddedDatabase) -> None:
    """Of writes in one commit those that fail are refused, and the others are made, in order."""
    things = embedded["things"]
    await things.insert_one({"_id": "x", "text": "t"})

    def spoil(writing: Transaction) -> None:
        writing.insert("things", b"\x1espoilt\x00", b"\x05\0\0\0\0")
        raise RuntimeError("after a part was written")

    async with Held(embedded) as held:
        writes = [
            asyncio.create_task(each)
            for each in (
                things.insert_one({"_id": "y", "n": 0}),
                things.insert_one({"_id": "x"}),
                things.update_one({"_id": "y"}, {"$inc": {"n": 1}}),
                things.update_one({"_id": "x"}, {"$inc": {"text": 1}}),
                embedded._writer.write(spoil),
                things.update_one({"_id": "y"}, {"$inc": {"n": 1}}),
            )
        ]
        await asyncio.sleep(0)
        await held.go()
        results = await asyncio.gather(*writes, return_exceptions=True)
    kinds = [type(each) for each in results if isinstance(each, BaseException)]
    assert kinds == [DuplicateKeyError, WriteError, RuntimeError]
    assert sorted(await things.find({}).to_list(None), key=lambda each: str(each["_id"])) == [
        {"_id": "x", "text": "t"},
        {"_id": "y", "n": 2},
    ]


async def test_a_cancelled_caller(embedded: EmbeddedDatabase) -> None:
    """Who is cancelled while a write waits does not stop it, nor those that wait with it."""
    async with Held(embedded) as held:
        writes = [
            asyncio.create_task(embedded["things"].insert_one({"_id": f"{n}"})) for n in range(3)
        ]
        await asyncio.sleep(0)
        writes[1].cancel()
        await held.go()
        await asyncio.wait(writes)
    assert writes[1].cancelled()
    assert await embedded["things"].count_documents({}) == 3


async def test_documents_that_change_while_they_wait(embedded: EmbeddedDatabase) -> None:
    """What is written is what it was when it was asked for."""
    document = {"_id": "x", "list": [1]}
    update = {"$set": {"list": [2]}}
    async with Held(embedded) as held:
        inserting = asyncio.create_task(embedded["things"].insert_one(document))
        changing = asyncio.create_task(embedded["things"].update_one({"_id": "x"}, update))
        await asyncio.sleep(0)
        document["list"].append(9)
        update["$set"]["list"].append(9)
        await held.go()
        await asyncio.gather(inserting, changing)
    assert await embedded["things"].find_one({}) == {"_id": "x", "list": [2]}


async def test_wal_is_bounded(
    path: Path, embedded: EmbeddedDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A WAL that a reader kept from being emptied shrinks when that reader has gone."""
    monkeypatch.setattr(writer, "WAL_BYTES_MAX", 2**20)
    monkeypatch.setattr(writer, "EMPTYING_EVERY_S", 0.0)
    monkeypatch.setattr(writer, "EMPTYING_WAIT_MS", 1)
    wal = path.with_name(f"{path.name}-wal")
    with closing(sqlite3.connect(path, isolation_level=None)) as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT * FROM meta").fetchall()
        for n in range(40):
            await embedded["things"].insert_one({"_id": f"{n}", "text": "x" * 2**17})
        assert os.stat(wal).st_size > 4 * 2**20
        reader.execute("ROLLBACK")
    await embedded["things"].insert_one({"_id": "last"})
    assert os.stat(wal).st_size <= 2**20
    assert await embedded["things"].count_documents({}) == 41


async def test_a_reader_that_does_not_end(
    path: Path, embedded: EmbeddedDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Beyond the last bound of the WAL writes are refused, reads are not, and only meanwhile."""
    monkeypatch.setattr(writer, "WAL_BYTES_MAX", 2**20)
    monkeypatch.setattr(writer, "WAL_BYTES_REFUSED", 2**21)
    monkeypatch.setattr(writer, "EMPTYING_EVERY_S", 0.0)
    monkeypatch.setattr(writer, "EMPTYING_WAIT_MS", 1)
    wal = path.with_name(f"{path.name}-wal")
    big = "x" * 2**17
    written = 0
    with closing(sqlite3.connect(path, isolation_level=None)) as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT * FROM meta").fetchall()
        with suppress(WalFull):
            for n in range(100):
                await embedded["things"].insert_one({"_id": f"{n}", "text": big})
                written += 1
        assert os.stat(wal).st_size < 2**21 + 2**19
        with pytest.raises(WalFull):
            await embedded.ping()
        assert await embedded["things"].count_documents({}) == written
        assert writer_waits_ms(embedded) == BUSY_S * 1000
        reader.execute("ROLLBACK")
    await embedded.ping()
    await embedded["things"].insert_one({"_id": "last"})
    assert await embedded["things"].count_documents({}) == written + 1


def writer_waits_ms(embedded: EmbeddedDatabase) -> int:
    """Return how long the writer's statements wait for another process."""
    connection = embedded._writer._transaction.connection
    waits: int = connection.execute("PRAGMA busy_timeout").fetchone()[0]
    return waits


def fail_second_commit(database: EmbeddedDatabase, name: str, *, happens: bool) -> None:
    """Make the commit after the next one end with an error of the disk, as it happens or not."""
    transaction = database._writer._transaction
    commit, connection = transaction.commit, transaction.connection
    commits = itertools.count(1)

    def second_fails() -> None:
        is_failing = next(commits) == 2
        if not is_failing or happens:
            commit()
        elif name != "SQLITE_BUSY":
            connection.execute("ROLLBACK")  # as SQLite does itself
        if is_failing:
            error = sqlite3.OperationalError("disk I/O error")
            error.sqlite_errorname = name
            raise error

    transaction.commit = second_fails  # type: ignore[method-assign]


@pytest.mark.parametrize("happens", [True, False])
async def test_a_commit_that_fails(embedded: EmbeddedDatabase, happens: bool) -> None:
    """What may have been written is not made again: the caller gets to know that it is not known.

    A change that failed by itself keeps its own error.
    """
    things = embedded["things"]
    await things.insert_one({"_id": "x", "n": 0})
    async with Held(embedded) as held:
        writes = [
            asyncio.create_task(each)
            for each in (
                things.update_one({"_id": "x"}, {"$inc": {"n": 1}}),
                things.insert_one({"_id": "x"}),
                things.update_one({"_id": "x"}, {"$inc": {"n": 1}}),
            )
        ]
        await asyncio.sleep(0)
        fail_second_commit(embedded, "SQLITE_IOERR_FSYNC", happens=happens)
        await held.go()
        results = await asyncio.gather(*writes, return_exceptions=True)
    assert [type(each) for each in results] == [Unclear, DuplicateKeyError, Unclear]
    found = await things.find_one({"_id": "x"})
    assert found is not None
    assert found["n"] == (2 if happens else 0)
    assert issubclass(Unclear, Unavailable)
    await embedded.ping()
    assert (await things.update_one({"_id": "x"}, {"$inc": {"n": 1}})).modified_count == 1


@pytest.mark.parametrize("name", ["SQLITE_BUSY", "SQLITE_FULL"])
async def test_a_commit_that_left_nothing(embedded: EmbeddedDatabase, name: str) -> None:
    """Where a commit is known to have left nothing, each of its changes is made by itself."""
    things = embedded["things"]
    await things.insert_one({"_id": "x", "n": 0})
    async with Held(embedded) as held:
        writes = [
            asyncio.create_task(things.update_one({"_id": "x"}, {"$inc": {"n": 1}}))
            for _ in range(5)
        ]
        await asyncio.sleep(0)
        fail_second_commit(embedded, name, happens=False)
        await held.go()
        assert [each.modified_count for each in await asyncio.gather(*writes)] == [1] * 5
    assert await things.find_one({"_id": "x"}) == {"_id": "x", "n": 5}


def test_after_a_fork(path: Path) -> None:
    """A process forked from one that has the database open is refused, and disturbs nothing."""

    async def attempts(database: EmbeddedDatabase) -> list[str]:
        things = database["things"]
        refused = []
        for attempt in (things.insert_one({}), things.find_one({"_id": "x"}), things.find_one({})):
            try:
                await attempt
            except Closed as error:
                refused.append(error.message)
        await database.close()
        return refused

    with asyncio.Runner() as parent:
        database = parent.run(open_embedded(path))
        parent.run(database["things"].insert_one({"_id": "x"}))
        child = os.fork()
        if child == 0:  # pragma: no cover - in another process
            refused = asyncio.run(attempts(database))
            os._exit(0 if refused == [FORKED] * 3 else 1)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        parent.run(database["things"].insert_one({"_id": "y"}))
        assert parent.run(database["things"].count_documents({})) == 2
        assert parent.run(database.check()) == []
        parent.run(database.close())


async def test_two_processes_of_one_file(path: Path, embedded: EmbeddedDatabase) -> None:
    """What one has acknowledged the other sees: documents, collections, indexes; numbers differ.

    Two openings in one process are to SQLite what two processes are.
    """
    other = await open_embedded(path)
    try:
        await embedded["things"].insert_one({"_id": "x", "n": 0, "tags": "a"})
        assert await other["things"].find_one({"_id": "x"}) is not None
        await other["things"].create_index([("tags", 1)])
        await embedded["things"].insert_one({"_id": "y", "tags": ["a", "b"]})
        assert await other["things"].count_documents({"tags": "a"}) == 2
        assert await other["things"].find({}).sort([("tags", -1), ("_id", 1)]).to_list(1) == [
            {"_id": "y", "tags": ["a", "b"]}
        ]

        async def number(database: EmbeddedDatabase) -> int:
            found = await database["things"].find_one_and_update(
                {"_id": "x"}, {"$inc": {"n": 1}}, return_document=True
            )
            assert found is not None
            return int(found["n"])

        both = (embedded, other) * 50
        assert sorted(await asyncio.gather(*map(number, both))) == [*range(1, 101)]
        assert await embedded.check() == []
    finally:
        await other.close()
