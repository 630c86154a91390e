"""The process that starts workers, starts those again that end, and passes signals on.

It serves nothing and knows nothing of the server, so that little can fail in it. It waits for one
thing at a time: a signal, the end of a process, a byte on a link. As the first process of a
container it also takes the status of processes that others have left behind.

The first worker starts alone: it brings an empty or older database to its shape, and what keeps it
from starting would keep the others, too. Until all workers have been ready once, one that ends ends
the server, with its status: what is wrong is then wrong with the settings or the machine, and
whoever started the server is still looking. Later one that ends is started again.
"""

import logging
import os
import selectors
import signal
import socket
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field

from app.workers.link import FOR_GOOD, READY

logger = logging.getLogger(__name__)

STEADY_S = 60.0
"""A worker that has served for so long and ends is started again at once."""

PAUSE_MIN_S = 0.5
PAUSE_MAX_S = 30.0
"""Between the starts of one that does not last: doubled each time."""

STARTS_IN_VAIN = 5
"""So many starts in a row by which no worker became ready while none serves: then the server ends,
and whoever runs it learns so. With the pauses that is half a minute."""

KILL_S = 4.9
"""Workers end themselves earlier, once their connections have been drained."""

STOPPING = (signal.SIGTERM, signal.SIGINT)


@dataclass(slots=True)
class _Worker:
    number: int
    pid: int | None = None
    link: socket.socket | None = None
    ready_since: float | None = None
    """None while it does not serve."""

    start_at: float | None = None
    """When it is to be started; None while it runs, or is not to."""

    failures: int = 0
    """Starts in a row that did not last."""


