"""A database that says how long each operation took, and whether the store was there."""

from collections.abc import AsyncIterator, Awaitable, Mapping, Sequence
from time import perf_counter
from typing import Any, Protocol, TypeVar

from models.database import (
    Collection,
    Cursor,
    Database,
    DeleteResult,
    Document,
    Filter,
    SortKeys,
    UpdateResult,
)
from models.errors import Unavailable

T = TypeVar("T")


class Observe(Protocol):
    """Takes the name of an operation, its seconds, and whether the store was unavailable."""

    def __call__(self, operation: str, seconds: float, *, failed: bool) -> None:
        """Note one operation; must not raise."""


class ObservedDatabase:
    """Passes everything on to `database`."""

    def __init__(self, database: Database, observe: Observe) -> None:
        self._database = database
        self._observe = observe

    def __getitem__(self, name: str) -> Collection:
        return _ObservedCollection(self._database[name], self._observe)


async def _timed(observe: Observe, operation: str, work: Awaitable[T]) -> T:
    began, failed = perf_counter(), False
    try:
        return await work
    except Unavailable:
        failed = True
        raise
    finally:
        observe(operation, perf_counter() - began, failed=failed)


class _ObservedCollection:
    def __init__(self, collection: Collection, observe: Observe) -> None:
        self._collection = collection
        self._observe = observe

    def _time(self, operation: str, work: Awaitable[T]) -> Awaitable[T]:
        return _timed(self._observe, operation, work)

    async def insert_one(self, document: Document) -> object:
        return await self._time("insert_one", self._collection.insert_one(document))

    async def find_one(self, filter: Filter) -> Document | None:
        return await self._time("find_one", self._collection.find_one(filter))

    def find(self, filter: Filter, *, only: Sequence[str] = ()) -> Cursor:
        return _ObservedCursor(self._collection.find(filter, only=only), self._observe)

    async def find_ids(self, ids: Sequence[str]) -> list[Document]:
        return await self._time("find_ids", self._collection.find_ids(ids))

    async def update_one(
        self, filter: Filter, update: Mapping[str, Any], *, upsert: bool = False
    ) -> UpdateResult:
        work = self._collection.update_one(filter, update, upsert=upsert)
        return await self._time("update_one", work)

    async def update_many(self, filter: Filter, update: Mapping[str, Any]) -> UpdateResult:
        return await self._time("update_many", self._collection.update_many(filter, update))

    async def find_one_and_update(
        self,
        filter: Filter,
        update: Mapping[str, Any],
        *,
        upsert: bool = False,
        return_document: bool = False,
    ) -> Document | None:
        work = self._collection.find_one_and_update(
            filter, update, upsert=upsert, return_document=return_document
        )
        return await self._time("find_one_and_update", work)

    async def delete_one(self, filter: Filter) -> DeleteResult:
        return await self._time("delete_one", self._collection.delete_one(filter))

    async def delete_many(self, filter: Filter) -> DeleteResult:
        return await self._time("delete_many", self._collection.delete_many(filter))

    async def count_documents(self, filter: Filter) -> int:
        return await self._time("count_documents", self._collection.count_documents(filter))

    async def create_index(self, keys: SortKeys) -> str:
        return await self._time("create_index", self._collection.create_index(keys))


class _ObservedCursor:
    def __init__(self, cursor: Cursor, observe: Observe) -> None:
        self._cursor = cursor
        self._observe = observe

    def sort(self, keys: SortKeys) -> Cursor:
        self._cursor = self._cursor.sort(keys)
        return self

    def limit(self, limit: int) -> Cursor:
        self._cursor = self._cursor.limit(limit)
        return self

    async def to_list(self, length: int | None) -> list[Document]:
        return await _timed(self._observe, "find", self._cursor.to_list(length))

    def __aiter__(self) -> AsyncIterator[Document]:
        # Its reader takes its time between two documents, which is not the store's.
        return self._cursor.__aiter__()
