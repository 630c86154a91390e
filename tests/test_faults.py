"""What is promised in `docs/promises.md`, with the faults made: programs, a Redis, clients.

Each test prints how long it took until all was well; `-rP` shows it.
"""

import asyncio
import json
import os
import signal
import time
from collections import Counter
from contextlib import suppress

import aiohttp
import pytest
from redis.asyncio import Redis

from tests.network import Network
from tests.programs import START_S
from tests.redis_server import needs_redis
from tests.test_processes import PASSWORD, sign_up

pytestmark = [pytest.mark.fault, pytest.mark.timeout(300)]

SOON_S = 5.0
"""An answer may take so long while a fault begins: what is asked for an answer is given 2 s."""


async def call(client, name, payload):
    answer = await client.call(name, payload)
    assert "data" in answer, answer
    return answer["data"]


def client_id(content):
    return f"message-{content.replace(' ', '-')}"


class Person:
    """An account at one server: it reads a channel, and writes numbered messages into it."""

    def __init__(self, name, doors, token, account_id):
        self.name, self.doors, self.token, self.account_id = name, doors, token, account_id
        self.sent = []
        self.heard = []
        self.others = Counter()

    @classmethod
    async def arrived(cls, doors, name):
        self = cls(name, doors, *await sign_up(doors, name))
        self.client = await doors.socketio(self.token, namespace="/chat")
        await call(self.client, "join_channel", {"channel_id": "lobby"})
        self.listening = asyncio.create_task(self._listen())
        return self

    async def _listen(self):
        while True:
            name, data = await self.client._events.get()
            if name == "new_message":
                self.heard.append(data["content"])
            self.others[name] += 1

    async def post(self, within_s=SOON_S):
        """Write the next one, and have it acknowledged."""
        content = f"{self.name} {len(self.sent)}"
        body = {"channel_id": "lobby", "content": content, "client_id": client_id(content)}
        async with asyncio.timeout(within_s):
            status, answer = await self.doors.call(self.token, "POST", "/api/v1/messages", body)
        assert status == 201, answer
        self.sent.append(content)

    async def presents(self):
        """Return who is present in the channel, as this one is told."""
        snapshot = await call(self.client, "join_channel", {"channel_id": "lobby"})
        return {each["user_id"] for each in snapshot["present"]}


async def until(condition, seconds=START_S):
    """Return after how many seconds it holds."""
    began = time.monotonic()
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110 nothing tells of it
            await asyncio.sleep(0.02)
    return time.monotonic() - began


async def until_ready(doors, status=200, seconds=START_S):
    began = time.monotonic()
    async with asyncio.timeout(seconds):
        while (await doors.call(None, "GET", "/ready"))[0] != status:  # noqa: ASYNC110 nor of this
            await asyncio.sleep(0.02)
    return time.monotonic() - began


async def hear_all(*people):
    """Everyone hears what everyone has written, once, and of each writer in order."""
    everything = Counter(content for each in people for content in each.sent)
    for each in people:
        await until(
            lambda each=each: sum(each.heard.count(one) for one in everything) >= len(everything)
        )
        assert Counter(each.heard) == everything, each.name
        for writer in people:
            from_one = [one for one in each.heard if one.startswith(f"{writer.name} ")]
            assert from_one == writer.sent


def check_log(program):
    """Nothing was unforeseen: it would be logged with its traceback."""
    lines = [number for number, line in enumerate(program.lines) if "Traceback" in line]
    if lines:
        pytest.fail("\n".join(program.lines[lines[0] - 3 : lines[0] + 90]))


def well(what, seconds):
    print(f"{what}: all was well after {seconds:.1f} s")  # noqa: T201


@pytest.fixture
async def network(redis):
    """The way of one process to Redis."""
    network = await Network(redis.url).start()
    yield network
    await network.stop()


@pytest.fixture
async def people(start_server, redis, network):
    """Ann at a server that has its Redis over the network, Ben at another one."""
    behind = network.url.replace("http:", "redis:")
    one, two = await asyncio.gather(*(start_server(REDIS_URL=url) for url in (behind, redis.url)))
    made = [await Person.arrived(one.doors, "ann"), await Person.arrived(two.doors, "ben")]
    for person, program in zip(made, (one, two), strict=True):
        person.program = program
        await person.post()
    await hear_all(*made)
    yield made
    for person in made:
        person.listening.cancel()
    for program in (one, two):
        check_log(program)


