"""What an engine needs of others that answer on the same port, each for sessions of its own.

A client on long-polling makes new connections, which may come to any of them. So the id of a
session names its owner; requests are passed on to it, and WebSockets are handed over, so that no
frame goes through two processes.
"""

from typing import Protocol

from aiohttp import web

from app.realtime.websocket.upgrade import Upgrade


class Neighbours(Protocol):
    """The other processes, by their numbers."""

    sid_suffix: str
    """What the ids of this process's sessions end in."""

    def owner_of(self, sid: str) -> int | None:
        """Return whose session an id is, by what it says itself; None if it names no neighbour."""

    async def poll(self, owner: int, request: web.Request) -> web.StreamResponse:
        """Have the owner answer a request of long-polling."""

    async def upgrade(self, owner: int, sid: str, upgrade: Upgrade) -> web.StreamResponse:
        """Hand the connection of an opening handshake over to the owner, who answers it."""
