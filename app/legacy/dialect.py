"""The base of the dialects: what each module of `app.legacy.dialects` declares."""

from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from itertools import chain
from typing import Any, ClassVar, Protocol, runtime_checkable

from aiohttp import web

from app.legacy.credentials import Access
from app.realtime.wirejson import dumps
from models.error_codes import ErrorCode
from models.identity import Identity
from namespaces.base import Caller, Commands

Frame = dict[str, Any]
"""One JSON object, as it is sent or received."""

Job = Callable[[], Awaitable[None]]

USER_IN_PATH = "{user_id}"


class Speaker(Protocol):
    """The side of a raw peer that a dialect talks to."""

    @property
    def identity(self) -> Identity:
        """Who is connected."""

    @property
    def caller(self) -> Caller:
        """The peer as commands see it, the same one for as long as it is connected."""

    @property
    def catching_up(self) -> bool:
        """Whether the peer is in its rooms only after it has got what it missed."""

    def send(self, text: str) -> None:
        """Send one text frame to this peer."""

    def refuse(self, code: ErrorCode, message: str, about: str | None = None) -> None:
        """Send the dialect's error frame, and count it against the peer."""


class Peers(Protocol):
    """The connections of one endpoint."""

    def __len__(self) -> int:
        """Return the number of connections."""

    def __iter__(self) -> Iterator[Speaker]:
        """Return the connections of this moment."""

    @property
    def users(self) -> int:
        """Return the number of accounts that are connected."""


class Counted(Protocol):
    """The connections to one endpoint, counted over all processes."""

    @property
    def connections(self) -> int:
        """How many connections there are."""

    @property
    def users(self) -> int:
        """How many accounts have connections."""

    async def names(self) -> Counter[str]:
        """Count the connections by what each has joined."""


class Handler(Protocol):
    """What the server does with one type of client frame; see `app.legacy.handlers`."""

    @property
    def fields(self) -> Mapping[str, str]:
        """The fields that it reads: their names in the command, and in the frame."""

    async def handle(self, dialect: "Dialect", peer: Speaker, message: Frame) -> Job | None:
        """Act on `message`; see `Dialect.receive`."""


Frames = Mapping[tuple[str, str], Callable[[Frame], Frame | None]]
Receives = Mapping[str, Handler]


class Dialect:
    """One raw WebSocket endpoint of the older APIs, whose contract is in docs/older-apis.

    It keeps no state of connections: one object serves all of them.
    """

    name: ClassVar[str]
    """The folder of its golden frames in tests/frames."""

    pages: ClassVar[tuple[str, ...]]
    """Its pages in docs/older-apis, without their suffix."""

    path: ClassVar[str]
    """Where it is served. With `{user_id}` in it, the credential must be that user's, and refusals
    are close codes after the upgrade instead of HTTP statuses before it."""

    access: ClassVar[Access]
    """How a request is identified, and how many connections a user may have."""

    frames: ClassVar[Frames]
    """For each event that clients receive (domain and name), what makes its frame of the payload;
    None for an event that they do not receive after all."""

    receives: ClassVar[Receives]
    """For each type of frame that clients send, what is done with it."""

    type_field: ClassVar[str] = "type"
    """The field that has a frame's type."""

    unknown_code: ClassVar[ErrorCode] = "unknown_type"
    """The code of the refusal of a type that is not in `receives`."""

    fetches: ClassVar[tuple[str, ...]] = ()
    """What a client reads anew that has missed more than can be sent again."""

    domain: ClassVar[str | None] = None
    """The domain whose commands `receives` runs."""

    def __init__(self, domains: Sequence[Commands] = ()) -> None:
        """`domains` are those that the process serves."""
        self._domains = {commands.domain: commands for commands in domains}

    @property
    def commands(self) -> Commands:
        """The commands of `domain`."""
        if self.domain is None:
            raise LookupError(f"{type(self).__name__} declares no domain")
        return self._domains[self.domain]

    def rooms_of(self, identity: Identity) -> Iterable[str]:
        """Return the rooms of a new connection: those of the domains that it receives events of."""
        domains = {domain for domain, _ in self.frames}
        return set(chain.from_iterable(self._domains[name].rooms_of(identity) for name in domains))

    def routes(self, counted: Counted) -> list[web.RouteDef]:
        """Return the plain HTTP routes that belong to the endpoint, of which there may be none."""
        return []

    def joined(self, peer: Speaker) -> Iterable[str]:
        """Return the names under which a connection counts, such as its channels."""
        return ()

    def render(self, domain: str, event: str, data: Frame) -> str | None:
        """Return the frame of an event, or None if the API has none."""
        make = self.frames.get((domain, event))
        frame = make(data) if make is not None else None
        return None if frame is None else dumps(frame)

    def greeting(self, identity: Identity) -> str | None:
        """Return the first frame of a connection, if the API has one."""
        return None

    def error(self, identity: Identity, code: str, message: str, about: str | None = None) -> str:
        """Return the error frame; `about` is what the refused message named, such as a channel."""
        return dumps(self.error_frame(identity, code, message, about))

    def error_frame(self, identity: Identity, code: str, message: str, about: str | None) -> Frame:
        """Return the error frame as an object."""
        raise NotImplementedError

    def cursor_frame(self) -> Frame:
        """Return the frame that only says how far a client is; see `?since=`."""
        return {self.type_field: "cursor"}

    def gap_frame(self) -> Frame:
        """Return the frame for a client that has missed events which are not known any more."""
        return {
            self.type_field: "gap",
            "message": "Events were missed that are not kept any more: fetch anew.",
            "fetch": list(self.fetches),
        }

    async def receive(self, peer: Speaker, message: Frame) -> Job | None:
        """Act on one JSON object that `peer` sent.

        What takes long is returned as a job, which runs while the messages after it are handled.
        """
        kind = message.get(self.type_field)
        handler = self.receives.get(kind) if isinstance(kind, str) else None
        if handler is not None:
            return await handler.handle(self, peer, message)
        self.receive_unknown(peer, message)
        return None

    def receive_unknown(self, peer: Speaker, message: Frame) -> None:
        """Act on a message whose type is missing or not in `receives`: refuse it."""
        known = f"Known {self.type_field}s: {', '.join(self.receives)}."
        peer.refuse(self.unknown_code, known)


@runtime_checkable
class Attendance(Protocol):
    """What a domain does when peers come and go; a dialect may be its own.

    All that happens on one connection happens in order: `arrived`, every message, `left`; only what
    takes long may still be under way then.
    """

    async def arrived(self, peer: Speaker, query: Mapping[str, str]) -> None:
        """Note a new connection; `query` is that of its URL. Failing ends the connection."""

    async def left(self, peer: Speaker) -> None:
        """Note that a connection has ended, however that happened, and whatever `arrived` did."""
