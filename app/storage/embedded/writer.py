"""The one thread of a process that writes.

It takes all changes that wait, makes them in one transaction, and acknowledges them after its
commit: a hundred writes at once cost one flush of the disk, and the event loop is woken once. A
change that fails is refused alone: most fail before they have written anything; where one has, the
transaction is rolled back and each change of it gets one of its own. Where the disk fails in the
commit itself, nothing is made a second time: the first may be there when the file is opened again.

Anyone who waits for a write may be cancelled; the write is made nevertheless, or was made already.
"""

import asyncio
import logging
import os
import sqlite3
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from queue import Empty, SimpleQueue
from typing import Any

from app.storage.embedded.catalogue import Catalogue
from app.storage.embedded.file import DatabaseFile
from app.storage.embedded.health import Health
from app.storage.embedded.transaction import Transaction
from app.storage.faults import FORKED, Closed, FilesGone, StoreFault, Unclear, WalFull

logger = logging.getLogger(__name__)

Change = Callable[[Transaction], Any]

BATCH = 256
"""Changes of one transaction: the first of them waits for the last."""

WAL_BYTES_MAX = 64 * 1024**2
"""Beyond it the WAL is emptied even if writes then wait for readers; pages are moved from it all
the time, but it starts anew only when no reader is at it."""

WAL_BYTES_REFUSED = 1024**3
"""Beyond it nothing is written: a reader that never ends would fill the disk. A backup of a few
gigabytes beside steady writes stays far below."""

EMPTYING_WAIT_MS = 100
"""How long an attempt to empty the WAL waits for readers; writes wait as long."""

EMPTYING_EVERY_S = 5.0
"""When a reader has kept the WAL from being emptied: writes lose 2 % of their time to it."""

WAL_GONE = "The database's WAL was deleted while it was open: restart the server."

_Waiting = tuple[Change, "asyncio.Future[Any]"]
_Outcome = tuple["asyncio.Future[Any]", Any, BaseException | None]


