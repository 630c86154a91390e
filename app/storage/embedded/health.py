"""What is wrong with the store at present, and what operators read about it in the log."""

import logging
import sqlite3
import time
from collections.abc import Callable

from app.storage.faults import Corrupt, StoreFault, fault_of

logger = logging.getLogger(__name__)

LOG_EVERY_S = 60.0
"""A failing store fails with every request; once a minute says as much."""


class Health:
    """Kept by the writer and the readers, in their threads."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self.fault: StoreFault | None = None
        self._clock = clock
        self._since = 0.0
        self._logged: dict[type[StoreFault], float] = {}
        self._unlogged = 0
        self._is_end_due = False

    def explain(self, error: Exception) -> Exception:
        """Return what SQLite's error means, and keep it in mind; other errors are returned."""
        if isinstance(error, sqlite3.Error):
            try:
                fault = fault_of(error)
            except sqlite3.Error:
                return error
            fault.__cause__ = error
            error = fault
        if isinstance(error, StoreFault):
            self.failed(error)
        return error

    def failed(self, fault: StoreFault) -> None:
        """Keep in mind what is wrong; damage stays until a whole file is there."""
        now = self._clock()
        if self.fault is None:
            self._since = now
        if not isinstance(self.fault, Corrupt):
            self.fault = fault
        kind = type(fault)
        if now - self._logged.get(kind, -LOG_EVERY_S) < LOG_EVERY_S:
            self._unlogged += 1
            return
        self._logged[kind] = now
        self._is_end_due = True
        again = f" ({self._unlogged} more failures since the last line)" if self._unlogged else ""
        self._unlogged = 0
        cause = getattr(fault.__cause__, "sqlite_errorname", type(fault).__name__)
        logger.error("store: %s [%s]%s", fault.message, cause, again)

    def succeeded(self) -> None:
        """Note that something could be written.

        On a disk that is nearly full, small writes succeed and large ones fail all the time, so the
        next failure is logged no sooner than a minute after the last that was, and its end with it.
        """
        if self.fault is None or isinstance(self.fault, Corrupt):
            return
        self.fault = None
        if not self._is_end_due:
            return
        self._is_end_due = False
        logger.warning("store: writes succeed again after %d s", self._clock() - self._since)

    def replaced(self) -> None:
        """Note that another file, a whole one, was put in the place of the one that was open."""
        self.fault = None
        self._logged.clear()
        self._unlogged = 0
        self._is_end_due = False
        logger.warning("store: the database's file was replaced by a whole one, which is used now")

    def refuse_writes_when_damaged(self) -> None:
        """Raise `Corrupt` when damage was met: writing on would spread it."""
        if isinstance(self.fault, Corrupt):
            raise self.fault
