"""The JS front ends' own client, socket.io-client, on Node."""

import asyncio
import json
import shutil
from asyncio.subprocess import PIPE
from pathlib import Path

import pytest

from tests.live import HELLO, PATIENCE_S
from tests.programs import free_port

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
        """Return the next thing that happened: what, and its value."""
        line = await asyncio.wait_for(self.process.stdout.readline(), PATIENCE_S)
        assert line, "node has ended"
        what, value = json.loads(line)
        return what, value

    async def hear(self, wanted):
        """Return the value of the next thing of a kind; opening and upgrading may come before."""
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

    async def connect(
        url, auth, transports, program="node_client.mjs", namespace="stories", **options
    ):
        process = await asyncio.create_subprocess_exec(
            *(NODE, str(TESTS / program), str(CLIENT / "index.js"), f"{url}/{namespace}"),
            json.dumps({"auth": auth, "transports": transports, **options}),
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


@pytest.mark.parametrize(
    ("transports", "count"),
    [(["websocket"], 20), (["websocket"], 60), (["polling", "websocket"], 100)],
    ids=str,
)
async def test_a_client_that_comes_back_gets_the_answers_to_its_buffer(
    server, connect, transports, count
):
    """Commands sent while it was away are all done, in their order, and it stays connected."""
    auth = {"token": await server.token("someone")}
    options = {"count": count, "event": "list_stories", "payload": {"limit": 1}}
    client = await connect(server.url, auth, transports, "node_offline.mjs", **options)
    assert await client.heard() == ("connect", None)
    assert (await client.heard())[0] == "disconnect"
    assert await client.heard() == ("connect", None)
    what, answers = await client.heard()
    assert what == "answers"
    assert [number for number, _ in answers] == list(range(count))
    assert all("data" in answer for _, answer in answers)


OTHERS = [["/chat", "list_conversations", {}], ["/diary", "list_tags", {}]]


@pytest.mark.parametrize(
    ("transports", "count"), [(["polling", "websocket"], 80), (["websocket"], 200)], ids=str
)
async def test_a_buffer_of_several_namespaces_is_answered(serve, connect, transports, count):
    """Commands to three namespaces: none of them is left, and nothing is refused."""
    server = await serve(messages_per_s=200)
    client = await connect(
        *(server.url, {"token": await server.token("someone")}, transports, "node_offline.mjs"),
        count=count,
        event="list_stories",
        payload={"limit": 1},
        others=OTHERS,
    )
    assert await client.heard() == ("connect", None)
    assert (await client.heard())[0] == "disconnect"
    assert await client.heard() == ("connect", None)
    what, answers = await client.heard()
    assert what == "answers"
    assert sorted(number for number, _ in answers) == list(range(count))
    assert all("data" in answer for _, answer in answers)


async def test_a_flood_to_several_namespaces_is_told_in_each(serve, connect):
    """Before the transport is closed every namespace hears why, and all come back."""
    server = await serve(messages_per_s=12, messages_burst=12, message_delay_s=1)
    auth = {"token": await server.token("someone")}
    client = await connect(
        *(server.url, auth, ["websocket"], "node_offline.mjs"),
        count=200,
        event="list_stories",
        payload={},
        others=OTHERS,
    )
    heard = [await client.heard()]
    while heard.count(("disconnect", "transport close")) < 1:
        heard.append(await client.heard())
    endings = [value for what, value in heard if what == "ending"]
    assert [ending["code"] for ending in endings] == ["too_many_requests"] * 3
    assert all(ending["reconnect"] for ending in endings)
    assert await client.heard() == ("connect", None)


@pytest.mark.parametrize(
    "transports", [["polling", "websocket"], ["polling"], ["websocket"]], ids=str
)
async def test_a_namespace_that_is_opened_twice_at_once_recovers(server, connect, transports):
    """Opened, closed and opened again before its first CONNECT is answered, and at other times."""
    auth = {"token": await server.token("someone")}
    client = await connect(
        *(server.url, auth, transports, "node_reopen.mjs"),
        other="/diary",
        waits=[0, 0, 1, 0, 2, 0, 5, 0],
        event="list_stories",
        otherEvent="list_tags",
    )
    assert [await client.heard() for _ in range(9)] == [
        *(("round", number) for number in range(8)),
        ("end", None),
    ]


async def test_half_an_emoji_is_answered(server, connect):
    """A text cut in the middle of a pair costs its own command, and no namespace."""
    auth = {"token": await server.token("someone")}
    client = await connect(server.url, auth, ["websocket"])
    assert [await client.heard() for _ in range(2)] == [("open", "websocket"), ("connect", None)]
    answer = await client.call("create_story", {**HELLO, "text": "I love pizza 🍕"[:-1] + "\ud83c"})
    assert answer["error"]["code"] == "unreadable"
    assert "data" in await client.call("list_stories", {})


async def test_a_client_that_floods_is_told_and_comes_back(serve, connect):
    """It hears why it is ended, and the stock client is there again by itself."""
    # So few tokens that 50 refusals in a row come between two of them on a slow machine, too.
    server = await serve(messages_per_s=2, messages_burst=4, message_delay_s=2)
    auth = {"token": await server.token("someone")}
    client = await connect(
        *(server.url, auth, ["websocket"], "node_offline.mjs"),
        count=200,
        event="list_stories",
        payload={},
    )
    assert await client.heard() == ("connect", None)
    assert (await client.heard())[0] == "disconnect"
    assert await client.heard() == ("connect", None)
    what, ending = await client.heard()
    assert what == "ending"
    assert (ending["code"], ending["reconnect"]) == ("too_many_requests", True)
    assert await client.heard() == ("disconnect", "transport close")
    assert await client.heard() == ("connect", None)


async def test_a_client_that_is_turned_out_is_told(serve, connect):
    """It hears why; socket.io-client does not come back by itself, as the event has said."""
    server = await serve(revocation_check_s=0.05)
    account = await server.account("someone")
    client = await connect(server.url, {"token": server.issue(account)}, ["websocket"])
    assert [await client.heard() for _ in range(2)] == [("open", "websocket"), ("connect", None)]
    await server.accounts.disable(account.id)
    name, ending = await client.hear("event")
    assert (name, ending["code"]) == ("session.ending", "account_disabled")
    assert ending["reconnect"] is False
    assert await client.hear("disconnect") == "io server disconnect"


async def test_a_client_that_retries_places_each_bid_once(connect, start_server):
    """Across a clean stop in mid-traffic: what had no answer was not done, and is sent again.

    The client is told why, and comes back by itself.
    """
    port = str(free_port())
    program = await start_server(PORT=port)
    doors = program.doors
    account = {"email": "ann@example.com", "password": "password123"}
    _, signed_up = await doors.call(None, "POST", "/signup", account)
    token = signed_up["token"]
    shoe = {"name": "Shoe", "sku": "S1", "sizes": ["8"]}
    _, product = await doors.call(token, "POST", "/api/v1/products", shoe)
    bids = [
        {"product_id": product["id"], "size": "8", "price": f"{number}.00"}
        for number in range(1, 41)
    ]
    client = await connect(
        doors.url,
        {"token": token},
        ["websocket"],
        "node_retries.mjs",
        namespace="market",
        event="place_bid",
        payloads=bids,
    )
    heard = []
    while len([what for what, _ in heard if what == "answer"]) < 5:
        heard.append(await client.heard())
    assert await program.stop() == 0
    await start_server(PORT=port)
    while heard[-1][0] != "done":
        heard.append(await client.heard())
    answers = [value for what, value in heard if what == "answer"]
    assert sorted(float(answer["data"]["price"]) for answer in answers) == list(range(1, 41))
    endings = [
        value[1] for what, value in heard if what == "event" and value[0] == "session.ending"
    ]
    assert [(each["code"], each["reconnect"]) for each in endings] == [("server_stopping", True)]
    _, placed = await doors.call(token, "GET", "/api/v1/bids?limit=100")
    assert sorted(float(bid["price"]) for bid in placed["items"]) == list(range(1, 41))
