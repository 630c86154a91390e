"""HTTP long-polling as the Engine.IO protocol document, version 4, has it."""

import asyncio
import gzip
import json
import zlib

import pytest
from aiohttp import ClientSession
from yarl import URL

from app.realtime.engineio import polling
from app.realtime.engineio.packets import MESSAGE, Packet
from app.realtime.inbox import HIGH_WATER
from tests.app.realtime.conftest import Serve
from tests.app.realtime.served import PATIENCE_S, Served, until
from tests.app.realtime.wire import Poller


async def waiting(served: Served, poller: Poller) -> asyncio.Task[tuple[int, str]]:
    """Start a poll; returns when the server lets it wait."""
    task = asyncio.create_task(poller.poll())
    await until(lambda: served.session(poller.sid).mailbox.polled)
    return task


async def test_messages_in_one_payload_come_back_in_order(
    served: Served, http: ClientSession
) -> None:
    """Text and binary of one POST are handled in order; what waits goes out in one answer."""
    poller = await Poller.open(http, served)
    await poller.send("4one", "bAQIDBA==", "4drei €")
    got: list[str] = []
    while len(got) < 3:
        got += await poller.packets()
    assert got == ["4one", "bAQIDBA==", "4drei €"]
    assert served.heard == ["one", b"\x01\x02\x03\x04", "drei €"]


async def test_a_poll_waits_for_a_message(served: Served, http: ClientSession) -> None:
    """A poll with nothing to give is answered when there is something."""
    poller = await Poller.open(http, served)
    poll = await waiting(served, poller)
    await served.engine.send(poller.sid, "news")
    assert await poll == (200, "4news")


async def test_a_thousand_messages_arrive_once_and_in_order(
    served: Served, http: ClientSession
) -> None:
    """Nothing is lost or doubled between polls."""
    poller = await Poller.open(http, served)

    async def tell() -> None:
        for number in range(1000):
            await served.engine.send(poller.sid, str(number))
            if number % 7 == 0:
                await asyncio.sleep(0)

    telling = asyncio.create_task(tell())
    got: list[str] = []
    while len(got) < 1000:
        got += await poller.packets()
    await telling
    assert got == [f"4{number}" for number in range(1000)]


async def test_a_second_poll_ends_the_session(served: Served, http: ClientSession) -> None:
    """The document: of two polls the first gets a close packet, the second an error."""
    poller = await Poller.open(http, served)
    first = await waiting(served, poller)
    assert (await poller.poll())[0] == 400
    assert await first == (200, "1")
    assert await served.reason() == "transport error"
    assert (await poller.poll())[0] == 400


async def test_a_second_post_ends_the_session(served: Served, http: ClientSession) -> None:
    """Two POSTs at a time would have no order."""
    poller = await Poller.open(http, served)
    going = asyncio.Event()

    async def slowly() -> object:
        yield b"4first"
        await going.wait()
        yield b" and last"

    first = asyncio.create_task(poller.post(slowly()))  # type: ignore[arg-type]
    await until(lambda: served.session(poller.sid).pushing)
    assert (await poller.post("4second"))[0] == 400
    assert await served.reason() == "transport error"
    going.set()
    await first
    assert served.heard == []
    assert served.remains() == {}


