"""No request comes compressed: a megabyte on the wire can be a gigabyte to inflate.

No client of the documented APIs compresses what it sends.
"""

from collections.abc import Iterable

from aiohttp import hdrs, web
from aiohttp.typedefs import Handler

from app.rest.errors import problem

_DETAIL = "Send the body as it is: without Content-Encoding, and no Transfer-Encoding but chunked."


@web.middleware
async def refuse_encoded(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Answer 415 to an encoded request, and close, before any of its body is read.

    RFC 9110, 15.5.16: `Accept-Encoding` in the answer names what would have been accepted.
    """
    if not is_encoded(request):
        return await handler(request)
    response = problem(
        "encoding_not_supported",
        _DETAIL,
        headers={hdrs.ACCEPT_ENCODING: "identity"},
    )
    response.force_close()
    return response


def is_encoded(request: web.BaseRequest) -> bool:
    """Return whether a header says that the body is to be decoded."""
    headers = request.headers
    codings = _listed(headers.getall(hdrs.CONTENT_ENCODING, ()))
    transfer = _listed(headers.getall(hdrs.TRANSFER_ENCODING, ()))
    return not (codings <= {"identity"} and transfer <= {"chunked"})


def _listed(lines: Iterable[str]) -> set[str]:
    """Return the members of a list header, which may have several lines (RFC 9110, 5.3)."""
    members = (member.strip().lower() for line in lines for member in line.split(","))
    return {member for member in members if member}
