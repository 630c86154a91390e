"""Connection state recovery, on the wire: who comes back goes on where it was, or begins anew."""

import asyncio
import json
import random
import time
from typing import Any

import pytest
from socketio.exceptions import TimeoutError as TimedOut

from app.realtime.events.memorylog import MemoryLog
from app.realtime.socketio.recovery import Recovery
from tests.app.realtime.conftest import Serve
from tests.app.realtime.served import Served, until
from tests.app.realtime.wire import Wire

PREFIX = "/lobby,"


class Guest:
    """A client of `/lobby`, which remembers what the stock client does."""

    def __init__(self, served: Served, account: str = "7") -> None:
        self.served = served
        self.token = account
        self.wire: Wire
        self.sid = ""
        self.pid: str | None = None
        self.offset: str | None = None
        self.recovered = False

    async def connect(self, **auth: Any) -> "Guest":
        """Open another connection and join, with `{pid, offset}` as far as they are known."""
        self.wire = await Wire.open(self.served, "socket.io")
        await self.wire.open_packet()
        return await self.join(**auth)

    async def join(self, **auth: Any) -> "Guest":
        known = {"pid": self.pid, "offset": self.offset} if self.pid else {}
        sent = {**known, "token": self.token, **auth}
        if sent.get("offset") is None:
            sent.pop("offset", None)
        self.wire.send(f"40{PREFIX}{json.dumps(sent)}")
        answer = await self.packet()
        assert answer.startswith(f"40{PREFIX}"), answer
        welcome = json.loads(answer.removeprefix(f"40{PREFIX}"))
        pid = welcome.get("pid")
        self.recovered = pid is not None and pid == self.pid
        self.sid, self.pid = welcome["sid"], pid
        return self

    async def packet(self) -> str:
        while (text := await self.wire.receive()) == "2":
            self.wire.send("3")
        assert isinstance(text, str)
        return text

    async def event(self) -> list[Any]:
        """Return the next event without its offset."""
        text = await self.packet()
        assert text.startswith(f"42{PREFIX}"), text
        event = json.loads(text.removeprefix(f"42{PREFIX}"))
        if self.pid and isinstance(event[-1], str):
            self.offset = event.pop()
        return event

    async def call(self, name: str, text: str) -> None:
        self.wire.send(f"42{PREFIX}1{json.dumps([name, {'text': text}])}")
        assert (await self.packet()).startswith(f"43{PREFIX}1")

    async def cut(self) -> None:
        """Lose the connection; return when the server knows."""
        sid = self.sid
        self.wire.cut()
        await until(lambda: sid not in self.served.door._clients)


@pytest.fixture
async def served(serve: Serve) -> Served:
    return await serve(recovery_window_s=100)


async def tell(served: Served, number: int, room: str = "everyone", **options: Any) -> None:
    await served.manager.emit("news", {"n": number}, namespace="/lobby", room=room, **options)


async def test_who_comes_back_gets_what_it_has_missed(served: Served) -> None:
    """Its id and rooms, every event of them once and in order, and then those that follow."""
    guest = await Guest(served).connect()
    await guest.call("join", "den")
    await tell(served, 1)
    assert await guest.event() == ["news", {"n": 1}]
    sid = guest.sid
    await guest.cut()
    for number, room in ((2, "everyone"), (3, "elsewhere"), (4, "den"), (5, "user:7"), (6, sid)):
        await tell(served, number, room)
    await tell(served, 7, except_room="den")
    await tell(served, 8, volatile=True)
    await guest.connect()
    assert (guest.recovered, guest.sid) == (True, sid)
    assert [await guest.event() for _ in range(4)] == [["news", {"n": n}] for n in (2, 4, 5, 6)]
    await tell(served, 9, "den")
    assert await guest.event() == ["news", {"n": 9}]
    assert served.manager.get_rooms(sid, "/lobby") == [sid, "den", "everyone", "user:7"]
    assert len(served.commands.here) == 1


