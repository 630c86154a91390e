"""The diary over REST: entries, tasks and goals, motivation, summary, export.

What belongs to somebody else does not exist: 404.
"""

from aiohttp import web

from app.rest.operations import calling
from app.rest.requests import caller
from models.diary import entries_schema, goals_schema, tasks_schema
from models.diary.motivation.schema import RequestMotivation
from models.diary.operations import Diary
from models.diary.summary_schema import SummaryQuery
from models.events import Json
from models.identity import Identity
from models.pages import PageQuery

ROOT = "/api/v1/diary"


class DiaryRest:
    """The routes of the diary."""

    def __init__(self, diary: Diary) -> None:
        self._diary = diary

    def routes(self) -> list[web.RouteDef]:
        """Give the routes, to be added to the application."""
        return [
            *self._entries(f"{ROOT}/entries"),
            *self._tasks(f"{ROOT}/tasks"),
            *self._goals(f"{ROOT}/goals"),
            *self._whole(),
        ]

    def _entries(self, root: str) -> list[web.RouteDef]:
        entries, one, path = self._diary.entries, f"{root}/{{entry_id}}", ("entry_id",)
        search = calling(entries.search, query=entries_schema.SearchEntries())
        return [
            web.post(root, calling(entries.create, body=entries_schema.CreateEntry(), status=201)),
            web.get(root, calling(entries.list, query=entries_schema.ListEntries())),
            web.get(f"{root}/search", search),
            web.get(f"{ROOT}/tags", calling(entries.tags)),
            web.get(one, calling(entries.get, path=path)),
            web.patch(one, calling(entries.update, path=path, body=entries_schema.ChangeEntry())),
            web.delete(one, calling(entries.delete, path=path)),
        ]

    def _tasks(self, root: str) -> list[web.RouteDef]:
        tasks, one, path = self._diary.tasks, f"{root}/{{task_id}}", ("task_id",)
        complete = calling(tasks.complete, path=path, body=tasks_schema.Complete())
        return [
            web.post(root, calling(tasks.create, body=tasks_schema.CreateTask(), status=201)),
            web.get(root, calling(tasks.list, query=tasks_schema.ListTasks())),
            web.get(one, calling(tasks.get, path=path)),
            web.patch(one, calling(tasks.update, path=path, body=tasks_schema.ChangeTask())),
            web.delete(one, calling(tasks.delete, path=path)),
            web.post(f"{one}/complete", complete),
            web.post(f"{one}/reopen", calling(tasks.reopen, path=path)),
        ]

    def _goals(self, root: str) -> list[web.RouteDef]:
        goals, one, path = self._diary.goals, f"{root}/{{goal_id}}", ("goal_id",)
        step, progress, members = f"{one}/steps/{{step_id}}", f"{one}/progress", f"{one}/members"
        set_step = calling(goals.set_step, path=(*path, "step_id"), body=goals_schema.StepDone())

        async def unshare(identity: Identity, goal_id: str, member: str) -> dict[str, Json]:
            return await goals.unshare(identity, goal_id, members=[member])

        return [
            web.post(root, calling(goals.create, body=goals_schema.CreateGoal(), status=201)),
            web.get(root, calling(goals.list, query=PageQuery())),
            web.get(one, calling(goals.get, path=path)),
            web.patch(one, calling(goals.update, path=path, body=goals_schema.ChangeGoal())),
            web.delete(one, calling(goals.delete, path=path)),
            web.put(step, set_step),
            web.post(progress, calling(goals.add_progress, path=path, body=goals_schema.Amount())),
            web.put(progress, calling(goals.set_progress, path=path, body=goals_schema.Value())),
            web.post(members, calling(goals.share, path=path, body=goals_schema.Members())),
            web.delete(f"{members}/{{member}}", calling(unshare, path=(*path, "member"))),
            web.post(f"{one}/leave", calling(goals.leave, path=path)),
        ]

    def _whole(self) -> list[web.RouteDef]:
        diary, motivations = self._diary, f"{ROOT}/motivations"
        request = calling(diary.motivation.request, body=RequestMotivation(), status=201)
        return [
            web.post(motivations, request),
            web.get(motivations, calling(diary.motivation.list, query=PageQuery())),
            web.get(f"{ROOT}/summary", calling(diary.summary.of, query=SummaryQuery())),
            web.get(f"{ROOT}/export", self.export),
            web.delete(ROOT, calling(diary.delete_everything)),
        ]

    async def export(self, request: web.Request) -> web.Response:
        """200 with everything, as a file to keep."""
        everything = await self._diary.export(await caller(request))
        headers = {"Content-Disposition": 'attachment; filename="diary.json"'}
        return web.json_response(everything, headers=headers)
