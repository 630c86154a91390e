"""Rooms: who is in them, and the step that delivers an event to everyone there.

Socket.IO clients and raw peers share one set of rooms. A room name means the same for both; a
Socket.IO client is in it for one namespace, a raw peer for every domain its dialect speaks of.
"""

import logging
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from functools import lru_cache
from heapq import nlargest
from operator import itemgetter
from typing import Any, Protocol

import socketio
from bidict import bidict

from app.realtime import wirejson
from app.realtime.engineio import packets
from app.realtime.engineio.packets import Packet
from app.realtime.events.delivery import Delivery, EventLog
from app.realtime.events.memorylog import MemoryLog
from app.realtime.websocket import outbox
from app.realtime.websocket.frames import text_frame
from app.realtime.websocket.outbox import Outgoing

logger = logging.getLogger(__name__)

LATE_ACKS = 100
"""Acks of a client that may come late: of more it is not known that they were asked for."""


class Renderer(Protocol):
    """The frames of raw peers of one kind."""

    def render(self, domain: str, event: str, data: dict[str, Any]) -> str | None:
        """Return the frame's text for an event, or None if the dialect has none for it."""


class Peer(Protocol):
    """A raw-WebSocket connection."""

    @property
    def dialect(self) -> Renderer:
        """What this peer's frames are made by; the same object for all of its kind."""

    @property
    def socket(self) -> Outgoing | None:
        """Where its frames go; None when it is gone."""

    @property
    def cursor(self) -> object | None:
        """None for a peer whose frames have no cursor."""


class Member(Protocol):
    """An Engine.IO session of a Socket.IO client."""

    @property
    def sid(self) -> str:
        """Its Engine.IO id."""

    @property
    def socket(self) -> Outgoing | None:
        """Where its frames go; None on long-polling."""

    def send(self, packet: Packet) -> None:
        """Send a packet whichever way; never waits."""


