"""The kinds of failure a domain knows. Each transport renders them in its own form.

`code` is for programs and one of `models.error_codes`, `message` is for people.

Errors are small, whatever caused them: the constructor cuts what may come from a client, so that
no transport can send a large one.
"""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, ClassVar, TypeVar

from models.error_codes import CATALOGUE, ErrorCode

T = TypeVar("T")

PROBLEMS_MAX = 8
"""Messages about fields in one error: more than a person corrects before trying again."""

DEPTH_MAX = 4
"""Levels of `fields`: a field of an element of a list has three."""

NAME_MAX = 64
"""Characters of a field's name: clients choose the names of unknown fields."""

PROBLEM_MAX = 256
"""Characters of a message about one field."""

MESSAGE_MAX = 500
"""Characters of an error's message."""


class DomainError(Exception):
    """A request that the domain refuses; the caller can act on it.

    `fields` has at most `PROBLEMS_MAX` messages by field; the message says so when more were given.
    """

    status: ClassVar[HTTPStatus]
    """The kind's HTTP status, which the codes of its errors have in the catalogue."""

    code: ErrorCode
    """A kind that sets one has it where an error names none."""

    def __init__(
        self,
        message: str,
        *,
        code: ErrorCode | None = None,
        fields: Mapping[str, object] | None = None,
        retry_after_s: float | None = None,
    ) -> None:
        """Make an error.

        Raises:
            ValueError: the catalogue does not have the code, or has it with another status.
        """
        self.code = _checked(type(self), code)
        cut = _Cut()
        self.fields: dict[str, object] | None = cut.fields(fields) if fields else None
        note = f" Only the first {PROBLEMS_MAX} problems are listed." if cut.left_out else ""
        self.message = _short(message, MESSAGE_MAX) + note
        super().__init__(self.message)
        self.retry_after_s = retry_after_s


class Unreadable(DomainError):
    """The request could not be parsed at all."""

    status = HTTPStatus.BAD_REQUEST
    code: ErrorCode = "unreadable"


class Invalid(DomainError):
    """The request was read and has wrong values; `fields` names them."""

    status = HTTPStatus.UNPROCESSABLE_ENTITY
    code: ErrorCode = "invalid"


class Unauthorized(DomainError):
    """No credential, or one that proves nothing."""

    status = HTTPStatus.UNAUTHORIZED


class Forbidden(DomainError):
    """The caller is known and may not do this."""

    status = HTTPStatus.FORBIDDEN
    code: ErrorCode = "forbidden"


class NotFound(DomainError):
    """The thing does not exist, or the caller may not know that it does."""

    status = HTTPStatus.NOT_FOUND
    code: ErrorCode = "not_found"


class Conflict(DomainError):
    """The request contradicts the present state."""

    status = HTTPStatus.CONFLICT


class PreconditionFailed(DomainError):
    """The thing is not as the request supposes."""

    status = HTTPStatus.PRECONDITION_FAILED


class TooManyRequests(DomainError):
    """A limit was passed; `retry_after_s` says when to come back."""

    status = HTTPStatus.TOO_MANY_REQUESTS
    code: ErrorCode = "too_many_requests"


class Unavailable(DomainError):
    """Something this server depends on is away."""

    status = HTTPStatus.SERVICE_UNAVAILABLE
    code: ErrorCode = "unavailable"


def error_body(code: ErrorCode, message: str) -> dict[str, Any]:
    """Return the error of an ack, which may have more."""
    return {"code": code, "message": message}


def _checked(kind: type[DomainError], code: ErrorCode | None) -> ErrorCode:
    """Return the code of an error of this kind that names `code`."""
    found: ErrorCode | None = code or getattr(kind, "code", None)
    info = CATALOGUE.get(found) if found is not None else None
    if found is None or info is None or info.status != kind.status:
        raise ValueError(f"{found!r} is not a code of {kind.__name__} in models.error_codes")
    return found


def of_kind(table: Mapping[type[DomainError], T], error: DomainError) -> T | None:
    """Return what a table has for the error's kind, or else for the nearest kind that it is of."""
    return next((table[kind] for kind in type(error).__mro__ if kind in table), None)


class _Cut:
    """Copies messages by field as far as one error has room for them."""

    def __init__(self) -> None:
        self._room = PROBLEMS_MAX
        self.left_out = False

    def fields(self, fields: Mapping[str, object], depth: int = 1) -> dict[str, object]:
        kept: dict[str, object] = {}
        for name, problems in fields.items():
            if self._room == 0:
                self.left_out = True
                break
            kept[_short(str(name), NAME_MAX)] = self._problems(problems, depth)
        return kept

    def _problems(self, problems: object, depth: int) -> object:
        if isinstance(problems, Mapping) and depth < DEPTH_MAX:
            return self.fields(problems, depth + 1)
        if isinstance(problems, Mapping):
            problems = ["Not valid."]
        several = problems if isinstance(problems, list) else [problems]
        shown = several[: self._room]
        self._room -= len(shown)
        self.left_out |= len(shown) < len(several)
        return [_short(str(problem), PROBLEM_MAX) for problem in shown]


def _short(text: str, length: int) -> str:
    """Cut a text, and replace halves of surrogate pairs, which no transport could send."""
    shown = text if len(text) <= length else f"{text[: length - 1]}…"
    return shown.encode(errors="replace").decode()
