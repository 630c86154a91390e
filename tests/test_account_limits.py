"""What an account may do is counted over all doors of a server."""

import asyncio
import json

import pytest
from aiohttp import ClientSession, TCPConnector, WSServerHandshakeError

from tests.live import PATIENCE_S

PING = {"type": "ping"}


class Engine:
    """A Socket.IO client that says exactly what a test wants."""

    def __init__(self, socket):
        self.socket = socket

    async def send(self, packet):
        await self.socket.send_str(packet)

    async def packet(self):
        """Return the next Socket.IO packet; pings are answered."""
        while True:
            text = await self.socket.receive_str(timeout=PATIENCE_S)
            if text == "2":
                await self.socket.send_str("3")
            else:
                return text

    async def connect(self, namespace, token):
        """Connect to a namespace: None, or the data of the refusal."""
        await self.send(f"40{namespace},{json.dumps({'token': token})}")
        return await self.connected(namespace)

    async def connected(self, namespace):
        while True:
            text = await self.packet()
            if text.startswith(f"44{namespace},"):
                return json.loads(text.partition(",")[2])["data"]
            if text.startswith(f"40{namespace},"):
                return None

    async def call(self, namespace, number, name, payload):
        """Send a command; its answer, whatever events come before."""
        await self.send(f"42{namespace},{number}{json.dumps([name, payload])}")
        while True:
            text = await self.packet()
            if text.startswith(f"43{namespace},{number}["):
                return json.loads(text.partition("[")[2].rstrip("]"))


@pytest.fixture
def engine():
    async def open_engine(server):
        client = await server.open_at("/socket.io/?EIO=4&transport=websocket")
        assert (await client.text())[0] == "0"
        return Engine(client.socket)

    return open_engine


async def test_leaving_and_coming_back_gains_nothing(serve, engine):
    """CONNECT, ten commands, DISCONNECT on one connection: the third round is refused."""
    server = await serve(messages_burst=24, messages_per_s=0.01, message_delay_s=0)
    token = await server.token("someone")
    client = await engine(server)
    for _ in range(2):
        assert await client.connect("/chat", token) is None
        for number in range(10):
            answer = await client.call("/chat", number, "list_channels", {})
            assert "data" in answer
        await client.send("41/chat,")
    refusal = await client.connect("/chat", token)
    assert refusal["code"] == "too_many_requests"
    assert 190 < refusal["retry_after"] <= 200
    assert await client.connect("/chat", await server.token("other")) is None


async def test_all_doors_share_the_messages_of_an_account(serve, engine):
    """Two namespaces of one connection, two connections, and each raw endpoint."""
    server = await serve(messages_burst=16, messages_per_s=0.01, message_delay_s=0)
    account = await server.account("someone")
    token = server.issue(account)
    client = await engine(server)
    assert await client.connect("/stories", token) is None
    assert await client.connect("/diary", token) is None
    raw = [
        await server.open_at(f"{path}?token={token}")
        for path in ("/ws", "/api/v1/ws", f"/api/v1/ws/{account.id}", f"/ws/{account.id}")
    ]
    # Twelve for six connects; four are left.
    assert (await raw[0].frame())["type"] == "connected"
    assert "data" in await client.call("/stories", 1, "list_stories", {})
    assert "data" in await client.call("/diary", 2, "list_tasks", {})
    assert (await raw[1].ask(PING))["type"] == "pong"
    assert (await raw[2].ask(PING))["type"] == "pong"
    for socket in raw:
        assert "slow down" in json.dumps(await socket.ask(PING))
    for namespace, name in (("/stories", "list_stories"), ("/diary", "list_tasks")):
        answer = await client.call(namespace, 3, name, {})
        assert answer["error"]["code"] == "too_many_requests"
        assert 0 < answer["error"]["retry_after"] <= 100
    second = await engine(server)
    assert (await second.connect("/stories", token))["code"] == "too_many_requests"
    with pytest.raises(WSServerHandshakeError) as refused:
        await server.open_raw(token)
    assert refused.value.status == 429
    assert await (await server.open_at(f"/ws/{account.id}?token={token}")).closed() == 1008
    other = await server.raw(await server.token("other"))
    assert (await other.ask(PING))["type"] == "pong"


async def test_three_hundred_connections_are_fifty(serve):
    """At once; those beyond the bound are told so, whatever namespace they ask for."""
    server = await serve()
    token = await server.token("someone")
    namespaces = ("/stories", "/chat", "/notifications", "/market", "/diary")
    url = f"{server.url}/socket.io/?EIO=4&transport=websocket"
    async with ClientSession(connector=TCPConnector(limit=0)) as http:
        sockets = await asyncio.gather(*(http.ws_connect(url) for _ in range(300)))
        clients = [Engine(socket) for socket in sockets]
        answers = await asyncio.gather(
            *(client.connect(namespaces[n % 4], token) for n, client in enumerate(clients))
        )
        refused = [answer for answer in answers if answer is not None]
        assert refused == [{"code": "too_many_connections"}] * 250
        # One that is in a namespace may join the others; a raw one is one more.
        first = answers.index(None)
        for n in range(first + 1, first + 4):
            assert await clients[first].connect(namespaces[n % 4], token) is None
        with pytest.raises(WSServerHandshakeError) as too_many:
            await server.open_raw(token)
        assert too_many.value.status == 429
        other = clients[answers.index(refused[0])]
        assert await other.connect("/stories", await server.token("other")) is None