@needs_redis
@pytest.mark.parametrize("how", ["cut", "silent"])
async def test_one_process_is_parted_from_redis(people, network, how):
    """What it is told is acknowledged, and is heard everywhere when the way is there again."""
    ann, ben = people
    if how == "cut":
        network.cut(down=True)
    else:
        network.part()
    for _ in range(3):
        await ann.post()
        await ben.post()
    await until_ready(ann.doors, 503)
    assert (await ben.doors.call(None, "GET", "/ready"))[0] == 200
    # Those of his own process are heard at once.
    await until(lambda: ben.heard.count(ben.sent[-1]) == 1)
    assert ann.sent[-1] not in ben.heard
    assert ben.sent[-1] not in ann.heard
    await ann.post()
    began = time.monotonic()
    network.cut()
    await until_ready(ann.doors)
    await hear_all(ann, ben)
    well(f"parted ({how})", time.monotonic() - began)
    await ann.post()
    await ben.post()
    await hear_all(ann, ben)


@needs_redis
async def test_redis_is_paused(people, redis):
    """For longer than a process waits for signs of life; nothing is written twice."""
    ann, ben = people
    redis.pause()
    paused = time.monotonic()
    while time.monotonic() - paused < 20:
        await ann.post()
        await ben.post()
        await asyncio.sleep(0.5)
    await until_ready(ann.doors, 503)
    await until_ready(ben.doors, 503)
    redis.resume()
    began = time.monotonic()
    await until_ready(ann.doors)
    await until_ready(ben.doors)
    await hear_all(ann, ben)
    well("paused", time.monotonic() - began)
    assert ann.others["session.gap"] == ben.others["session.gap"] == 0


@needs_redis
@pytest.mark.parametrize("kept", [True, False], ids=["with its data", "without"])
async def test_redis_is_restarted(people, redis, kept):
    """What was said meanwhile is heard; where its data are lost all are asked to catch up."""
    ann, ben = people
    asked = Redis.from_url(redis.url)
    if kept:
        await asked.config_set("appendfsync", "always")
        await asked.config_set("appendonly", "yes")
        async with asyncio.timeout(START_S):
            while True:
                about = await asked.info("persistence")
                if not (about["aof_rewrite_in_progress"] or about["aof_rewrite_scheduled"]):
                    break
    await asked.aclose()
    redis.stop()
    for person in people:
        await until_ready(person.doors, 503)
        await person.post()
    began = time.monotonic()
    redis.start("--appendonly", "yes" if kept else "no")
    for person in people:
        await until_ready(person.doors)
    await hear_all(ann, ben)
    well(f"restarted, {kept=}", time.monotonic() - began)
    for person in people:
        if kept:
            assert person.others["session.gap"] == 0, [
                line for line in person.program.lines if "bus:" in line
            ][-3:]
        else:
            await until(lambda person=person: person.others["session.gap"] == 1)


@needs_redis
async def test_redis_has_no_memory_left(people, redis):
    """Commands are acknowledged, readiness tells why, and nobody misses anything in the end."""
    ann, ben = people
    asked = Redis.from_url(redis.url)
    await asked.set("ballast", b"x" * 5_000_000)
    await asked.config_set("maxmemory", "1mb")
    for _ in range(5):
        await ann.post()
        await ben.post()
    await until_ready(ann.doors, 503)
    status, answer = await ann.doors.call(None, "GET", "/ready")
    assert (status, answer["reason"]) == (503, "Redis has no memory left; events wait for it.")
    await asked.delete("ballast")
    await asked.config_set("maxmemory", "0")
    await asked.aclose()
    began = time.monotonic()
    await until_ready(ann.doors)
    await until_ready(ben.doors)
    await hear_all(ann, ben)
    well("out of memory", time.monotonic() - began)
    await ann.post()
    await hear_all(ann, ben)
    assert ann.others["session.gap"] == ben.others["session.gap"] == 0


