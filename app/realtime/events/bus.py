"""Events between processes: one Redis stream, one order, read by every process.

Each process writes its events to the stream and delivers, its own included, what it reads from
there; so all connections of all processes hear them in the order of the stream. An entry's id is
the event's offset.

An entry has two fields: `h`, a JSON array of `FORMAT`, the producer, its number for this entry, the
namespace, the rooms, the room that is left out and whether the event is volatile; and `b`, a JSON
array of the event's name, its arguments as JSON text and what only dialects read. A process reads
`b` only of events for rooms that it holds. An entry without a namespace is for the processes
themselves: a signal (`b` is its name and data), `_BEAT`, a sign of life, or `_LOST`: events before
it may be missing. A repeated write has the same producer and number and is dropped by readers; a
number that is missing is a gap, too. Gaps are announced to clients, also to those who were away.

A write whose answer did not come may have been made, or may still be made when Redis goes on. So a
process has Redis close its former connection before it writes again, and leaves out what is there.

A process that dies has perhaps written to the database what it has not written to the stream, and
the repeat of such a command is no news any more. So the others note who is there (a hash of
processes, each with a subscription, which ends with it), and one of them writes `_LOST`.

While Redis is away, commands are acknowledged when the database has them; their events wait in a
bounded queue. What it cannot hold is lost, and becomes a gap for every process. Where Redis has no
memory left, the older half of the stream goes: what is said now comes before what clients that are
away could be sent again.
"""

import asyncio
import logging
import time
from collections import OrderedDict, deque
from collections.abc import AsyncIterator, Callable, Collection, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from itertools import islice
from typing import Any
from uuid import uuid4

import msgspec
from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import OutOfMemoryError, ResponseError

from app.realtime.emitter import FORMAT, STREAM_ENTRIES, tls_options
from app.realtime.events import redis_work
from app.realtime.events.delivery import Delivery, Gap, Listeners, Page, gap_notice, parts
from models import publications
from models.events import Json
from models.signals import Heard

logger = logging.getLogger(__name__)

STREAM_AGE_S = 300.0
"""Older ones go, too: no process or client that was away for longer is helped by them."""

TRIM_S = 30.0

WAITING_ENTRIES = 10_000
"""Events that wait for Redis: some seconds of a busy server."""

WAITING_BYTES = 8_388_608

BATCH_ENTRIES = 200
"""Written in one transaction: large enough to make the round trip cheap, and a millisecond of
Redis's time."""

BATCH_BYTES = 262_144
"""Of one transaction: Redis holds it beside the stream until it is done."""

READ_ENTRIES = 500
POLL_S = 0.02

TURN_ENTRIES = 50
"""Entries delivered between two turns of the loop."""

ANSWER_S = 2.0
"""For an answer of Redis. A process whose Redis is slower than that works without it until it is
back: no command waits longer."""

ASKED_AT_ONCE = 8
"""Connections to Redis for clients that catch up: one each would be too many after an outage."""

BLOCK_S = 5.0
"""For the next entry; then the reader asks again."""

RETRY_MIN_S = 0.1
RETRY_MAX_S = 2.0

BEAT_S = 3.0
"""Between the entries by which a process notices that it is deaf."""

DEAF_S = 12.0
"""Four of them: its own entry was written so long ago and has not been read back."""

PRODUCERS = 1_000
"""Processes whose last numbers are known; more have never lived within `STREAM_AGE_S`."""

FLUSH_S = 1.0
"""For what still waits when the process stops."""

_Header = tuple[int, str, int, str, list[str] | None, str | None, bool]
_decode_header = msgspec.json.Decoder(_Header).decode
_decode_body = msgspec.json.Decoder(tuple[str, str, dict[str, Any] | None]).decode
_decode_signal = msgspec.json.Decoder(tuple[str, dict[str, Any]]).decode
_encode = msgspec.json.Encoder().encode

_BEGINNING_MS = 1_767_225_600_000
"""1 January 2026: offsets count from here, so that they fit 64 bits."""

_PER_MS = 10_000_000
"""Entries of one millisecond: as many as Redis takes in an hour. For so long its ids stay at the
same one when its clock was set back by that."""

_PLAIN_PER_MS = 1_000
"""More entries than Redis takes in a millisecond: those beyond tell that its clock was set back."""

_BEAT = b"[]"
_LOST = b'["lost"]'

_NONE = "0-0"
"""The id before the first one."""


