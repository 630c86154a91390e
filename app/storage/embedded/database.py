"""The embedded store as a whole: one file, its writer, its readers."""

import asyncio
import contextlib
import os
import sqlite3
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path

import bson

from app.storage.embedded.catalogue import read_catalogue
from app.storage.embedded.checking import find_problems
from app.storage.embedded.collection import EmbeddedCollection, id_key
from app.storage.embedded.file import DatabaseFile
from app.storage.embedded.health import Health
from app.storage.embedded.readers import Readers
from app.storage.embedded.transaction import Transaction
from app.storage.embedded.writer import Writer
from app.storage.faults import FilesGone
from models.database import Document

ROOM_BYTES = 64 * 1024
"""Written by a ping after a fault: on a full disk a few bytes still find a place."""

LOADED_AT_ONCE = 500
"""Documents of one transaction when many are brought in."""


async def open_embedded(path: Path) -> "EmbeddedDatabase":
    """Open the database file at `path`, made when it is not there.

    Raises:
        StoreFault: it cannot be opened or written, is damaged, or is no database of this server.
    """
    return await asyncio.to_thread(EmbeddedDatabase, path)


class EmbeddedDatabase:
    """An open database; several processes may have the same one open."""

    def __init__(self, path: Path) -> None:
        """Open it; blocks."""
        self.path = path
        self._health = Health()
        self._file = DatabaseFile(path)
        self._writer = Writer(
            self._file,
            self._health,
            committed=lambda catalogue: self._readers.take_in(catalogue),
            replaced=lambda: self._readers.connect(),
        )
        try:
            self._readers = Readers(self._file, self._health)
        except sqlite3.Error as error:
            self._writer.close()
            raise self._health.explain(error) from error

    def __getitem__(self, name: str) -> EmbeddedCollection:
        return EmbeddedCollection(name, self._writer, self._readers)

    async def list_collection_names(self) -> list[str]:
        """Return the names of the collections that were ever written to."""
        return await self._readers.run(
            lambda connection, _: sorted(read_catalogue(connection).collections)
        )

    async def ping(self) -> None:
        """Read something; after a fault also write, and so see whether it is over.

        Raises:
            StoreFault: what is wrong.
        """
        try:
            self._file.check_in_place()
        except FilesGone:
            # Looks whether there is another file to go on with.
            await self._writer.write(_leave_room)
        await self._readers.run(lambda connection, _: read_catalogue(connection))
        if self._health.fault is not None:
            # After the first commit the WAL is moved, which may take the room there seemed to be.
            await self._writer.write(_take_room)
            await self._writer.write(_take_room)
            await self._writer.write(_leave_room)

    async def load(self, name: str, documents: Iterable[Document]) -> int:
        """Insert many documents that have an `_id`, some hundred in a transaction; return how many.

        Raises:
            DuplicateKeyError: an `_id` is taken; what the transactions before brought in is there.
        """
        count = 0
        pairs: list[tuple[bytes, bytes]] = []

        def insert(writing: Transaction) -> None:
            for key, data in pairs:
                writing.insert(name, key, data)

        for document in documents:
            pairs.append((id_key(document["_id"]), bson.encode(document)))
            count += 1
            if len(pairs) == LOADED_AT_ONCE:
                await self._writer.write(insert)
                pairs.clear()
        if pairs:
            await self._writer.write(insert)
        return count

    async def backup(self, path: Path) -> None:
        """Write the database as it is now, without the gaps in its file, to a new file at `path`.

        Writing goes on meanwhile. Raises FileExistsError when there is something at `path`.
        """
        await self._readers.run(lambda _connection, _catalogue: _copy(self._file, path))

    async def check(self) -> list[str]:
        """Look through the whole file; return what is wrong with it, one sentence each."""
        return await self._readers.run(lambda connection, _: find_problems(connection))

    async def close(self) -> None:
        """Write what waits and close the file; reads that run are waited for."""
        await asyncio.to_thread(self._close)

    def _close(self) -> None:
        self._readers.close()
        self._writer.close()


def _take_room(writing: Transaction) -> None:
    writing.wrote = True
    writing.connection.execute(
        "INSERT OR REPLACE INTO meta VALUES ('room', zeroblob(?))", (ROOM_BYTES,)
    )


def _leave_room(writing: Transaction) -> None:
    writing.wrote = True
    writing.connection.execute("DELETE FROM meta WHERE name = 'room'")


def _copy(file: DatabaseFile, path: Path) -> None:
    if path.exists():
        raise FileExistsError(f"{path} is there already")
    draft = path.with_name(f"{path.name}.part")
    draft.unlink(missing_ok=True)
    try:
        file.copy_to(draft)
        for place in (draft, path.parent):
            with contextlib.suppress(PermissionError):  # folders, on Windows
                handle = os.open(place, os.O_RDONLY)
                try:
                    os.fsync(handle)
                finally:
                    os.close(handle)
            if place is draft:
                draft.rename(path)
    finally:
        draft.unlink(missing_ok=True)


def check_file(path: Path) -> list[str]:
    """Look through the file at `path` without opening it to write; blocks."""
    uri = f"{path.absolute().as_uri()}?mode=ro"
    try:
        with closing(sqlite3.connect(uri, uri=True)) as connection:
            return find_problems(connection)
    except sqlite3.Error as error:
        return [f"SQLite: {error}"]
