"""The page's Socket.IO client on Node: what it does, the stock client does as well, and so it says.

Each test runs with both. Against a server of the test's own, which follows a script, it is about
packets; against a real one, about what comes of them.
"""

import asyncio
import json
import time
from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import WSMsgType, web

from tests.io_program import CLIENTS, NODE, PACKAGES, QUICK, Program, started
from tests.live import HELLO, PATIENCE_S, Serve

# Node's 20th has no WebSocket of its own: without packages there is nothing to connect with.
pytestmark = [
    pytest.mark.node,
    pytest.mark.skipif(NODE is None, reason="node is not installed"),
    pytest.mark.skipif(not PACKAGES.is_dir(), reason="packages are missing: npm ci in web/"),
]


@pytest.fixture(params=CLIENTS)
async def program(request: pytest.FixtureRequest) -> AsyncIterator[Program]:
    async with started(request.param) as program:
        yield program


class Line:
    """One connection of the scripted server: packets go in and out as text."""

    def __init__(self, socket: web.WebSocketResponse) -> None:
        self.socket = socket

    async def open(self, **changes: Any) -> None:
        """Open the transport."""
        values = {"sid": "s", "upgrades": [], "pingInterval": 25_000, "pingTimeout": 20_000}
        await self.send("0" + json.dumps({**values, **changes}))

    async def send(self, text: str) -> None:
        await self.socket.send_str(text)

    async def hear(self) -> str:
        """Return the next packet."""
        message = await self.socket.receive(timeout=PATIENCE_S)
        assert message.type is WSMsgType.TEXT, message
        return str(message.data)

    async def closed(self) -> None:
        """Wait until the client has closed it."""
        while (await self.socket.receive(timeout=PATIENCE_S)).type is WSMsgType.TEXT:
            pass

    async def welcome(self, namespace: str = "/a", **data: Any) -> str:
        """Open the transport, let the client into a namespace; returns its CONNECT packet."""
        await self.open()
        connect = await self.hear()
        await self.send(f"40{namespace}," + json.dumps({"sid": "id", **data}))
        return connect


class Script:
    """A server whose connections the test takes one by one."""

    url: str

    def __init__(self) -> None:
        self._lines: asyncio.Queue[Line] = asyncio.Queue()
        self._ended = asyncio.Event()

    async def line(self) -> Line:
        """Wait for the next connection."""
        return await asyncio.wait_for(self._lines.get(), PATIENCE_S)

    async def handle(self, request: web.Request) -> web.WebSocketResponse:
        assert request.query["EIO"] == "4"
        assert request.query["transport"] == "websocket"
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        self._lines.put_nowait(Line(socket))
        await self._ended.wait()
        return socket

    def end(self) -> None:
        self._ended.set()


@pytest.fixture
async def script(aiohttp_server: Any) -> AsyncIterator[Script]:
    script = Script()
    app = web.Application()
    app.router.add_get("/socket.io/", script.handle)
    server = await aiohttp_server(app)
    script.url = f"http://127.0.0.1:{server.port}"
    yield script
    script.end()


async def test_auth_is_sent_as_an_object(program: Program, script: Script) -> None:
    """CONNECT carries `auth`; the socket has an id from then on, and none before."""
    await program.do("open", "a", f"{script.url}/a", {"auth": {"token": "t"}})
    line = await script.line()
    assert await line.welcome() == '40/a,{"token":"t"}'
    assert await program.hear("a", "connect") == [{"recovered": False}]
    state = {"connected": True, "active": True, "hasId": True, "recovered": False}
    assert await program.state("a") == state


async def test_auth_is_asked_for_at_each_connect(program: Program, script: Script) -> None:
    """A function is called again when the connection comes back, and says what holds by then."""
    await program.do("token", "first")
    await program.do("open", "a", f"{script.url}/a", {"auth": "function", **QUICK})
    line = await script.line()
    assert await line.welcome() == '40/a,{"token":"first"}'
    await program.hear("a", "connect")
    await program.do("token", "second")
    await program.state("a")
    await line.socket.close()
    assert await (await script.line()).welcome() == '40/a,{"token":"second"}'


