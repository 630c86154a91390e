"""Goals of the diary over REST."""

from aiohttp import web

from app.rest.requests import body, caller, query
from models.diary.goals import Goals
from models.diary.goals_schema import Amount, ChangeGoal, CreateGoal, Members, StepDone, Value
from models.pages import PageQuery

_CREATE = CreateGoal()
_CHANGE = ChangeGoal()
_PAGE = PageQuery()
_STEP = StepDone()
_AMOUNT = Amount()
_VALUE = Value()
_MEMBERS = Members()


class GoalsRest:
    """The routes of goals: one's own, and those that others share; the rest does not exist."""

    def __init__(self, goals: Goals) -> None:
        self._goals = goals

    def routes(self) -> list[web.RouteDef]:
        """Give the routes, to be added to the application."""
        root = "/api/v1/diary/goals"
        one = f"{root}/{{goal_id}}"
        return [
            web.post(root, self.create),
            web.get(root, self.page),
            web.get(one, self.get),
            web.patch(one, self.update),
            web.delete(one, self.delete),
            web.put(f"{one}/steps/{{step_id}}", self.set_step),
            web.post(f"{one}/progress", self.add_progress),
            web.put(f"{one}/progress", self.set_progress),
            web.post(f"{one}/members", self.share),
            web.delete(f"{one}/members/{{member}}", self.unshare),
            web.post(f"{one}/leave", self.leave),
        ]

    async def create(self, request: web.Request) -> web.Response:
        """201 with the goal."""
        identity = await caller(request)
        wanted = await body(request, _CREATE)
        return web.json_response(await self._goals.create(identity, **wanted), status=201)

    async def page(self, request: web.Request) -> web.Response:
        """200 with `items` and `next`: one's own and shared ones."""
        identity = await caller(request)
        wanted = await query(request, _PAGE)
        return web.json_response(await self._goals.list(identity, **wanted))

    async def get(self, request: web.Request) -> web.Response:
        """200 with the goal."""
        identity = await caller(request)
        return web.json_response(await self._goals.get(identity, _goal_id(request)))

    async def update(self, request: web.Request) -> web.Response:
        """200 with the goal, for its owner; what is left out stays as it is."""
        identity = await caller(request)
        changed = await body(request, _CHANGE)
        return web.json_response(await self._goals.update(identity, _goal_id(request), **changed))

    async def delete(self, request: web.Request) -> web.Response:
        """204, for its owner."""
        identity = await caller(request)
        await self._goals.delete(identity, _goal_id(request))
        return web.Response(status=204)

    async def set_step(self, request: web.Request) -> web.Response:
        """200 with the goal."""
        identity = await caller(request)
        wanted = await body(request, _STEP)
        step_id = request.match_info["step_id"]
        goal = await self._goals.set_step(identity, _goal_id(request), step_id=step_id, **wanted)
        return web.json_response(goal)

    async def add_progress(self, request: web.Request) -> web.Response:
        """200 with the goal, nearer by `amount`."""
        identity = await caller(request)
        wanted = await body(request, _AMOUNT)
        goal = await self._goals.add_progress(identity, _goal_id(request), **wanted)
        return web.json_response(goal)

    async def set_progress(self, request: web.Request) -> web.Response:
        """200 with the goal, at `value`."""
        identity = await caller(request)
        wanted = await body(request, _VALUE)
        goal = await self._goals.set_progress(identity, _goal_id(request), **wanted)
        return web.json_response(goal)

    async def share(self, request: web.Request) -> web.Response:
        """200 with the goal, for its owner; `members` are those who share it now."""
        identity = await caller(request)
        wanted = await body(request, _MEMBERS)
        return web.json_response(await self._goals.share(identity, _goal_id(request), **wanted))

    async def unshare(self, request: web.Request) -> web.Response:
        """200 with the goal, for its owner; the path names the member by the public id."""
        identity = await caller(request)
        members = [request.match_info["member"]]
        goal = await self._goals.unshare(identity, _goal_id(request), members=members)
        return web.json_response(goal)

    async def leave(self, request: web.Request) -> web.Response:
        """204; the goal is its owner's and the other members' alone."""
        identity = await caller(request)
        await self._goals.leave(identity, _goal_id(request))
        return web.Response(status=204)


def _goal_id(request: web.Request) -> str:
    return request.match_info["goal_id"]
