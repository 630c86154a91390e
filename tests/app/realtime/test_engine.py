"""The opening of Engine.IO sessions, and what is refused (protocol document, version 4)."""

import json

import pytest
from aiohttp import ClientSession, WSServerHandshakeError, web

from tests.app.realtime.conftest import Serve
from tests.app.realtime.served import Served
from tests.app.realtime.wire import Poller, Wire, engine

OPEN_KEYS = {"sid", "upgrades", "pingInterval", "pingTimeout", "maxPayload"}


async def test_a_polling_session_opens(serve: Serve, http: ClientSession) -> None:
    """The handshake has exactly the document's fields; times are whole milliseconds."""
    served = await serve(ping_interval_s=0.3, ping_timeout_s=0.2)
    opened = (await Poller.open(http, served)).opened
    assert set(opened) == OPEN_KEYS
    assert opened["upgrades"] == ["websocket"]
    assert (opened["pingInterval"], opened["pingTimeout"]) == (300, 200)
    assert opened["maxPayload"] == 1_000_000
    assert opened["sid"] in served.engine.sockets
    # Five bits a character would do for 100 bits of chance.
    assert len(opened["sid"]) >= 20


async def test_a_websocket_session_opens(served: Served) -> None:
    """The first frame is the handshake; there is nothing to upgrade to."""
    wire = await Wire.open(served)
    opened = await wire.open_packet()
    assert set(opened) == OPEN_KEYS
    assert opened["upgrades"] == []


@pytest.mark.parametrize(
    ("method", "query", "code"),
    [
        ("GET", "EIO=4", 0),
        ("GET", "EIO=4&transport=abc", 0),
        ("GET", "EIO=4&transport=polling&sid=forged", 1),
        ("POST", "EIO=4&transport=polling&sid=forged", 1),
        ("GET", "EIO=4&transport=polling&sid=", 1),
        ("POST", "EIO=4&transport=polling", 2),
        ("PUT", "EIO=4&transport=polling", 2),
        ("DELETE", "EIO=4&transport=polling", 2),
        ("GET", "EIO=4&transport=websocket", 3),
        ("GET", "transport=polling", 5),
        ("GET", "EIO=3&transport=polling", 5),
        ("GET", "EIO=abc&transport=polling", 5),
        ("GET", "EIO=abc&transport=websocket", 5),
    ],
)
async def test_a_bad_request_is_refused(
    served: Served, http: ClientSession, method: str, query: str, code: int
) -> None:
    """Status 400 with the code that the Node server gives, and no session."""
    async with http.request(method, f"{served.url}/engine.io/?{query}") as response:
        assert response.status == 400
        assert (await response.json())["code"] == code
    assert served.remains() == {}


@pytest.mark.parametrize(
    "query", ["EIO=4&transport=websocket&sid=forged", "EIO=3&transport=websocket"]
)
async def test_a_bad_websocket_is_refused_before_the_upgrade(
    served: Served, http: ClientSession, query: str
) -> None:
    """A forged session id or version gets a plain 400."""
    with pytest.raises(WSServerHandshakeError) as refused:
        await http.ws_connect(f"{served.url}/engine.io/?{query}")
    assert refused.value.status == 400
    assert served.remains() == {}


async def test_an_unknown_method_of_a_session_is_refused(
    served: Served, http: ClientSession
) -> None:
    """Only GET and POST belong to long-polling; the session lives on."""
    poller = await Poller.open(http, served)
    async with http.put(poller.url, data="4x") as response:
        assert response.status == 400
    await poller.send("4x")
    assert await poller.packets() == ["4x"]


@pytest.mark.parametrize("transport", ["polling", "websocket"])
async def test_a_foreign_origin_is_refused(
    serve: Serve, http: ClientSession, transport: str
) -> None:
    """The hook is asked for every request and its no is a 403."""

    def home_only(request: web.BaseRequest) -> bool:
        return request.headers.get("Origin") == "https://home.example"

    served = await serve(origin_allowed=home_only)
    url = served.engine_url(transport)
    for headers in ({"Origin": "https://evil.example"}, {}):
        async with http.get(url, headers=headers) as response:
            assert response.status == 403
            assert (await response.json())["code"] == 4
    assert served.remains() == {}
    async with http.get(
        served.engine_url("polling"), headers={"Origin": "https://home.example"}
    ) as response:
        assert response.status == 200
    async with http.ws_connect(
        served.engine_url("websocket"), headers={"Origin": "https://home.example"}
    ) as socket:
        assert (await socket.receive_str())[0] == "0"


