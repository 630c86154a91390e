"""When a database is brought to the shapes of this release."""

from dataclasses import replace

import pytest

import app.main
from app.http.runner import build_runner
from app.main import create_app
from models.errors import Conflict
from models.migrations import Migration, Migrations


@pytest.fixture
def steps(monkeypatch):
    """Let the release have one step more; returns the numbers of the steps taken."""
    taken = []

    async def apply(database):
        taken.append("one more")

    class More(Migrations):
        def __init__(self, database):
            super().__init__(database, [Migration(1_000_000, "Change a shape", apply)])

    monkeypatch.setattr(app.main, "Migrations", More)
    return taken


async def start(settings):
    runner = build_runner(await create_app(settings), settings.limits)
    try:
        await runner.setup()
    finally:
        await runner.cleanup()


async def test_a_development_server_migrates_when_it_starts(settings, accounts, steps):
    """Steps are taken at the first start and not at the second."""
    await accounts.find_or_create_by_email("ann@example.com")
    await start(settings)
    await start(settings)
    assert steps == ["one more"]


async def test_production_refuses_a_database_of_another_shape(settings, accounts, steps):
    """The error names what is missing and what to run; nothing is changed."""
    await accounts.find_or_create_by_email("ann@example.com")
    with pytest.raises(Conflict, match=r"1000000.*python -m app migrate"):
        await start(replace(settings, environment="production"))
    assert steps == []


async def test_production_begins_with_an_empty_database(settings, steps):
    """A database without accounts has nothing to migrate, so a first start needs no release."""
    await start(replace(settings, environment="production"))
    assert steps == ["one more"]
