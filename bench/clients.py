"""A server for the clients' own suites: `python -m bench.clients`.

The suites are `packages/socket.io-client/test` and `packages/engine.io-client/test` of
socketio/socket.io. They start servers of their own in a file of hooks; run without that file, they
find this one at the same addresses: Socket.IO on port 3210, Engine.IO on port 3000.
"""

import asyncio
import json
from collections.abc import Awaitable, Callable
from contextvars import ContextVar
from datetime import UTC, datetime
from functools import partial
from typing import Any

import socketio
import uvloop
from aiohttp import web
from socketio.exceptions import ConnectionRefusedError as Refused

from app.realtime.engineio.engine import EngineServer
from app.realtime.rooms import RoomManager
from app.realtime.socketio.server import SocketServer

SOCKETIO_PORT, ENGINEIO_PORT = 3210, 3000

HANDSHAKE_S = 0.01
"""For a handshake: tests of the connect timeout want one that is not answered at once."""

PAYLOAD_BYTES = 100
"""Tests of the client's splitting of payloads want a small limit."""

_request: ContextVar[web.Request] = ContextVar("request")
"""The request that opened the session, or that brought the message."""

UTF8 = ("てすと", "Я Б Г Д Ж Й", "Ä ä Ü ü ß", "utf8 — string", "utf8 — string")


@web.middleware
async def _remember(
    request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
) -> web.StreamResponse:
    _request.set(request)
    return await handler(request)


# Socket.IO.


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


class _Namespace(socketio.AsyncNamespace):  # type: ignore[misc]
    """Lets everyone in; `getId` is answered with the client's id."""

    accepts_binary = True

    def __init__(self, namespace: str) -> None:
        super().__init__(namespace)
        self._handshakes: dict[str, dict[str, Any]] = {}

    async def trigger_event(self, event: str, sid: str, *args: Any) -> Any:
        if event == "connect":
            environ, auth = args
            self._handshakes[sid] = {"query": environ["query"], "auth": auth or {}}
            return await self.welcome(sid)
        if event == "disconnect":
            del self._handshakes[sid]
            return None
        return await self.answer(event, sid, args)

    async def welcome(self, sid: str) -> None:
        """Act on a new client, before it is told that it is in."""

    async def answer(self, event: str, sid: str, args: tuple[Any, ...]) -> Any:
        """Act on an event; what is returned goes into its ack, `not_handled` gives none."""
        return sid if event == "getId" else self.server.not_handled

    def tell_later(self, event: str, data: Any, sid: str) -> None:
        """Emit after the answer that is under way."""
        self.server.start_background_task(partial(self.emit, event, data, to=sid))


class _Main(_Namespace):
    """The events of the suite."""

    async def welcome(self, sid: str) -> None:
        if "fail" in self._handshakes[sid]["query"]:
            raise Refused("Auth failed (main namespace)")

    async def answer(self, event: str, sid: str, args: tuple[Any, ...]) -> Any:
        tell = partial(self.emit, to=sid)
        match event, args:
            case "echo", (value, *_):
                # In a tuple, as None alone would be an ack without arguments.
                return (value,)
            case "getAckDate", _:
                return _now()
            case "getHandshake", _:
                return self._handshakes[sid]
            case "ack", _:
                await tell("ack", callback=partial(self._acknowledged, sid))
            case "hi", _:
                await tell("hi")
            case "false", _:
                await tell("false", False)
            case "getDate", _:
                await tell("takeDate", _now())
            case "getDateObj", _:
                await tell("takeDateObj", {"date": _now()})
            case "getUtf8", _:
                for text in UTF8:
                    await tell("takeUtf8", text)
            case "doge", _:
                await tell("doge", b"asdfasdf")
            case "getbin", _:
                await tell("takebin", b"asdfasdf")
            case "buffa", (bytes(),):
                await tell("buffack")
            case "jsonbuff", ({"hello": "lol", "message": bytes(), "goodbye": "gotcha"},):
                await tell("jsonbuff-ack")
            case "abuff2", ("please arrive second",):
                await tell("abuff2-ack")
            case "blob", (bytes(),):
                await tell("back")
            case "jsonblob", ({"hello": "lol", "message": bytes(), "goodbye": "gotcha"},):
                await tell("jsonblob-ack")
            case "blob3", (bytes(),):
                await tell("blob3-ack")
            case _:
                return await super().answer(event, sid, args)
        return self.server.not_handled

    async def _acknowledged(self, sid: str, number: int, data: dict[str, Any]) -> None:
        if number == 5 and data["test"]:
            await self.emit("got it", to=sid)


