"""Ports of this machine: a free one, and waiting for a server to listen on it."""

import asyncio
import socket

_TRIES = 200
_WAIT_S = 0.05


def free_port() -> int:
    """Give a port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


async def connect(port: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """Connect as soon as somebody listens.

    Raises:
        TimeoutError: nobody did within ten seconds.
    """
    for _ in range(_TRIES):
        try:
            return await asyncio.open_connection("127.0.0.1", port)
        except ConnectionRefusedError:
            await asyncio.sleep(_WAIT_S)
    raise TimeoutError("the server does not start")
