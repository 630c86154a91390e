"""The load client: thousands of WebSocket clients in this process, as lean as they can be."""

import asyncio
import base64
import json
import os
import time
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field

SAMPLED = 16
"""Every how many-th client reads the times in its messages; the others only count."""

_DEFLATED = 0x40
"""The bit of a frame's first byte that permessage-deflate uses."""

_EVENT_FROM_BYTES = 140
"""Whatever is longer is an event of the room."""

_DEFLATE_OFFER = "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n"


@dataclass(frozen=True)
class Way:
    """How clients come in, and which of the messages they get are counted."""

    path: str
    """With `{token}` where the token goes."""

    namespace: str | None = None
    """For Socket.IO: the namespace to connect to."""

    command: str | None = None
    """For Socket.IO: the event, written as JSON, that a client emits before it counts as ready."""

    marker: bytes | None = None
    """What stands before the time in counted messages; None counts all long ones."""


SOCKETIO = Way("/socket.io/?EIO=4&transport=websocket", "/bench")
RAW = Way("/ws?token={token}")


@dataclass
class Crowd:
    """All clients of one server, and what they have received together."""

    port: int
    way: Way
    clients: list["Client"] = field(default_factory=list)
    received: int = 0
    latencies_s: list[float] = field(default_factory=list)
    lost: int = 0
    _target: int = 0
    _reached: asyncio.Future[None] | None = None

    async def join(self, tokens: list[str], *, at_once: int = 64) -> None:
        """Connect one client for each token; returns when all are in the room."""
        gate = asyncio.Semaphore(at_once)

        async def connect(number: int, token: str) -> None:
            async with gate:
                client = Client(self, token, sampled=number % SAMPLED == 0)
                loop = asyncio.get_running_loop()
                await loop.create_connection(lambda: client, "127.0.0.1", self.port)
                await client.ready
                self.clients.append(client)

        await asyncio.gather(*(connect(i, token) for i, token in enumerate(tokens)))

    async def leave(self) -> None:
        """Cut all connections."""
        for client in self.clients:
            client.leaving = True
            client.transport.abort()
        self.clients.clear()
        await asyncio.sleep(0)

    def stop_reading(self) -> None:
        """Let all clients go deaf: connected, but never reading again."""
        for client in self.clients:
            client.leaving = True
            client.transport.pause_reading()

    def expect(self, messages: int) -> "asyncio.Future[None]":
        """Return a future that is done when so many more messages have come."""
        self._target = self.received + messages
        self._reached = asyncio.get_running_loop().create_future()
        return self._reached

    def count(self, messages: int) -> None:
        """Count messages that came."""
        self.received += messages
        if self._reached and self.received >= self._target and not self._reached.done():
            self._reached.set_result(None)


