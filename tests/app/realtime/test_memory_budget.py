"""One budget for all clients: each stays below its own bounds, and the largest goes first."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from random import Random

import pytest
from aiohttp import ClientSession

from app.memory import Budget
from app.realtime.engineio.packets import MESSAGE, Packet
from app.realtime.socketio.server import NEWCOMER_BYTES
from app.realtime.websocket import connection as websocket
from tests.app.realtime.conftest import Serve
from tests.app.realtime.served import Served, until
from tests.app.realtime.wire import CONT, PING, TEXT, Poller, Wire, engine, frame, socketio

BUDGET_BYTES = 1_000_000

Hold = Callable[[Served, Wire, int], Awaitable[None]]


async def send_a_fragment(served: Served, wire: Wire, size: int) -> None:
    wire.writer.write(frame(TEXT, b"4" + b"x" * (size - 1), fin=False))


async def send_half_a_frame(served: Served, wire: Wire, size: int) -> None:
    wire.writer.write(frame(TEXT, b"4" + b"x" * (size + 99))[:-100])


async def send_what_waits_for_its_turn(served: Served, wire: Wire, size: int) -> None:
    wire.send("4" + "x" * size)


async def read_nothing(served: Served, wire: Wire, size: int) -> None:
    """Be sent so much that `size` bytes stay here, whatever the kernel's buffers take."""
    port = wire.writer.get_extra_info("sockname")[1]
    (session,) = [
        one
        for one in served.engine.sockets.values()
        if one.socket._transport.get_extra_info("peername")[1] == port  # type: ignore[union-attr]
    ]
    wire.writer.transport.pause_reading()
    socket = session.socket
    assert socket is not None
    while socket.held_bytes < size:
        session.send(Packet(MESSAGE, "x" * 10_000))
        await until(lambda: socket.pending is None)


@pytest.fixture(autouse=True)
def _short_farewells(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(websocket, "CLOSE_TIMEOUT_S", 0.5)


@pytest.mark.parametrize(
    "hold", [send_a_fragment, send_half_a_frame, send_what_waits_for_its_turn, read_nothing]
)
async def test_the_largest_holder_is_closed_and_the_others_go_on(serve: Serve, hold: Hold) -> None:
    """With 1013, before the process holds more than its budget; in the end nothing is held."""
    served = await serve(budget=Budget(BUDGET_BYTES))
    served.gate = asyncio.Event()
    good = await engine(served)
    wires = [await engine(served) for _ in range(3)]
    total = 0
    for wire, size in zip(wires, (300_000, 500_000, 250_000), strict=True):
        total += size
        await hold(served, wire, size)
        if total < BUDGET_BYTES:
            await until(lambda total=total: served.budget.held_bytes >= total)  # type: ignore[misc]
    wires[1].writer.transport.resume_reading()
    assert await wires[1].closed() == 1013
    served.gate.set()
    good.send("4still here")
    assert await good.receive() == "4still here"
    assert len(served.engine.sockets) == 3
    for wire in wires:
        await wire.leave()
    await until(lambda: served.budget.held_bytes == 0)


async def test_a_polling_client_that_does_not_poll_goes_first(
    serve: Serve, http: ClientSession
) -> None:
    """Its session is ended; another with less gets all that waits for it."""
    served = await serve(budget=Budget(BUDGET_BYTES))
    small, large = [await Poller.open(http, served) for _ in range(2)]
    for poller, count in ((large, 6), (small, 5)):
        for _ in range(count):
            served.session(poller.sid).send(Packet(MESSAGE, "x" * 99_999))
    assert (await large.poll())[0] == 400
    assert [len(packet) for packet in await small.packets()] == [100_000] * 5
    assert served.budget.held_bytes == 0


async def test_the_largest_half_read_body_goes_first(serve: Serve, http: ClientSession) -> None:
    """The session of an unfinished POST ends, and what came of it is dropped."""
    served = await serve(budget=Budget(BUDGET_BYTES))
    large, small = [await Poller.open(http, served) for _ in range(2)]
    go_on = asyncio.Event()

    async def body(size: int) -> AsyncIterator[bytes]:
        yield b"4" + b"x" * size
        await go_on.wait()
        yield b"x"

    posts = []
    for poller, size in ((large, 600_000), (small, 300_000)):
        total = served.budget.held_bytes + size
        posts.append(asyncio.create_task(poller.post(body(size))))  # type: ignore[arg-type]
        await until(lambda total=total: served.budget.held_bytes >= total)  # type: ignore[misc]
    wire = await engine(served)
    await send_a_fragment(served, wire, 200_000)
    await until(lambda: large.sid not in served.engine.sockets)
    go_on.set()
    assert [(await post)[0] for post in posts] == [400, 200]
    assert [len(packet) for packet in await small.packets()] == [300_002]
    await wire.leave()
    await until(lambda: served.budget.held_bytes == 0)


async def test_sessions_that_join_nothing_are_as_many_as_the_budget_takes(
    serve: Serve, http: ClientSession
) -> None:
    """Opened one after another by polling, the oldest ends; one that has joined stays."""
    served = await serve(budget=Budget(20 * NEWCOMER_BYTES))
    joined = await socketio(served)
    pollers = [await Poller.open(http, served, "socket.io") for _ in range(25)]
    assert len(served.socketio.eio.sockets) == 1 + 20
    assert (await pollers[4].poll())[0] == 400
    await pollers[5].send("40")
    joined.send('42["message"]')
    assert await joined.receive() == '42["message-back"]'


@pytest.mark.parametrize("seed", range(3))
async def test_nothing_drifts_whatever_clients_do(serve: Serve, seed: int) -> None:
    """Sixty clients hold, finish, leave and vanish at random; in the end nothing is counted."""
    random = Random(seed)
    served = await serve(budget=Budget(BUDGET_BYTES))

    async def visit() -> None:
        wire = await engine(served)
        for _ in range(4):
            move = random.choice(("fragment", "frame", "whole", "ping"))
            size = random.randrange(1, 90_000)
            if move == "fragment":
                wire.writer.write(frame(TEXT, b"4" + b"x" * size, fin=False))
                await asyncio.sleep(0)
                wire.writer.write(frame(CONT, b"x"))
            elif move == "frame":
                whole = frame(TEXT, b"4" + b"x" * size)
                wire.writer.write(whole[: size // 2])
                await asyncio.sleep(0)
                wire.writer.write(whole[size // 2 :])
            elif move == "whole":
                wire.send("4" + "x" * size)
            else:
                wire.writer.write(frame(PING, b"x") * 20)
        if random.random() < 0.5:
            wire.cut()
        else:
            await wire.leave()

    await asyncio.gather(*(visit() for _ in range(60)))
    await served.emptied()
