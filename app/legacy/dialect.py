"""What a legacy dialect is: the words of one documented API, in one file each."""

from typing import Any, Protocol

from models.identity import Identity


class Speaker(Protocol):
    """The side of a raw peer that a dialect talks to."""

    identity: Identity

    def send(self, text: str) -> None:
        """Send one text frame to this peer."""

    def refuse(self, code: str, message: str) -> None:
        """Send the dialect's error frame, and count it against the peer."""


class Dialect(Protocol):
    """One documented raw-WebSocket API. It keeps no state: one object serves all its peers."""

    def render(self, domain: str, event: str, data: dict[str, Any]) -> str | None:
        """Give the documented frame of an event, or None when the document has none."""

    def greeting(self, identity: Identity) -> str | None:
        """Give the first frame of a connection, if the document has one."""

    def error(self, code: str, message: str) -> str:
        """Give the error frame."""

    async def receive(self, peer: Speaker, message: dict[str, Any]) -> None:
        """Act on one JSON object that `peer` sent."""
