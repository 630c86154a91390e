"""What a handler that is written by hand says of itself: the contracts are made of it.

Routes that are made of an operation need none of this: their declaration says it.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, TypeVar

from aiohttp.typedefs import Handler

from models.error_codes import ErrorCode
from models.fields import Input


class Credential(Enum):
    """What a request must have to be answered."""

    NONE = "none"
    ACCOUNT = "account"
    CHAT = "chat"
    """An account's, or in development what chat's older documents show."""

    OPERATOR = "operator"
    SERVICE = "service"
    """The token that other services share with this one."""


@dataclass(frozen=True, slots=True)
class Content:
    """A body that is not described by a schema."""

    content_type: str
    """As in `Accept`: `image/*` for any picture."""


Body = Input | Content
Answers = Mapping[int, Any]
"""The type of each answer's JSON by status: a `TypedDict`, a `Content`, or None for no body."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Contract:
    """What a handler takes and answers."""

    tag: str
    answers: Answers
    credential: Credential = Credential.ACCOUNT
    body: Body | None = None
    query: Input | None = None
    errors: tuple[ErrorCode, ...] = ()
    """Codes besides those that `app.contracts.errors` derives from the rest."""

    headers: tuple[str, ...] = field(default=())
    """Request headers that it reads."""


Declared = TypeVar("Declared", bound=Callable[..., Any])


def contract(tag: str, answers: Answers, **options: Any) -> Callable[[Declared], Declared]:
    """Declare what a handler takes and answers; options as the fields of `Contract`."""
    declared = Contract(tag=tag, answers=answers, **options)

    def mark(handler: Declared) -> Declared:
        handler.contract = declared  # type: ignore[attr-defined]
        return handler

    return mark


def contract_of(handler: Handler | type) -> Contract | None:
    """Return what a handler declares; None where it declares nothing."""
    found: Contract | None = getattr(handler, "contract", None)
    return found
