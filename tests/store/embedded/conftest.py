"""An embedded database of its own for each test, whatever store the others run on."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from app.storage.embedded import EmbeddedDatabase, open_embedded
from tests.recorder import RECORDER


@pytest.fixture(autouse=True)
def proving() -> Iterator[None]:
    """Neither sent by models nor proved on every store: what these tests ask does not count."""
    RECORDER.into = set()
    yield
    RECORDER.into = RECORDER.sent


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the database is."""
    return tmp_path / "embedded.sqlite3"


@pytest.fixture
async def embedded(path: Path) -> AsyncIterator[EmbeddedDatabase]:
    """An empty database."""
    database = await open_embedded(path)
    yield database
    await database.close()
