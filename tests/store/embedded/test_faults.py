"""A store that fails: what callers get, what goes on, what the log says, and how it comes back."""

import asyncio
import logging
import os
import shutil
import sqlite3
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, closing, contextmanager
from pathlib import Path

import pytest

from app.storage.embedded import EmbeddedDatabase, file, open_embedded
from app.storage.embedded.health import Health
from app.storage.faults import (
    Closed,
    Corrupt,
    DiskFull,
    Failing,
    FilesGone,
    Locked,
    StoreFault,
    fault_of,
)
from models.errors import Unavailable

ROOMY = "x" * 50_000


@contextmanager
def full(database: EmbeddedDatabase) -> Iterator[None]:
    """Return SQLite no page more than it has: what a full disk is to it."""
    # A running application's is wrapped in one that measures.
    database = getattr(database, "_database", database)
    connection = database._writer._transaction.connection
    (pages,) = connection.execute("PRAGMA page_count").fetchone()
    (most,) = connection.execute("PRAGMA max_page_count").fetchone()
    connection.execute(f"PRAGMA max_page_count = {pages}")
    yield
    connection.execute(f"PRAGMA max_page_count = {most}")


@asynccontextmanager
async def opened(path: Path) -> AsyncIterator[EmbeddedDatabase]:
    """A database that is closed in the end."""
    database = await open_embedded(path)
    yield database
    await database.close()


async def fill(database: EmbeddedDatabase, numbers: range) -> list[str]:
    """Write large documents at once; return the ids of those that were acknowledged."""

    async def write(n: int) -> str | None:
        try:
            await database["things"].insert_one({"_id": f"{n}", "text": ROOMY})
        except DiskFull:
            return None
        return f"{n}"

    written = await asyncio.gather(*map(write, numbers))
    return [name for name in written if name]


def move(path: Path, folder: Path) -> None:
    """Move a database's files, those of SQLite beside it included."""
    folder.mkdir(exist_ok=True)
    for each in path.parent.glob(f"{path.name}*"):
        each.rename(folder / each.name)


async def names(database: EmbeddedDatabase) -> list[str]:
    return sorted([each["_id"] for each in await database["things"].find({}).to_list(None)])


async def test_disk_full(embedded: EmbeddedDatabase, caplog: pytest.LogCaptureFixture) -> None:
    """Writes are refused with the reason, reading goes on, and room is all it takes to go on."""
    await embedded["things"].insert_one({"_id": "before"})
    with full(embedded):
        for _ in range(20):
            with pytest.raises(DiskFull) as refused:
                await embedded["things"].insert_one({"_id": "big", "text": ROOMY})
        assert isinstance(refused.value, Unavailable)
        assert refused.value.code == "unavailable"
        assert refused.value.retry_after_s
        assert await names(embedded) == ["before"]
        # What needs no room can still be done.
        changed = await embedded["things"].update_one({"_id": "before"}, {"$set": {"a": 1}})
        assert changed.modified_count == 1
        with pytest.raises(DiskFull):
            await embedded["things"].insert_one({"_id": "big", "text": ROOMY})
    await embedded["things"].insert_one({"_id": "big", "text": ROOMY})
    await embedded.ping()
    assert await names(embedded) == ["before", "big"]
    errors = [record for record in caplog.records if record.levelno == logging.ERROR]
    assert [record.getMessage() for record in errors] == [
        "store: The database cannot be written: its disk is full. [SQLITE_FULL]",
    ]
    assert all(record.exc_info is None for record in caplog.records)


async def test_disk_full_and_ping(embedded: EmbeddedDatabase) -> None:
    """A ping says what is wrong until something could be written, and finds that out itself."""
    with full(embedded), pytest.raises(DiskFull):
        await embedded["things"].insert_one({"_id": "big", "text": ROOMY})
    fault = embedded._health.fault
    assert isinstance(fault, DiskFull)
    await embedded.ping()
    assert embedded._health.fault is None


