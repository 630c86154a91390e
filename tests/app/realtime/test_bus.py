"""The log of events in Redis, between logs that stand for processes, on a real server."""

import asyncio
import time
from contextlib import AsyncExitStack, asynccontextmanager

import pytest
from redis.asyncio import Redis

from app.realtime.events import bus
from app.realtime.events.bus import RedisLog
from app.realtime.events.delivery import Delivery, Gap, read_all
from models.publications import settled
from tests.redis_server import needs_redis

pytestmark = [pytest.mark.fault, needs_redis]

PATIENCE_S = 30.0


class Process:
    """A log and those who listen to it, in some rooms."""

    def __init__(self, redis, *rooms, **options):
        self.log = RedisLog(redis.url, "test", **options)
        self.rooms = set(rooms)
        self.heard = []
        self.offsets = []
        self.gaps = 0
        self.asked = []
        self._changed = asyncio.Event()
        self.log.begin(self)
        self.log.announce_gaps(self._gap)

    def has_listeners(self, namespace, rooms):
        self.asked.append((namespace, tuple(rooms)))
        return bool(self.rooms & set(rooms))

    def deliver(self, delivery, offset):
        self.heard.append(delivery.data.get("n"))
        self.offsets.append(offset)
        self._changed.set()

    def _gap(self, is_certain):
        self.gaps += 1
        self._changed.set()

    def note(self, what):
        self.heard.append(what)
        self._changed.set()

    async def say(self, number, room="a", **options):
        await self.log.publish(Delivery("/n", "said", {"n": number}, (room,), **options))

    async def until(self, condition):
        async with asyncio.timeout(PATIENCE_S):
            while not condition(self):
                self._changed.clear()
                await self._changed.wait()

    async def hears(self, *numbers):
        await self.until(lambda self: len(self.heard) >= len(numbers))
        assert self.heard == list(numbers)


@asynccontextmanager
async def processes(redis, *rooms_of_each):
    async with AsyncExitStack() as stack:
        made = [Process(redis, *rooms) for rooms in rooms_of_each]
        for each in made:
            await stack.enter_async_context(each.log.running())
        yield made


async def until_well(log):
    """Wait until a log reads and writes."""
    async with asyncio.timeout(PATIENCE_S):
        while log.problem is not None:  # noqa: ASYNC110 nothing tells of it
            await asyncio.sleep(0.01)


async def until_written(log):
    async with asyncio.timeout(PATIENCE_S):
        while log.waiting:  # noqa: ASYNC110 nothing tells of it
            await asyncio.sleep(0.01)


async def until_away(log):
    async with asyncio.timeout(PATIENCE_S):
        while log.problem is None:  # noqa: ASYNC110 nothing tells of it
            await asyncio.sleep(0.01)


async def test_all_processes_hear_in_one_order(redis):
    """What two processes say at the same time reaches both, and the rest, in the same order."""
    async with processes(redis, "a", "a", "a") as (one, two, three):
        for number in range(0, 100, 2):
            await one.say(number)
            await two.say(number + 1)
        for each in (one, two, three):
            await each.until(lambda self: len(self.heard) == 100)
        assert one.heard == two.heard == three.heard
        assert sorted(one.heard) == list(range(100))
        assert one.offsets == three.offsets
        assert len(set(one.offsets)) == 100


async def test_who_is_not_in_the_room_hears_nothing(redis):
    """A process is asked for its rooms, and hands over what is for them."""
    async with processes(redis, "a", "b") as (one, two):
        await one.say(1, "a")
        await one.say(2, "b")
        await two.hears(2)
        await one.hears(1)
        assert ("/n", ("a",)) in two.asked


async def test_data_crosses_unchanged(redis):
    """Arguments, the room that is left out and what dialects read arrive as they were."""
    async with processes(redis, "a", "a") as (one, two):
        found = []
        two.deliver = lambda delivery, offset: (found.append(delivery), two._changed.set())
        data = {"text": "Grüße \u2028 ‮ 😀", "big": 2**53 + 1, "deep": [None, {"x": 1.5}]}
        private = {"email": "a@example.com"}
        await one.log.publish(Delivery("/n", "said", data, ("a",), "b", private))
        await two.until(lambda self: found)
        (delivery,) = found
        assert (delivery.namespace, delivery.event, delivery.data) == ("/n", "said", data)
        assert (delivery.rooms, delivery.except_room) == (("a",), "b")
        assert delivery.private == private
        assert not delivery.volatile


async def test_volatile_events_have_no_offset_and_are_not_read_again(redis):
    async with processes(redis, "a", "a") as (one, two):
        start = two.log.position
        await one.say(1, volatile=True)
        await one.say(2)
        await two.hears(1, 2)
        assert two.offsets[0] is None
        assert [each.data["n"] for _, each in await read_all(two.log, start, {"a"}, 10**6)] == [2]