@needs_redis
@pytest.mark.parametrize("jump", [signal.SIGUSR1, signal.SIGUSR2], ids=["ahead", "back"])
async def test_a_clock_jumps_an_hour(start_server, redis, jump):
    """Of one process: nobody is signed out or gone, and what another one ended is ended here."""
    options = {"REDIS_URL": redis.url, "REVOCATION_CHECK_S": "1", "PRESENCE_LEASE_S": "15"}
    one, two = await asyncio.gather(
        start_server("tests.moved_clock", **options), start_server(**options)
    )
    ann, ben = await Person.arrived(one.doors, "ann"), await Person.arrived(two.doors, "ben")
    people = (ann, ben)
    for person in people:
        await person.post()
    await hear_all(*people)
    one.process.send_signal(jump)
    began = time.monotonic()
    await ann.post()
    # Its clock has jumped: what it made now says so.
    _, page = await ben.doors.call(ben.token, "GET", "/api/v1/conversations/lobby/messages")
    moments = {each["content"]: each["created_at"] for each in page["items"]}
    is_later = moments[ann.sent[1]] > moments[ben.sent[0]]
    assert is_later == (jump == signal.SIGUSR1)
    for person in people:
        await person.post()
    await hear_all(*people)
    well("clock", time.monotonic() - began)
    # For longer than a lease: both see each other.
    since = time.monotonic()
    while time.monotonic() - since < 20:
        for person in people:
            assert await person.presents() == {ann.account_id, ben.account_id}
        await asyncio.sleep(1)
    assert ann.others["user_status_change"] == ben.others["user_status_change"]
    # Accounts that come at one are known at the other.
    for here, there in ((one, two), (two, one)):
        token, _ = await sign_up(here.doors, f"new{here.process.pid}")
        assert (await there.doors.call(token, "GET", "/api/v1/auth/sessions"))[0] == 200
        # And signed out there, they are signed out here.
        client = await here.doors.socketio(token, namespace="/chat")
        status, answer = await there.doors.call(token, "POST", "/api/v1/auth/logout")
        assert status in (200, 204), answer
        await client.gone()
    one.process.send_signal(signal.SIGUSR1 if jump == signal.SIGUSR2 else signal.SIGUSR2)
    for person in people:
        await person.post()
    await hear_all(*people)
    for person in people:
        person.listening.cancel()
    for program in (one, two):
        check_log(program)


CROWD = int(os.environ.get("FAULT_CLIENTS", "2000"))
CROWD_ACCOUNTS = 10


class Reader:
    """A Socket.IO client of a few lines, in a channel; it comes back as the stock client does."""

    def __init__(self, token):
        self.token = token
        self.url = ""
        self.pid = self.offset = None
        self.heard = []
        self.outcomes = []
        self.is_there = asyncio.Event()

    async def run(self, http):
        while True:
            with suppress(aiohttp.ClientError, OSError, TypeError, TimeoutError, ValueError):
                await self.stay(http)
            self.is_there.clear()
            await asyncio.sleep(0.5)

    async def stay(self, http):
        url = f"{self.url}/socket.io/?EIO=4&transport=websocket"
        async with http.ws_connect(url) as socket:
            await socket.receive_str()
            auth = {"token": self.token}
            if self.pid is not None:
                auth |= {"pid": self.pid} | ({"offset": self.offset} if self.offset else {})
            await socket.send_str(f"40/chat,{json.dumps(auth)}")
            pid = json.loads((await socket.receive_str()).removeprefix("40/chat,"))["pid"]
            self.outcomes.append(pid == self.pid)
            if pid == self.pid:
                self.is_there.set()
            else:
                self.pid, self.offset = pid, None
                await socket.send_str('42/chat,1["join_channel",{"channel_id":"lobby"}]')
            while True:
                text = await socket.receive_str()
                if text == "2":
                    await socket.send_str("3")
                elif text.startswith("43/chat,1["):
                    self.is_there.set()
                elif text.startswith("42/chat,["):
                    name, data, *offset = json.loads(text.removeprefix("42/chat,"))
                    if offset:
                        self.offset = offset[0]
                    if name == "new_message":
                        self.heard.append(data["content"])