async def test_namespaces_share_a_connection(program: Program, script: Script) -> None:
    """Two namespaces are two sockets on one transport, and events reach the one they are for."""
    await program.do("open", "a", f"{script.url}/a", {})
    await program.do("open", "b", f"{script.url}/b", {})
    line = await script.line()
    await line.open()
    assert {await line.hear(), await line.hear()} == {"40/a,", "40/b,"}
    await program.do("same", "a", "b")
    assert await program.hear("same") == [True]
    await line.send('40/b,{"sid":"1"}')
    await line.send('42/b,["news",1]')
    await program.hear("b", "event", "news", 1)
    assert not [heard for heard in program.heard if heard[0] == "a"]
    await line.send('40/a,{"sid":"2"}')
    await program.hear("a", "connect")


async def test_main_namespace_has_no_name(program: Program, script: Script) -> None:
    """Packets of `/` have no namespace in them."""
    await program.do("open", "main", script.url, {})
    line = await script.line()
    await line.open()
    assert await line.hear() == "40"
    await line.send('40{"sid":"1"}')
    await program.hear("main", "connect")
    await program.do("emit", "main", "news", {"n": 1})
    assert await line.hear() == '42["news",{"n":1}]'


async def test_acks_go_both_ways(program: Program, script: Script) -> None:
    """Ids count up; an answer reaches its own callback, and events that want one are answered."""
    await program.do("open", "a", f"{script.url}/a", {})
    line = await script.line()
    await line.welcome()
    await program.hear("a", "connect")
    await program.do("call", "a", "first")
    assert await line.hear() == '42/a,0["first"]'
    await program.do("ack", "a", 60_000, "second", 2)
    assert await line.hear() == '42/a,1["second",2]'
    await line.send('43/a,1[{"ok":true}]')
    assert await program.hear("a", "ack") == [{"ok": True}]
    await line.send('43/a,0["x","y"]')
    assert await program.hear("a", "answer") == ["x", "y"]
    await line.send('42/a,7["question",1]')
    assert await line.hear() == '43/a,7["heard","question"]'
    # Answers to no question change nothing.
    await line.send('43/a,99["late"]')
    await line.send('42/a,["after"]')
    await program.hear("a", "event", "after")


async def test_ack_that_does_not_come_is_an_error(program: Program, script: Script) -> None:
    """With a timeout the promise is rejected when it is over."""
    await program.do("open", "a", f"{script.url}/a", {})
    line = await script.line()
    await line.welcome()
    await program.hear("a", "connect")
    await program.do("ack", "a", 50, "unheard")
    assert await program.hear("a", "failed") == ["operation has timed out"]


async def test_ack_is_given_up_with_the_connection(program: Program, script: Script) -> None:
    """Answers to what has been sent cannot come after the connection has ended."""
    await program.do("open", "a", f"{script.url}/a", {**QUICK})
    line = await script.line()
    await line.welcome()
    await program.hear("a", "connect")
    await program.do("ack", "a", 60_000, "lost")
    assert await line.hear() == '42/a,0["lost"]'
    await line.socket.close()
    assert await program.hear("a", "failed") == ["socket has been disconnected"]


async def test_what_is_emitted_while_away_is_sent_later(program: Program, script: Script) -> None:
    """In its order, once connected; what is volatile, and what was given up, is not sent."""
    await program.do("open", "a", f"{script.url}/a", {"autoConnect": False})
    await program.do("emit", "a", "one")
    await program.do("volatile", "a", "dropped")
    await program.do("ack", "a", 50, "given up")
    assert await program.hear("a", "failed") == ["operation has timed out"]
    await program.do("emit", "a", "two")
    await program.do("connect", "a")
    line = await script.line()
    await line.welcome()
    assert [await line.hear(), await line.hear()] == ['42/a,["one"]', '42/a,["two"]']
    outgoing = [heard[2] for heard in program.heard if heard[:2] == ["a", "outgoing"]]
    await program.hear("a", "outgoing", "two")
    assert "dropped" not in outgoing


