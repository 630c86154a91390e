"""`python -m app store`: backups, checks, and databases of older releases."""

import asyncio
import os
import sqlite3
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from bson import Binary, ObjectId

from app.__main__ import parser
from app.storage import embedded_path, open_store
from models.errors import Unavailable
from tests.older_files import MARK, tagged, write_older_files
from tests.programs import free_port, run
from tests.test_processes import Writer, sign_up

pytestmark = pytest.mark.skipif(
    bool(os.environ.get("MONGODB_URI")), reason="about the embedded store; MONGODB_URI is set"
)

ID = ObjectId("6565d0c4cc9fbf4ba3af5820")
OLDER = {
    "things": [
        {
            "_id": "a",
            "at": tagged("datetime", "2026-01-02T03:04:05.678"),
            "before": tagged("datetime", "1960-01-01T00:00:00.000"),
            "bytes": tagged("binary", {"base64": "AP8=", "subtype": 0}),
            "uuid": tagged("binary", {"base64": "AAAAAAAAAAAAAAAAAAAAAA==", "subtype": 4}),
            "object": tagged("objectid", str(ID)),
            "far": tagged("float", "-infinity"),
            "big": 2**62,
            "half": 0.5,
            "nothing": None,
            "nested": [{"list": [1, tagged("datetime", "2026-01-01T00:00:00.000")]}, "🎉 \0"],
        },
        {"_id": "b", "looks_like": tagged("mapping", [[MARK, "datetime"], ["value", "x"]])},
        *({"_id": f"n:{n}", "n": n} for n in range(1_100)),
    ],
    "uploads.chunks": [{"_id": "u:0", "data": tagged("binary", {"base64": "", "subtype": 0})}],
    "empty": [],
}


@pytest.fixture
def operate(settings, capsys):
    """Run one command: exit status, lines of output, lines of errors."""

    def run(*arguments, **changes):
        args = parser().parse_args(["store", *map(str, arguments)])
        status = asyncio.run(args.run(replace(settings, **changes), args))
        output, errors = capsys.readouterr()
        return status, output.splitlines(), errors.splitlines()

    return run


@pytest.fixture
def older(settings, tmp_path):
    """A DATA_DIR of an older release, and settings of a server that has it for its own."""
    data_dir = tmp_path / "older"
    write_older_files(data_dir / f"{settings.mongodb_database}.sqlite-sharded", OLDER)
    return data_dir


def contents(settings, collection):
    """Return the documents of a collection by their ids."""

    async def read():
        store = await open_store(settings)
        found = await store.database[collection].find({}).to_list(None)
        await store.close()
        return {document["_id"]: document for document in found}

    return asyncio.run(read())


class TestImport:
    def test_everything_comes(self, operate, older, settings):
        """All documents are there, with values of the types that they had."""
        status, lines, errors = operate("import", older, data_dir=older)
        assert (status, errors) == (0, [])
        assert lines[:2] == ["things: 1,102", "uploads.chunks: 1"]
        here = replace(settings, data_dir=older)
        things = contents(here, "things")
        assert len(things) == 1_102
        assert things["b"] == {"_id": "b", "looks_like": {MARK: "datetime", "value": "x"}}
        assert things["a"] == {
            "_id": "a",
            "at": datetime(2026, 1, 2, 3, 4, 5, 678_000, tzinfo=UTC),
            "before": datetime(1960, 1, 1, tzinfo=UTC),
            "bytes": b"\0\xff",
            "uuid": Binary(bytes(16), 4),
            "object": ID,
            "far": float("-inf"),
            "big": 2**62,
            "half": 0.5,
            "nothing": None,
            "nested": [{"list": [1, datetime(2026, 1, 1, tzinfo=UTC)]}, "🎉 \0"],
        }
        assert contents(here, "uploads.chunks") == {"u:0": {"_id": "u:0", "data": b""}}
        assert operate("check", data_dir=older)[0] == 0

    def test_not_over_a_database(self, operate, older, settings):
        """A database that is there stays as it is."""
        path = embedded_path(settings)
        before = path.read_bytes()
        status, lines, [error] = operate("import", older)
        assert (status, lines) == (1, [])
        assert f"{path} is there already" in error
        assert path.read_bytes() == before

    @pytest.mark.parametrize(
        ("damage", "said"),
        [
            ("DELETE FROM __tinymongo_config", "no files of an older release"),
            ("UPDATE __tinymongo_config SET shard_count = 3", "2 of its 3 shards"),
        ],
    )
    def test_unknown_files(self, operate, older, settings, damage, said):
        """What cannot be read is named, and nothing is made of it."""
        [folder] = older.iterdir()
        with closing(sqlite3.connect(folder / "manifest.sqlite")) as manifest:
            manifest.execute(damage)
            manifest.commit()
        status, _, [error] = operate("import", older, data_dir=older)
        assert status == 1
        assert said in error
        assert [*older.iterdir()] == [folder]

    def test_an_unreadable_document(self, operate, older):
        """One document that cannot be read ends the import, and no half of it is left."""
        [folder] = older.iterdir()
        with closing(sqlite3.connect(folder / "shards" / "001" / "data.sqlite")) as shard:
            shard.execute("UPDATE things SET data = '{' WHERE rowid = 400")
            shard.commit()
        status, _, [error] = operate("import", older, data_dir=older)
        assert status == 1
        assert "things cannot be read" in error
        assert [*older.iterdir()] == [folder]

    def test_nothing_there(self, operate, tmp_path):
        """A folder without an older database is said to have none."""
        status, _, [error] = operate("import", tmp_path / "no", data_dir=tmp_path / "new")
        assert (status, "There is no folder" in error) == (1, True)

    async def test_a_server_says_what_to_run(self, older, settings):
        """The store of an older release is opened only when it was imported or moved away."""
        with pytest.raises(Unavailable, match=f"python -m app store import {older}"):
            await open_store(replace(settings, data_dir=older))


