"""The upgrade from long-polling to WebSocket (Engine.IO protocol document, "Upgrade")."""

import asyncio
import base64
from collections.abc import Awaitable, Callable

import pytest
from aiohttp import ClientSession

from app.realtime.engineio import engine, probe
from app.realtime.inbox import HIGH_WATER
from tests.app.realtime.served import Served, until
from tests.app.realtime.wire import Poller, Wire


async def probed(served: Served, poller: Poller) -> Wire:
    """Open a WebSocket and probe it."""
    wire = await Wire.open(served, sid=poller.sid)
    wire.send("2probe")
    assert await wire.receive() == "3probe"
    return wire


async def upgraded(served: Served, poller: Poller) -> Wire:
    wire = await probed(served, poller)
    wire.send("5")
    wire.send("4over here")
    assert await wire.receive() == "4over here"
    return wire


async def test_a_session_changes_over(served: Served, http: ClientSession) -> None:
    """Probe, answer, upgrade; the session goes on under its id."""
    poller = await Poller.open(http, served)
    wire = await upgraded(served, poller)
    await served.engine.send(poller.sid, "news")
    assert await wire.receive() == "4news"
    assert served.engine.transport(poller.sid) == "websocket"


async def test_a_waiting_poll_is_released_by_the_probe(served: Served, http: ClientSession) -> None:
    """It gets a noop packet, so that the client can stop polling."""
    poller = await Poller.open(http, served)
    poll = asyncio.create_task(poller.packets())
    await until(lambda: served.session(poller.sid).mailbox.polled)
    await probed(served, poller)
    assert await poll == ["6"]


async def test_what_waited_goes_over_in_order(served: Served, http: ClientSession) -> None:
    """Messages that no poll took are the first on the WebSocket."""
    poller = await Poller.open(http, served)
    wire = await probed(served, poller)
    for number in range(10):
        await served.engine.send(poller.sid, f"{number}")
    wire.send("5")
    wire.send("4x")
    got = [await wire.receive() for _ in range(11)]
    assert got == [*(f"4{number}" for number in range(10)), "4x"]


@pytest.mark.parametrize("binary", [False, True])
async def test_nothing_is_lost_or_doubled_in_mid_traffic(
    served: Served, http: ClientSession, binary: bool
) -> None:
    """The server sends all the time; polls and WebSocket together give every message once."""
    poller = await Poller.open(http, served)
    total = 400
    changed_over = asyncio.Event()

    def message(number: int) -> str | bytes:
        return number.to_bytes(2, "big") if binary else str(number)

    async def tell() -> None:
        for number in range(total):
            await served.engine.send(poller.sid, message(number))
            await asyncio.sleep(0)
            if number == total - 50:
                await changed_over.wait()

    telling = asyncio.create_task(tell())
    got: list[str | bytes] = []

    async def poll_until_noop() -> None:
        while True:
            packets = await poller.packets()
            got.extend(packet for packet in packets if packet != "6")
            if "6" in packets:
                return

    polling = asyncio.create_task(poll_until_noop())
    wire = await probed(served, poller)
    # As the JavaScript client does: first the last poll ends, then the upgrade is confirmed.
    await polling
    wire.send("5")
    changed_over.set()
    while len(got) < total:
        got.append(await wire.receive())
    await telling
    if binary:
        polled = sum(isinstance(packet, str) for packet in got)
        assert all(isinstance(packet, str) for packet in got[:polled])
        assert all(isinstance(packet, bytes) for packet in got[polled:])
        numbers = [
            int.from_bytes(p if isinstance(p, bytes) else base64.b64decode(p[1:])) for p in got
        ]
        assert numbers == list(range(total))
    else:
        assert got == [f"4{number}" for number in range(total)]


