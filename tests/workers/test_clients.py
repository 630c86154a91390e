"""Clients of several workers: the stock client as it is by default, from long-polling on."""

import asyncio
import json
import os
import re
import signal
from collections import Counter
from contextlib import suppress

import pytest
from aiohttp import ClientError

from tests.io_program import NODE, PACKAGES, QUICK, started
from tests.redis_server import needs_redis
from tests.test_bus import until_event
from tests.test_processes import sign_up

pytestmark = [pytest.mark.fault, needs_redis]

CLIENT_COUNT = 50
WAIT_S = 60.0
"""For fifty of them on a busy machine."""


class Crowd:
    """Fifty sockets of the stock client, each with a connection of its own, in one channel."""

    def __init__(self, program):
        self.program = program
        self.names = [f"c{number}" for number in range(CLIENT_COUNT)]
        self._read = 0

    async def hear_from_all(self, *wanted):
        """Return what each socket tells next that begins so, by name."""
        heard = {}
        async with asyncio.timeout(WAIT_S):
            while len(heard) < CLIENT_COUNT:
                while self._read == len(self.program.heard):
                    await self.program.hear()
                what = self.program.heard[self._read]
                self._read += 1
                if what[1 : 1 + len(wanted)] == list(wanted):
                    heard.setdefault(what[0], what[1 + len(wanted) :])
        return heard

    async def connect(self, url, tokens):
        for number, name in enumerate(self.names):
            await self.program.do("open", name, f"{url}/chat", {
                "auth": {"token": tokens[number % len(tokens)]}, "forceNew": True,
                "transports": ["polling", "websocket"], "upgrades": True, **QUICK,
            })  # fmt: skip
        read = self._read
        await self.hear_from_all("connect")
        self._read = read
        upgraded = await self.hear_from_all("upgrade")
        assert {transport for (transport,) in upgraded.values()} == {"websocket"}
        for name in self.names:
            await self.program.do("ack", name, 30_000, "join_channel", {"channel_id": "lobby"})
        for (answer,) in (await self.hear_from_all("ack")).values():
            assert "data" in answer, answer

    def messages(self, name):
        """Return the texts that a socket has heard."""
        return [
            what[3]["content"]
            for what in self.program.heard
            if what[:3] == [name, "event", "new_message"]
        ]

    async def has_heard(self, name, text):
        async with asyncio.timeout(WAIT_S):
            while text not in self.messages(name):
                await self.program.hear(name, "event", "new_message")


async def post(doors, token, text):
    body = {"channel_id": "lobby", "content": text}
    status, answer = await doors.call(
        token, "POST", "/api/v1/messages", body, headers={"Connection": "close"}
    )
    assert status == 201, answer


@pytest.fixture
async def crowd():
    async with started("stock") as program:
        yield Crowd(program)


