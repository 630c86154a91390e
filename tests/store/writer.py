"""A process that writes to the embedded store until it is killed and prints what was acknowledged.

Run as `python -m tests.store.writer FOLDER NAME`; the one named `storm` writes in 16 tasks to a
disk that needs 20 ms for a flush, so that it holds the database nearly all the time.
"""

import asyncio
import sys
import time
from pathlib import Path

from app.storage.embedded import open_embedded
from app.storage.embedded.transaction import Transaction
from models.times import now


async def main(folder: Path, name: str) -> None:
    database = await open_embedded(folder / "shared.sqlite3")
    await database["rows"].create_index([("at", 1)])
    n = 0
    while True:
        n += 1
        await database["rows"].insert_one({"_id": f"{name}-{n}", "at": now()})
        await database["counters"].find_one_and_update(
            {"_id": "rows"}, {"$inc": {"value": 1}}, upsert=True
        )
        await database["rows"].find({"at": {"$gt": now()}}).to_list(1)
        sys.stdout.write(f"{n}\n")
        sys.stdout.flush()


async def storm(folder: Path) -> None:
    commit = Transaction.commit

    def slow_commit(transaction: Transaction) -> None:
        time.sleep(0.02)
        commit(transaction)

    Transaction.commit = slow_commit  # type: ignore[method-assign]
    database = await open_embedded(folder / "shared.sqlite3")

    async def write(task: int) -> None:
        n = 0
        while True:
            n += 1
            await database["rows"].insert_one({"_id": f"storm-{task}-{n}"})
            sys.stdout.write(f"{n}\n")
            sys.stdout.flush()

    await asyncio.gather(*(write(task) for task in range(16)))


if __name__ == "__main__":
    _, folder, name = sys.argv
    asyncio.run(storm(Path(folder)) if name == "storm" else main(Path(folder), name))
