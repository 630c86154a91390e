"""Reading while the writer writes: single documents on the event loop, everything else in threads.

Every statement sees what was acknowledged before it began, and none of them leaves a transaction
open.
"""

import asyncio
import os
import sqlite3
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from app.storage.embedded.catalogue import Catalogue, read_catalogue
from app.storage.embedded.file import DatabaseFile
from app.storage.embedded.health import Health
from app.storage.embedded.scanning import Outdated, read_by_id
from app.storage.faults import FORKED, Closed
from models.database import Document

THREADS = 4
"""Long reads (an export, a search) that may go on at the same time as short ones."""

ON_LOOP_MAX = 16
"""Documents read on the event loop at once: 0.1 ms, less than going to a thread and back takes."""

Read = Callable[[sqlite3.Connection, Catalogue], "T"]
T = TypeVar("T")


class _Connections:
    """Those to one file, and what is known of its collections."""

    def __init__(self, file: DatabaseFile) -> None:
        self.here = file.connect_to_read(wait_s=0)
        # The last one that was given back is the next one taken: its pages are in its cache.
        self.free = deque(file.connect_to_read() for _ in range(THREADS))
        self.catalogue = Catalogue()

    def close(self) -> None:
        self.here.close()
        for connection in self.free:
            connection.close()


class Readers:
    """The connections that read."""

    def __init__(self, file: DatabaseFile, health: Health) -> None:
        self._file = file
        self._health = health
        self._pid = os.getpid()
        self._is_closed = False
        self._connections = _Connections(file)
        self._executor = ThreadPoolExecutor(THREADS, thread_name_prefix="store-reader")

    def connect(self) -> None:
        """Read from the file that is at the path now; reads that run end on the older one."""
        self._connections = _Connections(self._file)

    @property
    def catalogue(self) -> Catalogue:
        """The newest known one."""
        return self._connections.catalogue

    def take_in(self, catalogue: Catalogue) -> None:
        """Know a newer catalogue."""
        if catalogue.version > self._connections.catalogue.version:
            self._connections.catalogue = catalogue

    async def by_id(self, name: str, keys: Sequence[bytes]) -> list[Document]:
        """Return the documents with these keys of their `_id`, in no certain order."""
        info = self.catalogue.collections.get(name)
        if info is None or len(keys) > ON_LOOP_MAX:
            return await self.run(
                lambda connection, catalogue: _by_id(connection, catalogue, name, keys)
            )
        # A caller that reads one document after the other lets others have their turn.
        await asyncio.sleep(0)
        opened = self._opened()
        # Those of one file: another one may have come meanwhile.
        info = opened.catalogue.collections.get(name)
        try:
            return read_by_id(opened.here, info.id, keys) if info else []
        except sqlite3.Error:
            # Locked for a moment, or worse: in a thread one can wait, and see.
            return await self.run(
                lambda connection, catalogue: _by_id(connection, catalogue, name, keys)
            )

    async def run(self, read: "Read[T]") -> T:
        """Return what `read` returns in a thread; it is begun anew when its catalogue is old.

        Raises:
            StoreFault: the files could not be read.
        """
        self._opened()
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._executor, self._run, read)

    def close(self) -> None:
        """Close all connections; blocks until running reads are done."""
        if os.getpid() != self._pid:
            return
        self._is_closed = True
        self._executor.shutdown(cancel_futures=True)
        self._connections.close()

    def _opened(self) -> _Connections:
        if self._is_closed:
            raise Closed("The database is closed.")
        if os.getpid() != self._pid:
            raise Closed(FORKED)
        return self._connections

    def _run(self, read: "Read[T]") -> T:
        opened = self._connections
        connection = opened.free.pop()
        try:
            if opened.catalogue.version < 0:
                opened.catalogue = read_catalogue(connection)
            while True:
                catalogue = opened.catalogue
                try:
                    return read(connection, catalogue)
                except Outdated:
                    opened.catalogue = read_catalogue(connection)
        except sqlite3.Error as error:
            raise self._health.explain(error) from error
        finally:
            opened.free.append(connection)


def _by_id(
    connection: sqlite3.Connection, catalogue: Catalogue, name: str, keys: Sequence[bytes]
) -> list[Document]:
    info = catalogue.collections.get(name) or read_catalogue(connection).collections.get(name)
    return read_by_id(connection, info.id, keys) if info else []
