"""Notifications told by several processes at once."""

import asyncio
import sys
from asyncio.subprocess import PIPE
from collections import Counter

from tests.notifications_world import build, everything
from tests.programs import ROOT, START_S
from tests.stories_world import RecordingPublisher

COUNT = 12


async def run(name, environment):
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.models.notifier", name, str(COUNT)),
        cwd=ROOT,
        env=environment,
        stdout=PIPE,
    )
    output, _ = await asyncio.wait_for(process.communicate(), START_S)
    assert process.returncode == 0
    return [int(line) for line in output.split()]


async def test_two_processes_tell_each_cause_once(environment, database, clock):
    """Of causes that both tell, each is stored and told by one of them; ids have no gaps."""
    told = await asyncio.gather(run("ann", environment), run("bob", environment))
    total = 3 * COUNT
    assert sorted(told[0] + told[1]) == [*range(1, total + 1)]
    notifications = build(database, RecordingPublisher(), clock)
    items = await everything(notifications)
    assert [item["id"] for item in items] == [*range(total, 0, -1)]
    assert Counter(item["type"] for item in items) == {
        "match_created": COUNT,
        "order_shipped": 2 * COUNT,
    }
