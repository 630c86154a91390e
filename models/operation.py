"""Operations: what a domain offers, each declared once in `models/<domain>/api.py`.

Socket.IO commands, REST routes and the documents of both are made from these declarations.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import Enum
from functools import partial
from string import Formatter
from typing import Any, Generic, Literal, TypeVar, get_type_hints

from models.error_codes import CATALOGUE, ErrorCode
from models.fields import Input
from models.versions import NAME as IF_VERSION

Model = TypeVar("Model")
Outer = TypeVar("Outer")

Call = Callable[..., Awaitable[object]]
Method = Literal["GET", "POST", "PUT", "PATCH", "DELETE"]

BODIES = frozenset({"POST", "PUT", "PATCH"})
"""Methods whose fields are sent as a JSON body; those of the others are query parameters."""


class Once(Enum):
    """How repeated requests are recognised."""

    NO = "no"
    """They are not: a repeat is harmless, or makes another one."""

    KEYED = "keyed"
    """By `client_id`, or by `Idempotency-Key` where one was sent."""

    ALWAYS = "always"
    """The model wants an `operation_id` in any case."""


class Takes(Enum):
    """What an operation is called with, before the fields of its request."""

    CALLER = "caller"
    """The caller's `Identity`."""

    NOTHING = "nothing"
    """Nothing: the answer is the same for every account."""

    CONNECTION = "connection"
    """The `Caller` with its connection, and the request as one mapping: Socket.IO only."""


class Form(Enum):
    """How a route answers, and which credentials it takes."""

    PLAIN = "plain"
    PUBLIC = "public"
    """Plain answers, to requests without a credential."""

    CHAT = "chat"
    """Plain answers; also the credentials that chat's older documents show in development."""

    CHANNEL_CHAT = "channel chat"
    """The envelope `{"success": true, "data": …}` of docs/older-apis/channel-chat.md."""


def parameters_of(path: str) -> tuple[str, ...]:
    """Return the names of a path's parameters: `{story_id}` of `/stories/{story_id}`."""
    return tuple(name for _, name, _, _ in Formatter().parse(path) if name is not None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """A REST route of an operation."""

    method: Method
    path: str
    """Its parameters are named as the fields of the request: `/stories/{story_id}`."""

    status: int = 200
    """Of an answer; an operation that answers nothing has 204."""

    form: Form = Form.PLAIN
    reads: Input | None = None
    """What is sent, where that is not the operation's request without the path's parameters."""

    rename: Mapping[str, str] = field(default_factory=dict)
    """Fields by the names that the path has for them."""

    checked: bool = False
    """Whether the path's parameters are loaded as the request's fields: 422 where they cannot be.
    Elsewhere what cannot be an id is not found: 404."""

    body: bool = True
    """Whether a body is read, if the method has one and fields are left for it."""

    body_of_delete: bool = False
    """Whether a DELETE has its fields in a body."""

    special: bool = False
    """Whether the handler is written by hand: it streams, or knows its caller otherwise."""

    @property
    def parameters(self) -> tuple[str, ...]:
        """The names of the path's parameters."""
        return parameters_of(self.path)

    @property
    def has_body(self) -> bool:
        """Whether fields are sent as a JSON body."""
        return self.body_of_delete or (self.method in BODIES and self.body)

    @property
    def has_query(self) -> bool:
        """Whether fields are sent as query parameters."""
        return self.method not in BODIES and not self.has_body


def get(path: str, **options: Any) -> Route:
    """Return a route for reading."""
    return Route(method="GET", path=path, **options)


def post(path: str, status: int = 200, **options: Any) -> Route:
    """Return a route for making something (201) or for a step."""
    return Route(method="POST", path=path, status=status, **options)


def put(path: str, **options: Any) -> Route:
    """Return a route that replaces."""
    return Route(method="PUT", path=path, **options)


def patch(path: str, **options: Any) -> Route:
    """Return a route that changes what is sent."""
    return Route(method="PATCH", path=path, **options)


def delete(path: str, **options: Any) -> Route:
    """Return a route that removes."""
    return Route(method="DELETE", path=path, **options)


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation(Generic[Model]):
    """One thing that a domain does when a client asks for it.

    The answer is what the method's annotation says that it returns, None for nothing.
    """

    name: str
    """The Socket.IO command, and the `operationId` of the REST routes."""

    summary: str
    """One sentence: what it does."""

    call: Callable[[Model], Call]
    """Returns the method that does it."""

    request: Input
    errors: tuple[ErrorCode, ...] = ()
    """Codes besides those that any operation may answer with (`COMMON_ERRORS`)."""

    takes: Takes = Takes.CALLER
    once: Once = Once.NO
    slow: bool = False
    """What a client sends after it does not wait for its answer."""

    operators_only: bool = False
    precondition: Callable[[Model], object] | None = None
    """Raises where the server has no such operation, before the request is looked at."""

    command: bool = True
    """Whether it is a Socket.IO command."""

    routes: tuple[Route, ...] = ()

    @property
    def has_version(self) -> bool:
        """Whether it may name the version that it is of."""
        return IF_VERSION in self.request.fields

    @property
    def all_errors(self) -> frozenset[ErrorCode]:
        """The codes of the operation itself, at whichever transport it is called."""
        found = {*self.errors}
        if self.once is not Once.NO:
            found.add("key_reused")
        if self.has_version:
            found.add("version_conflict")
        if self.operators_only:
            found.add("not_an_operator")
        return frozenset(found)

    def __post_init__(self) -> None:
        """Check what the type checker cannot.

        Raises:
            ValueError: it has no summary, no way in, a code that is not in the catalogue, or a
                `client_id` that nothing is recognised by.
        """
        if not self.summary.strip().endswith("."):
            raise ValueError(f"{self.name} has no summary")
        if not self.command and not self.routes:
            raise ValueError(f"{self.name} is neither a command nor a route")
        if unknown := [code for code in self.errors if code not in CATALOGUE]:
            raise ValueError(f"{self.name}: {unknown} not in models.error_codes")
        if ("client_id" in self.request.fields) != (self.once is Once.KEYED):
            raise ValueError(f"{self.name}: a client_id and Once.KEYED go together")


Operations = Sequence[Operation[Model]]


def lifted(
    operations: Operations[Model], of: Callable[[Outer], Model]
) -> tuple[Operation[Outer], ...]:
    """Return the operations as those of a larger model, which has theirs at `of`."""

    def at_outer(operation: Operation[Any]) -> Operation[Outer]:
        check = operation.precondition
        return replace(
            operation,
            call=lambda outer: operation.call(of(outer)),
            precondition=(lambda outer: check(of(outer))) if check is not None else None,
        )

    return tuple(at_outer(operation) for operation in operations)


def answer_of(call: Call) -> Any:
    """Return the annotation of what a bound method answers; None for nothing."""
    while isinstance(call, partial):
        call = call.func
    answer = get_type_hints(call).get("return", Any)
    return None if answer is type(None) else answer


COMMON_ERRORS: frozenset[ErrorCode] = frozenset(
    {"invalid", "internal", "unavailable", "too_many_requests"}
)
"""Codes that any operation may answer with, by any transport; a declaration names the others.

What follows from how an operation is called, such as a token that has expired, is derived from its
declaration by `app.contracts.errors`.
"""
