"""Two server processes say how many clients both have, and forget those of one that was killed."""

import asyncio

import pytest

from tests.test_processes import sign_up

pytestmark = pytest.mark.fault

CORRECTED_S = 30.0


async def figures(doors):
    _, health = await doors.call(None, "GET", "/health")
    _, stats = await doors.call(None, "GET", "/api/v1/ws/stats")
    _, status = await doors.call(None, "GET", "/api/v1/ws/status")
    data = stats["data"]
    counts = health["ws_connections"], data["total_clients"], status["connected_users"]
    return counts, data["channels"]


async def until(doors, expected):
    """Return when a process says that."""
    async with asyncio.timeout(CORRECTED_S):
        while await figures(doors) != expected:  # noqa: ASYNC110 nothing tells of it
            await asyncio.sleep(0.2)


async def test_counts_are_of_all_processes(start_server, redis):
    """Each process says the same, also after one was killed, and one that begins after that."""
    one, two = [await start_server(REDIS_URL=redis.url) for _ in range(2)]
    for program, name in ((one, "ann"), (two, "bob")):
        doors = program.doors
        token, account_id = await sign_up(doors, name)
        await doors.raw(token)
        await doors.open_at(f"/api/v1/ws?token={token}&channel_id=general")
        await doors.open_at(f"/api/v1/ws/{account_id}?token={token}")
    both, alone = ((2, 2, 2), {"general": 2}), ((1, 1, 1), {"general": 1})
    await until(one.doors, both)
    await until(two.doors, both)
    await two.kill()
    await until(one.doors, alone)
    three = await start_server(REDIS_URL=redis.url)
    await until(three.doors, alone)
