"""`Idempotency-Key` on POST (draft-ietf-httpapi-idempotency-key-header).

The same key with the same request gives the same answer again, marked `Idempotency-Replayed`;
with another request 409, and 409 with `Retry-After` while the first one is under way. Answers of
429 and of 500 and above are not kept: the request may be sent again.
"""

import hashlib
import re
from contextvars import ContextVar
from http import HTTPStatus
from uuid import uuid4

from aiohttp import web
from aiohttp.typedefs import Handler

from app.rest.errors import problem_of
from app.rest.requests import caller, raw_body
from models.errors import DomainError, Unreadable
from models.idempotency import Answer, Idempotency

HEADER = "Idempotency-Key"

_OPERATION: ContextVar[str | None] = ContextVar("operation_id", default=None)
_KEY = re.compile(r'"([\x21\x23-\x7e]{1,255})"|([\x21\x23-\x7e]{1,255})')


class Once:
    """Wraps the handlers of POST routes: `web.post(path, once(handler))`."""

    def __init__(self, keys: Idempotency) -> None:
        self._keys = keys

    def __call__(self, handler: Handler) -> Handler:
        """Give `handler` with idempotency for those who send a key."""

        async def once(request: web.Request) -> web.StreamResponse:
            key = _key_of(request)
            if key is None:
                return await handler(request)
            identity = await caller(request)
            fingerprint = await _fingerprint(request)
            begun = await self._keys.begin(identity.account_id, key, fingerprint)
            if isinstance(begun, Answer):
                return web.Response(
                    status=begun.status,
                    text=begun.body,
                    content_type=begun.content_type,
                    headers={"Idempotency-Replayed": "true"},
                )
            token = _OPERATION.set(begun.operation_id)
            try:
                response = await _answer(handler, request)
            except Exception:
                await self._keys.release(begun)
                raise
            finally:
                # The next request of this connection is handled in the same context.
                _OPERATION.reset(token)
            if _is_final(response):
                kept = Answer(response.status, response.text or "", response.content_type)
                await self._keys.keep(begun, kept)
            else:
                await self._keys.release(begun)
            return response

        return once


def operation_id() -> str:
    """Name what this request does: the same whenever it is sent again under its key."""
    return _OPERATION.get() or uuid4().hex


def _key_of(request: web.Request) -> str | None:
    header = request.headers.get(HEADER)
    if header is None:
        return None
    match = _KEY.fullmatch(header.strip())
    if match is None:
        raise Unreadable(f"{HEADER} is 1 to 255 visible ASCII characters, in quotes or bare.")
    return match[1] or match[2]


async def _fingerprint(request: web.Request) -> str:
    body = await raw_body(request)
    head = f"{request.method} {request.rel_url.raw_path_qs}\n".encode()
    return hashlib.sha256(head + body).hexdigest()


async def _answer(handler: Handler, request: web.Request) -> web.Response:
    try:
        response = await handler(request)
    except DomainError as error:
        response = problem_of(error)
    assert isinstance(response, web.Response), "an answer that can be kept is not a stream"
    return response


def _is_final(response: web.Response) -> bool:
    return (
        response.status != HTTPStatus.TOO_MANY_REQUESTS
        and response.status < HTTPStatus.INTERNAL_SERVER_ERROR
    )
