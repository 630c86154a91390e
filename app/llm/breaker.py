"""A circuit breaker: what fails again and again is left alone for a while."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager


class Open(Exception):
    """Not tried: it failed too often just now."""


class CircuitBreaker:
    """Closed until `failures_max` failures in a row, then open for `open_s` seconds.

    After that one call is let through as a probe: if it succeeds the breaker closes, if it fails
    it stays open for as long again, and if it is cancelled the next call is the probe.
    """

    def __init__(
        self, failures_max: int, open_s: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._failures_max = failures_max
        self._open_s = open_s
        self._clock = clock
        self._failures = 0
        self._open_until: float | None = None
        self._probing = False

    @contextmanager
    def call(self, *failures: type[Exception]) -> Iterator[None]:
        """Let one call through; it fails by raising one of `failures`.

        Anything else that it raises says nothing of whether the other side is well.

        Raises:
            Open: it is not let through.
        """
        probe = self._open_until is not None
        if self._open_until is not None and (self._probing or self._clock() < self._open_until):
            raise Open
        self._probing = self._probing or probe
        try:
            yield
        except failures:
            self._failed(probe)
            raise
        else:
            self._succeeded(probe)
        finally:
            if probe:
                self._probing = False

    def _failed(self, probe: bool) -> None:
        self._failures += 1
        # One that began before the breaker opened neither opens it for longer nor closes it.
        if probe or (self._open_until is None and self._failures >= self._failures_max):
            self._open_until = self._clock() + self._open_s

    def _succeeded(self, probe: bool) -> None:
        if probe or self._open_until is None:
            self._failures = 0
            self._open_until = None