async def test_a_command_waits_until_the_stream_has_its_event(redis):
    """`settled` returns when another process could read what was published."""
    async with processes(redis, "a") as (one,):
        await settled(one.say(1))
        reader = Redis.from_url(redis.url)
        assert await reader.xlen("test:events") >= 1
        await reader.aclose()


async def test_nobody_waits_for_redis_that_is_away(redis):
    """Commands are acknowledged; their events come when it is back, and in order."""
    async with processes(redis, "a", "a") as (one, two):
        redis.pause()
        async with asyncio.timeout(bus.ANSWER_S * 5):
            await settled(one.say(1))
        await until_away(one.log)
        async with asyncio.timeout(1.0):
            await settled(one.say(2))
        redis.resume()
        await two.hears(1, 2)
        await one.hears(1, 2)
        assert (one.gaps, two.gaps) == (0, 0)


async def test_redis_that_comes_back_empty_is_a_gap(redis):
    """Its events are gone: all are told so once, and go on hearing each other."""
    async with processes(redis, "a", "a") as (one, two):
        await one.say(1)
        await two.hears(1)
        former = two.log.position
        redis.stop()
        await until_away(one.log)
        await until_away(two.log)
        await one.say(2)
        redis.start()
        await until_well(one.log)
        await until_well(two.log)
        await two.say(3)
        await two.until(lambda self: len(self.heard) == 3)
        await one.until(lambda self: len(self.heard) == 3)
        assert one.heard == two.heard
        assert (one.gaps, two.gaps) == (1, 1)
        with pytest.raises(Gap):
            await two.log.read(former, {"a"}, 10)


async def test_what_the_queue_cannot_hold_is_a_gap(redis, monkeypatch, caplog):
    """A bounded queue while Redis is away; what is lost is logged, and announced everywhere."""
    monkeypatch.setattr(bus, "WAITING_ENTRIES", 3)
    monkeypatch.setattr(bus, "BEAT_S", 3600.0)
    async with processes(redis, "a", "a") as (one, two):
        await one.say(0)
        await two.hears(0)
        redis.pause()
        await one.say(1)
        await until_away(one.log)
        for number in range(2, 7):
            await one.say(number)
        assert one.log.waiting == 3
        redis.resume()
        await two.hears(0, 1, 2, 3)
        await until_written(one.log)
        await one.say(9)
        await two.hears(0, 1, 2, 3, 9)
        assert two.gaps == 1
        assert one.log.lost == 3
    assert "events are lost" in caplog.text
    assert "3 events were lost while Redis was away" in caplog.text
    caplog.clear()


async def test_signals_come_in_the_order_of_events(redis):
    """The others hear them between what was published before and after, and the sender does not."""
    async with processes(redis, "a", "a") as (one, two):
        for each in (one, two):
            each.log.receive("stop", lambda data, each=each: each.note(data["at"]))
        await one.say(1)
        one.log.send("stop", {"at": "here"})
        one.log.send("of a later version", {})
        await one.say(2)
        await two.hears(1, "here", 2)
        await one.hears(1, 2)
        assert (two.log.unknown, one.log.unknown, two.gaps) == (1, 0, 0)


async def test_what_is_to_be_done_after_delivery(redis):
    """It is done when what was published has come back; at once if nothing is on its way."""
    async with processes(redis, "a") as (one,):
        one.log.after_published(lambda: one.note("at once"))
        await one.say(1)
        one.log.after_published(lambda: one.note("after 1"))
        await one.say(2)
        await one.hears("at once", 1, "after 1", 2)
        redis.pause()
        await one.say(3)
        one.log.after_published(lambda: one.note("away"))
        await one.until(lambda self: "away" in self.heard)
        redis.resume()
        await one.until(lambda self: 3 in self.heard)
        assert one.heard.count("away") == 1


async def test_a_repeated_entry_is_delivered_once(redis):
    """A write whose answer was lost is written again."""
    async with processes(redis, "a") as (one,):
        await one.say(1)
        await one.hears(1)
        writer = Redis.from_url(redis.url)
        (entry,) = await writer.xrevrange("test:events", count=1)
        await writer.xadd("test:events", entry[1])
        await writer.aclose()
        await one.say(2)
        await one.hears(1, 2)
        assert one.gaps == 0


