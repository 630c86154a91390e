"""Password hashing beside the event loop."""

import asyncio
import threading
from collections.abc import AsyncIterator
from contextlib import ExitStack
from functools import partial

import pytest
from argon2 import PasswordHasher

from models.accounts import Passwords
from models.accounts.queue import Client, FairQueue, InProgress, Urgency
from models.errors import TooManyRequests, Unavailable
from tests.conftest import CHEAP

ANN, BOB, EVE = Client("192.0.2.1"), Client("192.0.2.2"), Client("192.0.2.66")
HASHED = CHEAP.hash("right")


class HeldHasher(PasswordHasher):
    """Works only when it is let go, one piece of work after the other."""

    def __init__(self) -> None:
        super().__init__(time_cost=1, memory_cost=8, parallelism=1)
        self.go = threading.Event()

    def hash(self, password: str | bytes, *, salt: bytes | None = None) -> str:
        self.go.wait()
        return super().hash(password, salt=salt)

    def verify(self, *args: str | bytes) -> bool:
        self.go.wait()
        return super().verify(*args)


@pytest.fixture
async def hasher() -> AsyncIterator[HeldHasher]:
    """Let go before the loop ends, which waits for work under way."""
    made = HeldHasher()
    yield made
    made.go.set()


@pytest.fixture
async def held(hasher: HeldHasher) -> AsyncIterator[Passwords]:
    """One at a time, four waiting of each client and eight in all, and none begins yet."""
    made = Passwords(hasher, FairQueue(1, client_waiting=4, lane_waiting=8))
    yield made
    hasher.go.set()
    made.close()


class Order:
    """Starts work and notes in what order it is done."""

    def __init__(self, passwords: Passwords) -> None:
        self.passwords = passwords
        self.done: list[str] = []
        self.tasks: dict[str, asyncio.Task[object]] = {}

    async def start(self, name: str, client: Client, *, login: bool = False) -> None:
        work = self.passwords.hash("x", client)
        if login:
            work.close()
            work = self.passwords.verify(HASHED, "right", client)
        task = self.tasks[name] = asyncio.ensure_future(work)
        task.add_done_callback(partial(self._note, name))
        # One turn of the loop to ask for a place, and two for whoever has to give up its own.
        for _ in range(3):
            await asyncio.sleep(0)

    def _note(self, name: str, task: asyncio.Task[object]) -> None:
        if not task.cancelled() and task.exception() is None:
            self.done.append(name)

    async def finish(self) -> list[str]:
        await asyncio.gather(*self.tasks.values(), return_exceptions=True)
        return self.done


async def test_verify() -> None:
    """A hash is matched by its password only, a missing or broken one by nothing."""
    made = Passwords(CHEAP)
    hashed = await made.hash("correct horse")
    assert await made.verify(hashed, "correct horse")
    assert not await made.verify(hashed, "wrong horse")
    assert not await made.verify(None, "correct horse")
    assert not await made.verify("no hash", "correct horse")
    made.close()


def test_default_parameters() -> None:
    """Unless told otherwise, hashes are argon2id with at least 19 MiB and two passes."""
    hasher = Passwords()._hasher
    assert hasher.type.name == "ID"
    assert hasher.memory_cost >= 19 * 1024
    assert hasher.time_cost >= 2


async def test_login_in_the_middle_of_sign_ups(hasher: HeldHasher) -> None:
    """A login that arrives behind 290 sign-ups of one address is served next, they are bounded."""
    passwords = Passwords(hasher)
    order = Order(passwords)
    for n in range(145):
        await order.start(f"sign-up {n}", EVE)
    await order.start("login", ANN, login=True)
    for n in range(145, 290):
        await order.start(f"sign-up {n}", EVE)
    refused = [task.exception() for task in order.tasks.values() if task.done()]
    assert len(refused) == 290 - 2 - 32
    assert all(isinstance(error, TooManyRequests) for error in refused)
    assert all(error.retry_after_s >= 1 for error in refused)
    hasher.go.set()
    done = await order.finish()
    # Two were under way, and a thread may finish its next piece before the other thread does.
    assert done.index("login") <= 3
    assert len(done) == 2 + 32 + 1
    passwords.close()


