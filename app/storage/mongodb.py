"""MongoDB through motor.

Every operation passes `MotorCollection`, so that models get only what all stores have in common,
and an outage reaches every transport as `models.errors.Unavailable`.
"""

from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

from motor.motor_asyncio import AsyncIOMotorClient
from pymongo.errors import (
    ConfigurationError,
    ConnectionFailure,
    ExecutionTimeout,
    PyMongoError,
    WTimeoutError,
)

from app.settings import SettingsError
from models.database import (
    Collection,
    Cursor,
    DeleteResult,
    Document,
    Filter,
    SortKeys,
    UpdateResult,
)
from models.errors import Unavailable

# ConfigurationError: DNS does not know the name of a mongodb+srv address, or does not answer.
_OUTAGES = (ConfigurationError, ConnectionFailure, ExecutionTimeout, WTimeoutError)

MOTOR_OPTIONS: dict[str, Any] = {
    "w": "majority",
    "journal": True,
    "tz_aware": True,
    "appname": "realtime-namespaces",
    # An outage answers 503 while the client still listens; the platform's router gives up at 30 s.
    "serverSelectionTimeoutMS": 5_000,
    "connectTimeoutMS": 5_000,
    "waitQueueTimeoutMS": 5_000,
    "socketTimeoutMS": 20_000,
    "wTimeoutMS": 10_000,
}


def open_mongodb(uri: str, name: str) -> "MotorDatabase":
    """Make a client; it connects with its first operation.

    Raises:
        SettingsError: the address cannot be used.
    """
    try:
        client: AsyncIOMotorClient[Document] = AsyncIOMotorClient(uri, **MOTOR_OPTIONS)
        # A database named in the address wins: hosted databases grant that one only.
        database = client.get_default_database(name)
    except (PyMongoError, ValueError, TypeError):
        # The driver's message may quote the address, which holds a password.
        raise SettingsError("MONGODB_URI is not an address that the driver can use.") from None
    return MotorDatabase(database)


class MotorDatabase:
    """One database of a server."""

    def __init__(self, database: Any) -> None:
        self._database = database

    def __getitem__(self, name: str) -> Collection:
        return MotorCollection(self._database[name])

    async def ping(self) -> None:
        """Ask the server for a sign of life."""
        with _outages():
            await self._database.command("ping")

    async def clock(self) -> datetime:
        """Return what the server's clock says."""
        with _outages():
            answer = await self._database.command("hello")
            said: datetime = answer["localTime"]
            return said if said.tzinfo else said.replace(tzinfo=UTC)

    async def close(self) -> None:
        """Let go of the connections."""
        self._database.client.close()


class MotorCollection:
    """One collection, with what all stores have in common."""

    def __init__(self, collection: Any) -> None:
        self._collection = collection

    async def insert_one(self, document: Document) -> object:
        """Insert a document."""
        with _outages():
            return await self._collection.insert_one(document)

    async def find_one(self, filter: Filter) -> Document | None:
        """Return one matching document."""
        with _outages():
            found: Document | None = await self._collection.find_one(filter)
            return found

    def find(self, filter: Filter, *, only: Sequence[str] = ()) -> Cursor:
        """Prepare a query."""
        return MotorCursor(self._collection.find(filter, dict.fromkeys(only, 1) or None))

    async def find_ids(self, ids: Sequence[str]) -> list[Document]:
        """Return the documents with these `_id`s."""
        return await self.find({"_id": {"$in": list(ids)}}).to_list(None)

    async def update_one(
        self, filter: Filter, update: Mapping[str, Any], *, upsert: bool = False
    ) -> UpdateResult:
        """Change one matching document."""
        with _outages():
            result: UpdateResult = await self._collection.update_one(filter, update, upsert=upsert)
            return result

    async def update_many(self, filter: Filter, update: Mapping[str, Any]) -> UpdateResult:
        """Change all matching documents."""
        with _outages():
            result: UpdateResult = await self._collection.update_many(filter, update)
            return result

    async def find_one_and_update(
        self,
        filter: Filter,
        update: Mapping[str, Any],
        *,
        upsert: bool = False,
        return_document: bool = False,
    ) -> Document | None:
        """Change one document and return it."""
        with _outages():
            found: Document | None = await self._collection.find_one_and_update(
                filter, update, upsert=upsert, return_document=return_document
            )
            return found

    async def delete_one(self, filter: Filter) -> DeleteResult:
        """Remove one matching document."""
        with _outages():
            result: DeleteResult = await self._collection.delete_one(filter)
            return result

    async def delete_many(self, filter: Filter) -> DeleteResult:
        """Remove all matching documents."""
        with _outages():
            result: DeleteResult = await self._collection.delete_many(filter)
            return result

    async def count_documents(self, filter: Filter) -> int:
        """Count matching documents."""
        with _outages():
            count: int = await self._collection.count_documents(filter)
            return count

    async def create_index(self, keys: SortKeys) -> str:
        """Make an index."""
        with _outages():
            name: str = await self._collection.create_index(list(keys))
            return name


class MotorCursor:
    """A query not yet run."""

    def __init__(self, cursor: Any) -> None:
        self._cursor = cursor

    def sort(self, keys: SortKeys) -> Cursor:
        """Order by several keys."""
        self._cursor = self._cursor.sort(list(keys))
        return self

    def limit(self, limit: int) -> Cursor:
        """Return at most `limit` documents."""
        self._cursor = self._cursor.limit(limit)
        return self

    async def to_list(self, length: int | None) -> list[Document]:
        """Run the query and collect at most `length` documents."""
        with _outages():
            documents: list[Document] = await self._cursor.to_list(length)
            return documents

    async def __aiter__(self) -> AsyncIterator[Document]:
        with _outages():
            async for document in self._cursor:
                yield document


@contextmanager
def _outages() -> Iterator[None]:
    try:
        yield
    except _OUTAGES as error:
        raise Unavailable("The database is away; try again.", retry_after_s=1) from error