@dataclass(slots=True)
class _Waiting:
    number: int
    fields: dict[bytes, bytes]
    size: int
    settled: asyncio.Future[None] | None


class RedisLog:
    """The log of events in Redis, for one process."""

    def __init__(
        self,
        url: str,
        name: str,
        *,
        verify_tls: bool = True,
        stream_entries: int = STREAM_ENTRIES,
    ) -> None:
        """Make the log; `running` connects it.

        Args:
            url: `redis://`, `rediss://` or `unix://`.
            name: of the application; several can share one Redis.
            verify_tls: check the certificate of a `rediss://` server.
            stream_entries: how many of the newest events the stream keeps.
        """
        self._url = url
        self.name = name
        self._stream = f"{name}:events"
        self._epoch_key = f"{name}:epoch"
        self._processes = f"{name}:processes"
        self._listeners: Listeners | None = None
        self._announce: Callable[[bool], None] = lambda is_certain: None
        self._verify_tls = verify_tls
        self._stream_entries = stream_entries
        self.producer = uuid4().hex[:12]
        self._number = 0
        self._waiting: deque[_Waiting] = deque()
        self._waiting_bytes = 0
        self._wake = asyncio.Event()
        self._empty = asyncio.Event()
        self._connected = asyncio.Event()
        self._asked: Any = None
        self._asking_turn = asyncio.Semaphore(ASKED_AT_ONCE)
        self._numbers: OrderedDict[str, int] = OrderedDict()
        # Until Redis was asked: nothing that any client knows.
        self._epoch = uuid4().hex[:12]
        self._placed = asyncio.Event()
        self._last = _NONE
        self._position = _offset(self._epoch, _NONE)
        self._is_writing = False
        self._is_reading = False
        self._is_full = False
        self._is_elsewhere = False
        # Of the connection that writes: its id, where the stream was before what is under way.
        self._writer_id: int | None = None
        self._written_id: str | None = None
        self._is_unsure = False
        self._written: tuple[int, float] = (0, time.monotonic())
        self._read_back = 0
        self._heard: dict[str, Heard] = {}
        self._is_hearing = False
        self._after: deque[tuple[int, Callable[[], None]]] = deque()
        self.observe: Callable[[float], None] = lambda seconds: None
        """Called with the time from an event's publication until it was read back: of one event at
        a time, since all that are under way take as long."""

        self._timed: tuple[int, float] | None = None
        self._lost_logged = 0
        self.lost = 0
        """Events that the queue could not hold."""

        self.unknown = 0
        """Entries of a format that this process does not know."""

        self.gaps = 0
        """Times that the connections here were told to catch up."""

        self.deaf = 0
        """Times that this process did not read what it had written, and began to listen anew."""

    @property
    def problem(self) -> str | None:
        """What keeps this process from hearing the others, in one sentence; None when nothing."""
        if self._is_full and self._is_reading:
            return "Redis has no memory left; events wait for it."
        if not self._is_writing or not self._is_reading:
            return "Redis cannot be reached; events wait for it."
        if self._is_deaf():
            return "This process does not receive the events of the others."
        return None

    @property
    def stream_id(self) -> str:
        """What names the stream: the same for all processes that read it."""
        return self._epoch.partition(".")[0]

    @property
    def waiting(self) -> int:
        """How many events wait for Redis."""
        return len(self._waiting)

    @property
    def position(self) -> str:
        """The offset of what was delivered here last."""
        return self._position

    def begin(self, listeners: Listeners) -> None:
        """Deliver to these from now on."""
        self._listeners = listeners

    def announce_gaps(self, announce: Callable[[bool], None]) -> None:
        """Have `announce` called when events were lost for those who are connected here.

        Its argument is False where that is only possible: another process has died.
        """
        self._announce = announce

    def receive(self, name: str, heard: Heard) -> None:
        """Have `heard` called with signals of other processes; see `Signals`."""
        self._heard[name] = heard

    def send(self, name: str, data: Mapping[str, Json]) -> None:
        """Tell all other processes, after what was published before it."""
        self._put("", None, None, True, _encode((name, data)))

    def after_published(self, done: Callable[[], None]) -> None:
        """Call `done` when what this process has published so far has come back to it.

        At once while Redis is away: what waits for it may take long. A signal is heard at its place
        among the events, so that what it does is done at once, too.
        """
        is_away = not (self._is_reading and self._is_writing)
        if is_away or self._is_hearing or self._read_back >= self._number:
            done()
        else:
            self._after.append((self._number, done))

    async def publish(self, delivery: Delivery) -> None:
        """Take an event in. It is delivered when it has come back from the stream.

        One with bytes in it reaches this process only, and at once.
        """
        frozen = delivery.frozen()
        if frozen is None:
            if self._listeners is not None:
                self._listeners.deliver(delivery, None)
            return
        body = _encode((frozen.event, frozen.encoded, frozen.private))
        self._put(frozen.namespace, frozen.rooms, frozen.except_room, delivery.volatile, body)

    def _put(
        self,
        namespace: str,
        rooms: tuple[str, ...] | None,
        except_room: str | None,
        volatile: bool,
        body: bytes,
    ) -> None:
        self._number += 1
        number = self._number
        header = _encode((FORMAT, self.producer, number, namespace, rooms, except_room, volatile))
        size = len(header) + len(body)
        if len(self._waiting) >= WAITING_ENTRIES or self._waiting_bytes + size > WAITING_BYTES:
            # Readers see that the number is missing.
            if self.lost == self._lost_logged:
                logger.error("events are lost: too many wait for Redis")
            self.lost += 1
            return
        if self._timed is None:
            self._timed = number, time.monotonic()
        settled = None
        if self._is_writing and body != _BEAT:
            settled = asyncio.get_running_loop().create_future()
            publications.note(settled)
        self._waiting.append(_Waiting(number, {b"h": header, b"b": body}, size, settled))
        self._waiting_bytes += size
        self._empty.clear()
        self._wake.set()

    async def read(
        self,
        after: str,
        rooms: Collection[str],
        limit: int,
        *,
        namespace: str | None = None,
        received_s: float | None = None,
    ) -> Page:
        """Return events after an offset, from the stream; see `EventLog.read`.

        Raises:
            Gap: not everything after `after` is there, or Redis cannot be asked.
        """
        epoch, number = parts(after)
        if epoch != self._epoch or number < 0 or not self._is_reading:
            raise Gap
        last = _entry_id(number)
        if _is_after(last, self._last):
            await self._until_there(last)
        if not _is_after(self._last, last):
            return Page([], self.position)
        try:
            async with self._asking() as redis:
                await self._check_kept(redis, last, received_s)
                events: list[tuple[str, Delivery]] = []
                seen: set[tuple[str, int]] = set()
                while True:
                    found = await redis.xrange(self._stream, f"({last}", "+", READ_ENTRIES)
                    for entry_id, entry in found:
                        if _is_after(entry_id.decode(), self._last):
                            break
                        last = entry_id.decode()
                        offset = _offset(epoch, last)
                        delivery = self._wanted(entry, namespace, rooms, seen)
                        if delivery is not None:
                            events.append((offset, delivery))
                            if len(events) == limit:
                                return Page(events, offset)
                    if epoch != self._epoch:
                        raise Gap
                    if not _is_after(self._last, last):
                        return Page(events, self.position)
                    if not found:
                        raise Gap
        except redis_work.LOST:
            raise Gap from None

    async def _until_there(self, entry_id: str) -> None:
        """Wait until this process is where another one was; raise `Gap` if it does not get there.

        It gets there at once, unless Redis came back with older data.
        """
        try:
            async with asyncio.timeout(ANSWER_S):
                while _is_after(entry_id, self._last):  # noqa: ASYNC110 it has come in most cases
                    await asyncio.sleep(POLL_S)
        except TimeoutError:
            raise Gap from None

    async def _check_kept(self, redis: Any, last: str, received_s: float | None) -> None:
        """Raise `Gap` if the stream was trimmed of entries that a client has not received."""
        about = _pairs(await redis.execute_command("XINFO", "STREAM", self._stream))
        first = about[b"first-entry"]
        oldest = (first[0] if first else about[b"last-generated-id"]).decode()
        if not _is_after(oldest, last):
            return
        if last == _NONE and about.get(b"entries-added") == about[b"length"]:
            # From its first entry on.
            return
        if received_s is not None:
            seconds, _ = await redis.time()
            milliseconds, sequence = _parts(oldest)
            # What was trimmed is older still, unless the clock was set back meanwhile.
            if milliseconds < (seconds - received_s) * 1000 and sequence < _PLAIN_PER_MS:
                return
        raise Gap

    @staticmethod
    def _wanted(
        entry: dict[bytes, bytes],
        namespace: str | None,
        rooms: Collection[str],
        seen: set[tuple[str, int]],
    ) -> Delivery | None:
        try:
            header = _header(entry[b"h"])
            if entry[b"b"] == _LOST:
                if namespace is None:
                    raise Gap
                return gap_notice(namespace)
            delivery = _delivery(header, entry[b"b"])
        except (KeyError, msgspec.DecodeError):
            return None
        who = header[1], header[2]
        is_wanted = (
            delivery is not None
            and not delivery.volatile
            and who not in seen
            and namespace in (None, delivery.namespace)
            and delivery.is_for(rooms)
        )
        seen.add(who)
        return delivery if is_wanted else None

    @asynccontextmanager
    async def _asking(self) -> AsyncIterator[Any]:
        """Yield a client of Redis, for as long as it may take to answer.

        Raises:
            Gap: Redis is away. Who has waited for a turn learns it at once.
        """
        async with self._asking_turn:
            if not self._is_reading:
                raise Gap
            if self._asked is None:
                self._asked = self.connect()
            async with asyncio.timeout(ANSWER_S):
                yield self._asked

    async def carrying(self, app: object) -> AsyncIterator[None]:
        """Write and read while an application runs; what waits at its end is still written."""
        async with self.running():
            yield

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Write and read for as long as the context lasts; what waits at its end is written."""
        if self._url.startswith("rediss://") and not self._verify_tls:
            logger.warning("bus: the certificate of Redis is not checked")
        tasks = [
            asyncio.create_task(each)
            for each in (
                self._keep(self._write),
                self._keep(self._read),
                self._keep(self._watch),
                self._beat(),
            )
        ]
        # Who connects now hears all from now on; without Redis the server starts all the same.
        with suppress(TimeoutError):
            await asyncio.wait_for(self._connected.wait(), ANSWER_S)
        try:
            yield
        finally:
            if self._waiting and self._is_writing:
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._empty.wait(), FLUSH_S)
            await redis_work.end(tasks)
            self._settle_all()
            await self._sign_off()
            if self._asked is not None:
                await self._asked.aclose()

    def _note_connected(self) -> None:
        if self._is_reading and self._is_writing:
            self._connected.set()

    async def _keep(self, work: Callable[[Any], Any]) -> None:
        """Do `work` with a connection of its own, and again when that breaks."""
        pause_s, is_known = RETRY_MIN_S, False
        while True:
            began = time.monotonic()
            redis = self.connect()
            try:
                await work(redis)
            except redis_work.LOST as error:
                if not is_known:
                    # Not the message: it may repeat the address, and with it the password.
                    logger.warning(
                        "bus: %s of Redis failed: %s", work.__name__[1:], type(error).__name__
                    )
                is_known = True
            except Exception:
                logger.exception("bus: %s failed", work.__name__[1:])
            finally:
                with suppress(Exception):
                    await redis.aclose()
            if time.monotonic() - began > RETRY_MAX_S:
                pause_s, is_known = RETRY_MIN_S, False
            await asyncio.sleep(pause_s)
            pause_s = min(2 * pause_s, RETRY_MAX_S)

    def connect(self) -> Any:
        """Return a client of this Redis, not connected yet."""
        return Redis.from_url(
            self._url,
            socket_connect_timeout=ANSWER_S,
            socket_timeout=BLOCK_S + ANSWER_S,
            retry=Retry(NoBackoff(), 0),
            protocol=2,
            **tls_options(self._url, verify=self._verify_tls),
        )

    # Writing.

    async def _write(self, redis: Any) -> None:
        try:
            async with asyncio.timeout(ANSWER_S):
                await redis.ping()
            # What is written before there is a place to read from would not be heard here.
            await self._placed.wait()
            async with asyncio.timeout(ANSWER_S):
                await self._take_up(redis)
                if self._waiting:
                    await self._write_batch(redis)
            self._is_writing = True
            self._note_connected()
            trim_at = time.monotonic() + TRIM_S
            while True:
                if not self._waiting:
                    self._empty.set()
                    self._wake.clear()
                    await self._wake.wait()
                async with asyncio.timeout(ANSWER_S):
                    await self._write_batch(redis)
                    if time.monotonic() >= trim_at:
                        trim_at = time.monotonic() + TRIM_S
                        seconds, _ = await redis.time()
                        oldest = round((seconds - STREAM_AGE_S) * 1000)
                        await redis.xtrim(self._stream, minid=f"{oldest}-0")
        finally:
            self._is_writing = False
            # The database has what they tell of; nothing waits for Redis to come back.
            self._settle_all()
            self._do_after(self._number)

    async def _write_batch(self, redis: Any) -> None:
        if self._written_id is None:
            self._written_id = await self._newest(redis)
        batch = self._batch()
        # All or nothing, so that a number is never written before a lower one.
        pipeline = redis.pipeline(transaction=len(batch) > 1)
        for entry in batch:
            pipeline.execute_command(
                "XADD", self._stream, "MAXLEN", "~", self._stream_entries, "*",
                b"h", entry.fields[b"h"], b"b", entry.fields[b"b"],
            )  # fmt: skip
        self._is_unsure = True
        try:
            ids = await pipeline.execute()
        except OutOfMemoryError:
            await self._make_room(redis)
            self._is_full = True
            raise
        self._is_full = False
        self._note_written(batch[-1].number, ids[-1].decode())
        if self.lost > self._lost_logged:
            lost = self.lost - self._lost_logged
            logger.error("%d events were lost while Redis was away", lost)
            self._lost_logged = self.lost
            self._put("", None, None, True, _LOST)

    def _batch(self) -> list[_Waiting]:
        """Return what is written next, at least one."""
        batch: list[_Waiting] = []
        size = 0
        for entry in islice(self._waiting, 1 if self._is_full else BATCH_ENTRIES):
            size += entry.size
            if batch and size > BATCH_BYTES:
                break
            batch.append(entry)
        return batch

    def _note_written(self, number: int, entry_id: str) -> None:
        """Note that the stream has everything up to `number`."""
        self._is_unsure, self._written_id = False, entry_id
        while self._waiting and self._waiting[0].number <= number:
            entry = self._waiting.popleft()
            self._waiting_bytes -= entry.size
            _settle(entry)
        self._written = (number, time.monotonic())

    async def _take_up(self, redis: Any) -> None:
        """Leave out what the former connection has written though its answer did not come."""
        if self._writer_id is not None:
            # Refused where it is gone already, or where an account may not do it.
            with suppress(ResponseError):
                await redis.execute_command("CLIENT", "KILL", "ID", self._writer_id)
        self._writer_id = await redis.client_id()
        after = self._written_id
        if not self._is_unsure or after is None:
            return
        while found := await redis.xrange(self._stream, f"({after}", "+", READ_ENTRIES):
            for each, entry in found:
                after = each.decode()
                with suppress(KeyError, msgspec.DecodeError):
                    _, producer, number, *_ = _header(entry[b"h"])
                    if producer == self.producer and number > self._written[0]:
                        self._note_written(number, after)

    async def _make_room(self, redis: Any) -> None:
        """Drop the older half of the stream."""
        if not self._is_full:
            logger.error("bus: Redis has no memory left; older events are dropped")
        length = await redis.xlen(self._stream)
        await redis.xtrim(self._stream, maxlen=length // 2, approximate=False)

    def _settle_all(self) -> None:
        for entry in self._waiting:
            _settle(entry)

    async def _beat(self) -> None:
        while True:
            await asyncio.sleep(BEAT_S)
            # One at a time: they are not what is to fill the queue.
            if self._is_writing and not self._waiting:
                self._put("", None, None, True, _BEAT)

    # Who is there.

    async def _watch(self, redis: Any) -> None:
        """Be seen by the others, and note when one of them is there no more."""
        silent: set[str] = set()
        async with redis.pubsub(ignore_subscribe_messages=True) as presence:
            await presence.subscribe(self._presence_of(self.producer))
            while True:
                async with asyncio.timeout(ANSWER_S):
                    # Only then: where Redis has no memory left, it would be refused.
                    if not await redis.hexists(self._processes, self.producer):
                        await redis.hset(self._processes, self.producer, b"1")
                    epoch, is_reading = self._epoch, self._is_reading
                    found = await redis.get(self._epoch_key)
                    if is_reading and epoch == self._epoch:
                        self._is_elsewhere = found != epoch.encode()
                    known = {each.decode() for each in await redis.hkeys(self._processes)}
                    others = sorted(known - {self.producer})
                    counts = []
                    if others:
                        counts = await redis.pubsub_numsub(*map(self._presence_of, others))
                    gone = {
                        each for each, (_, count) in zip(others, counts, strict=True) if not count
                    }
                    # Twice, since a connection can be cut and made again.
                    for each in gone & silent:
                        if await redis.hdel(self._processes, each):
                            self._put("", None, None, True, _LOST)
                silent = gone
                # Confirmations end a wait, too: after a restart of Redis others take their time.
                again_at = time.monotonic() + BEAT_S
                while (left_s := again_at - time.monotonic()) > 0:
                    await presence.get_message(timeout=left_s)

    async def _sign_off(self) -> None:
        """Be missed by none of the others: all that was published is written."""
        if self._waiting:
            return
        redis = self.connect()
        with suppress(*redis_work.LOST):
            async with asyncio.timeout(FLUSH_S):
                await redis.hdel(self._processes, self.producer)
        with suppress(Exception):
            await redis.aclose()

    def _presence_of(self, producer: str) -> str:
        return f"{self.name}:there:{producer}"

    # Reading.

    async def _read(self, redis: Any) -> None:
        try:
            async with asyncio.timeout(ANSWER_S):
                await self._find_place(redis)
            self._is_elsewhere = False
            self._read_back = self._written[0]
            self._is_reading = True
            self._note_connected()
            while not self._is_deaf() and not self._is_elsewhere:
                async with asyncio.timeout(BLOCK_S + ANSWER_S):
                    found = await redis.execute_command(
                        "XREAD", "COUNT", READ_ENTRIES, "BLOCK", round(BLOCK_S * 1000),
                        "STREAMS", self._stream, self._last,
                    )  # fmt: skip
                if found:
                    await self._deliver_all(_entries(found))
            if not self._is_elsewhere:
                self.deaf += 1
                logger.error(
                    "bus: this process does not receive its own events; it subscribes again"
                )
        finally:
            self._is_reading = False
            self._do_after(self._number)

    async def _find_place(self, redis: Any) -> None:
        """Begin at the stream's end, or go on after the last entry if it is still that stream."""
        epoch, newest = await self._end_of_stream(redis)
        if not self._placed.is_set():
            self._move(epoch, newest)
            self._placed.set()
        elif self._epoch != epoch:
            # All that is in it came after what was read.
            self._begin_anew(epoch, _NONE, "Redis has lost its events.")
        elif _is_after(self._last, newest):
            # An older copy of the data: ids from here on may have been used before.
            await redis.set(self._epoch_key, f"{epoch}.{newest}")
            self._begin_anew(f"{epoch}.{newest}", newest, "Redis has lost its newest events.")

    async def _end_of_stream(self, redis: Any) -> tuple[str, str]:
        # Read first: where Redis has no memory left, it would refuse to set it.
        epoch = await redis.get(self._epoch_key)
        if epoch is None:
            await redis.set(self._epoch_key, uuid4().hex[:12], nx=True)
            epoch = await redis.get(self._epoch_key)
        return epoch.decode(), await self._newest(redis)

    async def _newest(self, redis: Any) -> str:
        newest = await redis.xrevrange(self._stream, count=1)
        return newest[0][0].decode() if newest else _NONE

    def _begin_anew(self, epoch: str, last: str, reason: str) -> None:
        self._move(epoch, last)
        self._numbers.clear()
        self._note_gap(reason)

    def _move(self, epoch: str, last: str) -> None:
        self._epoch, self._last = epoch, last
        self._position = _offset(epoch, last)

    def _note_gap(self, reason: str, *, is_certain: bool = True) -> None:
        self.gaps += 1
        logger.warning("bus: %s Clients are asked to catch up.", reason)
        self._announce(is_certain)

    def _is_deaf(self) -> bool:
        number, at = self._written
        return self._is_reading and self._read_back < number and time.monotonic() - at > DEAF_S

    async def _deliver_all(self, entries: list[tuple[bytes, dict[bytes, bytes]]]) -> None:
        for count, (entry_id, entry) in enumerate(entries, 1):
            self._move(self._epoch, entry_id.decode())
            try:
                self._deliver(entry)
            except Exception:
                # One bad entry must not keep the others from being heard.
                logger.exception("bus: an entry could not be delivered")
            if count % TURN_ENTRIES == 0:
                await asyncio.sleep(0)

    def _deliver(self, entry: dict[bytes, bytes]) -> None:
        try:
            header = _header(entry[b"h"])
        except (KeyError, msgspec.DecodeError):
            self.unknown += 1
            return
        _, producer, number, namespace, *_ = header
        missing = self._missing_before(producer, number)
        if missing is None:
            return
        if missing or entry[b"b"] == _LOST:
            reason = "Events are missing." if missing else "A process has died."
            self._note_gap(reason, is_certain=missing > 0)
        if not namespace:
            if producer != self.producer:
                self._hear(entry[b"b"])
            self._note_read(producer, number)
            return
        try:
            self._hand_over(header, entry)
        finally:
            self._note_read(producer, number)

    def _hand_over(self, header: _Header, entry: dict[bytes, bytes]) -> None:
        _, _, _, namespace, rooms, _, volatile = header
        if self._listeners is None:
            return
        # Work for rooms that are held elsewhere ends here.
        if rooms is None or self._listeners.has_listeners(namespace, rooms):
            delivery = _delivery(header, entry[b"b"])
            if delivery is not None:
                self._listeners.deliver(delivery, None if volatile else self._position)

    def _note_read(self, producer: str, number: int) -> None:
        if producer == self.producer:
            self._read_back = number
            if self._timed is not None and number >= self._timed[0]:
                self.observe(time.monotonic() - self._timed[1])
                self._timed = None
            self._do_after(number)

    def _do_after(self, number: int) -> None:
        while self._after and self._after[0][0] <= number:
            self._after.popleft()[1]()

    def _hear(self, body: bytes) -> None:
        if body in (_BEAT, _LOST):
            return
        name, data = _decode_signal(body)
        heard = self._heard.get(name)
        # A process of a later version may know more of them.
        if heard is None:
            self.unknown += 1
            return
        self._is_hearing = True
        try:
            heard(data)
        finally:
            self._is_hearing = False

    def _missing_before(self, producer: str, number: int) -> int | None:
        """Return how many entries are missing before this one; None if it was read before."""
        last = self._numbers.get(producer)
        if last is not None and number <= last:
            return None
        self._numbers[producer] = number
        self._numbers.move_to_end(producer)
        if len(self._numbers) > PRODUCERS:
            self._numbers.popitem(last=False)
        return 0 if last is None else number - last - 1


