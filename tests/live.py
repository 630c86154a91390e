"""A server listening on a free port, and clients of each kind: for tests of the whole path.

Every wait ends after `PATIENCE_S`, so a frame that never comes is a failure and not a hang.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
import socketio
from aiohttp import ClientSession, ClientWebSocketResponse, WSMsgType, web
from yarl import URL

from app.http.runner import Runner, build_runner
from app.identity.own_jwt import OwnTokens
from app.main import create_app
from app.rest.requests import AUTHENTICATE
from app.settings import Limits, Settings
from app.storage import Store
from models.accounts import Account, Accounts, Passwords
from models.times import now

PATIENCE_S = 10.0
HELLO = {"text": "Hello World", "visibility": "PUBLIC", "audience_user_ids": []}
"""The story of the curl walk in `docs/older-apis/stories-events.md`."""


class RawClient:
    """A plain WebSocket client."""

    def __init__(self, socket: ClientWebSocketResponse) -> None:
        self.socket = socket

    async def send(self, message: object) -> None:
        await self.socket.send_str(message if isinstance(message, str) else json.dumps(message))

    async def text(self) -> str:
        """Return the next frame as it was written."""
        message = await self.socket.receive(PATIENCE_S)
        assert message.type is WSMsgType.TEXT, message
        return message.data

    async def frame(self) -> Any:
        """Return the next frame."""
        return json.loads(await self.text())

    async def ask(self, message: object) -> Any:
        await self.send(message)
        return await self.frame()

    async def closed(self) -> int | None:
        """Return the code of the close frame, 1006 without one; skips frames before it."""
        async with asyncio.timeout(PATIENCE_S):
            while not self.socket.closed:
                message = await self.socket.receive()
                if message.type is WSMsgType.CLOSE:
                    return message.data
        return self.socket.close_code


class SocketClient:
    """python-socketio's client in one namespace.

    It hands every argument to its handlers, so that the offset of events is switched off.
    """

    def __init__(self, namespace: str = "/stories") -> None:
        self.namespace = namespace
        self.client = socketio.AsyncClient(reconnection=False, handle_sigint=False)
        self.refusal: dict[str, Any] | None = None
        self._events: asyncio.Queue[tuple[str, Any]] = asyncio.Queue()
        self._gone = asyncio.Event()
        self.client.on("*", self._take, namespace)
        self.client.on("connect_error", self._refused, namespace)
        self.client.on("disconnect", self._left, namespace)

    async def connect(self, url: str, auth: object, transports: list[str]) -> None:
        """Connect, or leave what the server said in `refusal`."""
        if isinstance(auth, dict):
            auth = {"recovery": False, **auth}
        try:
            await self.client.connect(
                url,
                auth=auth,
                namespaces=[self.namespace],
                transports=transports,
                wait_timeout=PATIENCE_S,
            )
        except socketio.exceptions.ConnectionError:
            if self.refusal is None:
                raise

    async def call(self, name: str, payload: object = None) -> Any:
        """Send a command and give its ack."""
        return await self.client.call(name, payload, self.namespace, timeout=PATIENCE_S)

    async def event(self) -> tuple[str, Any]:
        """Return the next event: name and data."""
        return await asyncio.wait_for(self._events.get(), PATIENCE_S)

    async def gone(self) -> None:
        """Return when the server has disconnected this client."""
        await asyncio.wait_for(self._gone.wait(), PATIENCE_S)

    async def _take(self, name: str, data: Any) -> None:
        self._events.put_nowait((name, data))

    async def _refused(self, data: dict[str, Any]) -> None:
        self.refusal = data

    async def _left(self, reason: str) -> None:
        self._gone.set()


class Doors:
    """Ways into a server at `url`, this process's or another one."""

    def __init__(self, url: str, stack: AsyncExitStack, http: ClientSession) -> None:
        self.url = url
        self._stack = stack
        self._http = http

    async def call(
        self,
        token: str | None,
        method: str,
        path: str,
        body: object = None,
        headers: Mapping[str, str] | None = None,
    ) -> tuple[int, Any]:
        """Make a REST request: status, and the JSON of the answer."""
        named = {"Authorization": f"Bearer {token}"} if token else {}
        async with self._http.request(
            method, self.url + path, json=body, headers={**named, **(headers or {})}
        ) as response:
            return response.status, await response.json(content_type=None)

    async def story(self, token: str, **changes: object) -> str:
        """Create a story over REST; returns its id."""
        status, story = await self.call(token, "POST", "/stories", HELLO | changes)
        assert status == 201
        return story["id"]

    async def open_raw(
        self, token: str | None, headers: Mapping[str, str] | None = None, **options: Any
    ) -> RawClient:
        """Connect to `/ws` with `?token=`.

        Raises:
            aiohttp.WSServerHandshakeError: the server refused before the upgrade.
        """
        query = {"token": token} if token is not None else {}
        socket = await self._http.ws_connect(
            f"{self.url}/ws", params=query, headers=headers, **options
        )
        self._stack.push_async_callback(socket.close)
        return RawClient(socket)

    async def open_at(
        self, target: str, headers: Mapping[str, str] | None = None, **options: Any
    ) -> RawClient:
        """Connect to a path and query as they are written; raises as `open_raw`."""
        url = URL(self.url + target, encoded=True)
        socket = await self._http.ws_connect(url, headers=headers, **options)
        self._stack.push_async_callback(socket.close)
        return RawClient(socket)

    async def raw(self, token: str, **options: Any) -> RawClient:
        """Connect to `/ws` and pass over the greeting."""
        client = await self.open_raw(token, **options)
        assert (await client.frame())["type"] == "connected"
        return client

    async def socketio(
        self,
        token: str | None = None,
        *,
        auth: object = None,
        transports: tuple[str, ...] = ("websocket",),
        namespace: str = "/stories",
    ) -> SocketClient:
        """Connect to a namespace, or try to."""
        client = SocketClient(namespace)
        self._stack.push_async_callback(client.client.shutdown)
        await client.connect(self.url, {"token": token} if token else auth, list(transports))
        return client


