"""Fixtures that every test may use: settings, an open store, cheap passwords."""

import asyncio
import logging
import os
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from dataclasses import replace
from itertools import count
from pathlib import Path
from shutil import copyfile
from typing import Any
from urllib.parse import urlsplit, urlunsplit
from uuid import uuid4

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer
from argon2 import PasswordHasher
from pymongo import MongoClient

from app.http.runner import build_runner
from app.logs import OURS
from app.main import create_app
from app.settings import Limits, Settings
from app.storage import Store, embedded_path, open_store
from models.accounts import Accounts, Passwords
from models.database import Database
from tests import record_checker
from tests.contract_checker import CHECKER
from tests.recorder import RECORDER
from tests.stories_world import HandClock

pytest_plugins = ("tests.certificates", "tests.live", "tests.programs", "tests.redis_server")

CHEAP = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)


def pytest_configure() -> None:
    """Note from the first test on what is asked of a database."""
    RECORDER.install()
    CHECKER.install()
    record_checker.install(CHECKER.faults.append)


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
    """Return the address of the MongoDB server to test with, without a database."""
    uri = os.environ.get("MONGODB_URI")
    if not uri:
        return None
    return urlunsplit(urlsplit(uri)._replace(path="/"))


class BoundedServer(TestServer):
    """aiohttp's server for tests, on connections as the program has them."""

    async def _make_runner(self, **options: Any) -> web.AppRunner:
        return build_runner(self.app, Limits(), **options)


@pytest.fixture(autouse=True)
def as_documented() -> Iterator[None]:
    """Fail a test in which an answer or an event is not as its document says."""
    CHECKER.faults.clear()
    yield
    faults = [*dict.fromkeys(CHECKER.faults)]
    CHECKER.faults.clear()
    assert not faults, "\n".join(faults)


@pytest.fixture
async def aiohttp_client() -> AsyncIterator[Any]:
    """Start applications with a client each; in the place of pytest-aiohttp's fixture."""
    async with AsyncExitStack() as stack:

        async def start(app: web.Application) -> TestClient[web.Request, web.Application]:
            return await stack.enter_async_context(TestClient(BoundedServer(app)))

        yield start


@pytest.fixture
def logging_as_it_was(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Leave logging as pytest has set it up."""
    root = logging.getLogger()
    monkeypatch.setattr(root, "handlers", [*root.handlers])
    monkeypatch.setattr(sys, "excepthook", sys.excepthook)
    monkeypatch.setattr("threading.excepthook", None)
    levels = {name: logging.getLogger(name).level for name in ("", *OURS)}
    yield
    logging.captureWarnings(False)
    for name, level in levels.items():
        logging.getLogger(name).setLevel(level)


@pytest.fixture(scope="session")
def indexed_file(tmp_path_factory: pytest.TempPathFactory) -> Path | None:
    """The file of an empty embedded store with every index; None when the tests run on a server.

    A copy of it spares a starting application the making of some eighty indexes.
    """
    if server_uri():
        return None
    folder = tmp_path_factory.mktemp("indexed")

    async def lay_out() -> Path:
        with pytest.MonkeyPatch.context() as environment:
            environment.setenv("DATA_DIR", str(folder))
            settings = Settings.from_env()
            app = await create_app(settings)
        runner = build_runner(app, Limits())
        await runner.setup()
        await runner.cleanup()
        return embedded_path(settings)

    return asyncio.run(lay_out())


@pytest.fixture
def settings(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    indexed_file: Path | None,
) -> Iterator[Settings]:
    """Settings of a fresh development server; its database is dropped after the test."""
    for name in ("DYNO", "ENVIRONMENT", "STORE", "HOST", "PORT", "FIREBASE_PROJECT_ID"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("JWT_SECRET", "only-for-tests-" * 4)
    # Most tests of chat ask who is gone; those of the grace choose one.
    monkeypatch.setenv("PRESENCE_GRACE_S", "0")
    uri = server_uri()
    name = f"test_{uuid4().hex}" if uri else "test"
    made = replace(Settings.from_env(), mongodb_uri=uri, mongodb_database=name)
    if indexed_file:
        made.data_dir.mkdir(exist_ok=True)
        copyfile(indexed_file, embedded_path(made))
    yield made
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
    """No accounts yet; the first one gets the id 1, the next one 2."""
    made = Accounts(database, passwords, clock=clock, new_id=count(1).__next__)
    await made.prepare()
    return made
