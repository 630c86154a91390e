"""A process that writes in many tasks to the embedded store until it is killed.

Run as `python -m tests.store.crowd FOLDER NAME`. A task inserts a row and counts it in a document
of its own; after both are acknowledged it prints `TASK NUMBER`.
"""

import asyncio
import sys
from pathlib import Path

from app.storage.embedded import open_embedded

TASKS = 32


async def main(folder: Path, name: str) -> None:
    database = await open_embedded(folder / "shared.sqlite3")
    await database["rows"].create_index([("task", 1)])

    async def write(task: str) -> None:
        n = 0
        while True:
            n += 1
            await database["rows"].insert_one({"_id": f"{task}-{n}", "task": task})
            await database["counters"].update_one({"_id": task}, {"$inc": {"n": 1}}, upsert=True)
            sys.stdout.write(f"{task} {n}\n")
            sys.stdout.flush()

    await asyncio.gather(*(write(f"{name}-{task}") for task in range(TASKS)))


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), sys.argv[2]))