class _Greeting(_Namespace):
    """Tells each client what it connected with."""

    async def welcome(self, sid: str) -> None:
        self.tell_later("handshake", self._handshakes[sid], sid)


class _Closed(_Namespace):
    """Lets no one in."""

    async def welcome(self, sid: str) -> None:
        raise Refused("Auth failed (custom namespace)")


class _Server(SocketServer):
    async def _handle_eio_connect(self, eio_sid: str, environ: dict[str, Any]) -> None:
        await asyncio.sleep(HANDSHAKE_S)
        query = dict(_request.get().query)
        await super()._handle_eio_connect(eio_sid, {**environ, "query": query})


def build_socketio() -> web.Application:
    """Make the application for socket.io-client."""
    server = _Server(RoomManager(), ping_interval_s=2.0)
    server.register_namespace(_Main("/"))
    for name in ("/foo", "/timeout_socket", "/valid", "/asd"):
        server.register_namespace(_Namespace(name))
    server.register_namespace(_Greeting("/abc"))
    server.register_namespace(_Closed("/no"))
    app = web.Application(middlewares=[_remember])
    app.router.add_route("*", "/socket.io/", server.handle)
    return app


# Engine.IO.


_COOKIES = (
    "1=1; Max-Age=86400",
    "2=2; Path=/; HttpOnly; Secure; SameSite=Strict",
    "3=3; Max-Age=0",
    "4=4; Expires=Thu, 01 Jan 1970 00:00:00 GMT",
)


async def _set_cookies(request: web.Request, response: web.StreamResponse) -> None:
    """Set cookies that clients with `withCredentials` keep, and some that have expired."""
    if "sid" not in request.query:
        for cookie in _COOKIES:
            response.headers.add("Set-Cookie", cookie)


def build_engineio() -> web.Application:
    """Make the application for engine.io-client."""
    engine = EngineServer(
        ping_interval_s=0.5,
        payload_bytes=PAYLOAD_BYTES,
        origin_allowed=lambda request: "deny" not in request.query,
    )

    async def greet(sid: str, environ: dict[str, Any]) -> None:
        await engine.send(sid, "hi")

    async def answer(sid: str, message: str | bytes) -> None:
        if message == "give binary":
            message = bytes(range(5))
        elif message == "give utf8":
            message = "пойду спать всем спокойной ночи"
        elif message == "sendHeaders":
            headers = _request.get().headers
            message = json.dumps({name.lower(): value for name, value in headers.items()})
        await engine.send(sid, message)

    async def ignore(*args: object) -> None:
        pass

    engine.on("connect", greet)
    engine.on("message", answer)
    engine.on("disconnect", ignore)
    app = web.Application(middlewares=[_remember])
    app.on_response_prepare.append(_set_cookies)
    app.router.add_route("*", "/engine.io/", engine.handle_request)
    return app


async def _serve() -> None:
    for app, port in ((build_socketio(), SOCKETIO_PORT), (build_engineio(), ENGINEIO_PORT)):
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        # As in Node, whose clients may find `localhost` at either address.
        await web.TCPSite(runner, "localhost", port).start()
        print(f"listening on http://localhost:{port}")
    await asyncio.Event().wait()


if __name__ == "__main__":
    uvloop.run(_serve())
