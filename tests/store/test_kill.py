"""Two processes that write at once are killed, round after round: nothing acknowledged is lost.

`KILLED_WRITES` says how many writes are acknowledged in all (two a line that a process prints), in
ten rounds instead of three.
"""

import asyncio
import os
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import Callable
from pathlib import Path

import pytest

from app.storage.embedded import open_embedded
from tests.store.crowd import TASKS

WRITES = int(os.environ.get("KILLED_WRITES", "1200"))
ROUNDS = 10 if "KILLED_WRITES" in os.environ else 3
ROOT = Path(__file__).parents[2]

pytestmark = [
    pytest.mark.fault,
    pytest.mark.timeout(300),
    pytest.mark.skipif(
        bool(os.environ.get("MONGODB_URI")), reason="about the embedded store; MONGODB_URI is set"
    ),
]


class Crowd:
    """One process, and what it has acknowledged: task to number."""

    def __init__(self, process: Process) -> None:
        self._process = process
        self.last: dict[str, int] = {}

    @classmethod
    async def start(cls, folder: Path, name: str) -> "Crowd":
        """Start one."""
        return cls(
            await asyncio.create_subprocess_exec(
                sys.executable, "-m", "tests.store.crowd", str(folder), name, cwd=ROOT, stdout=PIPE
            )
        )

    async def acknowledge(self, lines: int) -> None:
        """Read that many acknowledgements."""
        assert self._process.stdout is not None
        for _ in range(lines):
            line = await self._process.stdout.readline()
            assert line, "the process ended by itself"
            self._take_in(line)

    async def kill(self) -> None:
        """Kill it while it writes, and read what it has still acknowledged."""
        self._process.kill()
        assert self._process.stdout is not None
        for line in (await self._process.stdout.read()).splitlines(keepends=True):
            self._take_in(line)
        await self._process.wait()

    def _take_in(self, line: bytes) -> None:
        if line.endswith(b"\n"):
            task, n = line.split()
            assert self.last.get(task.decode(), 0) + 1 == int(n)
            self.last[task.decode()] = int(n)


async def test_none_lost_none_doubled(
    tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    """After each round all acknowledged rows are there, each counted once, and the file is whole.

    Of each task one row and one count may have been made and not acknowledged.
    """
    lines = -(-WRITES // (2 * 2 * ROUNDS))
    acknowledged: dict[str, int] = {}
    for number in range(ROUNDS):
        ann, bob = [await Crowd.start(tmp_path, f"{name}{number}") for name in ("ann", "bob")]
        await asyncio.gather(ann.acknowledge(lines), bob.acknowledge(lines))
        await ann.kill()
        # Bob goes on beside what Ann has left, at least for as many writes as it has tasks.
        await bob.acknowledge(TASKS)
        await bob.kill()
        acknowledged |= ann.last | bob.last

        database = await open_embedded(tmp_path / "shared.sqlite3")
        assert await database.check() == []
        counters = {
            each["_id"]: each["n"] for each in await database["counters"].find({}).to_list(None)
        }
        for crowd in (ann, bob):
            for task, n in crowd.last.items():
                rows = {
                    each["_id"]
                    for each in await database["rows"].find({"task": task}).to_list(None)
                }
                assert {f"{task}-{n}" for n in range(1, n + 1)} <= rows
                assert counters[task] - n in {0, 1}
                assert len(rows) - counters[task] in {0, 1}
        await database.close()
    database = await open_embedded(tmp_path / "shared.sqlite3")
    total = sum(acknowledged.values())
    assert await database["rows"].count_documents({}) >= total
    await database.close()
    assert 2 * total >= WRITES
    record_property("writes acknowledged", 2 * total)
