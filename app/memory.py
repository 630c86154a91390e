"""The memory that clients can make this process hold: measured, budgeted, and given up by size.

Each connection has bounds of its own; a budget holds for all of them together. What it counts are
bytes that really wait: messages that have not come whole or have not been handled, and answers that
their reader has not taken. Who holds nothing is not known to the budget and costs it nothing.
"""

import logging
import os
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Protocol

from aiohttp import web

logger = logging.getLogger(__name__)

FALLBACK_MEMORY_BYTES = 512 * 1024**2
"""Where the system does not say: the smallest machine that platforms rent out."""

NO_LIMIT_BYTES = 1 << 60
"""Limits at and above it are none: version 1 of control groups writes about 2**63."""

_CGROUPS = Path("/sys/fs/cgroup")
_OWN_CGROUP = Path("/proc/self/cgroup")


class Holder(Protocol):
    """Something that keeps bytes for a client. It must be hashable by identity."""

    @property
    def held_bytes(self) -> int:
        """The bytes it keeps now."""

    def shed(self) -> None:
        """End in good order, so that `held_bytes` becomes 0 soon; must not raise."""

    def abort(self) -> None:
        """Drop everything at once; must not raise."""


class _Tally:
    """What each of some holders has, and their sum."""

    __slots__ = ("of", "total")

    def __init__(self) -> None:
        self.of: dict[Holder, int] = {}
        self.total = 0

    def set(self, holder: Holder, held: int) -> int:
        """Note what a holder has now; returns by how much that is more than before."""
        growth = held - (self.of.pop(holder, 0) if held == 0 else self.of.get(holder, 0))
        if held:
            self.of[holder] = held
        self.total += growth
        return growth

    def measure(self) -> None:
        """Ask all holders: some have been relieved of bytes since they were last noted."""
        for holder in tuple(self.of):
            self.set(holder, holder.held_bytes)

    def largest_first(self) -> list[Holder]:
        """Return the holders by what they have."""
        return sorted(self.of, key=self.of.__getitem__, reverse=True)


class Budget:
    """A number of bytes that all holders together may keep; past it the largest goes first."""

    __slots__ = ("_leaving", "_relieving", "_staying", "hard_limit_bytes", "limit_bytes")

    def __init__(self, limit_bytes: int) -> None:
        """A holder that is shed has time to leave in good order, within a further quarter."""
        self.limit_bytes = limit_bytes
        self.hard_limit_bytes = limit_bytes + limit_bytes // 4
        self._staying = _Tally()
        self._leaving = _Tally()
        self._relieving = False

    @property
    def held_bytes(self) -> int:
        """What all holders keep, as far as it has been noted."""
        return self._staying.total + self._leaving.total

    def update(self, holder: Holder) -> None:
        """Note what `holder` keeps now: call it when that has grown, and when it has become 0.

        In between it may shrink unnoted: all are measured again before one is shed.
        """
        tally = self._leaving if holder in self._leaving.of else self._staying
        growth = tally.set(holder, holder.held_bytes)
        if growth > 0 and not self._relieving and self._is_exceeded():
            self._relieving = True
            try:
                self._relieve()
            finally:
                self._relieving = False

    def forget(self, holder: Holder) -> None:
        """Note that `holder` keeps nothing any more."""
        self._staying.set(holder, 0)
        self._leaving.set(holder, 0)

    def _is_exceeded(self) -> bool:
        return self._staying.total > self.limit_bytes or self.held_bytes > self.hard_limit_bytes

    def measure(self) -> None:
        """Ask all holders what they keep now."""
        self._staying.measure()
        self._leaving.measure()

    def _relieve(self) -> None:
        self.measure()
        if self._staying.total > self.limit_bytes:
            self._shed()
        if self.held_bytes > self.hard_limit_bytes:
            self._abort()

    def _shed(self) -> None:
        # Somewhat more than is needed, or the next few bytes would do all of this again.
        enough = self.limit_bytes - self.limit_bytes // 8
        before, count = self._staying.total, 0
        for holder in self._staying.largest_first():
            if self._staying.total <= enough:
                break
            # First, as it may well report what it frees.
            self._leaving.set(holder, self._staying.of[holder])
            self._staying.set(holder, 0)
            try:
                holder.shed()
            except Exception:
                logger.exception("a holder could not be shed")
                _abort(holder)
            self._leaving.set(holder, holder.held_bytes)
            count += 1
        logger.warning(
            "memory budget of %d bytes exceeded: shed the %d largest holders, %d bytes",
            self.limit_bytes,
            count,
            before - self._staying.total,
        )

    def _abort(self) -> None:
        for holder in self._leaving.largest_first():
            if self.held_bytes <= self.limit_bytes:
                break
            self._leaving.set(holder, 0)
            _abort(holder)


BUDGET = web.AppKey("budget", Budget)
"""The application's one budget."""


def budget_of(app: web.Application) -> Budget:
    """Return an application's budget, or one that all without their own share."""
    return app.get(BUDGET) or _default_budget()


@cache
def _default_budget() -> Budget:
    return Budget(memory_limit_bytes() // 4)


def _abort(holder: Holder) -> None:
    try:
        holder.abort()
    except Exception:
        logger.exception("a holder could not be aborted")


# How much there is.


def memory_limit_bytes(cgroups: Path = _CGROUPS, own: Path = _OWN_CGROUP) -> int:
    """Return how much memory this process may use.

    The least of the limits of its control groups (version 2 or 1, and those above them) and of the
    machine's physical memory.
    """
    limits = [*_cgroup_limits(cgroups, own), *_physical()]
    return min((limit for limit in limits if 0 < limit < NO_LIMIT_BYTES), default=0) or (
        FALLBACK_MEMORY_BYTES
    )


def _cgroup_limits(cgroups: Path, own: Path) -> Iterator[int]:
    try:
        lines = own.read_text(encoding="utf-8").splitlines()
    except OSError:
        return
    for line in lines:
        _, _, rest = line.partition(":")
        controllers, _, path = rest.partition(":")
        if not controllers:
            yield from _limits_up(cgroups, path, "memory.max")
        elif "memory" in controllers.split(","):
            yield from _limits_up(cgroups / "memory", path, "memory.limit_in_bytes")


def _limits_up(root: Path, path: str, name: str) -> Iterator[int]:
    """Yield the limits of a group and of those above it; in a container only the root is seen."""
    group = root / path.lstrip("/")
    for folder in (group, *group.parents):
        try:
            text = (folder / name).read_text(encoding="ascii").strip()
        except (OSError, ValueError):
            text = ""
        # Version 2 writes `max` for none.
        if text.isdecimal():
            yield int(text)
        if folder == root:
            return


def _physical() -> Iterator[int]:
    try:
        yield os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):
        # Windows has no sysconf.
        return
