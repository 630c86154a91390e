"""Collections and cursors of the embedded store, as `models.database` has them.

What is asked is read the way a server would read it, through BSON: dates get milliseconds, and a
caller may change its documents while they wait to be written.
"""

import sqlite3
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Any

import bson
from bson import ObjectId
from pymongo.errors import WriteError

from app.storage.embedded.catalogue import Catalogue, Index, read_version
from app.storage.embedded.filters import Compiled, Unsupported, compile_filter, with_id
from app.storage.embedded.keys import key_of
from app.storage.embedded.paths import split
from app.storage.embedded.readers import Readers
from app.storage.embedded.scanning import CODEC, Order, Outdated, Scan
from app.storage.embedded.transaction import Transaction
from app.storage.embedded.updates import Apply, compile_update, set_path
from app.storage.embedded.writer import Writer
from models.database import Cursor, Document, Filter, SortKeys

SLICE = 100
"""Documents that an update or a removal of many changes in one transaction: others come between."""

INDEXED_AT_ONCE = 500
"""Documents that enter a new index in one transaction."""


@dataclass(frozen=True, slots=True)
class InsertOneResult:
    """What was inserted."""

    inserted_id: Any


@dataclass(frozen=True, slots=True)
class UpdateResult:
    """How many documents an update met and changed."""

    matched_count: int
    modified_count: int


@dataclass(frozen=True, slots=True)
class DeleteResult:
    """How many documents were removed."""

    deleted_count: int


