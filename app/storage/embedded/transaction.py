"""Changes of documents and of their places in indexes, inside one transaction of the writer.

A change first reads and computes, then writes: what can be wrong with one write is known before
anything of it is written. `wrote` says whether that has begun.
"""

import sqlite3
from collections.abc import Collection, Iterator, Sequence
from functools import lru_cache
from typing import NamedTuple

import bson
from pymongo.errors import DocumentTooLarge, DuplicateKeyError, WriteError

from app.storage.embedded.catalogue import (
    Catalogue,
    CollectionInfo,
    Index,
    fields_text,
    read_catalogue,
    read_version,
)
from app.storage.embedded.filters import Compiled
from app.storage.embedded.keys import key_of, owner_key
from app.storage.embedded.paths import index_keys
from app.storage.embedded.scanning import CODEC, Scan
from app.storage.embedded.updates import IMMUTABLE_FIELD
from models.database import Document

DOCUMENT_BYTES_MAX = 16 * 1024**2
"""MongoDB's bound."""

DUPLICATE_KEY = 11000

ROWS = 200
"""Rows that one statement writes or removes: its parameters stay below SQLite's old bound, 999."""

_Entry = tuple[bytes, int]


class Found(NamedTuple):
    """A document in the database."""

    n: int
    data: bytes
    document: Document


