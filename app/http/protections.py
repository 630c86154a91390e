"""Headers that every answer of this server has, set in one place."""

from collections.abc import Awaitable, Callable

from aiohttp import hdrs, web

from app.proxies import SCHEME

HSTS_S = 365 * 24 * 3600
"""How long browsers come back by https only (RFC 6797): a year is what their preload lists ask for.
Without `includeSubDomains`: the other names of the operator's domain are not this server's."""

_PRIVATE_TYPES = frozenset({"application/json", "application/problem+json", "text/plain"})
"""Content types of what is made for one caller: documents, errors, exports, Socket.IO's polls."""

INERT = {
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "default-src 'none'; sandbox",
}
"""Of what accounts have uploaded: whatever the bytes are, no browser makes a document of them that
could do something."""


def protections(
    *, production: bool
) -> Callable[[web.Request, web.StreamResponse], Awaitable[None]]:
    """Make the `on_response_prepare` signal that adds them.

    A handler that sets `Cache-Control` itself knows better, as the files of the web client do.
    """

    async def protect(request: web.Request, response: web.StreamResponse) -> None:
        headers = response.headers
        headers["X-Content-Type-Options"] = "nosniff"
        if response.content_type in _PRIVATE_TYPES or response.status == 204:
            headers.setdefault(hdrs.CACHE_CONTROL, "no-store")
        if production and request.get(SCHEME, request.scheme) == "https":
            headers["Strict-Transport-Security"] = f"max-age={HSTS_S}"

    return protect
