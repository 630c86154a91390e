"""Emit events to the clients of a running server from any Python program.

The program needs this file, redis-py and the server's REDIS_URL; nothing else of the server.

    with Emitter.from_url("redis://localhost:6379") as emitter:
        emitter.emit("/chat", "build.finished", {"ok": True}, rooms="user:4711")

An event takes its place in the stream that all processes of the server read (see
`app.realtime.events.bus`): their clients receive it in one order with all others, and those that
were away catch up with it.
Nobody answers: that an event is written does not mean that anyone is there.
"""

import asyncio
import json
import os
import re
import threading
import uuid
from collections.abc import Iterable
from typing import Any

import redis
import redis.asyncio

FORMAT = 1
"""Of entries. A process passes over those of a format that it does not know, and counts them."""

STREAM_ENTRIES = 20_000
"""The newest entries that the stream keeps: some 12 MB of chat messages, which fits the smallest
Redis on offer (25 MB) beside its own needs, and two minutes of 160 events a second."""

MAX_BYTES = 1_000_000
"""Of an event: each client gets it whole, and the stream keeps thousands."""

MAX_NESTING = 60
"""Levels of objects and lists; the server reads a few more."""

ANSWER_S = 5.0

RESERVED = frozenset(
    {"connect", "connect_error", "disconnect", "disconnecting", "newListener", "removeListener"}
)
"""Names that Socket.IO keeps for itself: clients cannot listen to such events."""

_NAMESPACE = re.compile(r"/[^,?\s]{0,126}")


class NoStream(Exception):
    """There is no stream of this name: no server has run there, or Redis has lost its data.

    In the latter case the server's processes make it anew within seconds.
    """


class _Numbered:
    """Makes entries: those of one producer have rising numbers, so that repeated ones are known."""

    def __init__(self, database: str) -> None:
        self._stream = f"realtime:{database}:events"
        # A server makes it when it connects, and the stream a few seconds later.
        self._epoch_key = f"realtime:{database}:epoch"
        self._begin_anew()

    def _begin_anew(self) -> None:
        # The number of an entry that perhaps was not written is not used again, and not left out.
        self._producer, self._number, self._pid = uuid.uuid4().hex[:12], 0, os.getpid()

    def _command(
        self,
        namespace: str,
        event: str,
        arguments: tuple[Any, ...],
        rooms: str | Iterable[str] | None,
        except_room: str | None,
        volatile: bool,
    ) -> list[Any]:
        names = _checked(namespace, event, rooms, except_room)
        _check_nesting(arguments, MAX_NESTING)
        body = _encoded([event, _text(arguments)[1:-1], None])
        if len(body) > MAX_BYTES:
            raise ValueError(f"The event has {len(body):,} bytes; {MAX_BYTES:,} are allowed.")
        if self._pid != os.getpid():
            # A fork has the producer of its parent.
            self._begin_anew()
        self._number += 1
        header = [FORMAT, self._producer, self._number, namespace, names, except_room, volatile]
        return [
            *("XADD", self._stream, "NOMKSTREAM", "MAXLEN", "~", STREAM_ENTRIES, "*"),
            *("h", _encoded(header), "b", body),
        ]

    def _written(self, entry_id: bytes | str | None) -> str:
        if entry_id is None:
            self._begin_anew()
            raise NoStream(f"There is no stream {self._stream}: has the server that REDIS_URL?")
        return entry_id.decode() if isinstance(entry_id, bytes) else entry_id


class Emitter(_Numbered):
    """Emits events; threads may share one."""

    def __init__(self, client: "redis.Redis", database: str = "realtime") -> None:
        """Emit through a client of redis-py.

        Args:
            client: of the Redis that the server's `REDIS_URL` names.
            database: the server's `MONGODB_DATABASE`.
        """
        super().__init__(database)
        self._redis: Any = client
        self._turn = threading.Lock()

    @classmethod
    def from_url(
        cls, url: str, database: str = "realtime", *, verify_tls: bool = True
    ) -> "Emitter":
        """Connect by the server's `REDIS_URL`; `verify_tls` checks a `rediss://` certificate."""
        return cls(redis.Redis.from_url(url, **_options(url, verify_tls)), database)

    def emit(
        self,
        namespace: str,
        event: str,
        *arguments: Any,
        rooms: str | Iterable[str] | None,
        except_room: str | None = None,
        volatile: bool = False,
    ) -> str:
        """Emit an event, and return the id of its entry in the stream.

        Args:
            namespace: with its slash: `/chat`.
            event: the name that clients listen to.
            arguments: JSON values.
            rooms: one or several; each connection hears it once. None is everyone in the namespace.
            except_room: who is in it does not hear it.
            volatile: whether it is for those only who are here now.

        Raises:
            ValueError, TypeError: it cannot be an event; the message says why.
            NoStream: there is none of this name.
            redis.exceptions.RedisError: it is not known whether the event was written. Emitting it
                again may deliver it twice.
        """
        with self._turn:
            command = self._command(namespace, event, arguments, rooms, except_room, volatile)
            try:
                answer = self._redis.execute_command(*command)
                if answer is None and self._redis.exists(self._epoch_key):
                    answer = self._redis.execute_command(*_making_stream(command))
            except BaseException:
                self._begin_anew()
                raise
            return self._written(answer)

    def close(self) -> None:
        """Close the connections."""
        self._redis.close()

    def __enter__(self) -> "Emitter":
        """Return itself; the end of the context closes it."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close the connections."""
        self.close()


