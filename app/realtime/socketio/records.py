"""What lets a client go on at another process: its record, in Redis.

    record:PID     the record as JSON; it is gone when the client may not go on any more
    alive:PROCESS  set at each sign of life; how old it is tells when a killed process died

The record of a connection is written when it begins, when its rooms change and when it ends. The
command that changes rooms waits for that, so that a process that is killed then leaves a true
record. While Redis is away the newest state of each record waits, and no command does.

All ages are measured by Redis, as what is left of a key's time to live: no two clocks are compared.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any

import msgspec

from app.realtime.events import redis_work

logger = logging.getLogger(__name__)

BEAT_S = 3.0

REFRESH_S = 60.0
"""Records of connections that last are kept alive in these steps."""

MAX_RECORDS = 20_000
"""Of connections, of one process. The clients of further ones begin anew after a crash. While Redis
is away as many of clients that have gone wait for it."""

MAX_BYTES = 10_485_760
"""Of Redis for the records of one process: accounts that come and go, or are in many rooms, must
not fill it, for then no event passes. The records of clients that are away go first, the oldest
before the others; these clients begin anew."""

RECORD_BYTES = 150
"""Of a record beside its JSON: its key and place in Redis."""

BATCH = 500
"""Written at once."""

ASKED_AT_ONCE = 8
"""Connections to Redis for clients that come back: thousands may come at once."""

ANSWER_S = 2.0
FLUSH_S = 1.0
TAKE_OVER_S = 5.0
POLL_S = 0.02


class Stored(msgspec.Struct, array_like=True):
    """A record as Redis has it."""

    process: str
    namespace: str
    sid: str
    owner: str
    start: str
    rooms: list[str]
    places: Any
    user_session: Any
    received_ago_ms: int | None = None
    """Of a connection that has ended: how long before that all had reached the client that was sent
    before; None while it is there."""


@dataclass(slots=True)
class Found:
    """A record that is its finder's alone."""

    stored: Stored
    left_ago_s: float
    received_ago_s: float


class _Closing:
    """Its connection is being closed at another process."""


_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Stored).decode


