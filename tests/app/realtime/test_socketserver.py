"""Socket.IO on the engine: its protocol document (version 5), and hostile clients."""

import asyncio
import gc
import json
from functools import partial
from typing import Any

import pytest
import socketio as library
from aiohttp import ClientSession
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.realtime.engineio.session import Session
from app.realtime.rooms import LATE_ACKS
from app.realtime.websocket.connection import WebSocket
from models.limits import MAX_REFUSALS
from tests.app.realtime.conftest import Serve
from tests.app.realtime.served import PATIENCE_S, Served, until
from tests.app.realtime.wire import CLOSE, TEXT, Poller, Wire, frame, socketio

ONE = '451-["message",{"_placeholder":true,"num":%s}]'

SAY = '42/lobby,%d["say",{"text":"x"}]'
SAID = '43/lobby,%d[{"data":{"text":"x"}}]'

WAYS = [["polling", "websocket"], ["websocket"], ["polling"]]


@pytest.fixture
async def opened(served: Served) -> Wire:
    """A connection that has not joined anything."""
    wire = await Wire.open(served, "socket.io")
    await wire.open_packet()
    return wire


# Namespaces.


@pytest.mark.parametrize("namespace", ["/", "/custom"])
@pytest.mark.parametrize("auth", [None, {"token": "123"}])
async def test_a_client_joins(
    served: Served, opened: Wire, namespace: str, auth: dict[str, Any] | None
) -> None:
    """CONNECT is answered with the Socket.IO id, and the handler sees what came with it."""
    sid = await opened.join(namespace, auth)
    handler = served.echo if namespace == "/" else served.custom
    assert handler.sids == [sid]
    assert handler.auths == [auth]
    assert sid not in served.socketio.eio.sockets


async def test_an_unknown_namespace_is_refused(opened: Wire) -> None:
    """The document's CONNECT_ERROR; the connection goes on."""
    opened.send("40/random")
    assert await opened.receive() == '44/random,{"message":"Invalid namespace"}'
    await opened.join()


@pytest.mark.parametrize("is_pending", [False, True])
async def test_a_second_connect_to_a_namespace_closes_the_connection(
    served: Served, opened: Wire, is_pending: bool
) -> None:
    """As in the reference: the first is answered, and the client comes back by itself."""
    await opened.join("/custom")
    served.echo.gate = asyncio.Event()
    opened.send("40")
    await until(lambda: served.manager.pending_connect)
    if not is_pending:
        served.echo.gate.set()
        await until(lambda: served.echo.sids)
    opened.send("40")
    opened.send('42/custom,["message"]')
    served.echo.gate.set()
    assert str(await opened.receive()).startswith('40{"sid":')
    assert await opened.closed() == 1002
    assert len(served.echo.sids) == 1
    assert served.custom.heard == []
    await served.emptied()


async def test_a_poller_hears_what_came_before_its_second_connect(
    served: Served, http: ClientSession
) -> None:
    """The answers that wait for its poll, then CLOSE."""
    poller = await Poller.open(http, served, "socket.io")
    await poller.send("40", '421["message-with-ack"]', "40", '422["message-with-ack"]')
    got: list[str] = []
    while "1" not in got:
        got += await poller.packets()
    assert got[0].startswith('40{"sid":')
    assert got[1:] == ["431[]", "1"]
    assert (await poller.poll())[0] == 400
    await served.emptied()


