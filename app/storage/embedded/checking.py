"""Whether a database file is whole: SQLite's structures, every document, every index."""

import sqlite3

import bson

from app.storage.embedded.catalogue import read_catalogue
from app.storage.embedded.keys import key_of, owner_key
from app.storage.embedded.paths import index_keys
from app.storage.embedded.scanning import CODEC

PROBLEMS_MAX = 100
"""Of each kind: a damaged file has as many as it has pages."""

ROWS = 500


def find_problems(connection: sqlite3.Connection) -> list[str]:
    """Return what is wrong, one sentence each; nothing when the file is whole."""
    try:
        found = [
            f"SQLite: {message}"
            for (message,) in connection.execute(f"PRAGMA integrity_check({PROBLEMS_MAX})")
            if message != "ok"
        ]
        return found or _logical_problems(connection)
    except sqlite3.DatabaseError as error:
        return [f"SQLite: {error}"]


def _logical_problems(connection: sqlite3.Connection) -> list[str]:
    problems: list[str] = []
    connection.execute("BEGIN")  # one snapshot
    try:
        catalogue = read_catalogue(connection)
        expected = seen = 0
        for name, info in catalogue.collections.items():
            ready = [index for index in info.indexes if index.ready]
            last, end = owner_key(info.id), owner_key(info.id + 1)
            while rows := connection.execute(
                "SELECT n, key, document FROM documents WHERE key > ? AND key < ?"
                " ORDER BY key LIMIT ?",
                (last, end, ROWS),
            ).fetchall():
                for n, key, data in rows:
                    last = key
                    seen += 1
                    if len(problems) >= PROBLEMS_MAX:
                        return problems
                    try:
                        document = bson.decode(data, CODEC)
                    except bson.errors.InvalidBSON:
                        problems.append(f"{name}: document {n} cannot be decoded.")
                        continue
                    if owner_key(info.id) + key_of(document["_id"]) != key:
                        problems.append(f"{name}: document {n} stands under another _id.")
                    for index in ready:
                        for place in index_keys(document, index.fields)[0]:
                            expected += 1
                            entry = owner_key(index.id) + place + n.to_bytes(8, "big")
                            if not connection.execute(
                                "SELECT 1 FROM entries WHERE key = ? AND n = ?", (entry, n)
                            ).fetchone():
                                fields = ", ".join(".".join(path) for path in index.fields)
                                problems.append(
                                    f"{name}: document {n} is not in the index ({fields})."
                                )
        strangers = _count(connection, "documents") - seen
        if strangers:
            problems.append(f"{strangers} documents belong to no collection.")
        there = _count(connection, "entries") - sum(
            connection.execute(
                "SELECT count(*) FROM entries WHERE key >= ? AND key < ?",
                (owner_key(index.id), owner_key(index.id + 1)),
            ).fetchone()[0]
            for info in catalogue.collections.values()
            for index in info.indexes
            if not index.ready
        )
        if there != expected and not problems:
            problems.append(f"Indexes have {there} entries; the documents ask for {expected}.")
    finally:
        connection.execute("ROLLBACK")
    return problems


def _count(connection: sqlite3.Connection, table: str) -> int:
    count: int = connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0]
    return count
