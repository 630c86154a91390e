"""A fair queue for few slots: urgent work first, clients in turn, refusals at once.

Hashing a password takes a thread and tens of milliseconds on purpose, so one client that asks for
hundreds would make everyone wait. Here it waits for itself: clients of the same urgency take turns,
each may have `CLIENT_WAITING` requests waiting, and one more is refused with an honest time.
"""

import asyncio
import time
from collections import Counter, OrderedDict, deque
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from enum import IntEnum

from models.errors import TooManyRequests, Unavailable

CLIENT_WAITING = 32
"""Of one urgency: a class that signs up at once from one school's address is let through, and
waits for about a second; a script is refused."""

LANE_WAITING = 128
"""Of one urgency, all clients together: some four seconds of work on two threads. Past it, the
client with the most requests waiting gives up its latest."""

WAIT_S = 10.0
"""The longest wait: routers of platforms give up after 30 s, and people before that."""

FIRST_ESTIMATE_S = 0.05
"""How long a piece of work takes, until some have been measured."""


class Urgency(IntEnum):
    """Which work goes first; the lower number does."""

    LOGIN = 0
    SIGNUP = 1


@dataclass(frozen=True, slots=True)
class Client:
    """Who asks. `gone` is whether the client has disconnected."""

    network: str = ""
    gone: Callable[[], bool] = field(default=lambda: False, compare=False)


class InProgress:
    """At most `count` requests of each client at a time, refused before they cost anything."""

    def __init__(self, count: int) -> None:
        self._count = count
        self._clients: Counter[str] = Counter()

    @contextmanager
    def one_of(self, client: Client) -> Iterator[None]:
        """Count a request from its beginning to its end.

        Raises:
            TooManyRequests: the client has as many in progress already.
        """
        if self._clients[client.network] >= self._count:
            raise TooManyRequests("Too many requests of yours at once; try again.", retry_after_s=1)
        self._clients[client.network] += 1
        try:
            yield
        finally:
            self._clients[client.network] -= 1
            if not self._clients[client.network]:
                del self._clients[client.network]


@dataclass(eq=False, slots=True)
class _Waiter:
    client: Client
    turn: asyncio.Future[None]


class _Lane:
    """Waiting requests of one urgency, by client; the clients in the order of their turns."""

    def __init__(self) -> None:
        self._waiting: OrderedDict[str, deque[_Waiter]] = OrderedDict()
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def count(self, network: str) -> int:
        return len(self._waiting.get(network, ()))

    def add(self, waiter: _Waiter) -> None:
        self._waiting.setdefault(waiter.client.network, deque()).append(waiter)
        self._count += 1

    def take(self) -> _Waiter:
        """Remove and return the next waiter; its client goes to the end of the turns."""
        network, waiters = self._waiting.popitem(last=False)
        waiter = waiters.popleft()
        self._count -= 1
        if waiters:
            self._waiting[network] = waiters
        return waiter

    def remove(self, waiter: _Waiter) -> None:
        """Remove a waiter that no longer waits; nothing if it is not here."""
        network = waiter.client.network
        waiters = self._waiting.get(network)
        if waiters is None or waiter not in waiters:
            return
        waiters.remove(waiter)
        self._count -= 1
        if not waiters:
            del self._waiting[network]

    def gone(self) -> list[_Waiter]:
        """Return the waiters whose clients have left."""
        return [one for each in self._waiting.values() for one in each if one.client.gone()]

    def latest_of_largest(self) -> _Waiter:
        """Return the latest waiter of the client with the most."""
        return max(self._waiting.values(), key=len)[-1]


class FairQueue:
    """`slots` pieces of work at a time; `turn` is entered by each and left when it is done."""

    def __init__(
        self,
        slots: int,
        *,
        client_waiting: int = CLIENT_WAITING,
        lane_waiting: int = LANE_WAITING,
        wait_s: float = WAIT_S,
    ) -> None:
        self._slots = slots
        self._free = slots
        self._client_waiting = client_waiting
        self._lane_waiting = lane_waiting
        self._wait_s = wait_s
        self._lanes = {urgency: _Lane() for urgency in Urgency}
        self._work_s = FIRST_ESTIMATE_S

    def __len__(self) -> int:
        """Return how many requests are waiting."""
        return sum(map(len, self._lanes.values()))

    @asynccontextmanager
    async def turn(self, client: Client, urgency: Urgency) -> AsyncIterator[None]:
        """Wait for a slot and hold it.

        Raises:
            TooManyRequests: the client has too many requests waiting already.
            Unavailable: code `busy`: too many requests wait, or this one has waited for too long.
        """
        if self._free:
            self._free -= 1
        else:
            await self._wait(client, urgency)
        began = time.perf_counter()
        try:
            yield
        finally:
            # A tenth of the latest: one slow hash does not make the estimate.
            self._work_s += (time.perf_counter() - began - self._work_s) / 10
            self._free += 1
            self._hand_on()

    async def _wait(self, client: Client, urgency: Urgency) -> None:
        lane = self._lanes[urgency]
        self._admit(client, urgency, lane)
        waiter = _Waiter(client, asyncio.get_running_loop().create_future())
        lane.add(waiter)
        try:
            async with asyncio.timeout(self._wait_s):
                await waiter.turn
        except BaseException as error:
            lane.remove(waiter)
            if waiter.turn.done() and not waiter.turn.cancelled() and not waiter.turn.exception():
                # The slot came in the same moment as the cancellation.
                self._free += 1
                self._hand_on()
            if isinstance(error, TimeoutError):
                raise self._busy(urgency) from None
            raise

    def _admit(self, client: Client, urgency: Urgency, lane: _Lane) -> None:
        full = lane.count(client.network) >= self._client_waiting
        if full or len(lane) >= self._lane_waiting:
            for left in lane.gone():
                self._give_up(left, lane, urgency)
        if lane.count(client.network) >= self._client_waiting:
            raise TooManyRequests(
                "Too many requests of yours are waiting; try again.",
                retry_after_s=self._estimate_s(urgency),
            )
        if len(lane) >= self._lane_waiting:
            largest = lane.latest_of_largest()
            if lane.count(largest.client.network) <= lane.count(client.network) + 1:
                raise self._busy(urgency)
            self._give_up(largest, lane, urgency)

    def _give_up(self, waiter: _Waiter, lane: _Lane, urgency: Urgency) -> None:
        lane.remove(waiter)
        if not waiter.turn.done():
            waiter.turn.set_exception(self._busy(urgency))

    def _hand_on(self) -> None:
        for urgency, lane in self._lanes.items():
            while self._free and lane:
                waiter = lane.take()
                if waiter.turn.done():
                    continue
                if waiter.client.gone():
                    waiter.turn.set_exception(self._busy(urgency))
                    continue
                self._free -= 1
                waiter.turn.set_result(None)

    def _busy(self, urgency: Urgency) -> Unavailable:
        message = "Too many passwords are being checked; try again."
        return Unavailable(message, code="busy", retry_after_s=self._estimate_s(urgency))

    def _estimate_s(self, urgency: Urgency) -> float:
        """Return when what waits now, as urgent as this or more, will be done."""
        ahead = sum(len(lane) for each, lane in self._lanes.items() if each <= urgency)
        return max(1.0, (ahead + 1) * self._work_s / self._slots)
