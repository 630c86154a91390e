"""Where among the events a snapshot is: what a client reads over REST says what comes after it.

The position of this process's events is looked at before anything is read, so the snapshot has
whatever the events up to there told of. A client that connects with it as `?since=` gets what
happened after that, perhaps some of it that the snapshot has already.
"""

from aiohttp import hdrs, web
from aiohttp.typedefs import Handler, Middleware

from app.realtime.events.delivery import EventLog
from app.realtime.lives import ACCOUNT_ID

CURSOR = "X-Cursor"

_POSITION: web.RequestKey[str] = web.RequestKey("position")


def note_position(log: EventLog) -> Middleware:
    """Return what notes where the events are when a request comes."""

    @web.middleware
    async def middleware(request: web.Request, handler: Handler) -> web.StreamResponse:
        if request.method == hdrs.METH_GET:
            request[_POSITION] = log.position
        return await handler(request)

    return middleware


async def show_cursor(request: web.Request, response: web.StreamResponse) -> None:
    """Send the position with what an account reads (aiohttp signal)."""
    position = request.get(_POSITION)
    if position is not None and ACCOUNT_ID in request and response.status == 200:
        response.headers[CURSOR] = position
