"""This project's engine: Socket.IO at `/socket.io/` (namespace `/bench`), raw peers at `/ws`."""

import argparse
import os
from datetime import timedelta
from typing import Any

import uvloop
from aiohttp import web

from app.identity.own_jwt import OwnTokens
from app.legacy.peer import RawPeer
from app.realtime.deadlines import Deadlines
from app.realtime.frames import text_frame
from app.realtime.rooms import RoomManager
from app.realtime.socketserver import SocketServer
from app.realtime.upgrade import Upgrade
from app.realtime.websocket import WebSocket
from app.realtime.wirejson import dumps
from bench.peers import control
from models.errors import Unauthorized
from models.identity import Identity
from namespaces.base import Commands
from namespaces.conduct import Conduct
from namespaces.door import Door

ROOM = "room"


class _Bench(Commands):
    domain = "bench"

    def rooms_of(self, identity: Identity) -> tuple[str, str]:
        return (ROOM, f"user:{identity.account_id}")


class _Dialect:
    def render(self, domain: str, event: str, data: dict[str, Any]) -> str:
        return dumps({"type": event, "data": data})

    def greeting(self, identity: Identity) -> str:
        return '{"type":"connected"}'

    def error(self, identity: Identity, code: str, message: str, about: str | None = None) -> str:
        return dumps({"type": "error", "code": code, "message": message})

    async def receive(self, peer: object, message: dict[str, Any]) -> None:
        pass


class _RawHost:
    """Takes raw peers in, as `RawEndpoint` does, but any number for one user."""

    ping_interval_s = 50.0

    def __init__(self, manager: RoomManager) -> None:
        self.deadlines = Deadlines(1.0)
        self.peers: set[RawPeer] = set()
        self._manager = manager

    def arrived(self, peer: RawPeer) -> None:
        self.peers.add(peer)
        self._manager.enter_peer(peer, (ROOM, f"user:{peer.identity.account_id}"))

    def entered(self, peer: RawPeer, room: str) -> None:
        self._manager.enter_peer(peer, (room,))

    def exited(self, peer: RawPeer, room: str) -> None:
        self._manager.leave_peer(peer, room)

    def left(self, peer: RawPeer) -> None:
        self.peers.discard(peer)
        self._manager.remove_peer(peer)


async def main(port: int, control_port: int, secret: str, *, bare: bool) -> None:
    """Serve until the process is ended."""
    tokens = OwnTokens(secret, timedelta(days=1))
    dialect = _Dialect()

    async def authenticate(token: str | None) -> Identity:
        if token is None:
            raise Unauthorized("no token")
        claims = tokens.verify(token)
        account_id = claims.account_id
        return Identity(account_id, None, account_id, expires_at=claims.expires_at)

    manager = RoomManager()
    server = SocketServer(manager)
    server.register_namespace(Door(_Bench(), authenticate, messages_per_s=10))
    host = _RawHost(manager)

    async def raw(request: web.Request) -> web.StreamResponse:
        upgrade = Upgrade(request)
        identity = await authenticate(request.query.get("token"))
        peer = RawPeer(host, dialect, identity, Conduct(10))
        return upgrade.to(WebSocket(peer, message_bytes=65_536, unsent_bytes=1_048_576))

    app = web.Application()
    app.router.add_route("*", "/socket.io/", server.handle)
    app.router.add_get("/ws", raw)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port, backlog=4096).start()

    def overhead() -> int:
        return len('{"type":"news","data":}') if host.peers else len('42/bench,["news",]')

    async def emit(times: int) -> None:
        for _ in range(times):
            await manager.emit("news", control.news(overhead()), namespace="/bench", room=ROOM)

    async def emit_to(room: str, event_bytes: int) -> None:
        data = control.news(overhead(), event_bytes)
        await manager.emit("news", data, namespace="/bench", room=room)

    async def emit_bare(times: int) -> None:
        # Private on purpose: only this floor looks at them.
        descriptors = [session.socket.fd for session in server.eio.sockets.values()]
        for _ in range(times):
            text = "42/bench," + dumps(["news", control.news(overhead())])
            frame = text_frame(text.encode())
            for descriptor in descriptors:
                os.write(descriptor, frame)

    await control.listen(
        control_port,
        emit_bare if bare else emit,
        emit_to,
        lambda: len(server.eio.sockets) + len(host.peers),
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("port", type=int)
    parser.add_argument("control_port", type=int)
    parser.add_argument("secret")
    parser.add_argument("--bare", action="store_true")
    args = parser.parse_args()
    uvloop.run(main(args.port, args.control_port, args.secret, bare=args.bare))
