"""What is special about the diary over REST: an export is streamed."""

from collections.abc import Mapping

from aiohttp import web
from aiohttp.typedefs import Handler

from app.http.responses import stream_json
from app.rest.contract import contract
from app.rest.requests import caller, no_query
from models.diary.operations import Diary
from models.diary.views import DiaryView


def special(diary: Diary) -> Mapping[str, Handler]:
    """Return the handlers that are written by hand, by operation."""

    @contract("diary", {200: DiaryView}, errors=("account_not_found", "export_under_way"))
    async def export(request: web.Request) -> web.StreamResponse:
        """200 with everything, as a file to keep, read from the database while it is sent."""
        headers = {"Content-Disposition": 'attachment; filename="diary.json"'}
        identity = await caller(request)
        await no_query(request)
        async with diary.reading(identity) as everything:
            return await stream_json(request, everything, headers=headers)

    return {"export_diary": export}
