"""Failures as RFC 9457 `application/problem+json`."""

import asyncio
import logging
import math
from http import HTTPStatus

from aiohttp import hdrs, web
from aiohttp.typedefs import Handler

from app.access_log import printable
from models import errors
from models.error_codes import CATALOGUE, ErrorCode

logger = logging.getLogger(__name__)

HTTP_CODES: dict[HTTPStatus, ErrorCode] = {
    HTTPStatus.BAD_REQUEST: "bad_request",
    HTTPStatus.NOT_FOUND: "not_found",
    HTTPStatus.METHOD_NOT_ALLOWED: "method_not_allowed",
    HTTPStatus.REQUEST_TIMEOUT: "request_timeout",
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: "request_too_large",
    HTTPStatus.UNSUPPORTED_MEDIA_TYPE: "unsupported_media_type",
    HTTPStatus.UPGRADE_REQUIRED: "upgrade_required",
}
"""The codes of what aiohttp raises, and handlers in its place."""


def problem(
    code: ErrorCode,
    detail: str,
    *,
    fields: dict[str, object] | None = None,
    headers: dict[str, str] | None = None,
) -> web.Response:
    """Build a problem document.

    `code`, `message`, `fields` and `retry_after` are those of an error in an ack; RFC 9457 has
    `type`, `title`, `status` and, for the message, `detail`. `errors` are `fields` by their former
    name.
    """
    status = CATALOGUE[code].status
    body: dict[str, object] = {
        "type": "about:blank",
        "title": status.phrase,
        "status": status.value,
        "code": code,
        "detail": detail,
        "message": detail,
    }
    if fields:
        body |= {"fields": fields, "errors": fields}
    if headers and hdrs.RETRY_AFTER in headers:
        body["retry_after"] = int(headers[hdrs.RETRY_AFTER])
    return web.json_response(
        body, status=status, headers=headers, content_type="application/problem+json"
    )


def problem_of(error: errors.DomainError) -> web.Response:
    """Render a domain error."""
    headers = {}
    if error.retry_after_s is not None:
        headers["Retry-After"] = str(max(1, math.ceil(error.retry_after_s)))
    if isinstance(error, errors.Unauthorized):
        headers["WWW-Authenticate"] = "Bearer"
    return problem(error.code, error.message, fields=error.fields, headers=headers)


def is_gone(transport: asyncio.BaseTransport | None) -> bool:
    """Whether no one reads what is written to a connection any more."""
    return transport is None or transport.is_closing()


@web.middleware
async def problems(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Answer every failure of a handler with a problem document, and log unknown ones."""
    try:
        return await handler(request)
    except errors.DomainError as error:
        return problem_of(error)
    except web.HTTPException as error:
        if error.status < HTTPStatus.BAD_REQUEST:
            raise
        kept = {name: error.headers[name] for name in ("Allow",) if name in error.headers}
        code = HTTP_CODES.get(HTTPStatus(error.status))
        if code is None:
            logger.warning("an answer of status %d has no code", error.status)
            code = "bad_request" if error.status < HTTPStatus.INTERNAL_SERVER_ERROR else "internal"
        return problem(code, error.reason, headers=kept)
    except Exception as error:
        if isinstance(error, ConnectionError) and is_gone(request.transport):
            # The client went away while its answer was sent: no failure of this server.
            raise
        path = printable(request.rel_url.raw_path)
        logger.exception("unexpected error in %s %s", request.method, path)
        if request.writer.output_size > 0:
            # An answer has begun; cutting the connection says that it is not whole.
            raise ConnectionResetError("The answer broke off.") from error
        return problem("internal", "Something went wrong here; it has been logged.")