def _settle(entry: _Waiting) -> None:
    if entry.settled is not None and not entry.settled.done():
        entry.settled.set_result(None)


def _entries(found: Any) -> list[tuple[bytes, dict[bytes, bytes]]]:
    """Return the entries of XREAD's answer, in either form that the library makes of it."""
    streams = found.items() if isinstance(found, dict) else found
    entries = []
    for _, batch in streams:
        for entry_id, flat in batch:
            entries.append((entry_id, _pairs(flat)))
    return entries


def _header(encoded: bytes) -> _Header:
    """Return the header of an entry.

    Raises:
        msgspec.DecodeError: it has another format.
    """
    header: _Header = _decode_header(encoded)
    if header[0] != FORMAT:
        raise msgspec.DecodeError("an unknown format")
    return header


def _delivery(header: _Header, body: bytes) -> Delivery | None:
    """Return the delivery that an entry is of; None for a sign of life."""
    _, _, _, namespace, rooms, except_room, volatile = header
    if not namespace:
        return None
    event, encoded, private = _decode_body(body)
    delivery = Delivery.from_text(
        namespace, event, encoded, None if rooms is None else tuple(rooms), except_room, private
    )
    delivery.volatile = volatile
    return delivery


def _offset(epoch: str, entry_id: str) -> str:
    milliseconds, number = _parts(entry_id)
    since = max(0, milliseconds - _BEGINNING_MS)
    return f"{epoch}-{since * _PER_MS + min(number, _PER_MS - 1)}"


def _entry_id(number: int) -> str:
    milliseconds, sequence = divmod(number, _PER_MS)
    return f"{milliseconds + _BEGINNING_MS}-{sequence}" if number else _NONE


def _pairs(flat: Any) -> dict[Any, Any]:
    """Return the fields of an answer, in either form that the library makes of it."""
    if not isinstance(flat, dict):
        return dict(zip(flat[::2], flat[1::2], strict=True))
    return {key.encode() if isinstance(key, str) else key: flat[key] for key in flat}


def _is_after(one: str, other: str) -> bool:
    return _parts(one) > _parts(other)


def _parts(entry_id: str) -> tuple[int, int]:
    milliseconds, _, number = entry_id.partition("-")
    return int(milliseconds), int(number)