class EmbeddedCollection:
    """One collection; it is made by its first document or index."""

    def __init__(self, name: str, writer: Writer, readers: Readers) -> None:
        self._name = name
        self._writer = writer
        self._readers = readers

    async def insert_one(self, document: Document) -> InsertOneResult:
        """Insert; a document without an `_id` gets one."""
        if "_id" not in document:
            document["_id"] = ObjectId()
        key, data = id_key(document["_id"]), bson.encode(document)
        await self._writer.write(lambda writing: writing.insert(self._name, key, data))
        return InsertOneResult(document["_id"])

    async def find_one(self, filter: Filter) -> Document | None:
        """Return one matching document."""
        compiled = _read(filter)
        keys = compiled.id_keys
        if keys is None:
            found = await self._scan(compiled, (), 1)
        elif compiled.is_exact and len(filter) == 1:
            found = await self._readers.by_id(self._name, keys)
        else:
            found = [
                each
                for each in await self._readers.by_id(self._name, keys)
                if compiled.matches(each)
            ]
        return found[0] if found else None

    def find(self, filter: Filter, *, only: Sequence[str] = ()) -> Cursor:
        """Prepare a query."""
        return EmbeddedCursor(self._name, self._readers, _read(filter), only)

    async def find_ids(self, ids: Sequence[str]) -> list[Document]:
        """Return those documents with these `_id`s that are there, in no certain order."""
        if not ids:
            return []
        return await self._readers.by_id(self._name, [key_of(each) for each in dict.fromkeys(ids)])

    async def update_one(
        self, filter: Filter, update: Mapping[str, Any], *, upsert: bool = False
    ) -> UpdateResult:
        """Change one matching document."""
        change = _Change(self._name, _read(filter), _understand(update), upsert=upsert)
        await self._writer.write(change.make)
        return UpdateResult(int(change.before is not None), int(change.is_modified))

    async def find_one_and_update(
        self,
        filter: Filter,
        update: Mapping[str, Any],
        *,
        upsert: bool = False,
        return_document: bool = False,
    ) -> Document | None:
        """Change one document and return it as it was, or as it is with `return_document`."""
        change = _Change(self._name, _read(filter), _understand(update), upsert=upsert)
        await self._writer.write(change.make)
        return change.after if return_document else change.before

    async def update_many(self, filter: Filter, update: Mapping[str, Any]) -> UpdateResult:
        """Change all matching documents, each as a whole."""
        compiled, apply = _read(filter), _understand(update)
        matched = modified = 0

        def change(writing: Transaction, keys: Sequence[bytes]) -> tuple[int, int]:
            met = changed = 0
            for found in writing.find_all(self._name, keys, compiled):
                after = bson.decode(found.data, CODEC)
                apply(after)
                met += 1
                changed += writing.replace(self._name, found, after, apply.fields)
            return met, changed

        for keys in _sliced(await self._matching_keys(compiled)):
            met, changed = await self._writer.write(partial(change, keys=keys))
            matched, modified = matched + met, modified + changed
        return UpdateResult(matched, modified)

    async def delete_one(self, filter: Filter) -> DeleteResult:
        """Remove one matching document."""
        compiled = _read(filter)

        def remove(writing: Transaction) -> int:
            found = writing.find(self._name, compiled)
            if found is None:
                return 0
            writing.remove(self._name, [found])
            return 1

        return DeleteResult(await self._writer.write(remove))

    async def delete_many(self, filter: Filter) -> DeleteResult:
        """Remove all matching documents."""
        compiled = _read(filter)
        removed = 0

        def remove(writing: Transaction, keys: Sequence[bytes]) -> int:
            found = [*writing.find_all(self._name, keys, compiled)]
            if found:
                writing.remove(self._name, found)
            return len(found)

        for keys in _sliced(await self._matching_keys(compiled)):
            removed += await self._writer.write(partial(remove, keys=keys))
        return DeleteResult(removed)

    async def count_documents(self, filter: Filter) -> int:
        """Count matching documents."""
        compiled = _read(filter)
        return await self._readers.run(
            lambda connection, catalogue: _scan(connection, catalogue, self._name, compiled).count(
                connection
            )
        )

    async def create_index(self, keys: SortKeys) -> str:
        """Make an index if it is not there; on many documents step by step, between other writes.

        Raises:
            WriteError: a document cannot be in it; there is no such index then.
        """
        fields = [field for field, _ in keys]
        if not self._has_index(fields):
            index = await self._writer.write(lambda writing: writing.add_index(self._name, fields))
            last: bytes | None = None if index.ready else b""
            try:
                while last is not None:
                    last = await self._writer.write(partial(self._fill, index=index, after=last))
            except WriteError:
                with suppress(WriteError):  # dropped by another process that tried
                    await self._writer.write(lambda writing: writing.drop_index(self._name, index))
                raise
        return "_".join(f"{field}_{direction}" for field, direction in keys)

    def _fill(self, writing: Transaction, index: Index, after: bytes) -> bytes | None:
        return writing.fill_index(self._name, index, after, INDEXED_AT_ONCE)

    def _has_index(self, fields: Sequence[str]) -> bool:
        info = self._readers.catalogue.collections.get(self._name)
        wanted = tuple(map(split, fields))
        return info is not None and any(
            each.fields == wanted and each.ready for each in info.indexes
        )

    async def _scan(self, filter: Compiled, order: Order, limit: int) -> list[Document]:
        return await self._readers.run(
            lambda connection, catalogue: _scan(
                connection, catalogue, self._name, filter, order, limit
            ).all(connection)
        )

    async def _matching_keys(self, filter: Compiled) -> Sequence[bytes]:
        """Return the keys of the documents that match now; each is looked at again when written."""
        if filter.id_keys is not None:
            return filter.id_keys
        return [key_of(document["_id"]) for document in await self._scan(filter, (), 0)]


