"""python-socketio as it comes, on aiohttp: the same namespace, room and token check."""

import argparse
from typing import Any

import jwt
import socketio
import uvloop
from aiohttp import web

from bench.peers import control

ROOM = "room"


async def main(port: int, control_port: int, secret: str) -> None:
    """Serve until the process is ended."""
    server = socketio.AsyncServer(async_mode="aiohttp")
    members: dict[str, None] = {}

    async def connect(sid: str, environ: dict[str, Any], auth: dict[str, str]) -> None:
        claims = jwt.decode(auth["token"], secret, algorithms=["HS256"])
        await server.enter_room(sid, ROOM, namespace="/bench")
        await server.enter_room(sid, f"user:{claims['sub']}", namespace="/bench")
        members[sid] = None

    async def disconnect(sid: str, reason: str) -> None:
        del members[sid]

    server.on("connect", connect, namespace="/bench")
    server.on("disconnect", disconnect, namespace="/bench")
    app = web.Application()
    server.attach(app)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port, backlog=4096).start()

    async def emit(times: int) -> None:
        data = control.news(len('42/bench,["news",]'))
        for _ in range(times):
            await server.emit("news", data, room=ROOM, namespace="/bench")

    async def emit_to(room: str, event_bytes: int) -> None:
        data = control.news(len('42/bench,["news",]'), event_bytes)
        await server.emit("news", data, room=room, namespace="/bench")

    await control.listen(control_port, emit, emit_to, lambda: len(members))


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("port", type=int)
    parser.add_argument("control_port", type=int)
    parser.add_argument("secret")
    args = parser.parse_args()
    uvloop.run(main(args.port, args.control_port, args.secret))
