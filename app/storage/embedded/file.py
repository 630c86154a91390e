"""The database file: its layout, how it is opened, and whether it is still where it was.

One SQLite database in WAL mode with the same five tables for all collections, so that opening it
and adding a collection or an index costs next to nothing:

- `meta`: `name`, `value`. `version` counts the changes of the two catalogue tables.
- `collections`: `id`, `name`.
- `indexes`: `id`, `collection`, `fields` (dotted paths as a JSON array), `many` (bit n: some
  document has an array in field n), `ready` (whether it has all documents).
- `documents`: `n`, `key` (the collection's id in four bytes, then the key of the `_id`), `document`
  (BSON).
- `entries`: `key` (the index's id in four bytes, the keys of the fields' values, then `n` in eight
  bytes), `n`.

https://www.sqlite.org/wal.html
"""

import os
import sqlite3
import sys
import time
from contextlib import closing
from pathlib import Path

from app.storage.embedded.turns import Turns
from app.storage.faults import Corrupt, Failing, FilesGone, StoreFault, fault_of

FORMAT = 1
APPLICATION_ID = 0x5254_4E53
"""In the file's header, so that no other program's database is taken for ours."""

BUSY_S = 5.0
"""How long a write waits for another process's: its commit takes milliseconds, its checkpoint less
than a second."""

PAGE_CACHE_KIB = 8_192
"""Of a connection, of which there are up to six; the system's cache of the file comes on top.
The file is not mapped into memory: there, an error of the disk ends the process."""

SETTLED_S = 2.0
"""How long a file that was put in the place of the open one must stay as it is: one that is being
copied is not whole."""

WAL_PAGES = 1_000
"""After which a commit moves pages from the WAL to the database: SQLite's default, 4 MB."""

WAL_KEPT_BYTES = 16 * 1024**2
"""To which a WAL is cut that has grown beyond it, once everything in it was moved."""

STATEMENTS = 256
"""Prepared statements that a connection keeps: there are some dozens of texts."""

_LAYOUT = f"""
BEGIN IMMEDIATE;
CREATE TABLE IF NOT EXISTS meta (name TEXT PRIMARY KEY, value) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS collections (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE);
CREATE TABLE IF NOT EXISTS indexes (
    id INTEGER PRIMARY KEY,
    collection INTEGER NOT NULL,
    fields TEXT NOT NULL,
    many INTEGER NOT NULL,
    ready INTEGER NOT NULL,
    UNIQUE (collection, fields)
);
CREATE TABLE IF NOT EXISTS documents (
    n INTEGER PRIMARY KEY,
    key BLOB NOT NULL UNIQUE,
    document BLOB NOT NULL
);
CREATE TABLE IF NOT EXISTS entries (
    key BLOB PRIMARY KEY,
    n INTEGER NOT NULL
) WITHOUT ROWID;
INSERT OR IGNORE INTO meta VALUES ('version', 0);
PRAGMA user_version = {FORMAT};
PRAGMA application_id = {APPLICATION_ID};
COMMIT;
"""


