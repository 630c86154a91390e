"""A process that writes to the embedded store until it is killed, and prints what was acknowledged.

Run as `python -m tests.store.writer FOLDER NAME`.
"""

import asyncio
import sys
from pathlib import Path

from app.embedded import open_embedded
from models.times import now


async def main(folder: Path, name: str) -> None:
    database = await open_embedded(folder, "shared")
    await database.rows.create_index([("at", 1)])
    n = 0
    while True:
        n += 1
        await database.rows.insert_one({"_id": f"{name}-{n}", "at": now()})
        await database.counters.find_one_and_update(
            {"_id": "rows"}, {"$inc": {"value": 1}}, upsert=True
        )
        # Comparing an indexed field with a date is what makes tinymongo add an index of its own.
        await database.rows.find({"at": {"$gt": now()}}).to_list(1)
        sys.stdout.write(f"{n}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), sys.argv[2]))
