"""Servers that are stopped and killed in mid-traffic: what clients were told is what was done."""

import pytest

from bench import stops


@pytest.mark.fault
async def test_stops_and_kills_in_mid_traffic():
    """Each acknowledged thing is there once; before a clean stop nothing is done unanswered.

    Messages, bids and stories over REST and Socket.IO, on both transports; `python -m bench.stops`
    does it many times. A round that fails raises.
    """
    counts = await stops.run(1, 1, report=lambda line: None)
    for name in ("SIGTERM", "SIGKILL"):
        assert (counts[name].rounds, counts[name].acked > 20) == (1, True)
    assert counts["SIGTERM"].unanswered_done == 0
