"""Connection state recovery: a client that comes back soon goes on where it was.

In the CONNECT answer a client gets `pid`, a secret name of its connection, and at the end of each
event the event's offset. Back within the window with `{pid, offset}`, it gets its former id, rooms
and session, and the events that it has missed; the answer has the same `pid`, by which the client
knows. The position noted at CONNECT stands for the offset of a client that has had no event yet.

What is kept of a connection that is gone is its `Record`, bound to its account. Anyone who lets
clients in (`namespaces.gateway`) authenticates them first and enters the rooms anew, by the
domain's own rules; if anything is refused, or events are no longer kept, the client begins anew.
"""

import asyncio
import logging
import secrets
import sys
import time
from collections.abc import Callable, Collection, Iterable, Mapping
from datetime import UTC, datetime
from typing import Any, NamedTuple

from app.realtime.engineio.packets import Packet
from app.realtime.engineio.session import Reason, Session
from app.realtime.events.delivery import EventLog, Gap, later, read_all
from app.realtime.rooms import event_packet, tail_of
from app.realtime.socketio.records import SharedRecords, Stored, session_json

logger = logging.getLogger(__name__)

TAKE_OVER_S = 5.0
"""For the end of a connection whose client is back on another one: what it has sent is handled
first. After that the client begins anew."""

RECORDS_BYTES = 16_777_216
"""What records of clients that are away may take together: some 30,000 of them, more than lose a
process's connections at once. The oldest go first."""

RECORD_BYTES = 400
"""Of a record: its objects, ids and place in the tables."""


class Record:
    """What is kept of one client in one namespace."""

    __slots__ = (
        "ended",
        "left_at",
        "namespace",
        "owner",
        "pid",
        "places",
        "received_at",
        "rooms",
        "session",
        "sid",
        "size",
        "start",
        "user_session",
    )

    def __init__(
        self, pid: str, namespace: str, sid: str, owner: str, session: Session | None, start: str
    ) -> None:
        self.pid = pid
        self.namespace = namespace
        self.sid = sid

        self.owner = owner
        """The account: no one else may go on with it."""

        self.session = session
        """The connection, while there is one."""

        self.start = start
        """The log's position when the client came: what it has missed is later."""

        self.ended: asyncio.Future[None] | None = None
        """Set when the connection has left everything; there for who waits for that."""

        # Of a client that is away.
        self.left_at = 0.0
        self.received_at = 0.0
        """Until when all that was sent has reached it. In monotonic seconds, as `left_at`."""

        self.rooms: frozenset[str] = frozenset()
        self.places: Any = None
        """What the domain has noted of its own."""

        self.user_session: Any = None
        self.size = 0

    @property
    def is_away(self) -> bool:
        """Whether the connection is gone."""
        return self.session is None

    @property
    def away_since(self) -> datetime:
        """The time at which the connection was gone."""
        away_s = time.monotonic() - self.left_at
        return datetime.fromtimestamp(time.time() - away_s, UTC)


OUTCOMES = ("recovered", "gap", "unknown")
"""It got all that it missed; not all of that is known, or it may no longer be where it was; it was
away for too long, or is not known here."""


Look = Callable[[str], tuple[frozenset[str], Any]]


class Missed(NamedTuple):
    """What a client that is back has missed."""

    record: Record
    start: str
    """Behind which it was sought."""

    packets: list[Packet]