class RoomManager(socketio.AsyncManager):  # type: ignore[misc]
    """The rooms of this process, and local delivery.

    `rooms[namespace][room]` maps Socket.IO ids to their sessions, in plain dicts. Room `None`
    (everyone) maps to Engine.IO ids in a bidict, as the base class reads it. A client's own room,
    named by its id, takes no space.
    """

    def __init__(self, log: EventLog | None = None) -> None:
        """Publish through `log`, by default one that keeps nothing."""
        super().__init__()
        self.log: EventLog = MemoryLog() if log is None else log
        self.log.begin(self)
        # Lists: a connection is in a few rooms, and a set is twice as large.
        self._rooms_of: dict[str, list[str]] = {}
        # By namespace: the clients that receive the offset of each event.
        self._numbered: dict[str, set[str]] = {}
        self._peers: dict[str, dict[Peer, None]] = {}
        self._rooms_of_peer: dict[Peer, list[str]] = {}
        self._leaving: dict[tuple[object, str], object] = {}
        self.frames_sent: Counter[Renderer | None] = Counter()
        """Frames of events to the raw peers of each dialect, and to Socket.IO clients (None)."""

    @property
    def room_count(self) -> int:
        """How many rooms have members: of each namespace, and of raw peers."""
        return sum(map(len, self.rooms.values())) + len(self._peers)

    def largest_rooms(self, count: int) -> list[tuple[str, str, int]]:
        """Return the rooms with the most members: namespace (`raw` for peers), name, members."""
        found = [
            (namespace, str(room), len(members))
            for namespace, rooms in self.rooms.items()
            for room, members in rooms.items()
            if room is not None
        ]
        found += [("raw", room, len(peers)) for room, peers in self._peers.items()]
        return nlargest(count, found, key=itemgetter(2))

    def leave_after_published(
        self, member: object, room: str, leave: Callable[[Any, str], None]
    ) -> None:
        """Call `leave(member, room)` when all that was published here has been delivered here.

        Not if the member `stays`. So it receives what was published before it left.
        """
        token = self._leaving[member, room] = object()

        def done() -> None:
            if self._leaving.get((member, room)) is token:
                del self._leaving[member, room]
                leave(member, room)

        self.log.after_published(done)

    def stays(self, member: object, room: str) -> None:
        """Let a member that was to leave a room be in it after all."""
        if self._leaving:
            self._leaving.pop((member, room), None)

    # Raw peers.

    def enter_peer(self, peer: Peer, rooms: Iterable[str]) -> None:
        """Put a raw peer into rooms."""
        for room in rooms:
            self.stays(peer, room)
            members = self._peers.setdefault(room, {})
            if peer not in members:
                members[peer] = None
                self._rooms_of_peer.setdefault(peer, []).append(room)

    def leave_peer(self, peer: Peer, room: str) -> None:
        """Take a raw peer out of one room."""
        members = self._peers.get(room)
        if members is not None and members.pop(peer, peer) is None:
            self._rooms_of_peer[peer].remove(room)
            if not members:
                del self._peers[room]

    def rooms_of_peer(self, peer: Peer) -> list[str]:
        """Return the rooms that a raw peer is in."""
        return sorted(self._rooms_of_peer.get(peer, ()))

    def remove_peer(self, peer: Peer) -> None:
        """Take a raw peer out of all rooms."""
        for room in tuple(self._rooms_of_peer.get(peer, ())):
            self.leave_peer(peer, room)
        self._rooms_of_peer.pop(peer, None)

    # Delivery.

    def has_listeners(self, namespace: str, rooms: Iterable[str]) -> bool:
        """Return whether anyone here is in at least one of the rooms."""
        clients = self.rooms.get(namespace, {})
        everyone = clients.get(None, {})
        peers = self._peers
        return any(room in clients or room in peers or room in everyone for room in rooms)

    async def emit(
        self,
        event: str,
        data: Any,
        namespace: str,
        room: Any = None,
        skip_sid: Any = None,
        callback: Any = None,
        to: Any = None,
        except_room: str | None = None,
        private: Mapping[str, Any] | None = None,
        volatile: bool = False,
        **kwargs: Any,
    ) -> None:
        """Publish an event to rooms, through the log.

        `except_room` is Socket.IO's `except`: who is in that room receives nothing. `private` is
        merged into the data that dialects render, and reaches no Socket.IO client. What is
        `volatile` has no offset. With `skip_sid` or `callback`, which name clients of this process,
        it passes the log and reaches this process only.
        """
        targets = to or room
        rooms = (
            targets
            if targets is None
            else tuple(targets)
            if isinstance(targets, (list, tuple))
            else (targets,)
        )
        delivery = Delivery(namespace, event, data, rooms, except_room, private, volatile)
        if skip_sid is None and callback is None:
            await self.log.publish(delivery)
            return
        skipped = self._skipped(delivery)
        skipped |= set(skip_sid) if isinstance(skip_sid, list) else {skip_sid} - {None}
        self._send_to_peers(delivery, None)
        if callback is None:
            self._send_to_clients(delivery, None, skipped)
        else:
            await super().emit(event, data, namespace, targets, list(skipped), callback, **kwargs)

    def send_to_client(self, sid: str, event: str, data: Any, namespace: str) -> None:
        """Send to one client of this process, past the log."""
        self._send_to_clients(Delivery(namespace, event, data, (sid,), volatile=True), None, set())

    def deliver(self, delivery: Delivery, offset: str | None) -> None:
        """Hand an event to all members here, encoded once for each wire form, written in order."""
        self._send_to_peers(delivery, offset)
        self._send_to_clients(delivery, offset, self._skipped(delivery))

    def _skipped(self, delivery: Delivery) -> set[str]:
        rooms = self.rooms.get(delivery.namespace)
        if rooms is None or delivery.except_room is None:
            return set()
        return set(rooms.get(delivery.except_room, ()))

    def _send_to_clients(self, delivery: Delivery, offset: str | None, skipped: set[str]) -> None:
        namespace = delivery.namespace
        if namespace not in self.rooms:
            return
        members = self._members(namespace, delivery.rooms)
        if skipped:
            members = {sid: session for sid, session in members.items() if sid not in skipped}
        if not members:
            return
        numbered = self._numbered.get(namespace)
        if numbered is None:
            self._send(self._message(delivery), members.values())
        elif len(numbered) == len(self.rooms[namespace][None]):
            self._send(self._numbered_message(delivery, offset), members.values())
        else:
            with_offset = [session for sid, session in members.items() if sid in numbered]
            without = [session for sid, session in members.items() if sid not in numbered]
            if with_offset:
                self._send(self._numbered_message(delivery, offset), with_offset)
            if without:
                self._send(self._message(delivery), without)

    def _send(self, message: Packet, sessions: Collection[Member]) -> None:
        self.frames_sent[None] += len(sessions)
        if message.has_binary:
            for session in sessions:
                session.send(message)
            return
        sockets = [session.socket for session in sessions if session.socket is not None]
        if sockets:
            outbox.current().write_to_all(sockets, message.frame)
        if len(sockets) < len(sessions):
            for session in sessions:
                if session.socket is None:
                    session.send(message)

    def _numbered_message(self, delivery: Delivery, offset: str | None) -> Packet:
        return self._message(delivery, tail_of(delivery, offset))

    def _message(self, delivery: Delivery, tail: str = "") -> Packet:
        encoded = delivery.encoded
        if encoded is not None:
            return event_packet(delivery.namespace, delivery.event, encoded, tail)
        make = self.server.packet_class(
            socketio.packet.EVENT,
            namespace=delivery.namespace,
            data=[delivery.event, *delivery.arguments, *([None] if tail else [])],
        )
        parts = make.encode()
        return Packet(packets.MESSAGE, *(parts if isinstance(parts, list) else [parts]))

    def _send_to_peers(self, delivery: Delivery, offset: str | None) -> None:
        names = delivery.rooms
        rooms = [self._peers[name] for name in names or () if name in self._peers]
        if not rooms:
            return
        members = rooms[0] if len(rooms) == 1 else {peer: None for room in rooms for peer in room}
        skipped = self._peers.get(delivery.except_room, {}) if delivery.except_room else {}
        plain: defaultdict[Renderer, list[Outgoing]] = defaultdict(list)
        numbered: defaultdict[Renderer, list[Outgoing]] = defaultdict(list)
        for peer in members:
            if peer.socket is not None and peer not in skipped:
                (plain if peer.cursor is None else numbered)[peer.dialect].append(peer.socket)
        for audiences, cursor in ((plain, None), (numbered, offset or self.log.position)):
            for dialect, sockets in audiences.items():
                frame = frame_of(dialect, delivery, cursor)
                if frame is not None:
                    self.frames_sent[dialect] += len(sockets)
                    outbox.current().write_to_all(sockets, frame)

    # Membership of Socket.IO clients: the base class's, lean, and quick to leave.

    def _members(self, namespace: str, targets: Any) -> dict[str, Member]:
        rooms = self.rooms.get(namespace, {})
        everyone = rooms.get(None, {})
        if targets is None:
            # Who is not let in yet receives nothing.
            pending = self.pending_connect.get(namespace, ())
            return self._sessions({sid: everyone[sid] for sid in everyone if sid not in pending})
        names = targets if isinstance(targets, (list, tuple)) else [targets]
        if len(names) == 1 and names[0] in rooms:
            # The common case of a large room is spared the copy; no one changes it meanwhile.
            alone: dict[str, Member] = rooms[names[0]]
            return alone
        members: dict[str, Member] = {}
        for name in names:
            if name in rooms:
                members.update(rooms[name])
            elif name in everyone:
                members.update(self._sessions({name: everyone[name]}))
        return members

    def _sessions(self, eio_sids: dict[str, str]) -> dict[str, Member]:
        """Return the sessions of those that have not just ended."""
        sessions: dict[str, Member] = self.server.eio.sockets
        return {sid: sessions[eio_sid] for sid, eio_sid in eio_sids.items() if eio_sid in sessions}

    def get_participants(self, namespace: str, room: Any) -> Iterator[tuple[str, str]]:
        """Return (sid, Engine.IO sid) of the members of a room or of several."""
        for sid, session in tuple(self._members(namespace, room).items()):
            yield sid, session.sid

    def get_rooms(self, sid: str, namespace: str) -> list[str]:
        """Return the rooms a client is in, its own included."""
        own = [sid] if self.is_sid_room(namespace, sid) else []
        return own + sorted(self._rooms_of.get(sid, ()))

    def basic_enter_room(
        self, sid: str, namespace: str, room: str | None, eio_sid: str | None = None
    ) -> None:
        """Put a client into a room; `None` is the namespace itself."""
        if room is None:
            self.rooms.setdefault(namespace, {}).setdefault(None, bidict())[sid] = eio_sid
        elif room != sid:
            if self.is_sid_room(namespace, room):
                raise ValueError("cannot enter a sid room")
            rooms = self.rooms.get(namespace, {})
            if sid not in rooms.get(None, {}):
                raise ValueError("sid is not connected to requested namespace")
            session = self.server.eio.sockets.get(rooms[None][sid])
            # One that has just ended is about to be taken out of everything.
            if session is not None and sid not in rooms.get(room, ()):
                rooms.setdefault(room, {})[sid] = session
                self._rooms_of.setdefault(sid, []).append(room)

    def basic_leave_room(self, sid: str, namespace: str, room: str | None) -> None:
        """Take a client out of a room; no error when it is not in it."""
        rooms = self.rooms.get(namespace, {})
        members = rooms.get(room)
        if members is None or members.pop(sid, None) is None:
            return
        if room is not None:
            self._rooms_of[sid].remove(room)
        if not members:
            del rooms[room]
        if not rooms:
            del self.rooms[namespace]

    def basic_disconnect(self, sid: str, namespace: str, **kwargs: Any) -> None:
        """Take a client out of everything."""
        for room in tuple(self._rooms_of.get(sid, ())):
            self.basic_leave_room(sid, namespace, room)
        self._rooms_of.pop(sid, None)
        self.basic_leave_room(sid, namespace, None)
        self._forget_number(sid, namespace)
        self.callbacks.pop(sid, None)
        for pending in (self.pending_connect, self.pending_disconnect):
            if sid in pending.get(namespace, ()):
                pending[namespace].remove(sid)
                if not pending[namespace]:
                    del pending[namespace]

    def rename(self, sid: str, new: str, namespace: str) -> None:
        """Let a client that is about to be let in have the id of its former connection."""
        everyone = self.rooms[namespace][None]
        everyone[new] = everyone.pop(sid)
        pending = self.pending_connect[namespace]
        pending[pending.index(sid)] = new

    # Who receives offsets.

    def number(self, sid: str, namespace: str) -> None:
        """Send a client of the namespace the offset of each event from now on."""
        self._numbered.setdefault(namespace, set()).add(sid)

    def _forget_number(self, sid: str, namespace: str) -> None:
        numbered = self._numbered.get(namespace)
        if numbered is not None:
            numbered.discard(sid)
            if not numbered:
                del self._numbered[namespace]

    # Acks that the application waits for.

    def expect_ack(self, sid: str, callback: Callable[..., object]) -> int:
        """Return an id for an event to a client; `callback` gets the arguments of its ack."""
        ack_id: int = self._generate_ack_id(sid, callback)
        return ack_id

    def forget_ack(self, sid: str, ack_id: int) -> None:
        """Expect an ack no longer."""
        self.callbacks.get(sid, {}).pop(ack_id, None)

    def expect_late_ack(self, sid: str, ack_id: int) -> None:
        """Wait for an ack no longer; when it comes late, it is nothing that the client did wrong.

        The last `LATE_ACKS` of a client are known.
        """
        callbacks = self.callbacks.get(sid, {})
        if ack_id not in callbacks:
            return
        callbacks[ack_id] = _pass_over
        late = [number for number, callback in callbacks.items() if callback is _pass_over]
        if len(late) > LATE_ACKS:
            del callbacks[late[0]]


