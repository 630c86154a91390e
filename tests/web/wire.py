"""A relay in front of a server, which counts what goes over the wire."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

CHUNK = 65_536


class Wire:
    """Counts the bytes of all connections, with headers: `received` and `sent` by clients."""

    def __init__(self, port: int) -> None:
        """Relay to `port` of this machine."""
        self._upstream = port
        self._listening = socket.create_server(("127.0.0.1", 0))
        self._lock = threading.Lock()
        self._sockets: list[socket.socket] = []
        self.url = f"http://127.0.0.1:{self._listening.getsockname()[1]}"
        self.received = 0
        self.sent = 0
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        """End all connections."""
        self._listening.close()
        with self._lock:
            for each in self._sockets:
                with suppress(OSError):
                    each.shutdown(socket.SHUT_RDWR)
                each.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listening.accept()
                server = socket.create_connection(("127.0.0.1", self._upstream))
                with self._lock:
                    self._sockets += [client, server]
                for source, target, name in (
                    (client, server, "sent"),
                    (server, client, "received"),
                ):
                    relaying = (source, target, name)
                    threading.Thread(target=self._relay, args=relaying, daemon=True).start()

    def _relay(self, source: socket.socket, target: socket.socket, name: str) -> None:
        with suppress(OSError):
            while chunk := source.recv(CHUNK):
                with self._lock:
                    setattr(self, name, getattr(self, name) + len(chunk))
                target.sendall(chunk)
            target.shutdown(socket.SHUT_WR)


@contextmanager
def wire(port: int) -> Iterator[Wire]:
    """Relay to `port` of this machine for a while."""
    relay = Wire(port)
    try:
        yield relay
    finally:
        relay.close()