class SharedRecords:
    """The records of this process's connections in Redis, and the way to those of others."""

    def __init__(
        self,
        connect: Callable[[], Any],
        name: str,
        process: str,
        *,
        window_s: float,
        unheard_s: float,
    ) -> None:
        """Make an empty one; `running` connects it.

        Args:
            connect: makes a client of Redis.
            name: of the application.
            process: this one's name, new at each start.
            window_s: for how long a client may be away.
            unheard_s: how long a connection may be open of which nothing is heard any more.
        """
        self._connect = connect
        self._name = name
        self.process = process
        self._window_ms = round(window_s * 1000)
        self._alive_ms = self._window_ms + 60_000
        self._live_ms = self._alive_ms + round(REFRESH_S * 1000)
        self._unheard_s = unheard_s
        self._look: Callable[[str], Stored | None] = lambda pid: None
        self._close: Callable[[str], None] = lambda pid: None
        self._live: dict[str, None] = {}
        # What is to be written, and for how many milliseconds; None is to be deleted.
        self._changed: dict[str, _Kept | None] = {}
        self._sizes: dict[str, int] = {}
        """Of what Redis has."""

        self._bytes = 0
        self._ended: dict[str, float] = {}
        """Until when records of clients that are away are kept, in the order in which they left."""

        self._settled: asyncio.Future[None] | None = None
        self._wake = asyncio.Event()
        self._empty = asyncio.Event()
        self._is_writing = False
        self._is_away = False
        """Whether it could not be written to when that was tried last."""

        self._asked: Any = None
        self._turn = asyncio.Semaphore(ASKED_AT_ONCE)

    def serve(self, look: Callable[[str], Stored | None], close: Callable[[str], None]) -> None:
        """Learn of this process's connections.

        Args:
            look: returns the record of a connection as it is now.
            close: ends a connection whose client is back at another process.
        """
        self._look, self._close = look, close

    # Of this process's connections.

    def begin(self, pid: str) -> None:
        """Keep the record of a connection from now on."""
        if len(self._live) < MAX_RECORDS:
            self._live[pid] = None
            self._note(pid, _LOOK)

    def change(self, pid: str) -> asyncio.Future[None] | None:
        """Write a record anew; return what is done then, or None while Redis is away."""
        if pid not in self._live:
            return None
        self._note(pid, _LOOK)
        return self._settled if self._is_writing else None

    def end(self, pid: str, stored: Stored, left_ago_s: float = 0.0) -> None:
        """Keep the record of a connection that has ended, for as long as its client may be away."""
        self._live.pop(pid, None)
        kept_ms = self._window_ms - round(left_ago_s * 1000)
        if kept_ms > 0:
            self._note(pid, (stored, kept_ms))

    def forget(self, pid: str) -> None:
        """Forget a record."""
        self._live.pop(pid, None)
        self._note(pid, None)

    def _note(self, pid: str, kept: "_Kept | None") -> None:
        if len(self._changed) >= 2 * MAX_RECORDS and pid not in self._changed:
            # Connections that are there always have room. One that is gone begins anew.
            del self._changed[next(each for each in self._changed if each not in self._live)]
        self._changed[pid] = kept
        self._empty.clear()
        if self._settled is None:
            self._settled = asyncio.get_running_loop().create_future()
        self._wake.set()

    # Of others.

    async def take(self, pid: str, namespace: str, owner: str) -> Found | None:
        """Return a record that another process wrote, if it is that account's; no one else gets it.

        A connection that still looks open there is closed first.
        """
        if not _is_pid(pid):
            return None
        try:
            return await self._take(pid, namespace, owner)
        except (*redis_work.LOST, msgspec.DecodeError) as error:
            logger.warning("records: one cannot be taken over: %s", type(error).__name__)
            return None

    async def _take(self, pid: str, namespace: str, owner: str) -> Found | None:
        give_up_at = None
        while True:
            async with self._asking() as redis:
                found = await self._try_to_take(
                    redis, pid, namespace, owner, is_asked=give_up_at is not None
                )
            if not isinstance(found, _Closing):
                return found
            now = asyncio.get_running_loop().time()
            give_up_at = give_up_at or now + TAKE_OVER_S
            if now >= give_up_at:
                raise TimeoutError
            await asyncio.sleep(POLL_S)

    async def _try_to_take(
        self, redis: Any, pid: str, namespace: str, owner: str, *, is_asked: bool
    ) -> "Found | _Closing | None":
        key = self._key(pid)
        async with redis.pipeline(transaction=True) as pipeline:
            pipeline.get(key)
            pipeline.pttl(key)
            encoded, left_ms = await pipeline.execute()
        if encoded is None:
            return None
        stored = _decode(encoded)
        if (stored.namespace, stored.owner) != (namespace, owner):
            return None
        if stored.received_ago_ms is not None:
            left_ago_s = (self._window_ms - left_ms) / 1000
            received_ago_s = left_ago_s + stored.received_ago_ms / 1000
        elif is_asked or await redis.publish(self._channel(stored.process), pid):
            return _Closing()
        else:
            alive_ms = await redis.pttl(self._alive(stored.process))
            left_ago_s = (self._alive_ms - max(0, alive_ms)) / 1000
            received_ago_s = left_ago_s + self._unheard_s
        # Anyone who deletes it has it.
        if not await redis.delete(key) or left_ago_s * 1000 > self._window_ms:
            return None
        return Found(stored, left_ago_s, received_ago_s)

    @asynccontextmanager
    async def _asking(self) -> AsyncIterator[Any]:
        """Yield a client of Redis, for as long as it may take to answer.

        Raises:
            TimeoutError: Redis is away. Who has waited for a turn learns it at once.
        """
        async with self._turn:
            if self._is_away:
                raise TimeoutError
            if self._asked is None:
                self._asked = self._connect()
            async with asyncio.timeout(ANSWER_S):
                yield self._asked

    # Writing.

    async def carrying(self, app: object) -> Any:
        """Write while an application runs; what has changed at its end is still written."""
        async with self.running():
            yield

    @asynccontextmanager
    async def running(self) -> Any:
        """Write for as long as the context lasts."""
        tasks = [
            asyncio.create_task(redis_work.keep(self._connect, work))
            for work in (self._write, self._listen)
        ]
        try:
            yield
        finally:
            if self._changed and self._is_writing:
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._empty.wait(), FLUSH_S)
            await redis_work.end(tasks)
            self._settle()
            if self._asked is not None:
                await self._asked.aclose()

    async def _write(self, redis: Any) -> None:
        loop = asyncio.get_running_loop()
        beat_at = refresh_at = loop.time()
        try:
            while True:
                async with asyncio.timeout(ANSWER_S):
                    if loop.time() >= beat_at:
                        beat_at = loop.time() + BEAT_S
                        await redis.set(self._alive(self.process), b"1", px=self._alive_ms)
                        self._is_writing, self._is_away = True, False
                    await self._write_changed(redis)
                if loop.time() >= refresh_at:
                    refresh_at = loop.time() + REFRESH_S
                    await self._refresh(redis)
                if not self._changed:
                    self._empty.set()
                    self._wake.clear()
                    with suppress(TimeoutError):
                        async with asyncio.timeout(max(0.0, beat_at - loop.time())):
                            await self._wake.wait()
        finally:
            self._is_writing, self._is_away = False, True
            self._settle()

    async def _write_changed(self, redis: Any) -> None:
        if not self._changed:
            return
        batch = dict(list(self._changed.items())[:BATCH])
        settled = None
        if len(batch) == len(self._changed):
            settled, self._settled = self._settled, None
        for pid in batch:
            del self._changed[pid]
        try:
            pipeline = redis.pipeline(transaction=False)
            for pid, kept in batch.items():
                if kept is None:
                    self._drop(pid, pipeline)
                    continue
                stored, kept_ms = kept
                # Of a connection that is there the state of this moment is written.
                stored = stored or self._look(pid)
                if stored is not None:
                    self._store(pid, stored, kept_ms, pipeline)
            # Who dies after this was there when these were written.
            pipeline.set(self._alive(self.process), b"1", px=self._alive_ms)
            await pipeline.execute()
        except BaseException:
            # What has changed again since then is newer.
            self._changed = batch | self._changed
            raise
        finally:
            if settled is not None and not settled.done():
                settled.set_result(None)

    def _store(self, pid: str, stored: Stored, kept_ms: int, pipeline: Any) -> None:
        encoded = _encode(stored)
        self._forget_size(pid)
        now, size = asyncio.get_running_loop().time(), len(encoded) + RECORD_BYTES
        while self._ended:
            oldest, kept_until = next(iter(self._ended.items()))
            if kept_until <= now:
                self._forget_size(oldest)
            elif self._bytes + size > MAX_BYTES:
                self._drop(oldest, pipeline)
            else:
                break
        if self._bytes + size > MAX_BYTES:
            # An older state of it would be wrong.
            pipeline.delete(self._key(pid))
            return
        self._sizes[pid] = size
        self._bytes += size
        if kept_ms:
            self._ended[pid] = now + kept_ms / 1000
        pipeline.set(self._key(pid), encoded, px=kept_ms or self._live_ms)

    def _drop(self, pid: str, pipeline: Any) -> None:
        self._forget_size(pid)
        pipeline.delete(self._key(pid))

    def _forget_size(self, pid: str) -> None:
        self._bytes -= self._sizes.pop(pid, 0)
        self._ended.pop(pid, None)

    async def _refresh(self, redis: Any) -> None:
        pids = list(self._live)
        for first in range(0, len(pids), BATCH):
            async with asyncio.timeout(ANSWER_S):
                pipeline = redis.pipeline(transaction=False)
                for pid in pids[first : first + BATCH]:
                    pipeline.pexpire(self._key(pid), self._live_ms)
                await pipeline.execute()

    async def _listen(self, redis: Any) -> None:
        """Close connections whose clients are back at other processes."""
        async with redis.pubsub(ignore_subscribe_messages=True) as listening:
            await listening.subscribe(self._channel(self.process))
            async for pid in redis_work.published(listening):
                self._close(pid.decode())

    def _settle(self) -> None:
        settled, self._settled = self._settled, None
        if settled is not None and not settled.done():
            settled.set_result(None)

    def _key(self, pid: str) -> str:
        return f"{self._name}:record:{pid}"

    def _alive(self, process: str) -> str:
        return f"{self._name}:alive:{process}"

    def _channel(self, process: str) -> str:
        return f"{self._name}:process:{process}"


_Kept = tuple[Stored | None, int]

_LOOK: _Kept = None, 0
"""For a record that is looked up when it is written."""

MAX_PID = 64


def _is_pid(pid: str) -> bool:
    return len(pid) <= MAX_PID and pid.isascii() and pid.isprintable()


def session_json(values: Mapping[str, Any] | None) -> Any:
    """Return what an application keeps with a connection, if other processes can read it."""
    try:
        return None if values is None else msgspec.to_builtins(values)
    except TypeError:
        return None
