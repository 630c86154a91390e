"""The order of events, their offsets, and what is kept of them for clients that were away."""

import re
from typing import Any

import pytest

from app.realtime.events.delivery import Delivery, Gap, Page, later, read_all
from app.realtime.events.memorylog import MemoryLog
from app.realtime.rooms import RoomManager
from tests.app.realtime.test_rooms import Dialect, Line, RawPeer, Town


class Clock:
    """Seconds that pass when a test says so."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


class Log:
    """A log that keeps events, and what it has delivered."""

    def __init__(self, keep_s: float = 100.0, keep_bytes: int = 1_000_000) -> None:
        self.clock = Clock()
        self.log = MemoryLog(keep_s=keep_s, keep_bytes=keep_bytes, clock=self.clock)
        self.delivered: list[tuple[Delivery, str | None]] = []
        self.log.begin(self)

    def has_listeners(self, namespace: str, rooms: Any) -> bool:
        return True

    def deliver(self, delivery: Delivery, offset: str | None) -> None:
        self.delivered.append((delivery, offset))

    async def publish(self, number: int, **options: Any) -> str:
        """Publish `{"n": number}` to the room `r`; returns the position after it."""
        await self.log.publish(Delivery("/n", "news", {"n": number}, ("r",), **options))
        return self.log.position

    async def read(self, after: str, limit: int = 1000, **options: Any) -> list[int]:
        page = await self.log.read(after, {"r"}, limit, **options)
        return [delivery.data["n"] for _, delivery in page.events]


async def test_events_are_delivered_at_once_and_numbered_in_order() -> None:
    """The publisher goes on after the members here were written to."""
    log = Log()
    start = log.log.position
    offsets = [await log.publish(number) for number in range(12)]
    assert [offset for _, offset in log.delivered] == offsets
    assert [delivery.data["n"] for delivery, _ in log.delivered] == [*range(12)]
    epochs = {offset.rpartition("-")[0] for offset in [start, *offsets]}
    assert len(epochs) == 1
    assert re.fullmatch("[0-9a-f]{12}", epochs.pop())
    assert [int(offset.rpartition("-")[2]) for offset in offsets] == [*range(1, 13)]


async def test_volatile_events_are_neither_numbered_nor_kept() -> None:
    """They are for whoever is here now."""
    log = Log()
    start = await log.publish(1)
    assert await log.publish(2, volatile=True) == start
    await log.publish(3)
    assert [offset is None for _, offset in log.delivered] == [False, True, False]
    assert await log.read(start) == [3]


async def test_reading_goes_on_page_by_page() -> None:
    """Pages follow one another without a hole, the last one ends at the position."""
    log = Log()
    start = log.log.position
    offsets = [await log.publish(number) for number in range(7)]
    pages: list[Page] = []
    after = start
    while True:
        page = await log.log.read(after, {"r"}, 3)
        pages.append(page)
        after = page.offset
        if after == log.log.position:
            break
    assert [len(page.events) for page in pages] == [3, 3, 1]
    assert [offset for page in pages for offset, _ in page.events] == offsets
    assert await log.log.read(after, {"r"}, 3) == Page([], after)


async def test_only_events_for_the_rooms_are_read() -> None:
    """In the order of the log, each once, of one namespace or of all."""
    log = Log()
    start = log.log.position
    for number, (namespace, rooms, but) in enumerate(
        [
            ("/n", ("a", "b"), None), ("/n", ("c",), None), ("/other", ("a",), None),
            ("/n", None, None), ("/n", ("a",), "b"), ("/n", ("b", "b"), None), ("/n", (), None),
        ]
    ):  # fmt: skip
        await log.log.publish(Delivery(namespace, "news", {"n": number}, rooms, but))

    async def read(rooms: set[str], **options: Any) -> list[int]:
        page = await log.log.read(start, rooms, 100, **options)
        return [delivery.data["n"] for _, delivery in page.events]

    assert await read({"a"}, namespace="/n") == [0, 3, 4]
    assert await read({"a", "b"}, namespace="/n") == [0, 3, 5]
    assert await read({"a"}) == [0, 2, 3, 4]
    assert await read({"nowhere"}) == [3]
    log.clock.now += 1000
    await log.publish(9)
    assert await read({"a", "b", "c", "r"}, received_s=1) == [9]
    assert set(log.log._of_room) == {"r"}


async def test_catching_up_ends_where_the_log_is() -> None:
    """Also when events come while pages are read, and no further than to so many bytes."""
    log = Log()
    start = log.log.position
    for number in range(1200):
        await log.publish(number)

    class Slow:
        """A log that is read over a network, while others publish."""

        published = 0
        position = property(lambda self: log.log.position)

        async def read(self, *args: Any, **options: Any) -> Page:
            page = await log.log.read(*args, **options)
            if self.published < 2:
                self.published += 1
                await log.publish(1200 + self.published)
            return page

    events = await read_all(Slow(), start, {"r"}, 1_000_000)  # type: ignore[arg-type]
    assert [delivery.data["n"] for _, delivery in events] == [*range(1200), 1201, 1202]
    assert events[-1][0] == log.log.position
    with pytest.raises(Gap):
        await read_all(log.log, start, {"r"}, 9_000)


@pytest.mark.parametrize(
    "offset",
    [
        "", "-", "1", "x-1", "{epoch}-", "{epoch}--1", "{epoch}-9", "{epoch}-1.0", "{epoch}-٣",
        "{epoch}-1000000000000000", "{epoch}-" + "1" * 5000,
    ],
)  # fmt: skip
async def test_what_is_no_offset_of_this_log_is_a_gap(offset: str) -> None:
    """Another process's, one that is not made yet, or anything else that a client can think of."""
    log = Log()
    epoch = (await log.publish(1)).rpartition("-")[0]
    with pytest.raises(Gap):
        await log.read(offset.format(epoch=epoch))


