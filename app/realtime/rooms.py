"""Rooms: who is in them, and the step that delivers an event to everyone there.

Socket.IO clients and raw peers share one set of rooms. A room name means the same for both; a
Socket.IO client is in it for one namespace, a raw peer for every domain its dialect speaks of.
"""

import logging
from collections.abc import Iterable, Iterator
from typing import Any, Protocol

import socketio
from bidict import bidict

from app.realtime import packets
from app.realtime.frames import text_frame
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

    def write(self, frame: bytes) -> None:
        """Send a finished WebSocket frame; never waits."""


class RoomManager(socketio.AsyncManager):  # type: ignore[misc]
    """The rooms of this process, and local delivery.

    `rooms[namespace][room]` maps Socket.IO ids to Engine.IO ids as in the base class, but in plain
    dicts; room `None` (everyone) stays a bidict, which the base class reads backwards. A client's
    own room, named by its id, takes no space.
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
        skipped = set(skip_sid) if isinstance(skip_sid, list) else {skip_sid}
        skipped.update(self.rooms[namespace].get(except_room, ()) if except_room else ())
        if callback:
            await super().emit(event, data, namespace, targets, list(skipped), callback, **kwargs)
        else:
            self._tell_clients(event, data, namespace, targets, skipped)

    def _tell_clients(
        self, event: str, data: Any, namespace: str, targets: Any, skipped: set[str | None]
    ) -> None:
        # python-socketio's rule: a tuple is several arguments, None is none.
        arguments = data if isinstance(data, tuple) else () if data is None else (data,)
        encoded = self.server.packet_class(
            socketio.packet.EVENT, namespace=namespace, data=[event, *arguments]
        ).encode()
        parts = encoded if isinstance(encoded, list) else [encoded]
        message = Packet(packets.MESSAGE, *parts)
        sessions = self.server.eio.sockets
        for sid, eio_sid in self._members(namespace, targets).items():
            session = sessions.get(eio_sid)
            if session is not None and sid not in skipped:
                session.send(message)

    def _tell_peers(
        self, event: str, data: Any, namespace: str, targets: Any, except_room: str | None
    ) -> None:
        names = targets if isinstance(targets, (list, tuple)) else [targets]
        rooms = [self._peers[name] for name in names if name in self._peers]
        members = rooms[0] if len(rooms) == 1 else {peer: None for room in rooms for peer in room}
        skipped = self._peers.get(except_room, {}) if except_room else {}
        frames: dict[Renderer, bytes | None] = {}
        # A write may end a connection that is too slow, and so change the room.
        for peer in tuple(members):
            if peer in skipped:
                continue
            dialect = peer.dialect
            if dialect not in frames:
                frames[dialect] = _frame(dialect, namespace.removeprefix("/"), event, data)
            frame = frames[dialect]
            if frame is not None:
                peer.write(frame)

    # Membership of Socket.IO clients: the base class's, lean, and quick to leave.

    def _members(self, namespace: str, targets: Any) -> dict[str, str]:
        rooms = self.rooms.get(namespace, {})
        everyone = rooms.get(None, {})
        if targets is None:
            members = dict(everyone)
            # Who is not let in yet hears nothing.
            for sid in self.pending_connect.get(namespace, ()):
                members.pop(sid, None)
            return members
        names = targets if isinstance(targets, (list, tuple)) else [targets]
        if len(names) == 1 and names[0] in rooms:
            # The common case of a large room is spared the copy; nobody changes it meanwhile.
            alone: dict[str, str] = rooms[names[0]]
            return alone
        members = {}
        for name in names:
            if name in rooms:
                members.update(rooms[name])
            elif name in everyone:
                members[name] = everyone[name]
        return members

    def get_participants(self, namespace: str, room: Any) -> Iterator[tuple[str, str]]:
        """Give (sid, Engine.IO sid) of the members of a room or of several."""
        yield from tuple(self._members(namespace, room).items())

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
            members = rooms.setdefault(room, {})
            if sid not in members:
                members[sid] = rooms[None][sid]
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