class DatabaseFile:
    """One file at a path, and the processes' connections to it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.turns = Turns(path.with_name(f"{path.name}-turns"), BUSY_S)
        self._wal = path.with_name(f"{path.name}-wal")
        self._names = str(path), str(self._wal)
        self._wal_bytes = 0
        self._identity: tuple[tuple[int, int], ...] = ()
        self._seen: tuple[int, ...] = ()
        self._seen_at = 0.0
        self._refused: tuple[int, ...] = ()

    def open(self) -> sqlite3.Connection:
        """Make the file when it is not there, see that it is one of ours, and connect to write.

        Raises:
            StoreFault: it cannot be opened or written, or is something else.
        """
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise Failing(
                f"The database's folder {self.path.parent} cannot be made: {error.strerror}."
            ) from None
        try:
            with self.turns.take():
                connection = self._open()
        except sqlite3.Error as error:
            raise self._fault_of(error) from error
        # As long as this connection is open, SQLite leaves the WAL in its place, too.
        self._identity = self._identify()
        return connection

    def open_replacement(self) -> sqlite3.Connection:
        """Connect to the file that is in the place of the one that was open, when it is whole.

        A backup that was put back is one, with or without the older file's WAL beside it.

        Raises:
            FilesGone: there is none, or it changes still.
            StoreFault: it is damaged, or no database of this server; it is looked at once.
        """
        stamp = self._stamp()
        gone = FilesGone("The database's files were deleted or replaced while they were open.")
        if not stamp or (stamp[0], stamp[1]) == self._identity[0]:
            raise gone
        if stamp == self._refused:
            raise Corrupt(f"The file put in the place of the database is damaged ({self.path}).")
        if stamp != self._seen:
            self._seen, self._seen_at = stamp, time.monotonic()
        if time.monotonic() - self._seen_at < SETTLED_S:
            raise gone
        try:
            with self.turns.take():
                self._remove_stale_wal()
                connection = self._open()
            try:
                (found,) = connection.execute("PRAGMA quick_check(1)").fetchone()
                if found != "ok":
                    raise Corrupt(
                        f"The file put in the place of the database is damaged ({self.path})."
                    )
            except BaseException:
                connection.close()
                raise
        except sqlite3.Error as error:
            fault = self._fault_of(error)
            if isinstance(fault, Corrupt):
                self._refused = self._stamp()
            raise fault from error
        except Corrupt:
            self._refused = self._stamp()
            raise
        self._identity = self._identify()
        return connection

    def _fault_of(self, error: sqlite3.Error) -> StoreFault:
        fault = fault_of(error)
        return type(fault)(f"{fault.message} ({self.path})")

    def _stamp(self) -> tuple[int, ...]:
        """Return what changes with the file at the path; nothing without one that has bytes."""
        try:
            found = self.path.stat()
        except OSError:
            return ()
        if not found.st_size:
            return ()
        return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns

    def _remove_stale_wal(self) -> None:
        """Remove the WAL of the file that is gone: SQLite would take it for the new one's.

        Another process that went on before has made another one.
        """
        try:
            found = self._wal.stat()
            if (found.st_dev, found.st_ino) == self._identity[1]:
                self.path.with_name(f"{self.path.name}-shm").unlink(missing_ok=True)
                self._wal.unlink()
        except FileNotFoundError:
            return
        except OSError as error:
            raise Failing(f"{self._wal} cannot be removed: {error.strerror}.") from None

    def _open(self) -> sqlite3.Connection:
        connection = self._connect_to_write()
        try:
            self._lay_out(connection)
        except BaseException:
            connection.close()
            raise
        return connection

    def connect_to_read(self, *, wait_s: float = BUSY_S) -> sqlite3.Connection:
        """Connect once more, to read only.

        All connections are made together: one that were made after the file was deleted would lead
        to another file, or to none.
        """
        connection = self._connect("ro", wait_s)
        try:
            connection.execute(f"PRAGMA cache_size = -{PAGE_CACHE_KIB}")
            connection.execute("PRAGMA query_only = ON")
        except BaseException:
            connection.close()
            raise
        return connection

    def copy_to(self, path: Path) -> None:
        """Write the database as it is now, without the gaps, to a new file; writing goes on.

        Raises:
            StoreFault: it cannot be read, or the copy cannot be written.
        """
        self.check_in_place()
        try:
            with closing(self._connect("ro", BUSY_S)) as connection:
                connection.execute("VACUUM INTO ?", (str(path),))
        except sqlite3.Error as error:
            fault = fault_of(error)
            raise type(fault)(f"No copy could be written to {path}: {fault.message}") from error

    def _connect_to_write(self) -> sqlite3.Connection:
        connection = self._connect("rwc", BUSY_S)
        try:
            connection.execute("PRAGMA journal_mode = WAL").fetchone()
            connection.execute("PRAGMA synchronous = FULL")
            if sys.platform == "darwin":
                # There, fsync leaves writes in the disk's own cache.
                connection.execute("PRAGMA fullfsync = ON")
                connection.execute("PRAGMA checkpoint_fullfsync = ON")
            connection.execute(f"PRAGMA cache_size = -{PAGE_CACHE_KIB}")
            connection.execute(f"PRAGMA wal_autocheckpoint = {WAL_PAGES}").fetchone()
            connection.execute(f"PRAGMA journal_size_limit = {WAL_KEPT_BYTES}").fetchone()
        except BaseException:
            connection.close()
            raise
        return connection

    def _connect(self, mode: str, wait_s: float) -> sqlite3.Connection:
        """Open a connection that may be used in any thread, by one at a time."""
        return sqlite3.connect(
            f"{self.path.absolute().as_uri()}?mode={mode}",
            uri=True,
            timeout=wait_s,
            isolation_level=None,
            check_same_thread=False,
            cached_statements=STATEMENTS,
        )

    def check_in_place(self) -> None:
        """Raise `FilesGone` unless the path still leads to the files that were opened."""
        if self._identify() != self._identity:
            raise FilesGone("The database's files were deleted or replaced while they were open.")

    def has_lost_its_wal(self) -> bool:
        """Whether the file is in its place, and its WAL was deleted."""
        try:
            found = self.path.stat()
        except OSError:
            return False
        is_same = self._identity[:1] == ((found.st_dev, found.st_ino),)
        return is_same and not self._wal.exists()

    @property
    def wal_bytes(self) -> int:
        """The size of the WAL when it was last seen to be in its place."""
        return self._wal_bytes

    def _identify(self) -> tuple[tuple[int, int], ...]:
        try:
            # Asked twice for each commit: `Path.stat` takes twice as long.
            file, wal = os.stat(self._names[0]), os.stat(self._names[1])
        except OSError:
            return ()
        self._wal_bytes = wal.st_size
        return (file.st_dev, file.st_ino), (wal.st_dev, wal.st_ino)

    def _lay_out(self, connection: sqlite3.Connection) -> None:
        application_id = _pragma(connection, "application_id")
        if application_id == 0 and not connection.execute("SELECT 1 FROM sqlite_master").fetchone():
            connection.executescript(_LAYOUT)
            return
        if application_id != APPLICATION_ID:
            raise Corrupt(f"The file {self.path} is not a database of this server.")
        made = _pragma(connection, "user_version")
        if made != FORMAT:
            raise Corrupt(
                f"The database {self.path} has format {made}; this release reads format {FORMAT}."
            )
        # Says now what the first write would say, and makes the WAL.
        connection.execute("BEGIN IMMEDIATE")
        connection.execute("ROLLBACK")


def _pragma(connection: sqlite3.Connection, name: str) -> int:
    value: int = connection.execute(f"PRAGMA {name}").fetchone()[0]
    return value