@dataclass(slots=True)
class Supervisor:
    """Keeps `count` workers running."""

    count: int

    command: Callable[[int, int], list[str]]
    """Makes the command line of a worker from its number and the descriptor of its link."""

    pause_min_s: float = PAUSE_MIN_S
    kill_s: float = KILL_S
    _workers: list[_Worker] = field(init=False)
    _have_all_served: bool = field(default=False, init=False)
    _starts_in_vain: int = field(default=0, init=False)
    _stopping_since: float | None = field(default=None, init=False)
    _status: int = field(default=0, init=False)
    _have_been_killed: bool = field(default=False, init=False)
    _selector: selectors.BaseSelector = field(default_factory=selectors.DefaultSelector, init=False)

    def __post_init__(self) -> None:
        self._workers = [_Worker(number) for number in range(1, self.count + 1)]

    def run(self) -> int:
        """Supervise until a signal, or until it cannot go on; returns the exit status."""
        woken, wake = socket.socketpair()
        for end in (woken, wake):
            end.setblocking(False)
        # Only so that the signal writes its number to `wake`.
        for number in (*STOPPING, signal.SIGCHLD):
            signal.signal(number, lambda *_: None)
        signal.set_wakeup_fd(wake.fileno(), warn_on_full_buffer=False)
        self._selector.register(woken, selectors.EVENT_READ)
        self._workers[0].start_at = time.monotonic()
        while self._is_needed:
            self._start_due()
            for key, _ in self._selector.select(self._pause_s()):
                if isinstance(key.data, _Worker):
                    self._listen(key.data)
                else:
                    self._take_signals(woken)
            self._collect()
            self._kill_late()
        return self._status

    @property
    def _is_needed(self) -> bool:
        return self._stopping_since is None or any(each.pid for each in self._workers)

    def _pause_s(self) -> float | None:
        """Return how long there is nothing to do by itself."""
        moments = [each.start_at for each in self._workers if each.start_at is not None]
        if self._stopping_since is not None:
            moments = [] if self._have_been_killed else [self._stopping_since + self.kill_s]
        return max(0.0, min(moments) - time.monotonic()) if moments else None

    # Starting.

    def _start_due(self) -> None:
        if self._stopping_since is not None:
            return
        now = time.monotonic()
        for worker in self._workers:
            if worker.start_at is not None and worker.start_at <= now:
                worker.start_at = None
                self._start(worker)

    def _start(self, worker: _Worker) -> None:
        ours, theirs = socket.socketpair()
        ours.setblocking(False)
        with theirs:
            theirs.set_inheritable(True)
            command = self.command(worker.number, theirs.fileno())
            worker.pid = os.posix_spawn(command[0], command, os.environ)
        worker.link = ours
        self._selector.register(ours, selectors.EVENT_READ, worker)
        logger.info("worker %d starts as process %d", worker.number, worker.pid)

    def _listen(self, worker: _Worker) -> None:
        """Take what a worker says."""
        assert worker.link is not None
        said = b""
        with suppress(OSError):
            said = worker.link.recv(16)
        if not said:
            self._selector.unregister(worker.link)
            worker.link.close()
            worker.link = None
            return
        if READY in said:
            worker.ready_since = time.monotonic()
            self._starts_in_vain = 0
            self._start_next(worker)
        if FOR_GOOD in said:
            logger.error("worker %d ends for good, and the others with it", worker.number)
            self._stop(1)

    def _start_next(self, worker: _Worker) -> None:
        if self._have_all_served:
            return
        if worker.number == 1:
            for each in self._workers[1:]:
                each.start_at = time.monotonic()
        if all(each.ready_since is not None for each in self._workers):
            self._have_all_served = True
            logger.info("%d workers serve", self.count)

    # Ends.

    def _collect(self) -> None:
        """Take the status of every process that has ended."""
        with suppress(ChildProcessError):
            while True:
                pid, status = os.waitpid(-1, os.WNOHANG)
                if not pid:
                    return
                for worker in self._workers:
                    if worker.pid == pid:
                        self._note_end(worker, os.waitstatus_to_exitcode(status))

    def _note_end(self, worker: _Worker, status: int) -> None:
        # What it has said before is heard before its end is judged.
        while worker.link is not None:
            self._listen(worker)
        served_s = None if worker.ready_since is None else time.monotonic() - worker.ready_since
        worker.pid = worker.ready_since = None
        if self._stopping_since is not None:
            self._status = self._status or _exit_status(status, is_asked=True)
            return
        how = f"was ended by signal {-status}" if status < 0 else f"has ended with {status}"
        if not self._have_all_served:
            logger.error("worker %d %s before all served; the server ends", worker.number, how)
            self._stop(_exit_status(status) or 1)
            return
        self._starts_in_vain += served_s is None
        if self._starts_in_vain >= STARTS_IN_VAIN and not any(
            each.ready_since is not None for each in self._workers
        ):
            logger.error("worker %d %s; none can start, and the server ends", worker.number, how)
            self._stop(1)
            return
        if served_s is not None and served_s >= STEADY_S:
            worker.failures = 0
        pause_s = min(self.pause_min_s * 2 ** (worker.failures - 1), PAUSE_MAX_S)
        pause_s = pause_s if worker.failures else 0.0
        worker.failures += 1
        worker.start_at = time.monotonic() + pause_s
        logger.error("worker %d %s; it starts again in %g s", worker.number, how, pause_s)

    # Stopping.

    def _take_signals(self, woken: socket.socket) -> None:
        received = set(woken.recv(4096))
        if not received & set(STOPPING):
            return
        if self._stopping_since is None:
            logger.info("stopping")
            self._stop(0)
        else:
            # Told twice: they are to hurry.
            self._signal_all(signal.SIGTERM)

    def _stop(self, status: int) -> None:
        """Have all workers end in good order."""
        if self._stopping_since is not None:
            return
        self._stopping_since = time.monotonic()
        self._status = status
        self._signal_all(signal.SIGTERM)

    def _kill_late(self) -> None:
        if self._stopping_since is None or self._have_been_killed:
            return
        if time.monotonic() - self._stopping_since >= self.kill_s:
            logger.warning("workers that hang are killed")
            self._signal_all(signal.SIGKILL)
            self._have_been_killed = True

    def _signal_all(self, number: signal.Signals) -> None:
        for worker in self._workers:
            if worker.pid is not None:
                os.kill(worker.pid, number)


def _exit_status(status: int, *, is_asked: bool = False) -> int:
    """Return the status for a shell; one that was asked to end may end by that signal."""
    if status >= 0:
        return status
    return 0 if is_asked and -status in STOPPING else 128 - status