@pytest.mark.node
@pytest.mark.skipif(NODE is None, reason="node is not installed")
@pytest.mark.skipif(not PACKAGES.is_dir(), reason="packages are missing: npm ci in web/")
async def test_fifty_stock_clients_and_a_worker_that_is_killed(workers, crowd):
    """All connect by long-polling, upgrade and hear each other; after a kill nothing is missed."""
    doors = workers.doors
    tokens = [(await sign_up(doors, f"user{number}"))[0] for number in range(5)]
    writer, _ = await sign_up(doors, "writer")
    await crowd.connect(doors.url, tokens)
    # Both have clients, and what one sends over its WebSocket reaches all.
    for number, name in enumerate(crowd.names[:10]):
        said = {"conversation_id": "lobby", "content": f"hello {number}"}
        await crowd.program.do("emit", name, "send_message", said)
    for name in crowd.names:
        for number in range(10):
            await crowd.has_heard(name, f"hello {number}")

    acknowledged = []

    async def write():
        number = 0
        while True:
            # A request to the worker that is killed is not acknowledged.
            with suppress(ClientError):
                await post(doors, writer, f"news {number}")
                acknowledged.append(f"news {number}")
            number += 1
            await asyncio.sleep(0.1)

    writing = asyncio.create_task(write())
    try:
        await crowd.has_heard("c0", "news 3")
        await crowd.hear_from_all("event", "new_message")
        os.kill(workers.pids()[2], signal.SIGKILL)
        await workers.wrote("worker 2 was ended by signal 9")
        await workers.wrote("listening on .*worker=2", 2)
        for _ in range(3):
            await crowd.hear_from_all("event", "new_message")
    finally:
        writing.cancel()
        await asyncio.wait([writing])
    await post(doors, writer, "the last one")
    for name in crowd.names:
        await crowd.has_heard(name, "the last one")
        heard = crowd.messages(name)
        assert Counter(heard).most_common(1)[0][1] == 1, "something was heard twice"
        news = [text for text in heard if text.startswith("news")]
        assert news == sorted(news, key=lambda text: int(text.split()[1]))
        assert [text for text in acknowledged if text not in heard] == []
    back = [what[2] for what in crowd.program.heard if what[1:2] == ["connect"]][CLIENT_COUNT:]
    # Some were on the other worker; those that came back went on where they were.
    assert 0 < len(back) < CLIENT_COUNT
    assert all(each["recovered"] for each in back)


async def test_long_polling_alone(workers):
    """Clients that never upgrade are served, whichever worker their requests come to."""
    ann, _ = await sign_up(workers.doors, "ann")
    clients = [
        await workers.doors.socketio(ann, transports=("polling",), namespace="/stories")
        for _ in range(6)
    ]
    for _ in range(3):
        story_id = await workers.doors.story(ann)
        for client in clients:
            assert (await until_event(client, "story.created"))["id"] == story_id
    for client in clients:
        assert "data" in await client.call("list_stories", {})
        assert client.client.transport() == "polling"


async def test_each_request_on_a_connection_of_its_own(workers):
    """A session is served by both workers, one of which is its owner."""
    http, url = workers.doors._http, f"{workers.doors.url}/socket.io/?EIO=4&transport=polling"
    alone = {"Connection": "close"}
    async with http.get(url, headers=alone) as answer:
        sid = json.loads((await answer.text())[1:])["sid"]
    assert sid[-2:] in (".1", ".2")
    other = {".1": 2, ".2": 1}[sid[-2:]]
    token, _ = await sign_up(workers.doors, "ann")
    join = f"40/stories,{json.dumps({'token': token, 'recovery': False})}"
    async with http.post(f"{url}&sid={sid}", data=join, headers=alone) as answer:
        assert (answer.status, await answer.text()) == (200, "ok")
    heard = ""
    for number in range(20):
        event = f'42/stories,{number}["list_stories",{{}}]'
        async with http.post(f"{url}&sid={sid}", data=event, headers=alone) as answer:
            assert answer.status == 200
        while f"43/stories,{number}[" not in heard:
            async with http.get(f"{url}&sid={sid}", headers=alone) as answer:
                assert answer.status == 200
                heard += await answer.text()
    passed_on = [
        line for line in workers.lines if "/socket.io/ 200" in line and f"worker={other}" in line
    ]
    # Half of forty, give or take; none would be one chance in a billion.
    assert 2 < len(passed_on) < 60


async def test_sigterm_while_clients_poll(workers):
    """Polls that another worker answers bring the reason, too."""
    ann, _ = await sign_up(workers.doors, "ann")
    clients = [
        await workers.doors.socketio(ann, transports=("polling",), namespace="/stories")
        for _ in range(8)
    ]
    workers.process.send_signal(signal.SIGTERM)
    for client in clients:
        ending = await until_event(client, "session.ending")
        assert ending["code"] == "server_stopping"
        await client.gone()
    assert await workers.ended() == 0
    assert not [line for line in workers.lines if re.search("ERROR|WARNING", line)]
