"""Listening sockets, and how many of their connections are taken at once.

The event loops take all that wait in one go: of a crowd that comes back after a restart that is
thousands, and everybody else waits for it. Here a few are taken in each short while, and the kernel
keeps the others meanwhile.
"""

import asyncio
import errno
import logging
import os
import socket
import sys

from aiohttp import web

from app.http.pace import Pace
from app.logs import fields

logger = logging.getLogger(__name__)

BACKLOG = 4096
"""Connections that the kernel keeps: as many as it does where it was not set up for more."""

AT_ONCE = 16
"""Taken in a tick: some milliseconds of work, until their requests are read."""

FULL_S = 1.0
"""Without a free descriptor, until the next attempt."""

_FULL = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})


def bound(host: str | None, port: int, *, reuse_port: bool = False) -> list[socket.socket]:
    """Return a socket for each address of a host, which does not listen yet.

    Raises:
        OSError: the port is taken, or not for us; or there is no such host.
    """
    sockets: list[socket.socket] = []
    found = socket.getaddrinfo(host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    try:
        for family, kind, protocol, _, address in dict.fromkeys(found):
            try:
                made = socket.socket(family, kind, protocol)
            except OSError:
                # A family that this machine does not have.
                continue
            sockets.append(made)
            made.setblocking(False)
            if sys.platform != "win32":
                made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if reuse_port:
                made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            if family == socket.AF_INET6:
                made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            made.bind(address)
    except OSError as error:
        for each in sockets:
            each.close()
        number = error.errno or 0
        raise OSError(
            number, f"cannot listen on {host} port {port}: {os.strerror(number)}"
        ) from None
    return sockets


class PacedSite(web.TCPSite):
    """Listens on a port, and takes its connections as fast as the others bear."""

    def __init__(
        self, runner: web.BaseRunner, host: str, port: int, *, reuse_port: bool = False
    ) -> None:
        super().__init__(runner, host, port, backlog=BACKLOG, reuse_port=reuse_port)

    async def start(self) -> None:
        """Listen; raises as `bound`."""
        if sys.platform == "win32":
            await super().start()
            return
        await web.BaseSite.start(self)
        assert self._runner.server is not None
        sockets = bound(self._host, self._port, reuse_port=bool(self._reuse_port))
        self._server = _Acceptor(sockets, self._runner.server)  # type: ignore[assignment]


class _Acceptor:
    """Takes the connections; all that aiohttp asks of an `asyncio.Server`."""

    def __init__(self, sockets: list[socket.socket], make: web.Server) -> None:
        self.sockets = sockets
        self._make = make
        self._pace = Pace(AT_ONCE)
        self._loop = asyncio.get_running_loop()
        self._opening: set[asyncio.Task[None]] = set()
        self._pausing: dict[socket.socket, asyncio.TimerHandle] = {}
        for each in sockets:
            each.listen(BACKLOG)
            self._loop.add_reader(each, self._accept, each)

    def close(self) -> None:
        """Listen no more; what the kernel still kept is reset."""
        for each in self.sockets:
            self._loop.remove_reader(each)
            each.close()
        for pause in self._pausing.values():
            pause.cancel()
        self.sockets = []

    def _accept(self, listening: socket.socket) -> None:
        while self._pace.take():
            try:
                connection, _ = listening.accept()
            except (BlockingIOError, ConnectionAbortedError, InterruptedError):
                return
            except OSError as error:
                if error.errno not in _FULL:
                    raise
                logger.warning("no more open files: %s", error, extra=fields("no open files"))
                self._pause(listening, FULL_S)
                return
            connection.setblocking(False)
            opening = self._loop.create_task(self._open(connection))
            self._opening.add(opening)
            opening.add_done_callback(self._opening.discard)
        self._pause(listening, self._pace.rest_s)

    def _pause(self, listening: socket.socket, seconds: float) -> None:
        self._loop.remove_reader(listening)
        self._pausing[listening] = self._loop.call_later(seconds, self._go_on, listening)

    def _go_on(self, listening: socket.socket) -> None:
        del self._pausing[listening]
        self._loop.add_reader(listening, self._accept, listening)
        self._accept(listening)

    async def _open(self, connection: socket.socket) -> None:
        try:
            await self._loop.connect_accepted_socket(self._make, connection)
        except OSError:
            # Its client is gone already.
            connection.close()
