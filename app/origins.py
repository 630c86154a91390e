"""Which web pages may call this server (the `Origin` header; the Fetch standard's CORS protocol).

Credentials here are tokens that a page must hold, never cookies. Even so, pages of other origins
are refused unless listed: in development some doors accept credentials that prove nothing.
"""

from urllib.parse import urlsplit

from aiohttp import hdrs, web
from aiohttp.typedefs import Handler

_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
_MAX_AGE_S = 600
"""How long a browser may remember a preflight's answer."""


class Origins:
    """The origins that are allowed."""

    def __init__(self, listed: tuple[str, ...], *, development: bool) -> None:
        """Allow `listed` (`*`: all); in development also pages of this machine and local files."""
        self._listed = frozenset(origin.rstrip("/").lower() for origin in listed)
        self._development = development

    def allow(self, request: web.BaseRequest) -> bool:
        """Whether the request comes from no web page, from our own, or from an allowed one."""
        origin = request.headers.get(hdrs.ORIGIN, "").lower()
        if not origin or "*" in self._listed or origin in self._listed:
            return True
        if origin == f"{request.scheme}://{request.host}".lower():
            return True
        if not self._development:
            return False
        return origin == "null" or _host(origin) in _LOOPBACK

    @web.middleware
    async def answer_preflights(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Answer `OPTIONS` for every route."""
        if request.method != hdrs.METH_OPTIONS:
            return await handler(request)
        headers = {"Allow": "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS"}
        if hdrs.ACCESS_CONTROL_REQUEST_METHOD in request.headers and self.allow(request):
            headers[hdrs.ACCESS_CONTROL_ALLOW_METHODS] = headers["Allow"]
            headers[hdrs.ACCESS_CONTROL_ALLOW_HEADERS] = request.headers.get(
                hdrs.ACCESS_CONTROL_REQUEST_HEADERS, ""
            )
            headers[hdrs.ACCESS_CONTROL_MAX_AGE] = str(_MAX_AGE_S)
        return web.Response(status=204, headers=headers)

    async def mark(self, request: web.Request, response: web.StreamResponse) -> None:
        """Let an allowed page read the answer (an `on_response_prepare` signal)."""
        origin = request.headers.get(hdrs.ORIGIN)
        if origin and self.allow(request):
            response.headers[hdrs.ACCESS_CONTROL_ALLOW_ORIGIN] = origin
            response.headers[hdrs.ACCESS_CONTROL_EXPOSE_HEADERS] = "Retry-After"
            response.headers.add(hdrs.VARY, "Origin")


def _host(origin: str) -> str | None:
    try:
        return urlsplit(origin).hostname
    except ValueError:
        # A header may hold anything; half an IPv6 address is no reason for a 500.
        return None
