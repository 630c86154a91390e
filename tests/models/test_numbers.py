"""Numbers that count up, taken many at a time."""

import asyncio

import pytest

from models.numbers import Numbers, next_number


@pytest.fixture
def counters(database):
    return database["counters"]


async def test_two_processes_share_no_number(counters):
    """Each process counts up, and none of its numbers is another one's."""
    processes = [Numbers(counters, "orders", at_once=4) for _ in range(2)]
    taken = [await asyncio.gather(*(process.next() for _ in range(10))) for process in processes]
    for numbers in taken:
        assert sorted(numbers) == numbers
    assert len({*taken[0], *taken[1]}) == 20
    assert taken[0][0] == 1


async def test_a_restart_leaves_a_gap_and_repeats_nothing(counters):
    """Numbers that a process took and did not use are not given again."""
    assert await Numbers(counters, "orders", at_once=16).next() == 1
    assert await Numbers(counters, "orders", at_once=16).next() == 17
    assert await next_number(counters, "orders") == 33
