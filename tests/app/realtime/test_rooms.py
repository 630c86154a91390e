"""Rooms and local delivery, to Socket.IO clients and raw peers alike."""

import asyncio
import random
from typing import Any

import pytest

from app.realtime.engineio.packets import Packet
from app.realtime.rooms import RoomManager
from app.realtime.socketio.packets import StrictPacket
from app.realtime.websocket.frames import text_frame
from app.realtime.websocket.outbox import Outgoing


class Line(Outgoing):
    """The sending half of a connection that keeps what it was given."""

    def __init__(self) -> None:
        super().__init__()
        self.turns: list[bytes] = []

    def queue(self, data: bytes) -> None:
        self.turns.append(data)

    @property
    def frames(self) -> list[bytes]:
        self.send_pending()
        return self.turns


class Heard:
    """A session on long-polling that keeps what it was sent."""

    socket: Line | None = None

    def __init__(self, sid: str) -> None:
        self.sid = sid
        self.packets: list[Packet] = []

    def send(self, packet: Packet) -> None:
        self.packets.append(packet)

    @property
    def texts(self) -> list[str]:
        return [packet.text for packet in self.packets]


class Server:
    """What a manager needs of the Socket.IO server."""

    packet_class = StrictPacket

    def __init__(self) -> None:
        self.eio = self
        self.sockets: dict[str, Heard] = {}
        self._ids = iter(range(1_000_000))

    def generate_id(self) -> str:
        return f"sid{next(self._ids)}"


class Dialect:
    """Knows `news` only, and counts how often it is asked."""

    def __init__(self) -> None:
        self.renders = 0

    def render(self, domain: str, event: str, data: dict[str, Any]) -> str | None:
        self.renders += 1
        if event == "broken":
            raise KeyError("a mistake")
        if event == "surrogate":
            return "\ud800"
        return f"{domain}:{event}:{data['n']}" if event == "news" else None


class RawPeer:
    cursor: object | None = None

    def __init__(self, dialect: Dialect) -> None:
        self.dialect = dialect
        self.socket = Line()

    @property
    def frames(self) -> list[bytes]:
        return self.socket.frames


class Town:
    """A manager with clients."""

    def __init__(self) -> None:
        self.manager = RoomManager()
        self.server = Server()
        self.manager.set_server(self.server)

    async def client(self, eio_sid: str, *rooms: str, namespace: str = "/n") -> str:
        self.server.sockets.setdefault(eio_sid, Heard(eio_sid))
        sid = await self.manager.pre_connect(eio_sid, namespace)
        for room in rooms:
            await self.manager.enter_room(sid, namespace, room)
        await self.manager.connect(sid, namespace)
        return str(sid)

    async def tell(self, room: Any, event: str = "news", **options: Any) -> None:
        await self.manager.emit(event, {"n": 1}, namespace="/n", room=room, **options)

    def heard(self, eio_sid: str) -> list[str]:
        return self.server.sockets[eio_sid].texts

    def empty(self) -> bool:
        manager = self.manager
        kept = (
            manager.rooms, manager._rooms_of, manager._peers, manager._rooms_of_peer,
            manager.callbacks, manager.pending_connect, manager.pending_disconnect,
        )  # fmt: skip
        return not any(kept)


NEWS = '42/n,["news",{"n":1}]'


@pytest.fixture
def town() -> Town:
    return Town()


async def test_members_hear_it_once_and_others_do_not(town: Town) -> None:
    """A member of several target rooms gets the event once, whichever transport it came by."""
    await town.client("a", "one", "two")
    await town.client("b", "two")
    await town.client("c", "three")
    peers = [RawPeer(Dialect()) for _ in range(3)]
    town.manager.enter_peer(peers[0], ["one", "two"])
    town.manager.enter_peer(peers[1], ["two"])
    town.manager.enter_peer(peers[2], ["three"])
    await town.tell(["one", "two"])
    assert [town.heard(name) for name in "abc"] == [[NEWS], [NEWS], []]
    said = text_frame(b"n:news:1")
    assert [peer.frames for peer in peers] == [[said], [said], []]