async def test_a_vanished_poller_has_left(served: Served, http: ClientSession) -> None:
    """A poll whose connection ends while it waits is the end of the session, at once."""
    poller = await Poller.open(http, served)
    reader, writer = await asyncio.open_connection("127.0.0.1", served.port)
    target = poller.url.removeprefix(served.url)
    writer.write(f"GET {target} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
    await until(lambda: served.session(poller.sid).mailbox.polled)
    writer.close()
    await writer.wait_closed()
    assert await served.reason() == "transport close"
    assert served.remains() == {}
    assert await reader.read() == b""


async def test_a_connection_serves_on_after_a_poll(served: Served) -> None:
    """Polls and POSTs may share one connection, one after the other."""
    reader, writer = await asyncio.open_connection("127.0.0.1", served.port)

    async def ask(method: str, tail: str, body: str = "") -> str:
        writer.write(
            f"{method} /engine.io/?EIO=4&transport=polling{tail} HTTP/1.1\r\nHost: x\r\n"
            f"Content-Length: {len(body)}\r\n\r\n{body}".encode()
        )
        async with asyncio.timeout(PATIENCE_S):
            head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
            length = int(head.split("content-length: ")[1].split("\r\n")[0])
            return (await reader.readexactly(length)).decode()

    sid = json.loads((await ask("GET", ""))[1:])["sid"]
    for number in range(3):
        poll = asyncio.create_task(ask("GET", f"&sid={sid}"))
        await until(lambda: served.session(sid).mailbox.polled)
        await served.engine.send(sid, f"{number}")
        assert await poll == f"4{number}"
        assert await ask("POST", f"&sid={sid}", "4x") == "ok"
        assert await ask("GET", f"&sid={sid}") == "4x"
    writer.close()
    await writer.wait_closed()


async def test_a_vanished_poster_has_left(served: Served, http: ClientSession) -> None:
    """A POST that breaks off is the end of the session, and nothing of it counts."""
    poller = await Poller.open(http, served)
    _, writer = await asyncio.open_connection("127.0.0.1", served.port)
    target = poller.url.removeprefix(served.url)
    writer.write(f"POST {target} HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n4half".encode())
    await until(lambda: served.session(poller.sid).pushing)
    writer.close()
    await writer.wait_closed()
    assert await served.reason() == "transport error"
    assert served.heard == []


@pytest.mark.parametrize(
    "body",
    ["", "abc", "7", "4ok\x1e", "0", "2", "5", "6", "4ok\x1e9", "b#", "b\x80", b"4\xff"],
)
async def test_a_bad_body_ends_the_session(
    served: Served, http: ClientSession, body: str | bytes
) -> None:
    """The document: a malformed payload is answered 400 and closes the session."""
    poller = await Poller.open(http, served)
    poll = await waiting(served, poller)
    assert (await poller.post(body))[0] == 400
    assert await poll == (200, "1")
    assert await served.reason() == "transport error"
    assert (await poller.poll())[0] == 400


async def test_a_body_that_is_too_long_ends_the_session(
    served: Served, http: ClientSession
) -> None:
    """The limit is the `maxPayload` of the handshake, to the byte."""
    poller = await Poller.open(http, served)
    limit = poller.opened["maxPayload"]
    assert limit == 1_000_000
    await poller.send("4" + "x" * (limit - 1))
    assert await poller.packets() == ["4" + "x" * (limit - 1)]
    assert await poller.post("4" + "x" * limit) == (413, "")
    assert await served.reason() == "transport error"


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "br"])
async def test_a_compressed_body_is_refused(
    served: Served, http: ClientSession, encoding: str
) -> None:
    """415, whether it can be unpacked or not, and nothing of it reaches the session."""
    poller = await Poller.open(http, served)
    bomb = gzip.compress(b"4" + bytes(5_000_000))
    status, _ = await poller.post(bomb, headers={"Content-Encoding": encoding})
    assert status == 415
    await poller.send("4plain")
    assert await poller.packets() == ["4plain"]


async def test_a_long_answer_is_compressed_for_who_accepts_it(served: Served) -> None:
    """Long answers are compressed as asked for, short ones never."""
    async with ClientSession(auto_decompress=False) as http:
        poller = await Poller.open(http, served)
        for accepted, unpack in (("gzip", gzip.decompress), ("deflate", zlib.decompress)):
            await served.engine.send(poller.sid, "x" * 5000)
            async with http.get(poller.url, headers={"Accept-Encoding": accepted}) as response:
                assert response.headers["Content-Encoding"] == accepted
                body = await response.read()
                assert len(body) < 500
                assert unpack(body) == b"4" + b"x" * 5000
        await served.engine.send(poller.sid, "short")
        async with http.get(poller.url, headers={"Accept-Encoding": "gzip"}) as response:
            assert "Content-Encoding" not in response.headers
            assert await response.read() == b"4short"
            assert response.headers["Cache-Control"] == "no-store"
            assert response.headers["Content-Type"] == "text/plain; charset=utf-8"


async def test_a_poller_that_falls_behind_is_closed(serve: Serve, http: ClientSession) -> None:
    """What waits for a poll is bounded like what waits for a WebSocket: one packet may be large."""
    served = await serve(unsent_bytes=10_000)
    poller = await Poller.open(http, served)
    for _ in range(9):
        served.session(poller.sid).send(Packet(MESSAGE, "x" * 1000))
    assert len(await poller.packets()) == 9
    await served.engine.send(poller.sid, "x" * 50_000)
    assert len(await poller.packets()) == 1
    for _ in range(11):
        await served.engine.send(poller.sid, "x" * 1000)
    assert await served.reason() == "transport error"
    assert (await poller.poll())[0] == 400