async def test_a_client_that_has_had_no_event(served: Served) -> None:
    """The position at which it came stands for its offset."""
    await tell(served, 1)
    guest = await Guest(served).connect()
    await guest.cut()
    await tell(served, 2)
    await guest.connect()
    assert guest.recovered
    assert guest.offset is None
    assert await guest.event() == ["news", {"n": 2}]


async def test_a_second_and_a_third_time(served: Served) -> None:
    """Also where a connection was cut before it had read what it was sent."""
    guest = await Guest(served).connect()
    sid = guest.sid
    await guest.cut()
    await tell(served, 1)
    for _ in range(3):
        # The missed event is on its way and not read: the client has no offset yet.
        await guest.connect()
        assert (guest.recovered, guest.sid) == (True, sid)
        await guest.cut()
    await guest.connect()
    assert await guest.event() == ["news", {"n": 1}]
    for number in range(2, 5):
        await guest.cut()
        await tell(served, number)
        await guest.connect()
        assert guest.recovered
        assert await guest.event() == ["news", {"n": number}]


async def test_an_offset_of_an_earlier_session_is_not_read_again(served: Served) -> None:
    """The stock client keeps it: what came before the new session is for the catch-up."""
    guest = await Guest(served).connect()
    await tell(served, 1)
    await guest.event()
    await guest.cut()
    await tell(served, 2)
    guest.pid = "unknown"
    await guest.connect()
    assert not guest.recovered
    await guest.cut()
    await tell(served, 3)
    await guest.connect()
    assert guest.recovered
    assert await guest.event() == ["news", {"n": 3}]


async def test_while_the_old_connection_still_looks_open(served: Served) -> None:
    """It is closed, and its client goes on; what it was sent and has not read comes again."""
    guest = await Guest(served).connect()
    await guest.call("join", "den")
    old, sid = guest.wire, guest.sid
    await tell(served, 1, "den")
    await guest.connect()
    assert (guest.recovered, guest.sid) == (True, sid)
    assert await guest.event() == ["news", {"n": 1}]
    await old.closed()
    await tell(served, 2, "den")
    assert await guest.event() == ["news", {"n": 2}]
    assert len(served.commands.here) == len(served.socketio.eio.sockets) == 1


async def test_while_the_domain_still_lets_the_old_connection_go(served: Served) -> None:
    """The id is free when that is done."""
    guest = await Guest(served).connect()
    served.commands.leaving = asyncio.Event()
    await guest.cut()
    await tell(served, 1)
    connecting = asyncio.create_task(guest.connect())
    await until(lambda: len(served.socketio.eio.sockets) == 1)
    await asyncio.sleep(0)
    served.commands.leaving.set()
    await connecting
    assert guest.recovered
    assert await guest.event() == ["news", {"n": 1}]


async def test_cut_again_on_the_way_back(served: Served) -> None:
    """Before the server has answered: the next time it goes on all the same."""
    guest = await Guest(served).connect()
    await guest.call("join", "den")
    await guest.cut()
    await tell(served, 1, "den")
    served.commands.returning = asyncio.Event()
    coming = asyncio.create_task(guest.connect())
    await until(lambda: served.socketio.manager.pending_connect.get("/lobby"))
    guest.wire.cut()
    await until(lambda: not served.socketio.eio.sockets)
    served.commands.leaving = asyncio.Event()
    served.commands.returning.set()
    with pytest.raises((asyncio.IncompleteReadError, ConnectionError)):
        await coming
    # The connection that was cut last has the id until the domain has let it go.
    coming = asyncio.create_task(guest.connect())
    await until(lambda: served.socketio.manager.pending_connect.get("/lobby"))
    # As long as another client's whole way in takes.
    await Guest(served, "8").connect()
    assert not coming.done()
    served.commands.leaving.set()
    await coming
    assert guest.recovered
    assert await guest.event() == ["news", {"n": 1}]
    await until(lambda: len(served.commands.here) == 2)
    assert guest.sid in served.door._clients
    await tell(served, 2, "den")
    assert await guest.event() == ["news", {"n": 2}]


