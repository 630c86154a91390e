"""The database: motor on `MONGODB_URI`, or the embedded store; nobody else knows which.

Every operation passes `_Collection`, so that models get only what both have in common, and an
outage reaches every door as `models.errors.Unavailable`.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from motor.motor_asyncio import AsyncIOMotorClient
from pymongo.errors import (
    ConfigurationError,
    ConnectionFailure,
    ExecutionTimeout,
    PyMongoError,
    WTimeoutError,
)
from tinymongo.errors import LockError

from app.embedded import open_embedded
from app.settings import Settings, SettingsError
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

PING_TIMEOUT_S = 3.0
"""A health check that waits longer is of no use to the router that asks."""

# ConfigurationError: DNS does not know the name of a mongodb+srv address, or does not answer.
_OUTAGES = (ConfigurationError, ConnectionFailure, ExecutionTimeout, WTimeoutError, LockError)

_MOTOR_OPTIONS: dict[str, Any] = {
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


class Store:
    """An open database and how to leave it."""

    def __init__(
        self,
        database: Database,
        ping: Callable[[], Awaitable[object]],
        close: Callable[[], Awaitable[None]],
    ) -> None:
        self.database = database
        self._ping = ping
        self._close = close

    async def ping(self) -> None:
        """Ask the database for a sign of life.

        Raises:
            Unavailable: none within `PING_TIMEOUT_S`.
        """
        try:
            with _outages():
                await asyncio.wait_for(self._ping(), PING_TIMEOUT_S)
        except TimeoutError:
            raise Unavailable("The database does not answer.", retry_after_s=1) from None

    async def close(self) -> None:
        """Finish what is under way and let go of the connection or the files."""
        await self._close()


async def open_store(settings: Settings) -> Store:
    """Open MongoDB when `settings.mongodb_uri` is set, else the embedded store in `data_dir`.

    MongoDB is connected by the first operation; the embedded files are opened here.
    """
    if settings.mongodb_uri:
        return _open_motor(settings.mongodb_uri, settings.mongodb_database)
    return await _open_embedded(settings)


def _open_motor(uri: str, name: str) -> Store:
    try:
        client: AsyncIOMotorClient[Document] = AsyncIOMotorClient(uri, **_MOTOR_OPTIONS)
        # A database named in the address wins: hosted databases grant that one only.
        database = client.get_default_database(name)
    except (PyMongoError, ValueError, TypeError):
        # The driver's message may quote the address, which holds a password.
        raise SettingsError("MONGODB_URI is not an address that the driver can use.") from None

    async def close() -> None:
        client.close()

    return Store(_Database(database), lambda: database.command("ping"), close)


async def _open_embedded(settings: Settings) -> Store:
    database = await open_embedded(settings.data_dir, settings.mongodb_database)
    return Store(
        _Database(database, embedded=True),
        database.list_collection_names,
        database.client.close,
    )


class _Database:
    def __init__(self, database: Any, *, embedded: bool = False) -> None:
        self._database = database
        self._embedded = embedded

    def __getitem__(self, name: str) -> Collection:
        return _Collection(self._database[name], self._embedded)


class _Collection:
    def __init__(self, collection: Any, embedded: bool) -> None:
        self._collection = collection
        self._embedded = embedded

    async def insert_one(self, document: Document) -> object:
        with _outages():
            return await self._collection.insert_one(document)

    async def find_one(self, filter: Filter) -> Document | None:
        with _outages():
            found: Document | None = await self._collection.find_one(filter)
            return found

    def find(self, filter: Filter, *, only: Sequence[str] = ()) -> Cursor:
        return _Cursor(self._collection.find(filter, dict.fromkeys(only, 1) or None))

    async def find_ids(self, ids: Sequence[str]) -> list[Document]:
        if not self._embedded:
            return await self.find({"_id": {"$in": list(ids)}}).to_list(None)
        # The embedded store looks through everything for `$in`, and at one `_id` in no time.
        found = await asyncio.gather(*(self.find_one({"_id": wanted}) for wanted in ids))
        return [document for document in found if document is not None]

    async def update_one(
        self, filter: Filter, update: Mapping[str, Any], *, upsert: bool = False
    ) -> UpdateResult:
        if self._embedded and not upsert and len(filter) > 1 and isinstance(filter.get("_id"), str):
            # With conditions beside the `_id` the embedded store looks through everything here,
            # and finds the one document in no time there.
            found = await self.find_one_and_update(filter, update)
            return _Changed(found is not None)
        with _outages():
            result: UpdateResult = await self._collection.update_one(filter, update, upsert=upsert)
            return result

    async def update_many(self, filter: Filter, update: Mapping[str, Any]) -> UpdateResult:
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
        with _outages():
            found: Document | None = await self._collection.find_one_and_update(
                filter, update, upsert=upsert, return_document=return_document
            )
            return found

    async def delete_one(self, filter: Filter) -> DeleteResult:
        with _outages():
            result: DeleteResult = await self._collection.delete_one(filter)
            return result

    async def delete_many(self, filter: Filter) -> DeleteResult:
        with _outages():
            result: DeleteResult = await self._collection.delete_many(filter)
            return result

    async def count_documents(self, filter: Filter) -> int:
        with _outages():
            count: int = await self._collection.count_documents(filter)
            return count

    async def create_index(self, keys: SortKeys) -> str:
        if self._embedded:
            # The embedded store has ascending indexes only, and reads them both ways.
            keys = [(key, 1) for key, _ in keys]
        with _outages():
            name: str = await self._collection.create_index(list(keys))
            return name


class _Changed:
    """The result of an update whose conditions exclude what it would leave as it is."""

    def __init__(self, changed: bool) -> None:
        self.matched_count = self.modified_count = int(changed)


class _Cursor:
    def __init__(self, cursor: Any) -> None:
        self._cursor = cursor

    def sort(self, keys: SortKeys) -> Cursor:
        self._cursor = self._cursor.sort(list(keys))
        return self

    def limit(self, limit: int) -> Cursor:
        self._cursor = self._cursor.limit(limit)
        return self

    async def to_list(self, length: int | None) -> list[Document]:
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
