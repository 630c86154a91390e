"""Which error codes an answer may have: those of a declaration, and those that follow from it."""

from collections.abc import Iterable
from http import HTTPStatus

from app.rest.contract import Content, Credential
from app.rest.idempotency import EXCEPT
from models.error_codes import CATALOGUE, ErrorCode
from models.fields import Input
from models.operation import COMMON_ERRORS, Operation

ANY_REQUEST: frozenset[ErrorCode] = COMMON_ERRORS | {
    "encoding_not_supported",
    "host_malformed",
    "host_not_allowed",
    "malformed_request",
    "origin_not_allowed",
    "request_header_fields_too_large",
    "server_stopping",
}
"""What stands before every handler may answer: the parser, the check of the host, the stop."""

OF_ACCOUNTS: frozenset[ErrorCode] = frozenset(
    {
        "token_missing",
        "token_invalid",
        "token_expired",
        "session_ended",
        "account_disabled",
        # The first token of a Firebase user makes an account.
        "signup_closed",
        "invite_required",
    }
)
"""Of requests that need an account."""

OF_CREDENTIALS: dict[Credential, frozenset[ErrorCode]] = {
    Credential.NONE: frozenset(),
    Credential.ACCOUNT: OF_ACCOUNTS,
    Credential.CHAT: OF_ACCOUNTS | {"email_invalid", "email_ambiguous"},
    Credential.OPERATOR: OF_ACCOUNTS | {"not_an_operator"},
    Credential.SERVICE: frozenset({"service_token_invalid"}),
}

OF_RAW_BODIES: frozenset[ErrorCode] = frozenset(
    {"unreadable", "request_too_large", "request_timeout"}
)
"""Of requests whose body is read."""

OF_JSON_BODIES: frozenset[ErrorCode] = OF_RAW_BODIES | {"unsupported_media_type"}

OF_KEYS: frozenset[ErrorCode] = OF_RAW_BODIES | {
    "key_reused",
    "idempotency_in_flight",
    "answer_not_kept",
}
"""Of requests that may have an `Idempotency-Key`; the body is compared."""


def has_key(method: str, path: str) -> bool:
    """Whether a route takes an `Idempotency-Key`."""
    return method == "POST" and path not in EXCEPT


def request_errors(
    own: Iterable[ErrorCode],
    *,
    method: str,
    path: str,
    credential: Credential,
    body: Input | Content | None,
) -> list[ErrorCode]:
    """Return the codes that a request may be answered with."""
    codes = {*own, *ANY_REQUEST, *OF_CREDENTIALS[credential]}
    if body is not None:
        codes |= OF_JSON_BODIES if isinstance(body, Input) else OF_RAW_BODIES
    if has_key(method, path):
        codes |= OF_KEYS
    return sorted(codes)


def command_errors(operation: Operation[object]) -> list[ErrorCode]:
    """Return the codes that a command may be answered with."""
    codes = {*operation.all_errors, *COMMON_ERRORS}
    if operation.slow:
        codes.add("too_many_slow_commands")
    return sorted(codes)


def by_status(codes: Iterable[ErrorCode]) -> dict[HTTPStatus, list[ErrorCode]]:
    """Return codes by the status of an answer that has them."""
    found: dict[HTTPStatus, list[ErrorCode]] = {}
    for code in codes:
        found.setdefault(CATALOGUE[code].status, []).append(code)
    return dict(sorted(found.items()))
