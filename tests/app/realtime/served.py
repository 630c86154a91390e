"""A server of both protocols on a free port, with handlers that show what reached them."""

import asyncio
from collections.abc import Callable
from typing import Any

import socketio
from aiohttp import web
from marshmallow import Schema, fields

from app.realtime.engine import EngineServer
from app.realtime.rooms import RoomManager
from app.realtime.session import Session
from app.realtime.socketserver import SocketServer
from models.errors import Unauthorized
from models.identity import Identity
from namespaces.base import Caller, Commands, command
from namespaces.door import Door

PATIENCE_S = 10.0
"""The longest wait for something that must come."""


async def until(condition: Callable[[], object]) -> None:
    """Return in the turn of the loop in which `condition` holds."""
    async with asyncio.timeout(PATIENCE_S):
        while not condition():  # noqa: ASYNC110 (there is nothing else to wait for)
            await asyncio.sleep(0)


class Note(Schema):
    """One word."""

    text = fields.String(required=True)


class LobbyCommands(Commands):
    """A domain with nothing behind it."""

    domain = "lobby"

    def rooms_of(self, identity: Identity) -> tuple[str, ...]:
        return (f"user:{identity.account_id}", "everyone")

    @command(Note)
    async def say(self, caller: Caller, payload: dict[str, Any]) -> dict[str, Any]:
        return payload


async def authenticate(token: str | None) -> Identity:
    """Take any token but `bad` for the account id itself."""
    if token is None or token == "bad":
        raise Unauthorized("Unknown token.", code="token_invalid")
    return Identity(token, None, token)


class Echo(socketio.AsyncNamespace):
    """Answers as the Socket.IO document wants of a test server, and keeps what came."""

    def __init__(self, namespace: str) -> None:
        super().__init__(namespace)
        self.heard: list[tuple[Any, ...]] = []
        self.auths: list[Any] = []
        self.left: asyncio.Queue[tuple[str, str]] = asyncio.Queue()
        self.gate: asyncio.Event | None = None
        self.sids: list[str] = []

    async def trigger_event(self, event: Any, sid: str, *args: Any) -> Any:
        if event == "connect":
            self.auths.append(args[1])
            if self.gate is not None:
                await self.gate.wait()
            self.sids.append(sid)
            return None
        if event == "disconnect":
            self.left.put_nowait((sid, args[0]))
            return None
        self.heard.append((event, *args))
        if event == "break":
            raise ValueError("a mistake of the application")
        if event == "wait" and self.gate is not None:
            await self.gate.wait()
        if event == "message":
            await self.emit("message-back", args, to=sid)
        elif event == "message-with-ack":
            return args
        return None


class Served:
    """`/engine.io/` echoes messages, `/socket.io/` has `/` and `/custom` (`Echo`) and `/lobby`."""

    def __init__(
        self, *, connect_timeout_s: float = 45.0, messages_per_s: int = 1000, **options: Any
    ) -> None:
        self.port = 0
        self.wires: list[Any] = []
        self.engine = EngineServer(**options)
        self.heard: list[str | bytes] = []
        self.ended: asyncio.Queue[str] = asyncio.Queue()
        self.gate: asyncio.Event | None = None
        self.engine.on("connect", self._ignore)
        self.engine.on("message", self._echo)
        self.engine.on("disconnect", self._end)
        self.manager = RoomManager()
        self.socketio = SocketServer(self.manager, connect_timeout_s=connect_timeout_s, **options)
        self.echo, self.custom = Echo("/"), Echo("/custom")
        self.door = Door(LobbyCommands(), authenticate, messages_per_s=messages_per_s)
        for namespace in (self.echo, self.custom, self.door):
            self.socketio.register_namespace(namespace)
        self.application = web.Application()
        self.application.router.add_route("*", "/engine.io/", self.engine.handle_request)
        self.application.router.add_route("*", "/socket.io/", self.socketio.handle)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def engine_url(self, transport: str, sid: str | None = None, path: str = "engine.io") -> str:
        tail = f"&sid={sid}" if sid else ""
        return f"{self.url}/{path}/?EIO=4&transport={transport}{tail}"

    def session(self, sid: str) -> Session:
        return self.engine.sockets[sid]

    async def reason(self) -> str:
        """Give the reason of the next end of a session under `/engine.io/`."""
        async with asyncio.timeout(PATIENCE_S):
            return await self.ended.get()

    async def left(self, namespace: Echo) -> str:
        """Give the reason of the next leaving of a namespace."""
        async with asyncio.timeout(PATIENCE_S):
            return (await namespace.left.get())[1]

    def remains(self) -> dict[str, Any]:
        """Give everything that is kept for clients, by what keeps it; empty when all are gone."""
        kept: dict[str, Any] = {}
        for engine in (self.engine, self.socketio.eio):
            kept[f"sockets {id(engine)}"] = dict(engine.sockets)
        wheels = (self.engine.deadlines, self.socketio.eio.deadlines, self.socketio._deadlines)
        for number, wheel in enumerate(wheels):
            kept[f"deadlines {number}"] = [m for slot in wheel._slots.values() for m in slot]
        manager = self.manager
        for name in (
            "rooms", "callbacks", "pending_connect", "pending_disconnect",
            "_rooms_of", "_peers", "_rooms_of_peer",
        ):  # fmt: skip
            kept[name] = dict(getattr(manager, name))
        for name in ("environ", "_binary_packet", "_refusals", "_newcomers"):
            kept[name] = dict(getattr(self.socketio, name))
        kept["guests"] = dict(self.door._guests)
        return {name: what for name, what in kept.items() if what}

    async def emptied(self) -> None:
        """Return when nothing is kept for any client any more."""
        await until(lambda: not self.remains())

    async def _ignore(self, *args: object) -> None:
        pass

    async def _echo(self, sid: str, message: str | bytes) -> None:
        self.heard.append(message)
        if self.gate is not None:
            await self.gate.wait()
        await self.engine.send(sid, message)

    async def _end(self, sid: str, reason: str) -> None:
        self.ended.put_nowait(reason)
