"""A change of a goal: one write on the condition that it is as it was seen, then told once."""

from collections.abc import Sequence

from models.database import Database, Document
from models.diary import goal_records as records
from models.diary.goal_records import goal_json
from models.diary.goals_events import GoalCompleted, GoalDeleted, GoalProgress, GoalUpdated
from models.events import Event, Publisher
from models.rooms import user_room
from models.times import Clock

Told = type[GoalUpdated] | type[GoalProgress]


class GoalWriting:
    """Writes changes of goals, with what follows from them, and tells all readers."""

    def __init__(self, database: Database, publisher: Publisher, clock: Clock) -> None:
        self._goals = database["diary_goals"]
        self._publisher = publisher
        self._clock = clock

    async def write(self, goal: Document, values: Document, told_as: Told) -> Document | None:
        """Set values of a goal; gives it as it is then, None if it has changed meanwhile.

        Whoever writes that it is reached tells so: there is one such write each time.
        """
        values = {name: value for name, value in values.items() if value != goal[name]}
        if not values:
            return goal
        at = self._clock()
        values["updated_at"] = at
        wanted = goal | values
        if wanted["readers"]:
            values |= records.moved(wanted, at, by_hand=told_as is GoalProgress)
        changed = await self._goals.find_one_and_update(
            {"_id": goal["_id"], "version": goal["version"]},
            {"$set": values, "$inc": {"version": 1}},
            return_document=True,
        )
        if changed is not None:
            await self._tell_change(goal, changed, told_as)
        return changed

    async def remove(self, goal: Document) -> None:
        """Remove a goal without a trace, unless it has changed meanwhile."""
        seen = {"_id": goal["_id"], "version": goal["version"]}
        if (await self._goals.delete_one(seen)).deleted_count:
            await self.tell(GoalDeleted(goal["_id"], goal["version"] + 1), goal["readers"])

    async def tell(self, event: Event, readers: Sequence[str]) -> None:
        """Tell some accounts."""
        if readers:
            await self._publisher.publish(event, *map(user_room, readers))

    async def _tell_change(self, before: Document, goal: Document, told_as: Told) -> None:
        readers = goal["readers"]
        gone = [reader for reader in before["readers"] if reader not in readers]
        await self.tell(GoalDeleted(goal["_id"], goal["version"]), gone)
        if not readers:
            return
        await self.tell(told_as(goal_json(goal)), readers)
        if goal["done"] and not before["done"]:
            await self.tell(GoalCompleted(goal_json(goal)), readers)
