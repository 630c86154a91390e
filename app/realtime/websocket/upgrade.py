"""The opening handshake (RFC 6455, section 4.2), and the hand-over of the connection.

aiohttp reads the request, so that routing, limits and errors are the same as for REST. Then its
own objects let go of the connection, and a `WebSocket` sits on the bare transport: a few kilobytes
less for each connection, and nothing between a frame and the socket.
"""

import asyncio
import base64
import hashlib
import re
from http import HTTPStatus
from typing import Any

from aiohttp import web
from aiohttp.abc import AbstractStreamWriter

from app.realtime.websocket.connection import WebSocket

_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
_KEY_LENGTH = 16

_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
"""RFC 9110, section 5.6.2."""


class _Nobody(asyncio.Protocol):
    """Ignores all; its one function is shared, where a method would be bound anew each time."""

    @staticmethod
    def data_received(data: bytes) -> None:
        """Ignore."""


_NOBODY = _Nobody()


def wants_websocket(request: web.BaseRequest) -> bool:
    """Whether the request asks for an upgrade to WebSocket."""
    return request.headers.get("Upgrade", "").lower() == "websocket"


def accept_key(request: web.BaseRequest) -> str:
    """Check the handshake and give the value of `Sec-WebSocket-Accept`.

    Raises:
        web.HTTPUpgradeRequired: not a WebSocket request, or of another version.
        web.HTTPBadRequest: a header is missing or malformed.
    """
    headers = request.headers
    if not wants_websocket(request):
        raise web.HTTPUpgradeRequired(headers={"Upgrade": "websocket"})
    if "upgrade" not in headers.get("Connection", "").lower():
        raise web.HTTPBadRequest(reason="Connection header without upgrade")
    if headers.get("Sec-WebSocket-Version") != "13":
        raise web.HTTPUpgradeRequired(headers={"Sec-WebSocket-Version": "13"})
    key = headers.get("Sec-WebSocket-Key", "")
    try:
        valid = len(base64.b64decode(key, validate=True)) == _KEY_LENGTH
    except ValueError:
        valid = False
    if not valid:
        raise web.HTTPBadRequest(reason="Malformed Sec-WebSocket-Key")
    # RFC 6455 names SHA-1 here; it protects nothing.
    digest = hashlib.sha1(key.encode() + _GUID, usedforsecurity=False).digest()
    return base64.b64encode(digest).decode()


def subprotocol(request: web.BaseRequest) -> str | None:
    """Return the first subprotocol that the client offers: what it is called is its own business.

    Browsers end a connection whose server selects none of those that were offered.

    Raises:
        web.HTTPBadRequest: the header is malformed, or names one twice.
    """
    lines = request.headers.getall("Sec-WebSocket-Protocol", ())
    if not lines:
        return None
    offered = [name.strip(" \t") for line in lines for name in line.split(",")]
    if not all(map(_TOKEN.fullmatch, offered)) or len(set(offered)) < len(offered):
        raise web.HTTPBadRequest(reason="Malformed Sec-WebSocket-Protocol")
    return offered[0]


class Upgrade(web.StreamResponse):
    """The 101 answer, which a handler returns when it has given the connection away."""

    def __init__(self, request: web.BaseRequest) -> None:
        """Check the handshake of `request`; errors as in `accept_key` and `subprotocol`."""
        super().__init__(status=HTTPStatus.SWITCHING_PROTOCOLS)
        self._accept = accept_key(request)
        self._subprotocol = subprotocol(request)
        self._request = request

    def to(self, socket: WebSocket) -> "Upgrade":
        """Answer 101 and give the connection to `socket`; one that is gone is lost at once."""
        if self._request.transport is None:
            socket.connection_lost(None)
            return self
        transport, tail = _let_go(self._request)
        socket.begin_with(self.head)
        # uvloop does not change the way it reads while it does so, and it holds on to the
        # `data_received` of the last protocol that had one: let that not be aiohttp's, 2 KB each.
        transport.pause_reading()
        transport.set_protocol(_NOBODY)
        transport.set_protocol(socket)
        transport.resume_reading()
        socket.connection_made(transport)
        if tail:
            socket.take(tail)
        return self

    @property
    def head(self) -> bytes:
        """What the client is answered."""
        lines = [
            "HTTP/1.1 101 Switching Protocols",
            "Upgrade: websocket",
            "Connection: Upgrade",
            f"Sec-WebSocket-Accept: {self._accept}",
        ]
        if self._subprotocol is not None:
            lines.append(f"Sec-WebSocket-Protocol: {self._subprotocol}")
        return "\r\n".join([*lines, "", ""]).encode()

    @property
    def is_encrypted(self) -> bool:
        """Whether this process keeps the keys of the connection (TLS)."""
        transport = self._request.transport
        return transport is not None and transport.get_extra_info("sslcontext") is not None

    def let_go(self) -> asyncio.Transport | None:
        """Take the connection out of this process's hands, for `head` to be sent by another one.

        Returns:
            The transport, which is not read any more; None if the client is gone, or has broken
            the protocol: nothing may come before `head`, and all before it has been answered.
        """
        transport = self._request.transport
        if transport is None:
            return None
        transport, tail = _let_go(self._request)
        transport.pause_reading()
        transport.set_protocol(_NOBODY)
        if tail or transport.get_write_buffer_size() > 0:
            transport.abort()
            return None
        return transport

    async def prepare(self, request: web.BaseRequest) -> AbstractStreamWriter | None:
        """Do nothing: all is said."""
        return None

    async def write_eof(self, data: bytes = b"") -> None:
        """Do nothing: the connection is no longer HTTP."""


def _let_go(request: web.BaseRequest) -> tuple[asyncio.Transport, bytes]:
    """Detach aiohttp's handler from its transport, as if the connection had been lost.

    aiohttp has no public way to do this; `tests/app/realtime/test_upgrade.py` fails when a new
    version changes what is relied on here.

    This must happen before the handler returns: aiohttp would read what came behind the request
    as the next one.

    Returns:
        The transport, and the bytes that came behind the request's head.
    """
    handler: Any = request.protocol
    transport: asyncio.Transport = handler.transport
    tail: bytes = handler._message_tail
    handler.transport = None
    handler.connection_lost(None)
    return transport, tail
