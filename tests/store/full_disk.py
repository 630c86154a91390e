"""A process that fills the disk under an embedded store, makes room again, and prints what it saw.

Run as `python -m tests.store.full_disk FOLDER`, of which the disk has a few megabytes. Prints one
object as JSON: what test_full_disk.py asserts.
"""

import asyncio
import json
import sys
from pathlib import Path
from typing import Any

from app.storage.embedded import EmbeddedDatabase, open_embedded
from app.storage.faults import StoreFault

TASKS = 8
BALLAST_BYTES = 8 * 1024**2
"""More than the WAL has when the disk is full: making room for less may not be enough."""

TEXT = "x" * 20_000


async def fill(database: EmbeddedDatabase, task: int, acknowledged: list[str]) -> str:
    """Count and write until one of them is refused; return the name of the fault."""
    n = 0
    try:
        while True:
            await database["things"].insert_one({"_id": f"{task}-{n}", "text": TEXT})
            acknowledged.append(f"{task}-{n}")
            await database["counters"].update_one(
                {"_id": f"{task}"}, {"$inc": {"n": 1}}, upsert=True
            )
            n += 1
    except StoreFault as fault:
        return type(fault).__name__


async def missing(database: EmbeddedDatabase, acknowledged: list[str]) -> list[str]:
    """Return the ids of acknowledged documents that are not there."""
    there = {each["_id"] async for each in database["things"].find({}, only=["_id"])}
    return sorted(set(acknowledged) - there)


async def ping(database: EmbeddedDatabase) -> str:
    """Return what is wrong, or nothing."""
    try:
        await database.ping()
    except StoreFault as fault:
        return fault.message
    return ""


async def main(folder: Path) -> dict[str, Any]:
    ballast = folder / "ballast"
    ballast.write_bytes(b"b" * BALLAST_BYTES)
    path = folder / "full.sqlite3"
    database = await open_embedded(path)
    acknowledged: list[str] = []
    faults = await asyncio.gather(*(fill(database, task, acknowledged) for task in range(TASKS)))
    while_full = {
        "faults": sorted(set(faults)),
        "missing": await missing(database, acknowledged),
        "ping": await ping(database),
    }
    ballast.unlink()
    after = {"ping": await ping(database)}
    await database["things"].insert_one({"_id": "room", "text": TEXT})
    acknowledged.append("room")
    await database.close()
    again = await open_embedded(path)
    after |= {
        "missing": await missing(again, acknowledged),
        "problems": await again.check(),
    }
    counts = {each["_id"]: each["n"] async for each in again["counters"].find({})}
    await again.close()
    wrong = [
        task
        for task in map(str, range(TASKS))
        # The insert of each count was acknowledged before it; the last count may have been refused.
        if not 0 <= sum(each.startswith(f"{task}-") for each in acknowledged) - counts[task] <= 1
    ]
    return {"writes": len(acknowledged), "full": while_full, "after": after, "miscounted": wrong}


if __name__ == "__main__":
    sys.stdout.write(json.dumps(asyncio.run(main(Path(sys.argv[1])))))
