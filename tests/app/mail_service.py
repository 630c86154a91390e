"""An operator's mail service on this machine."""

import asyncio
from typing import Any

from aiohttp import web

PATIENCE_S = 10.0


class MailService:
    """Keeps the mails that are posted to it; answers with `statuses` first, then 202."""

    def __init__(self) -> None:
        self.url = ""
        self.statuses: list[int] = []
        self.requests: list[web.Request] = []
        self._mails: asyncio.Queue[dict[str, Any]] = asyncio.Queue()

    def app(self) -> web.Application:
        app = web.Application()
        app.router.add_post("/send", self._take)
        return app

    async def mail(self) -> dict[str, Any]:
        """Return the next mail."""
        return await asyncio.wait_for(self._mails.get(), PATIENCE_S)

    @property
    def waiting(self) -> int:
        return self._mails.qsize()

    async def _take(self, request: web.Request) -> web.Response:
        self.requests.append(request)
        mail = await request.json()
        if self.statuses:
            return web.Response(status=self.statuses.pop(0))
        self._mails.put_nowait(mail)
        return web.Response(status=202)
