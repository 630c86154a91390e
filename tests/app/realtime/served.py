"""A server of both protocols on a free port, with handlers that show what reached them."""

import asyncio
from collections.abc import Callable
from datetime import datetime
from typing import Any

import socketio
from aiohttp import web

from app.http.encodings import refuse_encoded
from app.memory import Budget
from app.realtime.engineio.engine import EngineServer
from app.realtime.engineio.session import Session
from app.realtime.events.memorylog import MemoryLog
from app.realtime.rooms import RoomManager
from app.realtime.socketio.recovery import Recovery
from app.realtime.socketio.server import SocketServer
from models.errors import Unauthorized
from models.fields import Input, Text
from models.identity import Identity
from namespaces.base import Caller, Commands, command
from namespaces.gateway import DomainNamespace
from namespaces.guard import AccountLimits

PATIENCE_S = 10.0
"""The longest wait for something that must come."""


async def until(condition: Callable[[], object]) -> None:
    """Return in the turn of the loop in which `condition` holds."""
    async with asyncio.timeout(PATIENCE_S):
        while not condition():  # noqa: ASYNC110 (there is nothing else to wait for)
            await asyncio.sleep(0)


class Note(Input):
    """One word."""

    text = Text(100, required=True)


class LobbyCommands(Commands):
    """A domain with nothing behind it."""

    domain = "lobby"

    def rooms_of(self, identity: Identity) -> tuple[str, ...]:
        return (f"user:{identity.account_id}", "everyone")

    def __init__(self) -> None:
        self.here: set[Caller] = set()
        self.joined: dict[Caller, list[str]] = {}
        self.refused: set[str] = set()
        """Rooms that nobody may return to."""

        self.slow: asyncio.Event | None = None
        self.returning: asyncio.Event | None = None
        """What it waits for before a connection is where it was."""

        self.leaving: asyncio.Event | None = None
        """What it waits for before a connection has left."""

    async def arrived(self, caller: Caller) -> tuple[str, ...]:
        self.here.add(caller)
        self.joined[caller] = []
        return ()

    async def left(self, caller: Caller) -> None:
        if self.leaving is not None:
            await self.leaving.wait()
        self.here.discard(caller)
        self.joined.pop(caller, None)

    def places(self, caller: Caller) -> Any:
        return self.joined.get(caller, [])

    async def returned(self, caller: Caller, places: Any, away_since: datetime) -> bool:
        if self.returning is not None:
            await self.returning.wait()
        for room in places:
            await asyncio.sleep(0)
            if room in self.refused:
                return False
            self.joined[caller].append(room)
            caller.connection.enter(room)
        return True

    @command(Note, slow=True)
    async def join_later(self, caller: Caller, payload: dict[str, Any]) -> None:
        self.slow = self.slow or asyncio.Event()
        await self.slow.wait()
        caller.connection.enter(payload["text"])

    @command(Note)
    async def join(self, caller: Caller, payload: dict[str, Any]) -> None:
        self.joined[caller].append(payload["text"])
        caller.connection.enter(payload["text"])

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

    accepts_binary = True

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
        self,
        *,
        connect_timeout_s: float = 45.0,
        messages_per_s: float = 1000,
        messages_burst: int = 1000,
        delay_s: float = 5,
        recovery_window_s: float = 0.0,
        replay_bytes: int = 100_000,
        log: MemoryLog | None = None,
        **options: Any,
    ) -> None:
        options.setdefault("budget", Budget(100_000_000))
        self.budget: Budget = options["budget"]
        self.port = 0
        self.runner: web.AppRunner | None = None
        self.wires: list[Any] = []
        self.engine = EngineServer(**options)
        self.heard: list[str | bytes] = []
        self.ended: asyncio.Queue[str] = asyncio.Queue()
        self.gate: asyncio.Event | None = None
        self.engine.on("connect", self._ignore)
        self.engine.on("message", self._echo)
        self.engine.on("disconnect", self._end)
        self.manager = RoomManager(log or MemoryLog(keep_s=1000, keep_bytes=10_000_000))
        self.recovery: Recovery | None = None
        if recovery_window_s > 0:
            self.recovery = Recovery(
                self.manager.log, window_s=recovery_window_s, replay_bytes=replay_bytes
            )
        self.socketio = SocketServer(
            self.manager, connect_timeout_s=connect_timeout_s, recovery=self.recovery, **options
        )
        self.echo, self.custom = Echo("/"), Echo("/custom")
        limits = AccountLimits(
            messages_per_s=messages_per_s,
            messages_burst=messages_burst,
            delay_s=delay_s,
            connections=50,
        )
        self.commands = LobbyCommands()
        self.door = DomainNamespace(self.commands, authenticate, limits)
        for namespace in (self.echo, self.custom, self.door):
            self.socketio.register_namespace(namespace)
        self.application = web.Application(middlewares=[refuse_encoded])
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
        """Return the reason of the next end of a session under `/engine.io/`."""
        async with asyncio.timeout(PATIENCE_S):
            return await self.ended.get()

    async def left(self, namespace: Echo) -> str:
        """Return the reason of the next leaving of a namespace."""
        async with asyncio.timeout(PATIENCE_S):
            return (await namespace.left.get())[1]

    def remains(self) -> dict[str, Any]:
        """Return everything that is kept for clients, by what keeps it; empty when all are gone."""
        kept: dict[str, Any] = {}
        for engine in (self.engine, self.socketio.eio):
            kept[f"sockets {id(engine)}"] = dict(engine.sockets)
        wheels = (self.engine.deadlines, self.socketio.eio.deadlines, self.socketio._deadlines)
        for number, wheel in enumerate(wheels):
            kept[f"deadlines {number}"] = [m for slot in wheel._slots.values() for m in slot]
        manager = self.manager
        for name in (
            "rooms", "callbacks", "pending_connect", "pending_disconnect",
            "_rooms_of", "_peers", "_rooms_of_peer", "_numbered",
        ):  # fmt: skip
            kept[name] = dict(getattr(manager, name))
        for name in ("environ", "_unfinished", "_guards", "_newcomers"):
            kept[name] = dict(getattr(self.socketio, name))
        kept["clients"] = dict(self.door._clients)
        kept["held bytes"] = {"": self.budget.held_bytes} if self.budget.held_bytes else {}
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
