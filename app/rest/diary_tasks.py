"""Tasks of the diary over REST."""

from aiohttp import web

from app.rest.requests import body, caller, query
from models.diary.tasks import Tasks
from models.diary.tasks_schema import ChangeTask, Complete, CreateTask, ListTasks

_CREATE = CreateTask()
_CHANGE = ChangeTask()
_LIST = ListTasks()
_COMPLETE = Complete()


class TasksRest:
    """The routes of tasks; those of others do not exist."""

    def __init__(self, tasks: Tasks) -> None:
        self._tasks = tasks

    def routes(self) -> list[web.RouteDef]:
        """Give the routes, to be added to the application."""
        root = "/api/v1/diary/tasks"
        one = f"{root}/{{task_id}}"
        return [
            web.post(root, self.create),
            web.get(root, self.page),
            web.get(one, self.get),
            web.patch(one, self.update),
            web.delete(one, self.delete),
            web.post(f"{one}/complete", self.complete),
            web.post(f"{one}/reopen", self.reopen),
        ]

    async def create(self, request: web.Request) -> web.Response:
        """201 with the task."""
        identity = await caller(request)
        wanted = await body(request, _CREATE)
        return web.json_response(await self._tasks.create(identity, **wanted), status=201)

    async def page(self, request: web.Request) -> web.Response:
        """200 with `items` and `next`; `?done=`, `?due_from=`, `?due_to=`, `?priority=`."""
        identity = await caller(request)
        wanted = await query(request, _LIST)
        return web.json_response(await self._tasks.list(identity, **wanted))

    async def get(self, request: web.Request) -> web.Response:
        """200 with the task."""
        identity = await caller(request)
        return web.json_response(await self._tasks.get(identity, _task_id(request)))

    async def update(self, request: web.Request) -> web.Response:
        """200 with the task; what is left out stays as it is."""
        identity = await caller(request)
        changed = await body(request, _CHANGE)
        return web.json_response(await self._tasks.update(identity, _task_id(request), **changed))

    async def delete(self, request: web.Request) -> web.Response:
        """204."""
        identity = await caller(request)
        await self._tasks.delete(identity, _task_id(request))
        return web.Response(status=204)

    async def complete(self, request: web.Request) -> web.Response:
        """200 with the task; the body may name the occurrence by its `due_date`."""
        identity = await caller(request)
        which = await body(request, _COMPLETE)
        return web.json_response(await self._tasks.complete(identity, _task_id(request), **which))

    async def reopen(self, request: web.Request) -> web.Response:
        """200 with the task; its latest completion is taken back."""
        identity = await caller(request)
        return web.json_response(await self._tasks.reopen(identity, _task_id(request)))


def _task_id(request: web.Request) -> str:
    return request.match_info["task_id"]
