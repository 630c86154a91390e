"""JS clients go on at another process, whatever became of the one before."""

import pytest

from tests.io_program import CLIENTS, NODE, PACKAGES, QUICK, started
from tests.network import Network
from tests.redis_server import RedisServer, needs_redis
from tests.test_processes import sign_up

pytestmark = [
    pytest.mark.fault,
    pytest.mark.node,
    needs_redis,
    pytest.mark.skipif(NODE is None, reason="node is not installed"),
    pytest.mark.skipif(not PACKAGES.is_dir(), reason="packages are missing: npm ci in web/"),
]

BACK = [{"recovered": True}]
ANEW = [{"recovered": False}]


@pytest.fixture
def redis():
    server = RedisServer()
    server.start("--appendonly", "yes", "--appendfsync", "always")
    yield server
    server.close()


@pytest.fixture(params=CLIENTS)
async def client(request):
    async with started(request.param) as program:
        yield program


class Channel:
    """A channel, a client in it, and somebody who writes into it at another process."""

    def __init__(self, client, writer, token):
        self.client, self.writer, self.token = client, writer, token
        self.sent = []

    @classmethod
    async def opened(cls, client, network, here, writer):
        (ann, _), (ben, _) = await sign_up(here, "ann"), await sign_up(writer, "ben")
        self = cls(client, writer, ben)
        await client.do("open", "a", f"{network.url}/chat", {"auth": {"token": ann}, **QUICK})
        assert await client.hear("a", "connect") == ANEW
        await client.do("ack", "a", 10_000, "join_channel", {"channel_id": "lobby"})
        (answer,) = await client.hear("a", "ack")
        assert "data" in answer, answer
        return self

    async def post(self):
        self.sent.append(f"message {len(self.sent)}")
        body = {"channel_id": "lobby", "content": self.sent[-1]}
        status, answer = await self.writer.call(self.token, "POST", "/api/v1/messages", body)
        assert status == 201, answer

    async def check_all_heard(self):
        """All that was sent has come, once and in order."""
        while True:
            heard = [
                what[3]["content"]
                for what in self.client.heard
                if what[:3] == ["a", "event", "new_message"]
            ]
            if len(heard) >= len(self.sent):
                break
            await self.client.hear("a", "event", "new_message")
        assert heard == self.sent


async def until_ready(doors):
    status = None
    while status != 200:
        status, _ = await doors.call(None, "GET", "/ready")


@pytest.fixture
async def network():
    network = await Network("http://127.0.0.1:1").start()
    yield network
    await network.stop()


@pytest.mark.parametrize("end", ["kill", "stop", "cut", "silence"])
async def test_going_on_at_another_process(start_server, redis, client, network, end):
    """Also before the first event, and twice: after a crash, a deploy, a cut and a dead network."""
    options = {"REDIS_URL": redis.url, "PRESENCE_GRACE_S": "60"}
    one, two = await start_server(**options), await start_server(**options)
    network.lead_to(one.doors.url)
    channel = await Channel.opened(client, network, one.doors, two.doors)
    if end == "kill":
        network.is_up = False
        await one.kill()
    elif end == "stop":
        network.is_up = False
        await one.stop()
    elif end == "cut":
        network.cut(down=True)
    else:
        network.silence()
    network.lead_to(two.doors.url)
    await channel.post()
    await channel.post()
    network.up()
    if end == "silence":
        # The client notices before the server does.
        await client.do("drop", "a")
    assert await client.hear("a", "connect") == BACK
    await channel.post()
    await channel.check_all_heard()
    # And back, to a process that has not known it.
    three = await start_server(**options)
    network.cut(down=True)
    await channel.post()
    network.lead_to(three.doors.url)
    network.up()
    assert await client.hear("a", "connect") == BACK
    await channel.post()
    await channel.check_all_heard()


async def test_redis_restarted_with_its_data(start_server, redis, client, network):
    """Records and events are still there."""
    one = await start_server(REDIS_URL=redis.url, PRESENCE_GRACE_S="60")
    network.lead_to(one.doors.url)
    channel = await Channel.opened(client, network, one.doors, one.doors)
    await channel.post()
    network.cut(down=True)
    redis.stop()
    redis.start("--appendonly", "yes", "--appendfsync", "always")
    await channel.post()
    # Until the process has its Redis back, it cannot tell what the client has missed.
    await until_ready(one.doors)
    network.up()
    assert await client.hear("a", "connect") == BACK
    await channel.post()
    await channel.check_all_heard()


async def test_redis_that_has_lost_everything(start_server, redis, client, network):
    """The client begins anew, and knows it."""
    one = await start_server(REDIS_URL=redis.url, PRESENCE_GRACE_S="60")
    network.lead_to(one.doors.url)
    channel = await Channel.opened(client, network, one.doors, one.doors)
    await channel.post()
    network.cut(down=True)
    redis.stop()
    redis.lose_data()
    redis.start()
    await until_ready(one.doors)
    network.up()
    assert await client.hear("a", "connect") == ANEW
