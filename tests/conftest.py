"""Fixtures that every test may use: settings, an open store, cheap passwords."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from pathlib import Path
from shutil import copytree
from typing import Any
from urllib.parse import urlsplit, urlunsplit
from uuid import uuid4

import pytest
from aiohttp import web
from argon2 import PasswordHasher
from pymongo import MongoClient
from tinymongo.sharded_sqlite import ShardedSQLiteTableBackend

from app.main import create_app
from app.settings import Settings
from app.store import Store, open_store
from models.accounts import Accounts, Passwords
from models.database import Database
from tests.recorder import RECORDER
from tests.stories_world import HandClock

pytest_plugins = ("tests.live", "tests.programs")

CHEAP = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)


def pytest_configure() -> None:
    """Note from the first test on what is asked of a database."""
    RECORDER.install()


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Fail a run in which models sent a database what the contract suite has not proved."""
    if hasattr(session.config, "workeroutput"):
        session.config.workeroutput["recorded"] = RECORDER.recorded()
    elif unproved := RECORDER.unproved():
        lines = "".join(f"\n  {form}" for form in unproved)
        sys.stderr.write(f"\nSent to the database and not proved by tests/store:{lines}\n")
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """Take in what a worker of pytest-xdist has recorded."""
    RECORDER.take_in(getattr(node, "workeroutput", {}).get("recorded", ([], [])))


def server_uri() -> str | None:
    """Give the address of the MongoDB server to test with, without a database."""
    uri = os.environ.get("MONGODB_URI")
    if not uri:
        return None
    return urlunsplit(urlsplit(uri)._replace(path="/"))


@pytest.fixture(scope="session")
def ferretdb() -> bool:
    """Whether the server of `MONGODB_URI` is FerretDB."""
    uri = server_uri()
    if uri is None:
        return False
    with MongoClient(uri) as client:
        return "ferretdbVersion" in client.admin.command("buildInfo")


@pytest.fixture(autouse=True)
def _atomic(request: pytest.FixtureRequest, ferretdb: bool) -> None:
    if ferretdb and request.node.get_closest_marker("atomic"):
        pytest.skip("FerretDB 1 does not change one document atomically")


EMBEDDED_NAME = "test"


@pytest.fixture(scope="session")
def indexed_files(tmp_path_factory: pytest.TempPathFactory) -> Path | None:
    """Files of an empty embedded store with every index: making those takes most of a test's time.

    None when the tests run on a server.
    """
    if server_uri():
        return None
    folder = tmp_path_factory.mktemp("indexed")

    async def lay_out() -> None:
        with pytest.MonkeyPatch.context() as environment:
            environment.setenv("DATA_DIR", str(folder))
            app = await create_app(replace(Settings.from_env(), mongodb_database=EMBEDDED_NAME))
        runner = web.AppRunner(app)
        await runner.setup()
        await runner.cleanup()

    asyncio.run(lay_out())
    return folder


@pytest.fixture(scope="session")
def copies() -> Iterator[set[Path]]:
    """The folders with copies of `indexed_files`.

    tinymongo compares every index of every collection with its catalogue when it opens files, which
    takes longer than most tests. It has done so for the original; of folders in this set it does
    not do so again.
    """
    known: set[Path] = set()
    check = ShardedSQLiteTableBackend._reconcile_manifest_schema

    def check_unknown(self: Any) -> None:
        if Path(self.path).parent in known:
            self._ready_collections.update(self._manifest_collections())
        else:
            check(self)

    with pytest.MonkeyPatch.context() as library:
        library.setattr(ShardedSQLiteTableBackend, "_reconcile_manifest_schema", check_unknown)
        yield known


@pytest.fixture
def settings(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    indexed_files: Path | None,
    copies: set[Path],
) -> Iterator[Settings]:
    """Settings of a fresh development server; its database is dropped after the test."""
    for name in ("DYNO", "ENVIRONMENT", "HOST", "PORT", "FIREBASE_PROJECT_ID"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("JWT_SECRET", "only-for-tests-" * 4)
    name = EMBEDDED_NAME if indexed_files else f"test_{uuid4().hex}"
    if indexed_files:
        copytree(indexed_files, tmp_path / "data")
        copies.add(tmp_path / "data")
    uri = server_uri()
    yield replace(Settings.from_env(), mongodb_uri=uri, mongodb_database=name)
    if uri:
        with MongoClient(uri) as client:
            client.drop_database(name)


@pytest.fixture
async def store(settings: Settings) -> AsyncIterator[Store]:
    """An empty store: embedded, or the server of `MONGODB_URI` when that is set."""
    opened = await open_store(settings)
    yield opened
    await opened.close()


@pytest.fixture
def database(store: Store) -> Database:
    """The empty database of `store`."""
    return store.database


@pytest.fixture
def passwords() -> Iterator[Passwords]:
    """Passwords whose hashes cost next to nothing."""
    made = Passwords(CHEAP)
    yield made
    made.close()


@pytest.fixture
def clock() -> HandClock:
    """A clock that stands still until it is moved."""
    return HandClock()


@pytest.fixture
async def accounts(database: Database, passwords: Passwords, clock: HandClock) -> Accounts:
    """No accounts yet."""
    made = Accounts(database, passwords, clock=clock)
    await made.prepare()
    return made