async def test_messages_of_the_client_keep_their_order_across(
    served: Served, http: ClientSession
) -> None:
    """What was posted before the upgrade is handled before what the WebSocket brings."""
    served.gate = asyncio.Event()
    poller = await Poller.open(http, served)
    await poller.send(*(f"4{number}" for number in range(HIGH_WATER - 1)))
    wire = await probed(served, poller)
    wire.send("5")
    for number in range(HIGH_WATER - 1, 200):
        wire.send(f"4{number}")
    served.gate.set()
    got = [await wire.receive() for _ in range(200)]
    assert got == [f"4{number}" for number in range(200)]


async def test_a_backlog_from_polling_still_throttles_the_websocket(
    served: Served, http: ClientSession
) -> None:
    """A client does not escape the pressure by changing over."""
    served.gate = asyncio.Event()
    poller = await Poller.open(http, served)
    post = asyncio.create_task(poller.post("\x1e".join(["4x"] * HIGH_WATER * 2)))
    session = served.session(poller.sid)
    await until(lambda: session._room is not None)
    wire = await probed(served, poller)
    wire.send("5")
    await until(lambda: session.socket is not None)
    transport = session.socket._transport
    assert transport is not None
    assert not transport.is_reading()
    served.gate.set()
    assert await post == (200, "ok")
    wire.send("4last")
    assert [await wire.receive() for _ in range(HIGH_WATER * 2 + 1)][-1] == "4last"


async def test_polling_is_over_after_the_upgrade(served: Served, http: ClientSession) -> None:
    """The document: requests are refused, and the WebSocket is not disturbed."""
    poller = await Poller.open(http, served)
    wire = await upgraded(served, poller)
    assert (await poller.poll())[0] == 400
    assert (await poller.post("4x"))[0] == 400
    wire.send("4y")
    assert await wire.receive() == "4y"
    assert served.heard == ["over here", "y"]


async def test_a_second_websocket_is_turned_away(served: Served, http: ClientSession) -> None:
    """The document: it is closed, and the first goes on; also while the first is being probed."""
    poller = await Poller.open(http, served)
    first = await probed(served, poller)
    second = await Wire.open(served, sid=poller.sid)
    assert await second.closed() == 1008
    first.send("5")
    third = await Wire.open(served, sid=poller.sid)
    third.send("2probe")
    assert await third.closed() == 1008
    first.send("4x")
    assert await first.receive() == "4x"


@pytest.mark.parametrize("packet", ["2", "5", "4hello", "6", "", b"2probe"])
async def test_a_socket_that_does_not_probe_is_closed(
    served: Served, http: ClientSession, packet: str | bytes
) -> None:
    """The session goes on with long-polling, and may try again."""
    poller = await Poller.open(http, served)
    wire = await Wire.open(served, sid=poller.sid)
    wire.send(packet)
    assert await wire.closed() == 1002
    await poller.send("4x")
    assert await poller.packets() == ["4x"]
    await upgraded(served, poller)


async def test_a_probe_that_vanishes_leaves_polling_alone(
    served: Served, http: ClientSession
) -> None:
    """Polls wait again as before, and another upgrade may follow."""
    poller = await Poller.open(http, served)
    wire = await probed(served, poller)
    wire.cut()
    session = served.session(poller.sid)
    await until(lambda: session.probe is None)
    poll = asyncio.create_task(poller.packets())
    await until(lambda: session.mailbox.polled)
    await served.engine.send(poller.sid, "news")
    assert await poll == ["4news"]
    await upgraded(served, poller)


