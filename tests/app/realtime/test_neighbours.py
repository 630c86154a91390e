"""Two engines that are each other's neighbours: requests for sessions of the other one."""

import asyncio
import gzip
import io
import json
import os
import socket
import ssl
import tempfile
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import pytest
import uvloop
from aiohttp import ClientSession, TCPConnector, WSServerHandshakeError, web

from app.memory import Budget
from app.realtime.engineio.packets import Packet
from app.settings import Limits
from app.workers import forwarding, handover
from app.workers.neighbours import Neighbours
from tests.app.realtime.conftest import Serve
from tests.app.realtime.served import PATIENCE_S, Served, until
from tests.app.realtime.test_probe import probed, upgraded
from tests.app.realtime.wire import CLOSE, Poller, Wire, frame, junk


class Pair:
    """A server with sessions, and one that requests for them come to."""

    def __init__(self, owner: Served, front: Served, folder: Path, serving: AsyncExitStack) -> None:
        self.owner, self.front, self.folder = owner, front, folder
        self._serving = serving

    async def open(self, http: ClientSession) -> Poller:
        """Open a session at the owner, and send its requests to the front from now on."""
        poller = await Poller.open(http, self.owner)
        poller.url = self.front.engine_url("polling", poller.sid)
        return poller

    async def waiting(self, poller: Poller) -> "asyncio.Task[tuple[int, str]]":
        """Start a poll; returns when the owner lets it wait."""
        poll = asyncio.create_task(poller.poll())
        await until(lambda: self.owner.session(poller.sid).mailbox.polled)
        return poll

    async def end_owner(self) -> None:
        """Let nobody be there any more where the owner was."""
        await self._serving.aclose()


@asynccontextmanager
async def neighbours_of(served: Served, neighbours: Neighbours) -> AsyncIterator[None]:
    serving = neighbours.serve(served.engine, Limits(), Budget(100_000_000))
    await anext(serving)
    try:
        yield
    finally:
        await anext(serving, None)


@pytest.fixture
async def pair(serve: Serve) -> AsyncIterator[Pair]:
    # Short: a socket's path has a hundred characters at most.
    folder = Path(tempfile.mkdtemp(prefix="workers-"))
    both = [Neighbours(number, 2, folder, ping_interval_s=25) for number in (1, 2)]
    owner, front = [await serve(neighbours=each) for each in both]
    async with AsyncExitStack() as stack, AsyncExitStack() as serving:
        await serving.enter_async_context(neighbours_of(owner, both[0]))
        await stack.enter_async_context(neighbours_of(front, both[1]))
        yield Pair(owner, front, folder, serving)
    assert not os.path.exists(folder)  # noqa: ASYNC240 as quick as a look into memory


async def test_messages_go_both_ways(pair: Pair, http: ClientSession) -> None:
    """Text and binary, in order, by requests that come to the other one."""
    poller = await pair.open(http)
    assert poller.sid.endswith(".1")
    await poller.send("4one", "bAQIDBA==", "4drei €")
    got: list[str] = []
    while len(got) < 3:
        got += await poller.packets()
    assert got == ["4one", "bAQIDBA==", "4drei €"]
    assert pair.owner.heard == ["one", b"\x01\x02\x03\x04", "drei €"]
    assert pair.front.heard == []


async def test_a_poll_waits_at_the_owner(pair: Pair, http: ClientSession) -> None:
    """Until there is something."""
    poller = await pair.open(http)
    poll = await pair.waiting(poller)
    await pair.owner.engine.send(poller.sid, "news")
    assert await poll == (200, "4news")


async def test_answers_are_as_the_owner_gives_them(pair: Pair, http: ClientSession) -> None:
    """Headers, and a body that was compressed for this client, once."""
    poller = await pair.open(http)
    text = "x" * 10_000
    for encoding, bare in (("gzip", False), ("identity", True)):
        pair.owner.session(poller.sid).send(Packet("4", text))
        async with http.get(poller.url, headers={"Accept-Encoding": encoding}) as answer:
            assert answer.headers["Content-Type"] == "text/plain; charset=utf-8"
            assert answer.headers["Cache-Control"] == "no-store"
            assert ("Content-Encoding" not in answer.headers) == bare
            assert await answer.text() == f"4{text}"
    async with (
        ClientSession(auto_decompress=False) as plain,
        plain.post(poller.url, data="4x") as answer,
    ):
        assert answer.headers["Content-Type"].startswith("text/html")
        assert await answer.text() == "ok"
        pair.owner.session(poller.sid).send(Packet("4", text))
        async with plain.get(poller.url, headers={"Accept-Encoding": "gzip"}) as answer:
            assert text in gzip.decompress(await answer.read()).decode()