async def test_a_client_comes_back_while_it_is_being_put_out(served: Served, opened: Wire) -> None:
    """A disconnect handler that takes its time is no second membership."""

    class Slow(library.AsyncNamespace):
        gates: tuple[asyncio.Event, asyncio.Event] = asyncio.Event(), asyncio.Event()

        async def on_disconnect(self, sid: str, reason: str) -> None:
            self.gates[0].set()
            await self.gates[1].wait()
            self.server.manager.basic_leave_room(sid, self.namespace, "room")

        async def on_hello(self, sid: str) -> str:
            return sid

    slow = Slow("/slow")
    served.socketio.register_namespace(slow)
    former = await opened.join("/slow")
    await slow.enter_room(former, "room")
    leaving = asyncio.create_task(served.socketio.disconnect(former, namespace="/slow"))
    await slow.gates[0].wait()
    assert await opened.receive() == "41/slow,"
    sid = await opened.join("/slow")
    await slow.emit("news", to="room")
    opened.send('42/slow,1["hello"]')
    assert await opened.receive() == f'43/slow,1["{sid}"]'
    slow.gates[1].set()
    await leaving
    opened.send('42/slow,2["hello"]')
    assert await opened.receive() == f'43/slow,2["{sid}"]'
    opened.cut()
    await served.emptied()


async def test_a_door_refuses_in_its_own_words(served: Served, opened: Wire) -> None:
    """The code of the refusal reaches the client, and nothing is kept of it but the connection."""
    opened.send('40/lobby,{"token":"bad"}')
    answer = await opened.receive()
    assert isinstance(answer, str)
    assert json.loads(answer.removeprefix("44/lobby,"))["data"] == {"code": "token_invalid"}
    assert not served.manager.rooms
    assert not served.door._clients


async def test_a_client_leaves_and_may_come_back(served: Served, opened: Wire) -> None:
    """DISCONNECT ends one namespace, not the connection."""
    await opened.join()
    await opened.join("/custom")
    opened.send("41/custom,")
    assert await served.left(served.custom) == "client disconnect"
    opened.send('42["message","still here"]')
    assert await opened.receive() == '42["message-back","still here"]'
    await opened.join("/custom")


async def test_a_client_is_put_out(served: Served, opened: Wire) -> None:
    """A server's disconnect of one namespace is told with DISCONNECT."""
    sid = await opened.join("/custom")
    await served.socketio.disconnect(sid, namespace="/custom")
    assert await opened.receive() == "41/custom,"
    assert await served.left(served.custom) == "server disconnect"
    assert not served.manager.rooms


async def test_a_silent_client_is_closed(serve: Serve, http: ClientSession) -> None:
    """Who joins no namespace in time is closed, by WebSocket and by polling; who joined stays."""
    served = await serve(connect_timeout_s=0.1)
    joined = await socketio(served)
    silent = await Wire.open(served, "socket.io")
    await silent.open_packet()
    poller = await Poller.open(http, served, "socket.io")
    assert await silent.closed() == 1000
    await until(lambda: poller.sid not in served.socketio.eio.sockets)
    assert (await poller.poll())[0] == 400
    joined.send('42["message"]')
    assert await joined.receive() == '42["message-back"]'


# Events and acks.


async def test_events_and_acks_with_and_without_binary(opened: Wire) -> None:
    """The four kinds of message of the document come back as they went."""
    await opened.join()
    opened.send('42["message",1,"2",{"3":[true]}]')
    assert await opened.receive() == '42["message-back",1,"2",{"3":[true]}]'
    opened.send('42456["message-with-ack",1,"2",{"3":[false]}]')
    assert await opened.receive() == '43456[1,"2",{"3":[false]}]'
    two = '{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}'
    opened.send(f'452-["message",{two}]')
    opened.send(b"\1")
    opened.send(b"\2")
    assert await opened.receive() == f'452-["message-back",{two}]'
    assert (await opened.receive(), await opened.receive()) == (b"\1", b"\2")
    opened.send(f'452-789["message-with-ack",{two}]')
    opened.send(b"\3")
    opened.send(b"\4")
    assert await opened.receive() == f"462-789[{two}]"
    assert (await opened.receive(), await opened.receive()) == (b"\3", b"\4")


async def test_an_applications_error_is_not_the_clients(
    served: Served, opened: Wire, caplog: pytest.LogCaptureFixture
) -> None:
    """A handler that raises, even ValueError, is logged; the client stays."""
    await opened.join()
    opened.send('421["break"]')
    opened.send('422["message-with-ack"]')
    assert await opened.receive() == "432[]"
    assert "a mistake of the application" in caplog.text
    caplog.clear()


