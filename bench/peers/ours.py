"""This project's engine: Socket.IO at `/socket.io/` (namespace `/bench`), raw peers at `/ws`."""

import argparse
import os
from collections.abc import Collection, Iterable
from datetime import timedelta
from typing import Any

import uvloop
from aiohttp import web

from app.http.runner import build_runner
from app.identity.own_jwt import OwnTokens
from app.legacy.dialect import Dialect
from app.legacy.peer import RawPeer
from app.memory import Budget
from app.realtime.deadlines import Deadlines
from app.realtime.events.delivery import Delivery, read_all
from app.realtime.events.memorylog import MemoryLog
from app.realtime.rooms import RoomManager
from app.realtime.socketio.recovery import Recovery
from app.realtime.socketio.server import SocketServer
from app.realtime.traffic import Traffic
from app.realtime.websocket.connection import WebSocket
from app.realtime.websocket.frames import text_frame
from app.realtime.websocket.upgrade import Upgrade
from app.realtime.wirejson import dumps
from app.settings import Limits
from bench.peers import control
from models.errors import Unauthorized
from models.fields import Input, Text
from models.identity import Identity
from namespaces.base import Caller, Commands, command
from namespaces.gateway import DomainNamespace
from namespaces.guard import AccountLimits

ROOM = "room"


class _Said(Input):
    text = Text(100, required=True)


class _Bench(Commands):
    domain = "bench"

    def __init__(self, manager: RoomManager) -> None:
        self._manager = manager

    def rooms_of(self, identity: Identity) -> tuple[str, ...]:
        return (ROOM, f"user:{identity.account_id}", control.group_of(identity.account_id))

    @command(_Said)
    async def echo(self, caller: Caller, payload: dict[str, Any]) -> dict[str, Any]:
        """Answer with what was said."""
        return payload

    @command(_Said)
    async def key(self, caller: Caller, payload: dict[str, Any]) -> None:
        """Tell it to the group of the caller."""
        user = caller.identity.account_id
        group = control.group_of(user)
        data = {"user": user, **payload}
        await self._manager.emit("key", data, namespace="/bench", room=group)


class _Dialect(Dialect):
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

    def __init__(self, manager: RoomManager, account_limits: AccountLimits, budget: Budget) -> None:
        self.account_limits = account_limits
        self.budget = budget
        self.deadlines = Deadlines(1.0)
        self.traffic = Traffic()
        self.peers: set[RawPeer] = set()
        self._manager = manager

    def arrived(self, peer: RawPeer) -> None:
        self.peers.add(peer)
        self._manager.enter_peer(peer, (ROOM, f"user:{peer.identity.account_id}"))

    @property
    def position(self) -> str:
        return self._manager.log.position

    async def missed(self, since: str, rooms: Collection[str]) -> list[tuple[str, Delivery]]:
        return await read_all(self._manager.log, since, rooms, 100_000)

    def entered(self, peer: RawPeer, rooms: Iterable[str]) -> None:
        self._manager.enter_peer(peer, rooms)

    def exited(self, peer: RawPeer, room: str) -> None:
        self._manager.leave_peer(peer, room)

    def left(self, peer: RawPeer) -> None:
        self.peers.discard(peer)
        self._manager.remove_peer(peer)


async def main(port: int, control_port: int, secret: str, *, bare: bool, recovering: bool) -> None:
    """Serve until the process is ended."""
    tokens = OwnTokens(secret, timedelta(days=1))
    dialect = _Dialect()

    async def authenticate(token: str | None) -> Identity:
        if token is None:
            raise Unauthorized("no token", code="token_missing")
        claims = tokens.verify(token)
        account_id = claims.account_id
        return Identity(account_id, None, account_id, expires_at=claims.expires_at)

    # As `app.main` sets them by default.
    log = MemoryLog(keep_s=190.0, keep_bytes=Limits().history_bytes) if recovering else MemoryLog()
    manager = RoomManager(log)
    recovery = Recovery(log, window_s=120.0, replay_bytes=131_072) if recovering else None
    server = SocketServer(manager, recovery=recovery)
    # What is measured is the server, not how it holds people back.
    limits = AccountLimits(
        messages_per_s=1_000_000, messages_burst=1_000_000, delay_s=5, connections=1_000_000
    )
    server.register_namespace(DomainNamespace(_Bench(manager), authenticate, limits))
    host = _RawHost(manager, limits, server.eio.budget)

    async def raw(request: web.Request) -> web.StreamResponse:
        upgrade = Upgrade(request)
        identity = await authenticate(request.query.get("token"))
        peer = RawPeer(host, dialect, identity)
        return upgrade.to(
            WebSocket(peer, message_bytes=65_536, unsent_bytes=1_048_576, budget=server.eio.budget)
        )

    app = web.Application()
    app.router.add_route("*", "/socket.io/", server.handle)
    app.router.add_get("/ws", raw)
    runner = build_runner(app, Limits())
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
    parser.add_argument("--recovery", action="store_true")
    args = parser.parse_args()
    uvloop.run(
        main(
            *(args.port, args.control_port, args.secret),
            bare=args.bare,
            recovering=args.recovery,
        )
    )