async def test_clients_take_turns(held: Passwords, hasher: HeldHasher) -> None:
    """A client with one request waits behind one of each other client, not behind all."""
    order = Order(held)
    for n in range(4):
        await order.start(f"eve {n}", EVE)
    await order.start("ann", ANN)
    await order.start("bob", BOB)
    hasher.go.set()
    assert await order.finish() == ["eve 0", "eve 1", "ann", "bob", "eve 2", "eve 3"]


async def test_a_full_queue_takes_from_the_largest(held: Passwords, hasher: HeldHasher) -> None:
    """Clients that fill the queue give way to one with fewer requests; equals are refused."""
    order = Order(held)
    await order.start("under way", EVE)
    for n in range(4):
        await order.start(f"eve {n}", EVE)
        await order.start(f"bob {n}", BOB)
    await order.start("ann", ANN)
    given_up = [name for name, task in order.tasks.items() if task.done()]
    assert given_up in (["eve 3"], ["bob 3"])
    error = order.tasks[given_up[0]].exception()
    assert isinstance(error, Unavailable)
    assert (error.code, error.retry_after_s >= 1) == ("busy", True)
    hasher.go.set()
    assert "ann" in await order.finish()


async def test_a_crowd_is_refused_at_once(held: Passwords) -> None:
    """When as many wait as may, each with one request, the next is refused before any work."""
    order = Order(held)
    for n in range(9):
        await order.start(f"{n}", Client(f"198.51.100.{n}"))
    with pytest.raises(Unavailable) as refusal:
        await held.hash("x", ANN)
    assert refusal.value.code == "busy"
    await order.start("login", ANN, login=True)
    assert not order.tasks["login"].done()


async def test_cancelled_requests_leave(held: Passwords, hasher: HeldHasher) -> None:
    """A cancelled request leaves its place to others; one under way keeps its slot to its end."""
    order = Order(held)
    for n in range(5):
        await order.start(f"eve {n}", EVE)
    for n in range(1, 5):
        order.tasks[f"eve {n}"].cancel()
    await asyncio.sleep(0)
    assert len(held._queue) == 0
    order.tasks["eve 0"].cancel()
    await order.start("ann", ANN)
    assert not order.tasks["ann"].done()
    hasher.go.set()
    assert await order.finish() == ["ann"]


async def test_clients_that_left_make_room(held: Passwords, hasher: HeldHasher) -> None:
    """Requests of connections that are closed cost no hash and hold no place."""
    order = Order(held)
    await order.start("under way", BOB)
    left = Client(EVE.network, gone=lambda: True)
    for n in range(4):
        await order.start(f"left {n}", left)
    await order.start("eve", EVE)
    assert not order.tasks["eve"].done()
    assert all(order.tasks[f"left {n}"].done() for n in range(4))
    hasher.go.set()
    assert await order.finish() == ["under way", "eve"]


async def test_the_longest_wait(hasher: HeldHasher) -> None:
    """A request that has waited for too long is refused, and its place is free."""
    passwords = Passwords(hasher, FairQueue(1, wait_s=0.01))
    under_way = asyncio.ensure_future(passwords.hash("x", EVE))
    await asyncio.sleep(0)
    with pytest.raises(Unavailable):
        await passwords.hash("x", ANN, Urgency.LOGIN)
    assert len(passwords._queue) == 0
    hasher.go.set()
    assert await under_way
    passwords.close()


def test_requests_in_progress() -> None:
    """A client with as many requests in progress as may be is refused; it is free again after."""
    in_progress = InProgress(2)
    with ExitStack() as under_way:
        for client in (EVE, EVE, ANN):
            under_way.enter_context(in_progress.one_of(client))
        with pytest.raises(TooManyRequests):
            under_way.enter_context(in_progress.one_of(EVE))
    with in_progress.one_of(EVE):
        assert in_progress._clients == {EVE.network: 1}