@needs_redis
async def test_a_crowd_comes_at_once_and_again_after_a_crash(start_server, redis):
    """2,000 clients in one moment, twice; then nobody has missed a message, or had one twice."""
    limits = ("CONNECTIONS_PER_ACCOUNT", "MESSAGES_PER_S", "MESSAGES_BURST", "ANONYMOUS_BURST")
    options = {"REDIS_URL": redis.url, **{f"LIMIT_{name}": "1000000" for name in limits}}
    one, two = await asyncio.gather(*(start_server(**options) for _ in range(2)))
    ben = await Person.arrived(two.doors, "ben")
    tokens = [(await sign_up(two.doors, f"crowd{n}"))[0] for n in range(CROWD_ACCOUNTS)]
    readers = [Reader(tokens[number % CROWD_ACCOUNTS]) for number in range(CROWD)]
    tasks = []
    connector = aiohttp.TCPConnector(limit=0)
    try:
        async with aiohttp.ClientSession(connector=connector) as http:
            began = time.monotonic()
            for reader in readers:
                reader.url = one.doors.url
                tasks.append(asyncio.create_task(reader.run(http)))
            slowest_s = await _all_there(readers, ben)
            well(f"{CROWD} clients", time.monotonic() - began)
            well("the slowest answer to somebody else", slowest_s)
            before = len(ben.sent)
            for _ in range(5):
                await ben.post()
            await until(lambda: all(ben.sent[-1] in each.heard[-1:] for each in readers), 60)
            for reader in readers:
                reader.url = two.doors.url
                reader.is_there.clear()
            await one.kill()
            began = time.monotonic()
            slowest_s = await _all_there(readers, ben)
            well(f"{CROWD} clients after a crash", time.monotonic() - began)
            well("the slowest answer to somebody else", slowest_s)
            await until(lambda: all(ben.sent[-1] in each.heard[-1:] for each in readers), 60)
            outcomes = Counter(tuple(each.outcomes) for each in readers)
            warnings = [line for line in two.lines if line.startswith("WARNING")]
            assert outcomes == {(False, True): CROWD}, warnings[-20:]
            # From when all were there: each message once and in order.
            for reader in readers:
                assert reader.heard[reader.heard.index(ben.sent[before]) :] == ben.sent[before:]
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        ben.listening.cancel()


async def _all_there(readers, writer):
    """Wait for everyone while messages are written; return the slowest answer to the writer."""
    slowest_s = 0.0
    deadline = time.monotonic() + 120
    while not all(each.is_there.is_set() for each in readers):
        assert time.monotonic() < deadline, sum(not each.is_there.is_set() for each in readers)
        began = time.monotonic()
        # All of them are on two cores of this machine, with the clients.
        await writer.post(START_S)
        slowest_s = max(slowest_s, time.monotonic() - began)
        await asyncio.sleep(0.1)
    return slowest_s


@pytest.fixture
async def way_to_store(settings):
    if not settings.mongodb_uri:
        pytest.skip("the store is embedded: it cannot be away; .ci/mongodb runs this")
    host = settings.mongodb_uri.removeprefix("mongodb://").partition("/")[0]
    network = await Network(f"http://{host}").start()
    yield network
    await network.stop()


@pytest.mark.parametrize("how", ["cut", "silent"])
async def test_the_store_is_away(start_server, way_to_store, how):
    """For 20 s: all is refused with 503 and no one is disconnected; repeats are done once."""
    uri = way_to_store.url.replace("http:", "mongodb:")
    program = await start_server(MONGODB_URI=uri)
    doors = program.doors
    ann = await Person.arrived(doors, "ann")
    await ann.post()
    await hear_all(ann)
    if how == "cut":
        way_to_store.cut(down=True)
    else:
        way_to_store.part()
    gone = time.monotonic()
    refused = Counter()
    body = {"channel_id": "lobby", "content": "ann 1", "client_id": client_id("ann 1")}
    while time.monotonic() - gone < 20:
        async with asyncio.timeout(30):
            status, answer = await doors.call(ann.token, "POST", "/api/v1/messages", body)
        refused[status] += 1
        assert (status, answer["code"]) == (503, "unavailable")
        assert (await doors.call(None, "GET", "/live"))[0] == 200
    assert (await doors.call(None, "GET", "/ready"))[0] == 503
    # Who signs in during that is told to come back, and nothing else.
    account = {"email": "ann@example.com", "password": PASSWORD}
    assert (await doors.call(None, "POST", "/login", account))[0] == 503
    began = time.monotonic()
    way_to_store.cut()
    await until_ready(doors, seconds=60)
    status = 0
    while status != 201:
        status, answer = await doors.call(ann.token, "POST", "/api/v1/messages", body)
    ann.sent.append("ann 1")
    await hear_all(ann)
    well(f"the store away ({how}); {refused[503]} refused", time.monotonic() - began)
    await ann.post()
    await hear_all(ann)
    assert ann.client.client.eio.state == "connected"
    ann.listening.cancel()
    status, page = await doors.call(ann.token, "GET", "/api/v1/conversations/lobby/messages")
    assert status == 200
    assert Counter(each["content"] for each in page["items"]) == Counter(ann.sent)
    check_log(program)
