"""Behind a platform's router: who is really asking, and over which scheme."""

import re
from ipaddress import IPv6Address, ip_address

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

_NODE = re.compile(
    r"\[(?P<bracketed>[0-9A-Fa-f:.]{2,45})\](?::[0-9]{1,5})?"
    r"|(?P<v4>[0-9.]{7,15})(?::[0-9]{1,5})?"
    r"|(?P<v6>[0-9A-Fa-f:.]{2,45})"
)
"""An address as proxies write it, with or without the port of the client's connection: IPv6 has
brackets where a port follows (RFC 7239, section 6), and with some proxies always."""


SCHEME: web.RequestKey[str] = web.RequestKey("scheme")
"""The scheme that the client used, where a proxy of ours says so."""


def forwarded(trusted: int) -> Middleware:
    """Make the middleware that believes the last `trusted` proxies' `X-Forwarded-*` headers.

    Each proxy appends the address that it saw, so the entry `trusted` places from the end was
    written by a proxy of ours; what stands before it is a client's own claim. An entry that is no
    address ("unknown") leaves the connection's own.
    """

    @web.middleware
    async def middleware(request: web.Request, handler: Handler) -> web.StreamResponse:
        addresses = _listed(request, "X-Forwarded-For")
        if not trusted or len(addresses) < trusted or not addresses[-trusted]:
            return await handler(request)
        remote = forwarded_address(addresses[-trusted]) or request.remote or ""
        scheme = _listed(request, "X-Forwarded-Proto")[-1].lower()
        if scheme not in ("http", "https"):
            scheme = request.scheme
        # For what sees the request as it came: signals of answers that a handler only returns.
        request[SCHEME] = scheme
        return await handler(request.clone(remote=remote, scheme=scheme))

    return middleware


def forwarded_address(text: str) -> str | None:
    """Return the IP address of an entry such as `203.0.113.7:4711` or `[2001:db8::7]:4711`.

    Without port and brackets, in the one spelling that each address has; None when it is none.
    """
    found = _NODE.fullmatch(text.strip('"'))
    if found is None:
        return None
    try:
        address = ip_address(found["bracketed"] or found["v4"] or found["v6"])
    except ValueError:
        return None
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        return str(address.ipv4_mapped)
    return str(address)


def _listed(request: web.Request, name: str) -> list[str]:
    """Return a list header's values; several lines of it are one list (RFC 9110, 5.3)."""
    lines = ",".join(request.headers.getall(name, [""]))
    return [value.strip() for value in lines.split(",")]