async def test_a_client_acks_what_the_server_asks(served: Served, opened: Wire) -> None:
    """The callback is called once, with the client's arguments; stray acks change nothing."""
    sid = await opened.join()
    answers: list[tuple[Any, ...]] = []
    await served.socketio.emit(
        "question", 42, to=sid, callback=lambda *arguments: answers.append(arguments)
    )
    assert await opened.receive() == '421["question",42]'
    for ack in ("430[]", "437[]", '431["answer",1]', '431["again"]'):
        opened.send(ack)
    opened.send('42["message"]')
    assert await opened.receive() == '42["message-back"]'
    assert answers == [("answer", 1)]


async def test_a_call_returns_the_clients_answer(served: Served, opened: Wire) -> None:
    """One argument as it is, several as a tuple, none as None; calls do not wait for each other."""
    sid = await opened.join()
    call = partial(served.socketio.call, to=sid, timeout=PATIENCE_S)
    calls = [asyncio.create_task(call("ask", data)) for data in (1, ("a", "b"), None)]
    asked = [str(await opened.receive()) for _ in calls]
    assert asked == ['421["ask",1]', '422["ask","a","b"]', '423["ask"]']
    for answer in ("433[]", '432["x","y"]', '431[{"z":1}]'):
        opened.send(answer)
    assert await asyncio.gather(*calls) == [{"z": 1}, ("x", "y"), None]


async def test_a_handler_may_call_its_own_client(served: Served, opened: Wire) -> None:
    """The answer does not wait behind the event whose handler waits for it."""

    class Asking(library.AsyncNamespace):
        async def on_order(self, sid: str) -> Any:
            return await self.call("sure?", to=sid, timeout=PATIENCE_S)

    served.socketio.register_namespace(Asking("/asking"))
    await opened.join("/asking")
    opened.send('42/asking,7["order"]')
    opened.send('42/asking,8["order"]')
    for number in (1, 2):
        assert await opened.receive() == f'42/asking,{number}["sure?"]'
        opened.send(f'43/asking,{number}["yes",{number}]')
        assert await opened.receive() == f'43/asking,{number + 6}["yes",{number}]'


async def test_a_late_answer_to_a_call_is_passed_over(served: Served, opened: Wire) -> None:
    """The call times out; the client has done nothing wrong, however often it is late."""
    sid = await opened.join()
    (eio_sid,) = served.socketio.eio.sockets
    for number in range(1, MAX_REFUSALS + 10):
        with pytest.raises(library.exceptions.TimeoutError):
            await served.socketio.call("ask", to=sid, timeout=0)
        assert await opened.receive() == f'42{number}["ask"]'
        opened.send(f'43{number}["late"]')
    opened.send('42["message"]')
    assert await opened.receive() == '42["message-back"]'
    assert served.socketio.guard_of(eio_sid).refusals == 0
    assert list(served.manager.callbacks[sid]) == [0]
    for _ in range(LATE_ACKS + 5):
        with pytest.raises(library.exceptions.TimeoutError):
            await served.socketio.call("ask", to=sid, timeout=0)
    assert len(served.manager.callbacks[sid]) == LATE_ACKS + 1


async def test_a_call_to_a_client_that_goes_fails_at_once(served: Served, opened: Wire) -> None:
    """Nobody waits for who is gone, nor calls everybody."""
    sid = await opened.join()
    call = asyncio.create_task(served.socketio.call("ask", to=sid))
    assert await opened.receive() == '421["ask"]'
    opened.cut()
    async with asyncio.timeout(PATIENCE_S):
        with pytest.raises(library.exceptions.TimeoutError):
            await call
        with pytest.raises(library.exceptions.TimeoutError):
            await served.socketio.call("ask", to=sid)
    with pytest.raises(ValueError, match="broadcast"):
        await served.socketio.call("ask")
    await served.emptied()