async def test_an_event_is_encoded_once_for_each_wire_form(town: Town) -> None:
    """All clients get the same packet, all peers of a dialect the same frame."""
    for name in "abcde":
        await town.client(name, "room")
    lines = town.server.sockets["d"].socket, town.server.sockets["e"].socket = Line(), Line()
    dialect, other = Dialect(), Dialect()
    peers = [RawPeer(dialect), RawPeer(dialect), RawPeer(other)]
    for peer in peers:
        town.manager.enter_peer(peer, ["room"])
    await town.tell("room")
    packets = [town.server.sockets[name].packets[0] for name in "abc"]
    assert packets[0] is packets[1] is packets[2]
    assert lines[0].pending is lines[1].pending is packets[0].frame
    assert peers[0].socket.pending is peers[1].socket.pending
    assert peers[0].frames == [text_frame(b"n:news:1")]
    assert (dialect.renders, other.renders) == (1, 1)


@pytest.mark.parametrize("event", ["broken", "surrogate"])
async def test_a_dialects_mistake_harms_nobody_else(
    town: Town, event: str, caplog: pytest.LogCaptureFixture
) -> None:
    """An event that one dialect cannot render is logged and reaches everybody else."""

    class Good(Dialect):
        def render(self, domain: str, event: str, data: dict[str, Any]) -> str | None:
            return "fine"

    await town.client("a", "room")
    bad, good = RawPeer(Dialect()), RawPeer(Good())
    town.manager.enter_peer(bad, ["room"])
    town.manager.enter_peer(good, ["room"])
    await town.tell("room", event)
    assert bad.frames == []
    assert good.frames == [text_frame(b"fine")]
    assert town.heard("a") == [f'42/n,["{event}",{{"n":1}}]']
    assert "cannot render" in caplog.text
    caplog.clear()


async def test_peers_hear_it_without_a_socketio_client(town: Town) -> None:
    """A namespace that nobody has joined still tells the raw peers of its rooms."""
    peer = RawPeer(Dialect())
    town.manager.enter_peer(peer, ["room"])
    await town.tell("room")
    await town.tell("room", "unknown to the dialect")
    assert peer.frames == [text_frame(b"n:news:1")]


async def test_binary_goes_out_in_parts(town: Town) -> None:
    """The header with its placeholders, then the attachments, in order and never torn apart."""
    await town.client("a", "room")
    await town.manager.emit("file", {"x": b"\x01", "y": [b"\x02"]}, namespace="/n", room="room")
    header = (
        '452-/n,["file",{"x":{"_placeholder":true,"num":0},"y":[{"_placeholder":true,"num":1}]}]'
    )
    assert town.heard("a") == [f"{header}\x1ebAQ==\x1ebAg=="]
    (packet,) = town.server.sockets["a"].packets
    assert packet.frame == text_frame(header.encode()) + b"\x82\x01\x01\x82\x01\x02"


@pytest.mark.parametrize(
    ("data", "arguments"), [(None, ""), ((1, "b"), ',1,"b"'), ([1, 2], ",[1,2]"), ("ü", ',"ü"')]
)
async def test_data_becomes_arguments(town: Town, data: Any, arguments: str) -> None:
    """A tuple is several arguments, None is none, the rest is one."""
    await town.client("a", "room")
    await town.manager.emit("e", data, namespace="/n", room="room")
    assert town.heard("a") == [f'42/n,["e"{arguments}]']


async def test_events_of_one_turn_go_out_in_order_and_together(town: Town) -> None:
    """Whatever else a connection is sent in between, it is one write."""
    await town.client("a", "room")
    line = town.server.sockets["a"].socket = Line()
    peer = RawPeer(Dialect())
    town.manager.enter_peer(peer, ["room"])
    await town.tell("room")
    line.write(b"own")
    await town.tell("room", "other")
    await asyncio.sleep(0)
    first, second = (
        text_frame(f'42/n,["{name}",{{"n":1}}]'.encode()) for name in ("news", "other")
    )
    assert line.turns == [first + b"own" + second]
    assert peer.socket.turns == [text_frame(b"n:news:1")]


