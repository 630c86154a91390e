"""A server for the official suites: `python -m bench.conformance [--port 3000]`.

`/engine.io/` echoes messages; `/socket.io/` answers as the test suite of protocol version 5 asks;
`/echo` is a bare WebSocket for the Autobahn fuzzing client.
The suites are `docs/engine.io-protocol/v4-test-suite` and `docs/socket.io-protocol/v5-test-suite`
of socketio/socket.io.
"""

import argparse
import asyncio
from typing import Any

import socketio
import uvloop
from aiohttp import web

from app.http.runner import build_runner
from app.memory import BUDGET, Budget
from app.realtime.engineio.engine import EngineServer
from app.realtime.rooms import RoomManager
from app.realtime.socketio.server import SocketServer
from app.realtime.websocket.connection import WebSocket
from app.realtime.websocket.upgrade import Upgrade
from app.settings import Limits

_AUTOBAHN_BYTES = 2**25
"""More than its largest message."""

_BUDGET_BYTES = 2**30

_HEARTBEAT: dict[str, Any] = {"ping_interval_s": 0.3, "ping_timeout_s": 0.2}


class _Echo(socketio.AsyncNamespace):  # type: ignore[misc]
    accepts_binary = True

    async def trigger_event(self, event: str, sid: str, *args: Any) -> Any:
        if event == "connect":
            _environ, auth = args
            # The suite expects "auth" after the CONNECT answer, which follows this handler.
            self.server.start_background_task(self.emit, "auth", auth or {}, to=sid)
        elif event == "message":
            await self.emit("message-back", args, to=sid)
        elif event == "message-with-ack":
            return args
        return None


class _WebSocketEcho:
    """Sends back what it hears."""

    def opened(self, socket: WebSocket) -> None:
        self._socket = socket

    def received(self, message: str | bytes) -> None:
        self._socket.send(message)

    def pong(self) -> None:
        pass

    def lost(self, code: int, reason: str) -> None:
        pass


async def _echo(request: web.Request) -> web.StreamResponse:
    socket = WebSocket(
        _WebSocketEcho(),
        message_bytes=_AUTOBAHN_BYTES,
        unsent_bytes=_AUTOBAHN_BYTES,
        budget=request.app[BUDGET],
    )
    return Upgrade(request).to(socket)


def build() -> web.Application:
    """Make the application."""
    app = web.Application()
    app[BUDGET] = Budget(_BUDGET_BYTES)
    engine = EngineServer(**_HEARTBEAT)

    async def echo(sid: str, message: str | bytes) -> None:
        await engine.send(sid, message)

    async def ignore(*args: object) -> None:
        pass

    engine.on("connect", ignore)
    engine.on("message", echo)
    engine.on("disconnect", ignore)
    app.router.add_route("*", "/engine.io/", engine.handle_request)
    server = SocketServer(RoomManager(), connect_timeout_s=1.0, **_HEARTBEAT)
    for name in ("/", "/custom"):
        server.register_namespace(_Echo(name))
    app.router.add_route("*", "/socket.io/", server.handle)
    app.router.add_get("/echo", _echo)
    return app


async def _serve(port: int) -> None:
    runner = build_runner(build(), Limits())
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    print(f"listening on http://localhost:{port}")
    await asyncio.Event().wait()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=3000)
    uvloop.run(_serve(parser.parse_args().port))
