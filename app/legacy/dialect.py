"""What a legacy dialect is: the words of one documented API, in one file each."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Protocol

from models.identity import Identity
from namespaces.base import Caller

Job = Callable[[], Awaitable[None]]


class Speaker(Protocol):
    """The side of a raw peer that a dialect talks to."""

    @property
    def identity(self) -> Identity:
        """Who is connected."""

    @property
    def caller(self) -> Caller:
        """The peer as commands see it, the same one for as long as it is connected."""

    def send(self, text: str) -> None:
        """Send one text frame to this peer."""

    def refuse(self, code: str, message: str, about: str | None = None) -> None:
        """Send the dialect's error frame, and count it against the peer."""


class Dialect(Protocol):
    """One documented raw-WebSocket API. It keeps no state: one object serves all its peers."""

    def render(self, domain: str, event: str, data: dict[str, Any]) -> str | None:
        """Give the documented frame of an event, or None when the document has none."""

    def greeting(self, identity: Identity) -> str | None:
        """Give the first frame of a connection, if the document has one."""

    def error(self, identity: Identity, code: str, message: str, about: str | None = None) -> str:
        """Give the error frame; `about` is what the refused message named, a channel perhaps."""

    async def receive(self, peer: Speaker, message: dict[str, Any]) -> Job | None:
        """Act on one JSON object that `peer` sent.

        What takes long is given back, to be done while the messages after it are handled.
        """


class Attendance(Protocol):
    """What a domain does when peers come and go; a dialect may be its own.

    All that happens on one connection happens in order: `arrived`, every message, `left`; only what
    takes long may still be under way then.
    """

    async def arrived(self, peer: Speaker, query: Mapping[str, str]) -> None:
        """Note a new connection; `query` is that of its URL. Failing ends the connection."""

    async def left(self, peer: Speaker) -> None:
        """Note that a connection has ended, however that happened, and whatever `arrived` did."""