async def test_a_long_body_and_one_in_chunks(pair: Pair, http: ClientSession) -> None:
    """Bodies go through as they come; one that is too long is answered as by the owner."""
    poller = await pair.open(http)
    long = "a" * 900_000
    await poller.send(f"4{long}")

    async def pieces() -> AsyncIterator[bytes]:
        yield b"4in "
        yield b"pieces"

    assert await poller.post(pieces()) == (200, "ok")  # type: ignore[arg-type]
    await until(lambda: len(pair.owner.heard) == 2)
    assert pair.owner.heard == [long, "in pieces"]
    status, _ = await poller.post(io.BytesIO(b"4" + junk(1_100_000)))  # type: ignore[arg-type]
    assert status == 413
    assert await pair.owner.reason() == "transport error"


async def test_a_client_that_goes_away_is_gone_for_the_owner(pair: Pair) -> None:
    """Its poll ends, and with it the session, as if the owner had seen it itself."""
    async with ClientSession() as http:
        poller = await pair.open(http)
        poll = await pair.waiting(poller)
        poll.cancel()
        await asyncio.wait([poll])
    assert await pair.owner.reason() == "transport close"


async def test_a_body_that_does_not_come(pair: Pair) -> None:
    """Half a body, and the client is gone: the session ends as it would at the owner."""
    async with ClientSession() as http:
        poller = await pair.open(http)
    reader, writer = await asyncio.open_connection("127.0.0.1", pair.front.port)
    target = poller.url.removeprefix(pair.front.url)
    writer.write(f"POST {target} HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n4half".encode())
    await until(lambda: pair.owner.session(poller.sid).pushing)
    writer.close()
    assert await pair.owner.reason() == "transport error"
    del reader


async def test_two_polls_end_the_session(pair: Pair, http: ClientSession) -> None:
    """Also if they come by two ways."""
    poller = await pair.open(http)
    first = await pair.waiting(poller)
    poller.url = pair.owner.engine_url("polling", poller.sid)
    assert (await poller.poll())[0] == 400
    assert await first == (200, "1")


async def test_the_websocket_is_handed_over(pair: Pair, http: ClientSession) -> None:
    """The session changes over on a connection that the other one has accepted."""
    poller = await pair.open(http)
    wire = await upgraded(pair.front, poller)
    await pair.owner.engine.send(poller.sid, "news")
    assert await wire.receive() == "4news"
    assert pair.owner.engine.transport(poller.sid) == "websocket"
    # Nothing of it is left where it came in: the connection lives without that process.
    peer = wire.writer.get_extra_info("sockname")
    assert pair.owner.session(poller.sid).socket is not None
    own = pair.owner.session(poller.sid).socket._transport.get_extra_info("peername")
    assert own[:2] == peer[:2]
    big = "b" * 500_000
    wire.send(f"4{big}")
    assert await wire.receive() == f"4{big}"
    wire.writer.write(frame(CLOSE, (1000).to_bytes(2, "big")))
    assert await wire.closed() == 1000
    assert await pair.owner.reason() == "transport close"


async def test_what_waited_goes_over_in_order(pair: Pair, http: ClientSession) -> None:
    """While the server sends, polls and WebSocket give every message once."""
    poller = await pair.open(http)
    poll = await pair.waiting(poller)
    wire = await probed(pair.front, poller)
    assert await poll == (200, "6")
    for number in range(10):
        await pair.owner.engine.send(poller.sid, f"{number}")
    wire.send("5")
    assert [await wire.receive() for _ in range(10)] == [f"4{number}" for number in range(10)]


async def test_a_second_websocket_is_turned_away(pair: Pair, http: ClientSession) -> None:
    """By the owner, as if it had come there."""
    poller = await pair.open(http)
    await upgraded(pair.front, poller)
    second = await Wire.open(pair.front, sid=poller.sid)
    assert await second.closed() == 1008


@pytest.mark.parametrize("sid", ["x.1", "x.2", "x.3", "x", "x.", ".", "x.01", "x.-1", "../1.1"])
async def test_ids_that_nobody_knows(pair: Pair, http: ClientSession, sid: str) -> None:
    """Whatever they name, they are unknown: to a poll, a POST and a WebSocket."""
    for method in ("GET", "POST"):
        url = pair.front.engine_url("polling", sid)
        async with http.request(method, url, data=b"4x" if method == "POST" else None) as answer:
            assert answer.status == 400
            assert await answer.json() == {"code": 1, "message": "Session ID unknown"}
    reader, writer = await asyncio.open_connection("127.0.0.1", pair.front.port)
    target = pair.front.engine_url("websocket", sid).removeprefix(pair.front.url)
    writer.write(
        f"GET {target} HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
        "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n".encode()
    )
    head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), PATIENCE_S)
    assert head.startswith(b"HTTP/1.1 400 ")
    body = await asyncio.wait_for(reader.readexactly(41), PATIENCE_S)
    assert json.loads(body) == {"code": 1, "message": "Session ID unknown"}
    writer.close()


