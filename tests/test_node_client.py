"""The JS front ends' own client, socket.io-client, on Node."""

import asyncio
import json
import shutil
from asyncio.subprocess import PIPE
from pathlib import Path

import pytest

from tests.live import HELLO, PATIENCE_S

TESTS = Path(__file__).parent
CLIENT = TESTS.parent / "web" / "node_modules" / "socket.io-client" / "build" / "esm-debug"
NODE = shutil.which("node")

pytestmark = [
    pytest.mark.node,
    pytest.mark.skipif(NODE is None, reason="node is not installed"),
    pytest.mark.skipif(
        not CLIENT.is_dir(), reason="socket.io-client is not installed: npm ci in web/"
    ),
]


class NodeClient:
    """A Node process with one socket."""

    def __init__(self, process):
        self.process = process

    async def heard(self):
        """Give the next thing that happened: what, and its value."""
        line = await asyncio.wait_for(self.process.stdout.readline(), PATIENCE_S)
        assert line, "node has ended"
        what, value = json.loads(line)
        return what, value

    async def hear(self, wanted):
        """Give the value of the next thing of a kind; opening and upgrading may come before."""
        while True:
            what, value = await self.heard()
            if what == wanted:
                return value
            assert what in ("open", "upgrade"), (what, value)

    async def call(self, name, payload):
        """Send a command and give its ack."""
        self.process.stdin.write(f"{json.dumps([name, payload])}\n".encode())
        return await self.hear("ack")


@pytest.fixture
async def connect():
    """Start a client; what happens first is the test's to hear."""
    processes = []

    async def connect(url, auth, transports):
        process = await asyncio.create_subprocess_exec(
            *(NODE, str(TESTS / "node_client.mjs"), str(CLIENT / "index.js"), f"{url}/stories"),
            json.dumps({"auth": auth, "transports": transports}),
            stdin=PIPE,
            stdout=PIPE,
        )
        processes.append(process)
        return NodeClient(process)

    yield connect
    for process in processes:
        process.stdin.close()
        await asyncio.wait_for(process.wait(), PATIENCE_S)


async def test_polling_first_changes_over_to_websocket(server, connect):
    """The client's default way: it connects by long-polling, upgrades, and loses nothing."""
    author, fan = await server.token("author"), await server.token("fan")
    client = await connect(server.url, {"token": author}, ["polling", "websocket"])
    assert await client.heard() == ("open", "polling")
    # Which one is first depends on how long the token takes to check.
    following = [await client.heard() for _ in range(2)]
    assert sorted(following) == [("connect", None), ("upgrade", "websocket")]
    story_id = await server.story(author)
    _, view = await server.call(fan, "POST", f"/stories/{story_id}/view")
    name, created = await client.hear("event")
    assert (name, created["story_id"]) == ("story.created", story_id)
    assert await client.hear("event") == ["story.viewed", view]


async def test_a_command_and_an_event(server, connect):
    """On WebSocket alone: commands are acked, and the author hears a reaction."""
    author, fan = await server.token("author"), await server.token("fan")
    client = await connect(server.url, {"token": author}, ["websocket"])
    assert [await client.heard() for _ in range(2)] == [("open", "websocket"), ("connect", None)]
    client.process.stdin.write(f"{json.dumps(['create_story', HELLO])}\n".encode())
    first, second = [await client.heard() for _ in range(2)]
    (story,) = [value["data"] for what, value in (first, second) if what == "ack"]
    assert story["text"] == "Hello World"
    path = f"/stories/{story['id']}/reactions"
    _, reaction = await server.call(fan, "POST", path, {"emoji": "❤️"})
    assert await client.hear("event") == ["story.reacted", reaction]
    answer = await client.call("view_story", {"story_id": "nonsense"})
    assert answer["error"]["code"] == "story_not_found"
    answer = await client.call("create_story", {"text": ""})
    assert set(answer["error"]["fields"]) == {"text", "visibility"}


async def test_polling_alone_is_enough(server, connect):
    """A client whose network lets no WebSocket through gets the same."""
    author, fan = await server.token("author"), await server.token("fan")
    client = await connect(server.url, {"token": author}, ["polling"])
    assert [await client.heard() for _ in range(2)] == [("open", "polling"), ("connect", None)]
    story_id = await server.story(author)
    await server.call(fan, "POST", f"/stories/{story_id}/view")
    heard = [await client.hear("event") for _ in range(2)]
    assert [name for name, _ in heard] == ["story.created", "story.viewed"]
    assert "data" in await client.call("list_stories", {})


@pytest.mark.parametrize("transports", [["polling", "websocket"], ["websocket"]], ids=str)
@pytest.mark.parametrize(
    ("auth", "code"), [({}, "token_missing"), ({"token": "nonsense"}, "token_invalid")]
)
async def test_a_refused_client_reads_the_code(server, connect, transports, auth, code):
    """`connect_error` gives an Error with a message and `err.data.code`."""
    client = await connect(server.url, auth, transports)
    refusal = await client.hear("connect_error")
    assert refusal["data"] == {"code": code}
    assert refusal["message"]


async def test_a_client_that_is_turned_out_is_told(serve, connect):
    """The reason is the server's, so socket.io-client does not come back by itself."""
    server = await serve(revocation_check_s=0.05)
    account = await server.account("someone")
    client = await connect(server.url, {"token": server.issue(account)}, ["websocket"])
    assert [await client.heard() for _ in range(2)] == [("open", "websocket"), ("connect", None)]
    await server.accounts.disable(account.id)
    assert await client.hear("disconnect") == "io server disconnect"
