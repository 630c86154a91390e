"""A change of a goal: one write on the condition that it is as it was seen, then published once."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import cast

from models.database import Database, Document, typed
from models.diary.goals import records
from models.diary.goals.events import (
    GoalCompleted,
    GoalCreated,
    GoalDeleted,
    GoalInvited,
    GoalProgress,
    GoalUninvited,
    GoalUpdated,
)
from models.diary.goals.records import StoredGoal, goal_view, invitation_view, invited_in
from models.diary.views import GoalView, MoverView
from models.events import Event, Publisher
from models.identity import Identity
from models.rooms import user_room
from models.times import Clock

ChangeEvent = type[GoalUpdated] | type[GoalProgress]
Shown = Callable[[GoalView], Event]
"""Makes the event of a goal as one of its readers sees it."""


class GoalWriting:
    """Writes changes of goals, with what follows from them, and publishes them to all readers."""

    def __init__(self, database: Database, publisher: Publisher, clock: Clock) -> None:
        self._goals = typed(database["diary_goals"], StoredGoal)
        self._publisher = publisher
        self._clock = clock

    async def write(
        self,
        goal: StoredGoal,
        values: Document,
        event_type: ChangeEvent,
        by: Identity | None = None,
    ) -> StoredGoal | None:
        """Set values of a goal; return it as it is then, None if it has changed meanwhile.

        Whichever write reaches the goal tells so: there is one such write each time. `by` is who
        makes the change, None where an account ends; nobody comes further with a goal by that.
        """
        values = {name: value for name, value in values.items() if value != goal.get(name)}
        if not values:
            return goal
        at = self._clock()
        values["updated_at"] = at
        wanted = cast(StoredGoal, {**goal, **values})
        if wanted["readers"]:
            values |= records.moved(wanted, at, by_hand=event_type is GoalProgress)
        changed = await self._goals.find_one_and_update(
            _seen(goal),
            {"$set": values, "$inc": {"version": 1}},
            return_document=True,
        )
        if changed is not None:
            await self._publish_change(goal, changed, event_type, by)
        return changed

    async def remove(self, goal: StoredGoal) -> None:
        """Remove a goal without a trace, unless it has changed meanwhile."""
        if (await self._goals.delete_one(_seen(goal))).deleted_count:
            event = GoalDeleted(id=goal["_id"], version=goal["version"] + 1)
            await self._publish(event, goal["readers"])
            await self._publish(GoalUninvited(goal_id=goal["_id"]), goal.get("invitees", ()))

    async def write_silently(self, goal: StoredGoal, values: Document, account_id: str) -> bool:
        """Set what follows when an invited account declines; False if the goal has changed.

        The version stays and no reader is told, so that the owner cannot tell a declined
        invitation from one that reaches no one. The account's own devices are told.
        """
        written = await self._goals.update_one(_seen(goal), {"$set": values})
        if written.modified_count:
            await self._publish(GoalUninvited(goal_id=goal["_id"]), [account_id])
        return bool(written.modified_count)

    async def publish_created(self, goal: StoredGoal, owner_name: str | None) -> None:
        """Publish a new goal to its readers, and to those who are invited."""
        await self._publish_to_readers(goal, lambda shown: GoalCreated(goal=shown))
        await self._invite(goal, goal["invitees"], owner_name)

    async def _publish_change(
        self, before: StoredGoal, goal: StoredGoal, event_type: ChangeEvent, by: Identity | None
    ) -> None:
        readers, invitees = goal["readers"], goal.get("invitees", ())
        gone = [reader for reader in before["readers"] if reader not in readers]
        await self._publish(GoalDeleted(id=goal["_id"], version=goal["version"]), gone)
        asked = before.get("invitees", ())
        ended = [account_id for account_id in asked if account_id not in invitees]
        await self._publish(GoalUninvited(goal_id=goal["_id"]), ended)
        if not readers:
            return
        mover = _mover(by)
        if event_type is GoalProgress and mover is not None:
            await self._publish_to_readers(goal, partial(_progress, mover))
        else:
            await self._publish_to_readers(goal, lambda shown: GoalUpdated(goal=shown))
        if goal["done"] and not before["done"] and mover is not None:
            await self._publish_to_readers(goal, partial(_completed, mover))
        new = [account_id for account_id in invitees if account_id not in asked]
        await self._invite(goal, new, by.name if by is not None else None)

    async def _publish_to_readers(self, goal: StoredGoal, event_of: Shown) -> None:
        owner_id, readers = goal["account_id"], goal["readers"]
        if not invited_in(goal):
            await self._publish(event_of(goal_view(goal, owner_id)), readers)
            return
        # Only the owner sees who has not answered.
        for some in ([owner_id], [reader for reader in readers if reader != owner_id]):
            if some:
                await self._publish(event_of(goal_view(goal, some[0])), some)

    async def _invite(
        self, goal: StoredGoal, account_ids: Sequence[str], owner_name: str | None
    ) -> None:
        for account_id in account_ids:
            invitation = invitation_view(goal, account_id, owner_name)
            await self._publish(GoalInvited(invitation=invitation), [account_id])

    async def _publish(self, event: Event, account_ids: Sequence[str]) -> None:
        if account_ids:
            await self._publisher.publish(event, *map(user_room, account_ids))


def _mover(by: Identity | None) -> MoverView | None:
    return None if by is None else {"id": by.account_id, "name": by.name}


def _progress(by: MoverView, goal: GoalView) -> GoalProgress:
    return GoalProgress(goal=goal, by=by)


def _completed(by: MoverView, goal: GoalView) -> GoalCompleted:
    return GoalCompleted(goal=goal, by=by)


def _seen(goal: StoredGoal) -> Document:
    """Return the condition that a goal is as it was seen: declining changes no version."""
    return {"_id": goal["_id"], "version": goal["version"], "declines": goal.get("declines")}