async def test_a_connection_that_is_closing_is_sent_nothing(town: Town) -> None:
    """It is in the room until its end is handled."""
    await town.client("a", "room")
    line = town.server.sockets["a"].socket = Line()
    line.open = False
    await town.tell("room")
    assert line.frames == []


async def test_a_client_can_be_told_alone_or_skipped(town: Town) -> None:
    """A client's id is a room of its own."""
    one, two = await town.client("a", "room"), await town.client("b", "room")
    await town.tell(one)
    await town.tell("room", skip_sid=one)
    await town.tell("room", skip_sid=[one, two])
    await town.tell([one, two, "room"])
    assert (town.heard("a"), town.heard("b")) == ([NEWS, NEWS], [NEWS, NEWS])


async def test_everyone_is_everyone_who_was_let_in(town: Town) -> None:
    """A client whose CONNECT is not answered yet hears nothing that goes to all."""
    await town.client("a")
    town.server.sockets["b"] = Heard("b")
    waiting = await town.manager.pre_connect("b", "/n")
    await town.tell(None)
    await town.manager.connect(waiting, "/n")
    await town.tell(None)
    assert (town.heard("a"), town.heard("b")) == ([NEWS, NEWS], [NEWS])


async def test_nobody_is_nobody(town: Town) -> None:
    """No rooms at all are not all rooms."""
    await town.client("a", "room")
    await town.tell([])
    await town.tell("elsewhere")
    assert town.heard("a") == []


async def test_rooms_of_other_namespaces_are_others(town: Town) -> None:
    """The same room name in another namespace has its own Socket.IO members."""
    await town.client("a", "room", namespace="/other")
    await town.tell("room")
    assert town.heard("a") == []


async def test_rooms_are_listed_and_left(town: Town) -> None:
    """A client is in its own room and those it entered."""
    sid = await town.client("a", "x", "y")
    assert town.manager.get_rooms(sid, "/n") == [sid, "x", "y"]
    town.manager.basic_leave_room(sid, "/n", "x")
    town.manager.basic_leave_room(sid, "/n", "never entered")
    assert town.manager.get_rooms(sid, "/n") == [sid, "y"]
    assert "x" not in town.manager.rooms["/n"]
    await town.manager.close_room("y", "/n")
    assert town.manager.get_rooms(sid, "/n") == [sid]


async def test_the_room_of_another_client_is_closed_to_all(town: Town) -> None:
    """Nobody listens to what is said to one client; nobody enters who is not there."""
    one, two = await town.client("a"), await town.client("b")
    with pytest.raises(ValueError, match="sid room"):
        town.manager.basic_enter_room(one, "/n", two)
    with pytest.raises(ValueError, match="not connected"):
        town.manager.basic_enter_room("gone", "/n", "room")
    assert town.manager.get_rooms(one, "/n") == [one]


async def test_whatever_the_order_nothing_is_left(town: Town) -> None:
    """Clients and peers enter, leave and vanish in any order; in the end everything is empty."""
    chance = random.Random(7)
    for _ in range(50):
        sids, peers = [], []
        for number in range(10):
            rooms = chance.sample("uvwxyz", chance.randint(0, 4))
            sids.append(await town.client(f"e{number}", *rooms))
            peer = RawPeer(Dialect())
            town.manager.enter_peer(peer, rooms)
            peers.append(peer)
        for sid in chance.sample(sids, 5):
            town.manager.basic_leave_room(sid, "/n", chance.choice("uvwxyz"))
        for peer in chance.sample(peers, 5):
            town.manager.leave_peer(peer, chance.choice("uvwxyz"))
        for sid in chance.sample(sids, 3):
            town.manager.pre_disconnect(sid, "/n")
        await town.tell(list("uvwxyz"))
        for sid in chance.sample(sids, 10):
            await town.manager.disconnect(sid, "/n", ignore_queue=True)
            await town.manager.disconnect(sid, "/n", ignore_queue=True)
        for peer in chance.sample(peers, 10):
            town.manager.remove_peer(peer)
            town.manager.remove_peer(peer)
        assert town.empty()
