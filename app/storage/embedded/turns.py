"""The order in which processes that share a database write to it.

SQLite has no queue: a process that waits for the write lock looks again after longer and longer
pauses, and one that writes all the time takes it in each of them. So a process first takes the lock
of a file beside the database and keeps it until it has the write lock: the process that has just
committed finds it taken and waits in its turn.

Only the order depends on it. Where the file cannot be made or locked, or was deleted, writes stay
correct.
"""

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from app.storage.faults import Locked

try:
    import fcntl
except ImportError:  # on Windows
    fcntl = None  # type: ignore[assignment]

LOOK_AGAIN_S = 0.001
"""Shorter than a commit, so that every process that waits sees the lock free in between."""


class Turns:
    """One process's place in that order. Not for use by several threads at once."""

    def __init__(self, path: Path, wait_s: float) -> None:
        """`wait_s` bounds the wait for the others."""
        self._path = path
        self._wait_s = wait_s
        self._fd: int | None = None

    @contextmanager
    def take(self) -> Iterator[None]:
        """Hold the place of the process that writes next.

        Raises:
            Locked: other processes kept it for too long.
        """
        if self._fd is None:
            with suppress(OSError):
                self._fd = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        if self._fd is None or fcntl is None:
            yield
            return
        deadline = time.monotonic() + self._wait_s
        while not _lock(self._fd):
            if time.monotonic() > deadline:
                raise Locked("The database is locked by another process.")
            time.sleep(LOOK_AGAIN_S)
        try:
            yield
        finally:
            with suppress(OSError):
                fcntl.flock(self._fd, fcntl.LOCK_UN)

    def close(self) -> None:
        """Close the file; it stays where it is."""
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None


def _lock(fd: int) -> bool:
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        # A file system without such locks: SQLite's own order has to do.
        return True
    return True
