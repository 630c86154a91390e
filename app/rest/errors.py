"""The one table from domain error to HTTP status, and RFC 9457 `application/problem+json`."""

import logging
import math
from http import HTTPStatus

from aiohttp import web
from aiohttp.typedefs import Handler

from app.access_log import printable
from models import errors

logger = logging.getLogger(__name__)

STATUS: dict[type[errors.DomainError], HTTPStatus] = {
    errors.Unreadable: HTTPStatus.BAD_REQUEST,
    errors.Unauthorized: HTTPStatus.UNAUTHORIZED,
    errors.Forbidden: HTTPStatus.FORBIDDEN,
    errors.NotFound: HTTPStatus.NOT_FOUND,
    errors.Conflict: HTTPStatus.CONFLICT,
    errors.Invalid: HTTPStatus.UNPROCESSABLE_ENTITY,
    errors.TooManyRequests: HTTPStatus.TOO_MANY_REQUESTS,
    errors.Unavailable: HTTPStatus.SERVICE_UNAVAILABLE,
}

# The standard library has renamed this one; codes stay.
CODES = {HTTPStatus.REQUEST_ENTITY_TOO_LARGE: "request_too_large"}


def problem(
    status: HTTPStatus,
    code: str,
    detail: str,
    *,
    fields: dict[str, object] | None = None,
    headers: dict[str, str] | None = None,
) -> web.Response:
    """Build a problem document: `type`, `title`, `status`, `code`, `detail`, `errors` by field."""
    body: dict[str, object] = {
        "type": "about:blank",
        "title": status.phrase,
        "status": status.value,
        "code": code,
        "detail": detail,
    }
    if fields:
        body["errors"] = fields
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
    status = STATUS.get(type(error), HTTPStatus.INTERNAL_SERVER_ERROR)
    return problem(status, error.code, error.message, fields=error.fields, headers=headers)


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
        status = HTTPStatus(error.status)
        kept = {name: error.headers[name] for name in ("Allow",) if name in error.headers}
        code = CODES.get(status, status.name.lower())
        return problem(status, code, error.reason, headers=kept)
    except Exception:
        path = printable(request.rel_url.raw_path)
        logger.exception("unexpected error in %s %s", request.method, path)
        status = HTTPStatus.INTERNAL_SERVER_ERROR
        return problem(status, "internal", "Something went wrong here; it has been logged.")
