"""Files as an older release's embedded store left them, written by plain SQLite statements."""

import json
import sqlite3
from contextlib import closing
from pathlib import Path

MARK = "__tinymongo_type_v1__"


def tagged(kind: str, value: object) -> dict[str, object]:
    """Return how a value that JSON lacks was kept."""
    return {MARK: kind, "value": value}


def write_older_files(folder: Path, collections: dict[str, list[dict]], *, shards: int = 2) -> None:
    """Write collections; each document goes to one shard or another."""
    folder.mkdir(parents=True)
    with closing(sqlite3.connect(folder / "manifest.sqlite")) as manifest:
        manifest.executescript(
            "CREATE TABLE __tinymongo_collections (collection_name TEXT PRIMARY KEY, state TEXT);"
            "CREATE TABLE __tinymongo_config (format_version INTEGER, shard_count INTEGER,"
            " hash_algorithm TEXT, database_id TEXT, state TEXT);"
        )
        manifest.executemany(
            "INSERT INTO __tinymongo_collections VALUES (?, 'ready')", [(c,) for c in collections]
        )
        manifest.execute(
            "INSERT INTO __tinymongo_config VALUES (1, ?, ?, 'x', 'ready')",
            (shards, "physical-id-sha256-mod-v1"),
        )
        manifest.commit()
    for shard in range(shards):
        place = folder / "shards" / f"{shard:03}"
        place.mkdir(parents=True)
        with closing(sqlite3.connect(place / "data.sqlite")) as connection:
            connection.execute("PRAGMA journal_mode = WAL")
            for name, documents in collections.items():
                connection.execute(
                    f'CREATE TABLE "{name}" (_id TEXT PRIMARY KEY, data TEXT NOT NULL,'
                    ' "__tinymongo_order" TEXT)'
                )
                rows = [
                    (f"__tinymongo_id_v2__:{n}", json.dumps(document), f"{n:020}:x")
                    for n, document in enumerate(documents)
                    if n % shards == shard
                ]
                connection.executemany(f'INSERT INTO "{name}" VALUES (?, ?, ?)', rows)
            connection.commit()
