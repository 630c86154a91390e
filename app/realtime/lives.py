"""The life of each connection, from handshake to end: whose, by which door, and why it ended.

One small object for each connection, made when it opens and looked at when it ends. Nothing is
counted on the way: how many bytes went over a connection, the kernel knows (`TCP_INFO`).
"""

import asyncio
import socket
import struct
import time
from collections import OrderedDict, deque
from collections.abc import Callable, Iterator

from aiohttp import web

REQUEST_ID: web.RequestKey[str] = web.RequestKey("request_id")
"""The id by which the log knows a request, and the connection that it became."""

ACCOUNT_ID: web.RequestKey[str] = web.RequestKey("account_id")
"""The account behind a request, once its credential is checked."""

_ACKED_AT, _RECEIVED_AT, _INFO_BYTES = 120, 128, 136
"""`tcpi_bytes_acked` and `tcpi_bytes_received` of `struct tcp_info` (linux/tcp.h since 4.2)."""

_TCP_INFO: int | None = getattr(socket, "TCP_INFO", None)


class Life:
    """One connection."""

    __slots__ = (
        "_lives",
        "account_id",
        "address",
        "bytes_received",
        "bytes_sent",
        "closed_at",
        "closed_by_client",
        "code",
        "door",
        "id",
        "opened_at",
        "reason",
    )

    def __init__(self, lives: "Lives", door: str, id: str, address: str | None) -> None:
        self._lives = lives
        self.door = door
        """`socket.io`, or the path of a raw endpoint."""

        self.id = id
        self.address = address
        self.account_id: str | None = None
        self.opened_at = time.time()
        self.closed_at: float | None = None
        self.code: int | None = None
        """Of the close frame, 1006 without one; of a client on long-polling, what it would be."""

        self.reason = ""
        """In our own words: what a client gives as its reason is its own business."""

        self.closed_by_client = False
        self.bytes_sent: int | None = None
        """What the client's side has acknowledged; None where the system does not say."""

        self.bytes_received: int | None = None

    @property
    def seconds(self) -> float:
        """For how long it has been open."""
        return (self.closed_at or time.time()) - self.opened_at

    def measure(self, transport: asyncio.BaseTransport | None) -> None:
        """Note how many bytes went over a TCP connection, TLS included."""
        sock = transport.get_extra_info("socket") if transport is not None else None
        if sock is None or _TCP_INFO is None:
            return
        try:
            info = sock.getsockopt(socket.IPPROTO_TCP, _TCP_INFO, _INFO_BYTES)
            self.bytes_sent = struct.unpack_from("@Q", info, _ACKED_AT)[0]
            self.bytes_received = struct.unpack_from("@Q", info, _RECEIVED_AT)[0]
        except (OSError, struct.error):
            # Closed already, no TCP, or an older kernel.
            return

    def end(self, code: int, reason: str) -> None:
        """Note the end, once."""
        if self.code is None:
            self.code, self.closed_at = code, time.time()
            self.reason = "closed by the client" if self.closed_by_client else reason
            self._lives.end(self)


ENDED_KEPT = 2_000
"""Ends that are remembered, the latest: a megabyte, and an hour of a busy process."""

LAST_KEPT = 10_000
"""Accounts whose last end is remembered beyond that: two megabytes."""


class Lives:
    """The connections of this process, those that ended lately, and what to call at their ends."""

    def __init__(self, *, keep_addresses: bool = False) -> None:
        """With `keep_addresses`, a life has the address of its client."""
        self._keep_addresses = keep_addresses
        self._open: dict[Life, None] = {}
        self._ended: deque[Life] = deque(maxlen=ENDED_KEPT)
        self._last: OrderedDict[str, Life] = OrderedDict()
        self._observers: list[Callable[[Life], None]] = []

    def __len__(self) -> int:
        """Return the number of open connections."""
        return len(self._open)

    def __iter__(self) -> Iterator[Life]:
        """Yield the open connections, oldest first."""
        return iter(tuple(self._open))

    def open_of(self, account_id: str) -> list[Life]:
        """Return the open connections of an account, oldest first."""
        return [life for life in self._open if life.account_id == account_id]

    def ended_of(self, account_id: str) -> list[Life]:
        """Return the connections of an account that have ended, as far as they are remembered.

        In the order of their ends; the last one is remembered longest.
        """
        found = [life for life in self._ended if life.account_id == account_id]
        last = self._last.get(account_id)
        return found or ([last] if last is not None else [])

    def observe(self, observer: Callable[[Life], None]) -> None:
        """Have `observer` called at the end of each connection; it must not raise or block."""
        self._observers.append(observer)

    def begin(self, door: str, request: web.BaseRequest) -> Life:
        """Note a connection that `request` opens."""
        address = request.remote if self._keep_addresses else None
        life = Life(self, door, request.get(REQUEST_ID, ""), address)
        self._open[life] = None
        return life

    def end(self, life: Life) -> None:
        """Note the end of a connection; called by it."""
        self._open.pop(life, None)
        self._ended.append(life)
        if life.account_id is not None:
            self._last[life.account_id] = life
            self._last.move_to_end(life.account_id)
            if len(self._last) > LAST_KEPT:
                self._last.popitem(last=False)
        for observer in self._observers:
            observer(life)


LIVES: web.AppKey[Lives] = web.AppKey("lives", Lives)
"""The application's one."""