class Transaction:
    """What one connection does between BEGIN and COMMIT, and knows of the catalogue."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self.connection = connection
        self.catalogue = Catalogue()
        self.wrote = False

    def begin(self) -> None:
        """Begin, alone of all processes, and read the catalogue if another one has changed it."""
        self.connection.execute("BEGIN IMMEDIATE")
        if read_version(self.connection) != self.catalogue.version:
            self.catalogue = read_catalogue(self.connection)

    def commit(self) -> None:
        """Write to the disk what was changed."""
        self.connection.execute("COMMIT")

    def rollback(self) -> None:
        """Undo everything; also what is known of the catalogue."""
        self.catalogue = Catalogue()
        if self.connection.in_transaction:
            self.connection.execute("ROLLBACK")

    def find(self, name: str, filter: Compiled) -> Found | None:
        """Return one document that matches."""
        info = self.catalogue.collections.get(name)
        if info is None:
            return None
        keys: Sequence[bytes] | None = filter.id_keys
        if keys is None:
            scan = Scan(self.catalogue, name, filter, limit=1)
            found: list[Document] = []
            while not found and not scan.is_done:
                found = scan.next(self.connection)
            keys = [key_of(document["_id"]) for document in found[:1]]
        for key in keys:
            there = self._get(info, key)
            if there is not None and filter.matches(there.document):
                return there
        return None

    def find_all(self, name: str, keys: Sequence[bytes], filter: Compiled) -> Iterator[Found]:
        """Yield those of the documents with these keys that match."""
        info = self.catalogue.collections.get(name)
        if info is not None:
            for key in keys:
                there = self._get(info, key)
                if there is not None and filter.matches(there.document):
                    yield there

    def insert(self, name: str, key: bytes, data: bytes) -> None:
        """Insert a document.

        Raises:
            DuplicateKeyError: its `_id` is taken.
            DocumentTooLarge: it has more than 16 MB.
            WriteError: an index cannot take it.
        """
        if len(data) > DOCUMENT_BYTES_MAX:
            raise DocumentTooLarge("a document is larger than 16 MB")
        info = self._collection(name)
        places: list[tuple[int, bytes]] = []
        if info.indexes:
            info, places = self._places(name, bson.decode(data, CODEC))
        try:
            cursor = self.connection.execute(
                "INSERT INTO documents (key, document) VALUES (?, ?)",
                (owner_key(info.id) + key, data),
            )
        except sqlite3.IntegrityError:
            message = f"E11000 duplicate key error collection: {name} index: _id_"
            raise DuplicateKeyError(message, DUPLICATE_KEY) from None
        self.wrote = True
        n = cursor.lastrowid
        assert n is not None
        self._enter([_entry(index_id, place, n) for index_id, place in places])

    def replace(self, name: str, found: Found, after: Document, changed: Collection[str]) -> bool:
        """Replace a document by what it has become; return whether that is something else.

        `changed` are the fields that may have become something else.
        """
        data = bson.encode(after)
        if data == found.data:
            return False
        if len(data) > DOCUMENT_BYTES_MAX:
            raise WriteError("an update would make a document larger than 16 MB", 17419)
        before: list[tuple[int, bytes]] = []
        places: list[tuple[int, bytes]] = []
        if any(index.is_of(changed) for index in self._indexes(name)):
            before = self._places(name, found.document)[1]
            places = self._places(name, bson.decode(data, CODEC))[1]
        self.wrote = True
        self.connection.execute("UPDATE documents SET document = ? WHERE n = ?", (data, found.n))
        if before != places:
            old, new = set(before), set(places)
            self._leave([_entry(index_id, place, found.n) for index_id, place in old - new])
            self._enter([_entry(index_id, place, found.n) for index_id, place in new - old])
        return True

    def remove(self, name: str, all_found: Sequence[Found]) -> None:
        """Remove documents."""
        self.wrote = True
        entries: list[_Entry] = []
        for found in all_found if self._indexes(name) else ():
            places = self._places(name, found.document)[1]
            entries += [_entry(index_id, place, found.n) for index_id, place in places]
        for at in range(0, len(all_found), ROWS):
            some = [found.n for found in all_found[at : at + ROWS]]
            marks = _marks(len(some), "?")
            self.connection.execute(f"DELETE FROM documents WHERE n IN ({marks})", some)
        self._leave(entries)

    def add_index(self, name: str, fields: Sequence[str]) -> Index:
        """Add an index that is not ready yet, or return the one there is."""
        info = self._collection(name)
        wanted = tuple(tuple(field.split(".")) for field in fields)
        for index in info.indexes:
            if index.fields == wanted:
                return index
        self.wrote = True
        is_empty = not self.connection.execute(
            "SELECT 1 FROM documents WHERE key >= ? AND key < ? LIMIT 1",
            (owner_key(info.id), owner_key(info.id + 1)),
        ).fetchone()
        self.connection.execute(
            "INSERT INTO indexes (collection, fields, many, ready) VALUES (?, ?, 0, ?)",
            (info.id, fields_text(fields), is_empty),
        )
        self._catalogue_changed()
        return next(
            each for each in self.catalogue.collections[name].indexes if each.fields == wanted
        )

    def fill_index(self, name: str, index: Index, after: bytes, count: int) -> bytes | None:
        """Enter the next documents behind the key `after`; return the last key, None at the end.

        At the end the index is ready.

        Raises:
            WriteError: a document cannot be in the index, or another process has dropped it.
        """
        info = self.catalogue.collections[name]
        # As it is now: what was written since the last call may have brought arrays.
        index = self._building(name, index)
        rows = self.connection.execute(
            "SELECT n, document, key FROM documents WHERE key > ? AND key < ? ORDER BY key LIMIT ?",
            (after or owner_key(info.id), owner_key(info.id + 1), count),
        ).fetchall()
        self.wrote = True
        entries: list[_Entry] = []
        many = index.many
        for n, data, _ in rows:
            places, arrays = index_keys(bson.decode(data, CODEC), index.fields)
            many |= arrays
            entries += [_entry(index.id, place, n) for place in places]
        if many != index.many:
            self._set_many(index, many)
        self._enter(entries)
        if len(rows) == count:
            last: bytes = rows[-1][2]
            return last
        self.connection.execute("UPDATE indexes SET ready = 1 WHERE id = ?", (index.id,))
        self._catalogue_changed()
        return None

    def drop_index(self, name: str, index: Index) -> None:
        """Remove an index that could not be built: left as it is, it would refuse documents."""
        index = self._building(name, index)
        if index.ready:
            return
        self.wrote = True
        self.connection.execute(
            "DELETE FROM entries WHERE key >= ? AND key < ?",
            (owner_key(index.id), owner_key(index.id + 1)),
        )
        self.connection.execute("DELETE FROM indexes WHERE id = ?", (index.id,))
        self._catalogue_changed()

    def _building(self, name: str, index: Index) -> Index:
        for each in self._indexes(name):
            # A later index may have the id of one that was dropped.
            if each.id == index.id and each.fields == index.fields:
                return each
        raise WriteError("the index was dropped: another process could not build it")

    def _get(self, info: CollectionInfo, key: bytes) -> Found | None:
        row = self.connection.execute(
            "SELECT n, document FROM documents WHERE key = ?", (owner_key(info.id) + key,)
        ).fetchone()
        return Found(row[0], row[1], bson.decode(row[1], CODEC)) if row else None

    def _indexes(self, name: str) -> tuple[Index, ...]:
        info = self.catalogue.collections.get(name)
        return info.indexes if info else ()

    def _collection(self, name: str) -> CollectionInfo:
        info = self.catalogue.collections.get(name)
        if info is None:
            self.wrote = True
            self.connection.execute("INSERT INTO collections (name) VALUES (?)", (name,))
            self._catalogue_changed()
            info = self.catalogue.collections[name]
        return info

    def _places(
        self, name: str, document: Document
    ) -> tuple[CollectionInfo, list[tuple[int, bytes]]]:
        """Return where a document stands in the indexes of its collection."""
        info = self.catalogue.collections[name]
        places: list[tuple[int, bytes]] = []
        for index in info.indexes:
            keys, many = index_keys(document, index.fields)
            if many & ~index.many:
                self._set_many(index, index.many | many)
                info = self.catalogue.collections[name]
            places += [(index.id, key) for key in keys]
        return info, places

    def _set_many(self, index: Index, many: int) -> None:
        self.wrote = True
        self.connection.execute("UPDATE indexes SET many = ? WHERE id = ?", (many, index.id))
        self._catalogue_changed()

    def _catalogue_changed(self) -> None:
        self.connection.execute("UPDATE meta SET value = value + 1 WHERE name = 'version'")
        self.catalogue = read_catalogue(self.connection)

    def _enter(self, entries: list[_Entry]) -> None:
        for at in range(0, len(entries), ROWS):
            some = entries[at : at + ROWS]
            self.connection.execute(_entering(len(some)), [x for entry in some for x in entry])

    def _leave(self, entries: list[_Entry]) -> None:
        for at in range(0, len(entries), ROWS):
            some = entries[at : at + ROWS]
            keys = [key for key, _ in some]
            self.connection.execute(_leaving(len(some)), keys)


def check_id(before: Document, after: Document) -> None:
    """Refuse an update that would change the `_id`."""
    if key_of(before["_id"]) != key_of(after["_id"]):
        raise WriteError("the _id of a document cannot be changed", IMMUTABLE_FIELD)


def _entry(index_id: int, place: bytes, n: int) -> _Entry:
    return owner_key(index_id) + place + n.to_bytes(8, "big"), n


@lru_cache(maxsize=ROWS)
def _marks(count: int, mark: str) -> str:
    return ", ".join([mark] * count)


@lru_cache(maxsize=ROWS)
def _entering(count: int) -> str:
    return f"INSERT OR IGNORE INTO entries (key, n) VALUES {_marks(count, '(?, ?)')}"


@lru_cache(maxsize=ROWS)
def _leaving(count: int) -> str:
    return f"DELETE FROM entries WHERE key IN ({_marks(count, '?')})"
