"""What a worker and its supervisor say to each other: a byte now and then, and that they live.

The worker learns by the end of the link that its supervisor is gone, however that died.
"""

import asyncio
import socket
from collections.abc import Callable
from contextlib import suppress

READY = b"r"
"""The worker serves."""

FOR_GOOD = b"g"
"""The worker ends and is not to be started again, nor are the others to go on."""


class Link:
    """The worker's end."""

    def __init__(self, descriptor: int) -> None:
        """Take over the descriptor of a socket that the supervisor has made."""
        self._socket = socket.socket(fileno=descriptor)
        self._socket.setblocking(False)
        self._socket.set_inheritable(False)

    def tell(self, what: bytes) -> None:
        """Say `READY` or `FOR_GOOD`; a supervisor that is gone does not hear it."""
        with suppress(OSError):
            self._socket.send(what)

    def when_alone(self, act: Callable[[], None]) -> None:
        """Call `act` when the supervisor is gone."""
        loop = asyncio.get_running_loop()

        def look() -> None:
            with suppress(OSError):
                if self._socket.recv(1):
                    return
            loop.remove_reader(self._socket)
            act()

        loop.add_reader(self._socket, look)
