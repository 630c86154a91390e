"""What REST handlers share: validated input, and who is asking."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, NoReturn

from aiohttp import ClientPayloadError, web
from marshmallow import RAISE, Schema, ValidationError
from webargs.aiohttpparser import AIOHTTPParser

from app.bodies import ShedError, read_body
from app.identity.development import DevelopmentCredentials
from app.memory import budget_of
from app.origins import ORIGINS
from app.realtime.lives import ACCOUNT_ID
from app.strict_json import parse
from models.errors import Unauthorized, Unavailable, Unreadable
from models.fields import Input, NoFields, invalid
from models.identity import Authenticate, Identity

AUTHENTICATE: web.AppKey[Authenticate] = web.AppKey("authenticate", Authenticate)
UNPROVED: web.AppKey[DevelopmentCredentials] = web.AppKey("unproved", DevelopmentCredentials)
"""Credentials that prove nothing; there in development mode only. Read it by `unproved`."""

CHECK_RATE: web.AppKey[Callable[[web.Request, str], None]] = web.AppKey("check_rate")
"""Counts a request of an account; raises `TooManyRequests`. See `rates.py`."""

WHEN_NAMED: web.RequestKey[Callable[[str], Awaitable[None]]] = web.RequestKey("when_named")
"""Who waits to know the caller of this request; see `named`."""

RETRY_S = 5.0
"""For which a client that was refused for lack of memory waits: by then others have gone."""

BODY_S = 30.0
"""For a body to come; a megabyte takes as long on a bad telephone line."""


class _Parser(AIOHTTPParser):
    """webargs with strict JSON and our errors: `Unreadable`, and `Invalid` by field."""

    async def load_json(self, req: web.Request, schema: Schema) -> Any:
        raw = await raw_body(req)
        if not raw.strip():
            return {}
        if not _says_json(req.content_type):
            raise web.HTTPUnsupportedMediaType(reason="Send JSON: Content-Type: application/json")
        if req.charset is not None and req.charset.lower() not in {"utf-8", "utf8", "us-ascii"}:
            raise web.HTTPUnsupportedMediaType(reason="Send the JSON in UTF-8")
        value = parse(raw)
        if not isinstance(value, dict):
            raise Unreadable("The body must be a JSON object.")
        return value

    def handle_error(
        self,
        error: ValidationError,
        req: web.Request,
        schema: Schema,
        *,
        error_status_code: int | None,
        error_headers: Mapping[str, str] | None,
    ) -> NoReturn:
        fields: Any = error.messages
        # webargs files the messages under the location ("json", "query").
        if isinstance(fields, dict) and len(fields) == 1:
            fields = next(iter(fields.values()))
        if not isinstance(fields, dict):
            fields = {"_schema": fields}
        raise invalid(fields)


_parser = _Parser()
_NOTHING = NoFields()


async def body(request: web.Request, schema: Input) -> dict[str, Any]:
    """Read the JSON body through `schema`; an absent body is an empty object.

    Raises:
        Unreadable: not a JSON object in UTF-8.
        Invalid: `fields` holds the messages by field.
        web.HTTPException: 413 too large, 415 not sent as JSON.
    """
    return await _parser.parse(schema, request, location="json")  # type: ignore[no-any-return]


async def query(request: web.Request, schema: Input) -> dict[str, Any]:
    """Read the query string through `schema`.

    Unknown parameters are refused, as fields are, and so is one that is sent twice: no answer is
    about another value than the one that was meant.

    Raises:
        Invalid: `fields` holds the messages by field.
    """
    repeated = {
        name: ["Send it once."] for name in request.query if len(request.query.getall(name)) > 1
    }
    if repeated:
        raise invalid(repeated)
    return await _parser.parse(schema, request, location="query", unknown=RAISE)  # type: ignore[no-any-return]


async def no_query(request: web.Request) -> None:
    """Refuse whatever is in the query string, of a route that takes none; raises as `query`."""
    await query(request, _NOTHING)


def bearer_token(request: web.Request) -> str | None:
    """Return the token of `Authorization: Bearer …` (RFC 6750), if there is one."""
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" and token.strip() else None


async def caller(request: web.Request) -> Identity:
    """Return the account behind the request.

    Raises:
        Unauthorized: no token, or one that does not verify.
        Forbidden: code `account_disabled`.
        TooManyRequests: the account has sent too many.
    """
    token = bearer_token(request)
    if token is None:
        raise Unauthorized("Send a token: Authorization: Bearer …", code="token_missing")
    return await _identified(request, await request.app[AUTHENTICATE](token))


async def _identified(request: web.Request, identity: Identity) -> Identity:
    request[ACCOUNT_ID] = identity.account_id
    check_rate = request.app.get(CHECK_RATE)
    if check_rate is not None:
        check_rate(request, identity.account_id)
    await named(request, identity.account_id)
    return identity


async def named(request: web.Request, name: str) -> None:
    """Say whose request it is: each way of naming a caller does so before anything is changed.

    The name is an account's id, or the name of what else may call; raises as the `WHEN_NAMED`
    of the request does, and then the handler ends.
    """
    when_named = request.get(WHEN_NAMED)
    if when_named is not None:
        await when_named(name)


def unproved(request: web.Request) -> DevelopmentCredentials | None:
    """Return what takes credentials that prove nothing; None where a request needs a real one.

    That is in production, and for web pages that `Origins.trusts` does not vouch for.
    """
    credentials, origins = request.app.get(UNPROVED), request.app.get(ORIGINS)
    if credentials is None or origins is None or not origins.trusts(request):
        return None
    return credentials


async def chat_caller(request: web.Request) -> Identity:
    """Return the account behind a request about chat, whose older APIs have other credentials.

    Where `unproved` allows it that is also a phone number as token, and the header `User-Email`;
    raises as `caller`.
    """
    credentials = unproved(request)
    if credentials is not None:
        email = request.headers.get("User-Email")
        identity = await credentials.named(bearer_token(request), email)
        if identity is not None:
            return await _identified(request, identity)
    return await caller(request)


async def raw_body(request: web.Request) -> bytes:
    """Read the body as it was sent; reading it again gives the same.

    Raises:
        Unreadable: it was cut short.
        Unavailable: it was the largest thing in memory when that was short.
        web.HTTPException: 413 too large, 408 too slow.
    """
    # Where aiohttp keeps a body as well, so that its own methods find it.
    if request._read_bytes is not None:
        return request._read_bytes
    budget = budget_of(request.app)
    limit = request.client_max_size
    try:
        raw = await read_body(request, budget, max_bytes=limit, timeout_s=BODY_S)
    except TimeoutError:
        raise web.HTTPRequestTimeout(reason=f"The body did not come in {BODY_S:g} s") from None
    except web.HTTPRequestEntityTooLarge:
        raise web.HTTPRequestEntityTooLarge(
            limit, limit, reason=f"The body is larger than {limit} bytes"
        ) from None
    except (ClientPayloadError, web.RequestPayloadError):
        raise Unreadable("The body is cut short or wrongly encoded.") from None
    except ShedError:
        raise Unavailable("The server is short of memory.", retry_after_s=RETRY_S) from None
    request._read_bytes = raw
    return raw


def _says_json(content_type: str) -> bool:
    return content_type == "application/json" or (
        content_type.startswith("application/") and content_type.endswith("+json")
    )
