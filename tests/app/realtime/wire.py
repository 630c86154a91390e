"""Clients that do exactly what a test says: bytes on a socket, polls, Engine.IO by hand."""

import asyncio
import json
import os
import socket as sockets
from contextlib import suppress
from typing import Any

from aiohttp import ClientSession
from websockets.frames import Frame, Opcode

from tests.app.realtime.served import PATIENCE_S, Served

TEXT, BINARY, CONT = Opcode.TEXT, Opcode.BINARY, Opcode.CONT
CLOSE, PING, PONG = Opcode.CLOSE, Opcode.PING, Opcode.PONG
GONE = 1006
"""What a wait for the close gives when the connection was cut without a close frame."""


def frame(opcode: int, payload: bytes = b"", *, fin: bool = True, first: int = 0) -> bytes:
    """Make a client's frame (masked); `first` is or-ed into the first byte."""
    head = Frame(Opcode(opcode), payload, fin).serialize(mask=True)
    return bytes([head[0] | first]) + head[1:]


class Wire:
    """A WebSocket on bare asyncio streams."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer
        self._half_closed = False

    @classmethod
    async def open(
        cls, served: Served, path: str = "engine.io", sid: str | None = None, behind: bytes = b""
    ) -> "Wire":
        """Connect and shake hands; `behind` goes out in one piece with the request."""
        # Small buffers, so that a client that does not read is felt soon.
        plain = sockets.socket()
        plain.setsockopt(sockets.SOL_SOCKET, sockets.SO_RCVBUF, 4096)
        plain.setblocking(False)
        await asyncio.get_running_loop().sock_connect(plain, ("127.0.0.1", served.port))
        wire = cls(*await asyncio.open_connection(sock=plain, limit=4096))
        served.wires.append(wire)
        target = served.engine_url("websocket", sid, path).removeprefix(served.url)
        wire.writer.write(
            f"GET {target} HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
            "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
            "\r\n".encode()
            + behind
        )
        head = await asyncio.wait_for(wire.reader.readuntil(b"\r\n\r\n"), PATIENCE_S)
        assert head.startswith(b"HTTP/1.1 101 "), head
        # The example of RFC 6455, section 1.3.
        assert b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n" in head
        return wire

    def send(self, message: str | bytes) -> None:
        if isinstance(message, str):
            self.writer.write(frame(TEXT, message.encode()))
        else:
            self.writer.write(frame(BINARY, message))

    async def frame(self) -> tuple[Opcode, bytes]:
        """Return the next frame of the server, which is never masked nor fragmented."""
        async with asyncio.timeout(PATIENCE_S):
            first, length = await self.reader.readexactly(2)
            assert first & 0xF0 == 0x80
            assert length < 0x80
            if length == 126:
                length = int.from_bytes(await self.reader.readexactly(2), "big")
            elif length == 127:
                length = int.from_bytes(await self.reader.readexactly(8), "big")
            return Opcode(first & 0x0F), await self.reader.readexactly(length)

    async def receive(self) -> str | bytes:
        """Return the next message."""
        opcode, payload = await self.frame()
        assert opcode in (TEXT, BINARY), (opcode, payload)
        return payload.decode() if opcode is TEXT else payload

    async def closed(self) -> int:
        """Return the close code when the server has hung up; other frames are skipped."""
        code = GONE
        try:
            while True:
                opcode, payload = await self.frame()
                if opcode is CLOSE:
                    assert code == GONE, "two close frames"
                    code = int.from_bytes(payload[:2], "big")
                    if not self._half_closed:
                        self.writer.write(frame(CLOSE, payload))
        except (asyncio.IncompleteReadError, ConnectionError):
            await self.leave()
            return code

    def half_close(self) -> None:
        """Say that no more will be sent."""
        self._half_closed = True
        # The server may have hung up already.
        with suppress(OSError):
            self.writer.write_eof()

    async def leave(self) -> None:
        """Hang up, if that has not happened."""
        self.writer.transport.abort()
        with suppress(OSError):
            await self.writer.wait_closed()

    async def open_packet(self) -> dict[str, Any]:
        """Return the data of the Engine.IO handshake, which is the next message."""
        message = await self.receive()
        assert isinstance(message, str)
        assert message[0] == "0"
        return json.loads(message[1:])

    async def join(self, namespace: str = "/", auth: dict[str, Any] | None = None) -> str:
        """Join a namespace; returns the Socket.IO id."""
        prefix = "" if namespace == "/" else namespace + ","
        self.send(f"40{prefix}{'' if auth is None else json.dumps(auth)}")
        answer = await self.receive()
        assert isinstance(answer, str)
        assert answer.startswith(f"40{prefix}{{"), answer
        return json.loads(answer.removeprefix(f"40{prefix}"))["sid"]

    def cut(self) -> None:
        """Vanish: a reset, not a goodbye."""
        linger = sockets.SO_LINGER
        raw = self.writer.get_extra_info("socket")
        raw.setsockopt(sockets.SOL_SOCKET, linger, b"\x01\0\0\0\0\0\0\0")
        self.writer.transport.abort()


async def engine(served: Served) -> Wire:
    """Open an Engine.IO session by WebSocket."""
    wire = await Wire.open(served)
    await wire.open_packet()
    return wire


async def socketio(served: Served, namespace: str = "/", **auth: Any) -> Wire:
    """Open a session by WebSocket and join a namespace."""
    wire = await Wire.open(served, "socket.io")
    await wire.open_packet()
    await wire.join(namespace, auth or None)
    return wire


class Poller:
    """An Engine.IO client on long-polling."""

    def __init__(self, http: ClientSession, served: Served, path: str, opened: dict) -> None:
        self.http = http
        self.opened = opened
        self.sid: str = opened["sid"]
        self.url = served.engine_url("polling", self.sid, path)

    @classmethod
    async def open(cls, http: ClientSession, served: Served, path: str = "engine.io") -> "Poller":
        async with http.get(served.engine_url("polling", path=path)) as response:
            assert response.status == 200
            text = await response.text()
        assert text[0] == "0"
        return cls(http, served, path, json.loads(text[1:]))

    async def poll(self) -> tuple[int, str]:
        async with asyncio.timeout(PATIENCE_S), self.http.get(self.url) as response:
            return response.status, await response.text()

    async def packets(self) -> list[str]:
        """Return the packets of the next answer."""
        status, text = await self.poll()
        assert status == 200, text
        return text.split("\x1e")

    async def post(self, body: str | bytes, **options: Any) -> tuple[int, str]:
        async with (
            asyncio.timeout(PATIENCE_S),
            self.http.post(self.url, data=body, **options) as response,
        ):
            return response.status, await response.text()

    async def send(self, *packets: str) -> None:
        assert await self.post("\x1e".join(packets)) == (200, "ok")


def junk(length: int) -> bytes:
    """Return bytes that do not compress."""
    return os.urandom(length)
