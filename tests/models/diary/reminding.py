"""A process that tells what is due, beside its twins.

Run as `python -m tests.models.diary.reminding` with the settings in the environment; prints the
ids of the reminders it told.
"""

import asyncio
import sys

from app.settings import Settings
from app.storage import open_store
from models.diary.tasks.reminders import Reminders
from models.diary.zones import Zones
from models.notifications.push import NoPush
from models.times import now
from tests.diary_world import People
from tests.stories_world import RecordingPublisher


async def main() -> None:
    store = await open_store(Settings.from_env())
    publisher = RecordingPublisher()
    zones = Zones(People().find, now)
    await Reminders(store.database, publisher, NoPush(), zones, now).publish_due()
    await store.close()
    for data, _ in publisher.take("task.due"):
        sys.stdout.write(f"{data['reminder_id']}\n")


if __name__ == "__main__":
    asyncio.run(main())