async def test_disk_full_in_a_batch(embedded: EmbeddedDatabase) -> None:
    """Of writes that wait together those that have room are made; what was acknowledged stays."""
    await fill(embedded, range(5))
    await embedded["counters"].insert_one({"_id": "x", "n": 0})
    with full(embedded):
        small = asyncio.gather(
            *(embedded["counters"].update_one({"_id": "x"}, {"$inc": {"n": 1}}) for _ in range(5))
        )
        assert await fill(embedded, range(5, 35)) == []
        assert [result.modified_count for result in await small] == [1] * 5
    assert await embedded["counters"].find_one({"_id": "x"}) == {"_id": "x", "n": 5}
    assert await names(embedded) == [*"01234"]


async def test_locked(
    path: Path, embedded: EmbeddedDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A process that holds the file too long makes writes fail, not reads, and only meanwhile."""
    await embedded["things"].insert_one({"_id": "before"})
    embedded._writer._transaction.connection.execute("PRAGMA busy_timeout = 50")
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(Locked):
            await embedded["things"].insert_one({"_id": "during"})
        assert await names(embedded) == ["before"]
        other.execute("ROLLBACK")
    await embedded["things"].insert_one({"_id": "after"})
    assert await names(embedded) == ["after", "before"]


async def test_files_deleted(path: Path, embedded: EmbeddedDatabase) -> None:
    """Nothing is acknowledged that only this process could still read; what it can read it reads.

    Files that come back are taken on again.
    """
    await embedded["things"].insert_one({"_id": "before"})
    away = path.parent / "away"
    move(path, away)
    with pytest.raises(FilesGone):
        await embedded["things"].insert_one({"_id": "during"})
    with pytest.raises(FilesGone):
        await embedded.ping()
    assert await names(embedded) == ["before"]
    assert os.listdir(path.parent) == [away.name]
    move(away / path.name, path.parent)
    await embedded["things"].insert_one({"_id": "after"})
    await embedded.ping()
    assert await names(embedded) == ["after", "before"]


async def test_wal_deleted(path: Path, embedded: EmbeddedDatabase, tmp_path: Path) -> None:
    """What was acknowledged is moved to the database file; a restart goes on with all of it."""
    for n in range(50):
        await embedded["things"].insert_one({"_id": f"{n:02d}"})
    everything = [f"{n:02d}" for n in range(50)]
    path.with_name(f"{path.name}-wal").unlink()
    with pytest.raises(FilesGone, match=r"WAL was deleted .*: restart the server"):
        await embedded.ping()
    with pytest.raises(FilesGone, match="WAL was deleted"):
        await embedded["things"].insert_one({"_id": "during"})
    assert await names(embedded) == everything
    # As a process that is killed now leaves it.
    killed = tmp_path / "killed.sqlite3"
    shutil.copyfile(path, killed)
    async with opened(killed) as found:
        assert await names(found) == everything
    await embedded.close()
    async with opened(path) as again:
        await again["things"].insert_one({"_id": "after"})
        assert await names(again) == [*everything, "after"]
        assert await again.check() == []


async def test_file_replaced(
    path: Path, embedded: EmbeddedDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another file in its place, as a backup that was put back, is not mixed with the open one."""
    monkeypatch.setattr(file, "SETTLED_S", 3600.0)
    await embedded["things"].insert_one({"_id": "before"})
    backup = path.with_name("backup.sqlite3")
    await embedded.backup(backup)
    backup.replace(path)
    with pytest.raises(FilesGone):
        await embedded["things"].insert_one({"_id": "during"})


@pytest.fixture
def settled(monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that was put in the place of the open one is whole as soon as it is there."""
    monkeypatch.setattr(file, "SETTLED_S", 0.0)


@pytest.mark.usefixtures("settled")
async def test_a_backup_put_back(
    path: Path, embedded: EmbeddedDatabase, caplog: pytest.LogCaptureFixture
) -> None:
    """A server goes on with a backup, also one of other collections, and says so once.

    The older file's WAL, which has what came after the backup, is not mixed with it.
    """
    caplog.set_level(logging.WARNING)
    await embedded["others"].insert_one({"_id": "first", "n": 1})
    await embedded["things"].insert_one({"_id": "before"})
    backup = path.with_name("backup.sqlite3")
    await embedded.backup(backup)
    async with opened(path.with_name("different.sqlite3")) as different:
        await different["things"].create_index([("n", 1)])
        await different["things"].insert_one({"_id": "different", "n": 1})
    for n in range(20):
        await embedded["things"].insert_one({"_id": f"{n}", "text": ROOMY})
    path.with_name("different.sqlite3").replace(path)
    await embedded.ping()
    assert await names(embedded) == ["different"]
    assert await embedded["things"].find({"n": 1}).to_list(None) == [{"_id": "different", "n": 1}]
    assert await embedded["others"].find_one({"_id": "first"}) is None
    await embedded["others"].insert_one({"_id": "second"})
    backup.replace(path)
    await embedded["things"].insert_one({"_id": "after"})
    assert await names(embedded) == ["after", "before"]
    assert await embedded["others"].find_one({"_id": "first"}) == {"_id": "first", "n": 1}
    assert await embedded.check() == []
    line = "store: the database's file was replaced by a whole one, which is used now"
    assert [each.getMessage() for each in caplog.records] == [line, line]
    async with opened(path) as again:
        assert await names(again) == ["after", "before"]


@pytest.mark.usefixtures("settled")
async def test_two_processes_and_a_backup(path: Path, embedded: EmbeddedDatabase) -> None:
    """The second that goes on with a backup leaves what the first has written to it."""
    async with opened(path) as other:
        backup = path.with_name("backup.sqlite3")
        await embedded["things"].insert_one({"_id": "before"})
        await embedded.backup(backup)
        await other["things"].insert_one({"_id": "lost"})
        backup.replace(path)
        await embedded["things"].insert_one({"_id": "one"})
        await other["things"].insert_one({"_id": "two"})
        for each in (embedded, other):
            assert await names(each) == ["before", "one", "two"]
        assert await embedded.check() == []


async def test_a_backup_that_is_still_copied(
    path: Path, embedded: EmbeddedDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file that has just come is not used yet: it may be a part of one."""
    monkeypatch.setattr(file, "SETTLED_S", 3600.0)
    await embedded["things"].insert_one({"_id": "before"})
    backup = path.with_name("backup.sqlite3")
    await embedded.backup(backup)
    backup.replace(path)
    for _ in range(2):
        with pytest.raises(FilesGone):
            await embedded.ping()
    embedded._file._seen_at -= file.SETTLED_S
    await embedded.ping()
    assert await names(embedded) == ["before"]


@pytest.mark.usefixtures("settled")
async def test_a_damaged_backup(damaged: Path, path: Path, tmp_path: Path) -> None:
    """What is damaged, empty or of another program is not used; a whole one after it is."""
    whole, part = tmp_path / "whole", tmp_path / "part"
    async with opened(whole) as database:
        await database["things"].insert_one({"_id": "whole"})
    shutil.copyfile(damaged, part)
    async with opened(path) as database:
        with pytest.raises(Corrupt):
            await database["things"].find({}).to_list(None)
        part.replace(path)
        for _ in range(2):
            with pytest.raises(Corrupt, match="put in the place"):
                await database["things"].insert_one({"_id": "x"})
        (tmp_path / "empty").touch()
        (tmp_path / "empty").replace(path)
        with pytest.raises(FilesGone):
            await database["things"].insert_one({"_id": "x"})
        whole.replace(path)
        await database.ping()
        await database["things"].insert_one({"_id": "x"})
        assert await names(database) == ["whole", "x"]


@pytest.fixture
async def damaged(path: Path) -> Path:
    """A file of which pages in the middle were overwritten, and which was closed before that."""
    database = await open_embedded(path)
    await database.load("things", ({"_id": f"{n:05}", "text": "y" * 1000} for n in range(2000)))
    await database.close()
    with path.open("r+b") as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(size // 2 // 4096 * 4096)
        file.write(b"\xa5" * 4096 * 40)
    return path


async def test_corrupt(damaged: Path) -> None:
    """Documents elsewhere are read; nothing is written beside the damage; the ping says it."""
    database = await open_embedded(damaged)
    assert await database["things"].find_one({"_id": "00001"})
    await database["things"].insert_one({"_id": "new"})
    with pytest.raises(Corrupt):
        await database["things"].find({}).to_list(None)
    with pytest.raises(Corrupt):
        await database["things"].insert_one({"_id": "newer"})
    with pytest.raises(Corrupt):
        await database.ping()
    assert await database["things"].find_one({"_id": "00001"})
    assert await database["things"].find_one({"_id": "new"})
    assert await database.check()
    await database.close()


async def test_no_database(path: Path) -> None:
    """What is no database, or not one of ours, is not opened and not touched."""
    notes = path.with_name("notes")
    with notes.open("w") as file:
        file.write("notes of somebody\n" * 1000)
    with pytest.raises(Corrupt, match=str(notes)):
        await open_embedded(notes)
    with closing(sqlite3.connect(path)) as other:
        other.execute("CREATE TABLE notes (text)")
    with pytest.raises(Corrupt, match="not a database of this server"):
        await open_embedded(path)
    with closing(sqlite3.connect(path)) as other:
        assert other.execute("SELECT name FROM sqlite_master").fetchall() == [("notes",)]


async def test_another_format(path: Path, embedded: EmbeddedDatabase) -> None:
    """A file of a later release is refused, with both numbers."""
    embedded._writer._transaction.connection.execute("PRAGMA user_version = 99")
    with pytest.raises(Corrupt, match=r"format 99.* format 1\b"):
        await open_embedded(path)


async def test_no_folder(tmp_path: Path) -> None:
    """A folder that cannot be made is said in one sentence."""
    (tmp_path / "file").write_text("")
    with pytest.raises(Failing, match=r"folder .* cannot be made: (Not a directory|File exists)\."):
        await open_embedded(tmp_path / "file" / "data" / "x.sqlite3")


async def test_after_closing(path: Path) -> None:
    """What comes after the end is refused as unavailable; what waited then was written."""
    database = await open_embedded(path)
    writes = [
        asyncio.create_task(database["things"].insert_one({"_id": f"{n}"})) for n in range(50)
    ]
    await asyncio.sleep(0)
    await database.close()
    await asyncio.gather(*writes)
    for late in (
        database["things"].insert_one({"_id": "late"}),
        database["things"].find({}).to_list(None),
        database["things"].find_one({"_id": "1"}),
    ):
        with pytest.raises(Closed):
            await late
    again = await open_embedded(path)
    assert await again["things"].count_documents({}) == 50
    await again.close()


def test_log_lines_are_few(caplog: pytest.LogCaptureFixture) -> None:
    """A kind of fault is logged once a minute with the number of the others, and its end once."""
    now = 0.0
    health = Health(lambda: now)
    caplog.set_level(logging.WARNING)
    for _ in range(1000):
        health.failed(DiskFull("Full."))
    now = 61.0
    health.failed(DiskFull("Full."))
    health.succeeded()
    health.succeeded()
    assert [record.getMessage() for record in caplog.records] == [
        "store: Full. [DiskFull]",
        "store: Full. [DiskFull] (999 more failures since the last line)",
        "store: writes succeed again after 61 s",
    ]


def test_log_lines_of_a_nearly_full_disk(caplog: pytest.LogCaptureFixture) -> None:
    """Failures between writes that succeed are not logged more often; health follows each."""
    now = 0.0
    health = Health(lambda: now)
    caplog.set_level(logging.WARNING)
    for _ in range(1000):
        health.failed(DiskFull("Full."))
        assert health.fault is not None
        health.succeeded()
        assert health.fault is None
    now = 60.0
    health.failed(DiskFull("Full."))
    now = 62.0
    health.succeeded()
    assert [record.getMessage() for record in caplog.records] == [
        "store: Full. [DiskFull]",
        "store: writes succeed again after 0 s",
        "store: Full. [DiskFull] (999 more failures since the last line)",
        "store: writes succeed again after 2 s",
    ]


def test_mistakes_are_no_faults() -> None:
    """An error in a statement is not called a fault of the disk."""
    with closing(sqlite3.connect(":memory:")) as connection:
        with pytest.raises(sqlite3.OperationalError) as mistake:
            connection.execute("SELECT nothing")
        with pytest.raises(sqlite3.OperationalError):
            fault_of(mistake.value)
    assert issubclass(StoreFault, Unavailable)
