"""Which hosts this server answers as, and which web pages may call it.

Two headers say where a request comes from, and a browser lets no page forge them: `Host`, the name
by which the page reached this server, and `Origin` (the Fetch standard's CORS protocol), the page.

Credentials here are tokens that a page must hold, never cookies. In development, though, some
routes accept credentials that prove nothing, so there a request is refused unless both headers name
this machine or what the operator listed: a page of a foreign site has a foreign `Origin`, and one
that points its own name at 127.0.0.1 (DNS rebinding) has a foreign `Host`.
"""

from aiohttp import HttpVersion11, hdrs, web
from aiohttp.typedefs import Handler

from app.hosts import Host, Origin, parse_host, parse_origin
from app.realtime.websocket.upgrade import wants_websocket
from app.rest.errors import problem

_MAX_AGE_S = 600
"""How long a browser may remember a preflight's answer."""

_EXPOSED = (
    "Retry-After, Idempotency-Replayed, ETag, Location, Content-Range, Content-Disposition, "
    "X-Request-Id, X-Cursor"
)
"""What pages may read of answers besides the headers that the Fetch standard always shows."""

_OPAQUE = frozenset({"null", "file://"})
"""What a page opened from a file sends. So does a sandboxed frame of any site: it names no one."""


class Origins:
    """The hosts and origins that are allowed."""

    def __init__(
        self, listed: tuple[str, ...], *, development: bool, host: str = "127.0.0.1"
    ) -> None:
        """Allow `listed` origins (`*`: all).

        In development also those of this machine and its network; and there a request's `Host` must
        be an IP literal, `localhost`, `host` (where this server listens), or the host of a listed
        origin.
        """
        self._listed = frozenset(origin.strip().rstrip("/").lower() for origin in listed)
        self._everyone = "*" in self._listed
        self._development = development
        parsed = [origin for entry in self._listed if (origin := parse_origin(entry))]
        self._listed_triples = frozenset(origin.triple for origin in parsed)
        own = parse_host(host)
        self._listening_name = own.name if own and own.address is None else "localhost"
        self._names = {self._listening_name, *(origin.host.name for origin in parsed)}

    def allow(self, request: web.BaseRequest) -> bool:
        """Whether the request comes from no web page, from our own, or from an allowed one."""
        if self.trusts(request) or self._everyone:
            return True
        origin = _origin(request)
        if origin is None:
            return False
        page = parse_origin(origin)
        if origin in self._listed or (page is not None and _is_own(page, request)):
            return True
        return self._development and page is not None and page.host.address is not None

    def allow_raw(self, request: web.BaseRequest) -> bool:
        """Whether a page may open a raw WebSocket: as `allow`; in development also files' pages.

        The older documents have test pages that are opened from a file.
        """
        return self.allow(request) or (self._development and _origin(request) in _OPAQUE)

    def trusts(self, request: web.BaseRequest) -> bool:
        """Whether a credential that proves nothing may be believed, as far as the page goes.

        True where the request comes from no web page, from our own, from a listed one, or in
        development from one of this machine or its network. Pages that are allowed without being
        named are not trusted: files and sandboxed frames (`null`), public IP addresses, `*`.
        """
        if hdrs.ORIGIN not in request.headers:
            return True
        page = parse_origin(_origin(request) or "")
        if page is None:
            return False
        if page.triple in self._listed_triples:
            return True
        if not self._development:
            return _is_own(page, request)
        if _is_own(page, request):
            return self._answers_as(request)
        return page.host.local or page.host.name == self._listening_name

    @web.middleware
    async def guard(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Refuse requests without one clear `Host`; in development foreign hosts and origins.

        In production the platform's router decides which hosts lead here, and browsers keep pages
        of foreign origins from reading answers; connections that a browser does not keep
        (WebSockets) ask `allow` and `allow_raw` themselves.
        """
        if not _is_clear(request):
            detail = "Send one Host header, host[:port], the same as in the request target."
            return problem("host_malformed", detail)
        if self._development and not self._answers_as(request):
            detail = (
                "In development this server answers as localhost, as an IP address, and as the"
                " hosts listed in HOST and CORS_ORIGINS."
            )
            return problem("host_not_allowed", detail)
        allow = self.allow_raw if wants_websocket(request) else self.allow
        if self._development and not allow(request):
            detail = "Pages of this origin may not call; list it in CORS_ORIGINS."
            return problem("origin_not_allowed", detail)
        return await handler(request)

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
            response.headers[hdrs.ACCESS_CONTROL_EXPOSE_HEADERS] = _EXPOSED
            if self.trusts(request):
                # Pages that are named may use `withCredentials`, as behind a proxy that sets a
                # cookie of its own; `*` names no one.
                response.headers[hdrs.ACCESS_CONTROL_ALLOW_CREDENTIALS] = "true"
            response.headers.add(hdrs.VARY, "Origin")

    def _answers_as(self, request: web.BaseRequest) -> bool:
        if hdrs.HOST not in request.headers:
            # HTTP/1.0, as some health checks speak it; no browser does.
            return True
        host = _host(request)
        return host is not None and (
            host.address is not None or host.local or host.name in self._names
        )


ORIGINS: web.AppKey[Origins] = web.AppKey("origins", Origins)


def _host(request: web.BaseRequest) -> Host | None:
    # Never `X-Forwarded-Host` or `Forwarded`: anyone who sends the request writes those.
    return parse_host(request.headers.get(hdrs.HOST, ""))


def _is_own(page: Origin, request: web.BaseRequest) -> bool:
    host = _host(request)
    return (
        host is not None
        and page.scheme == request.scheme
        and page.triple == Origin(page.scheme, host).triple
    )


def _origin(request: web.BaseRequest) -> str | None:
    """Return the origin in lower case, None where there is none or are several."""
    lines = request.headers.getall(hdrs.ORIGIN, [])
    return lines[0].lower() if len(lines) == 1 else None


def _is_clear(request: web.BaseRequest) -> bool:
    """Whether it is beyond doubt for which host the request is (RFC 9112, 3.2)."""
    lines = request.headers.getall(hdrs.HOST, [])
    if not lines:
        return request.version < HttpVersion11
    host = _host(request)
    if len(lines) > 1 or host is None:
        return False
    target = request.raw_path
    if target.startswith("/") or target == "*":
        return True
    # The absolute form, which proxies are sent: the host in it outranks `Host`.
    scheme, _, rest = target.partition("://")
    page = parse_origin(f"{scheme}://{rest.partition('/')[0].partition('?')[0]}")
    return page is not None and page.triple == Origin(page.scheme, host).triple