class AsyncEmitter(_Numbered):
    """Emits events in an asyncio program; tasks may share one."""

    def __init__(self, client: "redis.asyncio.Redis", database: str = "realtime") -> None:
        """As `Emitter`, with a client of `redis.asyncio`."""
        super().__init__(database)
        self._redis: Any = client
        self._turn = asyncio.Lock()

    @classmethod
    def from_url(
        cls, url: str, database: str = "realtime", *, verify_tls: bool = True
    ) -> "AsyncEmitter":
        """Connect by the server's `REDIS_URL`; `verify_tls` checks a `rediss://` certificate."""
        return cls(redis.asyncio.Redis.from_url(url, **_options(url, verify_tls)), database)

    async def emit(
        self,
        namespace: str,
        event: str,
        *arguments: Any,
        rooms: str | Iterable[str] | None,
        except_room: str | None = None,
        volatile: bool = False,
    ) -> str:
        """Emit an event; see `Emitter.emit`."""
        async with self._turn:
            command = self._command(namespace, event, arguments, rooms, except_room, volatile)
            try:
                answer = await self._redis.execute_command(*command)
                if answer is None and await self._redis.exists(self._epoch_key):
                    answer = await self._redis.execute_command(*_making_stream(command))
            except BaseException:
                self._begin_anew()
                raise
            return self._written(answer)

    async def close(self) -> None:
        """Close the connections."""
        await self._redis.aclose()

    async def __aenter__(self) -> "AsyncEmitter":
        """Return itself; the end of the context closes it."""
        return self

    async def __aexit__(self, *_: object) -> None:
        """Close the connections."""
        await self.close()


def _checked(
    namespace: str, event: str, rooms: str | Iterable[str] | None, except_room: str | None
) -> list[str] | None:
    if not isinstance(namespace, str) or not _NAMESPACE.fullmatch(namespace):
        raise ValueError("The namespace begins with a slash, without commas or spaces.")
    if not isinstance(event, str) or not event or event in RESERVED:
        raise ValueError("The event has a name, which is none of Socket.IO's own.")
    if except_room is not None and not isinstance(except_room, str):
        raise TypeError("The room that is left out is a string.")
    if rooms is None:
        return None
    names = [rooms] if isinstance(rooms, str) else list(dict.fromkeys(rooms))
    if not names or not all(isinstance(name, str) and name for name in names):
        raise ValueError("Rooms are strings, one at least; None is everyone in the namespace.")
    return names


def _check_nesting(value: Any, levels: int) -> None:
    if isinstance(value, dict | list | tuple):
        if not levels:
            raise ValueError(f"The arguments are nested more than {MAX_NESTING} levels deep.")
        for each in value.values() if isinstance(value, dict) else value:
            _check_nesting(each, levels - 1)


def _text(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))


def _encoded(value: Any) -> bytes:
    # Half of a surrogate pair is an error here (UnicodeEncodeError is a ValueError).
    return _text(value).encode()


def _making_stream(command: list[Any]) -> list[Any]:
    return [part for part in command if part != "NOMKSTREAM"]


def _options(url: str, verify_tls: bool) -> dict[str, Any]:
    limits = {"socket_timeout": ANSWER_S, "socket_connect_timeout": ANSWER_S}
    return {**limits, **tls_options(url, verify=verify_tls)}


def tls_options(url: str, *, verify: bool) -> dict[str, Any]:
    """Return what redis-py is to be told of the certificate of a `rediss://` server."""
    if not url.startswith("rediss://"):
        return {}
    return {"ssl_cert_reqs": "required" if verify else "none", "ssl_check_hostname": verify}