async def test_what_was_begun_before_does_not_reach_the_new_connection(served: Served) -> None:
    """A slow command of the old connection, which has the same id, puts the new one nowhere."""
    guest = await Guest(served).connect()
    guest.wire.send(f'42{PREFIX}["join_later",{{"text":"den"}}]')
    await until(lambda: served.commands.slow)
    await guest.cut()
    await guest.connect()
    assert guest.recovered
    assert served.commands.slow is not None
    served.commands.slow.set()
    await until(lambda: not served.door._limits._slow)
    assert "den" not in served.manager.get_rooms(guest.sid, "/lobby")


@pytest.mark.parametrize("seed", range(12))
async def test_whatever_happens_everything_is_heard_once(served: Served, seed: int) -> None:
    """At random: events to rooms that it is in or not, cuts, silent networks, returns, joins."""
    chance = random.Random(seed)
    guest = await Guest(served).connect()
    rooms, is_here = ["everyone", "user:7"], True
    expected: list[int] = []
    heard: list[int] = []
    number = 0

    async def hear() -> None:
        while len(heard) < len(expected):
            heard.append((await guest.event())[1]["n"])

    for _ in range(80):
        action = chance.choice(["tell"] * 5 + ["cut", "silence", "hear", "join"])
        if action == "tell":
            number += 1
            room = chance.choice([*rooms, "elsewhere"])
            but = chance.choice([None, None, None, *rooms])
            await tell(served, number, room, except_room=but)
            if room in rooms and but not in rooms:
                expected.append(number)
        elif action == "cut" and is_here:
            await guest.cut()
            is_here = False
        elif action == "silence" and is_here:
            # The server does not know that nobody reads this any more.
            is_here = False
        elif action == "hear" and is_here:
            await hear()
        elif action == "join" and is_here and len(rooms) < 5:
            await hear()
            rooms.append(f"room {number}")
            await guest.call("join", rooms[-1])
        elif not is_here:
            await guest.connect()
            assert guest.recovered
            is_here = True
    if not is_here:
        await guest.connect()
    await hear()
    assert heard == expected
    await tell(served, 1000, rooms[-1])
    assert await guest.event() == ["news", {"n": 1000}]


async def test_two_that_wait_for_the_same_connection(served: Served) -> None:
    """One of them has it; the other begins anew."""
    guest = await Guest(served).connect()
    served.commands.leaving = asyncio.Event()
    await guest.cut()
    twins = [Guest(served), Guest(served)]
    for twin in twins:
        twin.pid = guest.pid
    connecting = asyncio.gather(*(twin.connect() for twin in twins))
    await until(lambda: len(served.socketio.manager.pending_connect.get("/lobby", ())) == 2)
    served.commands.leaving.set()
    await connecting
    assert sorted(twin.recovered for twin in twins) == [False, True]
    assert twins[0].sid != twins[1].sid
    await tell(served, 1)
    assert [await twin.event() for twin in twins] == [["news", {"n": 1}]] * 2


async def test_the_last_one_that_names_it_has_it(served: Served) -> None:
    """A client that comes again and again goes on in its newest connection; the others end."""
    guest = await Guest(served).connect()
    sid, former = guest.sid, []
    for _ in range(4):
        former.append(guest.wire)
        await guest.connect()
        assert (guest.recovered, guest.sid) == (True, sid)
    for wire in former:
        await wire.closed()
    assert [*served.door._clients] == [sid]


