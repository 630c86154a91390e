"""The one table from domain error to gRPC status."""

import logging
from collections.abc import Awaitable, Callable
from typing import Any, NoReturn

import grpc

from models import errors

logger = logging.getLogger(__name__)

STATUS: dict[type[errors.DomainError], grpc.StatusCode] = {
    errors.Unreadable: grpc.StatusCode.INVALID_ARGUMENT,
    errors.Invalid: grpc.StatusCode.INVALID_ARGUMENT,
    errors.Unauthorized: grpc.StatusCode.UNAUTHENTICATED,
    errors.Forbidden: grpc.StatusCode.PERMISSION_DENIED,
    errors.NotFound: grpc.StatusCode.NOT_FOUND,
    errors.Conflict: grpc.StatusCode.ALREADY_EXISTS,
    errors.PreconditionFailed: grpc.StatusCode.FAILED_PRECONDITION,
    errors.TooManyRequests: grpc.StatusCode.RESOURCE_EXHAUSTED,
    errors.Unavailable: grpc.StatusCode.UNAVAILABLE,
}

DETAILS_MAX = 600
"""Characters: percent-encoded they have up to 7 KB, and clients refuse trailers above 8 KB."""


async def answer(context: Any, call: Callable[[], Awaitable[Any]]) -> Any:
    """Run a call; a failure ends it with its status, and `code` as trailing metadata."""
    try:
        return await call()
    except errors.DomainError as error:
        await refuse(context, error)
    except Exception:
        logger.exception("a gRPC call failed")
        await context.abort(grpc.StatusCode.INTERNAL, "Something went wrong here.")


async def refuse(context: Any, error: errors.DomainError) -> NoReturn:
    """End a call with a domain error; the details name the fields."""
    details = error.message
    for field, messages in (error.fields or {}).items():
        said = messages if isinstance(messages, list) else [messages]
        details += f" {field}: {' '.join(map(str, said))}"
    status = errors.of_kind(STATUS, error) or grpc.StatusCode.INTERNAL
    details = details[:DETAILS_MAX]
    await context.abort(status, details, (("code", error.code),))
    raise AssertionError("unreachable")
