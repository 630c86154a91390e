"""What every namespace shares: its commands, and the one funnel through which they run.

A command is an operation of the domain's table, or a method marked `@command(Schema)`. Socket.IO
clients reach it by emitting its name, legacy dialects by calling `run`; both get the same answer,
and always one.
"""

import logging
from collections.abc import Awaitable, Callable, Iterable, Mapping
from datetime import datetime
from functools import cached_property
from time import perf_counter
from typing import Any, ClassVar, Protocol, TypeVar
from uuid import uuid4

from models.accounts import People
from models.error_codes import ErrorCode
from models.errors import DomainError, Invalid, NotFound, error_body
from models.events import Json
from models.fields import Input, load
from models.identity import Identity
from models.operation import Once, Operation, Operations, Takes, answer_of
from models.publications import settled

logger = logging.getLogger(__name__)

Answer = dict[str, Any]
"""`{"data": …}` or `{"error": {"code", "message", "fields"?, "retry_after"?}}`."""


class Connection(Protocol):
    """The connection a command came by, whichever transport it is."""

    def enter(self, room: str) -> None:
        """Put this connection into a room."""

    def leave(self, room: str) -> None:
        """Take this connection out of a room."""


class Caller:
    """Who calls, and by which connection."""

    __slots__ = ("connection", "identity")

    def __init__(self, identity: Identity, connection: Connection) -> None:
        self.identity = identity
        self.connection = connection


Method = TypeVar("Method", bound=Callable[..., Awaitable[Any]])


def command(
    request: type[Input], *, slow: bool = False, errors: tuple[ErrorCode, ...] = ()
) -> Callable[[Method], Method]:
    """Declare a method as the command of its name, which needs the caller's connection.

    The method gets `(caller, payload)`; what it returns is the answer's `data`. What needs no
    connection is declared in `models/<domain>/api.py`, for every transport.
    """

    def mark(method: Method) -> Method:
        name = method.__name__
        declaration: Operation[Any] = Operation(
            name=name,
            summary=(method.__doc__ or "A command.").partition("\n")[0],
            call=lambda commands: getattr(commands, name),
            request=request(),
            errors=errors,
            takes=Takes.CONNECTION,
            slow=slow,
        )
        method.declaration = declaration  # type: ignore[attr-defined]
        return method

    return mark


def error_answer(error: DomainError) -> Answer:
    """Render a domain error as an ack."""
    body = error_body(error.code, error.message)
    if error.fields:
        body["fields"] = error.fields
    if error.retry_after_s is not None:
        body["retry_after"] = round(error.retry_after_s, 3)
    return {"error": body}


Observe = Callable[[str, str, str, float], None]
"""Gets the domain, the command or `UNKNOWN`, its error code or `OK`, and the seconds it took."""

OK = "ok"
UNKNOWN = "unknown"
"""In place of names that are no commands: clients choose them freely."""


class Handler:
    """A command, ready to be run."""

    __slots__ = ("_always", "_call", "_schema", "_takes", "operation")

    def __init__(self, operation: Operation[Any], target: object) -> None:
        self.operation = operation
        self._call = operation.call(target)
        self._schema = operation.request
        self._takes = operation.takes
        self._always = operation.once is Once.ALWAYS

    @property
    def answer(self) -> Any:
        """The type of the answer, as the method is annotated."""
        return answer_of(self._call)

    def run(self, caller: Caller, payload: Mapping[str, Any]) -> Awaitable[Any]:
        """Check the payload, then begin.

        Raises:
            Invalid: the payload is not valid.
        """
        fields = load(self._schema, payload)
        if self._takes is Takes.CONNECTION:
            return self._call(caller, fields)
        if self._always:
            fields["operation_id"] = uuid4().hex
        if self._takes is Takes.NOTHING:
            return self._call(**fields)
        return self._call(caller.identity, **fields)


class Commands:
    """The commands of one domain, and their funnel.

    They are the `operations` of its table, called on `model`, and the methods of a subclass that
    are marked `@command`.
    """

    domain: ClassVar[str]
    operations: ClassVar[Operations[Any]] = ()
    model: object = None

    people: People | None = None
    """Knows how callers are shown now; without it, as when they connected."""

    observe: Observe | None = None
    """Called after every command that was run."""

    @classmethod
    def declared(cls) -> dict[str, Operation[Any]]:
        """Return what the class declares, by the commands' names and in its order."""
        found = {each.name: each for each in cls.operations if each.command}
        names = dict.fromkeys(name for kind in reversed(cls.__mro__) for name in vars(kind))
        for name in names:
            declaration = getattr(getattr(cls, name), "declaration", None)
            if declaration is not None and not name.startswith("_"):
                found[name] = declaration
        return found

    @cached_property
    def handlers(self) -> dict[str, Handler]:
        """The commands by name, bound to what carries them out."""
        return {
            name: Handler(each, self if each.takes is Takes.CONNECTION else self.model)
            for name, each in self.declared().items()
        }

    def rooms_of(self, identity: Identity) -> Iterable[str]:
        """Name the rooms that an identity's connections are in from the start."""
        raise NotImplementedError

    async def arrived(self, caller: Caller) -> Iterable[str]:
        """Note a new connection; returns the rooms it is in besides `rooms_of`.

        The gateway puts it into all of them at once, after this, and calls `left` in any case.
        """
        return ()

    async def left(self, caller: Caller) -> None:
        """Note that a connection has ended, however that happened."""

    def places(self, caller: Caller) -> Json:
        """Return what a connection has joined by its own commands, for when it comes back."""
        return None

    async def returned(self, caller: Caller, places: Json, away_since: datetime) -> bool:
        """Let a connection receive again what it received, after `arrived`; False if not all of it.

        Nothing is published but what undoes its published absence. The caller's
        connection enters rooms that have not changed since `away_since` for it; if the domain
        cannot say so, it says False, and the client begins anew.
        """
        return True

    def is_slow(self, name: str) -> bool:
        """Whether `name` is a command that is marked as slow."""
        handler = self.handlers.get(name)
        return handler is not None and handler.operation.slow

    async def run(self, caller: Caller, name: str, payload: object) -> Answer:
        """Run a command and answer, whatever happens."""
        began = perf_counter()
        answer = await self._answered(caller, name, payload)
        if self.observe is not None:
            code = answer["error"]["code"] if "error" in answer else OK
            known = name if name in self.handlers else UNKNOWN
            self.observe(self.domain, known, code, perf_counter() - began)
        return answer

    async def _answered(self, caller: Caller, name: str, payload: object) -> Answer:
        try:
            if self.people is not None:
                caller.identity = await self.people.current(caller.identity)
            handler = self.handlers.get(name)
            if handler is None:
                message = f"There is no such command in /{self.domain}."
                raise NotFound(message, code="unknown_command")
            if not isinstance(payload, Mapping):
                raise Invalid("The payload must be one JSON object.")
            return {"data": await settled(handler.run(caller, payload))}
        except DomainError as error:
            return error_answer(error)
        except Exception:
            account_id = caller.identity.account_id
            logger.exception("%s of %s failed for account %s", name, self.domain, account_id)
            return {"error": error_body("internal", "Something went wrong here.")}