async def test_a_record_belongs_to_its_account(served: Served) -> None:
    """Another account that knows the name neither has it nor takes it away."""
    guest = await Guest(served).connect()
    pid = guest.pid
    for _ in range(2):
        thief = Guest(served, "8")
        thief.pid = pid
        await thief.connect()
        assert not thief.recovered
        await tell(served, 1, "user:7")
    assert [await guest.event() for _ in range(2)] == [["news", {"n": 1}]] * 2
    await guest.cut()
    thief = Guest(served, "8")
    thief.pid = pid
    await thief.connect()
    assert not thief.recovered
    await guest.connect()
    assert guest.recovered


async def test_who_is_not_let_in_may_try_again(served: Served) -> None:
    """A token that has expired on the way is renewed, and nothing is lost."""
    guest = await Guest(served).connect()
    await guest.cut()
    await tell(served, 1)
    refused = await Wire.open(served, "socket.io")
    await refused.open_packet()
    refused.send(f"40{PREFIX}{json.dumps({'token': 'bad', 'pid': guest.pid})}")
    assert str(await refused.receive()).startswith(f"44{PREFIX}")
    await guest.connect()
    assert guest.recovered
    assert await guest.event() == ["news", {"n": 1}]


async def test_who_may_not_return_to_a_room_begins_anew(served: Served) -> None:
    """In none of the rooms that it had joined, and without their events."""
    guest = await Guest(served).connect()
    await guest.call("join", "den")
    await guest.call("join", "club")
    await guest.cut()
    served.commands.refused.add("club")
    await tell(served, 1, "den")
    sid = guest.sid
    await guest.connect()
    assert not guest.recovered
    assert guest.sid != sid
    assert served.manager.get_rooms(guest.sid, "/lobby") == [guest.sid, "everyone", "user:7"]
    await tell(served, 2)
    assert await guest.event() == ["news", {"n": 2}]
    assert len(served.commands.here) == 1


async def test_who_has_left_begins_anew(served: Served) -> None:
    """Having said so, or having been told to."""
    guest = await Guest(served).connect()
    guest.wire.send(f"41{PREFIX}")
    await until(lambda: not served.door._clients)
    await guest.join()
    assert not guest.recovered
    sid = guest.sid
    await served.socketio.disconnect(sid, "/lobby")
    assert await guest.packet() == f"41{PREFIX}"
    await guest.connect()
    assert not guest.recovered


async def test_after_the_window_it_is_too_late(serve: Serve) -> None:
    """A record is kept for so long, and not longer."""
    served = await serve(recovery_window_s=0.001)
    guest = await Guest(served).connect()
    await guest.cut()
    await asyncio.sleep(0.01)
    await guest.connect()
    assert not guest.recovered


@pytest.mark.parametrize("bound", ["history", "bytes of the history", "bytes sent again"])
async def test_what_is_not_all_there_is_not_given(serve: Serve, bound: str) -> None:
    """Then the client begins anew, and fetches what it has missed."""
    logs = {
        "history": MemoryLog(),
        "bytes of the history": MemoryLog(keep_s=100, keep_bytes=2000),
        "bytes sent again": MemoryLog(keep_s=100, keep_bytes=100_000),
    }
    replay_bytes = 300 if bound == "bytes sent again" else 100_000
    served = await serve(recovery_window_s=100, log=logs[bound], replay_bytes=replay_bytes)
    guest = await Guest(served).connect()
    await tell(served, 1)
    await guest.event()
    await guest.cut()
    for number in range(50):
        await tell(served, number)
    await guest.connect()
    assert not guest.recovered
    await tell(served, 99)
    assert await guest.event() == ["news", {"n": 99}]


async def test_an_idle_client_has_missed_nothing_of_what_is_dropped(serve: Serve) -> None:
    """Its last event is long ago; since then others had many, and it has answered pings."""
    log = MemoryLog(keep_s=100, keep_bytes=3000)
    served = await serve(recovery_window_s=100, log=log, ping_interval_s=0.05, ping_timeout_s=5.0)
    guest = await Guest(served).connect()
    await tell(served, 1)
    await guest.event()
    for number in range(50):
        await tell(served, number, "elsewhere")
    told_at = time.monotonic()
    session = served.socketio.session_of(guest.sid, "/lobby")
    assert session is not None
    while session.received_at <= told_at:
        assert await guest.wire.receive() == "2"
        guest.wire.send("3")
    await guest.cut()
    await tell(served, 2)
    await guest.connect()
    assert guest.recovered
    assert await guest.event() == ["news", {"n": 2}]