async def test_a_compressing_client_is_served_without(served: Served, http: ClientSession) -> None:
    """permessage-deflate is offered by browsers and not taken up."""
    async with http.ws_connect(served.engine_url("websocket"), compress=15) as socket:
        assert socket.compress == 0
        await socket.receive_str()
        await socket.send_str("4hello")
        assert await socket.receive_str() == "4hello"


async def test_messages_of_the_connect_handler_come_after_open(
    served: Served, http: ClientSession
) -> None:
    """By each transport, OPEN is the first packet."""

    async def greet(sid: str, environ: dict[str, str]) -> None:
        await served.engine.send(sid, "welcome")

    served.engine.on("connect", greet)
    wire = await Wire.open(served)
    assert await wire.open_packet()
    assert await wire.receive() == "4welcome"
    assert await (await Poller.open(http, served)).packets() == ["4welcome"]


async def test_a_client_of_base64_gets_and_sends_text_only(
    served: Served, http: ClientSession
) -> None:
    """`forceBase64` (`b64=1`): binary messages and attachments are text over WebSocket, too."""
    async with http.ws_connect(served.engine_url("websocket") + "&b64=1") as socket:
        assert (await socket.receive_str()).startswith("0{")
        await socket.send_str("bAQIDBA==")
        await socket.send_str("4text")
        assert await socket.receive_str() == "bAQIDBA=="
        assert await socket.receive_str() == "4text"
    assert served.heard == [b"\1\2\3\4", "text"]
    async with (
        http.ws_connect(served.engine_url("websocket", path="socket.io") + "&b64=1") as socket,
        http.ws_connect(served.engine_url("websocket", path="socket.io")) as other,
    ):
        for each in (socket, other):
            assert (await each.receive_str()).startswith("0{")
            await each.send_str("40")
            assert (await each.receive_str()).startswith("40{")
        await served.echo.emit("news", b"\1\2\3\4")
        head = '451-["news",{"_placeholder":true,"num":0}]'
        assert [await socket.receive_str() for _ in range(2)] == [head, "bAQIDBA=="]
        assert (await other.receive_str(), await other.receive_bytes()) == (head, b"\1\2\3\4")
        await socket.send_str('451-1["message-with-ack",{"_placeholder":true,"num":0}]')
        await socket.send_str("bBQ")
        assert await socket.receive_str() == '461-1[{"_placeholder":true,"num":0}]'
        assert await socket.receive_str() == "bBQ=="


async def test_a_base64_client_stays_one_after_its_upgrade(
    served: Served, http: ClientSession
) -> None:
    """What the handshake said holds for the session."""
    async with http.get(served.engine_url("polling") + "&b64=1") as response:
        sid = json.loads((await response.text())[1:])["sid"]
    async with http.ws_connect(served.engine_url("websocket", sid) + "&b64=1") as socket:
        await socket.send_str("2probe")
        assert await socket.receive_str() == "3probe"
        await served.engine.send(sid, b"\1")
        await socket.send_str("5")
        await socket.send_str("b-_8")
        assert [await socket.receive_str() for _ in range(2)] == ["bAQ==", "b+/8="]


async def test_sessions_do_not_hear_each_other(served: Served) -> None:
    """An answer goes to who asked."""
    one, two = await engine(served), await engine(served)
    one.send("4one")
    two.send("4two")
    assert (await one.receive(), await two.receive()) == ("4one", "4two")


async def test_a_message_to_nobody_is_no_error(served: Served) -> None:
    """Whoever sends cannot know that a client left just now."""
    await served.engine.send("gone", "x")
    await served.engine.disconnect("gone")
    assert served.remains() == {}


async def test_shutdown_tells_everyone(served: Served, http: ClientSession) -> None:
    """WebSockets are closed with 1001, polls get a close packet."""
    wire, poller = await engine(served), await Poller.open(http, served)
    await served.engine.shutdown()
    assert await wire.closed() == 1001
    assert (await poller.poll())[0] == 400
    assert {await served.reason(), await served.reason()} == {"server disconnect"}
    assert served.remains() == {}
