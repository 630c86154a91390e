"""A namespace by itself: commands of its own, tokens that are what they say, no database."""

import asyncio

import pytest
from aiohttp import web

from app.realtime.rooms import RoomManager
from app.realtime.socketio.server import SocketServer
from models.errors import Conflict, Forbidden, TooManyRequests, Unauthorized
from models.fields import Input, WholeNumber
from models.identity import Identity
from models.rooms import user_room
from namespaces.base import Commands, command
from namespaces.gateway import DomainNamespace
from namespaces.guard import AccountLimits


class Nothing(Input):
    """No fields."""


class Amount(Input):
    """A number."""

    amount = WholeNumber(required=True)


class InheritedCommands(Commands):
    """A command that comes by inheritance."""

    @command(Amount)
    async def double(self, caller, payload):
        return {"amount": 2 * payload["amount"], "account": caller.identity.account_id}


class SampleCommands(InheritedCommands):
    """Commands that do what a command can do; named `stories` so that clients find them."""

    domain = "stories"

    def __init__(self):
        self.begun = asyncio.Event()
        self.go_on = asyncio.Event()

    def rooms_of(self, identity):
        return [user_room(identity.account_id)]

    def not_marked(self, caller, payload):
        raise AssertionError("only marked methods are commands")

    async def run_of_the_mill(self, caller, payload):
        raise AssertionError("only marked methods are commands")

    @command(Nothing)
    async def _private(self, caller, payload):
        raise AssertionError("private methods are no commands")

    @command(Nothing)
    async def nothing(self, caller, payload):
        return None

    @command(Nothing)
    async def conflict(self, caller, payload):
        raise Conflict("Somebody was first.", code="channel_taken")

    @command(Nothing)
    async def busy(self, caller, payload):
        raise TooManyRequests("Slow down.", retry_after_s=1.23456)

    @command(Amount)
    async def crash(self, caller, payload):
        raise RuntimeError("the secret is in here")

    @command(Nothing)
    async def enter(self, caller, payload):
        caller.connection.enter("a room")

    @command(Nothing)
    async def leave(self, caller, payload):
        caller.connection.leave("a room")

    @command(Nothing)
    async def wait(self, caller, payload):
        self.begun.set()
        await self.go_on.wait()

    @command(Nothing, slow=True)
    async def ponder(self, caller, payload):
        self.begun.set()
        await self.go_on.wait()
        return "an idea"


@pytest.fixture
def commands():
    return SampleCommands()


async def token_says_who(token):
    """Stand for the real check: `<account>`, `<account>/<session>` or `<account>@<expiry>`."""
    if token == "disabled":
        raise Forbidden("This account is disabled.", code="account_disabled")
    if token == "crash":
        raise RuntimeError("the secret is in here")
    name, _, expires_at = token.partition("@")
    account_id, _, session_id = name.partition("/")
    if not account_id.isdecimal():
        raise Unauthorized("The token is not valid.", code="token_invalid")
    return Identity(
        account_id,
        None,
        account_id,
        session_id=session_id or None,
        expires_at=float(expires_at) if expires_at else None,
    )


NO_LIMITS = {"messages_per_s": 1000, "messages_burst": 1000, "delay_s": 5, "connections": 50}


class OneNamespace:
    """A running `/stories` made of `SampleCommands`."""

    def __init__(self, manager, namespace, doors):
        self.manager = manager
        self.namespace = namespace
        self.socketio = doors.socketio

    async def tell(self, room, name, data):
        await self.manager.emit(name, data, namespace="/stories", room=room)


@pytest.fixture
def one_namespace(listening, commands):
    """Start a namespace; keywords are those of `AccountLimits`."""

    async def start(**limits):
        manager = RoomManager()
        server = SocketServer(manager)
        namespace = DomainNamespace(commands, token_says_who, AccountLimits(**(NO_LIMITS | limits)))
        server.register_namespace(namespace)
        app = web.Application()
        app.router.add_route("*", "/socket.io/", server.handle)

        async def farewell(app):
            await server.shutdown()

        app.on_shutdown.append(farewell)
        return OneNamespace(manager, namespace, listening.doors(await listening.start(app)))

    return start