class Client(asyncio.Protocol):
    """One client: handshake, then counting."""

    def __init__(self, crowd: Crowd, token: str, *, sampled: bool) -> None:
        self.ready: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.leaving = False
        self.listener: Callable[[bytes], None] | None = None
        """Gets each message once the client has joined; then none are counted."""

        self._crowd = crowd
        self._token = token
        self._sampled = sampled
        self._buffer = b""
        self._joined = False
        self._inflator: zlib._Decompress | None = None
        self.transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Ask for the upgrade, offering compression as browsers do."""
        assert isinstance(transport, asyncio.Transport) or hasattr(transport, "write")
        self.transport = transport  # type: ignore[assignment]
        path = self._crowd.way.path.format(token=self._token)
        key = base64.b64encode(os.urandom(16)).decode()
        self.transport.write(
            (
                f"GET {path} HTTP/1.1\r\nHost: localhost:{self._crowd.port}\r\n"
                "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
                f"Sec-WebSocket-Key: {key}\r\n{_DEFLATE_OFFER}"
                "User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36\r\n"
                "Accept-Encoding: gzip, deflate, br\r\nAccept-Language: en-US,en;q=0.9\r\n\r\n"
            ).encode()
        )

    def data_received(self, data: bytes) -> None:
        """Take frames apart."""
        data = self._buffer + data if self._buffer else data
        if not self._joined and data.startswith(b"HTTP/1.1"):
            head, separator, data = data.partition(b"\r\n\r\n")
            if not separator:
                self._buffer = head
                return
            if not head.startswith(b"HTTP/1.1 101"):
                self.ready.set_exception(ConnectionError(head.decode()))
                return
        at, end, messages = 0, len(data), 0
        while end - at >= 2:
            length, start = data[at + 1], at + 2
            if length == 126:
                if end - at < 4:
                    break
                length, start = int.from_bytes(data[at + 2 : at + 4], "big"), at + 4
            if end < start + length:
                break
            messages += self._frame(data[at], data[start : start + length])
            at = start + length
        self._buffer = data[at:]
        if messages:
            self._crowd.count(messages)

    def _frame(self, head: int, payload: bytes) -> int:
        """Act on one frame; 1 when it is a message of the room."""
        if head & _DEFLATED:
            payload = self._inflate(payload)
        if head & 0x0F == 0x9:
            self._send(0xA, payload)
        elif self.listener is not None and payload != b"2":
            self.listener(payload)
        elif self._joined and self._counts(payload):
            if self._sampled:
                self._crowd.latencies_s.append(_age_s(payload, self._crowd.way.marker or b'"t":"'))
            return 1
        elif payload == b"2":
            self._send(0x1, b"3")
        elif not self._joined:
            self._handshake(payload)
        return 0

    def _inflate(self, payload: bytes) -> bytes:
        if self._inflator is None:
            self._inflator = zlib.decompressobj(-zlib.MAX_WBITS)
        # RFC 7692, section 7.2.2.
        return self._inflator.decompress(payload + b"\0\0\xff\xff")

    def _counts(self, payload: bytes) -> bool:
        marker = self._crowd.way.marker
        return len(payload) > _EVENT_FROM_BYTES if marker is None else marker in payload

    def _handshake(self, payload: bytes) -> None:
        way = self._crowd.way
        if way.namespace is None:
            self._is_in()
        elif payload.startswith(b"0"):
            auth = json.dumps({"token": self._token})
            self._send(0x1, f"40{way.namespace},{auth}".encode())
        elif payload.startswith(f"40{way.namespace},".encode()) and way.command:
            self._send(0x1, f"42{way.namespace},0{way.command}".encode())
        elif payload.startswith((f"40{way.namespace},".encode(), f"43{way.namespace},0".encode())):
            self._is_in()
        elif payload.startswith(b"44"):
            self.ready.set_exception(ConnectionError(payload.decode()))

    def _is_in(self) -> None:
        self._joined = True
        self.ready.set_result(None)

    def _send(self, opcode: int, payload: bytes) -> None:
        # A mask of zeros is as valid as any other, and costs this process nothing.
        size = len(payload)
        length = bytes([0x80 | size]) if size < 126 else b"\xfe" + size.to_bytes(2, "big")
        self.transport.write(bytes([0x80 | opcode]) + length + b"\0\0\0\0" + payload)

    def connection_lost(self, exc: Exception | None) -> None:
        """Note a connection that the server ended."""
        if not self.leaving:
            self._crowd.lost += 1


def masked_text(payload: bytes) -> bytes:
    """Frame a short text message under a random mask, as browsers do."""
    size, mask = len(payload), os.urandom(4)
    length = bytes([0x80 | size]) if size < 126 else b"\xfe" + size.to_bytes(2, "big")
    key = int.from_bytes((mask * (size // 4 + 1))[:size])
    return b"\x81" + length + mask + (int.from_bytes(payload) ^ key).to_bytes(size)


def _age_s(payload: bytes, marker: bytes) -> float:
    at = payload.index(marker) + len(marker)
    return time.monotonic() - float(payload[at : payload.index(b'"', at)])
