"""Ports of this machine: a free one, and waiting for a server to listen on it."""

import asyncio
import socket

_WAIT_S = 0.05


def free_port() -> int:
    """Return a port that no one listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


async def connect(
    port: int, within_s: float = 30.0
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """Connect as soon as someone listens.

    Raises:
        TimeoutError: no one did in that time.
    """
    for _ in range(round(within_s / _WAIT_S)):
        try:
            return await asyncio.open_connection("127.0.0.1", port)
        except ConnectionRefusedError:
            await asyncio.sleep(_WAIT_S)
    raise TimeoutError("the server does not start")
