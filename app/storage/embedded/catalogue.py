"""Which collections and indexes the file has: what a plan is made from.

A snapshot that is never changed. Every statement that uses an index also reads the catalogue's
`version`, in the same snapshot of the data; when that is another one, the catalogue is read anew.
"""

import json
import sqlite3
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType

from app.storage.embedded.paths import Path, split


@dataclass(frozen=True, slots=True)
class Index:
    """Documents by the values of some fields; ascending, and read both ways."""

    id: int
    fields: tuple[Path, ...]
    many: int = 0
    """Bit n: some document has an array in field n, and so several keys."""

    ready: bool = True
    """Whether all documents are in it; one that is still being built is written and not read."""

    def has_arrays(self, position: int) -> bool:
        """Whether some document has an array in this field."""
        return bool(self.many >> position & 1)

    def is_of(self, names: Collection[str]) -> bool:
        """Whether it depends on one of these fields of a document."""
        return any(path[0] in names for path in self.fields)


@dataclass(frozen=True, slots=True)
class CollectionInfo:
    """One collection."""

    id: int
    indexes: tuple[Index, ...] = ()


@dataclass(frozen=True, slots=True)
class Catalogue:
    """All collections, as of a version."""

    version: int = -1
    collections: Mapping[str, CollectionInfo] = field(default_factory=lambda: MappingProxyType({}))


def read_catalogue(connection: sqlite3.Connection) -> Catalogue:
    """Read it in the connection's transaction, or in one snapshot."""
    rows = connection.execute(
        "SELECT 0, value, '', 0, 0, 0 FROM meta WHERE name = 'version'"
        " UNION ALL SELECT 1, id, name, 0, 0, 0 FROM collections"
        " UNION ALL SELECT 2, collection, fields, id, many, ready FROM indexes"
    ).fetchall()
    version = next(row[1] for row in rows if row[0] == 0)
    indexes: dict[int, list[Index]] = {row[1]: [] for row in rows if row[0] == 1}
    for kind, collection, fields, index_id, many, ready in rows:
        if kind == 2:
            paths = tuple(map(split, json.loads(fields)))
            indexes[collection].append(Index(index_id, paths, many, bool(ready)))
    collections = {
        name: CollectionInfo(collection, tuple(indexes[collection]))
        for kind, collection, name, *_ in rows
        if kind == 1
    }
    return Catalogue(version, MappingProxyType(collections))


def read_version(connection: sqlite3.Connection) -> int:
    """Read the version of the catalogue that the connection sees."""
    version: int = connection.execute("SELECT value FROM meta WHERE name = 'version'").fetchone()[0]
    return version


def fields_text(fields: Sequence[str]) -> str:
    """Return an index's fields as they stand in the catalogue."""
    return json.dumps(list(fields), ensure_ascii=False)
