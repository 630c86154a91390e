"""`Idempotency-Key` on every POST (draft-ietf-httpapi-idempotency-key-header).

The same key with the same request gives the same answer again, marked `Idempotency-Replayed`;
with another request 422 `key_reused`, and 409 with `Retry-After` while the first one is under way:
that ends with the process that carries it out, however that ends.

Not kept are answers of 429 and of 500 and above, and what is not JSON: the request may be sent
again. Nor are answers to requests that are not valid (`NOT_VALID`): nothing was carried out, so the
key is free again, also for the corrected request.
"""

import hashlib
import re
from http import HTTPStatus
from uuid import uuid4

from aiohttp import hdrs, web
from aiohttp.typedefs import Handler, Middleware

from app.rest.errors import problem_of
from app.rest.requests import WHEN_NAMED, raw_body
from models.errors import Conflict, DomainError, Unreadable
from models.idempotency import Answer, Attempt, Idempotency

HEADER = "Idempotency-Key"

NOT_VALID = frozenset(
    {
        HTTPStatus.BAD_REQUEST,
        HTTPStatus.REQUEST_TIMEOUT,
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
        HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
        HTTPStatus.UNPROCESSABLE_ENTITY,
    }
)
"""Answers to what cannot be read or has wrong values: the operation has not begun, and anyone can
make any number of them."""

ANSWER_BYTES = 1_048_576
"""Of an answer that is kept: the longest one, a diary entry whose text JSON escapes, has a quarter.
Beyond it a repeat is answered that the request was carried out, and nothing is done again."""

_NOBODY = (
    "there is no account yet that a key could belong to, and answers with tokens are not stored"
)
EXCEPT = {
    "/signup": _NOBODY,
    "/login": _NOBODY,
    "/api/v1/auth/signup": _NOBODY,
    "/api/v1/auth/login": _NOBODY,
    "/api/v1/auth/refresh": _NOBODY,
    "/api/v1/auth/password": "a repeat finds the former password wrong, and no hash of one is kept",
    "/api/v1/auth/email": "no hash of a password is kept, and another mail does no harm",
    "/api/v1/auth/password/forgot": _NOBODY,
    "/api/v1/auth/password/reset": "its link works once",
    "/api/v1/auth/email/verify": "its link works once",
    "/api/v1/auth/logout": "it ends the session that names its caller; twice is the same as once",
    "/api/v1/admin/users/{user_id}/kick": "an operator's own sessions end with it as well",
    "/api/v1/admin/users/{user_id}/reset-link": "a link that sets a password is not stored",
    "/api/v1/admin/invites": "the code of an invitation is not stored",
    "/api/v1/payments/webhook": "the provider's events have ids of their own, applied once each",
    "/api/v1/demo/enter": _NOBODY,
    "/api/v1/uploads": "a file is streamed, and not held to be compared with another one",
}
"""The POST routes without a key, and why."""

_OPERATION: web.RequestKey[str] = web.RequestKey("operation_id")
_KEY = re.compile(r'"([\x21\x23-\x7e]{1,255})"|([\x21\x23-\x7e]{1,255})')


class _Answered(Exception):
    """The request has had its answer: the handler, which has just named its caller, ends here."""

    def __init__(self, answer: Answer) -> None:
        self.answer = answer


class _Turn:
    """One request with a key, from its caller's name on."""

    def __init__(self, request: web.Request, keys: Idempotency) -> None:
        self._request = request
        self._keys = keys
        self._attempt: Attempt | None = None

    async def begin(self, name: str) -> None:
        """Take the key for this request.

        Raises:
            _Answered: it was carried out before.
            Invalid, Conflict: as `Idempotency.begin`.
        """
        key = key_of(self._request)
        if key is None or self._attempt is not None:
            return
        fingerprint = await _fingerprint(self._request)
        begun = await self._keys.begin(name, key, fingerprint, self._request.path)
        if isinstance(begun, Answer):
            raise _Answered(begun)
        self._attempt = begun
        self._request[_OPERATION] = begun.operation_id

    async def end(self, response: web.StreamResponse | None) -> None:
        """Keep the answer, if it is one that holds."""
        if self._attempt is None:
            return
        if response is not None and response.status in NOT_VALID:
            await self._keys.drop(self._attempt)
        elif isinstance(response, web.Response) and _is_final(response):
            await self._keys.keep(self._attempt, _kept(response))
        else:
            await self._keys.release(self._attempt)


def answered_once(keys: Idempotency) -> Middleware:
    """Return the middleware that gives every POST route its idempotency; the innermost of all.

    A key belongs to the account that the handler names as its caller (`requests.named`), in
    whatever way it does that. It does so before it changes anything; a repeat ends there.
    """

    @web.middleware
    async def once(request: web.Request, handler: Handler) -> web.StreamResponse:
        if request.method != "POST" or HEADER not in request.headers or _is_excepted(request):
            return await handler(request)
        turn = _Turn(request, keys)
        request[WHEN_NAMED] = turn.begin
        response: web.StreamResponse | None = None
        try:
            response = await handler(request)
        except _Answered as answered:
            return _replay(answered.answer)
        except DomainError as error:
            response = problem_of(error)
        except web.HTTPException as error:
            response = error
            raise
        finally:
            await turn.end(response)
        return response

    return once


def key_of(request: web.Request) -> str | None:
    """Return the request's key.

    Raises:
        Unreadable: it cannot be one.
    """
    header = request.headers.get(HEADER)
    if header is None:
        return None
    match = _KEY.fullmatch(header.strip())
    if match is None:
        raise Unreadable(f"{HEADER} is 1 to 255 visible ASCII characters, in quotes or bare.")
    return match[1] or match[2]


def operation_id(request: web.Request) -> str:
    """Name what this request does: the same whenever it is sent again under its key."""
    return keyed_operation_id(request) or uuid4().hex


def keyed_operation_id(request: web.Request) -> str | None:
    """Name what this request does, if it has a key."""
    return request.get(_OPERATION)


def _is_excepted(request: web.Request) -> bool:
    resource = request.match_info.route.resource
    return resource is not None and resource.canonical in EXCEPT


async def _fingerprint(request: web.Request) -> str:
    body = await raw_body(request)
    head = f"{request.method} {request.rel_url.raw_path_qs}\n".encode()
    return hashlib.sha256(head + body).hexdigest()


def _is_final(response: web.Response) -> bool:
    return (
        response.status != HTTPStatus.TOO_MANY_REQUESTS
        and response.status < HTTPStatus.INTERNAL_SERVER_ERROR
        and (response.body is None or response.content_type.endswith("json"))
    )


def _kept(response: web.Response) -> Answer:
    """Return what a repeat is answered."""
    if len(response.text or "") > ANSWER_BYTES:
        done = "This was carried out; its answer was too long to be kept."
        response = problem_of(Conflict(done, code="answer_not_kept"))
    return Answer(
        response.status,
        response.text or "",
        response.content_type,
        response.headers.get(hdrs.LOCATION),
    )


def _replay(answer: Answer) -> web.Response:
    headers = {"Idempotency-Replayed": "true"}
    if answer.location is not None:
        headers[hdrs.LOCATION] = answer.location
    if not answer.body:
        return web.Response(status=answer.status, headers=headers)
    return web.Response(
        status=answer.status, text=answer.body, content_type=answer.content_type, headers=headers
    )
