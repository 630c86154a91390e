"""Rooms: who is in them, and the step that delivers an event to everyone there.

Socket.IO clients and raw peers share one set of rooms. A room name means the same for both; a
Socket.IO client is in it for one namespace, a raw peer for every domain its dialect speaks of.
"""

import logging
from collections import defaultdict
from collections.abc import Iterable, Iterator
from functools import partial
from typing import Any, Protocol

import socketio
from bidict import bidict

from app.realtime import outbox, packets
from app.realtime.frames import text_frame
from app.realtime.outbox import Outgoing
from app.realtime.packets import Packet

logger = logging.getLogger(__name__)


class Renderer(Protocol):
    """How raw peers of one kind are told of events."""

    def render(self, domain: str, event: str, data: dict[str, Any]) -> str | None:
        """Give the frame's text for an event, or None when the dialect has no word for it."""


class Peer(Protocol):
    """A raw-WebSocket connection."""

    @property
    def dialect(self) -> Renderer:
        """What this peer's frames are made by; the same object for all of its kind."""

    @property
    def socket(self) -> Outgoing | None:
        """Where its frames go; None when it is gone."""


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

    def __init__(self) -> None:
        super().__init__()
        # Lists: a connection is in a few rooms, and a set is twice as large.
        self._rooms_of: dict[str, list[str]] = {}
        self._peers: dict[str, dict[Peer, None]] = {}
        self._rooms_of_peer: dict[Peer, list[str]] = {}

    # Raw peers.

    def enter_peer(self, peer: Peer, rooms: Iterable[str]) -> None:
        """Put a raw peer into rooms."""
        for room in rooms:
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

    def remove_peer(self, peer: Peer) -> None:
        """Take a raw peer out of all rooms."""
        for room in tuple(self._rooms_of_peer.get(peer, ())):
            self.leave_peer(peer, room)
        self._rooms_of_peer.pop(peer, None)

    # Delivery.

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
        **kwargs: Any,
    ) -> None:
        """Deliver an event here, encoded once for each wire form, written in order.

        `except_room` is Socket.IO's `except`: who is in that room hears nothing.
        """
        targets = to or room
        self._tell_peers(event, data, namespace, targets, except_room)
        if namespace not in self.rooms:
            return
        skipped = set(skip_sid) if isinstance(skip_sid, list) else {skip_sid} - {None}
        skipped.update(self.rooms[namespace].get(except_room, ()) if except_room else ())
        if callback:
            await super().emit(event, data, namespace, targets, list(skipped), callback, **kwargs)
        else:
            self._tell_clients(event, data, namespace, targets, skipped)

    def _tell_clients(
        self, event: str, data: Any, namespace: str, targets: Any, skipped: set[str]
    ) -> None:
        message = self._message(event, data, namespace)
        members = self._members(namespace, targets)
        sessions = (
            [session for sid, session in members.items() if sid not in skipped]
            if skipped
            else members.values()
        )
        sockets = [session.socket for session in sessions if session.socket is not None]
        if sockets:
            outbox.current().write_to_all(sockets, message.frame)
        if len(sockets) < len(sessions):
            for session in sessions:
                if session.socket is None:
                    session.send(message)

    def _message(self, event: str, data: Any, namespace: str) -> Packet:
        # python-socketio's rule: a tuple is several arguments, None is none.
        arguments = data if isinstance(data, tuple) else () if data is None else (data,)
        make = partial(
            self.server.packet_class,
            socketio.packet.EVENT,
            namespace=namespace,
            data=[event, *arguments],
        )
        try:
            return Packet(packets.MESSAGE, make(binary=False).encode())
        except TypeError:
            # Not JSON: there may be bytes in it. To look for them always would take longer.
            encoded = make().encode()
            return Packet(packets.MESSAGE, *(encoded if isinstance(encoded, list) else [encoded]))

    def _tell_peers(
        self, event: str, data: Any, namespace: str, targets: Any, except_room: str | None
    ) -> None:
        names = targets if isinstance(targets, (list, tuple)) else [targets]
        rooms = [self._peers[name] for name in names if name in self._peers]
        if not rooms:
            return
        members = rooms[0] if len(rooms) == 1 else {peer: None for room in rooms for peer in room}
        skipped = self._peers.get(except_room, {}) if except_room else {}
        audiences: defaultdict[Renderer, list[Outgoing]] = defaultdict(list)
        for peer in members:
            if peer.socket is not None and peer not in skipped:
                audiences[peer.dialect].append(peer.socket)
        for dialect, sockets in audiences.items():
            frame = _frame(dialect, namespace.removeprefix("/"), event, data)
            if frame is not None:
                outbox.current().write_to_all(sockets, frame)

    # Membership of Socket.IO clients: the base class's, lean, and quick to leave.

    def _members(self, namespace: str, targets: Any) -> dict[str, Member]:
        rooms = self.rooms.get(namespace, {})
        everyone = rooms.get(None, {})
        if targets is None:
            # Who is not let in yet hears nothing.
            pending = self.pending_connect.get(namespace, ())
            return self._sessions({sid: everyone[sid] for sid in everyone if sid not in pending})
        names = targets if isinstance(targets, (list, tuple)) else [targets]
        if len(names) == 1 and names[0] in rooms:
            # The common case of a large room is spared the copy; nobody changes it meanwhile.
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
        """Give the sessions of those that have not just ended."""
        sessions: dict[str, Member] = self.server.eio.sockets
        return {sid: sessions[eio_sid] for sid, eio_sid in eio_sids.items() if eio_sid in sessions}

    def get_participants(self, namespace: str, room: Any) -> Iterator[tuple[str, str]]:
        """Give (sid, Engine.IO sid) of the members of a room or of several."""
        for sid, session in tuple(self._members(namespace, room).items()):
            yield sid, session.sid

    def get_rooms(self, sid: str, namespace: str) -> list[str]:
        """Give the rooms a client is in, its own included."""
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
        self.callbacks.pop(sid, None)
        for pending in (self.pending_connect, self.pending_disconnect):
            if sid in pending.get(namespace, ()):
                pending[namespace].remove(sid)
                if not pending[namespace]:
                    del pending[namespace]


def _frame(dialect: Renderer, domain: str, event: str, data: Any) -> bytes | None:
    try:
        text = dialect.render(domain, event, data)
        return None if text is None else text_frame(text.encode())
    except Exception:
        # One dialect's mistake must not keep the news from the others.
        logger.exception("%s cannot render %s of %s", dialect, event, domain)
        return None
