"""Behind a platform's router: who is really asking, and over which scheme."""

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware


def forwarded(trusted: int) -> Middleware:
    """Make the middleware that believes the last `trusted` proxies' `X-Forwarded-*` headers.

    Each proxy appends the address that it saw, so the entry `trusted` places from the end was
    written by a proxy of ours; what stands before it is a client's own claim.
    """

    @web.middleware
    async def middleware(request: web.Request, handler: Handler) -> web.StreamResponse:
        addresses = _listed(request, "X-Forwarded-For")
        remote = addresses[-trusted] if trusted and len(addresses) >= trusted else ""
        scheme = _listed(request, "X-Forwarded-Proto")[-1]
        if not remote or not trusted:
            return await handler(request)
        if scheme not in ("http", "https"):
            scheme = request.scheme
        return await handler(request.clone(remote=remote, scheme=scheme))

    return middleware


def _listed(request: web.Request, name: str) -> list[str]:
    """Give a list header's values; several lines of it are one list (RFC 9110, 5.3)."""
    lines = ",".join(request.headers.getall(name, [""]))
    return [value.strip() for value in lines.split(",")]
