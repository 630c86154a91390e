"""The part of the database that models use: what motor and the embedded store have in common.

Operators that are safe on both are those the storage contract suite proves.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any, Protocol, TypeVar, cast

Document = dict[str, Any]
Filter = Mapping[str, Any]
SortKeys = Sequence[tuple[str, int]]

Record = TypeVar("Record")
"""A `TypedDict` of the fields that each document of a collection has."""


class UpdateResult(Protocol):
    """How many documents an update met and changed."""

    @property
    def matched_count(self) -> int:
        """Documents that the filter met."""

    @property
    def modified_count(self) -> int:
        """Documents that the update changed."""


class DeleteResult(Protocol):
    """How many documents a delete removed."""

    @property
    def deleted_count(self) -> int:
        """Documents removed."""


class TypedCursor(Protocol[Record]):
    """A query not yet run, of documents that are records of one type."""

    def sort(self, keys: SortKeys) -> "TypedCursor[Record]":
        """Order by several keys; 1 ascending, -1 descending."""

    def limit(self, limit: int) -> "TypedCursor[Record]":
        """Return at most `limit` documents."""

    async def to_list(self, length: int | None) -> list[Record]:
        """Run the query and collect at most `length` documents (None: all)."""

    def __aiter__(self) -> AsyncIterator[Record]: ...


class TypedCollection(Protocol[Record]):
    """One collection of records, every operation acknowledged before it returns."""

    async def insert_one(self, document: Record) -> object:
        """Insert; raises `pymongo.errors.DuplicateKeyError` when the `_id` is taken."""

    async def find_one(self, filter: Filter) -> Record | None:
        """Return one matching document."""

    def find(self, filter: Filter, *, only: Sequence[str] = ()) -> TypedCursor[Record]:
        """Prepare a query; with `only`, documents have these fields and their `_id`."""

    async def find_ids(self, ids: Sequence[str]) -> list[Record]:
        """Return those documents with these `_id`s that are there, in no certain order."""

    async def update_one(
        self, filter: Filter, update: Mapping[str, Any], *, upsert: bool = False
    ) -> UpdateResult:
        """Change one matching document atomically."""

    async def update_many(self, filter: Filter, update: Mapping[str, Any]) -> UpdateResult:
        """Change all matching documents, each atomically."""

    async def find_one_and_update(
        self,
        filter: Filter,
        update: Mapping[str, Any],
        *,
        upsert: bool = False,
        return_document: bool = False,
    ) -> Record | None:
        """Change one document and give it as it was, or as it is with `ReturnDocument.AFTER`."""

    async def delete_one(self, filter: Filter) -> DeleteResult:
        """Remove one matching document."""

    async def delete_many(self, filter: Filter) -> DeleteResult:
        """Remove all matching documents."""

    async def count_documents(self, filter: Filter) -> int:
        """Count matching documents; use it on an indexed key only."""

    async def create_index(self, keys: SortKeys) -> str:
        """Make an index if it is not there; not unique (natural keys go into `_id`)."""


Cursor = TypedCursor[Document]
Collection = TypedCollection[Document]


def typed(collection: Collection, kind: type[Record]) -> TypedCollection[Record]:
    """Return a collection whose documents are records of one type, a `TypedDict`."""
    return cast(TypedCollection[Record], collection)


class Database(Protocol):
    """A set of collections by name."""

    def __getitem__(self, name: str) -> Collection: ...
