"""Reminders of tasks that have fallen due, each published once by whichever process comes first.

`diary_reminders`: `_id` "<task>:<date>T<time>" of the occurrence by its owner's clock, so that
neither a restart nor a move to another zone makes a second one of it; `account_id`, `claimed_at`,
`told_at` (None while it is being told).

A task says in `remind_at` when to look at it. Anyone who makes the reminder tells it, then notes
that it is told, then moves `remind_at` on. A process that dies in between leaves the reminder
untold, and after `PATIENCE` another tells it: perhaps a second time, but under the same id.
"""

import json
import logging
from datetime import date, datetime, timedelta

from pymongo.errors import DuplicateKeyError

from models.collections import retention_of
from models.database import Database, Document, typed
from models.diary.tasks.events import TaskDue
from models.diary.tasks.records import (
    StoredTask,
    due_day,
    due_moment,
    following_reminder,
    latest_occurrence,
    reminder_id,
    task_view,
)
from models.diary.zones import Zones
from models.errors import Unavailable
from models.events import Publisher
from models.notifications.push import HIGH, Push, topic_of
from models.retention import expire, prepare_expiry
from models.rooms import user_room
from models.times import Clock, now, to_text

logger = logging.getLogger(__name__)

PATIENCE = timedelta(minutes=1)
"""Far longer than publishing takes: a process that has not done it by then has died."""

_AT_ONCE = 200
"""Tasks read in one go."""


class Reminders:
    """Notifies owners, live and by push, of tasks that are due and not done."""

    def __init__(
        self,
        database: Database,
        publisher: Publisher,
        push: Push,
        zones: Zones,
        clock: Clock = now,
    ) -> None:
        self._tasks = typed(database["diary_tasks"], StoredTask)
        self._reminders = database["diary_reminders"]
        self._publisher = publisher
        self._push = push
        self._zones = zones
        self._clock = clock

    async def prepare(self) -> None:
        """Make the indexes."""
        await self._tasks.create_index([("remind_at", 1)])
        await prepare_expiry(self._reminders, retention_of("diary_reminders"))
        await self._reminders.create_index([("account_id", 1)])

    async def sweep(self) -> None:
        """Publish what is due, and forget what was published long ago."""
        await self.publish_due()
        await expire(self._reminders, retention_of("diary_reminders"), self._clock())

    async def publish_due(self) -> None:
        """Publish all reminders that are due; call it every minute, in every process.

        Of repetitions that went by untold, as when no process was running, the last one is told.
        """
        query: Document = {"remind_at": {"$lte": self._clock()}}
        while True:
            order = [("remind_at", 1), ("_id", 1)]
            due = await self._tasks.find(query).sort(order).limit(_AT_ONCE).to_list(None)
            for task in due:
                await self._attend(task)
            if len(due) < _AT_ONCE:
                return
            # On behind these: some of them may be left to another process.
            last = due[-1]
            query = {
                "remind_at": {"$lte": self._clock()},
                "$or": [
                    {"remind_at": {"$gt": last["remind_at"]}},
                    {"remind_at": last["remind_at"], "_id": {"$gt": last["_id"]}},
                ],
            }

    async def _attend(self, task: StoredTask) -> None:
        try:
            await self._look_at(task)
        except Unavailable:
            raise
        except Exception:
            # One that cannot be told must not keep all others from being told.
            logger.exception("a reminder could not be published")

    async def _look_at(self, task: StoredTask) -> None:
        zone = await self._zones.zone_of(task["account_id"])
        day = latest_occurrence(task, zone, self._clock())
        if day is None:
            # Its owner has moved since to where it is not yet due.
            due = due_day(task)
            await self._look_again(task, due_moment(task, due, zone))
        elif await self._publish_once(task, day, due_moment(task, day, zone)):
            await self._look_again(task, following_reminder(task, zone, day))

    async def _publish_once(self, task: StoredTask, day: date, due_at: datetime) -> bool:
        """Whether the reminder is published, by this call or before."""
        claim = reminder_id(task, day)
        at = self._clock()
        reminder = {
            "_id": claim,
            "account_id": task["account_id"],
            "claimed_at": at,
            "told_at": None,
        }
        try:
            await self._reminders.insert_one(reminder)
        except DuplicateKeyError:
            made = await self._reminders.find_one({"_id": claim})
            if made is None or made["told_at"] is not None:
                return made is not None
            if made["claimed_at"] > at - PATIENCE or not await self._take_over(made, at):
                return False
        present = await self._tasks.find_one({"_id": task["_id"]})
        if present is None or present["remind_at"] != task["remind_at"]:
            # Completed, deleted or put off while this was claimed.
            await self._reminders.delete_one({"_id": claim, "claimed_at": at, "told_at": None})
            return False
        await self._publish(present, claim, day, due_at)
        await self._reminders.update_one({"_id": claim}, {"$set": {"told_at": self._clock()}})
        return True

    async def _take_over(self, reminder: Document, at: datetime) -> bool:
        seen = {"_id": reminder["_id"], "claimed_at": reminder["claimed_at"], "told_at": None}
        taken = await self._reminders.find_one_and_update(seen, {"$set": {"claimed_at": at}})
        return taken is not None

    async def _publish(self, task: StoredTask, reminder: str, day: date, due_at: datetime) -> None:
        account_id = task["account_id"]
        event = TaskDue(
            reminder_id=reminder,
            task_id=task["_id"],
            task=task_view(task),
            due_at=to_text(due_at),
        )
        await self._publisher.publish(event, user_room(account_id))
        if self._push.public_key is not None:
            topic = topic_of(reminder)
            self._push.queue(account_id, _message(event, day), urgency=HIGH, topic=topic)

    async def _look_again(self, task: StoredTask, moment: datetime | None) -> None:
        """Move on to the next reminder of a task, unless something else has moved it."""
        seen = {"_id": task["_id"], "version": task["version"], "remind_at": task["remind_at"]}
        await self._tasks.find_one_and_update(seen, {"$set": {"remind_at": moment}})


def _message(event: TaskDue, day: date) -> bytes:
    """Write a reminder as JSON for a device, with the fields that notifications have.

    When it is due stands there as its owner has set it. Titles are short enough for all that push
    services carry.
    """
    due_time = event.task["due_time"]
    message = {
        "id": event.reminder_id,
        "type": TaskDue.name,
        "title": event.task["title"],
        "message": f"{day} {due_time}" if due_time else str(day),
        "link": "",
    }
    return json.dumps(message, ensure_ascii=False, separators=(",", ":")).encode()