MALFORMED = {
    "unknown type": "4abc",
    "type out of range": "48",
    "empty": "4",
    "payload no list": '42{"a":1}',
    "payload no JSON": "42abc",
    "no payload": "42",
    "no name": "42[]",
    "bad id": '42abc["message"]',
    "long id": "42" + "9" * 1000 + '["message"]',
    "connect_error": '44{"message":"no"}',
    "connect with text": '40"token"',
    "reserved connect": '42["connect",{}]',
    "reserved disconnect": '42["disconnect","x"]',
    "reserved connect_error": '42["connect_error"]',
    "attachments without binary": '421-["message"]',
    "too many attachments": '4517-["message"]',
    "huge number of attachments": '45999999999999-["message"]',
    "no attachments": '450-["message"]',
    "attachments of nowhere": '451-/custom,["message",{"_placeholder":true,"num":0}]',
}


@pytest.mark.parametrize("message", MALFORMED.values(), ids=MALFORMED.keys())
async def test_a_malformed_message_closes_the_connection(
    served: Served, opened: Wire, message: str
) -> None:
    """The offender is closed with 1002 and leaves nothing; no handler hears of it."""
    await opened.join()
    opened.send(message)
    assert await opened.closed() == 1002
    assert await served.left(served.echo) == "transport error"
    await served.emptied()
    assert served.echo.heard == []


@pytest.mark.parametrize(
    "message", ['42["message"]', '421["message"]', "431[]", "41", "41/custom,", ONE % 0, "42[NaN]"]
)
async def test_a_client_that_is_nowhere_is_closed_at_once(
    served: Served, opened: Wire, message: str
) -> None:
    """As in the reference, the first packet is a CONNECT, and one that is let in."""
    opened.send('40/lobby,{"token":"bad"}')
    assert str(await opened.receive()).startswith("44/lobby,")
    opened.send(message)
    assert await opened.closed() == 1002
    await served.emptied()
    assert served.echo.heard == []


@pytest.mark.parametrize("name", ["connect", "connect_error", "disconnect"])
async def test_a_reserved_name_is_named_to_who_waits_for_an_answer(
    served: Served, opened: Wire, name: str
) -> None:
    """Whoever wants an ack is told what is wrong and stays; no handler hears of it."""
    await opened.join()
    opened.send(f'427["{name}",{{}}]')
    answer = str(await opened.receive())
    assert answer.startswith("437")
    ((error,),) = [json.loads(answer.removeprefix("437"))]
    assert error["error"]["code"] == "event_reserved"
    assert name in error["error"]["message"]
    opened.send('42["message"]')
    assert await opened.receive() == '42["message-back"]'
    assert name not in served.echo.heard


UNREADABLE = {
    "half a JSON": '["say"',
    "half an emoji": '["say",{"text":"I love pizza \\ud83c"}]',
    "half an emoji in the name": '["\\ud83c"]',
    "NaN": '["say",NaN]',
    "deep": '["say",' + "[" * 20_000 + "]" * 20_000 + "]",
    "deep object": '["say",' + '{"a":' * 20_000 + "1" + "}" * 20_000 + "]",
    "long number": '["say",' + "9" * 10_000 + "]",
}


@pytest.mark.parametrize("payload", UNREADABLE.values(), ids=UNREADABLE.keys())
async def test_an_event_that_cannot_be_read_is_answered(
    served: Served, opened: Wire, http: ClientSession, payload: str
) -> None:
    """Its ack has the code `unreadable`, its sender stays everywhere; by each transport."""
    await opened.join()
    poller = await Poller.open(http, served, "socket.io")
    for way in (opened, poller):
        got: list[str] = []
        sent = ['40/lobby,{"token":"7"}', f"42/lobby,{payload}", f"42/lobby,5{payload}", SAY % 6]
        if way is opened:
            for packet in sent:
                opened.send(packet)
            got = [str(await opened.receive()) for _ in range(3)]
        else:
            await poller.send(*sent)
            while len(got) < 3:
                got += await poller.packets()
        assert got[0].startswith("40/lobby,")
        (answer,) = json.loads(got[1].removeprefix("43/lobby,5"))
        assert set(answer) == {"error"}
        assert answer["error"]["code"] == "unreadable"
        assert answer["error"]["message"]
        assert got[2] == SAID % 6
    opened.send('42["message"]')
    assert await opened.receive() == '42["message-back"]'


