"""What can be wrong with the files of the embedded store, each kind by its name.

All of them are `Unavailable`: a request that meets one is answered 503 and may be sent again.
"""

import sqlite3

from models.errors import Unavailable

FORKED = "The database was opened before this process was forked; open it anew."
"""SQLite's connections and locks, and the store's threads, stay with the process they are from."""

_BUSY_S, _REPAIR_S = 1.0, 30.0
"""When to come back: a lock is held for moments, a disk is looked after by people."""


class StoreFault(Unavailable):
    """The embedded store cannot do what it was asked to."""

    again_s = _REPAIR_S

    def __init__(self, message: str) -> None:
        super().__init__(message, retry_after_s=self.again_s)


class Locked(StoreFault):
    """Another process holds the database for longer than one waits."""

    again_s = _BUSY_S


class DiskFull(StoreFault):
    """There is no room to write; reading goes on."""


class ReadOnly(StoreFault):
    """The files, or their disk, may not be written; reading goes on."""


class FilesGone(StoreFault):
    """The files were deleted or replaced while they were open; reading goes on.

    What would be written now would be lost with the last process that has them open.
    """


class Corrupt(StoreFault):
    """The file is damaged: what lies elsewhere in it can be read, and nothing is written."""


class Failing(StoreFault):
    """The disk gives errors, or the files cannot be opened."""


class WalFull(StoreFault):
    """A read that does not end makes the WAL grow beyond its bound; reading goes on."""


class Unclear(Failing):
    """The disk failed in the middle of a commit: it may be found there, or not.

    Nothing is made a second time for the caller; one that asks again does so under the key by which
    the first attempt is known.
    """


class Closed(StoreFault):
    """The store is closed: the server stops."""

    again_s = _BUSY_S


_MESSAGES: dict[type[StoreFault], str] = {
    Locked: "The database is locked by another process.",
    DiskFull: "The database cannot be written: its disk is full.",
    ReadOnly: "The database cannot be written: its files are read-only.",
    Corrupt: "The database is damaged.",
    Failing: "The database's files cannot be used.",
}

_SQLITE_ERRORS: dict[str, type[StoreFault]] = {
    "SQLITE_BUSY": Locked,
    "SQLITE_LOCKED": Locked,
    "SQLITE_PROTOCOL": Locked,
    "SQLITE_FULL": DiskFull,
    "SQLITE_IOERR_SHMSIZE": DiskFull,
    "SQLITE_READONLY": ReadOnly,
    "SQLITE_PERM": ReadOnly,
    "SQLITE_CORRUPT": Corrupt,
    "SQLITE_NOTADB": Corrupt,
}
"""By the name of an error or the beginning of an extended one's."""


def fault_of(error: sqlite3.Error) -> StoreFault:
    """Return what an error of SQLite means; raises it when it is a mistake of ours."""
    name: str = getattr(error, "sqlite_errorname", "")
    for known, kind in _SQLITE_ERRORS.items():
        if name == known or name.startswith(f"{known}_"):
            return kind(_MESSAGES[kind])
    if name.startswith(("SQLITE_IOERR", "SQLITE_CANTOPEN", "SQLITE_NOMEM")):
        return Failing(_MESSAGES[Failing])
    raise error
