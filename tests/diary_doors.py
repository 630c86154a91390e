"""The diary's two doors for its own clients, which do the same under the same names."""

from collections.abc import AsyncIterator
from typing import Any, Protocol
from urllib.parse import quote, urlencode

from tests.live import Server, SocketClient

ROOT = "/api/v1/diary"

ROUTES = {
    "create_entry": "POST /entries",
    "list_entries": "GET /entries",
    "search_entries": "GET /entries/search",
    "get_entry": "GET /entries/{entry_id}",
    "update_entry": "PATCH /entries/{entry_id}",
    "delete_entry": "DELETE /entries/{entry_id}",
    "list_tags": "GET /tags",
    "create_task": "POST /tasks",
    "list_tasks": "GET /tasks",
    "get_task": "GET /tasks/{task_id}",
    "update_task": "PATCH /tasks/{task_id}",
    "delete_task": "DELETE /tasks/{task_id}",
    "complete_task": "POST /tasks/{task_id}/complete",
    "reopen_task": "POST /tasks/{task_id}/reopen",
    "create_goal": "POST /goals",
    "list_goals": "GET /goals",
    "list_goal_invitations": "GET /goals/invitations",
    "accept_goal": "POST /goals/{goal_id}/accept",
    "decline_goal": "POST /goals/{goal_id}/decline",
    "get_goal": "GET /goals/{goal_id}",
    "update_goal": "PATCH /goals/{goal_id}",
    "delete_goal": "DELETE /goals/{goal_id}",
    "set_step": "PUT /goals/{goal_id}/steps/{step_id}",
    "add_progress": "POST /goals/{goal_id}/progress",
    "set_progress": "PUT /goals/{goal_id}/progress",
    "share_goal": "POST /goals/{goal_id}/members",
    "unshare_goal": "DELETE /goals/{goal_id}/members/{member}",
    "leave_goal": "POST /goals/{goal_id}/leave",
    "request_motivation": "POST /motivations",
    "list_motivations": "GET /motivations",
    "summary": "GET /summary",
    "export_diary": "GET /export",
    "delete_diary": "DELETE ",
}
"""Each command, and the route below `ROOT` that does the same."""

Answer = dict[str, Any]


class Hand(Protocol):
    """Somebody's way to do things."""

    async def do(self, command: str, **payload: Any) -> Answer:
        """Return `{"data": …}`, or `{"error": {"code", …}}`."""


class ByRest:
    """Does by requests what its commands do elsewhere."""

    def __init__(self, server: Server, token: str) -> None:
        self._server = server
        self._token = token

    async def do(self, command: str, **payload: Any) -> Answer:
        method, template = ROUTES[command].split(" ")
        if "{member}" in template:
            # One request for each of several.
            (payload["member"],) = payload.pop("members")
        named = {name for name in payload if f"{{{name}}}" in template}
        path = template.format(**{name: quote(payload[name], safe="") for name in named})
        rest = {name: value for name, value in payload.items() if name not in named}
        if method == "GET" and rest:
            path += "?" + urlencode(rest | {"done": "true"} if rest.get("done") else rest)
        body = rest if method not in ("GET", "DELETE") else None
        status, answer = await self._server.call(self._token, method, ROOT + path, body)
        assert status < 500
        if status >= 400:
            assert answer["status"] == status
            return {"error": answer}
        assert status == (204 if answer is None else 201 if command in CREATING else 200)
        return {"data": answer}


CREATING = {"create_entry", "create_task", "create_goal", "request_motivation"}


class BySocket:
    """Does by commands."""

    def __init__(self, client: SocketClient) -> None:
        self._client = client

    async def do(self, command: str, **payload: Any) -> Answer:
        return await self._client.call(command, payload)


async def device(server: Server, name: str) -> SocketClient:
    """Connect somebody to `/diary`."""
    return await server.socketio(await server.token(name), namespace="/diary")


async def hand(kind: str, server: Server, name: str) -> Hand:
    """Return a client of one of the doors: `rest` or `socketio`."""
    if kind == "rest":
        return ByRest(server, await server.token(name))
    return BySocket(await device(server, name))


async def succeed(who: Hand, command: str, **payload: Any) -> Any:
    """Do something that must succeed; returns the data."""
    answer = await who.do(command, **payload)
    assert "data" in answer, answer
    return answer["data"]


async def every(who: Hand, command: str) -> AsyncIterator[Any]:
    """Return all items of a list, page by page."""
    query: dict[str, Any] = {"limit": 2}
    while True:
        page = await succeed(who, command, **query)
        for item in page["items"]:
            yield item
        if page["next"] is None:
            return
        query["after"] = page["next"]


class Mirror:
    """What a device shows: the highest version of each thing that it has heard of.

    `None` stands in the place of what is gone.
    """

    KINDS = ("entry", "task", "goal")

    def __init__(self) -> None:
        self._things: dict[tuple[str, str], tuple[int, Any]] = {}

    async def load(self, who: Hand) -> None:
        """Take a snapshot in."""
        for kind, command in zip(
            self.KINDS, ("list_entries", "list_tasks", "list_goals"), strict=True
        ):
            async for thing in every(who, command):
                self._note(kind, thing["id"], thing["version"], thing)

    def hear(self, name: str, data: Any) -> None:
        """Take an event in."""
        kind, _, what = name.partition(".")
        if name == "diary.cleared":
            self._things.clear()
        elif what == "deleted":
            self._note(kind, data["id"], data["version"], None)
        elif kind in self.KINDS and kind in data:
            self._note(kind, data[kind]["id"], data[kind]["version"], data[kind])

    def _note(self, kind: str, thing_id: str, version: int, thing: Any) -> None:
        known, _ = self._things.get((kind, thing_id), (0, None))
        if version >= known:
            self._things[kind, thing_id] = version, thing

    @property
    def shown(self) -> dict[tuple[str, str], Any]:
        """Return what there is, by kind and id."""
        return {key: thing for key, (_, thing) in self._things.items() if thing is not None}
