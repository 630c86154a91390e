"""What is measured, one scenario a function: each takes a kind of server and gives its figures."""

import asyncio
import statistics
from dataclasses import dataclass

from bench.load import Crowd
from bench.server import DEAF, Kind, Server, running, token, tokens

_SETTLE_S = 0.5
_POLL_S = 0.05
_FILLS = 150
"""Large events for the deaf: more than the kernel's buffers and the server's limit take."""


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


async def fanout(
    kind: Kind, members: int, *, rounds: int, burst: int = 1, turns: int = 0
) -> Fanout:
    """Tell `rounds` times `burst` events to a room of `members`, each round when the last came.

    With `turns`, a round is one event in each of so many turns of the loop.
    """
    async with running(kind) as server:
        crowd = Crowd(server.port, kind.way)
        await crowd.join(tokens(members))
        await _rounds(server, crowd, members, rounds=max(2, rounds // 10), burst=burst, turns=turns)
        crowd.latencies_s.clear()
        before = await server.settled()
        await _rounds(server, crowd, members, rounds=rounds, burst=burst, turns=turns)
        after = await server.stats()
        deliveries = members * rounds * (turns or burst)
        latencies = crowd.latencies_s or [float("nan")]
        await crowd.leave()
    return Fanout(
        deliveries / (after.cpu_s - before.cpu_s),
        (after.user_s - before.user_s) / deliveries * 1e6,
        statistics.median(latencies) * 1e3,
        _percentile(latencies, 0.99) * 1e3,
    )


async def _rounds(
    server: Server, crowd: Crowd, members: int, *, rounds: int, burst: int = 1, turns: int = 0
) -> None:
    for _ in range(rounds):
        arrived = crowd.expect(members * (turns or burst))
        await (server.emit_in_turns(turns) if turns else server.emit(burst))
        await asyncio.wait_for(arrived, 60)


async def memory(kind: Kind, members: int, *, cycles: int = 3) -> Memory:
    """Connect `members` clients, tell them something, let them leave; again and again."""
    async with running(kind) as server:
        everyone = tokens(members)
        # What the first clients make the process load is not theirs.
        await _cycle(server, kind, everyone[:50])
        empty = await server.settled()
        first_kb = last_kb = after_kb = accepted = 0.0
        for cycle in range(cycles):
            begin = await server.settled()
            crowd = Crowd(server.port, kind.way)
            await crowd.join(everyone)
            await asyncio.sleep(_SETTLE_S)
            joined = await server.stats()
            full = await server.settled()
            last_kb = (full.rss_kb - empty.rss_kb) / members
            if cycle == 0:
                first_kb = last_kb
                accepted = members / (joined.cpu_s - begin.cpu_s)
            await _rounds(server, crowd, members, rounds=5)
            await asyncio.sleep(_SETTLE_S)
            if cycle == 0:
                after_kb = ((await server.settled()).rss_kb - empty.rss_kb) / members
            await crowd.leave()
            await _emptied(server)
    return Memory(first_kb, after_kb, last_kb - first_kb, accepted)


async def _cycle(server: Server, kind: Kind, some: list[str]) -> None:
    crowd = Crowd(server.port, kind.way)
    await crowd.join(some)
    await _rounds(server, crowd, len(some), rounds=20)
    await crowd.leave()
    await _emptied(server)


async def _emptied(server: Server) -> None:
    if await _down_to(server, 0):
        raise TimeoutError("the server keeps connections of clients that left")


async def _down_to(server: Server, wanted: int) -> int:
    """Wait, not forever, until there are `wanted` connections; returns how many there are."""
    for _ in range(200):
        connections = (await server.stats()).connections
        if connections <= wanted:
            break
        await asyncio.sleep(_POLL_S)
    return connections


async def one_among_many(
    kind: Kind, members: int, *, events: int = 400, per_s: int = 200
) -> Fanout:
    """Tell one user among `members` idle ones `per_s` events a second."""
    async with running(kind) as server:
        crowd = Crowd(server.port, kind.way)
        await crowd.join(tokens(members))
        before = await server.settled()
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


@dataclass(frozen=True)
class SlowClients:
    """A room with clients that stopped reading."""

    p99_before_ms: float
    p99_beside_ms: float
    """Of the others, while the deaf ones are sent more than they may leave unread."""

    closed: float
    """How many of the deaf ones the server closed."""

    peak_kb: float
    """Most resident memory for each deaf client."""


async def slow_clients(kind: Kind, deaf: int, *, others: int = 200) -> SlowClients:
    """Let `deaf` clients stop reading while `others` go on; fill what waits for the deaf ones."""
    async with running(kind) as server:
        crowd, silent = Crowd(server.port, kind.way), Crowd(server.port, kind.way)
        await crowd.join(tokens(others))
        await silent.join([token(DEAF)] * deaf)
        await _rounds(server, crowd, others, rounds=200)
        before, crowd.latencies_s = crowd.latencies_s, []
        silent.stop_reading()
        full_kb = peak_kb = (await server.settled()).rss_kb
        for _ in range(_FILLS):
            await server.fill()
            await _rounds(server, crowd, others, rounds=2)
            stats = await server.stats()
            peak_kb = max(peak_kb, stats.rss_kb)
            if stats.connections == others:
                break
        left = await _down_to(server, others)
        closed = deaf + others - left
        beside = list(crowd.latencies_s)
        await crowd.leave()
        await silent.leave()
    return SlowClients(
        _percentile(before, 0.99) * 1e3,
        _percentile(beside, 0.99) * 1e3,
        closed,
        (peak_kb - full_kb) / deaf,
    )


def _percentile(values: list[float], share: float) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]