async def test_a_post_is_answered_when_there_is_room(served: Served, http: ClientSession) -> None:
    """A client that sends faster than it is handled has to wait."""
    served.gate = asyncio.Event()
    poller = await Poller.open(http, served)
    post = asyncio.create_task(poller.post("\x1e".join(["4x"] * HIGH_WATER * 2)))
    session = served.session(poller.sid)
    await until(lambda: session._room is not None)
    assert not post.done()
    served.gate.set()
    assert await post == (200, "ok")
    assert served.heard == ["x"] * len(served.heard)
    assert len(served.heard) > HIGH_WATER


async def test_a_post_may_have_as_many_packets_as_fit_in(
    served: Served, http: ClientSession
) -> None:
    """They are handled in order; meanwhile others are served, and little of it is in memory."""
    other = await Poller.open(http, served)
    poller = await Poller.open(http, served)
    total = 12_000
    post = asyncio.create_task(poller.post("\x1e".join(f"4{number}" for number in range(total))))
    session = served.session(poller.sid)
    await until(lambda: session._room is not None)
    assert session._inbox is not None
    assert len(session._inbox._waiting or ()) <= HIGH_WATER
    await other.send("4other")
    assert await other.packets() == ["4other"]
    assert not post.done()
    assert await post == (200, "ok")
    await until(lambda: len(served.heard) == total)
    assert await poller.packets() == [f"4{number}" for number in range(total)]
    await until(lambda: served.budget.held_bytes == 0)


async def test_a_post_of_nothing_but_pongs_is_taken_in_turns(
    served: Served, http: ClientSession
) -> None:
    """Packets that nobody has to handle do not keep the loop either."""
    poller, other = [await Poller.open(http, served) for _ in range(2)]
    post = asyncio.create_task(poller.post("\x1e".join(["3"] * 100_000)))
    turns = 0
    while not post.done():
        turns += 1
        await asyncio.sleep(0)
    assert turns > 100_000 / polling.PACKETS_PER_TURN
    assert await post == (200, "ok")
    await other.send("4other")
    assert await other.packets() == ["4other"]


async def test_a_session_that_ends_takes_no_more_of_its_post(
    served: Served, http: ClientSession
) -> None:
    """The rest of a payload is not read."""
    served.gate = asyncio.Event()
    poller = await Poller.open(http, served)
    post = asyncio.create_task(poller.post("\x1e".join(["4x"] * HIGH_WATER * 20)))
    session = served.session(poller.sid)
    await until(lambda: session._room is not None and served.heard)
    session.shed()
    assert await post == (200, "ok")
    served.gate.set()
    assert await served.reason() == "transport error"
    assert served.heard == ["x"]
    await served.emptied()


async def test_a_client_says_goodbye(served: Served, http: ClientSession) -> None:
    """A close packet ends the session: a waiting poll is released, nothing more is heard."""
    poller = await Poller.open(http, served)
    poll = await waiting(served, poller)
    await poller.send("4before", "1", "4after")
    status, text = await poll
    assert status == 200
    assert text in ("6", "4before\x1e6")
    assert await served.reason() == "client disconnect"
    assert served.heard == ["before"]
    assert (await poller.poll())[0] == 400
    assert served.remains() == {}


async def test_a_server_says_goodbye(served: Served, http: ClientSession) -> None:
    """A waiting poll hears of the end with a close packet."""
    poller = await Poller.open(http, served)
    poll = await waiting(served, poller)
    await served.engine.disconnect(poller.sid)
    assert await poll == (200, "1")
    assert await served.reason() == "server disconnect"


async def test_a_post_that_does_not_come(
    served: Served, http: ClientSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A client that stops in the middle of a POST loses its session."""
    monkeypatch.setattr(polling, "BODY_S", 0.05)
    poller = await Poller.open(http, served)
    url = URL(poller.url)
    _, writer = await asyncio.open_connection(url.host, url.port)
    writer.write(
        f"POST {url.raw_path_qs} HTTP/1.1\r\nHost: x\r\nContent-Length: 20\r\n\r\n4be".encode()
    )
    assert await served.reason() == "transport error"
    assert served.heard == []
    # Without this the server waits for the rest, to discard it.
    writer.transport.abort()