async def test_another_process_has_another_epoch() -> None:
    """So the offsets of one are a gap for the other, however many events each has had."""
    one, other = Log(), Log()
    offset = await one.publish(1)
    await other.publish(1)
    with pytest.raises(Gap):
        await other.read(offset)


async def test_what_is_kept_is_bounded_by_age() -> None:
    """The oldest goes with the next event; who has not got it meets a gap."""
    log = Log(keep_s=100)
    start = log.log.position
    first = await log.publish(1)
    log.clock.now += 60
    await log.publish(2)
    assert await log.read(start) == [1, 2]
    log.clock.now += 60
    await log.publish(3)
    assert await log.read(first) == [2, 3]
    with pytest.raises(Gap):
        await log.read(start)


async def test_what_is_kept_is_bounded_by_bytes() -> None:
    """Whatever the events are, no more than so much memory is used for them."""
    log = Log(keep_bytes=50_000)
    offsets = [log.log.position]
    for number in range(200):
        await log.log.publish(Delivery("/n", "news", {"n": number, "text": "x" * 1000}, ("r",)))
        offsets.append(log.log.position)
        assert log.log.kept_bytes <= 50_000
    assert 20 < len(await log.read(offsets[-25])) < 30
    with pytest.raises(Gap):
        await log.read(offsets[-50])
    await log.log.publish(Delivery("/n", "news", {"n": 0, "text": "x" * 60_000}, ("r",)))
    assert log.log.kept_bytes == 0
    with pytest.raises(Gap):
        await log.read(offsets[-1])


async def test_a_client_that_was_idle_has_missed_nothing_of_what_is_dropped() -> None:
    """Its offset is older than what is kept, but all that is dropped reached it."""
    log = Log(keep_s=100)
    idle_since = log.log.position
    await log.publish(1)
    log.clock.now += 200
    await log.publish(2)
    log.clock.now += 10
    assert await log.read(idle_since, received_s=50) == [2]
    assert await log.read(idle_since, received_s=210) == [2]
    with pytest.raises(Gap):
        await log.read(idle_since, received_s=211)


async def test_kept_events_stay_as_they_were() -> None:
    """A domain that goes on to change what it has published changes nothing for who comes later."""
    log = Log()
    start = log.log.position
    data, private = {"n": 1, "deep": {"x": [1]}}, {"email": "a@example.com"}
    await log.log.publish(Delivery("/n", "news", data, ("r",), "but", private))
    data["deep"]["x"].append(2)  # type: ignore[index]
    private.clear()
    ((_, kept),) = (await log.log.read(start, {"r"}, 10)).events
    assert kept.data == {"n": 1, "deep": {"x": [1]}}
    assert kept.private == {"email": "a@example.com"}
    assert (kept.namespace, kept.event, kept.rooms) == ("/n", "news", ("r",))
    assert kept.except_room == "but"


