"""`store dump` and `store load`: everything comes back, into either store, or nothing does."""

import asyncio
import gzip
from dataclasses import replace
from pathlib import Path
from uuid import uuid4

import pytest
from pymongo import MongoClient

from app.__main__ import parser
from app.storage import open_store
from app.storage.dumping import dump, load
from models.accounts import Accounts
from models.collections import COLLECTIONS
from models.errors import Conflict, Invalid
from tests.account_world import PASSWORD, VERA, World, documents, fill, signed_up
from tests.app.push.service import new_private_key


@pytest.fixture
async def world(serve):
    """Two people with something in every collection that can name one."""
    server = await serve(vapid_private_key=new_private_key())
    vera = await signed_up(server, **VERA)
    bob = await signed_up(server, email="bob@example.com", name="Bob")
    made = World(server, vera, bob)
    await fill(made)
    return made


@pytest.fixture
async def elsewhere(settings, tmp_path):
    """Settings of an empty database beside the test's own, of the same kind."""
    name = f"test_{uuid4().hex}"
    yield replace(settings, mongodb_database=name, data_dir=tmp_path / "elsewhere")
    if settings.mongodb_uri:
        with MongoClient(settings.mongodb_uri) as client:
            client.drop_database(name)


async def everything(database):
    """Return all documents of a database, by collection and id."""
    return {
        name: found
        for name in COLLECTIONS
        if (found := {str(each["_id"]): each async for each in documents(database, name)})
    }


async def test_everything_comes_back(world, store, elsewhere, tmp_path, serve, passwords):
    """Every document is the same again, and a server goes on where the other one was."""
    path = tmp_path / "all.dump"
    await world.server.app.shutdown()
    counts = await dump(store.database, path)
    before = await everything(store.database)
    # What the server does on its own goes on meanwhile.
    quiet = {"processes", "chat_processes", "chat_present"}
    assert {name: len(found) for name, found in before.items() if name not in quiet} == {
        name: count for name, count in counts.items() if name not in quiet
    }
    assert len(before) > 30
    other = await open_store(elsewhere)
    assert await load(other.database, path) == counts
    after = await everything(other.database)
    assert {name: found for name, found in after.items() if name not in quiet} == {
        name: found for name, found in before.items() if name not in quiet
    }
    await other.close()
    again = await serve(mongodb_database=elsewhere.mongodb_database, data_dir=elsewhere.data_dir)
    status, login = await again.call(
        None, "POST", "/login", {"email": VERA["email"], "password": PASSWORD}
    )
    assert status == 200
    for path_, least in (("/stories", 2), ("/api/v1/conversations", 2), ("/api/v1/orders", 2)):
        status, page = await again.call(login["token"], "GET", path_)
        assert status == 200
        assert len(page["items"]) >= least


async def test_a_dump_of_the_other_store(database, settings, tmp_path, accounts):
    """What one store wrote the other reads, so that a small deployment can move on."""
    await accounts.sign_up("ann@example.com", PASSWORD, "Ann")
    path = tmp_path / "one.dump"
    await dump(database, path)
    embedded = await open_store(replace(settings, mongodb_uri=None, data_dir=tmp_path / "embedded"))
    await load(embedded.database, path)
    moved = await everything(embedded.database)
    await embedded.close()
    assert moved == await everything(database)


async def test_only_an_empty_database_is_loaded_into(database, accounts, tmp_path):
    """What is there is neither replaced nor mixed with."""
    await accounts.sign_up("ann@example.com", PASSWORD, "Ann")
    path = tmp_path / "one.dump"
    await dump(database, path)
    before = await everything(database)
    with pytest.raises(Conflict) as refused:
        await load(database, path)
    assert refused.value.code == "database_not_empty"
    assert await everything(database) == before


def damaged(content: bytes) -> dict[str, bytes]:
    plain = gzip.decompress(content)
    return {
        "empty": b"",
        "cut short": content[: len(content) // 2],
        "another file": b"PK" + content,
        "without its end": gzip.compress(plain[: plain.rindex(b"end") - 5]),
        "cut within a document": gzip.compress(plain[:-7]),
        "with more behind it": gzip.compress(plain + plain[4:]),
        "of another format": gzip.compress(plain.replace(b"dump 1", b"dump 9")),
        "with an unknown collection": gzip.compress(plain.replace(b"accounts\0", b"accountz\0")),
    }


async def test_a_damaged_file_changes_nothing(database, elsewhere, accounts, tmp_path):
    """It is looked through before anything is written."""
    await accounts.sign_up("ann@example.com", PASSWORD, "Ann")
    whole = tmp_path / "whole.dump"
    await dump(database, whole)
    other = await open_store(elsewhere)
    for name, content in damaged(await asyncio.to_thread(whole.read_bytes)).items():
        path = tmp_path / f"{name}.dump"
        await asyncio.to_thread(path.write_bytes, content)
        with pytest.raises(Invalid):
            await load(other.database, path)
        assert await everything(other.database) == {}, name
    await load(other.database, whole)
    assert await everything(other.database) == await everything(database)
    await other.close()


async def test_a_file_that_is_there_is_kept(database, tmp_path):
    """Nothing is overwritten, and no draft is left behind."""
    path = tmp_path / "kept"
    await asyncio.to_thread(path.write_text, "precious")
    with pytest.raises(FileExistsError):
        await dump(database, path)
    assert await asyncio.to_thread(path.read_text) == "precious"
    assert await asyncio.to_thread(lambda: sorted(tmp_path.glob("kept*"))) == [path]


def test_the_commands(settings, tmp_path, capsys, passwords):
    """They say what they did, and what is wrong in one sentence."""

    async def sign_up():
        store = await open_store(settings)
        await Accounts(store.database, passwords).sign_up("ann@example.com", PASSWORD, "Ann")
        await store.close()

    def operate(*arguments: object, chosen=settings):
        args = parser().parse_args(["store", *map(str, arguments)])
        return asyncio.run(args.run(chosen, args)), *capsys.readouterr()

    asyncio.run(sign_up())
    path = Path(tmp_path / "a.dump")
    status, output, _ = operate("dump", path)
    assert status == 0
    assert output.startswith(f"{path}: ")
    assert operate("dump", path)[0] == 1
    status, _, errors = operate("load", path)
    assert (status, "not empty" in errors) == (1, True)
    status, _, errors = operate("load", tmp_path / "none")
    assert (status, "cannot be read" in errors) == (1, True)
