"""Open the embedded store: tinymongo over SQLite files, shared by processes of one machine."""

import asyncio
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

from tinymongo import AsyncMongoClient
from tinymongo.errors import StorageCorruptionError

OPEN_TRIES = 20
OPEN_WAIT_S = 0.05
LOCK_TIMEOUT_S = 10.0
SHARDS = 2
"""The fewest there can be: each is a file more to check at every opening, and one machine's
development server writes as fast with two."""


async def open_embedded(data_dir: Path, name: str) -> Any:
    """Give the database `name` in `data_dir`, made when it is not there.

    tinymongo 1.3.1 adds an index of its own to a shard when an indexed field is first compared
    with a date, and takes that very index for damage when it opens the files the next time. It
    makes the index again when it misses it, so the index is dropped before opening.

    Raises:
        StorageCorruptionError: the files are really damaged.
    """
    for attempt in range(1, OPEN_TRIES + 1):
        await asyncio.to_thread(_drop_derived_indexes, data_dir / f"{name}.sqlite-sharded")
        client = AsyncMongoClient(
            tinymongo_folder=str(data_dir),
            backend="sqlite-sharded",
            tz_aware=True,
            sqlite_shards=SHARDS,
        )
        try:
            # Opens the files now: several first operations at once would race to lay them out.
            await client[name].list_collection_names()
        except StorageCorruptionError as error:
            await client.close()
            # Another process may have queried, and so indexed again, between the two steps.
            if "unexpected physical index" not in str(error) or attempt == OPEN_TRIES:
                raise
            await asyncio.sleep(OPEN_WAIT_S)
        else:
            return client[name]
    raise AssertionError("unreachable")


def _drop_derived_indexes(folder: Path) -> None:
    for path in sorted(folder.glob("shards/*/data.sqlite")):
        with closing(sqlite3.connect(path, timeout=LOCK_TIMEOUT_S)) as shard:
            names = shard.execute(
                "SELECT name FROM sqlite_master WHERE type = 'index'"
                " AND name GLOB '__tm_idx_*_bson_v2'"
            ).fetchall()
            for (name,) in names:
                shard.execute(f'DROP INDEX IF EXISTS "{name}"')
            shard.commit()