async def test_an_owner_that_is_gone(pair: Pair, http: ClientSession) -> None:
    """Its sessions are unknown, so that their clients come anew; also one that polls just then."""
    poller = await pair.open(http)
    poll = await pair.waiting(poller)
    await pair.end_owner()
    assert (await poll)[0] == 400
    status, text = await poller.poll()
    assert (status, json.loads(text)["code"]) == (400, 1)
    with pytest.raises(WSServerHandshakeError) as refused:
        await http.ws_connect(pair.front.engine_url("websocket", poller.sid))
    assert refused.value.status == 400


async def test_an_owner_that_hangs(
    pair: Pair, http: ClientSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A request ends after its time, with an error that no client takes for an answer."""
    poller = await pair.open(http)
    await pair.end_owner()
    pair.folder.mkdir(exist_ok=True)
    neighbours = pair.front.engine._neighbours
    assert isinstance(neighbours, Neighbours)
    monkeypatch.setattr(neighbours._forwarding, "_total_s", 0.1)
    with socket.socket(socket.AF_UNIX) as hanging:
        hanging.bind(str(pair.folder / "1.polls"))
        # Connections are made, and nobody answers.
        hanging.listen()
        assert (await poller.poll())[0] == 504
    (pair.folder / "1.polls").unlink()


async def test_a_bounded_number_is_passed_on(
    pair: Pair, http: ClientSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One more is answered at once that it may come again; afterwards there is room."""
    monkeypatch.setattr(forwarding, "UNDER_WAY", 1)
    first, second = await pair.open(http), await pair.open(http)
    poll = await pair.waiting(first)
    async with http.get(second.url) as answer:
        assert answer.status == 503
        assert answer.headers["Retry-After"] == "1"
    await pair.owner.engine.send(first.sid, "news")
    assert await poll == (200, "4news")
    await pair.owner.engine.send(second.sid, "news")
    assert await second.poll() == (200, "4news")


async def test_what_is_no_handover_is_dropped(pair: Pair, http: ClientSession) -> None:
    """Nothing, no connection, no JSON: the next one arrives as ever, and nothing stays open."""
    opened = len(os.listdir("/proc/self/fd"))
    spare = socket.socket()
    for message, descriptors in (
        (b"", []),
        (b'{"sid": "x.1", "head": ""}', []),
        (b"{}", [spare.fileno()]),
        (b"[]", [spare.fileno()]),
        (b"\xff", [spare.fileno()]),
        (b"x", [spare.fileno()] * 3),
    ):
        loop = asyncio.get_running_loop()
        with socket.socket(socket.AF_UNIX) as way:
            way.setblocking(False)
            await loop.sock_connect(way, str(pair.folder / "1.upgrades"))
            if descriptors:
                socket.send_fds(way, [message], descriptors)
            elif message:
                await loop.sock_sendall(way, message)
            way.shutdown(socket.SHUT_WR)
            # The owner hangs up when it is done with it.
            assert await asyncio.wait_for(loop.sock_recv(way, 1), PATIENCE_S) == b""
    spare.close()
    assert len(os.listdir("/proc/self/fd")) == opened
    poller = await pair.open(http)
    await upgraded(pair.front, poller)


async def test_tls_that_ends_here_stays_on_long_polling(
    pair: Pair, certificate: tuple[Path, Path], caplog: pytest.LogCaptureFixture
) -> None:
    """Its keys cannot be handed over: the WebSocket is refused and a line says why; polls pass."""
    if not isinstance(asyncio.get_running_loop(), uvloop.Loop):
        pytest.skip("workers run on uvloop")
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(*certificate)
    runner = pair.front.runner
    assert runner is not None
    await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context).start()
    port = runner.addresses[1][1]
    async with ClientSession(connector=TCPConnector(ssl=False)) as http:
        poller = await pair.open(http)
        url = pair.front.engine_url("websocket", poller.sid)
        secure = url.replace(f"http://127.0.0.1:{pair.front.port}", f"https://127.0.0.1:{port}")
        with pytest.raises(WSServerHandshakeError) as refused:
            await http.ws_connect(secure)
        assert refused.value.status == 400
        assert "its TLS ends in this worker" in caplog.text
        poller.url = secure.replace("transport=websocket", "transport=polling")
        await poller.send("4still here")
        assert await poller.packets() == ["4still here"]


async def test_a_head_that_is_too_long_is_not_handed_over(
    pair: Pair, http: ClientSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is refused where it came in."""
    monkeypatch.setattr(handover, "MESSAGE_BYTES", 100)
    poller = await pair.open(http)
    with pytest.raises(WSServerHandshakeError) as refused:
        await http.ws_connect(pair.front.engine_url("websocket", poller.sid))
    assert refused.value.status == 400