class Writer:
    """Takes changes on the event loop and makes them in its thread."""

    def __init__(
        self,
        file: DatabaseFile,
        health: Health,
        committed: Callable[[Catalogue], None],
        replaced: Callable[[], None],
    ) -> None:
        """Open the file.

        The others are called in the thread: `committed` with the catalogue after each commit,
        `replaced` when the file is another one from now on.
        """
        self._file = file
        self._health = health
        self._committed = committed
        self._replaced = replaced
        self._queue: SimpleQueue[list[_Waiting] | None] = SimpleQueue()
        self._asked: dict[asyncio.AbstractEventLoop, list[_Waiting]] = {}
        self._transaction = Transaction(file.open())
        self._closing = False
        self._pid = os.getpid()
        self._next_emptying = 0.0
        self._thread = threading.Thread(target=self._run, name="store-writer", daemon=True)
        self._thread.start()

    async def write(self, change: Change) -> Any:
        """Return what `change` has returned, once it is on the disk.

        Raises:
            StoreFault: it could not be written.
        """
        if self._closing:
            raise Closed("The database is closed.")
        if os.getpid() != self._pid:
            raise Closed(FORKED)
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Any] = loop.create_future()
        asked = self._asked.setdefault(loop, [])
        if not asked:
            # What is asked for in one turn of the loop is handed over at once: each time wakes the
            # thread, which then wants to run beside the loop, and each commit flushes the disk.
            loop.call_soon(self._hand_over, loop)
        asked.append((change, future))
        return await future

    def _hand_over(self, loop: asyncio.AbstractEventLoop) -> None:
        asked = self._asked.pop(loop, None)
        if asked:
            self._queue.put(asked)

    def close(self) -> None:
        """Make what waits, and close the file; blocks until that is done."""
        self._closing = True
        if os.getpid() != self._pid:
            return
        for loop in [*self._asked]:
            self._hand_over(loop)
        self._queue.put(None)
        self._thread.join()

    def _run(self) -> None:
        is_open = True
        while is_open:
            batch: list[_Waiting] = []
            waiting = self._queue.get()
            while waiting is not None:
                batch += waiting
                if len(batch) >= BATCH:
                    break
                try:
                    waiting = self._queue.get_nowait()
                except Empty:
                    break
            is_open = waiting is not None
            for at in range(0, len(batch), BATCH):
                _deliver(self._make(batch[at : at + BATCH]))
        self._transaction.connection.close()
        self._file.turns.close()

    def _make(self, batch: Sequence[_Waiting]) -> list[_Outcome]:
        """Make changes together, or one by one when one of them spoils that."""
        try:
            self._begin()
        except Exception as error:
            failure = self._undo(error)
            return [(future, None, failure) for _, future in batch]
        try:
            outcomes = [self._try(change, future) for change, future in batch]
            catalogue = self._transaction.catalogue
        except Exception as error:
            return self._make_apart(batch, error)
        try:
            self._transaction.commit()
        except Exception as error:
            if self._is_undone(error):
                return self._make_apart(batch, error)
            failure = self._undo(error)
            unclear = Unclear("The disk failed; whether this was written is not known.")
            unclear.__cause__ = failure
            return [(future, None, error or unclear) for future, _, error in outcomes]
        try:
            # What was written to files that are gone now is lost with this process.
            self._file.check_in_place()
        except StoreFault as fault:
            self._health.failed(fault)
            return [(future, None, fault) for _, future in batch]
        self._health.succeeded()
        self._committed(catalogue)
        return outcomes

    def _make_apart(self, batch: Sequence[_Waiting], error: Exception) -> list[_Outcome]:
        """Make each change in a transaction of its own after one that was undone as a whole."""
        failure = self._undo(error)
        if len(batch) == 1:
            return [(batch[0][1], None, failure)]
        return [outcome for each in batch for outcome in self._make([each])]

    def _is_undone(self, error: Exception) -> bool:
        """Whether a commit that failed has certainly left nothing on the disk.

        It is when SQLite still has the transaction open (another process was in the way), or had no
        room for it: what it has written then has no end. After any other error, as one of fsync,
        the whole transaction may be in the WAL and be found there by the next opening.
        """
        if self._transaction.connection.in_transaction:
            return True
        return isinstance(error, sqlite3.Error) and error.sqlite_errorname == "SQLITE_FULL"

    def _begin(self) -> None:
        try:
            self._file.check_in_place()
        except FilesGone:
            if self._file.has_lost_its_wal():
                # This process can still read it: nothing that was acknowledged goes with it. A new
                # one would not be that of the other connections, so it takes a restart to go on.
                self._empty_wal()
                raise FilesGone(WAL_GONE) from None
            self._go_on_with_replacement()
        self._health.refuse_writes_when_damaged()
        self._bound_wal()
        with self._file.turns.take():
            self._transaction.begin()

    def _go_on_with_replacement(self) -> None:
        """Use the file that was put in the place of the one that was open; raises without one."""
        connection = self._file.open_replacement()
        # SQLite sees that this one's file was moved, and leaves the files at the path alone.
        self._transaction.connection.close()
        self._transaction = Transaction(connection)
        self._replaced()
        self._health.replaced()

    def _try(self, change: Change, future: "asyncio.Future[Any]") -> _Outcome:
        """Make one change; raises when it fails and can no longer be separated from others."""
        self._transaction.wrote = False
        try:
            return future, change(self._transaction), None
        except sqlite3.Error:
            raise
        except Exception as error:
            if self._transaction.wrote:
                raise
            return future, None, error

    def _undo(self, error: Exception) -> Exception:
        """Roll back; return the error as those who wait are to have it."""
        try:
            self._transaction.rollback()
        except sqlite3.Error as failure:
            logger.warning("store: could not roll back: %s", failure)
        return self._health.explain(error)

    def _bound_wal(self) -> None:
        """Empty a WAL that has grown; raises `WalFull` while readers keep one that is too large."""
        if self._file.wal_bytes <= WAL_BYTES_MAX:
            return
        if time.monotonic() >= self._next_emptying:
            self._next_emptying = time.monotonic() + EMPTYING_EVERY_S
            self._empty_wal()
            self._file.check_in_place()
        if self._file.wal_bytes > WAL_BYTES_REFUSED:
            raise WalFull("The database cannot be written: a long read keeps its WAL from ending.")

    def _empty_wal(self) -> None:
        connection = self._transaction.connection
        (waits,) = connection.execute("PRAGMA busy_timeout").fetchone()
        try:
            connection.execute(f"PRAGMA busy_timeout = {EMPTYING_WAIT_MS}").fetchone()
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        except sqlite3.Error as error:
            self._health.explain(error)
        finally:
            connection.execute(f"PRAGMA busy_timeout = {waits}").fetchone()


def _deliver(outcomes: list[_Outcome]) -> None:
    """Wake the event loop once for all of them."""
    by_loop: dict[asyncio.AbstractEventLoop, list[_Outcome]] = {}
    for outcome in outcomes:
        by_loop.setdefault(outcome[0].get_loop(), []).append(outcome)
    for loop, some in by_loop.items():
        with suppress(RuntimeError):  # the loop was closed meanwhile
            loop.call_soon_threadsafe(_settle, some)


def _settle(outcomes: list[_Outcome]) -> None:
    for future, result, error in outcomes:
        if future.cancelled():
            continue
        if error is None:
            future.set_result(result)
        else:
            future.set_exception(error)