async def test_binary_events_that_cannot_be_read_are_answered(served: Served, opened: Wire) -> None:
    """Their attachments are passed over; an ack that cannot be read answers nothing."""
    sid = await opened.join()
    await opened.join("/lobby", {"token": "7"})
    for namespace in ("", "/lobby,"):
        opened.send(f'452-{namespace}5["\\ud83c",{{"_placeholder":true,"num":0}}]')
        assert '"code":"unreadable"' in str(await opened.receive())
        opened.send(b"x")
        opened.send(b"y")
    answers: list[Any] = []
    await served.socketio.emit("question", to=sid, callback=lambda *data: answers.append(data))
    assert await opened.receive() == '421["question"]'
    opened.send('431["\\ud83c"]')
    opened.send('431["whole"]')
    opened.send(SAY % 6)
    assert await opened.receive() == SAID % 6
    assert answers == [("whole",)]


async def test_auth_that_cannot_be_read_is_refused(served: Served, opened: Wire) -> None:
    """CONNECT_ERROR has the code, and the client may try again."""
    opened.send('40/lobby,{"token":"\\ud83c"}')
    answer = str(await opened.receive())
    refusal = json.loads(answer.removeprefix("44/lobby,"))
    assert refusal["data"] == {"code": "unreadable"}
    assert refusal["message"]
    await opened.join("/lobby", {"token": "7"})


async def test_a_client_of_unreadable_events_is_ended_at_last(served: Served, opened: Wire) -> None:
    """They count as other refusals do."""
    await opened.join("/lobby", {"token": "7"})
    opened.writer.write(frame(TEXT, b'42/lobby,["\\ud83c"]') * MAX_REFUSALS)
    assert "too_many_requests" in str(await opened.receive())
    assert await opened.closed() == 1008


@pytest.mark.parametrize(
    "sent",
    [
        [ONE % 1, b"x"], [ONE % -1, b"x"], [ONE % '"0"', b"x"], [ONE % "true", b"x"],
        [ONE % 0, "42[1]"], [ONE % 0, '42["message"]', b"x"], [ONE % 0, ONE % 0], [b"x"],
        ['452-["message",{"_placeholder":true,"num":2}]', b"x", b"y"],
    ],
)  # fmt: skip
async def test_attachments_that_do_not_fit_close_the_connection(
    served: Served, opened: Wire, sent: list[str | bytes]
) -> None:
    """Placeholders of nothing, text in between, and binary that nobody announced."""
    await opened.join()
    for message in sent:
        opened.send(message)
    assert await opened.closed() == 1002
    assert await served.left(served.echo) == "transport error"
    await served.emptied()
    assert served.echo.heard == []


async def test_an_attachment_may_be_empty(opened: Wire) -> None:
    """No bytes are bytes, too."""
    await opened.join()
    opened.send(ONE % 0)
    opened.send(b"")
    assert await opened.receive() == ONE.replace("message", "message-back") % 0
    assert await opened.receive() == b""


async def test_attachments_that_never_come_leave_with_the_client(
    served: Served, opened: Wire
) -> None:
    """What was kept of an unfinished packet goes with the connection."""
    await opened.join()
    opened.send(ONE % 0)
    await until(lambda: served.socketio._unfinished)
    opened.cut()
    assert await served.left(served.echo) == "transport close"
    await served.emptied()


