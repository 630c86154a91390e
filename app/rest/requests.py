"""What REST handlers share: validated input, and who is asking."""

from collections.abc import Mapping
from typing import Any, NoReturn

from aiohttp import web
from marshmallow import Schema, ValidationError
from webargs.aiohttpparser import AIOHTTPParser

from models.errors import Invalid, Unauthorized, Unreadable
from models.identity import Authenticate, Identity

AUTHENTICATE: web.AppKey[Authenticate] = web.AppKey("authenticate", Authenticate)


class _Parser(AIOHTTPParser):
    """webargs with our errors: unreadable is `Unreadable`, wrong values are `Invalid`."""

    def handle_error(
        self,
        error: ValidationError,
        req: web.Request,
        schema: Schema,
        *,
        error_status_code: int | None,
        error_headers: Mapping[str, str] | None,
    ) -> NoReturn:
        fields = error.messages
        # webargs files the messages under the location ("json", "query").
        if isinstance(fields, dict) and len(fields) == 1:
            fields = next(iter(fields.values()))
        if not isinstance(fields, dict):
            fields = {"_schema": fields}
        raise Invalid("Some fields are not valid.", fields=fields)

    def _handle_invalid_json_error(
        self, error: Exception, req: web.Request, *args: Any, **kwargs: Any
    ) -> NoReturn:
        raise Unreadable("The body is not valid JSON.")


_parser = _Parser()


async def body(request: web.Request, schema: Schema) -> dict[str, Any]:
    """Read the JSON body through `schema`; an absent body is an empty object.

    Raises:
        Unreadable: not JSON.
        Invalid: `fields` holds the messages by field.
    """
    return await _parser.parse(schema, request, location="json")  # type: ignore[no-any-return]


async def query(request: web.Request, schema: Schema) -> dict[str, Any]:
    """Read the query string through `schema`; errors as in `body`."""
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
    return await request.app[AUTHENTICATE](token)