class Recovery:
    """The records of one process."""

    def __init__(
        self,
        log: EventLog,
        *,
        window_s: float,
        replay_bytes: int,
        shared: SharedRecords | None = None,
    ) -> None:
        """Make an empty one.

        Args:
            log: where events are read again.
            window_s: for how long a client may be away.
            replay_bytes: what is sent again at once, at most.
            shared: keeps the records where all processes find them; by default this one does.
        """
        self._shared = shared
        self._looks: dict[str, Look] = {}
        self._ending: dict[str, asyncio.Future[None]] = {}
        """By id: connections whose record is shared, and that have not left everything."""

        if shared is not None:
            shared.serve(self._stored, self._close)
        self._log = log
        self._window_s = window_s
        self._replay_bytes = replay_bytes
        self._here: dict[str, Record] = {}
        self._of_pid: dict[str, Record] = {}
        # In the order in which they left.
        self._away: dict[str, Record] = {}
        self._away_bytes = 0
        self._welcomes: dict[str, Missed] = {}
        self.outcomes = dict.fromkeys(OUTCOMES, 0)
        """What became of clients that wanted to go on."""

    def note_outcome(self, auth: object, record: Record | None, missed: Missed | None) -> None:
        """Count a client that named a record when it connected, and what came of that."""
        if isinstance(auth, Mapping) and isinstance(auth.get("pid"), str):
            self.outcomes["recovered" if missed else "gap" if record else "unknown"] += 1

    def is_wanted(self, auth: object) -> bool:
        """Return whether a client wants offsets at the end of events: `recovery: false` says no."""
        return not (isinstance(auth, Mapping) and auth.get("recovery") is False)

    async def claim(self, auth: object, namespace: str, owner: str) -> Record | None:
        """Return the record that a client names, if it may go on with it; it is its alone then.

        A connection that still looks open is closed first: its client is back on another one.
        """
        pid = auth.get("pid") if isinstance(auth, Mapping) else None
        if self._shared is not None:
            return await self._claim_shared(pid, namespace, owner) if isinstance(pid, str) else None
        record = self._of_pid.get(pid) if isinstance(pid, str) else None
        if record is None or (record.namespace, record.owner) != (namespace, owner):
            return None
        is_ending = record.session is not None or record.ended is not None
        if is_ending and not await self._take_over(record):
            return None
        if self._of_pid.get(record.pid) is not record:
            # Another one was faster.
            return None
        del self._of_pid[record.pid]
        self._forget_away(record)
        return record if record.left_at + self._window_s >= time.monotonic() else None

    async def _take_over(self, record: Record) -> bool:
        """Close a connection and wait until it has left everything."""
        if record.ended is None:
            record.ended = asyncio.get_running_loop().create_future()
        if record.session is not None:
            record.session.close(Reason.TRANSPORT_CLOSE)
        try:
            async with asyncio.timeout(TAKE_OVER_S):
                await asyncio.shield(record.ended)
        except TimeoutError:
            logger.warning("a connection does not end; its client begins anew")
            return False
        return True

    def restore(self, record: Record, *, is_ending: bool = False) -> None:
        """Keep a record that was claimed and is not used after all.

        With `is_ending` a connection has its id that is gone, but has not left everything.
        """
        if self._shared is not None:
            if is_ending:
                self._ending[record.sid] = asyncio.get_running_loop().create_future()
            left_ago_s = time.monotonic() - record.left_at
            self._shared.end(record.pid, self._as_stored(record), left_ago_s)
            return
        if is_ending:
            record.ended = asyncio.get_running_loop().create_future()
        self._keep(record)

    async def missed(self, record: Record, auth: object, rooms: Collection[str]) -> Missed | None:
        """Return what a client has missed in its rooms, its own among them; None if not all of it
        is known.

        Nothing is awaited between the last look at the log and the return: who enters the rooms
        now goes on without a hole.
        """
        offset = auth.get("offset") if isinstance(auth, Mapping) else None
        # An offset before the start is left over from an earlier connection of that client.
        start = later(record.start, offset if isinstance(offset, str) else None)
        received_s = time.monotonic() - record.received_at
        try:
            events = await read_all(
                self._log,
                start,
                rooms,
                self._replay_bytes,
                namespace=record.namespace,
                received_s=received_s,
            )
        except Gap:
            return None
        packets = [
            event_packet(
                delivery.namespace, delivery.event, delivery.encoded or "", tail_of(delivery, each)
            )
            for each, delivery in events
        ]
        return Missed(record, start, packets)

    def begin(
        self,
        namespace: str,
        sid: str,
        owner: str,
        session: Session,
        missed: Missed | None = None,
        *,
        look: Look,
    ) -> None:
        """Note a client that is let in now, and perhaps goes on with the record of `missed`.

        `look` returns the rooms of a client of that namespace, and what the domain has noted.
        """
        self._looks[namespace] = look
        if missed is not None:
            pid, start = missed.record.pid, missed.start
            self._welcomes[sid] = missed
            if missed.record.user_session is not None:
                session.session[namespace] = missed.record.user_session
        else:
            pid, start = secrets.token_urlsafe(16), self._log.position
        record = Record(pid, namespace, sid, owner, session, start)
        self._here[sid] = self._of_pid[pid] = record
        if self._shared is not None:
            self._shared.begin(pid)

    def changed(self, sid: str) -> asyncio.Future[None] | None:
        """Note that a client has entered or left a room; return what is done when all may know."""
        record = self._here.get(sid)
        if record is None or self._shared is None:
            return None
        return self._shared.change(record.pid)

    def welcome(self, sid: str) -> tuple[str | None, list[Packet]]:
        """Return what the CONNECT answer says: `pid`, and the events that go out after it."""
        record = self._here.get(sid)
        missed = self._welcomes.pop(sid, None)
        return record.pid if record is not None else None, missed.packets if missed else []

    def leave(self, sid: str, rooms: Iterable[str], places: object) -> None:
        """Keep what a connection that ends was in."""
        record = self._here.pop(sid, None)
        if record is None or record.session is None:
            return
        session, record.session = record.session, None
        record.left_at, record.received_at = time.monotonic(), session.received_at
        record.rooms, record.places = frozenset(rooms), places
        record.user_session = session.session.get(record.namespace)
        if self._shared is not None:
            self._of_pid.pop(record.pid, None)
            self._ending[sid] = asyncio.get_running_loop().create_future()
            self._shared.end(record.pid, self._as_stored(record))
            return
        if record.ended is None:
            # Who comes back meanwhile waits until the domain has let it go.
            record.ended = asyncio.get_running_loop().create_future()
        self._keep(record)

    def ended(self, sid: str) -> None:
        """Note that a connection has left everything: its id is free."""
        ending = self._ending.pop(sid, None)
        if ending is not None:
            ending.set_result(None)
        for record in (self._away.get(sid), self._here.get(sid)):
            if record is not None and record.ended is not None and record.session is None:
                record.ended.set_result(None)
                record.ended = None

    def forget(self, sid: str) -> None:
        """Forget a client that has left, or was disconnected."""
        record = self._here.pop(sid, None)
        if record is not None:
            self._of_pid.pop(record.pid, None)
            if self._shared is not None:
                self._shared.forget(record.pid)
            if record.ended is not None and not record.ended.done():
                record.ended.set_result(None)

    # With records that all processes share.

    async def _claim_shared(self, pid: str, namespace: str, owner: str) -> Record | None:
        assert self._shared is not None
        found = await self._shared.take(pid, namespace, owner)
        if found is None:
            return None
        stored = found.stored
        record = Record(pid, namespace, stored.sid, owner, None, stored.start)
        record.left_at = time.monotonic() - found.left_ago_s
        record.received_at = time.monotonic() - found.received_ago_s
        record.rooms, record.places = frozenset(stored.rooms), stored.places
        record.user_session = stored.user_session
        ending = self._ending.get(record.sid)
        if ending is not None:
            try:
                async with asyncio.timeout(TAKE_OVER_S):
                    await asyncio.shield(ending)
            except TimeoutError:
                logger.warning("a connection does not end; its client begins anew")
                return None
        return record

    def _stored(self, pid: str) -> Stored | None:
        """Return the record of a connection as it is now."""
        record = self._of_pid.get(pid)
        if record is None or record.session is None:
            return None
        record.rooms, record.places = self._looks[record.namespace](record.sid)
        record.user_session = record.session.session.get(record.namespace)
        return self._as_stored(record)

    def _as_stored(self, record: Record) -> Stored:
        received_ago_s = record.left_at - record.received_at if record.is_away else None
        assert self._shared is not None
        return Stored(
            self._shared.process,
            record.namespace,
            record.sid,
            record.owner,
            record.start,
            sorted(record.rooms),
            record.places,
            session_json(record.user_session),
            None if received_ago_s is None else round(received_ago_s * 1000),
        )

    def _close(self, pid: str) -> None:
        """Close a connection whose client is back at another process."""
        record = self._of_pid.get(pid)
        if record is not None and record.session is not None:
            record.session.close(Reason.TRANSPORT_CLOSE)

    def _keep(self, record: Record) -> None:
        record.size = RECORD_BYTES + sum(map(sys.getsizeof, record.rooms)) * 2
        self._of_pid[record.pid] = self._away[record.sid] = record
        self._away_bytes += record.size
        expired_at = time.monotonic() - self._window_s
        while self._away:
            oldest = next(iter(self._away.values()))
            if oldest.left_at >= expired_at and self._away_bytes <= RECORDS_BYTES:
                break
            self._forget_away(oldest)
            self._of_pid.pop(oldest.pid, None)

    def _forget_away(self, record: Record) -> None:
        if self._away.pop(record.sid, None) is not None:
            self._away_bytes -= record.size