class Server(Doors):
    """A server in this process, and the accounts behind it."""

    app: web.Application

    def __init__(
        self,
        url: str,
        stack: AsyncExitStack,
        http: ClientSession,
        *,
        settings: Settings,
        accounts: Accounts,
    ) -> None:
        super().__init__(url, stack, http)
        self.settings = settings
        self.accounts = accounts

    async def account(self, name: str) -> Account:
        """Return the account of `<name>@example.com`, which has no password."""
        return await self.accounts.find_or_create_by_email(f"{name}@example.com")

    async def token(self, name: str, *, session_id: str | None = None) -> str:
        """Return an access token for the account of `<name>@example.com`."""
        return self.issue(await self.account(name), session_id=session_id)

    def issue(
        self, account: Account, *, session_id: str | None = None, lifetime_s: float = 3600
    ) -> str:
        """Make a token that ends `lifetime_s` seconds from now, cut to whole seconds."""
        tokens = OwnTokens(
            self.settings.jwt_secret,
            timedelta(),
            clock=lambda: now() + timedelta(seconds=lifetime_s),
        )
        return tokens.issue(account, session_id)


class Listening:
    """Applications that listen until the test is over."""

    def __init__(self, stack: AsyncExitStack, http: ClientSession) -> None:
        self.stack = stack
        self.http = http
        self.runners: list[Runner] = []

    async def start(self, app: web.Application, limits: Limits | None = None) -> str:
        """Listen on a free port of this machine; returns the URL."""
        runner = build_runner(app, limits or Limits(), shutdown_timeout=1.0)
        self.stack.push_async_callback(runner.cleanup)
        self.runners.append(runner)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        return f"http://127.0.0.1:{runner.addresses[0][1]}"

    def doors(self, url: str) -> Doors:
        return Doors(url, self.stack, self.http)


Serve = Callable[..., Awaitable[Server]]


@pytest.fixture
async def listening() -> AsyncIterator[Listening]:
    """Start applications of one's own."""
    async with AsyncExitStack() as stack:
        http = await stack.enter_async_context(ClientSession())
        yield Listening(stack, http)


@pytest.fixture
def serve(settings: Settings, store: Store, passwords: Passwords, listening: Listening) -> Serve:
    """Start servers on one database; keywords change the settings, those of `Limits` included."""

    async def start(**changes: Any) -> Server:
        limits = {key: changes.pop(key) for key in [*changes] if hasattr(Limits, key)}
        chosen = replace(settings, **changes, limits=replace(settings.limits, **limits))
        app = await create_app(chosen)
        url = await listening.start(app, chosen.limits)
        accounts = Accounts(store.database, passwords)
        # As the application's own: what a test ends, this process has ended.
        accounts.revocations.when_appended(app[AUTHENTICATE].forget)  # type: ignore[attr-defined]
        made = Server(url, listening.stack, listening.http, settings=chosen, accounts=accounts)
        made.app = app
        return made

    return start


@pytest.fixture
async def server(serve: Serve) -> Server:
    """A server with the settings that it has by default."""
    return await serve()
