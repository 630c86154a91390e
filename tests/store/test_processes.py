"""What is left of acknowledged writes when processes that share the embedded store are killed."""

import asyncio
import os
import sys
from asyncio.subprocess import PIPE, Process
from pathlib import Path

import pytest

from app.storage.embedded import open_embedded
from models.times import now

ROOT = Path(__file__).parents[2]

pytestmark = pytest.mark.skipif(
    bool(os.environ.get("MONGODB_URI")), reason="about the embedded store; MONGODB_URI is set"
)


async def start(folder: Path, name: str) -> Process:
    return await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.store.writer", str(folder), name, cwd=ROOT, stdout=PIPE
    )


async def acknowledged(process: Process, count: int) -> int:
    """Wait until the process has acknowledged `count` writes more; give the last one's number."""
    assert process.stdout is not None
    last = 0
    for _ in range(count):
        last = int(await process.stdout.readline())
    return last


async def kill(process: Process) -> int:
    """Kill with SIGKILL; give the number of the last acknowledged write, 0 for none unread."""
    process.kill()
    assert process.stdout is not None
    rest = (await process.stdout.read()).decode().splitlines(keepends=True)
    await process.wait()
    whole = [line for line in rest if line.endswith("\n")]
    return int(whole[-1]) if whole else 0


async def test_sigkill(tmp_path: Path) -> None:
    """Two processes write at once and are killed one by one: no acknowledged write is lost."""
    ann, bob = await asyncio.gather(start(tmp_path, "ann"), start(tmp_path, "bob"))
    seen_of_ann, _ = await asyncio.gather(acknowledged(ann, 30), acknowledged(bob, 30))
    last_of_ann = max(seen_of_ann, await kill(ann))
    seen_of_bob = await acknowledged(bob, 30)
    last_of_bob = max(seen_of_bob, await kill(bob))

    database = await open_embedded(tmp_path / "shared.sqlite3")
    rows = {row["_id"] for row in await database["rows"].find({}).to_list(None)}
    counter = await database["counters"].find_one({"_id": "rows"})
    await database.close()
    written = {f"ann-{n}" for n in range(1, last_of_ann + 1)}
    written |= {f"bob-{n}" for n in range(1, last_of_bob + 1)}
    assert written <= rows
    # Each process may have died between a write and its acknowledgement, no more than that.
    assert len(rows - written) <= 2
    assert len(written) <= counter["value"] <= len(rows)


async def test_open_beside_a_busy_process(tmp_path: Path) -> None:
    """A process opens the files while another one queries them by date all the time."""
    busy = await start(tmp_path, "busy")
    await acknowledged(busy, 5)
    for _ in range(5):
        database = await open_embedded(tmp_path / "shared.sqlite3")
        assert await database["rows"].count_documents({}) >= 5
        await database.close()
    await acknowledged(busy, 5)
    await kill(busy)


async def test_reopen(tmp_path: Path) -> None:
    """Files are opened again after an indexed field was compared with a date."""
    for n in range(3):
        database = await open_embedded(tmp_path / "shared.sqlite3")
        await database["rows"].create_index([("at", 1), ("_id", 1)])
        await database["rows"].insert_one({"_id": str(n), "at": now()})
        found = await database["rows"].find({"at": {"$lte": now()}}).to_list(None)
        assert len(found) == n + 1
        await database.close()


async def test_processes_write_in_turns(tmp_path: Path) -> None:
    """A process that writes all the time to a slow disk leaves the others their turn."""
    storm = await start(tmp_path, "storm")
    await acknowledged(storm, 20)
    database = await open_embedded(tmp_path / "shared.sqlite3")
    before = await database["rows"].count_documents({})
    for n in range(20):
        await database["rows"].insert_one({"_id": str(n)})
    meanwhile = await database["rows"].count_documents({}) - before - 20
    await database.close()
    await kill(storm)
    # Strict turns are 20 commits of 16; where it could take the lock again at once, hundreds.
    assert meanwhile < 60 * 16
