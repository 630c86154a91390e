"""What every namespace shares: its commands, and the one funnel through which they run.

A command is a method marked `@command(Schema)`. Socket.IO clients reach it by emitting its name,
legacy dialects by calling `run`; both get the same answer, and always one.
"""

import logging
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Any, ClassVar, Protocol, TypeVar

from marshmallow import Schema, ValidationError

from models.errors import DomainError, Invalid, NotFound
from models.identity import Identity

logger = logging.getLogger(__name__)

Answer = dict[str, Any]
"""`{"data": …}` or `{"error": {"code", "message", "fields"?, "retry_after"?}}`."""


class Connection(Protocol):
    """The connection a command came by, whichever door it is."""

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


def command(schema: type[Schema], *, slow: bool = False) -> Callable[[Method], Method]:
    """Let clients call the method by its name, with a payload that `schema` accepts.

    The method gets `(caller, payload)`; what it returns is the answer's `data`. What the client
    sends after a `slow` command does not wait for its answer.
    """

    def mark(method: Method) -> Method:
        method.command_schema = schema()  # type: ignore[attr-defined]
        method.command_slow = slow  # type: ignore[attr-defined]
        return method

    return mark


def error_answer(error: DomainError) -> Answer:
    """Render a domain error as an ack."""
    body: dict[str, Any] = {"code": error.code, "message": error.message}
    if error.fields:
        body["fields"] = error.fields
    if error.retry_after_s is not None:
        body["retry_after"] = round(error.retry_after_s, 3)
    return {"error": body}


class Commands:
    """The commands of one domain, and their funnel; subclasses hold the marked methods."""

    domain: ClassVar[str]

    def rooms_of(self, identity: Identity) -> Iterable[str]:
        """Name the rooms that an identity's connections are in from the start."""
        raise NotImplementedError

    async def arrived(self, caller: Caller) -> Iterable[str]:
        """Note a new connection; gives the rooms it is in besides `rooms_of`.

        The door puts it into all of them at once, after this, and calls `left` in any case.
        """
        return ()

    async def left(self, caller: Caller) -> None:
        """Note that a connection has ended, however that happened."""

    def is_slow(self, name: str) -> bool:
        """Whether `name` is a command that is marked as slow."""
        method = getattr(self, name, None) if not name.startswith("_") else None
        return getattr(method, "command_slow", False)

    async def run(self, caller: Caller, name: str, payload: object) -> Answer:
        """Run a command and answer, whatever happens."""
        try:
            return {"data": await self._run(caller, name, payload)}
        except DomainError as error:
            return error_answer(error)
        except Exception:
            account_id = caller.identity.account_id
            logger.exception("%s of %s failed for account %s", name, self.domain, account_id)
            return {"error": {"code": "internal", "message": "Something went wrong here."}}

    async def _run(self, caller: Caller, name: str, payload: object) -> Any:
        method = getattr(self, name, None) if not name.startswith("_") else None
        schema: Schema | None = getattr(method, "command_schema", None)
        if method is None or schema is None:
            raise NotFound(f"There is no such command in /{self.domain}.", code="unknown_command")
        if not isinstance(payload, Mapping):
            raise Invalid("The payload must be one JSON object.")
        try:
            arguments = schema.load(payload)
        except ValidationError as error:
            raise Invalid("Some fields are not valid.", fields=dict(error.messages_dict)) from None
        return await method(caller, arguments)
