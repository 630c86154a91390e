"""A server of several workers, as operators run it."""

import asyncio
import os
import signal
import time

import pytest

from tests.programs import START_S, free_neighbours, free_port, run
from tests.redis_server import needs_redis
from tests.test_bus import until_event
from tests.test_processes import sign_up
from tests.workers.conftest import is_running, until_gone

pytestmark = [pytest.mark.fault, needs_redis]


async def answering(workers):
    """Return the workers that have answered one of many requests on connections of their own."""
    for _ in range(40):
        await workers.doors.call(None, "GET", "/live", headers={"Connection": "close"})
    return {
        number for number in (1, 2) for line in workers.lines
        if "GET /live" in line and f"worker={number}" in line
    }  # fmt: skip


async def test_they_share_a_port_and_hear_each_other(workers):
    """New connections come to both, and an event of one reaches clients of all."""
    assert await answering(workers) == {1, 2}
    ann, _ = await sign_up(workers.doors, "ann")
    bob, _ = await sign_up(workers.doors, "bob")
    affinity = [line for line in workers.lines if "need session affinity" in line]
    assert len(affinity) == 1
    watchers = [await workers.doors.socketio(bob) for _ in range(8)]
    for _ in range(4):
        story_id = await workers.doors.story(ann)
        for watcher in watchers:
            assert (await until_event(watcher, "story.created"))["id"] == story_id


async def test_one_that_is_killed_is_started_again(workers):
    """The others serve meanwhile, and afterwards both do."""
    before = workers.pids()
    os.kill(before[2], signal.SIGKILL)
    await workers.wrote("worker 2 was ended by signal 9")
    assert (await workers.doors.call(None, "GET", "/live"))[0] == 200
    await workers.wrote(r"listening on .*worker=2", 2)
    after = workers.pids()
    assert after[1] == before[1]
    assert after[2] != before[2]
    workers.lines.clear()
    assert await answering(workers) == {1, 2}


async def test_one_that_is_told_to_stop_is_replaced(workers):
    """In good order: its clients are told, those of the other one notice nothing."""
    token, _ = await sign_up(workers.doors, "ann")
    clients = [await workers.doors.socketio(token) for _ in range(10)]
    os.kill(workers.pids()[1], signal.SIGTERM)
    await workers.wrote("worker 1 has ended with 0; it starts again in 0 s")
    await workers.wrote(r"listening on .*worker=1", 2)
    story_id = await workers.doors.story(token)
    left = [client for client in clients if client.client.connected]
    for client in left:
        assert (await until_event(client, "story.created"))["id"] == story_id
    for client in clients:
        if client not in left:
            assert (await until_event(client, "session.ending"))["code"] == "server_stopping"
    assert not [line for line in workers.lines if "what hangs is left behind" in line]


async def test_sigterm_ends_all_in_good_order(workers):
    """Clients of both are told, and nothing is left within 5 s."""
    token, _ = await sign_up(workers.doors, "ann")
    clients = [await workers.doors.socketio(token) for _ in range(10)]
    pids = workers.pids()
    began = time.monotonic()
    workers.process.send_signal(signal.SIGTERM)
    await asyncio.gather(*(client.gone() for client in clients))
    assert await workers.ended() == 0
    assert time.monotonic() - began < 5
    assert not any(map(is_running, pids.values()))
    assert not [line for line in workers.lines if "ERROR" in line]


async def test_workers_whose_supervisor_is_killed_stop(workers):
    """Nothing serves that no one looks after."""
    token, _ = await sign_up(workers.doors, "ann")
    raw = await workers.doors.raw(token)
    pids = workers.pids()
    workers.process.kill()
    assert await raw.closed() == 1001
    # Their output ends with them, but for the last moments of a process.
    await workers.ended()
    await asyncio.gather(*(asyncio.to_thread(until_gone, pid) for pid in pids.values()))


async def test_a_port_that_is_taken(workers, environment, redis):
    """A second server on it does not get its share of the clients; it ends."""
    port = workers.doors.url.rpartition(":")[2]
    chosen = {**environment, "PORT": port, "REDIS_URL": redis.url}
    for count in ("1", "2"):
        status, _, errors = await run(environment={**chosen, "WORKERS": count})
        assert status == 1
        assert errors[0].startswith("The server cannot start")
        assert port in errors[0]


async def test_one_that_cannot_start(environment, redis):
    """The server ends, and says why: here the second worker's port for metrics is taken."""
    port, taken = free_port(), free_neighbours() + 1
    holding = await asyncio.start_server(lambda *_: None, "127.0.0.1", taken)
    async with holding:
        status, lines, errors = await run(
            environment={
                **environment,
                "PORT": str(port),
                "REDIS_URL": redis.url,
                "WORKERS": "2",
                "METRICS_PORT": str(taken - 1),
            },
            # Four interpreters, one after the other.
            within_s=3 * START_S,
        )
    assert status == 1
    assert any("The server cannot start" in line and str(taken) in line for line in errors)
    assert any("worker 2 has ended with 1 before all served" in line for line in lines)


async def test_without_redis(environment):
    """One sentence, and status 2."""
    status, _, errors = await run(environment={**environment, "WORKERS": "2"})
    assert status == 2
    assert len(errors) == 1
    assert errors[0].startswith("WORKERS is more than 1 and REDIS_URL is not set")


async def test_each_has_a_port_for_metrics(start_server, redis):
    """They count for themselves."""
    first = free_neighbours()
    program = await start_server(WORKERS="2", REDIS_URL=redis.url, METRICS_PORT=str(first))
    await program.wrote("2 workers serve")
    for port in (first, first + 1):
        async with program.doors._http.get(f"http://127.0.0.1:{port}/metrics") as answer:
            assert answer.status == 200
            assert "realtime_" in await answer.text()