class TestCheck:
    def test_whole(self, operate, settings):
        """A whole database is called whole."""
        path = embedded_path(settings)
        assert operate("check") == (0, [f"{path} is whole."], [])

    @pytest.mark.parametrize(
        ("damage", "said"),
        [
            ("DELETE FROM entries WHERE n = (SELECT max(n) FROM documents)", "is not in the index"),
            ("INSERT INTO entries (key, n) SELECT key || x'00', n FROM entries LIMIT 1", "entries"),
            ("UPDATE documents SET document = x'00'", "cannot be decoded"),
            ("UPDATE documents SET key = CAST(key || x'00' AS BLOB)", "under another _id"),
            ("UPDATE documents SET key = x'ffffffff' WHERE n = 1", "belong to no collection"),
        ],
    )
    def test_each_fault_is_a_sentence(self, operate, settings, damage, said):
        """A document or an index entry that is not as it should be ends with status 1."""

        async def fill():
            store = await open_store(settings)
            await store.database["things"].create_index([("n", 1)])
            await store.database["things"].insert_one({"_id": "a", "n": 1})
            await store.close()

        asyncio.run(fill())
        with closing(sqlite3.connect(embedded_path(settings))) as connection:
            connection.execute(damage)
            connection.commit()
        status, lines, errors = operate("check")
        assert (status, lines) == (1, [])
        assert any(said in error for error in errors[:-1]), errors
        assert errors[-1].endswith("is damaged; restore a backup.")

    def test_overwritten_pages(self, operate, settings):
        """Damage to SQLite's own structures is found."""
        path = embedded_path(settings)
        data = bytearray(path.read_bytes())
        data[4096:] = os.urandom(len(data) - 4096)
        path.write_bytes(data)
        status, _, errors = operate("check")
        assert status == 1
        assert errors[0].startswith("SQLite: ")

    def test_no_file(self, operate, tmp_path):
        """A file that is not there is named, and not made."""
        status, _, [error] = operate("check", tmp_path / "no")
        assert (status, error) == (1, f"There is no database {tmp_path / 'no'}.")
        status, _, [error] = operate("check", data_dir=tmp_path / "new")
        assert (status, [*tmp_path.glob("new")]) == (1, [])


class TestBackup:
    def test_opens_as_a_store(self, operate, settings, tmp_path):
        """A backup is a whole database with the same documents."""

        async def fill():
            store = await open_store(settings)
            for n in range(10):
                await store.database["things"].insert_one({"_id": str(n)})
            await store.close()

        asyncio.run(fill())
        copy = tmp_path / "copy.sqlite3"
        assert operate("backup", copy)[0] == 0
        assert operate("check", copy) == (0, [f"{copy} is whole."], [])
        restored = replace(settings, data_dir=tmp_path / "restored")
        restored.data_dir.mkdir()
        copy.rename(embedded_path(restored))
        assert contents(restored, "things").keys() == {str(n) for n in range(10)}

    def test_overwrites_nothing(self, operate, tmp_path):
        """A file that is there stays."""
        there = tmp_path / "there"
        there.write_text("mine")
        status, _, [error] = operate("backup", there)
        assert (status, error) == (1, f"{there} is there already; name another file.")
        assert there.read_text() == "mine"

    def test_no_folder(self, operate, tmp_path):
        """A folder that is not there is an error in one line."""
        status, _, errors = operate("backup", tmp_path / "no" / "file")
        assert (status, len(errors)) == (1, 1)

    @pytest.mark.parametrize("command", [("backup", "x"), ("check",), ("import", "x")])
    def test_not_of_mongodb(self, operate, command):
        """On MongoDB these commands do nothing and say so."""
        status, _, [error] = operate(*command, mongodb_uri="mongodb://127.0.0.1:1/")
        assert (status, "embedded store only" in error) == (1, True)


@pytest.mark.fault
@pytest.mark.timeout(180)
async def test_a_backup_taken_in_traffic(start_server, environment, tmp_path):
    """A restored backup has all that was acknowledged before it, in a server of its own.

    Two servers write to one file meanwhile, and go on writing after it.
    """
    limits = ("WRITES_PER_S", "WRITES_BURST", "READS_PER_S", "READS_BURST")
    secrets = {"JWT_SECRET": "s" * 32, **{f"LIMIT_{name}": "10000" for name in limits}}
    servers = [await start_server(**secrets), await start_server(**secrets)]
    token, _ = await sign_up(servers[0].doors, "ann")
    writers = [Writer(server.doors, token) for server in servers]
    writing = [asyncio.create_task(writer.write()) for writer in writers]
    copies = []
    for n in range(3):
        for writer in writers:
            writer._enough.clear()
            await writer.written_enough()
        before = [story for writer in writers for story in writer.acknowledged]
        copies.append((tmp_path / f"copy{n}", before))
        status, _, errors = await run(
            "store", "backup", str(copies[-1][0]), environment=environment
        )
        assert (status, errors) == (0, [])
    for server in servers:
        await server.stop()
    await asyncio.gather(*writing)
    for copy, before in copies:
        status, output, errors = await run("store", "check", str(copy), environment=environment)
        assert (status, errors) == (0, []), output
        home = tmp_path / f"{copy.name}.d"
        home.mkdir()
        copy.rename(home / f"{environment['MONGODB_DATABASE']}.sqlite3")
        restored = await start_server(**secrets, DATA_DIR=str(home), PORT=str(free_port()))
        for story in before:
            status, _ = await restored.doors.call(token, "GET", f"/stories/{story}")
            assert status == 200
        await restored.stop()
    assert len(copies[-1][1]) >= 3 * 20
