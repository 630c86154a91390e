"""What is measured, one scenario a function: each takes a kind of server and gives its figures."""

import asyncio
import statistics
from dataclasses import dataclass

from bench.load import Crowd
from bench.server import Kind, Server, running, tokens

_SETTLE_S = 0.5
_POLL_S = 0.05


@dataclass(frozen=True)
class Fanout:
    """Events to a room."""

    per_cpu_s: float
    """Deliveries per CPU-second of the server."""

    user_us: float
    """The server's user time per delivery, in microseconds."""

    p50_ms: float
    p99_ms: float


@dataclass(frozen=True)
class Memory:
    """Resident memory per connection, in kilobytes."""

    idle_kb: float
    after_traffic_kb: float
    growth_kb: float
    """More in the last cycle of connecting and leaving than in the first, per connection."""

    accepted_per_cpu_s: float


async def fanout(kind: Kind, members: int, *, rounds: int, burst: int = 1) -> Fanout:
    """Tell `rounds` times `burst` events to a room of `members`, each round when the last came."""
    async with running(kind) as server:
        crowd = Crowd(server.port, kind.socketio)
        await crowd.join(tokens(members))
        await _rounds(server, crowd, members, rounds=max(2, rounds // 10), burst=burst)
        crowd.latencies_s.clear()
        before = await server.stats()
        await _rounds(server, crowd, members, rounds=rounds, burst=burst)
        after = await server.stats()
        deliveries = members * rounds * burst
        latencies = crowd.latencies_s or [float("nan")]
        await crowd.leave()
    return Fanout(
        deliveries / (after.cpu_s - before.cpu_s),
        (after.user_s - before.user_s) / deliveries * 1e6,
        statistics.median(latencies) * 1e3,
        _percentile(latencies, 0.99) * 1e3,
    )


async def _rounds(server: Server, crowd: Crowd, members: int, *, rounds: int, burst: int) -> None:
    for _ in range(rounds):
        arrived = crowd.expect(members * burst)
        await server.emit(burst)
        await asyncio.wait_for(arrived, 60)


async def memory(kind: Kind, members: int, *, cycles: int = 3) -> Memory:
    """Connect `members` clients, tell them something, let them leave; again and again."""
    async with running(kind) as server:
        everyone = tokens(members)
        # What the first clients make the process load is not theirs.
        await _cycle(server, kind, everyone[:50])
        empty = await server.stats()
        first_kb = last_kb = after_kb = accepted = 0.0
        for cycle in range(cycles):
            begin = await server.stats()
            crowd = Crowd(server.port, kind.socketio)
            await crowd.join(everyone)
            await asyncio.sleep(_SETTLE_S)
            full = await server.stats()
            last_kb = (full.rss_kb - empty.rss_kb) / members
            if cycle == 0:
                first_kb = last_kb
                accepted = members / (full.cpu_s - begin.cpu_s)
            await _rounds(server, crowd, members, rounds=5, burst=1)
            await asyncio.sleep(_SETTLE_S)
            if cycle == 0:
                after_kb = ((await server.stats()).rss_kb - empty.rss_kb) / members
            await crowd.leave()
            await _emptied(server)
    return Memory(first_kb, after_kb, last_kb - first_kb, accepted)


async def _cycle(server: Server, kind: Kind, some: list[str]) -> None:
    crowd = Crowd(server.port, kind.socketio)
    await crowd.join(some)
    await _rounds(server, crowd, len(some), rounds=20, burst=1)
    await crowd.leave()
    await _emptied(server)


async def _emptied(server: Server) -> None:
    for _ in range(200):
        if not (await server.stats()).connections:
            return
        await asyncio.sleep(_POLL_S)
    raise TimeoutError("the server keeps connections of clients that left")


async def one_among_many(
    kind: Kind, members: int, *, events: int = 400, per_s: int = 200
) -> Fanout:
    """Tell one user among `members` idle ones `per_s` events a second."""
    async with running(kind) as server:
        crowd = Crowd(server.port, kind.socketio)
        await crowd.join(tokens(members))
        before = await server.stats()
        loop = asyncio.get_running_loop()
        began = loop.time()
        arrived = crowd.expect(events)
        for number in range(events):
            await asyncio.sleep(max(0.0, began + number / per_s - loop.time()))
            await server.emit_one()
        await asyncio.wait_for(arrived, 60)
        after = await server.stats()
        latencies = list(crowd.latencies_s)
        await crowd.leave()
    return Fanout(
        events / (after.cpu_s - before.cpu_s),
        (after.user_s - before.user_s) / events * 1e6,
        statistics.median(latencies) * 1e3,
        _percentile(latencies, 0.99) * 1e3,
    )


def _percentile(values: list[float], share: float) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]