async def test_refusal_says_why_and_stays(program: Program, script: Script) -> None:
    """CONNECT_ERROR gives message and data, and ends the socket's own coming back."""
    await program.do("open", "a", f"{script.url}/a", {**QUICK})
    line = await script.line()
    await line.open()
    await line.hear()
    await line.send('44/a,{"message":"No.","data":{"code":"token_expired"}}')
    expected = [{"message": "No.", "data": {"code": "token_expired"}}, False]
    assert await program.hear("a", "connect_error") == expected
    # Its namespace was the only one: the transport goes as well.
    await line.closed()
    await program.do("connect", "a")
    assert await (await script.line()).welcome() == "40/a,"
    await program.hear("a", "connect")


async def test_refusal_leaves_other_namespaces(program: Program, script: Script) -> None:
    """A namespace that is refused takes no other with it, and can be tried again."""
    await program.do("open", "a", f"{script.url}/a", {})
    await program.do("open", "b", f"{script.url}/b", {})
    line = await script.line()
    await line.open()
    await line.hear(), await line.hear()
    await line.send('40/a,{"sid":"1"}')
    await line.send('44/b,{"message":"No."}')
    await program.hear("b", "connect_error")
    await program.do("connect", "b")
    assert await line.hear() == "40/b,"
    await line.send('40/b,{"sid":"2"}')
    await program.hear("b", "connect")
    assert (await program.state("a"))["connected"]


async def test_server_that_disconnects_means_it(program: Program, script: Script) -> None:
    """After DISCONNECT there is no return by itself; the other namespace stays."""
    await program.do("open", "a", f"{script.url}/a", {**QUICK})
    await program.do("open", "b", f"{script.url}/b", {**QUICK})
    line = await script.line()
    await line.open()
    await line.hear(), await line.hear()
    await line.send('40/a,{"sid":"1"}')
    await line.send('40/b,{"sid":"2"}')
    await program.hear("b", "connect")
    await line.send("41/a,")
    assert await program.hear("a", "disconnect") == ["io server disconnect", False]
    assert (await program.state("b"))["connected"]
    # When the transport breaks, only the one that was not sent away comes back.
    await line.socket.close()
    line = await script.line()
    await line.open()
    assert await line.hear() == "40/b,"
    await line.send('40/b,{"sid":"3"}')
    await program.hear("b", "connect")
    await program.do("emit", "b", "next")
    assert await line.hear() == '42/b,["next"]'


async def test_leaving_is_said(program: Program, script: Script) -> None:
    """`disconnect()` sends DISCONNECT, and the last one out closes the transport."""
    await program.do("open", "a", f"{script.url}/a", {})
    line = await script.line()
    await line.welcome()
    await program.hear("a", "connect")
    await program.do("disconnect", "a")
    assert await program.hear("a", "disconnect") == ["io client disconnect", False]
    assert await line.hear() == "41/a,"
    await line.closed()


async def test_leaving_early_holds(program: Program, script: Script) -> None:
    """A welcome on its way does not bring back a socket that has left meanwhile."""
    await program.do("open", "a", f"{script.url}/a", {})
    await program.do("open", "b", f"{script.url}/b", {})
    line = await script.line()
    await line.open()
    await line.hear(), await line.hear()
    await program.do("disconnect", "a")
    assert not (await program.state("a"))["active"]
    await line.send('40/a,{"sid":"1"}')
    await line.send('40/b,{"sid":"2"}')
    await program.hear("b", "connect")
    assert not (await program.state("a"))["connected"]
    assert not [heard for heard in program.heard if heard[:2] == ["a", "connect"]]


async def test_pings_are_answered(program: Program, script: Script) -> None:
    """Whatever comes counts as life: with pings the connection stays beyond the silence allowed."""
    await program.do("open", "a", f"{script.url}/a", {"manager": True})
    line = await script.line()
    await line.open(pingInterval=200, pingTimeout=200)
    await line.hear()
    await line.send('40/a,{"sid":"1"}')
    until = time.monotonic() + 1
    while time.monotonic() < until:
        await line.send("2")
        assert await line.hear() == "3"
        await asyncio.sleep(0.1)
    assert (await program.state("a"))["connected"]


