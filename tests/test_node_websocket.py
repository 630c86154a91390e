"""The documents' own WebSocket client, the package `ws` on Node, at the URLs as printed."""

import asyncio
import json
import shutil
from asyncio.subprocess import PIPE
from pathlib import Path

import pytest

from tests.chat_doors import send
from tests.frames import golden
from tests.live import PATIENCE_S

TESTS = Path(__file__).parent
CLIENT = TESTS.parent / "web" / "node_modules" / "ws" / "wrapper.mjs"
NODE = shutil.which("node")
PHONE = "+84912345678"

pytestmark = [
    pytest.mark.node,
    pytest.mark.skipif(NODE is None, reason="node is not installed"),
    pytest.mark.skipif(not CLIENT.is_file(), reason="ws is not installed: npm ci in web/"),
]


class NodeSocket:
    """A Node process with one WebSocket."""

    def __init__(self, process):
        self.process = process

    def send(self, text):
        self.process.stdin.write(f"{text}\n".encode())

    async def heard(self):
        """Return the next thing that happened: what, and its value."""
        line = await asyncio.wait_for(self.process.stdout.readline(), PATIENCE_S)
        assert line, "node has ended"
        what, value = json.loads(line)
        return what, value


@pytest.fixture
async def connect(server):
    """Start a client at a path and query of the server; keywords are options of `ws`."""
    processes = []

    async def connect(target, **options):
        url = server.url.replace("http://127.0.0.1", "ws://localhost") + target
        process = await asyncio.create_subprocess_exec(
            *(NODE, str(TESTS / "node_websocket.mjs"), str(CLIENT), url, json.dumps(options)),
            stdin=PIPE,
            stdout=PIPE,
        )
        processes.append(process)
        return NodeSocket(process)

    yield connect
    for process in processes:
        process.stdin.close()
        await asyncio.wait_for(process.wait(), PATIENCE_S)


async def test_the_channel_example(server, connect):
    """A header names the user, the query the channel; a message posted there comes in."""
    client = await connect(
        "/api/v1/ws?channel_id=general", headers={"User-Email": "user@example.com"}
    )
    assert await client.heard() == ("open", None)
    _, joined = await client.heard()
    assert (joined["type"], joined["channel_id"]) == ("channel_joined", "general")
    message = await send(server, "other", "general", "Hello world!")
    what, frame = await client.heard()
    assert (what, frame["data"]["id"]) == ("message", message["id"])
    client.send(golden("channels", "sent/ping"))
    assert (await client.heard())[1]["type"] == "pong"


async def test_the_conversation_example(connect):
    """The printed URL, plus signs and all, opens, and the heartbeat is acknowledged."""
    client = await connect(f"/ws/{PHONE}?token={PHONE}")
    assert await client.heard() == ("open", None)
    client.send(golden("conversations", "sent/heartbeat"))
    assert await client.heard() == ("message", {"event": "heartbeat_ack"})


@pytest.mark.parametrize(
    ("target", "code"),
    [(f"/ws/{PHONE}?token=undefined", 4001), (f"/ws/+84987654321?token={PHONE}", 4002)],
)
async def test_a_refusal_is_a_close_event_with_its_code(connect, target, code):
    """The client sees the connection open and close with a code and a reason it can show."""
    client = await connect(target)
    assert await client.heard() == ("open", None)
    what, (closed, reason) = await client.heard()
    assert (what, closed) == ("close", code)
    assert reason


async def test_a_refusal_before_the_upgrade_is_an_error(connect):
    """At the channel endpoint a client without credentials reads the HTTP status."""
    client = await connect("/api/v1/ws?channel_id=general")
    assert await client.heard() == ("error", "Unexpected server response: 401")
    assert (await client.heard())[0] == "close"