async def test_what_cannot_be_sent_again_is_not_numbered() -> None:
    """Bytes are delivered, and never offered to anyone who was away."""
    log = Log()
    start = log.log.position
    await log.log.publish(Delivery("/n", "file", {"x": b"\x01"}, ("r",)))
    assert [offset for _, offset in log.delivered] == [None]
    assert await log.read(start) == []


@pytest.mark.parametrize(
    ("data", "encoded"),
    [(None, ""), ((), ""), ((1, "b"), '1,"b"'), ([1, 2], "[1,2]"), ("ü", '"ü"'),
     ({"a": 1}, '{"a":1}')],
)  # fmt: skip
def test_a_delivery_made_of_text_has_the_data_that_was_encoded(data: Any, encoded: str) -> None:
    """As a log that is shared by processes makes it."""
    assert Delivery("/n", "e", data, ("r",)).encoded == encoded
    again = Delivery.from_text("/n", "e", encoded, ("r",))
    assert again.arguments == Delivery("/n", "e", data, ("r",)).arguments
    assert again.encoded == encoded


@pytest.mark.parametrize(
    ("rooms", "expected"),
    [({"a"}, True), ({"b", "x"}, True), ({"c"}, False), ({"a", "but"}, False), (set(), False)],
)
def test_who_hears_it(rooms: set[str], expected: bool) -> None:
    """A member of any of its rooms who is not in the room that it is not for."""
    assert Delivery("/n", "e", {}, ("a", "b"), "but").is_for(rooms) is expected
    assert Delivery("/n", "e", {}, None).is_for(rooms)


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [("a-9", "a-10", "a-10"), ("a-10", "a-9", "a-10"), ("a-1", "b-2", "a-1"), ("a-1", None, "a-1"),
     ("a-1", "a-x", "a-1")],
)  # fmt: skip
def test_the_later_of_two_offsets(one: str, other: str | None, expected: str) -> None:
    """By number within an epoch; between two the first one stands."""
    assert later(one, other) == expected


# What clients are sent.


@pytest.fixture
def town() -> Town:
    town = Town()
    town.log = Log()
    town.manager = RoomManager(town.log.log)
    town.manager.set_server(town.server)
    return town


async def test_clients_that_are_told_offsets_get_them_last(town: Town) -> None:
    """Two wire forms of one event, each encoded once; raw peers get their frame."""
    sids = {name: await town.client(name, "room") for name in "abcd"}
    for name in "bd":
        town.manager.number(sids[name], "/n")
    lines = {name: Line() for name in "cd"}
    for name, line in lines.items():
        town.server.sockets[name].socket = line
    peer = RawPeer(Dialect())
    town.manager.enter_peer(peer, ["room"])
    await town.tell("room")
    offset = town.manager.log.position
    plain, numbered = '42/n,["news",{"n":1}]', f'42/n,["news",{{"n":1}},"{offset}"]'
    assert [town.heard(name) for name in "ab"] == [[plain], [numbered]]
    assert lines["c"].pending == town.server.sockets["a"].packets[0].frame
    assert lines["d"].pending is town.server.sockets["b"].packets[0].frame
    assert peer.frames == [b"\x81\x08n:news:1"]


async def test_everybody_may_be_told_offsets(town: Town) -> None:
    """Also those of one client only, and no longer when they have left."""
    one, two = await town.client("a", "room"), await town.client("b", "room")
    for sid in (one, two):
        town.manager.number(sid, "/n")
    await town.tell(two)
    await town.tell("room", except_room="room")
    await town.tell("room")
    assert [text.rpartition("-")[2] for text in town.heard("b")] == ['1"]', '3"]']
    assert [text.rpartition("-")[2] for text in town.heard("a")] == ['3"]']
    for sid in (one, two):
        await town.manager.disconnect(sid, "/n")
    assert town.manager._numbered == {}


@pytest.mark.parametrize(
    ("data", "end"),
    [({"n": 1}, '"e",{"n":1}]'), ("text", '"e","text",null]'), (("a", "b"), '"e","a","b",null]'),
     (None, '"e"]'), (("a", 1), '"e","a",1]')],
)  # fmt: skip
async def test_events_without_an_offset_do_not_end_in_text(town: Town, data: Any, end: str) -> None:
    """The stock client would take it for an offset, and ask for what came after it."""
    town.manager.number(await town.client("a", "room"), "/n")
    await town.manager.emit("e", data, "/n", room="room", volatile=True)
    assert town.heard("a") == [f"42/n,[{end}"]
