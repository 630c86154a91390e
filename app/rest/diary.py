"""The diary over REST: motivation, summary, export; its entries, tasks and goals."""

from aiohttp import web

from app.rest.diary_entries import EntriesRest
from app.rest.diary_goals import GoalsRest
from app.rest.diary_tasks import TasksRest
from app.rest.requests import body, caller, query
from models.diary.motivation.schema import RequestMotivation
from models.diary.operations import Diary
from models.diary.summary_schema import SummaryQuery
from models.pages import PageQuery

_MOTIVATION = RequestMotivation()
_PAGE = PageQuery()
_SUMMARY = SummaryQuery()


class DiaryRest:
    """The routes of the diary."""

    def __init__(self, diary: Diary) -> None:
        self._diary = diary
        self._parts = (EntriesRest(diary.entries), TasksRest(diary.tasks), GoalsRest(diary.goals))

    def routes(self) -> list[web.RouteDef]:
        """Give the routes, to be added to the application."""
        root = "/api/v1/diary"
        return [
            *(route for part in self._parts for route in part.routes()),
            web.post(f"{root}/motivations", self.motivate),
            web.get(f"{root}/motivations", self.motivations),
            web.get(f"{root}/summary", self.summary),
            web.get(f"{root}/export", self.export),
            web.delete(root, self.delete),
        ]

    async def motivate(self, request: web.Request) -> web.Response:
        """201 with the motivation, which all devices of the caller are told as well."""
        identity = await caller(request)
        wanted = await body(request, _MOTIVATION)
        return web.json_response(
            await self._diary.motivation.request(identity, **wanted), status=201
        )

    async def motivations(self, request: web.Request) -> web.Response:
        """200 with `items` and `next`: those of late."""
        identity = await caller(request)
        wanted = await query(request, _PAGE)
        return web.json_response(await self._diary.motivation.list(identity, **wanted))

    async def summary(self, request: web.Request) -> web.Response:
        """200 with streaks, and mood and completion day by day."""
        identity = await caller(request)
        wanted = await query(request, _SUMMARY)
        return web.json_response(await self._diary.summary.of(identity, **wanted))

    async def export(self, request: web.Request) -> web.Response:
        """200 with everything, as a file to keep."""
        identity = await caller(request)
        headers = {"Content-Disposition": 'attachment; filename="diary.json"'}
        return web.json_response(await self._diary.export(identity), headers=headers)

    async def delete(self, request: web.Request) -> web.Response:
        """204; there is nothing any more."""
        identity = await caller(request)
        await self._diary.delete_everything(identity)
        return web.Response(status=204)