@pytest.mark.parametrize(
    "packet",
    ["40/random", '42/custom,["message"]', "43/custom,1[]", "439[]", '40/lobby,{"token":"bad"}'],
)
async def test_ten_thousand_refused_packets_are_too_many(
    served: Served, opened: Wire, packet: str
) -> None:
    """The client is told why, and closed with 1008; another client notices nothing."""
    good = await socketio(served)
    await opened.join()
    opened.writer.write(frame(TEXT, packet.encode()) * 10_000)
    told = []
    while (got := await opened.frame())[0] is TEXT:
        told.append(got[1])
    assert got[0] is CLOSE
    assert int.from_bytes(got[1], "big") == 1008
    name, ending = json.loads(told.pop().removeprefix(b"42"))
    assert name == "session.ending"
    assert (ending["code"], ending["reconnect"]) == ("too_many_requests", True)
    assert len(told) == (MAX_REFUSALS if packet.startswith("40") else 0)
    assert await served.left(served.echo) == "server disconnect"
    good.send('42["message"]')
    assert await good.receive() == '42["message-back"]'
    assert len(served.socketio.eio.sockets) == 1
    assert list(served.socketio._guards) == []


async def test_a_poller_that_floods_is_told_before_it_is_closed(
    serve: Serve, http: ClientSession
) -> None:
    """Its last polls give every answer, the reason and CLOSE, although it may not be polling."""
    served = await serve(messages_per_s=0.01, messages_burst=5, delay_s=0)
    poller = await Poller.open(http, served, "socket.io")
    await poller.send('40/lobby,{"token":"7"}')
    assert (await poller.packets())[0].startswith("40/lobby,")
    await poller.send(*(SAY % number for number in range(200)))
    got: list[str] = []
    while "1" not in got:
        got += await poller.packets()
    assert got[:3] == [SAID % number for number in range(3)]
    refused = [json.loads(text.partition("[")[2].rstrip("]"))["error"] for text in got[3:-2]]
    assert [error["code"] for error in refused] == ["too_many_requests"] * MAX_REFUSALS
    assert all(99 < error["retry_after"] <= 100 for error in refused)
    name, ending = json.loads(got[-2].removeprefix("42/lobby,"))
    assert (name, ending["code"]) == ("session.ending", "too_many_requests")
    assert (await poller.poll())[0] == 400
    await served.emptied()


QUICK_PINGS = {"ping_interval_s": 0.05, "ping_timeout_s": 0.05}


async def test_a_delayed_client_is_not_dropped_for_its_pongs(serve: Serve) -> None:
    """While nothing of it is read no pong can be heard; afterwards it has its time to come."""
    served = await serve(messages_per_s=8, messages_burst=3, **QUICK_PINGS)
    wire = await Wire.open(served, "socket.io")
    await wire.open_packet()
    wire.send('40/lobby,{"token":"7"}')
    for number in range(3):
        wire.send(SAY % number)
    answers: list[str] = []
    while len(answers) < 3:
        got = await wire.receive()
        assert isinstance(got, str)
        if got == "2":
            wire.send("3")
        elif got.startswith("43"):
            answers.append(got)
    assert answers == [SAID % number for number in range(3)]
    assert len(served.socketio.eio.sockets) == 1


async def test_a_delayed_poller_is_not_dropped_for_its_pongs(
    serve: Serve, http: ClientSession
) -> None:
    """Its next POST is held until it may send more, and only then it can send its pong."""
    served = await serve(messages_per_s=8, messages_burst=3, **QUICK_PINGS)
    poller = await Poller.open(http, served, "socket.io")
    await poller.send('40/lobby,{"token":"7"}')
    session = served.socketio.eio.sockets[poller.sid]
    await poller.send(*(SAY % number for number in range(3)))
    await until(lambda: session.is_held)
    got: list[str] = []

    async def read() -> None:
        while SAID % 3 not in got:
            got.extend(await poller.packets())

    reading = asyncio.create_task(read())
    await poller.send(SAY % 3)
    assert "2" in got
    await poller.send("3")
    await reading
    assert [text for text in got if text.startswith("43")] == [SAID % n for n in range(4)]


# The end of connections, in every order.


async def test_a_client_that_leaves_while_it_is_let_in_leaves_nothing(
    served: Served, opened: Wire
) -> None:
    """The connect handler comes to its end, then the client leaves the namespace."""
    served.echo.gate = asyncio.Event()
    opened.send("40")
    await until(lambda: served.manager.pending_connect)
    opened.cut()
    await until(lambda: not served.socketio.eio.sockets)
    served.echo.gate.set()
    assert await served.left(served.echo) == "transport close"
    await served.emptied()