class EmbeddedCursor:
    """A query not yet run."""

    def __init__(self, name: str, readers: Readers, filter: Compiled, only: Sequence[str]) -> None:
        if any("." in field for field in only):
            raise Unsupported("the embedded store returns whole fields only, not parts of them")
        self._name = name
        self._readers = readers
        self._filter = filter
        self._only = frozenset(only) | {"_id"} if only else None
        self._order: Order = ()
        self._limit = 0

    def sort(self, keys: SortKeys) -> Cursor:
        """Order by several keys."""
        self._order = [(split(field), direction) for field, direction in keys]
        return self

    def limit(self, limit: int) -> Cursor:
        """Return at most `limit` documents."""
        self._limit = limit
        return self

    async def to_list(self, length: int | None) -> list[Document]:
        """Run the query and collect at most `length` documents."""
        limit = min(filter(None, (self._limit, length)), default=0)
        return await self._readers.run(
            lambda connection, catalogue: self._shown(
                _scan(connection, catalogue, self._name, self._filter, self._order, limit).all(
                    connection
                )
            )
        )

    async def __aiter__(self) -> AsyncIterator[Document]:
        scan: Scan | None = None
        count = 0
        while scan is None or not scan.is_done:
            scan, found = await self._readers.run(partial(self._batch, scan=scan))
            for document in found:
                if self._limit and count == self._limit:
                    return
                count += 1
                yield document

    def _batch(
        self, connection: sqlite3.Connection, catalogue: Catalogue, scan: Scan | None
    ) -> tuple[Scan, list[Document]]:
        if scan is None:
            scan = _scan(connection, catalogue, self._name, self._filter, self._order, self._limit)
            if not scan.is_sorted:
                return scan, self._shown(scan.all(connection))
        found: list[Document] = []
        while not found and not scan.is_done:
            found = scan.next(connection)
        return scan, self._shown(found)

    def _shown(self, documents: list[Document]) -> list[Document]:
        only = self._only
        if only is None:
            return documents
        return [
            {field: value for field, value in document.items() if field in only}
            for document in documents
        ]


class _Change:
    """A change of one document, made in the writer's thread."""

    def __init__(self, name: str, filter: Compiled, apply: Apply, *, upsert: bool) -> None:
        self._name = name
        self._filter = filter
        self._apply = apply
        self._upsert = upsert
        self.before: Document | None = None
        self.after: Document | None = None
        self.is_modified = False

    def make(self, writing: Transaction) -> None:
        """Find the document and change it; may be begun anew."""
        self.before = self.after = None
        self.is_modified = False
        found = writing.find(self._name, self._filter)
        if found is None:
            if self._upsert:
                self.after = self._insert(writing)
            return
        after = bson.decode(found.data, CODEC)
        self._apply(after)
        self.is_modified = writing.replace(self._name, found, after, self._apply.fields)
        self.before, self.after = found.document, after

    def _insert(self, writing: Transaction) -> Document:
        made: Document = {}
        for field, value in self._filter.equals.items():
            set_path(made, field, value)
        self._apply(made)
        document = {"_id": made["_id"] if "_id" in made else ObjectId()} | made
        data = bson.encode(document)
        writing.insert(self._name, id_key(document["_id"]), data)
        return bson.decode(data, CODEC)


def id_key(value: Any) -> bytes:
    """Return the key of an `_id`."""
    if isinstance(value, list):
        raise Unsupported("an _id cannot be an array")
    return key_of(value)


def _scan(
    connection: sqlite3.Connection,
    catalogue: Catalogue,
    name: str,
    filter: Compiled,
    order: Order = (),
    limit: int = 0,
) -> Scan:
    """Begin to read; a collection that is not known may have been made by another process."""
    if name not in catalogue.collections and read_version(connection) != catalogue.version:
        raise Outdated
    return Scan(catalogue, name, filter, order, limit)


def _read(filter: Filter) -> Compiled:
    if len(filter) == 1:
        name = filter.get("_id")
        if type(name) is str:
            return with_id(name)
    return compile_filter(bson.decode(bson.encode(filter), CODEC))


def _understand(update: Mapping[str, Any]) -> Apply:
    return compile_update(bson.decode(bson.encode(update), CODEC))


def _sliced(keys: Sequence[bytes]) -> list[Sequence[bytes]]:
    return [keys[at : at + SLICE] for at in range(0, len(keys), SLICE)]
