"""What commands, routes and connections ask of the database, as in `tests/operations.md`.

What is new or asks more fails here. If it has to, or if something asks less, the table is written
anew by `WRITE_OPERATIONS=1 python -m pytest tests/test_operations.py`, and its difference reviewed.
"""

import asyncio
import os
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from contextvars import ContextVar
from dataclasses import fields, replace
from http import HTTPStatus
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from app.main import create_app
from app.metrics.measures import Metrics
from app.rest.requests import AUTHENTICATE
from app.settings import Limits
from models.accounts import Accounts, Passwords
from namespaces.base import Caller
from tests.catalogue import Application, Watching, example, make_world, routes_of
from tests.conftest import CHEAP
from tests.live import Server
from tests.test_walk import Connection

TABLE = Path(__file__).parents[1] / "tests/operations.md"
HEAD = """# Database operations

Written by `tests/test_operations.py`, which compares it with what it counts. Everything that a
command or a route causes is counted until the end of what it leaves to be done after its answer;
the caller and the people shown have been asked for a moment before.

| what | operations | which |
|---|---|---|
"""
PATIENCE_S = 30.0
LONG_S = 3600.0
"""For which this test lets a process remember what it has read: no load makes it ask again."""

counting: ContextVar[Counter[str] | None] = ContextVar("counting", default=None)
"""What is counted now; tasks inherit it from what has begun them."""


@asynccontextmanager
async def counted() -> AsyncIterator[Counter[str]]:
    """Count what is asked for within, and by the tasks that are begun within."""
    before = asyncio.all_tasks()
    counts: Counter[str] = Counter()
    token = counting.set(counts)
    try:
        yield counts
    finally:
        counting.reset(token)
    while left := {task for task in asyncio.all_tasks() - before if not is_lasting(task)}:
        _, late = await asyncio.wait(left, timeout=PATIENCE_S)
        assert not late, late


def is_lasting(task: "asyncio.Task[Any]") -> bool:
    """Whether a task goes on for as long as something is followed."""
    return getattr(task.get_coro(), "__qualname__", "") in LASTING


LASTING = {"Followed._run"}


@web.middleware
async def count_requests(request: web.Request, handler: Any) -> web.StreamResponse:
    """Count for the request that says so, in the task that answers it."""
    token = counting.set(request.app[COUNTS].get(request.headers.get("X-Test-Counted", "")))
    try:
        return await handler(request)
    finally:
        counting.reset(token)


COUNTS: web.AppKey[dict[str, Counter[str]]] = web.AppKey("counts", dict)


@pytest.fixture
async def application(monkeypatch, settings, store, passwords, listening) -> Application:
    """An application in which no rate is limited, and which counts what is asked of its store."""
    watching = Watching(monkeypatch)
    used = Metrics.store_used

    def count(metrics: Metrics, operation: str, seconds: float, *, failed: bool) -> None:
        counts = counting.get()
        if counts is not None:
            counts[operation] += 1
        used(metrics, operation, seconds, failed=failed)

    monkeypatch.setattr(Metrics, "store_used", count)
    monkeypatch.setattr("app.main.Passwords", lambda: Passwords(CHEAP))
    monkeypatch.setattr("app.identity.cache.MAX_AGE_S", LONG_S)
    monkeypatch.setattr("models.accounts.people.FRESH_S", LONG_S)
    often = {
        limit.name: 10**6
        for limit in fields(Limits)
        if any(part in limit.name for part in ("_per_", "_burst"))
    }
    chosen = replace(settings, limits=replace(settings.limits, **often), revocation_check_s=LONG_S)
    app = await create_app(chosen)
    app[COUNTS] = {}
    app.middlewares.insert(0, count_requests)
    url = await listening.start(app)
    accounts = Accounts(store.database, passwords)
    server = Server(url, listening.stack, listening.http, settings=chosen, accounts=accounts)
    server.app = app
    made = Application(server, routes_of(app), watching.commands)
    made.authenticate = app[AUTHENTICATE]
    return made


async def test_no_command_asks_more_than_the_table_says(application: Application) -> None:
    """Commands, reading routes and connections ask no more than `tests/operations.md` has."""
    token = await application.server.token("owner")
    world = await make_world(application, token)
    assert application.authenticate is not None
    rows: list[tuple[str, Counter[str]]] = []
    caller = Caller(await application.authenticate(token), Connection())
    for commands in application.commands:
        await commands.arrived(caller)
    for commands in application.commands:
        async with counted() as counts:
            again = Caller(await application.authenticate(token), Connection())
            await commands.arrived(again)
        rows.append((f"connect to /{commands.domain}", +counts))
        async with counted() as counts:
            await commands.left(again)
        rows.append((f"disconnect from /{commands.domain}", +counts))
    rows += await read_everything(application, token, world)
    rows += await run_everything(application, caller, world)
    if os.environ.get("WRITE_OPERATIONS"):
        TABLE.write_text(HEAD + "".join(map(line, rows)), encoding="utf-8")
    allowed = read_table()
    assert {what for what, _ in rows} - allowed.keys() == set(), "not in the table"
    assert [line(row).strip() for row in rows if row[1].total() > allowed[row[0]]] == []


async def read_everything(
    application: Application, token: str, world: dict[str, str]
) -> list[tuple[str, Counter[str]]]:
    """Request each route that reads; those that answer with something are returned."""
    server = application.server
    rows = []
    for route in application.routes:
        if route.method != "GET" or not route.path.startswith(("/api/", "/stories")):
            continue
        ids = {name: world.get(route.id_name(name), "1") for name in route.parameters}
        counts = server.app[COUNTS][str(route)] = Counter()
        headers = {"Authorization": f"Bearer {token}", "X-Test-Counted": str(route)}
        async with server._http.get(server.url + route.target(ids), headers=headers) as response:
            await response.read()
            if response.status == HTTPStatus.OK:
                rows.append((str(route), +counts))
    return rows


ENDING = ("delete", "leave", "cancel", "archive")
"""How the names of commands begin that take away what others need."""


async def run_everything(
    application: Application, caller: Caller, world: dict[str, str]
) -> list[tuple[str, Counter[str]]]:
    """Run each command once with a valid payload, those that end something last."""
    rows = []
    for commands, name, schema in sorted(
        application.each_command(), key=lambda each: each[1].startswith(ENDING)
    ):
        async with counted() as counts:
            answer = await commands.run(caller, name, example(schema, name, world))
        outcome = "" if "data" in answer else f": {answer['error']['code']}"
        rows.append((f"/{commands.domain} {name}{outcome}", +counts))
    return rows


def read_table() -> dict[str, int]:
    """Return how many operations each row of the table has."""
    lines = TABLE.read_text(encoding="utf-8").removeprefix(HEAD).splitlines()
    cells = [line.strip("| ").split(" | ") for line in lines]
    return {what: int(number.strip(" |")) for what, number, *_ in cells}


def line(row: tuple[str, Counter[str]]) -> str:
    what, counts = row
    which = ", ".join(f"{name} {number}" for name, number in sorted(counts.items()))
    return f"| {what} | {counts.total()} | {which} |\n"
