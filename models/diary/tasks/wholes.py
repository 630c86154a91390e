"""What is done with all tasks of an account at once."""

from collections.abc import AsyncIterator

from models.database import Database, typed
from models.diary.tasks.events import TaskDeleted
from models.diary.tasks.records import StoredTask, due_day, due_moment, latest_occurrence, task_view
from models.diary.tasks.settling import Settling
from models.diary.zones import Zones
from models.events import Json, Publisher, as_json
from models.pages import newest_first
from models.rooms import user_room
from models.times import Clock
from models.whole import documents


class WholeTasks:
    """Moves, shows or removes everything that an account has to do."""

    def __init__(
        self,
        database: Database,
        publisher: Publisher,
        zones: Zones,
        settling: Settling,
        clock: Clock,
    ) -> None:
        self._tasks = typed(database["diary_tasks"], StoredTask)
        self._reminders = database["diary_reminders"]
        self._publisher = publisher
        self._zones = zones
        self._settling = settling
        self._clock = clock

    async def rezone(self, account_id: str) -> None:
        """Move the reminders to come to where the account lives now."""
        zone = await self._zones.zone_of(account_id)
        at = self._clock()
        async for task in self._tasks.find({"account_id": account_id, "done": False}):
            if task["remind_at"] is None:
                continue
            day = latest_occurrence(task, zone, at) or due_day(task)
            seen = {"_id": task["_id"], "version": task["version"], "remind_at": task["remind_at"]}
            moment = due_moment(task, day, zone)
            await self._tasks.find_one_and_update(seen, {"$set": {"remind_at": moment}})

    async def export(self, account_id: str) -> AsyncIterator[dict[str, Json]]:
        """Yield all tasks of an account, newest first, each as `get` does."""
        async for task in documents(
            self._tasks,
            {"account_id": account_id},
            newest_first("created_at"),
            lambda task: task["account_id"] == account_id,
        ):
            yield as_json(task_view(task))

    async def delete_all(self, account_id: str) -> None:
        """Remove all tasks of an account, all that was completed, and every trace of either."""
        while found := await self._tasks.find({"account_id": account_id}).limit(100).to_list(None):
            for task in found:
                seen = {"_id": task["_id"], "version": task["version"]}
                if (await self._tasks.delete_one(seen)).deleted_count:
                    event = TaskDeleted(id=task["_id"], version=task["version"] + 1)
                    await self._publisher.publish(event, user_room(account_id))
        await self._tasks.delete_many({"deleted_by": account_id})
        await self._settling.delete_all(account_id)
        await self._reminders.delete_many({"account_id": account_id})
