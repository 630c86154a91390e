"""What is measured while it happens: times, ends and errors. `live` has what is only read.

One object belongs to one application. An event costs one observation however many receive it, a
command two, a request two; each is about a microsecond.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from http import HTTPStatus
from time import perf_counter

from aiohttp import web
from prometheus_client import (
    CollectorRegistry,
    Counter,
    GCCollector,
    Histogram,
    PlatformCollector,
    ProcessCollector,
)

from app.legacy.policy import REPLACED
from app.realtime.lives import Life
from models.error_codes import CATALOGUE

_FAST_S = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0)
"""Deliveries and the loop: half a millisecond is good, a second is a fault."""

_SLOW_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)
"""Commands, requests and the store, up to the time that clients wait."""

LAG_INTERVAL_S = 0.5
"""How often the lag of the event loop is measured: a pause of that length is always seen."""


class Metrics:
    """The instruments of one application, and the registry that has them."""

    def __init__(self) -> None:
        self.registry = registry = CollectorRegistry()
        ProcessCollector(registry=registry)
        PlatformCollector(registry=registry)
        GCCollector(registry=registry)
        self.delivery = Histogram(
            "realtime_delivery_seconds",
            "From the turn of an event until its frames were written, once for each event "
            "that someone connected here hears",
            buckets=_FAST_S,
            registry=registry,
        )
        self.bus = Histogram(
            "realtime_bus_seconds",
            "From an event's publication until it was read back from Redis; of one at a time",
            buckets=_FAST_S,
            registry=registry,
        )
        self._commands = Histogram(
            "realtime_command_seconds",
            "Time of a command, by Socket.IO or a raw endpoint",
            ["namespace", "command"],
            buckets=_SLOW_S,
            registry=registry,
        )
        self._answers = Counter(
            "realtime_command_answers",
            "Answers to commands by error code, `ok` without one",
            ["namespace", "command", "code"],
            registry=registry,
        )
        self._requests = Histogram(
            "http_request_seconds",
            "Time of a request until its answer was made, long polls left out",
            ["method", "route"],
            buckets=_SLOW_S,
            registry=registry,
        )
        self._responses = Counter(
            "http_responses",
            "Answers to requests by status",
            ["method", "route", "status"],
            registry=registry,
        )
        self._closes = Counter(
            "realtime_closes",
            "Ends of connections by close code; 1006 is none, 1013 a client that did not read",
            ["door", "code"],
            registry=registry,
        )
        self._rate_limited = Counter(
            "rate_limited",
            "Refusals because of a limit: `messages`, `slow_commands`, `connections`, `requests`",
            ["limit"],
            registry=registry,
        )
        self._store = Histogram(
            "store_seconds",
            "Time of a store operation",
            ["operation"],
            buckets=_SLOW_S,
            registry=registry,
        )
        self._store_failures = Counter(
            "store_failures",
            "Store operations that found no store",
            ["operation"],
            registry=registry,
        )
        # Finding an instrument by its labels costs more than using it; labels are bounded.
        self._known_commands: dict[tuple[str, str, str], tuple[Histogram, Counter]] = {}
        self._known_requests: dict[tuple[str, str, int], tuple[Histogram, Counter]] = {}
        self.loop_lag = Histogram(
            "event_loop_lag_seconds",
            f"By how much a timer was late, measured every {LAG_INTERVAL_S} s",
            buckets=_FAST_S,
            registry=registry,
        )

    def command_run(self, domain: str, command: str, code: str, seconds: float) -> None:
        """Note a command (`namespaces.base.Observe`)."""
        key = domain, command, code
        known = self._known_commands.get(key)
        if known is None:
            namespace = f"/{domain}"
            known = self._known_commands[key] = (
                self._commands.labels(namespace, command),
                self._answers.labels(namespace, command, code),
            )
        known[0].observe(seconds)
        known[1].inc()

    def request_answered(self, method: str, route: str, status: int, seconds: float) -> None:
        """Note a request; `route` is the template of its path."""
        key = method, route, status
        known = self._known_requests.get(key)
        if known is None:
            known = self._known_requests[key] = (
                self._requests.labels(method, route),
                self._responses.labels(method, route, str(status)),
            )
        known[0].observe(seconds)
        known[1].inc()
        if status == HTTPStatus.TOO_MANY_REQUESTS:
            self.rate_limited("requests")

    def rate_limited(self, limit: str) -> None:
        """Note a refusal because of a limit."""
        self._rate_limited.labels(limit).inc()

    def connection_ended(self, life: Life) -> None:
        """Note the end of a connection."""
        # Clients may send any code: all that are neither of RFC 6455 nor ours are one label.
        known = life.code in _STANDARD_CODES or life.code in _OWN_CODES
        self._closes.labels(life.door, str(life.code) if known else "other").inc()

    def store_used(self, operation: str, seconds: float, *, failed: bool) -> None:
        """Note an operation of the store."""
        self._store.labels(operation).observe(seconds)
        if failed:
            self._store_failures.labels(operation).inc()

    async def measuring(self, app: web.Application) -> AsyncIterator[None]:
        """Measure the lag of the event loop for as long as an application runs."""
        task = asyncio.create_task(self._measure_loop())
        yield
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task

    async def _measure_loop(self) -> None:
        while True:
            began = perf_counter()
            await asyncio.sleep(LAG_INTERVAL_S)
            self.loop_lag.observe(max(0.0, perf_counter() - began - LAG_INTERVAL_S))


METRICS: web.AppKey[Metrics] = web.AppKey("metrics", Metrics)
"""The application's one."""


_STANDARD_CODES = range(1000, 1016)
_OWN_CODES = {info.close_code for info in CATALOGUE.values()} | {REPLACED}
