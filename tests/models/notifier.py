"""A process that tells account 1 of the same causes as its twins, and of some of its own.

Run as `python -m tests.models.notifier NAME COUNT` with the settings in the environment; prints
the ids it told.
"""

import asyncio
import sys

from app.settings import Settings
from app.storage import open_store
from models.times import now
from tests.notifications_world import MATCHED, SHIPPED, build
from tests.stories_world import RecordingPublisher


async def main(name: str, count: int) -> None:
    store = await open_store(Settings.from_env())
    publisher = RecordingPublisher()
    notifications = build(store.database, publisher, now)
    for n in range(count):
        await notifications("1", **MATCHED, key=f"shared:{n}")
        await notifications("1", **SHIPPED, key=f"{name}:{n}")
    await store.close()
    for data, _ in publisher.take("notification"):
        sys.stdout.write(f"{data['id']}\n")


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], int(sys.argv[2])))