async def test_other_formats_are_passed_over_and_counted(redis):
    async with processes(redis, "a") as (one,):
        writer = Redis.from_url(redis.url)
        for header in (b'[2,"x",1,{"new":true}]', b"not JSON", b'[1,"x"]'):
            await writer.xadd("test:events", {b"h": header, b"b": b"[]"})
        await writer.xadd("test:events", {b"other": b"1"})
        await writer.aclose()
        await one.say(1)
        await one.hears(1)
        assert one.log.unknown == 4
        assert one.gaps == 0


async def test_what_came_meanwhile_is_read_on_any_process(redis):
    """An offset of one process is good at another one, one that has just begun included."""
    async with processes(redis, "a", "b") as (one, two):
        await one.say(0)
        await one.hears(0)
        start = one.log.position
        for number in range(1, 8):
            await two.say(number, "ab"[number % 2])
        await one.hears(0, 2, 4, 6)
        newcomer = Process(redis, "a")
        async with newcomer.log.running():
            for log in (one.log, newcomer.log):
                found = await read_all(log, start, {"a"}, 10**6)
                assert [each.data["n"] for _, each in found] == [2, 4, 6]
                page = await log.read(start, {"a"}, 2)
                assert [each.data["n"] for _, each in page.events] == [2, 4]
                rest = await log.read(page.offset, {"a"}, 2)
                assert [each.data["n"] for _, each in rest.events] == [6]
                assert rest.offset == log.position


async def test_what_was_trimmed_is_a_gap(redis):
    """An offset older than what the stream keeps; a client that has received that is fine."""
    async with processes(redis, "a") as (one,):
        start = one.log.position
        for number in range(5):
            await one.say(number)
        await one.hears(*range(5))
        writer = Redis.from_url(redis.url)
        await writer.xtrim("test:events", maxlen=1, approximate=False)
        await writer.aclose()
        for offset in (start, one.offsets[0]):
            with pytest.raises(Gap):
                await one.log.read(offset, {"a"}, 10)
        # Whoever has received all that is older than what is kept has missed only the rest.
        found = await one.log.read(start, {"a"}, 10, received_s=-5.0)
        assert [offset for offset, _ in found.events] == [one.offsets[4]]
        for offset in ("", "x", "x-1", f"{start.rpartition('-')[0]}-", "other-5"):
            with pytest.raises(Gap):
                await one.log.read(offset, {"a"}, 10)


async def test_a_deaf_reader_begins_anew(redis, monkeypatch, caplog):
    """A process whose own events do not come back notices, says so, and listens again."""
    monkeypatch.setattr(bus, "DEAF_S", 0.2)
    monkeypatch.setattr(bus, "BLOCK_S", 0.1)
    async with processes(redis, "a") as (one,):
        await one.say(1)
        await one.hears(1)
        real, heard = one.log._deliver_all, []

        async def pass_over(entries):
            heard.extend(entries)

        one.log._deliver_all = pass_over
        await one.say(2)
        await until_away(one.log)
        # Its reader may still wait for an answer; not before it has noticed may that be heard.
        async with asyncio.timeout(PATIENCE_S):
            while not one.log.deaf:  # noqa: ASYNC110 nothing tells of it
                await asyncio.sleep(0.01)
        one.log._deliver_all = real
        await one.hears(1, 2)
        await until_well(one.log)
    assert "does not receive its own events" in caplog.text
    caplog.clear()


async def test_a_server_without_redis_starts(redis, monkeypatch):
    """It says what is wrong, and hears the others once Redis is there."""
    monkeypatch.setattr(bus, "ANSWER_S", 0.2)
    redis.stop()
    alone = Process(redis, "a")
    async with alone.log.running():
        assert alone.log.problem is not None
        await settled(alone.say(1))
        redis.start()
        await alone.hears(1)
        await until_well(alone.log)


@pytest.fixture
async def asked(redis):
    client = Redis.from_url(redis.url)
    yield client
    await client.aclose()


async def test_what_was_written_without_an_answer_is_there_once(redis, asked):
    """A Redis that was paused does what it was sent before; that is not written again."""
    async with processes(redis, "a", "a") as (one, two):
        await one.say(0)
        await two.hears(0)
        redis.pause()
        await one.say(1)
        await one.say(2)
        await until_away(one.log)
        await one.say(3)
        redis.resume()
        await two.hears(0, 1, 2, 3)
        await one.hears(0, 1, 2, 3)
        await until_written(one.log)
        entries = [entry for _, entry in await asked.xrange("test:events")]
        assert len([each for each in entries if each[b"b"] != b"[]"]) == 4
        # Whoever had it the first time is not sent it again.
        for process in (one, two):
            found = await read_all(process.log, process.offsets[1], {"a"}, 10**6)
            assert [each.data["n"] for _, each in found] == [2, 3]
        assert (one.gaps, two.gaps) == (0, 0)


