"""HTTP as bytes: for clients that do what no library does."""

import asyncio
import socket
from dataclasses import dataclass

from tests.live import PATIENCE_S


@dataclass
class Answer:
    """One response, as it was received."""

    status: int
    headers: dict[str, str]
    body: bytes


class Raw:
    """A connection to a server at `url`."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer
        self.headed = False

    @classmethod
    async def open(cls, url: str, *, receive_bytes: int | None = None) -> "Raw":
        """Connect; the kernel keeps about `receive_bytes` that are not read."""
        host, port = url.removeprefix("http://").split(":")
        sock = socket.socket()
        sock.setblocking(False)
        if receive_bytes is not None:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_bytes)
        await asyncio.get_running_loop().sock_connect(sock, (host, int(port)))
        limit = receive_bytes or 2**16
        return cls(*await asyncio.open_connection(sock=sock, limit=limit))

    def send(self, method: str, path: str, body: bytes = b"", **headers: str) -> None:
        """Send a request; `_` in names of headers stands for `-`."""
        self.headed = method == "HEAD"
        named = {"Host": "localhost"} | {name.replace("_", "-"): headers[name] for name in headers}
        if "Transfer-Encoding" not in named:
            named.setdefault("Content-Length", str(len(body)))
        lines = [f"{method} {path} HTTP/1.1", *(f"{name}: {named[name]}" for name in named)]
        self.writer.write("\r\n".join([*lines, "", ""]).encode() + body)

    async def answer(self) -> Answer:
        """Return the next response."""
        async with asyncio.timeout(PATIENCE_S):
            head = (await self.reader.readuntil(b"\r\n\r\n")).decode()
            first, *lines = head.strip().split("\r\n")
            headers = {name.lower(): value for name, value in (x.split(": ", 1) for x in lines)}
            size = 0 if self.headed else int(headers.get("content-length", "0"))
            body = await self.reader.readexactly(size)
        return Answer(int(first.split(" ")[1]), headers, body)

    async def ended(self) -> bytes:
        """Return what comes until the server closes; a reset counts as the end."""
        read = b""
        async with asyncio.timeout(PATIENCE_S):
            try:
                while chunk := await self.reader.read(65_536):
                    read += chunk
            except ConnectionError:
                pass
        return read

    def stop_reading(self) -> None:
        """Leave all that comes from here on to the kernel."""
        self.writer.transport.pause_reading()  # type: ignore[attr-defined]

    def drop(self) -> None:
        """Cut the connection."""
        self.writer.transport.abort()
