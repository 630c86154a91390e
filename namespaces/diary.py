"""`/diary`: what clients may ask about entries, tasks, goals and motivation.

Two devices in step: events carry whole objects with their `version`. A client keeps of each id the
one with the highest version, from listings and events alike and in whatever order they come; an
event of a deletion has a version, too.
"""

import json
from collections.abc import Iterable
from typing import Any, ClassVar

from marshmallow import Schema

from models.diary import entries_schema, goals_schema, tasks_schema
from models.diary.motivation.schema import RequestMotivation
from models.diary.operations import Diary
from models.diary.summary_schema import SummaryQuery
from models.errors import Conflict
from models.events import Json
from models.identity import Identity
from models.pages import PageQuery
from models.rooms import user_room
from namespaces.base import Answer, Caller, Commands, command, error_answer

Payload = dict[str, Any]

ANSWER_BYTES = 900_000
"""Less than what may wait for one client by default: a longer answer would end its connection."""

LONG = {"list_entries", "search_entries", "list_tasks", "list_goals", "export_diary"}
"""What can have longer answers: a page of a hundred long entries, or a whole diary."""


class DiaryCommands(Commands):
    """The commands of the diary; answers are those of the REST routes."""

    domain: ClassVar[str] = "diary"

    def __init__(self, diary: Diary) -> None:
        self._diary = diary

    def rooms_of(self, identity: Identity) -> Iterable[str]:
        """Name the account's own room."""
        return (user_room(identity.account_id),)

    async def run(self, caller: Caller, name: str, payload: object) -> Answer:
        """Run a command and answer, whatever happens; `answer_too_long` if that is too much."""
        answer = await super().run(caller, name, payload)
        if name in LONG and len(json.dumps(answer, ensure_ascii=False).encode()) > ANSWER_BYTES:
            message = "This is too long for one answer: ask for fewer, or over REST."
            return error_answer(Conflict(message, code="answer_too_long"))
        return answer

    @command(entries_schema.CreateEntry)
    async def create_entry(self, caller: Caller, payload: Payload) -> dict[str, Json]:
        """Write an entry; gives it."""
        return await self._diary.entries.create(caller.identity, **payload)

    @command(entries_schema.EntryId)
    async def get_entry(self, caller: Caller, payload: Payload) -> dict[str, Json]:
        """Give an own entry."""
        return await self._diary.entries.get(caller.identity, **payload)

    @command(entries_schema.ListEntries)
    async def list_entries(self, caller: Caller, payload: Payload) -> dict[str, Json]:
        """Give a page of one's entries."""
        return await self._diary.entries.list(caller.identity, **payload)

    @command(entries_schema.SearchEntries)
    async def search_entries(self, caller: Caller, payload: Payload) -> dict[str, Json]:
        """Find one's entries by their text."""
        return await self._diary.entries.search(caller.identity, **payload)

    @command(Schema)
    async def list_tags(self, caller: Caller, payload: Payload) -> dict[str, Json]:
        """Give one's tags, each with how many entries have it."""
        return await self._diary.entries.tags(caller.identity)

    @command(entries_schema.UpdateEntry)
    async def update_entry(self, caller: Caller, payload: Payload) -> dict[str, Json]:
        """Change an own entry; gives it."""
        return await self._diary.entries.update(caller.identity, **payload)

    @command(entries_schema.EntryId)
    async def delete_entry(self, caller: Caller, payload: Payload) -> None:
        """Remove an own entry."""
        await self._diary.entries.delete(caller.identity, **payload)

    @command(tasks_schema.CreateTask)
    async def create_task(self, caller: Caller, payload: Payload) -> dict[str, Json]:
        """Plan a task; gives it."""
        return await self._diary.tasks.create(caller.identity, **payload)

    @command(tasks_schema.TaskId)
    async def get_task(self, caller: Caller, payload: Payload) -> dict[str, Json]:
        """Give an own task."""
        return await self._diary.tasks.get(caller.identity, **payload)

    @command(tasks_schema.ListTasks)
    async def list_tasks(self, caller: Caller, payload: Payload) -> dict[str, Json]:
        """Give a page of one's tasks."""
        return await self._diary.tasks.list(caller.identity, **payload)

    @command(tasks_schema.UpdateTask)
    async def update_task(self, caller: Caller, payload: Payload) -> dict[str, Json]:
        """Change an own task; gives it."""
        return await self._diary.tasks.update(caller.identity, **payload)

    @command(tasks_schema.CompleteTask)
    async def complete_task(self, caller: Caller, payload: Payload) -> dict[str, Json]:
        """Have done an occurrence of an own task; gives the task."""
        return await self._diary.tasks.complete(caller.identity, **payload)

    @command(tasks_schema.TaskId)
    async def reopen_task(self, caller: Caller, payload: Payload) -> dict[str, Json]:
        """Take the latest completion of an own task back; gives the task."""
        return await self._diary.tasks.reopen(caller.identity, **payload)

    @command(tasks_schema.TaskId)
    async def delete_task(self, caller: Caller, payload: Payload) -> None:
        """Remove an own task."""
        await self._diary.tasks.delete(caller.identity, **payload)

    @command(goals_schema.CreateGoal)
    async def create_goal(self, caller: Caller, payload: Payload) -> dict[str, Json]:
        """Set a goal, perhaps with others; gives it."""
        return await self._diary.goals.create(caller.identity, **payload)

    @command(goals_schema.GoalId)
    async def get_goal(self, caller: Caller, payload: Payload) -> dict[str, Json]:
        """Give a goal that the caller owns or shares."""
        return await self._diary.goals.get(caller.identity, **payload)

    @command(PageQuery)
    async def list_goals(self, caller: Caller, payload: Payload) -> dict[str, Json]:
        """Give a page of the goals that the caller owns or shares."""
        return await self._diary.goals.list(caller.identity, **payload)

    @command(goals_schema.UpdateGoal)
    async def update_goal(self, caller: Caller, payload: Payload) -> dict[str, Json]:
        """Change an own goal; gives it."""
        return await self._diary.goals.update(caller.identity, **payload)

    @command(goals_schema.SetStep)
    async def set_step(self, caller: Caller, payload: Payload) -> dict[str, Json]:
        """Have done a step, or not; gives the goal."""
        return await self._diary.goals.set_step(caller.identity, **payload)

    @command(goals_schema.AddProgress)
    async def add_progress(self, caller: Caller, payload: Payload) -> dict[str, Json]:
        """Come nearer to a number, or less near; gives the goal."""
        return await self._diary.goals.add_progress(caller.identity, **payload)

    @command(goals_schema.SetProgress)
    async def set_progress(self, caller: Caller, payload: Payload) -> dict[str, Json]:
        """Say how near to a number one is; gives the goal."""
        return await self._diary.goals.set_progress(caller.identity, **payload)

    @command(goals_schema.ShareGoal)
    async def share_goal(self, caller: Caller, payload: Payload) -> dict[str, Json]:
        """Share an own goal with named others; gives it."""
        return await self._diary.goals.share(caller.identity, **payload)

    @command(goals_schema.ShareGoal)
    async def unshare_goal(self, caller: Caller, payload: Payload) -> dict[str, Json]:
        """Share an own goal with some of its members no more; gives it."""
        return await self._diary.goals.unshare(caller.identity, **payload)

    @command(goals_schema.GoalId)
    async def leave_goal(self, caller: Caller, payload: Payload) -> None:
        """Share somebody else's goal no more."""
        await self._diary.goals.leave(caller.identity, **payload)

    @command(goals_schema.GoalId)
    async def delete_goal(self, caller: Caller, payload: Payload) -> None:
        """Remove an own goal, for all who share it."""
        await self._diary.goals.delete(caller.identity, **payload)

    @command(RequestMotivation, slow=True)
    async def request_motivation(self, caller: Caller, payload: Payload) -> dict[str, Json]:
        """Write a motivation; gives it, and tells all devices of the caller."""
        return await self._diary.motivation.request(caller.identity, **payload)

    @command(PageQuery)
    async def list_motivations(self, caller: Caller, payload: Payload) -> dict[str, Json]:
        """Give a page of the motivations that the caller had lately."""
        return await self._diary.motivation.list(caller.identity, **payload)

    @command(SummaryQuery)
    async def summary(self, caller: Caller, payload: Payload) -> dict[str, Json]:
        """Give streaks, and mood and completion day by day."""
        return await self._diary.summary.of(caller.identity, **payload)

    @command(Schema, slow=True)
    async def export_diary(self, caller: Caller, payload: Payload) -> dict[str, Json]:
        """Give everything that is in the diary."""
        return await self._diary.export(caller.identity)

    @command(Schema)
    async def delete_diary(self, caller: Caller, payload: Payload) -> None:
        """Remove everything that is in the diary."""
        await self._diary.delete_everything(caller.identity)