async def test_a_client_that_leaves_during_a_command_leaves_nothing(
    served: Served, opened: Wire
) -> None:
    """The command comes to its end first; what the client sent behind it is handled as well."""
    await opened.join()
    served.echo.gate = asyncio.Event()
    opened.send('42["wait"]')
    opened.send('42["last"]')
    (session,) = served.socketio.eio.sockets.values()
    await until(lambda: served.echo.heard and session._inbox._waiting)
    opened.cut()
    await until(lambda: not served.socketio.eio.sockets)
    assert served.echo.left.empty()
    served.echo.gate.set()
    assert await served.left(served.echo) == "transport close"
    assert [event for event, *_ in served.echo.heard] == ["wait", "last"]
    await served.emptied()


async def test_a_client_put_out_and_gone_at_once_leaves_nothing(
    served: Served, opened: Wire
) -> None:
    """Server and client end it at the same time: the handler hears it once."""
    sid = await opened.join()
    opened.cut()
    await served.socketio.disconnect(sid)
    await served.emptied()
    assert served.echo.left.qsize() == 1


async def test_one_namespace_that_fails_to_let_go_does_not_keep_the_others(
    served: Served, opened: Wire, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An error in a disconnect handler is logged; the client leaves everything all the same."""
    await opened.join()
    await opened.join("/custom")
    trigger = served.echo.trigger_event

    async def failing(event: Any, sid: str, *args: Any) -> Any:
        if event == "disconnect":
            raise RuntimeError("a mistake")
        return await trigger(event, sid, *args)

    monkeypatch.setattr(served.echo, "trigger_event", failing)
    opened.cut()
    assert await served.left(served.custom) == "transport close"
    await served.emptied()
    assert "a mistake" in caplog.text
    caplog.clear()


# Whole clients.


@pytest.mark.parametrize("transports", WAYS, ids="+".join)
async def test_the_python_client_works(served: Served, transports: list[str]) -> None:
    """Namespaces, events both ways, acks and binary, by each transport and across the upgrade."""
    client = library.AsyncClient()
    news: asyncio.Queue[tuple[Any, ...]] = asyncio.Queue()
    client.on("message-back", lambda *args: news.put_nowait(args))
    await client.connect(
        served.url, transports=transports, namespaces=["/", "/lobby"], auth={"token": "7"}
    )
    await client.emit("message", ("text", b"\x00\xff", {"deep": [b"x"]}))
    got = await asyncio.wait_for(news.get(), PATIENCE_S)
    assert got == ("text", b"\x00\xff", {"deep": [b"x"]})
    said = await client.call("say", {"text": "hi"}, namespace="/lobby", timeout=PATIENCE_S)
    assert said == {"data": {"text": "hi"}}
    await client.disconnect()
    # It may close its WebSocket before its goodbye is sent.
    assert await served.left(served.echo) in ("client disconnect", "transport close")
    await served.emptied()


async def test_a_room_of_all_transports_gets_everything_in_order(served: Served) -> None:
    """Binary and text to polling, WebSocket and upgrading clients, while they are changing over."""
    total = 150
    clients = [library.AsyncClient() for _ in range(2 * len(WAYS))]
    got: list[list[Any]] = [[] for _ in clients]
    for client, mine in zip(clients, got, strict=True):
        client.on("news", lambda n, data, mine=mine: mine.append((n, data)), namespace="/lobby")
    joined = 0

    async def join(client: library.AsyncClient, transports: list[str]) -> None:
        nonlocal joined
        await client.connect(
            served.url, transports=transports, namespaces=["/lobby"], auth={"token": "1"}
        )
        joined += 1

    joining = [
        asyncio.create_task(join(client, WAYS[number % len(WAYS)]))
        for number, client in enumerate(clients)
    ]
    number = 0
    while joined < len(clients) or number < total:
        data = (number, bytes([number % 256]) if number % 2 else f"{number}")
        await served.socketio.emit("news", data, room="everyone", namespace="/lobby")
        number += 1
        await asyncio.sleep(0)
    await asyncio.gather(*joining)
    last = number
    await served.socketio.emit("news", (last, "end"), room="everyone", namespace="/lobby")
    await until(lambda: all(mine and mine[-1][0] == last for mine in got))
    for mine in got:
        first = mine[0][0]
        assert [n for n, _ in mine] == list(range(first, last + 1))
        for n, data in mine[:-1]:
            assert data == (bytes([n % 256]) if n % 2 else f"{n}")
    for client in clients:
        await client.disconnect()
    await served.emptied()


async def test_clients_that_come_and_go_leave_nothing(served: Served) -> None:
    """Three times fifty clients end in every way; no session or socket is left in memory."""
    # Servers of earlier tests stay in aiohttp's cache of handlers, with the sessions they had.
    before = {id(thing): thing for thing in alive()}

    async def visit(number: int) -> None:
        wire = await Wire.open(served, "socket.io")
        await wire.open_packet()
        await wire.join("/lobby", {"token": f"{number}"})
        if number % 4 == 0:
            wire.cut()
        elif number % 4 == 1:
            wire.send("1")
            await wire.closed()
        elif number % 4 == 2:
            wire.send("41/lobby,")
            wire.writer.write(frame(CLOSE, b"\x03\xe8"))
            await wire.closed()
        else:
            wire.send('42/lobby,1["say",{"text":"x"}]')
            assert await wire.receive() == '43/lobby,1[{"data":{"text":"x"}}]'
            await served.socketio.eio.disconnect(next(iter(served.socketio.eio.sockets)))
            wire.cut()

    async def poll(http: ClientSession) -> None:
        poller = await Poller.open(http, served, "socket.io")
        await poller.send('40/lobby,{"token":"p"}')
        await poller.packets()
        await poller.send("1")

    async with ClientSession() as http:
        for _ in range(3):
            await asyncio.gather(*(visit(number) for number in range(40)))
            await asyncio.gather(*(poll(http) for _ in range(10)))
            for session in list(served.socketio.eio.sockets.values()):
                session.close("server disconnect")
            await served.emptied()
            served.wires.clear()
    await until(lambda: all(id(thing) in before for thing in alive()))


def alive() -> list[object]:
    """Return the sessions and sockets that are in memory."""
    gc.collect()
    # By type: `isinstance` would ask the proxies of other libraries, whose targets may be gone.
    return [thing for thing in gc.get_objects() if type(thing) in (Session, WebSocket)]


# Noise.

PIECES = st.lists(
    st.binary(max_size=40)
    | st.binary(max_size=20).map(lambda data: frame(TEXT, b"4" + data))
    | st.text(max_size=20).map(lambda text: frame(TEXT, b"42" + text.encode()))
    | st.sampled_from(
        [
            frame(TEXT, b"40"), frame(TEXT, b'40/lobby,{"token":"1"}'), frame(TEXT, b"41"),
            frame(TEXT, b"3"), frame(TEXT, b'42["message",1]'), frame(2, b"x"), frame(9, b"p"),
            frame(TEXT, b'451-["message",{"_placeholder":true,"num":0}]'), frame(8, b"\x03\xe8"),
            frame(TEXT, b"42[", fin=False), frame(0, b'"message"]'), frame(10, b""),
        ]
    ),
    min_size=1,
    max_size=8,
)  # fmt: skip


@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(pieces=PIECES)
async def test_noise_harms_nobody(served: Served, pieces: list[bytes]) -> None:
    """Whatever bytes follow a handshake, a good client is served and nothing is left."""
    good = await socketio(served)
    noise = await Wire.open(served, "socket.io", behind=b"".join(pieces[:2]))
    noise.writer.write(b"".join(pieces[2:]))
    good.send('42["message","good"]')
    assert await good.receive() == '42["message-back","good"]'
    noise.half_close()
    await noise.closed()
    await good.leave()
    await served.emptied()
