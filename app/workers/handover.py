"""Connections that one worker hands over to another: the socket itself, over a Unix socket.

With SCM_RIGHTS the owner of a session gets the TCP connection on which a client opens its
WebSocket, wherever the system has led that connection. Its frames then go through the owner alone.

A connection to the owner carries one socket, and in one JSON object the id of its session and the
answer to the handshake; then it ends.
"""

import array
import asyncio
import logging
import os
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import msgspec
from aiohttp import web

from app.logs import fields
from app.realtime.engineio.polling import Refusal, refuse
from app.realtime.websocket.connection import WebSocket
from app.realtime.websocket.upgrade import Upgrade

logger = logging.getLogger(__name__)

BACKLOG = 1024
"""Handovers that wait for a busy owner; more are refused, and their clients go on polling."""

UNDER_WAY = 256
"""Handovers that have begun to arrive: each is there in a moment, as it is one message."""

HANDOVER_S = 2.0

MESSAGE_BYTES = 16_384
"""A subprotocol is part of the answer; all of a request's head is not longer."""

UNKNOWN = (
    b"HTTP/1.1 400 Bad Request\r\nContent-Type: application/json; charset=utf-8\r\n"
    b"Connection: close\r\nContent-Length: 41\r\n\r\n"
    b'{"code":1,"message":"Session ID unknown"}'
)
"""What the client reads where there is no such session any more."""


class _Handover(msgspec.Struct):
    sid: str
    head: str


_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(_Handover).decode

Take = Callable[[str], WebSocket | None]


async def hand_over(path: Path, sid: str, upgrade: Upgrade) -> web.StreamResponse:
    """Hand the connection of a handshake over to the owner that listens at `path`."""
    if upgrade.is_encrypted:
        logger.warning(
            "a WebSocket stays on long-polling: its TLS ends in this worker, so it cannot be "
            "handed over; let a proxy speak TLS",
            extra=fields("encrypted handover"),
        )
        return refuse(Refusal.BAD_REQUEST)
    message = _encode(_Handover(sid, upgrade.head.decode()))
    if len(message) > MESSAGE_BYTES:
        return refuse(Refusal.BAD_REQUEST)
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as way:
        way.setblocking(False)
        try:
            async with asyncio.timeout(HANDOVER_S):
                await asyncio.get_running_loop().sock_connect(way, str(path))
        except (OSError, TimeoutError):
            return refuse(Refusal.UNKNOWN_SID)
        transport = upgrade.let_go()
        if transport is None:
            return upgrade
        try:
            # What the owner gets is a descriptor of its own; the connection lives on with it.
            descriptor = transport.get_extra_info("socket").fileno()
            sent = socket.send_fds(way, [message], [descriptor])
            if sent < len(message):
                logger.warning("a WebSocket could not be handed over")
        except OSError:
            logger.warning("a WebSocket could not be handed over")
        finally:
            transport.abort()
    return upgrade


@asynccontextmanager
async def receiving(path: Path, take: Take) -> AsyncIterator[None]:
    """Take the connections that other workers hand over: `take` says who goes on with them."""
    receiver = _Receiver(take)
    listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    listening.setblocking(False)
    listening.bind(str(path))
    listening.listen(BACKLOG)
    loop = asyncio.get_running_loop()
    loop.add_reader(listening, receiver.accept, listening)
    try:
        yield
    finally:
        loop.remove_reader(listening)
        listening.close()
        await receiver.close()


class _Receiver:
    def __init__(self, take: Take) -> None:
        self._take = take
        self._under_way: set[asyncio.Task[None]] = set()

    def accept(self, listening: socket.socket) -> None:
        """Begin to take what has come."""
        with suppress(BlockingIOError):
            while len(self._under_way) < UNDER_WAY:
                way, _ = listening.accept()
                task = asyncio.create_task(self._receive(way))
                self._under_way.add(task)
                task.add_done_callback(self._under_way.discard)

    async def close(self) -> None:
        """Drop what has not arrived."""
        for task in self._under_way:
            task.cancel()
        await asyncio.gather(*self._under_way, return_exceptions=True)

    async def _receive(self, way: socket.socket) -> None:
        with way:
            way.setblocking(False)
            connection = None
            try:
                async with asyncio.timeout(HANDOVER_S):
                    connection, message = await _received(way)
                given = _decode(message)
                await self._go_on(connection, given.sid, given.head.encode())
            except (OSError, TimeoutError, ValueError, msgspec.DecodeError):
                logger.warning("a WebSocket that was handed over is lost")
                if connection is not None:
                    connection.close()

    async def _go_on(self, connection: socket.socket, sid: str, head: bytes) -> None:
        websocket = self._take(sid)
        if websocket is None:
            with connection, suppress(OSError):
                connection.send(UNKNOWN)
            return
        try:
            # Nothing is before it, so the kernel takes it whole.
            if connection.send(head) < len(head):
                raise OSError("the answer to a handshake was cut short")
            await asyncio.get_running_loop().connect_accepted_socket(lambda: websocket, connection)
        except OSError:
            websocket.connection_lost(None)
            raise


async def _received(way: socket.socket) -> tuple[socket.socket, bytes]:
    """Return the one connection and the message of a handover.

    Raises:
        ValueError: there was something else.
    """
    await _readable(way)
    message, ancillary, _, _ = way.recvmsg(MESSAGE_BYTES + 1, socket.CMSG_SPACE(4))
    descriptors = array.array("i")
    for level, kind, data in ancillary:
        if (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS):
            descriptors.frombytes(data[: len(data) - len(data) % descriptors.itemsize])
    if len(descriptors) != 1:
        for descriptor in descriptors:
            os.close(descriptor)
        raise ValueError("no connection was handed over")
    connection = socket.socket(fileno=descriptors[0])
    connection.setblocking(False)
    connection.set_inheritable(False)
    return connection, message


async def _readable(way: socket.socket) -> None:
    loop = asyncio.get_running_loop()
    readable = loop.create_future()

    def resolve() -> None:
        if not readable.done():
            readable.set_result(None)

    loop.add_reader(way, resolve)
    try:
        await readable
    finally:
        loop.remove_reader(way)