async def test_a_client_that_does_not_confirm_is_given_up(
    served: Served, http: ClientSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The socket that was tried out is closed after a while; the session goes on."""
    monkeypatch.setattr(probe, "UPGRADE_TIMEOUT_S", 0.0)
    poller = await Poller.open(http, served)
    wire = await probed(served, poller)
    assert await wire.closed() == 1000
    monkeypatch.undo()
    await upgraded(served, poller)


async def break_the_protocol(served: Served, sid: str) -> None:
    await served.engine.message(served.session(sid), "malformed")


async def disconnect(served: Served, sid: str) -> None:
    await served.engine.disconnect(sid)


async def overflow(served: Served, sid: str) -> None:
    for _ in range(4):
        await served.engine.send(sid, "x" * 500_000)


async def run_short_of_memory(served: Served, sid: str) -> None:
    served.session(sid).shed()


async def shut_down(served: Served, sid: str) -> None:
    session = served.session(sid)
    served.wires.append(shutdown := Leaving(asyncio.create_task(served.engine.shutdown())))
    await until(lambda: session.ending)
    assert not shutdown.task.done()


class Leaving:
    """A shutdown that is waited for at the end of the test."""

    def __init__(self, task: asyncio.Task[None]) -> None:
        self.task = task

    async def leave(self) -> None:
        await self.task


ENDS = pytest.mark.parametrize(
    ("end", "code", "waiting"),
    [
        (break_the_protocol, 1002, ["4last"]),
        (disconnect, 1000, ["4last"]),
        (overflow, 1002, []),
        (run_short_of_memory, 1013, []),
        (shut_down, 1001, ["4last"]),
    ],
)
End = Callable[[Served, str], Awaitable[None]]


@ENDS
async def test_a_session_that_ends_while_it_changes_over_ends_on_the_websocket(
    served: Served, http: ClientSession, end: End, code: int, waiting: list[str]
) -> None:
    """The client polls no more: if its probe were closed before it confirms, it would be deaf."""

    async def refuse(sid: str, message: object) -> None:
        raise ValueError("malformed")

    served.engine.on("message", refuse)
    poller = await Poller.open(http, served)
    wire = await probed(served, poller)
    await served.engine.send(poller.sid, "last")
    await end(served, poller.sid)
    assert not served.session(poller.sid).receiving
    if not waiting:
        await served.engine.send(poller.sid, "too late")
    wire.send("5")
    got = [await wire.receive() for _ in waiting]
    assert got == waiting
    assert await wire.closed() == code
    await served.emptied()


@ENDS
async def test_a_session_that_ends_while_it_changes_over_may_end_by_a_poll(
    served: Served, http: ClientSession, end: End, code: int, waiting: list[str]
) -> None:
    """If the client has not heard of its probe yet, its next poll brings CLOSE."""

    async def refuse(sid: str, message: object) -> None:
        raise ValueError("malformed")

    served.engine.on("message", refuse)
    poller = await Poller.open(http, served)
    wire = await probed(served, poller)
    await served.engine.send(poller.sid, "last")
    await end(served, poller.sid)
    assert await poller.packets() == [*waiting, "1"]
    assert await wire.closed() == 1000
    await served.emptied()


async def test_a_shutdown_does_not_wait_long_for_a_change_over(
    served: Served, http: ClientSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A client that does not confirm is left behind."""
    monkeypatch.setattr(engine, "CHANGE_OVER_S", 0.05)
    poller = await Poller.open(http, served)
    wire = await probed(served, poller)
    await served.engine.shutdown()
    assert await served.reason() == "server disconnect"
    assert await wire.closed() == 1000
    await served.emptied()


async def test_a_probe_waits_for_the_post_that_its_client_waits_for(
    served: Served, http: ClientSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Clients confirm when their last POST is answered, which may take longer than a probe has."""
    monkeypatch.setattr(probe, "UPGRADE_TIMEOUT_S", 0.0)
    served.gate = asyncio.Event()
    poller = await Poller.open(http, served)
    post = asyncio.create_task(poller.post("\x1e".join(["4x"] * HIGH_WATER * 2)))
    session = served.session(poller.sid)
    await until(lambda: session._room is not None)
    wire = await probed(served, poller)
    tried = session.probe
    assert tried is not None
    tried.deadline_passed()
    assert tried.deadline_tick
    served.gate.set()
    assert await post == (200, "ok")
    wire.send("5")
    assert await wire.receive() == "4x"


async def test_the_end_of_the_session_ends_its_probe(served: Served, http: ClientSession) -> None:
    """No socket is left over."""
    poller = await Poller.open(http, served)
    wire = await probed(served, poller)
    await poller.send("1")
    assert await wire.closed() == 1000
    assert await served.reason() == "client disconnect"
    await served.emptied()