async def test_silence_ends_the_connection(program: Program, script: Script) -> None:
    """A server that does not ping is gone, whatever the socket says; the client comes back."""
    await program.do("open", "a", f"{script.url}/a", {**QUICK})
    line = await script.line()
    await line.open(pingInterval=100, pingTimeout=100)
    await line.hear()
    await line.send('40/a,{"sid":"1"}')
    assert await program.hear("a", "disconnect") == ["ping timeout", True]
    await (await script.line()).welcome()
    await program.hear("a", "connect")


async def test_broken_packet_ends_the_connection(program: Program, script: Script) -> None:
    """What is no packet is answered by coming back on a new connection."""
    await program.do("open", "a", f"{script.url}/a", {**QUICK})
    line = await script.line()
    await line.welcome()
    await program.hear("a", "connect")
    await line.send('42/a,{"not":"a list"}')
    assert await program.hear("a", "disconnect") == ["parse error", True]
    await (await script.line()).welcome()
    await program.hear("a", "connect")


async def test_events_before_the_welcome_wait_for_it(program: Program, script: Script) -> None:
    """What the server sends ahead of its CONNECT is heard, and not before the socket is ready."""
    await program.do("open", "a", f"{script.url}/a", {})
    line = await script.line()
    await line.open()
    await line.hear()
    await line.send('42/a,["early"]')
    await line.send('40/a,{"sid":"1"}')
    await program.hear("a", "connect")
    assert ["a", "event", "early"] in program.heard


async def test_missed_events_are_asked_for(program: Program, script: Script) -> None:
    """Where the server names a private id, coming back tells it what was heard last."""
    await program.do("open", "a", f"{script.url}/a", {"auth": {"token": "t"}, **QUICK})
    line = await script.line()
    await line.welcome(pid="private")
    await program.hear("a", "connect")
    await line.send('42/a,["news",1,"offset-1"]')
    await program.hear("a", "event", "news", 1)
    await line.socket.close()
    await program.hear("a", "disconnect")
    connect = await (back := await script.line()).welcome(pid="private")
    asked = json.loads(connect.removeprefix("40/a,"))
    assert asked == {"pid": "private", "offset": "offset-1", "token": "t"}
    assert await program.hear("a", "connect") == [{"recovered": True}]
    await back.socket.close()
    await (await script.line()).welcome(pid="another")
    assert await program.hear("a", "connect") == [{"recovered": False}]


async def test_attempts_go_on_and_wait_longer(program: Program, unused_tcp_port: int) -> None:
    """Without a server the first error and each attempt are heard, up to the last allowed."""
    options = {"manager": True, "reconnectionAttempts": 3, **QUICK}
    await program.do("open", "a", f"http://127.0.0.1:{unused_tcp_port}/a", options)
    error, active = await program.hear("a", "connect_error")
    assert error["message"] == "websocket error"
    assert active
    await program.hear("manager", "reconnect_failed")
    attempts = program.heard.count(["manager", "reconnect_attempt"])
    assert attempts == 3


async def test_reserved_names_are_refused(program: Program, script: Script) -> None:
    """Events of the socket itself cannot be emitted."""
    await program.do("open", "a", f"{script.url}/a", {})
    await program.do("emit", "a", "connect")
    (message,) = await program.hear("thrown")
    assert message == '"connect" is a reserved event name'


async def test_real_server_answers(program: Program, serve: Serve) -> None:
    """All namespaces with one token: commands are answered, refusals have their code."""
    server = await serve()
    await program.do("token", await server.token("ann"))
    names = {"stories", "market", "chat", "diary"}
    for name in names:
        await program.do("open", name, f"{server.url}/{name}", {"auth": "function"})
    while {heard[0] for heard in program.heard if heard[1:2] == ["connect"]} != names:
        await program.hear()
    await program.do("ack", "stories", 5000, "create_story", HELLO)
    (answer,) = await program.hear("stories", "ack")
    assert answer["data"]["text"] == HELLO["text"]
    await program.do("ack", "market", 5000, "no_such_command", {})
    (answer,) = await program.hear("market", "ack")
    assert answer["error"]["code"] == "unknown_command"
    await program.do("open", "refused", f"{server.url}/chat", {"forceNew": True, "auth": {}})
    error, active = await program.hear("refused", "connect_error")
    assert error["data"]["code"] == "token_missing"
    assert not active