async def test_a_clock_that_is_set_back(redis, asked):
    """Redis then counts within one millisecond, yet each event has its own offset."""
    async with processes(redis, "a") as (one,):
        ahead = round((time.time() + 3600) * 1000)
        await asked.xadd("test:events", {b"h": b"[]"}, id=f"{ahead}-0")
        for number in range(1500):
            await one.say(number)
        await one.until(lambda self: len(self.heard) == 1500)
        assert one.heard == list(range(1500))
        assert len(set(one.offsets)) == 1500
        found = await read_all(one.log, one.offsets[1200], {"a"}, 10**6)
        assert [each.data["n"] for _, each in found] == list(range(1201, 1500))
        # Their age cannot be told: an older offset is a gap.
        await asked.xtrim("test:events", maxlen=5, approximate=False)
        with pytest.raises(Gap):
            await one.log.read(one.offsets[0], {"a"}, 10, received_s=-7200.0)


async def test_redis_that_others_have_filled(redis, asked, caplog):
    """Nobody waits for it; what was said comes when there is room again, and readiness tells."""
    async with processes(redis, "a", "a") as (one, two):
        await one.say(0)
        await two.hears(0)
        await asked.set("ballast", b"x" * 5_000_000)
        await asked.config_set("maxmemory", "1mb")
        await settled(one.say(1))
        await until_away(one.log)
        assert one.log.problem == "Redis has no memory left; events wait for it."
        async with asyncio.timeout(1.0):
            await settled(one.say(2))
        assert two.heard == [0]
        await asked.delete("ballast")
        await asked.config_set("maxmemory", "0")
        await two.hears(0, 1, 2)
        await one.hears(0, 1, 2)
        await until_well(one.log)
        assert (one.gaps, two.gaps) == (0, 0)
    # Once for each process, however often it tries.
    assert 1 <= caplog.text.count("no memory left") <= 2
    caplog.clear()


async def test_redis_that_events_have_filled(redis, asked, caplog):
    """The older half of them goes; those of now pass, and nobody who is there misses any."""
    async with processes(redis, "a", "a") as (one, two):
        used = (await asked.info("memory"))["used_memory"]
        await asked.config_set("maxmemory", used + 2_000_000)
        text = "x" * 20_000
        for number in range(200):
            await one.log.publish(Delivery("/n", "said", {"n": number, "text": text}, ("a",)))
        for each in (one, two):
            await each.until(lambda self: len(self.heard) == 200)
            assert each.heard == list(range(200))
            assert each.gaps == 0
        with pytest.raises(Gap):
            await two.log.read(two.offsets[0], {"a"}, 500)
    assert "no memory left" in caplog.text
    caplog.clear()


async def test_a_stream_that_was_removed(redis, asked):
    """Redis may evict keys: what was in it is missed, however new the stream is."""
    async with processes(redis, "a", "a") as (one, two):
        await one.say(1)
        await one.say(2)
        await two.hears(1, 2)
        await asked.delete("test:events")
        await one.say(3)
        await two.hears(1, 2, 3)
        for log in (one.log, two.log):
            with pytest.raises(Gap):
                await log.read(two.offsets[0], {"a"}, 10)


async def test_redis_emptied_while_it_runs(redis, asked):
    """All processes notice by themselves, begin anew together, and know each other's offsets."""
    async with processes(redis, "a", "a") as (one, two):
        await one.say(1)
        await two.hears(1)
        former = one.log.stream_id
        await asked.flushall()
        for each in (one, two):
            await each.until(lambda self: self.gaps == 1)
            await until_well(each.log)
        assert one.log.stream_id == two.log.stream_id != former
        await two.say(2)
        await one.hears(1, 2)
        assert await two.log.read(one.offsets[1], {"a"}, 10) == ([], two.log.position)


async def test_a_process_that_is_behind_another(redis, monkeypatch):
    """It is asked for what comes after an offset that it has not come to: it gets there first."""
    async with processes(redis, "a", "a") as (one, two):
        real, held = two.log._deliver_all, asyncio.Event()

        async def later(entries):
            await held.wait()
            await real(entries)

        two.log._deliver_all = later
        await one.say(1)
        await one.hears(1)
        reading = asyncio.create_task(two.log.read(one.offsets[0], {"a"}, 10))
        await asyncio.sleep(0)
        assert not reading.done()
        held.set()
        assert (await reading).events == []
        assert two.heard == [1]
        monkeypatch.setattr(bus, "ANSWER_S", 0.1)
        epoch, _, number = one.offsets[0].rpartition("-")
        with pytest.raises(Gap):
            await two.log.read(f"{epoch}-{int(number) + 10**16}", {"a"}, 10)