@lru_cache(maxsize=1024)
def _head(namespace: str, event: str) -> str:
    """Return how an event packet begins. The names are the application's own, and few."""
    of_namespace = "" if namespace == "/" else f"{namespace},"
    return f"{socketio.packet.EVENT}{of_namespace}[{wirejson.dumps(event)}"


def tail_of(delivery: Delivery, offset: str | None) -> str:
    """Return, as JSON, the last argument for clients that receive offsets.

    They take any text at the end for one, so what has none ends in something else.
    """
    if offset is not None:
        return f'"{offset}"'
    return "null" if delivery.ends_in_text else ""


def event_packet(namespace: str, event: str, encoded: str, tail: str = "") -> Packet:
    """Return the packet of an event: its arguments `encoded`, and perhaps a last one."""
    parts = [_head(namespace, event), encoded, tail] if encoded else [_head(namespace, event), tail]
    return Packet(packets.MESSAGE, ",".join(parts if tail else parts[:-1]) + "]")


def _pass_over(*data: object) -> None:
    """Take a late ack."""


def frame_of(dialect: Renderer, delivery: Delivery, cursor: str | None) -> bytes | None:
    """Return the frame of an event in a dialect, with a cursor as its last member if there is one.

    None if the dialect has none.
    """
    domain, event = delivery.namespace.removeprefix("/"), delivery.event
    data = {**delivery.data, **delivery.private} if delivery.private else delivery.data
    try:
        text = dialect.render(domain, event, data)
        if text is None:
            return None
        return text_frame((text if cursor is None else with_cursor(text, cursor)).encode())
    except Exception:
        # An error in one dialect must not keep the event from the others.
        logger.exception("%s cannot render %s of %s", dialect, event, domain)
        return None


def with_cursor(text: str, cursor: str) -> str:
    """Return a frame, the JSON text of an object with members, with `cursor` as its last one."""
    return f'{text[:-1]},"cursor":{wirejson.dumps(cursor)}}}'