async def test_the_session_of_the_application_comes_back(served: Served) -> None:
    """What handlers have saved for the client."""
    guest = await Guest(served).connect()
    await served.socketio.save_session(guest.sid, {"theme": "dark"}, "/lobby")
    await guest.cut()
    await guest.connect()
    assert await served.socketio.get_session(guest.sid, "/lobby") == {"theme": "dark"}


async def test_events_with_acks_are_not_recovered(served: Served) -> None:
    """An ack comes last, so they have no offset; who waits for the answer gets an error."""
    guest = await Guest(served).connect()
    asking = asyncio.create_task(
        served.socketio.call("ask", {"n": 1}, to=guest.sid, namespace="/lobby", timeout=50)
    )
    assert await guest.packet() == f'42{PREFIX}1["ask",{{"n":1}}]'
    await guest.cut()
    with pytest.raises(TimedOut):
        await asking
    await guest.connect()
    assert guest.recovered
    await tell(served, 1)
    assert await guest.event() == ["news", {"n": 1}]


KEYS: list[dict[str, Any]] = [
    {"pid": 7}, {"pid": ["x"]}, {"pid": "x" * 500}, {"offset": {}}, {"offset": "x"},
    {"offset": "x-1" * 100}, {"unknown": 1},
]  # fmt: skip


@pytest.mark.parametrize("auth", KEYS)
async def test_keys_that_mean_something_else(served: Served, auth: dict[str, Any]) -> None:
    """An application may use the names for its own: its client is let in as a new one."""
    guest = await Guest(served).connect(**auth)
    assert not guest.recovered
    assert guest.pid
    pid = guest.pid
    await guest.cut()
    await tell(served, 1)
    await guest.connect(**{key: value for key, value in auth.items() if key != "pid"})
    assert guest.recovered == (guest.pid == pid)


async def test_it_is_off_for_who_says_so(served: Served) -> None:
    """No `pid`, no offsets: for clients that hand every argument to their handlers."""
    guest = await Guest(served).connect(recovery=False)
    other = await Guest(served, "8").connect()
    assert guest.pid is None
    await tell(served, 1)
    assert await guest.packet() == f'42{PREFIX}["news",{{"n":1}}]'
    assert await other.event() == ["news", {"n": 1}]
    assert other.offset == served.manager.log.position


async def test_it_is_off_by_setting(serve: Serve) -> None:
    """As the protocol's own test suite wants it."""
    served = await serve()
    guest = await Guest(served).connect(pid="x", offset="y-1")
    assert guest.pid is None
    await tell(served, 1)
    assert await guest.packet() == f'42{PREFIX}["news",{{"n":1}}]'


async def test_records_are_bounded(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    """In time and in bytes; the oldest go first, and nothing else of a client is left."""
    monkeypatch.setattr("app.realtime.socketio.recovery.RECORDS_BYTES", 5000)
    assert served.recovery is not None
    guests = [await Guest(served, str(number)).connect() for number in range(10)]
    for guest in guests:
        await guest.cut()
    recovery: Recovery = served.recovery
    await until(lambda: not served.commands.here)
    assert 0 < recovery._away_bytes <= 5000
    assert len(recovery._of_pid) == len(recovery._away) < 10
    assert recovery._here == {}
    await guests[-1].connect()
    await guests[0].connect()
    assert (guests[-1].recovered, guests[0].recovered) == (True, False)
    for guest in (guests[0], guests[-1]):
        await guest.cut()
    await served.emptied()
