"""What REST handlers share: validated input, and who is asking."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, NoReturn

from aiohttp import ClientPayloadError, web
from marshmallow import Schema, ValidationError
from webargs.aiohttpparser import AIOHTTPParser

from app.identity.development import DevelopmentCredentials
from app.strict_json import parse
from models.errors import Invalid, Unauthorized, Unreadable
from models.identity import Authenticate, Identity

AUTHENTICATE: web.AppKey[Authenticate] = web.AppKey("authenticate", Authenticate)
UNPROVED: web.AppKey[DevelopmentCredentials] = web.AppKey("unproved", DevelopmentCredentials)
"""Credentials that prove nothing; there in development mode only."""

WHEN_NAMED: web.RequestKey[Callable[[str], Awaitable[None]]] = web.RequestKey("when_named")
"""Who waits to know the caller of this request; see `named`."""

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
        raise Invalid("Some fields are not valid.", fields=fields)


_parser = _Parser()


async def body(request: web.Request, schema: Schema) -> dict[str, Any]:
    """Read the JSON body through `schema`; an absent body is an empty object.

    Raises:
        Unreadable: not a JSON object in UTF-8.
        Invalid: `fields` holds the messages by field.
        web.HTTPException: 413 too large, 415 not sent as JSON.
    """
    return await _parser.parse(schema, request, location="json")  # type: ignore[no-any-return]


async def query(request: web.Request, schema: Schema) -> dict[str, Any]:
    """Read the query string through `schema`; unknown parameters are ignored.

    Raises:
        Invalid: `fields` holds the messages by field.
    """
    return await _parser.parse(schema, request, location="query")  # type: ignore[no-any-return]


def bearer_token(request: web.Request) -> str | None:
    """Give the token of `Authorization: Bearer …` (RFC 6750), if there is one."""
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" and token.strip() else None


async def caller(request: web.Request) -> Identity:
    """Give the account behind the request.

    Raises:
        Unauthorized: no token, or one that does not verify.
        Forbidden: code `account_disabled`.
    """
    token = bearer_token(request)
    if token is None:
        raise Unauthorized("Send a token: Authorization: Bearer …", code="token_missing")
    identity = await request.app[AUTHENTICATE](token)
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


async def chat_caller(request: web.Request) -> Identity:
    """Give the account behind a request about chat, whose documents have credentials of their own.

    In development mode that is also a phone number as token, and the header `User-Email`; raises
    as `caller`.
    """
    if UNPROVED in request.app:
        token = bearer_token(request)
        unproved = request.app[UNPROVED]
        identity = await unproved.named(token, request.headers.get("User-Email"))
        if identity is not None:
            await named(request, identity.account_id)
            return identity
    return await caller(request)


async def raw_body(request: web.Request) -> bytes:
    """Read the body as it was sent; reading it again gives the same.

    Raises:
        Unreadable: it was cut short.
        web.HTTPException: 413 too large, 408 too slow.
    """
    try:
        async with asyncio.timeout(BODY_S):
            return await request.read()
    except TimeoutError:
        raise web.HTTPRequestTimeout(reason=f"The body did not come in {BODY_S:g} s") from None
    except web.HTTPRequestEntityTooLarge:
        limit = request.client_max_size
        raise web.HTTPRequestEntityTooLarge(
            limit, limit, reason=f"The body is larger than {limit} bytes"
        ) from None
    except (ClientPayloadError, web.RequestPayloadError):
        raise Unreadable("The body is cut short or wrongly encoded.") from None


def _says_json(content_type: str) -> bool:
    return content_type == "application/json" or (
        content_type.startswith("application/") and content_type.endswith("+json")
    )
