"""One log line for each request: never the query string, which may hold a token."""

import logging
import time

from aiohttp import web
from aiohttp.typedefs import Handler

logger = logging.getLogger(__name__)


def printable(path: str) -> str:
    """Spell what is not printable ASCII: no path can forge a line or command a terminal."""
    return path.encode("unicode_escape").decode("ascii")


POLLING_PATH = "/socket.io/"


@web.middleware
async def log_requests(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Log method, path, status and milliseconds."""
    began = time.perf_counter()
    response = await handler(request)
    elapsed_ms = (time.perf_counter() - began) * 1000
    path = printable(request.rel_url.raw_path)
    # Long polls are many and say nothing.
    level = logging.DEBUG if path == POLLING_PATH else logging.INFO
    logger.log(level, "%s %s %d %.1f ms", request.method, path, response.status, elapsed_ms)
    return response
